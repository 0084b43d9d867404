"""`python -m tests.mutants.generic`: mutmut over core/ and engine/, all of it or a drawn sample, and the score.

Runs for hours; what was judged before is not judged again. Survivors are named one by one: each is killed by a real test or
explained in docs/mutants.md.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
JUDGED: Final = ROOT / "mutants" / "syncd"
NOTHING: Final = "nothing.at.all"
SURVIVED, UNTESTED = 0, 33
"""Exit codes that mutmut notes: no test failed, no test reaches it. Everything else that is noted is a kill."""


def codes() -> dict[str, int | None]:
    """Read what became of every mutant; None where it was not run yet."""
    found: dict[str, int | None] = {}
    for path in sorted(JUDGED.rglob("*.meta")):
        found |= json.loads(path.read_text("utf-8")).get("exit_code_by_key", {})
    return found


def mutmut(*words: str) -> str:
    """Run mutmut in the root of the project."""
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout


def main(words: Sequence[str] | None = None) -> int:
    """Run, count, and show every survivor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.generic", description=__doc__)
    parser.add_argument("--sample", type=lambda text: int(text or 0), default=0, metavar="N", help="so many of them")
    parser.add_argument("--seed", type=int, default=1, help="draws the sample")
    asked = parser.parse_args(words)
    chosen: list[str] = []
    if asked.sample:
        if not codes():
            mutmut("run", "--max-children", "1", NOTHING)  # makes the mutants, and finds out which test reaches which
        names = sorted(codes())
        chosen = sorted(random.Random(asked.seed).sample(names, min(asked.sample, len(names))))
    mutmut("run", "--max-children", "1", *chosen)
    done = {name: code for name, code in codes().items() if code is not None and (not chosen or name in chosen)}
    alive = sorted(name for name, code in done.items() if code in (SURVIVED, UNTESTED))
    for name in alive:
        sys.stdout.write(mutmut("show", name))
    sums = Counter("survived" if c == SURVIVED else "untested" if c == UNTESTED else "killed" for c in done.values())
    score = 100 * sums["killed"] / len(done) if done else 0.0
    sys.stdout.write(f"{len(done)} of {len(codes())} mutants, {dict(sums)}: {score:.1f} % killed\n")
    return 0 if done else 1


if __name__ == "__main__":
    raise SystemExit(main())
