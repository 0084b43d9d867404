"""Every moment at which syncd may die, one after the other: which there are, and what was found.

Hard rule: a moment counts as hit only when the process really died (or failed) there.
"""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.crash.trial import KINDS, Bench, is_killed

ERRORS: Final = ("full", "busy", "serialization")
CALL: Final = re.compile(r"""(call|transact)\(\s*(?:[\w.]+,\s*)?"([a-z_ ]+)\"""")
ELSEWHERE: Final = {
    "app.subscribe": "the daemon, for an app with webhooks",
    "app.subscribed": "the daemon, for an app with webhooks",
    "store.another": "an app that has turned into another account",
    "store.app failed": "an app that fails",
    "store.approve": "syncd approve",
    "store.end": "syncd resolve",
    "store.fields": "a column that has vanished",
    "store.find": "syncd apply",
    "store.followed": "a webhook that names nothing",
    "store.hidden": "an app that does not show a field for a while",
    "store.hinted": "a webhook that names records",
    "store.hints": "an app with webhooks",
    "store.hooks": "the daemon, for an app with webhooks",
    "store.idle": "the daemon",
    "store.passed": "an app that was written to a lot and need not tell of it (`PassesOwn`)",
    "store.intents": "syncd plan",
    "store.journal": "syncd undo",
    "store.known": "syncd plan",
    "store.keys": "a configuration that matches people otherwise; tests/test_indexing.py dies there",
    "store.listed": "a record that a listing shows and a write does not find",
    "store.moved": "an app without conditional writes",
    "store.not gone": "a record that was missing in a listing and is there",
    "store.pause": "syncd pause",
    "store.past": "an app that went back in time, perhaps; tests/test_restored.py dies there",
    "store.paused": "an app that is paused",
    "store.pushed": "syncd resync --push-only",
    "store.recent": "an app whose listing lags",
    "store.records": "syncd resync of chosen contacts",
    "store.refused": "syncd resolve",
    "store.reread": "syncd resync of chosen contacts",
    "store.resolve": "syncd resolve",
    "store.restored": "an app that went back in time; tests/test_restored.py dies there",
    "store.undo": "syncd undo",
    "store.unseen": "an app that was away at the first approval",
    "store.up to date": "an app that went back in time; tests/test_restored.py dies there",
}
"""Boundaries that `syncd sync` does not cross in these scenes -> where they are crossed; tests/test_crash.py (of webhooks: tests/test_hints.py) dies there."""


@dataclass(slots=True)
class Figures:
    """What was done, and what was wrong in the end."""

    hit: dict[str, set[str]] = field(default_factory=dict)
    """before, inside, after, again -> the labels at which a process died; `again`: while picking up the pieces."""
    trials: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def doc(self) -> dict[str, Any]:
        """Make the document for docs/reliability.md."""
        labels = in_source()
        kinds = Counter(text.split(": ")[1] for text in self.wrong)
        return {
            "labels": len(labels),
            "labels_elsewhere": len(labels & ELSEWHERE.keys()),
            **{f"hit_{when}": len(self.hit.get(when, ())) for when in ("before", "inside", "after", "again")},
            "labels_not_hit": sorted(labels - ELSEWHERE.keys() - set[str]().union(*self.hit.values())),
            **{
                kind: self.trials[kind]
                for kind in ("kills", "wire_kills", "file_kills", "double_kills", "errors", "power_cuts")
            },
            **{kind: kinds[kind] for kind in (*KINDS, "unsent")},
            "missed": self.missed,
            "wrong": self.wrong,
        }

    def add(self, other: Figures) -> None:
        for when, labels in other.hit.items():
            self.hit.setdefault(when, set()).update(labels)
        self.trials += other.trials
        self.missed += other.missed
        self.wrong += other.wrong


def in_source() -> set[str]:
    """Name every boundary that the engine and the daemon have, by reading them."""
    house = Path(__file__).parent.parent.parent / "syncd"
    found: set[str] = set()
    for file in (file for room in ("daemon", "engine") for file in sorted((house / room).glob("*.py"))):
        for kind, what in CALL.findall(file.read_text("utf-8")):
            found.add(f"{'app' if kind == 'call' else 'store'}.{what}")
    return found


# -- which moments there are


def moments(bench: Bench, words: Sequence[str]) -> list[str]:
    """Name every boundary that a command crosses now, in order; the world is brought back."""
    ended = bench.syncd(*words, point="trace")
    bench.renew()
    lines = ended.err.splitlines()
    return [line.removeprefix("boundary ") for line in lines if line.startswith("boundary ")]


def firsts(places: Iterable[str]) -> list[str]:
    """Keep those that a label is crossed at for the first time."""
    return [place for place in places if place.split(":")[1] == "1"]


def failing(places: Iterable[str]) -> Iterator[str]:
    """Name what may go wrong there without anybody dying."""
    for place in places:
        label, _, when = place.split(":")
        if when == "inside":
            yield from (f"{place}:{how}" for how in ERRORS)
        elif when == "after" or label.startswith("app."):
            yield f"{place}:lost"


# -- what happens there


def kill(bench: Bench, places: Iterable[str]) -> Figures:
    """Die at each of these, and be judged."""
    figures = Figures()
    for place in places:
        bench.renew()
        if is_killed(bench.syncd(*bench.scene.words, point=place)):
            label, _, when = place.split(":")
            figures.hit.setdefault(when, set()).add(label)
            figures.trials["kills"] += 1
        else:
            figures.missed.append(f"{bench.scene.name} {place}")
        figures.wrong += [f"{bench.scene.name} {place}: {text}" for text in bench.verdict()]
    return figures


def fail(bench: Bench, places: Iterable[str]) -> Figures:
    """Let each of these fail: it is told in words, the exit code is one of the documented ones, the rest goes on."""
    figures = Figures()
    for place in places:
        bench.renew()
        ended = bench.syncd(*bench.scene.words, point=place)
        figures.trials["errors"] += 1
        if ended.code not in (0, 3, 4) or "internal error" in ended.err:
            figures.wrong.append(f"{bench.scene.name} {place}: stuck: exit {ended.code}, {ended.err[-300:]}")
        figures.wrong += [f"{bench.scene.name} {place}: {text}" for text in bench.verdict()]
    return figures


def kill_twice(
    bench: Bench,
    places: Iterable[str],
    chance: random.Random | None = None,
    most: int = 0,
    only: Collection[str] | None = None,
) -> Figures:
    """Die at each of these, and again at every label (or `only` these) of the next run; `chance`: at `most` of the pairs."""
    figures = Figures()
    pairs = []
    for place in places:
        bench.renew()
        bench.syncd(*bench.scene.words, point=place)
        kept = bench.syncd(*bench.scene.drain, point="trace").err.splitlines()
        again = firsts(line.removeprefix("boundary ") for line in kept if line.startswith("boundary "))
        pairs += [(place, second) for second in again if only is None or second.split(":")[0] in only]
    for place, second in chance.sample(pairs, min(most, len(pairs))) if chance else pairs:
        bench.renew()
        bench.syncd(*bench.scene.words, point=place)
        if is_killed(bench.syncd(*bench.scene.drain, point=second)):
            figures.hit.setdefault("again", set()).add(second.split(":")[0])
            figures.trials["double_kills"] += 1
        else:
            figures.missed.append(f"{bench.scene.name} {place}, then {second}")
        figures.wrong += [f"{bench.scene.name} {place}, then {second}: {text}" for text in bench.verdict()]
    bench.renew()
    return figures


def kill_on_the_wire(bench: Bench) -> Figures:
    """Die while a card is on its way, right before the server has it and right after."""
    figures, three = Figures(), bench.three
    for number in range(1, 100):
        for when in ("before", "after"):
            bench.renew()
            three.strike = _striking(three.folder / "pid", (number, when))
            try:
                killed = is_killed(bench.syncd(*bench.scene.words))
            finally:
                three.strike = lambda _number, _when: None
            if not killed:
                bench.renew()
                return figures
            figures.trials["wire_kills"] += 1
            figures.wrong += [f"{bench.scene.name} PUT {number} {when}: {text}" for text in bench.verdict()]
    raise AssertionError("it never ends")


def kill_at_files(bench: Bench, step: int = 1) -> Figures:
    """Die right before each (or each n-th) time that a file is touched: store, key, lock, backup, an app's own file."""
    figures = Figures()
    for number in range(1, 1000, step):
        bench.renew()
        if not is_killed(bench.syncd(*bench.scene.words, files=number)):
            bench.renew()
            return figures
        figures.trials["file_kills"] += 1
        figures.wrong += [f"{bench.scene.name} file {number}: {text}" for text in bench.verdict()]
    raise AssertionError("it never ends")


def _striking(pid: Path, wanted: tuple[int, str]) -> Callable[[int, str], None]:
    def strike(number: int, when: str) -> None:
        if (number, when) == wanted:
            os.kill(int(pid.read_text()), signal.SIGKILL)
            if when == "before":
                raise ConnectionAbortedError("the one who asked is dead; the server never read it")

    return strike
