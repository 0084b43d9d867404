"""`python -m tests.sim`: play many histories, or one again."""

from __future__ import annotations

from tests.sim.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
