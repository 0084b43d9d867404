"""`python -m tests.fuzz [TARGET ...] --seconds N`: coverage-guided fuzzing by atheris, one process a target.

What is found is printed by atheris as bytes: add them to SEEDS in targets.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("configuration", "csv", "vcard", "stored_row", "headers")


def search(name: str, seconds: int) -> None:
    """Fuzz one target in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=["syncd", "connectors", "ruamel"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup(
            [sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", folder], TARGETS[name]
        )
        atheris.Fuzz()


def main() -> int:
    """Run each target in turn; the exit code is that of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--here", action="store_true", help="in this process")
    asked = parser.parse_args()
    if asked.here:
        search(asked.targets[0], asked.seconds)
    for name in asked.targets or NAMES:
        sys.stderr.write(f"== {name}\n")
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name, "--here", f"--seconds={asked.seconds}"], check=False
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
