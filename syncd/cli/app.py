"""From a command line to an exit code, whatever happens (DESIGN 5).

0 done and in sync, 1 our bug, 2 configuration, 3 partial, 4 held, 5 refused by an app. Hard rule: with `--json` one
document goes to stdout for every exit code except 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from syncd.cli import everyday, show
from syncd.errors import AccessError, ConfigError, SafetyStop, SyncdError

RUNS: Final = ("sync", "resync", "apply", "undo")
"""Commands whose document is that of a run."""


def run(words: Sequence[str]) -> int:
    """Run one command line; return its exit code. Raises KeyboardInterrupt, and what is a fault of ours."""
    try:
        quick = everyday.read(words)
        if quick is not None:
            return quick()
        from syncd.cli.commands import dispatch

        return dispatch(words)
    except SyncdError as error:
        return _failed(error, words)


def _failed(error: SyncdError, words: Sequence[str]) -> int:
    """Say what went wrong with the whole command, and turn the reaction into its exit code."""
    show.complain(str(error))
    if error.detail and "--debug" in words:
        show.complain(f"detail: {error.detail}")
    if isinstance(error, ConfigError):
        return 2
    if "--json" in words:
        show.document(failure(error, words[0] if words else ""))
    return 5 if isinstance(error, AccessError) else 4 if isinstance(error, SafetyStop) else 3


def failure(error: SyncdError, command: str) -> dict[str, Any]:
    """Make the document of a command that could not do anything."""
    doc: dict[str, Any] = {"error": {"kind": type(error).__name__, "message": str(error)}}
    if command in RUNS:
        outcome = "held" if isinstance(error, SafetyStop) else "partial"
        doc = {"run": None, "outcome": outcome, "apps": {}, "held": [], "inbox": None, **doc}
    return doc
