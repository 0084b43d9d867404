"""Which state of the project a figure is about."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """Name the commit, with a plus where files differ from it; a question mark where there is no git."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "?"
