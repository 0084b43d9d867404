"""The journal and the inbox, sealed for each contact: what was changed and why, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

from syncd.core.state import Contact, Entry, Seal
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import inserting

_JOURNAL = inserting(s.journal, "run contact at_ms doc")
_SECRETS = select(s.contact.c.id, s.contact.c.secret).where(s.contact.c.id.in_(sa.bindparam("ids", expanding=True)))
_OPEN_CASES = Query(select(sa.func.count()).where(s.inbox.c.resolved_ms.is_(None)))
_NEXT_CASE = select(sa.func.coalesce(sa.func.max(s.inbox.c.id), 0) + 1).scalar_subquery()
"""Not the number a PostgreSQL sequence gives: that one skips those of transactions that were rolled back."""


class Journal(Base):
    """What a transaction does with journal and inbox."""

    def write_journal(self, run: int, now_ms: int, entries: Iterable[tuple[Contact | Seal, Sequence[Entry]]]) -> None:
        """Append one sealed document per contact."""
        rows = [
            {
                "run": run,
                "contact": contact.id,
                "at_ms": now_ms,
                "doc": self._sealer.seal(contact.secret, codec.entry_rows(lines)),
            }
            for contact, lines in entries
            if lines
        ]
        _JOURNAL.run(self._c, rows)

    def hand_over_journal(self, contact: int, to: int) -> None:
        """Write the journal of a contact down once more, sealed for another one, with the runs and times that it has."""
        secrets = {row[0]: bytes(row[1]) for row in self._c.execute(_SECRETS, {"ids": [contact, to]})}
        if not {contact, to} <= secrets.keys():
            return  # nobody can read it any more, or could
        query = select(s.journal.c.run, s.journal.c.at_ms, s.journal.c.doc).where(s.journal.c.contact == contact)
        rows = [
            {
                "run": run,
                "contact": to,
                "at_ms": at_ms,
                "doc": self._sealer.seal(secrets[to], self._sealer.open(secrets[contact], doc)),
            }
            for run, at_ms, doc in self._c.execute(query.order_by(s.journal.c.id)).fetchall()
        ]
        _JOURNAL.run(self._c, rows)

    def journal_contacts(
        self, run: int | None, contacts: Sequence[int] | None, since_ms: int | None, after: int, count_max: int
    ) -> list[int]:
        """List contacts with journal documents, in order of number."""
        j = s.journal.c
        where: list[sa.ColumnElement[bool]] = [j.contact > after]
        if run is not None:
            where.append(j.run == run)
        if contacts is not None:
            where.append(j.contact.in_(list(contacts)))
        if since_ms is not None:
            where.append(j.at_ms >= since_ms)
        query = select(j.contact).where(*where).distinct().order_by(j.contact).limit(count_max)
        return [r[0] for r in self._c.execute(query)]

    def journal_entries(self, contacts: Sequence[int], run: int | None, since_ms: int | None) -> dict[int, list[Entry]]:
        """Open the journal of these contacts, oldest entry first."""
        j = s.journal.c
        where: list[sa.ColumnElement[bool]] = [j.contact.in_(list(contacts))]
        if run is not None:
            where.append(j.run == run)
        if since_ms is not None:
            where.append(j.at_ms >= since_ms)
        query = select(j.contact, s.contact.c.secret, j.doc).join(s.contact, s.contact.c.id == j.contact)
        found: dict[int, list[Entry]] = {}
        for contact, secret, doc in self._c.execute(query.where(*where).order_by(j.id)):
            found.setdefault(contact, []).extend(codec.read_entries(self._sealer.open(secret, doc)))
        return found

    def open_case(
        self, kind: str, contact: Contact, run: int, now_ms: int, doc: Any, *, app: int = -1, field: str = ""
    ) -> None:
        """Put something into the inbox, or bring the open case of the same kind up to date."""
        row = {
            "kind": kind,
            "contact": contact.id,
            "app": app,
            "field": field,
            "opened_ms": now_ms,
            "run": run,
            "doc": self._sealer.seal(contact.secret, doc),
        }
        same = [s.inbox.c.kind == kind, s.inbox.c.contact == contact.id, s.inbox.c.app == app, s.inbox.c.field == field]
        changed = self._c.execute(
            sa.update(s.inbox).where(*same, s.inbox.c.resolved_ms.is_(None)).values(doc=row["doc"])
        )
        if not changed.rowcount:
            self._c.execute(sa.insert(s.inbox).values(id=_NEXT_CASE), row)

    def close_cases(
        self, contact: int, now_ms: int, *, kind: str | None = None, field: str | None = None, app: int | None = None
    ) -> int:
        """Mark open cases of a contact as resolved; says how many there were."""
        where: list[sa.ColumnElement[bool]] = [s.inbox.c.contact == contact, s.inbox.c.resolved_ms.is_(None)]
        if kind is not None:
            where.append(s.inbox.c.kind == kind)
        if field is not None:
            where.append(s.inbox.c.field == field)
        if app is not None:
            where.append(s.inbox.c.app == app)
        return self._c.execute(sa.update(s.inbox).where(*where).values(resolved_ms=now_ms)).rowcount

    def cases(self, limit: int, after: int = 0) -> list[dict[str, Any]]:
        """List open cases of the inbox, oldest first, opened with their contacts' secrets."""
        query = (
            select(s.inbox, s.contact.c.secret, s.app.c.name)
            .select_from(
                s.inbox.join(s.contact, s.contact.c.id == s.inbox.c.contact).outerjoin(
                    s.app, s.app.c.id == s.inbox.c.app
                )
            )
            .where(s.inbox.c.resolved_ms.is_(None), s.inbox.c.id > after)
            .order_by(s.inbox.c.id)
            .limit(limit)
        )
        return [
            {
                "id": row.id,
                "kind": row.kind,
                "contact": f"c{row.contact}",
                "app": row.name,
                "field": row.field or None,
                "opened_ms": row.opened_ms,
                "run": row.run,
                **self._sealer.open(row.secret, row.doc),
            }
            for row in self._c.execute(query)
        ]

    def open_cases(self) -> int:
        return int(_OPEN_CASES.value(self._c))
