"""The seven reactions: what went wrong, named after what syncd does about it.

    SyncdError
    ├── ConfigError       the operator's text is wrong
    ├── AccessError       credentials or permission refused
    ├── TransientError    may work later
    ├── RecordRejected    the app refuses these values
    ├── RecordMoved       the record changed or went away meanwhile
    ├── OutcomeUnknown    a write may have happened
    └── SafetyStop        a guard refuses the plan

Anything else that is raised is a fault of ours. The docstrings are the operator's manual (`syncd docs` prints them).
A message never holds a contact value or a secret: ids, field names, places and remedies only.
"""

from __future__ import annotations

from dataclasses import dataclass


class SyncdError(Exception):
    """Carry a text for the operator (`str(error)`) and, apart from it, a detail for the engineer."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in the configuration: `file:line:column: path: message`."""

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class ConfigError(SyncdError):
    """The operator's text is wrong: every problem is reported with file, line and column, nothing is started. Exit 2."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), detail: str = "") -> None:
        super().__init__("\n".join(map(str, problems)) or message, detail=detail)
        self.problems = problems


class AccessError(SyncdError):
    """Credentials or permission refused: this app stops, the operator is told, the other apps go on. Exit 5."""


class TransientError(SyncdError):
    """May work later: retried within bounds, else at the next pass; the cursor stays. Exit 3 if it lasts."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.retry_after_seconds = retry_after_seconds


class RecordRejected(SyncdError):
    """The app refuses these values: that record is parked with the reason, everything else goes on. Exit 3."""


class RecordMoved(SyncdError):
    """The version differs, or the record is gone: nothing is written, it is read again and planned again."""


class OutcomeUnknown(SyncdError):
    """A write may have happened: the intent is kept, and the app is asked before anything else is tried."""


class SafetyStop(SyncdError):
    """A guard refuses the plan: nothing is applied for that app; why, and how to confirm, is shown. Exit 4."""
