"""History: the runs, and the journal's entries, newest first, page by page.

Journal documents are sealed with their contact's own secret; where that is gone (erased, or merged into another contact)
an entry says so and shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import select

from syncd.core.fights import WHY as FIGHT
from syncd.core.policies import ASK
from syncd.core.state import Entry
from syncd.ops.times import iso
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.tx import Tx

PAGE: Final = 200
SEALED: Final = "sealed for ever: the contact was erased or became part of another one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries are wanted; what is None does not limit. `fields`: the field and the group it is merged with."""

    run: int | None = None
    contact: int | None = None
    fields: frozenset[str] | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `first`: it was the preview of a first run, and wrote nothing."""

    doc: dict[str, Any]
    first: bool
    outcome: str | None
    held: list[dict[str, Any]]
    why: list[str]
    """What kept it from being in sync, guards and the inbox aside."""
    decided: int | None
    """The case of the inbox that was decided in it, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some entries, newest first. `last`: where the next page begins; None at the end."""

    entries: list[dict[str, Any]]
    last: int | None


def runs(tx: Tx, chosen: Selection, before: int | None, count_max: int = PAGE) -> list[Run]:
    """List runs, newest first, older than `before`. Those of one contact: the ones that its journal names."""
    c = s.run.c
    where: list[sa.ColumnElement[bool]] = [] if before is None else [c.id < before]
    if chosen.run is not None:
        where.append(c.id == chosen.run)
    if chosen.since_ms is not None:
        where.append(c.at_ms >= chosen.since_ms)
    if chosen.contact is not None:
        where.append(c.id.in_(select(s.journal.c.run).where(s.journal.c.contact == chosen.contact)))
    query = select(c.id, c.at_ms, c.kind, c.outcome, c.doc).where(*where).order_by(c.id.desc()).limit(count_max)
    return [_run(row) for row in tx.connection.execute(query)]


def _run(row: Any) -> Run:
    doc = orjson.loads(row.doc) if row.doc else {}
    apps = doc.get("apps")
    listed = {"run": row.id, "at": iso(row.at_ms), "kind": row.kind, "apps": apps if isinstance(apps, dict) else {}}
    return Run(
        doc=listed,
        first=bool(doc.get("first")),
        outcome=row.outcome,
        held=_list(doc.get("held")),
        why=_list(doc.get("why")),
        decided=doc.get("case") if row.kind == "resolve" else None,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def entries(tx: Tx, chosen: Selection, before: int | None) -> Page:
    """List one page of entries older than the journal row `before`."""
    j = s.journal.c
    where: list[sa.ColumnElement[bool]] = [] if before is None else [j.id < before]
    if chosen.run is not None:
        where.append(j.run == chosen.run)
    if chosen.contact is not None:
        where.append(j.contact == chosen.contact)
    query = (
        select(j.id, j.run, j.contact, j.at_ms, j.doc, s.contact.c.secret)
        .select_from(s.journal.outerjoin(s.contact, s.contact.c.id == j.contact))
        .where(*where)
        .order_by(j.id.desc())
        .limit(PAGE)
    )
    names = app_names(tx)
    found: list[dict[str, Any]] = []
    rows = tx.connection.execute(query).fetchall()
    for row in rows:
        if chosen.since_ms is not None and row.at_ms < chosen.since_ms:
            return Page(entries=found, last=None)
        found += _entries(tx, row, names, chosen.fields)
    return Page(entries=found, last=rows[-1].id if len(rows) == PAGE else None)


def _entries(tx: Tx, row: Any, names: Mapping[int, str], fields: frozenset[str] | None) -> list[dict[str, Any]]:
    """Open one sealed document; its entries in the order in which they happened, turned round."""
    if row.secret is None:
        sealed = Entry(kind="note", app=None, record=None, field=None, old=None, new=None, reason=SEALED)
        return [] if fields is not None else [_doc(row, sealed, names)]
    lines = codec.read_entries(tx.sealer.open(bytes(row.secret), row.doc))
    return [_doc(row, line, names) for line in reversed(lines) if fields is None or line.field in fields]


def _doc(row: Any, line: Entry, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "run": row.run,
        "at": iso(row.at_ms),
        "app": names.get(line.app) if line.app is not None else None,
        "contact": f"c{row.contact}",
        "field": line.field,
        "from": line.old,
        "to": None if _waits(line) else line.new,
        "reason": _reason(line),
    }


def _reason(line: Entry) -> str:
    """Spell what happened and why: `kind: reason`, where the reason does not say the kind itself."""
    if _waits(line):
        return f"waits: {line.reason}"
    if line.kind in ("value", "write", "note") or line.reason.startswith(line.kind):
        return line.reason
    return f"{line.kind}: {line.reason}"


def _waits(line: Entry) -> bool:
    """Say whether a value has not lost (yet): a person decides."""
    return line.kind == "lost" and line.reason in (ASK, FIGHT)


def app_names(tx: Tx) -> dict[int, str]:
    """Map the numbers of apps to their names, also of apps that are in the configuration no more."""
    return {state.id: name for name, state in tx.apps().items()}


def iterate(read: Any, chosen: Selection, limit: int | None) -> Iterator[dict[str, Any]]:
    """Give entries one by one, newest first, at most `limit`; each page in a short read of its own.

    `read`: runs a step in one read transaction (`Store.read`).
    """
    before: int | None = None
    given = 0
    while limit is None or given < limit:
        page: Page = read(lambda tx, before=before: entries(tx, chosen, before))
        for entry in page.entries[: None if limit is None else limit - given]:
            yield entry
            given += 1
        if page.last is None:
            return
        before = page.last


def iterate_runs(read: Any, chosen: Selection, limit: int | None) -> Iterator[Run]:
    """Give runs one by one, newest first, at most `limit`. Those of a field: the ones whose entries tell of it."""
    if chosen.fields is not None:
        yield from islice(_runs_of_field(read, chosen), limit)
        return
    before: int | None = None
    given = 0
    while limit is None or given < limit:
        found = read(lambda tx, before=before: runs(tx, chosen, before))
        for run in found[: None if limit is None else limit - given]:
            yield run
            given += 1
        if len(found) < PAGE:
            return
        before = found[-1].doc["run"]


def _runs_of_field(read: Any, chosen: Selection) -> Iterator[Run]:
    """Give the runs that changed a field, newest first: only what is sealed says which, so every entry is opened."""
    told = None
    for entry in iterate(read, chosen, None):
        if entry["run"] != told:  # entries of one run stand together
            told = entry["run"]
            yield from read(lambda tx, told=told: runs(tx, Selection(run=told), None))
