"""The runner: seeds on several processes, figures, and for a failure the one command that shows it again."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.sim.play import Played, play
from tests.sim.scenario import draw
from tests.sim.stores import STORES

CHUNK = 25


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


def main(words: Sequence[str] | None = None) -> int:
    """Play what is asked for; 1 when an invariant did not hold."""
    asked = _parser().parse_args(words)
    if asked.seed is not None:
        return _one(asked.seed, asked.store)
    begun, total = time.perf_counter(), Sum()
    for part in many(asked.first, asked.seeds, asked.store, asked.jobs):
        total.join(part)
    seconds = time.perf_counter() - begun
    for seed, violations in sorted(total.failed.items())[: asked.show]:
        print(f"seed {seed}: {violations[0]}\n    .venv/bin/python -m tests.sim --store {asked.store} --seed {seed}")
    if asked.counters:
        for name, number in sorted((total.seen + total.unknowable).items()):
            print(f"{number:9}  {name}")
    print(
        f"{total.histories} histories, {total.boundaries} boundaries, {len(total.failed)} failed, "
        f"{sum(total.unknowable.values())} unknowable; {seconds:.1f} s, {total.histories / seconds:.1f} histories/s"
    )
    return bool(total.failed)


def _one(seed: int, store: str) -> int:
    played = play(draw(seed), STORES[store])
    print("\n".join(played.story))
    print(f"trace {played.trace}")
    for violation in played.violations:
        print(f"!! {violation}", file=sys.stderr)
    return bool(played.violations)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many histories")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="A", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="S", help="one history, told line by line")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--store", choices=sorted(STORES), default="memory")
    parser.add_argument("--show", type=int, default=20, help="how many failures to show")
    parser.add_argument("--counters", action="store_true", help="show the rare branches that were reached")
    return parser
