"""One transaction, in the engine's words. Every statement takes a page, never one row at a time; none commits.

Statements are built once. Whatever is read in an order that decides anything says so (ORDER BY).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.core.consent import Event, Evidence, Latch
from syncd.core.match import Holder
from syncd.core.state import Contact, Entry, Intent, Link, Sent
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.bulk import Keyed, deleting, inserting, updating
from syncd.store.codec import KIND_NUMBER, KINDS, Sealer


class Mark(NamedTuple):
    """What is known of a record without opening its documents."""

    version: str | None
    digest: bytes | None
    contact: int | None
    problem: str | None
    misses: int
    at_ms: int


@dataclass(slots=True, kw_only=True)
class AppState:
    """One row of `app`."""

    id: int
    name: str
    fingerprint: str | None
    cursor: str | None
    covered: int
    listing: bytes | None
    read_ms: int
    listed_ms: int
    failed_ms: int
    error: str | None
    error_kind: str | None
    paused: int
    fields: bytes | None


class NewRow(NamedTuple):
    """An intent that waits to be sent."""

    contact: int
    record: str | None
    flags: int


class Tx:
    """A transaction that is under way."""

    def __init__(self, connection: sa.Connection, sealer: Sealer) -> None:
        self._c = connection
        self._sealer = sealer

    # -- meta and runs

    def meta(self, name: str) -> str | None:
        return self._c.execute(select(s.meta.c.value).where(s.meta.c.name == name)).scalar()

    def set_meta(self, name: str, value: str) -> None:
        _SET_META.run(self._c, [{"name": name, "value": value}])

    def begin_run(self, kind: str, now_ms: int) -> int:
        number = int(self._c.execute(select(sa.func.coalesce(sa.func.max(s.run.c.id), 0))).scalar_one()) + 1
        self._c.execute(sa.insert(s.run), {"id": number, "kind": kind, "at_ms": now_ms})
        return number

    def end_run(self, run: int, now_ms: int, outcome: str, doc: Any) -> None:
        values = {"ended_ms": now_ms, "outcome": outcome, "doc": codec.dump(doc)}
        self._c.execute(sa.update(s.run).where(s.run.c.id == run).values(values))

    def run(self, run: int) -> tuple[str, str | None, Any] | None:
        """Read (kind, outcome, document) of a run."""
        row = self._c.execute(select(s.run.c.kind, s.run.c.outcome, s.run.c.doc).where(s.run.c.id == run)).first()
        return None if row is None else (row[0], row[1], orjson.loads(row[2]) if row[2] else {})

    def last_run(self, outcome: str) -> int | None:
        query = select(sa.func.max(s.run.c.id)).where(s.run.c.outcome == outcome)
        return self._c.execute(query).scalar()

    # -- apps

    def apps(self) -> dict[str, AppState]:
        rows = self._c.execute(select(*[getattr(s.app.c, f) for f in AppState.__slots__]).order_by(s.app.c.id))
        return {row.name: AppState(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's public name for it

    def add_app(self, name: str) -> None:
        number = int(self._c.execute(select(sa.func.coalesce(sa.func.max(s.app.c.id), 0))).scalar_one()) + 1
        self._c.execute(sa.insert(s.app), {"id": number, "name": name})

    def save_app(self, app: int, **values: Any) -> None:
        self._c.execute(sa.update(s.app).where(s.app.c.id == app).values(**values))

    def linked_count(self, app: int) -> int:
        query = select(sa.func.count()).where(s.record.c.app == app, s.record.c.contact.is_not(None))
        return int(self._c.execute(query).scalar_one())

    def record_count(self, app: int) -> int:
        return int(self._c.execute(select(sa.func.count()).where(s.record.c.app == app)).scalar_one())

    # -- records

    def marks(self, app: int, ids: Sequence[str]) -> dict[str, Mark]:
        return {row[0]: Mark(*row[1:]) for row in _MARKS.find(self._c, ids, app=app)}

    def insert_records(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add records: app, id, contact, version, digest, at_ms, problem, doc, seen."""
        _INSERT_RECORD.run(self._c, rows)

    def see(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store unconsumed observations: k_app, k_id, digest, problem, seen."""
        _SEE.run(self._c, rows)

    def touch_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store new versions of records whose content is the same: k_app, k_id, version."""
        _TOUCH.run(self._c, rows)

    def unlinked(self, app: int, after: str, count_max: int) -> list[Link]:
        rows = self._c.execute(_UNLINKED, {"app": app, "after": after, "count": count_max})
        return [codec.read_link(r[0], r[1], 0, r[2], r[3], r[4], r[5]) for r in rows]

    def links_of(self, contacts: Iterable[int]) -> dict[int, list[Link]]:
        wanted = list(contacts)
        found: dict[int, list[Link]] = {contact: [] for contact in wanted}
        for app, id_, contact, version, at_ms, doc, seen in _LINKS_OF.find(self._c, wanted):
            found[contact].append(codec.read_link(app, id_, contact, version, at_ms, doc, seen))
        return found

    def link_apps(self, contacts: Iterable[int]) -> dict[int, set[int]]:
        """Tell in which apps these contacts have a record."""
        found: dict[int, set[int]] = {}
        for contact, app in _LINK_APPS.find(self._c, list(contacts)):
            found.setdefault(contact, set()).add(app)
        return found

    def link(self, app: int, id_: str) -> Link | None:
        row = self._c.execute(_LINK, {"app": app, "id": id_}).first()
        return None if row is None else codec.read_link(app, id_, row[0] or 0, row[1], row[2], row[3], row[4])

    def save_links(self, links: Iterable[Link]) -> None:
        """Write links back: their base, and whatever observation is still unconsumed."""
        rows = [
            {
                "k_app": link.app,
                "k_id": link.id,
                "contact": link.contact or None,
                "version": link.version,
                "at_ms": link.at_ms,
                "flawed": int(bool(link.flaws)),
                "doc": codec.link_doc(link),
                "seen": codec.seen_doc(link.seen) if link.seen else None,
            }
            for link in links
        ]
        _SAVE_LINK.run(self._c, rows)

    def attach(self, links: Iterable[Link]) -> None:
        """Give records their contact and leave everything else of them as it is."""
        rows = [{"k_app": link.app, "k_id": link.id, "contact": link.contact} for link in links]
        _ATTACH.run(self._c, rows)

    def set_digests(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store what a write left behind: k_app, k_id, digest."""
        _SET_DIGEST.run(self._c, rows)

    def forget_record(self, app: int, id_: str) -> None:
        self._c.execute(sa.delete(s.record).where(s.record.c.app == app, s.record.c.id == id_))

    def set_problem(self, app: int, id_: str, problem: str | None) -> None:
        self._c.execute(sa.update(s.record).where(s.record.c.app == app, s.record.c.id == id_).values(problem=problem))

    # -- listings and misses

    def begin_listing(self, app: int) -> None:
        self._c.execute(sa.delete(s.listed).where(s.listed.c.app == app))

    def list_ids(self, app: int, ids: Iterable[str]) -> None:
        _LIST_ID.run(self._c, [{"app": app, "id": id_} for id_ in ids])

    def missing_count(self, app: int) -> int:
        return int(self._c.execute(select(sa.func.count()).where(*_missing(app))).scalar_one())

    def missing(self, app: int, count_max: int) -> list[tuple[str, int, int, int | None]]:
        """List linked records that the last listing did not show: (id, misses, missed_run, contact)."""
        columns = (s.record.c.id, s.record.c.misses, s.record.c.missed_run, s.record.c.contact)
        rows = self._c.execute(select(*columns).where(*_missing(app)).order_by(s.record.c.id).limit(count_max))
        return [(r[0], r[1], r[2], r[3]) for r in rows]

    def count_misses(self, app: int, run: int) -> None:
        """Add a miss to each record that the last listing did not show, once a run, and clear those it did show."""
        r = s.record.c
        self._c.execute(sa.update(s.record).where(r.app == app, r.misses > 0, _shown()).values(misses=0))
        self._c.execute(
            sa.update(s.record).where(*_missing(app), r.missed_run < run).values(misses=r.misses + 1, missed_run=run)
        )

    def end_listing(self, app: int) -> None:
        self._c.execute(sa.delete(s.listed).where(s.listed.c.app == app))

    def any_missed(self, app: int) -> bool:
        """Say whether some record was missed by a listing and not decided yet."""
        query = select(s.record.c.id).where(s.record.c.app == app, s.record.c.misses > 0).limit(1)
        return self._c.execute(query).first() is not None

    def strike_missing(self, app: int, strikes: int) -> None:
        """Count everything that the last listing did not show as missed often enough (an operator approved it)."""
        self._c.execute(sa.update(s.record).where(*_missing(app)).values(misses=strikes))

    def parked_count(self, app: int) -> int:
        query = select(sa.func.count()).where(
            s.record.c.app == app, s.record.c.problem.is_not(None) | (s.record.c.flawed == 1)
        )
        return int(self._c.execute(query).scalar_one())

    def refused_count(self) -> int:
        query = select(sa.func.count()).where(s.contact.c.refused == 1)
        return int(self._c.execute(query).scalar_one())

    def contacts_since(self, since_ms: int) -> list[int]:
        """List contacts of which a record was confirmed or changed at or after a time."""
        query = select(s.record.c.contact).where(s.record.c.contact.is_not(None), s.record.c.at_ms >= since_ms)
        return [r[0] for r in self._c.execute(query.distinct().order_by(s.record.c.contact))]

    def forget_reading(self, app: int, ids: Sequence[str]) -> None:
        """Let these records be looked at in full by the next read, whatever was read of them now."""
        self._c.execute(
            sa.update(s.record)
            .where(s.record.c.app == app, s.record.c.id.in_(_ids()))
            .values(digest=b"", version=None),
            {"ids": list(ids)},
        )

    def struck(self, app: int, strikes: int, count_max: int) -> list[str]:
        """List records missed by so many listings."""
        r = s.record.c
        missed = (r.misses > sa.literal_column("0"), r.misses >= strikes)  # the first names the index, see schema
        query = select(r.id).where(r.app == app, *missed)
        return [r[0] for r in self._c.execute(query.order_by(s.record.c.id).limit(count_max))]

    def strike(self, app: int, ids: Iterable[str], strikes: int) -> None:
        """Count records as missed often enough, because the app itself says that they are gone."""
        self._c.execute(
            sa.update(s.record).where(s.record.c.app == app, s.record.c.id.in_(list(ids))).values(misses=strikes)
        )

    def clear_misses(self, app: int, ids: Iterable[str]) -> None:
        self._c.execute(sa.update(s.record).where(s.record.c.app == app, s.record.c.id.in_(list(ids))).values(misses=0))

    # -- contacts

    def contacts(self, ids: Iterable[int]) -> dict[int, Contact]:
        return {r[0]: codec.read_contact(r[0], r[1], r[2], r[3]) for r in _CONTACTS.find(self._c, list(ids))}

    def seals(self, ids: Iterable[int]) -> dict[int, Contact]:
        """Load of these contacts only what seals their journal; their values stay unread."""
        rows = self._c.execute(_SEALS, {"ids": list(ids)})
        return {r[0]: Contact(id=r[0], secret=bytes(r[1])) for r in rows}

    def next_contact(self) -> int:
        highest = self._c.execute(select(sa.func.max(s.contact.c.id))).scalar() or 0
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

    def dirty_contacts(self, skip_apps: Sequence[int], after: int, count_max: int) -> list[int]:
        """List contacts with something to merge, in order of number; records of `skip_apps` do not count."""
        # Ordered by an index and limited, not DISTINCT: else each page of a first sync would sort all that is left.
        rows_max = 4 * count_max
        seen = [
            row[0] for row in self._c.execute(_TO_MERGE, {"after": after, "skip": list(skip_apps), "count": rows_max})
        ]
        marked = [row[0] for row in self._c.execute(_MARKED, {"after": after, "count": count_max})]
        if len(seen) == rows_max:
            marked = [contact for contact in marked if contact <= seen[-1]]
        return sorted({*seen, *marked})[:count_max]

    def mark_dirty(self, contacts: Iterable[int]) -> None:
        _MARK_DIRTY.run(self._c, [{"contact": contact} for contact in contacts])

    def mark_all_dirty(self) -> None:
        self._c.execute(sa.delete(s.dirty))
        self._c.execute(sa.insert(s.dirty).from_select(["contact"], select(s.contact.c.id)))

    def clear_dirty(self, contacts: Sequence[int]) -> None:
        _CLEAR_DIRTY.change(self._c, contacts)

    # -- identity

    def holders(self, keys: Iterable[bytes]) -> dict[bytes, list[Holder]]:
        """Find who holds these keys; an alias holds for its contact."""
        found: dict[bytes, list[Holder]] = {}
        for key, app, record, contact in _HOLDERS.find(self._c, list(keys)):
            owner = int(record) if app < 0 else contact
            found.setdefault(bytes(key), []).append(Holder(app, record, owner))
        return found

    def add_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        _ADD_KEY.run(self._c, rows)

    def drop_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        _DROP_KEY.run(self._c, rows)

    # -- intents

    def replace_intents(self, contacts: Sequence[int], intents: Iterable[Intent]) -> None:
        """Forget what was planned for these contacts and not sent; plan this instead."""
        _DROP_NEW.change(self._c, contacts)
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

    def intent_counts(self) -> list[tuple[int, int, int, int, int]]:
        """Count intents: (app, kind number, sent, flags, count)."""
        c = s.intent.c
        query = select(c.app, c.kind, c.sent, c.flags, sa.func.count()).group_by(c.app, c.kind, c.sent, c.flags)
        return [tuple(r) for r in self._c.execute(query.order_by(c.app, c.kind, c.sent, c.flags))]

    def new_intents(self, app: int, kind: int, after: int, count_max: int) -> list[NewRow]:
        rows = self._c.execute(_NEW_INTENTS, {"app": app, "kind": kind, "after": after, "count": count_max})
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
        """Turn SENT rows back into plans; the drawn id of a create is kept, so that repeating it is harmless."""
        rows = [{"k_app": app, "k_kind": kind, "k_contact": contact} for contact in contacts]
        _UNSEND.run(self._c, rows)

    def sent(self, app: int) -> list[Sent]:
        """List everything that may have left the building for this app."""
        rows = self._c.execute(_SENT_OF_APP, {"app": app})
        return [codec.read_sent(app, r[0], r[1], r[2] or "", r[3], r[4]) for r in rows]

    def sent_of(self, contacts: Iterable[int]) -> dict[int, list[Sent]]:
        found: dict[int, list[Sent]] = {}
        for app, kind, contact, record, sent_ms, doc in _SENT_OF_CONTACTS.find(self._c, list(contacts)):
            found.setdefault(contact, []).append(codec.read_sent(app, kind, contact, record or "", sent_ms, doc))
        return found

    # -- consent

    def latches(self, subjects: Iterable[bytes]) -> dict[bytes, dict[str, Latch]]:
        found: dict[bytes, dict[str, Latch]] = {}
        for subject, channel, out_ms, in_ms, app, doc in _LATCHES.find(self._c, list(subjects)):
            evidence = Evidence(**orjson.loads(doc)) if doc else None
            latch = Latch(out_ms=out_ms, in_ms=in_ms, evidence=evidence, app=app)
            found.setdefault(subject, {})[channel] = latch
        return found

    def save_latches(self, latches: Mapping[tuple[str, bytes], Latch]) -> None:
        rows = [
            {
                "channel": channel,
                "subject": subject,
                "out_ms": latch.out_ms,
                "in_ms": latch.in_ms,
                "app": latch.app,
                "doc": _evidence_doc(latch.evidence),
            }
            for (channel, subject), latch in sorted(latches.items())
        ]
        _SAVE_LATCH.run(self._c, rows)

    def log_consent(self, run: int, now_ms: int, events: Iterable[tuple[bytes, Event]]) -> None:
        rows = [
            {
                "run": run,
                "at_ms": now_ms,
                "channel": event.channel,
                "subject": subject,
                "state": event.state,
                "app": event.app,
                "doc": _evidence_doc(event.evidence),
            }
            for subject, event in events
        ]
        _LOG_CONSENT.run(self._c, rows)

    # -- journal and inbox

    def write_journal(self, run: int, now_ms: int, entries: Iterable[tuple[Contact, Sequence[Entry]]]) -> None:
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

    def plan_archive(self, app: int, contact: int) -> None:
        """Plan that one record is put away."""
        _PLAN.run(self._c, [{"app": app, "kind": KIND_NUMBER["archive"], "contact": contact, "flags": 0}])

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
            self._c.execute(sa.insert(s.inbox), row)

    def close_cases(self, contact: int, now_ms: int, *, kind: str | None = None, field: str | None = None) -> int:
        """Mark open cases of a contact as resolved; says how many there were."""
        where: list[sa.ColumnElement[bool]] = [s.inbox.c.contact == contact, s.inbox.c.resolved_ms.is_(None)]
        if kind is not None:
            where.append(s.inbox.c.kind == kind)
        if field is not None:
            where.append(s.inbox.c.field == field)
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
        query = select(sa.func.count()).where(s.inbox.c.resolved_ms.is_(None))
        return int(self._c.execute(query).scalar_one())

    @property
    def connection(self) -> sa.Connection:
        """For reports that ask their own questions (store/report.py)."""
        return self._c

    @property
    def sealer(self) -> Sealer:
        return self._sealer


def _contact_row(contact: Contact) -> dict[str, Any]:
    return {
        "review": int(contact.review),
        "held": int(bool(contact.held)),
        "refused": int(bool(contact.refused)),
        "doc": codec.contact_doc(contact),
    }


def _missing(app: int) -> tuple[Any, ...]:
    return (s.record.c.app == app, s.record.c.problem.is_(None), ~_shown())


def _shown() -> Any:
    return sa.exists().where(s.listed.c.app == s.record.c.app, s.listed.c.id == s.record.c.id)


def _evidence_doc(evidence: Evidence | None) -> bytes | None:
    if evidence is None:
        return None
    return codec.dump({"at": evidence.at, "at_ms": evidence.at_ms, "source": evidence.source})


def _ids(name: str = "ids") -> Any:
    return bindparam(name, expanding=True)


_R, _I = s.record.c, s.intent.c
_LINK_COLUMNS = (_R.app, _R.id, _R.contact, _R.version, _R.at_ms, _R.doc, _R.seen)

_MARKS = Keyed(
    select(_R.id, _R.version, _R.digest, _R.contact, _R.problem, _R.misses, _R.at_ms).where(_R.app == bindparam("app")),
    _R.id,
)
_INSERT_RECORD = inserting(s.record, "app id contact version digest at_ms problem doc seen")
_SEE = updating(s.record, "app id", "digest problem seen")
_TOUCH = updating(s.record, "app id", "version")
_ATTACH = updating(s.record, "app id", "contact")
_SET_DIGEST = updating(s.record, "app id", "digest")
_UNLINKED = (
    select(_R.app, _R.id, _R.version, _R.at_ms, _R.doc, _R.seen)
    .where(_R.app == bindparam("app"), _R.contact.is_(None), _R.seen.is_not(None), _R.id > bindparam("after"))
    .order_by(_R.id)
    .limit(bindparam("count"))
)
_TO_MERGE = (
    select(_R.contact)
    .where(_R.seen.is_not(None), _R.contact.is_not(None), _R.contact > bindparam("after"), _R.app.not_in(_ids("skip")))
    .order_by(_R.contact, _R.app)
    .limit(bindparam("count"))
)
_MARKED = (
    select(s.dirty.c.contact)
    .where(s.dirty.c.contact > bindparam("after"))
    .order_by(s.dirty.c.contact)
    .limit(bindparam("count"))
)
_LINKS_OF = Keyed(select(*_LINK_COLUMNS).order_by(_R.contact, _R.app), _R.contact)
_LINK_APPS = Keyed(select(_R.contact, _R.app), _R.contact)
_LINK = select(_R.contact, _R.version, _R.at_ms, _R.doc, _R.seen).where(
    _R.app == bindparam("app"), _R.id == bindparam("id")
)
_SAVE_LINK = updating(s.record, "app id", "contact version at_ms flawed doc seen")
_LIST_ID = inserting(s.listed, "app id", clash="stays")
_CONTACTS = Keyed(select(s.contact.c.id, s.contact.c.review, s.contact.c.secret, s.contact.c.doc), s.contact.c.id)
_SEALS = select(s.contact.c.id, s.contact.c.secret).where(s.contact.c.id.in_(_ids()))
_INSERT_CONTACT = inserting(s.contact, "id secret review held refused doc")
_SAVE_CONTACT = updating(s.contact, "id", "review held refused doc")
_MARK_DIRTY = inserting(s.dirty, "contact", clash="stays")
_CLEAR_DIRTY = Keyed(sa.delete(s.dirty), s.dirty.c.contact)
_D = s.identity.c
_HOLDERS = Keyed(
    select(_D.key, _D.app, _D.record, _R.contact)
    .select_from(s.identity.outerjoin(s.record, (_R.app == _D.app) & (_R.id == _D.record)))
    .order_by(_D.key, _D.app, _D.record),
    _D.key,
)
_ADD_KEY = inserting(s.identity, "key app record", clash="stays")
_DROP_KEY = deleting(s.identity, "key app record")
_DROP_NEW = Keyed(
    sa.delete(s.intent).where(
        _I.sent == sa.literal_column("0"), _I.record.is_(None), _I.kind < sa.literal_column(str(KIND_NUMBER["archive"]))
    ),
    _I.contact,
)
_PLAN = inserting(s.intent, "app kind contact flags", clash="stays")
_NEW_INTENTS = (
    select(_I.contact, _I.record, _I.flags)
    .where(_I.app == bindparam("app"), _I.kind == bindparam("kind"), _I.sent == 0, _I.contact > bindparam("after"))
    .order_by(_I.contact)
    .limit(bindparam("count"))
)
_DROP_INTENT = deleting(s.intent, "app kind contact")
_MARK_SENT = updating(s.intent, "app kind contact", "record sent_ms doc", sent=1)
_UNSEND = updating(s.intent, "app kind contact", sent=0, doc=None)
_SENT_OF_APP = (
    select(_I.kind, _I.contact, _I.record, _I.sent_ms, _I.doc)
    .where(_I.app == bindparam("app"), _I.sent == 1)
    .order_by(_I.kind, _I.contact)
)
_SENT_OF_CONTACTS = Keyed(
    select(_I.app, _I.kind, _I.contact, _I.record, _I.sent_ms, _I.doc)
    .where(_I.sent == sa.literal_column("1"))
    .order_by(_I.contact, _I.app, _I.kind),
    _I.contact,
)
_L = s.latch.c
_LATCHES = Keyed(select(_L.subject, _L.channel, _L.out_ms, _L.in_ms, _L.app, _L.doc), _L.subject)
_SAVE_LATCH = inserting(s.latch, "channel subject out_ms in_ms app doc", clash="changes")
_LOG_CONSENT = inserting(s.consent_log, "run at_ms channel subject state app doc")
_SET_META = inserting(s.meta, "name value", clash="changes")
_JOURNAL = inserting(s.journal, "run contact at_ms doc")
KIND_NAMES = KINDS
