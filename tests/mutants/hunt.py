"""Look for a mutant: play histories until an invariant fails, or there are no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.edits import Edit, mutated
from tests.mutants.kinds import Directed, Power, Seeds, Small, Suite, Way
from tests.sim.drawing import draw
from tests.sim.play import Played, play
from tests.sim.small import FIRST, SENDS, Judged, deviations, play_small, worlds
from tests.sim.stores import STORES
from tests.sim.tales import read_tale

ROOT: Final = Path(__file__).parent.parent.parent
STORIES: Final = Path(__file__).parent / "stories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to. `by`: the invariants that failed in the first history in which one did; none: it lives."""

    by: frozenset[str]
    histories: int
    where: str
    text: str = ""


def hunt(edits: Sequence[Edit], way: Way, killers: frozenset[str] | None = None) -> Found:
    """Search one way; with `killers` go on until one of these fails."""
    if isinstance(way, Suite):
        return _suite(edits, way)
    if isinstance(way, Power):
        return _power(edits, way)
    count, others, histories = 0, None, _histories(way)
    while True:
        with mutated(edits):
            where, played = next(histories, ("", None))
        if played is None:
            break
        count += 1
        if not played.violations or (edits and play(played.scenario, STORES["memory"]).violations):
            continue  # what fails in the sound engine as well tells nothing
        by = frozenset(violation.name for violation in played.violations)
        found = Found(by=by, histories=count, where=where, text=str(played.violations[0]))
        if killers is None or by & killers:
            return found
        others = others or found
    return others or Found(by=frozenset(), histories=count, where=_name(way))


def _histories(way: Seeds | Small | Directed) -> Iterator[tuple[str, Played]]:
    match way:
        case Seeds():
            for seed in range(way.first, way.first + way.count):
                yield f"seed {seed}", play(draw(seed), STORES[way.store])
        case Directed():
            yield f"story {way.name}", play(read_tale(STORIES / f"{way.name}.yaml").scenario, STORES["memory"])
        case Small():
            yield from _small(way)


def _small(way: Small) -> Iterator[tuple[str, Played]]:
    scenario = dict(worlds(way.apps, way.kind))[way.world]
    judged, first = Judged(), FIRST.get(way.world, 0)
    plain, small = play_small(scenario, judged)
    name = f"{way.apps} {way.kind} apps, {way.world}"
    yield name, plain
    for deviation in deviations(small, first, way.apps):
        once = deviation.of(scenario)
        told = f"{name}: {deviation.action or deviation.fault}"
        played, next_ = play_small(once, judged)
        yield told, played
        if way.depth > 1 and deviation.mark.what in SENDS and not played.violations:
            for second in deviations(next_, first, way.apps, after=deviation.mark):
                yield f"{told}, {second.action or second.fault}", play_small(second.of(once), judged)[0]


def _name(way: Way) -> str:
    match way:
        case Seeds():
            return f"seeds {way.first}..{way.first + way.count - 1}"
        case Small():
            return f"{way.apps} {way.kind} apps, {way.world}, depth {way.depth}"
        case Directed():
            return f"story {way.name}"
        case Suite():
            return " ".join(way.tests)
        case Power():
            return f"power cuts in {way.scene}"


def _suite(edits: Sequence[Edit], way: Suite) -> Found:
    words = [sys.executable, "-m", "tests.mutants.suite", *way.tests]
    ended = _child(words, edits)
    failed = sorted(line.split()[1] for line in ended.stdout.splitlines() if line.startswith("FAILED "))
    assert ended.returncode == bool(failed), ended.stdout + ended.stderr
    return Found(by=frozenset({"TESTS"} if failed else ()), histories=1, where=failed[0] if failed else _name(way))


def _power(edits: Sequence[Edit], way: Power) -> Found:
    words = [sys.executable, "-m", "tests.mutants.power", way.scene, str(way.places)]
    ended = _child(words, edits)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    wrong = ended.stdout.splitlines()
    by = frozenset({"POWER-LOSS"} if wrong else ())
    return Found(by=by, histories=way.places, where=_name(way), text=wrong[0] if wrong else "")


def _child(words: Sequence[str], edits: Sequence[Edit]) -> subprocess.CompletedProcess[str]:
    """Run a process that is wrong in these ways."""
    text = "\x1e".join(f"{edit.module}\x1f{edit.old}\x1f{edit.new}" for edit in edits)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "MUTANT": text}
    return subprocess.run(words, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
