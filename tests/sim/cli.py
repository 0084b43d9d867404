"""The runner: seeds on several processes, figures, and for a failure the one command that shows it again."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sim.commit import commit
from tests.sim.drawing import draw
from tests.sim.play import Played, play
from tests.sim.rare import too_rare
from tests.sim.scenario import Scenario
from tests.sim.shrink import shrink
from tests.sim.stores import STORES
from tests.sim.tales import Tale, read_tale, words, write_tale

CHUNK = 25
SHRUNK_MAX = 2


@dataclass(slots=True)
class Sum:
    """What many histories came to."""

    histories: int = 0
    boundaries: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    unknowable: Counter[str] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)
    traces: dict[int, str] = field(default_factory=dict)

    def add(self, played: Played) -> None:
        self.histories += 1
        self.boundaries += played.boundaries
        self.seen.update(played.seen)
        self.unknowable.update(played.unknowable)
        self.traces[played.scenario.seed] = played.trace
        if played.violations:
            self.failed[played.scenario.seed] = [str(violation) for violation in played.violations]

    def join(self, other: Sum) -> None:
        self.histories += other.histories
        self.boundaries += other.boundaries
        self.seen.update(other.seen)
        self.unknowable.update(other.unknowable)
        self.failed |= other.failed
        self.traces |= other.traces


def play_seeds(first: int, count: int, store: str) -> Sum:
    """Play the histories of these seeds."""
    total = Sum()
    for seed in range(first, first + count):
        total.add(play(draw(seed), STORES[store]))
    return total


def many(first: int, count: int, store: str, jobs: int) -> Iterator[Sum]:
    chunks = [(start, min(CHUNK, first + count - start)) for start in range(first, first + count, CHUNK)]
    if jobs == 1:
        yield from (play_seeds(start, size, store) for start, size in chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play_seeds, *zip(*chunks, strict=True), [store] * len(chunks))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; 1 when an invariant did not hold."""
    asked = _parser().parse_args(arguments)
    if asked.story is not None:
        return _one(read_tale(asked.story).scenario, asked.store)
    if asked.seed is not None:
        scenario = draw(asked.seed)
        if asked.shrink or asked.keep:
            scenario = shrunken(scenario, asked.store)
        if asked.keep:
            write_tale(asked.keep, Tale(title=f"seed {asked.seed}", scenario=scenario), asked.store)
        return _one(scenario, asked.store)
    begun, total = time.perf_counter(), Sum()
    for part in many(asked.first, asked.seeds, asked.store, asked.jobs):
        total.join(part)
    seconds = time.perf_counter() - begun
    for place, (seed, violations) in enumerate(sorted(total.failed.items())[: asked.show]):
        print(f"seed {seed}: {violations[0]}\n    .venv/bin/python -m tests.sim --store {asked.store} --seed {seed}")
        if place < SHRUNK_MAX and not asked.quick:
            print("\n".join(f"    | {line}" for line in words(shrunken(draw(seed), asked.store), asked.store)))
    if asked.counters:
        for name, number in sorted((total.seen + total.unknowable).items()):
            print(f"{number:9}  {name}")
    print(
        f"{total.histories} histories, {total.boundaries} boundaries, {len(total.failed)} failed, "
        f"{sum(total.unknowable.values())} unknowable; {seconds:.1f} s, {total.histories / seconds:.1f} histories/s"
    )
    if asked.json:
        asked.json.write_text(
            json.dumps(figures(total, asked.store, seconds), indent=1, sort_keys=True) + "\n", "utf-8"
        )
    rare = too_rare(total.histories, total.seen + total.unknowable)
    for name, number in rare.items():
        print(f"reached {number} times only: {name}")
    return bool(total.failed or rare)


def figures(total: Sum, store: str, seconds: float) -> dict[str, Any]:
    """Give what docs/reliability.md tells of a run."""
    knobs: Counter[str] = Counter()
    for seed in total.traces:
        knobs.update({name for quirks in draw(seed).apps for name in quirks.named()})
    return {
        "commit": commit(),
        "store": store,
        "histories": total.histories,
        "boundaries": total.boundaries,
        "seconds": round(seconds),
        "failed": sorted(total.failed),
        "sometimes": dict(total.seen),
        "unknowable": dict(total.unknowable),
        "knobs": dict(knobs),
    }


def shrunken(scenario: Scenario, store: str) -> Scenario:
    """Shrink a history that fails; what it fails with stays the same."""
    first = play(scenario, STORES[store]).violations
    if not first:
        return scenario

    def fails(candidate: Scenario) -> bool:
        return any(violation.name == first[0].name for violation in play(candidate, STORES[store]).violations)

    return shrink(scenario, fails)


def _one(scenario: Scenario, store: str) -> int:
    played = play(scenario, STORES[store])
    print("\n".join(words(scenario, store)))
    print(f"trace {played.trace}")
    for violation in played.violations:
        print(f"!! {violation}", file=sys.stderr)
    return bool(played.violations)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many histories")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="A", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="S", help="one history, told line by line")
    parser.add_argument("--shrink", action="store_true", help="shorten that history while it fails in the same way")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write that history, shrunken, to tests/sim/stories")
    parser.add_argument("--story", type=Path, metavar="FILE", help="play a kept history")
    parser.add_argument("--quick", action="store_true", help="do not shorten failures")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--store", choices=sorted(STORES), default="memory")
    parser.add_argument("--show", type=int, default=20, help="how many failures to show")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into a file")
    parser.add_argument("--counters", action="store_true", help="show the rare branches that were reached")
    return parser
