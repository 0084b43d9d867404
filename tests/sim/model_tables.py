"""What the model of the store remembers: plain dictionaries of rows that are never changed, and what undoes a step.

Knows nothing of what a row means. Hard rule: every change goes through `put`, `drop` or `append`, so that `rollback`
leaves nothing behind. A row is replaced, never changed, so a copy of everything copies no row.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Hashable
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from syncd.core.consent import Evidence
from syncd.store.hints import HookState

Undo: TypeAlias = list[tuple[dict[Any, Any], Any, Any]]
_NOTHING: Final = object()


class RecordRow(NamedTuple):
    """One row of `record`, without its key."""

    contact: int | None
    version: str | None
    digest: bytes | None
    at_ms: int
    misses: int
    missed_run: int
    problem: str | None
    flawed: bool
    unheard: bool
    doc: bytes | None
    seen: bytes | None


class ContactRow(NamedTuple):
    """One row of `contact`, without its key."""

    secret: bytes
    review: bool
    refused: bool
    doc: bytes


class IntentRow(NamedTuple):
    """One row of `intent`, without its key."""

    sent: bool
    flags: int
    record: str | None
    sent_ms: int | None
    doc: bytes | None


class LatchRow(NamedTuple):
    """One row of `latch`, without its key."""

    out_ms: int
    in_ms: int
    evidence: Evidence | None
    app: int


class RunRow(NamedTuple):
    """One row of `run`, without its key."""

    kind: str
    at_ms: int
    ended_ms: int | None
    outcome: str | None
    doc: bytes | None


class JournalRow(NamedTuple):
    """One row of `journal`; what is sealed is kept with the secret that opens it."""

    run: int
    contact: int
    at_ms: int
    secret: bytes
    doc: bytes


class ConsentRow(NamedTuple):
    """One row of `consent_log`."""

    run: int
    at_ms: int
    channel: str
    subject: bytes
    state: str
    app: int
    evidence: Evidence | None


class CaseRow(NamedTuple):
    """One row of `inbox`, without its key; sealed like the journal."""

    kind: str
    contact: int
    app: int
    field: str
    opened_ms: int
    run: int
    resolved_ms: int | None
    secret: bytes
    doc: bytes


class Tables:
    """All rows. Tables of tables (by app, by key, by subject) are made when they are first asked for, and may be empty."""

    __slots__ = (
        "app",
        "consent_log",
        "contact",
        "dirty",
        "hint",
        "hook",
        "identity",
        "inbox",
        "intent",
        "journal",
        "latch",
        "link",
        "listed",
        "logged",
        "login",
        "meta",
        "record",
        "run",
        "undo",
    )

    def __init__(self) -> None:
        self.meta: dict[str, str] = {}
        self.login: dict[str, bytes] = {}
        self.app: dict[int, dict[str, Any]] = {}
        self.run: dict[int, RunRow] = {}
        self.contact: dict[int, ContactRow] = {}
        self.record: defaultdict[int, dict[str, RecordRow]] = defaultdict(dict)
        self.link: defaultdict[int, dict[int, str]] = defaultdict(dict)
        """contact -> app -> record: the index that is ONE-LINK."""
        self.identity: defaultdict[bytes, dict[tuple[int, str], None]] = defaultdict(dict)
        self.intent: dict[tuple[int, int, int], IntentRow] = {}
        self.dirty: dict[int, None] = {}
        self.listed: defaultdict[int, dict[str, None]] = defaultdict(dict)
        self.hint: dict[tuple[int, str], tuple[int, int, int, int]] = {}
        """(app, id) -> number, at_ms, due_ms, found."""
        self.hook: dict[int, HookState] = {}
        self.latch: defaultdict[bytes, dict[str, LatchRow]] = defaultdict(dict)
        self.inbox: dict[int, CaseRow] = {}
        self.journal: list[JournalRow] = []
        self.consent_log: list[ConsentRow] = []
        self.undo: Undo = []
        self.logged = (0, 0)

    def put(self, table: dict[Any, Any], key: Hashable, row: object) -> None:
        """Set a row."""
        self.undo.append((table, key, table.get(key, _NOTHING)))
        table[key] = row

    def drop(self, table: dict[Any, Any], key: Hashable) -> None:
        """Remove a row, if it is there."""
        if key in table:
            self.undo.append((table, key, table.pop(key)))

    def clear(self, table: dict[Any, Any]) -> None:
        """Remove every row."""
        self.undo.extend((table, key, row) for key, row in table.items())
        table.clear()

    @property
    def changed(self) -> bool:
        """Tell whether anything was written since the last commit."""
        return bool(self.undo) or self.logged != (len(self.journal), len(self.consent_log))

    def commit(self) -> None:
        """Keep what was written."""
        self.undo.clear()
        self.logged = len(self.journal), len(self.consent_log)

    def rollback(self) -> None:
        """Forget what was written since the last commit."""
        for table, key, before in reversed(self.undo):
            if before is _NOTHING:
                del table[key]
            else:
                table[key] = before
        del self.journal[self.logged[0] :], self.consent_log[self.logged[1] :]
        self.undo.clear()

    def copy(self) -> Tables:
        """Copy what is committed; whatever is done to the copy, these tables stay as they are."""
        assert not self.changed, "between transactions only"
        made = Tables()
        for name in (
            "meta",
            "login",
            "app",
            "run",
            "contact",
            "intent",
            "dirty",
            "hint",
            "hook",
            "inbox",
            "journal",
            "consent_log",
        ):
            setattr(made, name, getattr(self, name).copy())
        for name in _NESTED:
            setattr(made, name, defaultdict(dict, {key: rows.copy() for key, rows in getattr(self, name).items()}))
        made.logged = self.logged
        return made

    def rows(self) -> dict[str, Any]:
        """Show every row of every table, sorted: equal stores show equal rows, whatever order they were written in."""
        flat = {name: sorted(getattr(self, name).items()) for name in _FLAT}
        nested = {
            name: sorted((key, sorted(rows.items())) for key, rows in getattr(self, name).items() if rows)
            for name in _NESTED
        }
        return {**flat, **nested, "journal": list(self.journal), "consent_log": list(self.consent_log)}


_FLAT: Final = ("meta", "login", "app", "run", "contact", "intent", "dirty", "hint", "hook", "inbox")
_NESTED: Final = ("record", "link", "identity", "listed", "latch")


def refusal(constraint: str) -> sa.exc.IntegrityError:
    """Make the error that a database raises when a constraint does not hold; no value is in it."""
    return sa.exc.IntegrityError("(model)", None, sqlite3.IntegrityError(f"UNIQUE constraint failed: {constraint}"))
