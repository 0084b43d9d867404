"""Intents: what has to be written, and what may have left the building."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.core.state import Intent, Sent
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import Keyed, deleting, inserting, updating
from syncd.store.codec import KIND_NUMBER


class NewRow(NamedTuple):
    """An intent that waits to be sent."""

    contact: int
    record: str | None
    flags: int


_I = s.intent.c
_ARCHIVE: sa.ColumnClause[int] = sa.literal_column(str(KIND_NUMBER["archive"]))
_CREATE: sa.ColumnClause[int] = sa.literal_column(str(KIND_NUMBER["create"]))
_IS_DRAWN = (_I.sent == sa.literal_column("0"), _I.record.is_not(None), _I.kind == _CREATE)
_DROP_NEW = Keyed(
    sa.delete(s.intent).where(_I.sent == sa.literal_column("0"), _I.kind < _ARCHIVE, ~sa.and_(*_IS_DRAWN)), _I.contact
)
_DRAWN = Keyed(select(_I.app, _I.contact).where(*_IS_DRAWN), _I.contact)
_PLAN = inserting(s.intent, "app kind contact flags", clash="stays")
_COUNTS = Query(
    select(_I.app, _I.kind, _I.sent, _I.flags, sa.func.count())
    .group_by(_I.app, _I.kind, _I.sent, _I.flags)
    .order_by(_I.app, _I.kind, _I.sent, _I.flags)
)
_NEW_INTENTS = Query(
    select(_I.contact, _I.record, _I.flags)
    .where(_I.app == bindparam("app"), _I.kind == bindparam("kind"), _I.sent == 0, _I.contact > bindparam("after"))
    .order_by(_I.contact)
    .limit(bindparam("count"))
)
_DROP_INTENT = deleting(s.intent, "app kind contact")
_MARK_SENT = updating(s.intent, "app kind contact", "record sent_ms doc", sent=1)
_UNSEND = updating(s.intent, "app kind contact", sent=0, doc=None)
_UNSEND_CREATE = updating(s.intent, "app kind contact", sent=0)
_SENT_OF_APP = Query(
    select(_I.kind, _I.contact, _I.record, _I.sent_ms, _I.doc)
    .where(_I.app == bindparam("app"), _I.sent == 1)
    .order_by(_I.kind, _I.contact)
)
_SENT_OF_CONTACTS = Keyed(
    select(_I.app, _I.kind, _I.contact, _I.record, _I.sent_ms, _I.doc)
    .where(
        sa.or_(_I.sent == sa.literal_column("1"), sa.and_(_I.record != sa.literal_column("''"), _I.doc.is_not(None)))
    )
    .order_by(_I.contact, _I.app, _I.kind),
    _I.contact,
)


class Intents(Base):
    """What a transaction does with intents."""

    def replace_intents(self, contacts: Sequence[int], intents: Iterable[Intent]) -> None:
        """Forget what was planned for these contacts and not sent; plan this instead. A create that is planned again
        keeps the id that was drawn for it, so that repeating it is harmless.
        """
        _DROP_NEW.change(self._c, contacts)
        drawn = {(row[0], row[1]) for row in _DRAWN.find(self._c, contacts)}
        if drawn:
            intents = list(intents)
            for app, contact in sorted(drawn - {(i.app, i.contact) for i in intents if i.kind == "create"}):
                self.drop_intents(app, KIND_NUMBER["create"], [contact])
        rows = [
            {
                "app": i.app,
                "kind": KIND_NUMBER[i.kind],
                "contact": i.contact,
                "flags": int(i.clears) + 2 * int(i.opt_out),
            }
            for i in intents
        ]
        _PLAN.run(self._c, rows)

    def plan_archive(self, app: int, contact: int) -> None:
        """Plan that one record is put away."""
        _PLAN.run(self._c, [{"app": app, "kind": KIND_NUMBER["archive"], "contact": contact, "flags": 0}])

    def intent_counts(self) -> list[tuple[int, int, int, int, int]]:
        """Count intents: (app, kind number, sent, flags, count)."""
        return [tuple(r) for r in _COUNTS.rows(self._c)]

    def new_intents(self, app: int, kind: int, after: int, count_max: int) -> list[NewRow]:
        rows = _NEW_INTENTS.rows(self._c, app=app, kind=kind, after=after, count=count_max)
        return [NewRow(r[0], r[1], r[2]) for r in rows]

    def drop_intents(self, app: int, kind: int, contacts: Iterable[int]) -> None:
        rows = [{"k_app": app, "k_kind": kind, "k_contact": contact} for contact in contacts]
        _DROP_INTENT.run(self._c, rows)

    def mark_sent(self, sents: Iterable[Sent]) -> None:
        rows = [
            {
                "k_app": x.app,
                "k_kind": KIND_NUMBER[x.kind],
                "k_contact": x.contact,
                "record": x.record,
                "sent_ms": x.at_ms,
                "doc": codec.sent_doc(x),
            }
            for x in sents
        ]
        _MARK_SENT.run(self._c, rows)

    def unsend(self, app: int, kind: int, contacts: Iterable[int]) -> None:
        """Turn SENT rows back into plans; of a create the drawn id is kept, so that repeating it is harmless, and what was
        sent, so that it is known again should it arrive after all.
        """
        rows = [{"k_app": app, "k_kind": kind, "k_contact": contact} for contact in contacts]
        (_UNSEND_CREATE if kind == KIND_NUMBER["create"] else _UNSEND).run(self._c, rows)

    def sent(self, app: int) -> list[Sent]:
        """List everything that may have left the building for this app."""
        rows = _SENT_OF_APP.rows(self._c, app=app)
        return [codec.read_sent(app, r[0], r[1], r[2] or "", r[3], r[4]) for r in rows]

    def sent_of(self, contacts: Iterable[int]) -> dict[int, list[Sent]]:
        """List what may have left the building for these contacts, and creates under an id of ours that are planned again."""
        found: dict[int, list[Sent]] = {}
        for app, kind, contact, record, sent_ms, doc in _SENT_OF_CONTACTS.find(self._c, list(contacts)):
            found.setdefault(contact, []).append(codec.read_sent(app, kind, contact, record or "", sent_ms, doc))
        return found
