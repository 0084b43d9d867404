"""`python -m tests.sim.exhaust`: the exhaustive search over small worlds, on several processes, with figures.

    --apps 2 --depth 2      every second deviation behind a first one at a send or its commits
    --apps 3 --depth 1      three apps
    --json FILE             add the figures to FILE, under their apps and depth

Exits with 1 when an invariant did not hold, after printing the history as a scenario.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tests.sim.commit import commit
from tests.sim.small import KINDS, Searched, search, worlds

PARTS = 8
"""So many pieces of each world, so that no process waits for the largest; each judges its own states."""


def piece(apps: int, kind: str, name: str, depth: int, part: int, parts: int) -> Searched:
    """Search one piece of one world."""
    scenario = dict(worlds(apps, kind))[name]
    return search(name, scenario, depth, part=part, parts=parts)


def main(words: Sequence[str] | None = None) -> int:
    """Search what is asked for; 1 when something was found."""
    asked = _parser().parse_args(words)
    begun, total = time.perf_counter(), Searched()
    with ProcessPoolExecutor(asked.jobs) as pool:
        waiting = [
            pool.submit(piece, asked.apps, kind, name, asked.depth, part, asked.parts)
            for kind in asked.kinds
            for name, _ in worlds(asked.apps, kind)
            for part in range(0, asked.parts, asked.every)
        ]
        for done, future in enumerate(as_completed(waiting), 1):
            total.join(future.result())
            _progress(done, len(waiting), total)
    seconds = time.perf_counter() - begun
    figures = {
        "commit": commit(),
        "apps": asked.apps, "depth": asked.depth, "kinds": asked.kinds, "complete": asked.every == 1,
        "histories": total.histories, "states_again": total.again, "failed": len(total.failed),
        "unknowable": sum(total.unknowable.values()), "seconds": round(seconds),
    }  # fmt: skip
    sys.stdout.write(json.dumps(figures) + "\n")
    for played in total.failed[:5]:
        sys.stdout.write(f"{played.violations[0]}\n{json.dumps(played.scenario.doc(), ensure_ascii=False)}\n")
    if asked.json:
        _keep(asked.json, figures)
    return bool(total.failed)


def _keep(file: Path, figures: dict[str, Any]) -> None:
    kept = json.loads(file.read_text("utf-8")) if file.exists() else {}
    kept[f"{figures['apps']} apps, depth {figures['depth']}"] = figures
    file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")


def _progress(done: int, count: int, total: Searched) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{count} pieces, {total.histories} histories, {len(total.failed)} failed ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.exhaust", description=__doc__)
    parser.add_argument("--apps", type=int, choices=(2, 3), default=2)
    parser.add_argument("--depth", type=int, choices=(1, 2), default=1)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--parts", type=int, default=PARTS, help="pieces of each world")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th piece (then it is not complete)")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
