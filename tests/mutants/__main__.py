"""`python -m tests.mutants`: put each known fault into the engine and see that it is noticed."""

from __future__ import annotations

from tests.mutants.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
