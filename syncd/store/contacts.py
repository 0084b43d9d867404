"""Contacts: their documents, which of them are to be merged, and the keys by which records find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.core.match import Holder
from syncd.core.state import Contact, Seal
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import Keyed, deleting, inserting, updating

_R = s.record.c
_OBSERVED = (
    select(_R.contact)
    .where(_R.seen.is_not(None), _R.contact.is_not(None), _R.contact > bindparam("after"))
    .order_by(_R.contact, _R.app)
    .limit(bindparam("count"))
)
_TO_MERGE = Query(_OBSERVED)
_TO_MERGE_ELSEWHERE = _OBSERVED.where(_R.app.not_in(bindparam("skip", expanding=True)))
_MARKED = Query(
    select(s.dirty.c.contact)
    .where(s.dirty.c.contact > bindparam("after"))
    .order_by(s.dirty.c.contact)
    .limit(bindparam("count"))
)
_CONTACTS = Keyed(
    select(s.contact.c.id, s.contact.c.review, s.contact.c.secret, s.contact.c.doc).order_by(s.contact.c.id),
    s.contact.c.id,
)
_SEALS = Keyed(select(s.contact.c.id, s.contact.c.secret), s.contact.c.id)
_REFUSED_COUNT = Query(
    select(sa.func.count()).where(
        s.contact.c.refused == sa.literal_column("1"), sa.exists().where(_R.contact == s.contact.c.id)
    )
)
_HIGHEST = Query(select(sa.func.max(s.contact.c.id)))
_INSERT_CONTACT = inserting(s.contact, "id secret review held refused doc")
_SAVE_CONTACT = updating(s.contact, "id", "review held refused doc")
_MARK_DIRTY = inserting(s.dirty, "contact", clash="stays")
_DIRTY_OF = Keyed(select(s.dirty.c.contact), s.dirty.c.contact)
_CLEAR_DIRTY = Keyed(sa.delete(s.dirty), s.dirty.c.contact)
_L = s.listed.alias().c
_IN_SIGHT = Keyed(
    select(_R.contact)
    .where(
        _R.misses == sa.literal_column("0"),
        sa.exists().where(s.listed.c.app == _R.app, s.listed.c.id == _R.id) | ~sa.exists().where(_L.app == _R.app),
    )
    .order_by(_R.contact),
    _R.contact,
)
_D = s.identity.c
_HOLDERS = Keyed(
    select(_D.key, _D.app, _D.record, _R.contact)
    .select_from(s.identity.outerjoin(s.record, (_R.app == _D.app) & (_R.id == _D.record)))
    .order_by(_D.key, _D.app, _D.record),
    _D.key,
)
_ALIASES = Keyed(
    select(_D.record, _D.key).where(_D.app == sa.literal_column("-1")).order_by(_D.record, _D.key), _D.record
)
_ANY_GONE = Query(select(_D.record).where(_D.app == sa.literal_column("-2")).limit(1))
_ADD_KEY = inserting(s.identity, "key app record", clash="stays")
_DROP_KEY = deleting(s.identity, "key app record")


class Contacts(Base):
    """What a transaction does with contacts and their keys."""

    def contacts(self, ids: Iterable[int]) -> dict[int, Contact]:
        return {r[0]: codec.read_contact(r[0], r[1], r[2], r[3]) for r in _CONTACTS.find(self._c, list(ids))}

    def spread(self) -> tuple[int, int, int]:
        """Count the contacts with records in several apps, those with one record, and those that are undecided."""
        records = (
            select(sa.func.count().label("records"))
            .select_from(s.record.join(s.contact, s.contact.c.id == s.record.c.contact))
            .where(s.contact.c.review == 0)
            .group_by(s.record.c.contact)
            .subquery()
        )
        several = sa.func.sum(sa.case((records.c.records > 1, 1), else_=0))
        row = self._c.execute(select(several, sa.func.count()).select_from(records)).one()
        review = self._c.execute(select(sa.func.count()).where(s.contact.c.review == 1)).scalar_one()
        shared = int(row[0] or 0)
        return shared, int(row[1]) - shared, int(review)

    def seals(self, ids: Iterable[int]) -> dict[int, Seal]:
        """Load of these contacts only what seals their journal."""
        return {row[0]: Seal(row[0], bytes(row[1])) for row in _SEALS.find(self._c, list(ids))}

    def next_contact(self) -> int:
        highest = _HIGHEST.value(self._c) or 0
        return max(int(highest), int(self.meta("contacts") or 0)) + 1

    def insert_contacts(self, contacts: Sequence[Contact]) -> None:
        _INSERT_CONTACT.run(self._c, [{"id": c.id, "secret": c.secret, **_contact_row(c)} for c in contacts])

    def save_contacts(self, contacts: Iterable[Contact]) -> None:
        rows = [{"k_id": c.id, **_contact_row(c)} for c in contacts]
        _SAVE_CONTACT.run(self._c, rows)

    def delete_contact(self, contact: int) -> None:
        """Remove a contact that lost its last record to another contact; its number is never given again."""
        highest = self.next_contact() - 1
        self.set_meta("contacts", str(highest))
        for table in (s.intent, s.dirty):
            self._c.execute(sa.delete(table).where(table.c.contact == contact))
        self._c.execute(sa.delete(s.contact).where(s.contact.c.id == contact))

    def review_contacts(self, after: int, count_max: int) -> list[int]:
        query = select(s.contact.c.id).where(s.contact.c.review == 1, s.contact.c.id > after)
        return [r[0] for r in self._c.execute(query.order_by(s.contact.c.id).limit(count_max))]

    def refused_count(self) -> int:
        """Count contacts that an app refuses; who has no record anywhere any more is nobody's."""
        return int(_REFUSED_COUNT.value(self._c))

    def contacts_since(self, since_ms: int) -> list[int]:
        """List contacts of which a record was confirmed or changed at or after a time."""
        query = select(s.record.c.contact).where(s.record.c.contact.is_not(None), s.record.c.at_ms >= since_ms)
        return [r[0] for r in self._c.execute(query.distinct().order_by(s.record.c.contact))]

    def dirty_contacts(self, skip_apps: Sequence[int], after: int, count_max: int) -> list[int]:
        """List contacts with something to merge, in order of number; records of `skip_apps` do not count."""
        # Ordered by an index and limited, not DISTINCT: else each page of a first sync would sort all that is left.
        rows_max = 4 * count_max
        if skip_apps:
            values = {"after": after, "skip": list(skip_apps), "count": rows_max}
            rows: Sequence[Any] = self._c.execute(_TO_MERGE_ELSEWHERE, values).fetchall()
        else:
            rows = _TO_MERGE.rows(self._c, after=after, count=rows_max)
        seen = [row[0] for row in rows]
        marked = [row[0] for row in _MARKED.rows(self._c, after=after, count=count_max)]
        if len(seen) == rows_max:
            marked = [contact for contact in marked if contact <= seen[-1]]
        return sorted({*seen, *marked})[:count_max]

    def in_sight(self, contacts: Iterable[int]) -> set[int]:
        """Name those of these contacts that have a record which nothing says is missing: a listing that missed it, or one that does
        not show it and has not ended, or was not believed.
        """
        return {contact for (contact,) in _IN_SIGHT.find(self._c, list(contacts))}

    def dirty_of(self, contacts: Iterable[int]) -> set[int]:
        """Tell which of these contacts are marked to be merged."""
        return {row[0] for row in _DIRTY_OF.find(self._c, list(contacts))}

    def mark_dirty(self, contacts: Iterable[int]) -> None:
        _MARK_DIRTY.run(self._c, [{"contact": contact} for contact in contacts])

    def mark_all_dirty(self) -> None:
        self._c.execute(sa.delete(s.dirty))
        self._c.execute(sa.insert(s.dirty).from_select(["contact"], select(s.contact.c.id)))

    def clear_dirty(self, contacts: Sequence[int]) -> None:
        _CLEAR_DIRTY.change(self._c, contacts)

    def holders(self, keys: Iterable[bytes]) -> dict[bytes, list[Holder]]:
        """Find who holds these keys; an alias holds for its contact."""
        found: dict[bytes, list[Holder]] = {}
        for key, app, record, contact in _HOLDERS.find(self._c, list(keys)):
            owner = int(record) if app < 0 else contact
            found.setdefault(bytes(key), []).append(Holder(app, record, owner))
        return found

    def aliases(self, contacts: Iterable[int]) -> dict[int, list[bytes]]:
        """List the keys that these contacts had before."""
        found: dict[int, list[bytes]] = {}
        for contact, key in _ALIASES.find(self._c, [str(contact) for contact in contacts]):
            found.setdefault(int(contact), []).append(bytes(key))
        return found

    def any_gone(self) -> bool:
        """Say whether it is remembered of any id that it was gone."""
        return _ANY_GONE.row(self._c) is not None

    def add_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        _ADD_KEY.run(self._c, rows)

    def drop_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        _DROP_KEY.run(self._c, rows)

    def forget_keys(self, app: int) -> None:
        """Drop every key under which records of an app are found."""
        self._c.execute(sa.delete(s.identity).where(s.identity.c.app == app))


def _contact_row(contact: Contact) -> dict[str, Any]:
    return {
        "review": int(contact.review),
        "held": int(bool(contact.held or contact.shared)),
        "refused": int(bool(contact.refused)),
        "doc": codec.contact_doc(contact),
    }
