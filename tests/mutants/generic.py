"""`python -m tests.mutants.generic`: mutmut's mutants of core/ and engine/, all of them or a drawn sample, and the score.

Every mutant is refused by the type checker, or killed by a test, or explained in survivors.yaml, or told of by name with what it
changes. A kill stands until the function changes (mutants/verdicts.jsonl); what lived is tried again every time, as there may be
a test for it now.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from tests.mutants import made
from tests.mutants.explained import KINDS, Reason, reasons, told
from tests.mutants.typed import refused
from tests.sim.commit import commit

VERDICTS: Final = made.COPY / "verdicts.jsonl"
NOTICED: Final = ("killed", "hung", "refused")
BELIEVE: Final[dict[str, tuple[str, ...]]] = {
    "nothing": (),
    "kills": ("killed", "hung"),
    "all": ("killed", "hung", "alive", "untested"),
}
"""Which verdicts of before stand."""
SURE: Final = 1.96
"""95 % of the normal distribution lie within so many deviations."""


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval for a share that a sample shows, in percent: 95 times in 100 the whole lies in it."""
    if not of:
        return 0.0, 100.0
    share, square = hits / of, SURE**2
    middle = share + square / (2 * of)
    width = SURE * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = ((middle + sign * width) / (1 + square / of) for sign in (-1, 1))
    return 100 * low, 100 * high


def known() -> dict[str, dict[str, Any]]:
    """Read the verdicts there are; of several about one mutant, the last."""
    return _read(VERDICTS.read_text("utf-8")) if VERDICTS.exists() else {}


def _read(text: str) -> dict[str, dict[str, Any]]:
    return {doc["name"]: doc for doc in map(json.loads, text.splitlines())}


def judged(names: Mapping[str, str], *, seconds: float, minutes: float, believe: str) -> dict[str, dict[str, Any]]:
    """Get the verdict about each of them (name and digest of its function); when time is up, about the first of them."""
    before = known()
    stands = {name: {"verdict": "refused"} for name in refused() & names.keys()}
    stands |= {
        name: before[name]
        for name, digest in names.items()
        if name not in stands
        and name in before
        and before[name]["digest"] == digest
        and before[name]["verdict"] in BELIEVE[believe]
    }
    left = {name: digest for name, digest in names.items() if name not in stands}
    if not left or minutes <= 0:
        return {name: stands[name] for name in takewhile(stands.__contains__, names)}
    asked = made.COPY / "asked.json"
    paths = {"reached": str(made.COPY / "reached.jsonl"), "verdicts": str(VERDICTS)}
    asked.write_text(json.dumps({"names": left, "seconds": seconds, "minutes": minutes, **paths}), "utf-8")
    begun = VERDICTS.stat().st_size if VERDICTS.exists() else 0
    chosen = tomllib.loads((made.ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    tests = chosen["pytest_add_cli_args_test_selection"]
    plain = ["-q", "-p", "no:cacheprovider", "--tb=native", "--assert=plain"]  # nobody reads how a mutant fails
    command = [sys.executable, "-m", "pytest", *plain, "-p", "tests.mutants.judge", "--judge", str(asked)]
    subprocess.run([*command, *tests], cwd=made.COPY, check=True, stdout=subprocess.DEVNULL)
    verdicts = stands | _read(VERDICTS.read_bytes()[begun:].decode())
    return {name: verdicts[name] for name in takewhile(verdicts.__contains__, names)}  # no kill of before beyond that


def figures(
    verdicts: Mapping[str, Mapping[str, Any]], of: int, seed: int | None, why: Sequence[Reason]
) -> dict[str, Any]:
    """Count, by file and in all; what lives and is not explained is told in full."""
    files: dict[str, Counter[str]] = defaultdict(Counter)
    alive: list[dict[str, str]] = []
    reasons: Counter[str] = Counter()
    for name, doc in sorted(verdicts.items()):
        kind = "noticed" if doc["verdict"] in NOTICED else "alive"
        if kind == "alive":
            change = made.change(name)
            reason = told(change, why)
            kind = "explained" if reason else "alive"
            reasons.update([reason.kind] if reason else [])
            if not reason:
                how = "no test reaches it" if doc["verdict"] == "untested" else ""
                alive.append({"in": change.place, "was": change.was, "now": change.now, "how": how})
        files[made.file_of(name)][kind] += 1
        files[made.file_of(name)]["refused"] += doc["verdict"] == "refused"
    parts = {"all": "", "core": "core/", "engine": "engine/"}
    return {
        "commit": commit(),
        "mutants": of,
        "seed": seed,
        **{part: score(counts for file, counts in files.items() if file.startswith(at)) for part, at in parts.items()},
        "reasons": {kind: reasons[kind] for kind in KINDS},
        "files": {file: score([files[file]]) for file in sorted(files)},
        "alive": alive,
    }


def lived(alive: Sequence[Mapping[str, str]], changes: Iterable[tuple[str, made.Change]]) -> list[str]:
    """Name those that lived in an earlier run, by their place and what they change; what is not there has changed since."""
    wanted = {(doc["in"], doc["was"], doc["now"]) for doc in alive}
    return [name for name, each in changes if (each.place, each.was, each.now) in wanted]


def score(files: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """Sum up some files: how many, how many were noticed (`refused`: by the type checker), the share of them, between what the
    share of all of them lies, and the share of what the type checker lets through.
    """
    total: Counter[str] = Counter()
    for counts in files:
        total.update(counts)
    of = total["noticed"] + total["explained"] + total["alive"]
    low, high = interval(total["noticed"], of)
    share = 100 * total["noticed"] / of if of else 0.0
    kinds = {kind: total[kind] for kind in ("noticed", "refused", "explained", "alive")}
    tried = of - total["refused"]
    by_tests = 100 * (total["noticed"] - total["refused"]) / tried if tried else 0.0
    percents = {"percent": share, "low": low, "high": high, "by_tests": by_tests}
    return {"judged": of, **kinds, **{name: round(percent, 1) for name, percent in percents.items()}}


def main(words: Sequence[str] | None = None) -> int:
    """Make, judge, count, and show what lives; 1 where something lives that nobody has explained, or an explanation is stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.generic", description=__doc__)
    parser.add_argument("--sample", type=lambda text: int(text or 0), default=0, metavar="N", help="so many of them")
    parser.add_argument("--seed", type=int, default=1, help="draws the sample")
    parser.add_argument("--only", default="", metavar="FILE", help="those of one file or folder: core/merge, engine")
    parser.add_argument("--seconds", type=float, default=20.0, help="CPU for one that no test minds")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin none later; the first of a sample are one"
    )
    parser.add_argument("--believe", choices=BELIEVE, default="kills", help="verdicts of before; all: count them again")
    parser.add_argument("--again", type=Path, metavar="FILE", help="those that lived, by the figures in that file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into a file")
    asked = parser.parse_args(words)
    made.make()
    names = made.names()
    pool = [name for name in names if made.file_of(name).startswith(asked.only)]
    if asked.again:
        alive = json.loads(asked.again.read_text("utf-8"))["alive"]
        places = {doc["in"] for doc in alive}
        pool = lived(alive, ((name, made.change(name)) for name in pool if made.place_of(name) in places))
        sys.stdout.write(f"{len(alive)} lived, {len(alive) - len(pool)} of them in code that has changed since\n")
    chosen = random.Random(asked.seed).sample(pool, min(asked.sample, len(pool))) if asked.sample else pool
    drawn = {name: names[name] for name in chosen}
    verdicts = judged(drawn, seconds=asked.seconds, minutes=asked.minutes, believe=asked.believe)
    found = figures(verdicts, len(pool), asked.seed if asked.sample else None, reasons())
    for one in found["alive"]:
        sys.stdout.write(f"{one['in']} {one['how']}\n  - {one['was']}\n  + {one['now']}\n")
    for part in ("core", "engine", "all"):
        sys.stdout.write(f"{part}: {found[part]}\n")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return bool(found["alive"])


if __name__ == "__main__":
    raise SystemExit(main())
