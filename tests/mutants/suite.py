"""`python -m tests.mutants.suite TEST...`: run tests with the fault that the environment names (see hunt.py)."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import pytest

from tests.mutants.edits import Edit, mutated


def edits() -> list[Edit]:
    """Read what the parent has put into the environment."""
    text = os.environ.get("MUTANT", "")
    return [Edit(*part.split("\x1f")) for part in text.split("\x1e")] if text else []


class Plugin:
    """Puts the fault in once pytest is ready, and takes it out in the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def pytest_sessionstart(self) -> None:
        self._stack.enter_context(mutated(edits()))

    def pytest_sessionfinish(self) -> None:
        self._stack.close()


def main(words: list[str]) -> int:
    """Be pytest."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "-rf", "--tb=no"]
    return int(pytest.main([*options, *words], plugins=[Plugin()]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
