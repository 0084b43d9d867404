"""A transaction of the model: contacts, intents, consent and the journal. Each class answers in place of its namesake.

What a statement leaves open (an order without ORDER BY) comes here in the order in which it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from syncd.core.consent import Event, Latch
from syncd.core.match import ALIAS, GONE, Holder
from syncd.core.state import Contact, Entry, Intent, Seal, Sent
from syncd.store import codec
from syncd.store.codec import KIND_NUMBER, Damaged
from syncd.store.consents import Consents
from syncd.store.contacts import Contacts
from syncd.store.intents import Intents, NewRow
from syncd.store.journal import Journal
from tests.sim.model_records import ModelBase
from tests.sim.model_tables import CaseRow, ConsentRow, ContactRow, IntentRow, JournalRow, LatchRow, refusal

_ARCHIVE: Final = KIND_NUMBER["archive"]


class ModelContacts(ModelBase, Contacts):
    """Contacts and their keys."""

    def contacts(self, ids: Iterable[int]) -> dict[int, Contact]:
        rows = self._t.contact
        return {
            id_: codec.read_contact(id_, row.review, row.secret, row.doc)
            for id_ in sorted({*ids})
            if (row := rows.get(id_))
        }

    def spread(self) -> tuple[int, int, int]:
        sizes = [len(apps) for id_, apps in self._t.link.items() if (c := self._t.contact.get(id_)) and not c.review]
        shared = sum(size > 1 for size in sizes)
        return shared, sum(size == 1 for size in sizes), sum(row.review for row in self._t.contact.values())

    def in_sight(self, contacts: Iterable[int]) -> set[int]:
        return {c for c in contacts for app, id_ in self._t.link.get(c, {}).items() if self._is_in_sight(app, id_)}

    def _is_in_sight(self, app: int, id_: str) -> bool:
        listed = self._t.listed[app]
        return not self._t.record[app][id_].misses and (not listed or id_ in listed)

    def seals(self, ids: Iterable[int]) -> dict[int, Seal]:
        return {id_: Seal(id_, row.secret) for id_ in ids if (row := self._t.contact.get(id_))}

    def next_contact(self) -> int:
        return max(max(self._t.contact, default=0), int(self.meta("contacts") or 0)) + 1

    def insert_contacts(self, contacts: Sequence[Contact]) -> None:
        for contact in contacts:
            if contact.id in self._t.contact:
                raise refusal("contact.id")
            self._t.put(self._t.contact, contact.id, _contact_row(contact, contact.secret))

    def save_contacts(self, contacts: Iterable[Contact]) -> None:
        for contact in contacts:
            row = self._t.contact.get(contact.id)
            if row is not None:
                self._t.put(self._t.contact, contact.id, _contact_row(contact, row.secret))

    def delete_contact(self, contact: int) -> None:
        self.set_meta("contacts", str(self.next_contact() - 1))
        for key in [key for key in self._t.intent if key[2] == contact]:
            self._t.drop(self._t.intent, key)
        self._t.drop(self._t.dirty, contact)
        self._t.drop(self._t.contact, contact)

    def review_contacts(self, after: int, count_max: int) -> list[int]:
        return sorted(id_ for id_, row in self._t.contact.items() if row.review and id_ > after)[:count_max]

    def refused_count(self) -> int:
        linked = {row.contact for rows in self._t.record.values() for row in rows.values()}
        return sum(row.refused for id_, row in self._t.contact.items() if id_ in linked)

    def contacts_since(self, since_ms: int) -> list[int]:
        rows = (row for mine in self._t.record.values() for row in mine.values())
        return sorted({row.contact for row in rows if row.contact is not None and row.at_ms >= since_ms})

    def dirty_contacts(self, skip_apps: Sequence[int], after: int, count_max: int) -> list[int]:
        rows_max = 4 * count_max  # the pages of the real store, so that both begin a transaction at the same contact
        waiting = (
            row.contact
            for app, rows in self._t.record.items()
            if app not in skip_apps
            for row in rows.values()
            if row.seen is not None and row.contact is not None and row.contact > after
        )
        seen = sorted(waiting)[:rows_max]
        marked = sorted(contact for contact in self._t.dirty if contact > after)[:count_max]
        if len(seen) == rows_max:
            marked = [contact for contact in marked if contact <= seen[-1]]
        return sorted({*seen, *marked})[:count_max]

    def dirty_of(self, contacts: Iterable[int]) -> set[int]:
        return {contact for contact in contacts if contact in self._t.dirty}

    def mark_dirty(self, contacts: Iterable[int]) -> None:
        for contact in contacts:
            if contact not in self._t.dirty:
                self._t.put(self._t.dirty, contact, None)

    def mark_all_dirty(self) -> None:
        self._t.clear(self._t.dirty)
        for contact in self._t.contact:
            self._t.put(self._t.dirty, contact, None)

    def clear_dirty(self, contacts: Sequence[int]) -> None:
        for contact in contacts:
            self._t.drop(self._t.dirty, contact)

    def holders(self, keys: Iterable[bytes]) -> dict[bytes, list[Holder]]:
        found = {}
        for key in sorted({*keys}):
            rows = self._t.identity.get(key)
            if rows:
                found[key] = [Holder(app, record, self._owner(app, record)) for app, record in sorted(rows)]
        return found

    def aliases(self, contacts: Iterable[int]) -> dict[int, list[bytes]]:
        wanted = {str(contact) for contact in contacts}
        found: dict[int, list[bytes]] = {}
        for key, rows in sorted(self._t.identity.items()):
            for app, record in sorted(rows):
                if app == ALIAS and record in wanted:
                    found.setdefault(int(record), []).append(key)
        return dict(sorted(found.items(), key=lambda each: str(each[0])))

    def any_gone(self) -> bool:
        return any(app == GONE for rows in self._t.identity.values() for app, _ in rows)

    def add_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            holders, holder = self._t.identity[row["key"]], (row["app"], row["record"])
            if holder not in holders:
                self._t.put(holders, holder, None)

    def drop_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._t.drop(self._t.identity[row["k_key"]], (row["k_app"], row["k_record"]))

    def forget_keys(self, app: int) -> None:
        for holders in self._t.identity.values():
            for holder in [holder for holder in holders if holder[0] == app]:
                self._t.drop(holders, holder)

    def _owner(self, app: int, record: str) -> int | None:
        if app < 0:
            return int(record)
        row = self._t.record[app].get(record)
        return None if row is None else row.contact


def _contact_row(contact: Contact, secret: bytes) -> ContactRow:
    return ContactRow(secret, contact.review, bool(contact.refused), codec.contact_doc(contact))


class ModelIntents(ModelBase, Intents):
    """Intents."""

    def replace_intents(self, contacts: Sequence[int], intents: Iterable[Intent]) -> None:
        rows, intents = self._t.intent, list(intents)
        kept = {(i.app, KIND_NUMBER[i.kind], i.contact) for i in intents if i.kind == "create"}
        for key in [key for key, row in rows.items() if key[2] in contacts and key[1] < _ARCHIVE and not row.sent]:
            if key not in kept or rows[key].record is None:
                self._t.drop(rows, key)
        for i in intents:
            self._plan((i.app, KIND_NUMBER[i.kind], i.contact), int(i.clears) + 2 * int(i.opt_out))

    def plan_archive(self, app: int, contact: int) -> None:
        self._plan((app, _ARCHIVE, contact), 0)

    def intent_counts(self) -> list[tuple[int, int, int, int, int]]:
        counts: dict[tuple[int, int, int, int], int] = {}
        for (app, kind, _), row in self._t.intent.items():
            group = (app, kind, int(row.sent), row.flags)
            counts[group] = counts.get(group, 0) + 1
        return [(*group, count) for group, count in sorted(counts.items())]

    def new_intents(self, app: int, kind: int, after: int, count_max: int) -> list[NewRow]:
        rows = self._t.intent.items()
        found = sorted((k[2], row) for k, row in rows if k[0] == app and k[1] == kind and k[2] > after and not row.sent)
        return [NewRow(contact, row.record, row.flags) for contact, row in found[:count_max]]

    def drop_intents(self, app: int, kind: int, contacts: Iterable[int]) -> None:
        for contact in contacts:
            self._t.drop(self._t.intent, (app, kind, contact))

    def mark_sent(self, sents: Iterable[Sent]) -> None:
        for sent in sents:
            key = (sent.app, KIND_NUMBER[sent.kind], sent.contact)
            row = self._t.intent.get(key)
            if row is not None:
                self._t.put(
                    self._t.intent, key, IntentRow(True, row.flags, sent.record, sent.at_ms, codec.sent_doc(sent))
                )

    def unsend(self, app: int, kind: int, contacts: Iterable[int]) -> None:
        for contact in contacts:
            row = self._t.intent.get((app, kind, contact))
            if row is not None:
                doc = row.doc if kind == KIND_NUMBER["create"] else None
                self._t.put(self._t.intent, (app, kind, contact), row._replace(sent=False, doc=doc))

    def sent(self, app: int) -> list[Sent]:
        return [_sent(key, row) for key, row in sorted(self._t.intent.items()) if row.sent and key[0] == app]

    def sent_of(self, contacts: Iterable[int]) -> dict[int, list[Sent]]:
        wanted = {*contacts}
        rows = [
            (k, row) for k, row in self._t.intent.items()
            if k[2] in wanted and (row.sent or (row.record and row.doc is not None))
        ]  # fmt: skip
        found: dict[int, list[Sent]] = {}
        for key, row in sorted(rows, key=lambda each: (each[0][2], each[0])):
            found.setdefault(key[2], []).append(_sent(key, row))
        return found

    def _plan(self, key: tuple[int, int, int], flags: int) -> None:
        if key not in self._t.intent:
            self._t.put(self._t.intent, key, IntentRow(sent=False, flags=flags, record=None, sent_ms=None, doc=None))


def _sent(key: tuple[int, int, int], row: IntentRow) -> Sent:
    assert row.sent_ms is not None
    assert row.doc is not None
    return codec.read_sent(key[0], key[1], key[2], row.record or "", row.sent_ms, row.doc)


class ModelConsents(ModelBase, Consents):
    """Latches, and the log of what closed and opened them."""

    def has_latches(self) -> bool:
        return any(self._t.latch.values())

    def latches(self, subjects: Iterable[bytes]) -> dict[bytes, dict[str, Latch]]:
        rows = self._t.latch
        return {
            subject: {
                channel: Latch(out_ms=row.out_ms, in_ms=row.in_ms, evidence=row.evidence, app=row.app)
                for channel, row in sorted(mine.items())
            }
            for subject in sorted({*subjects})
            if (mine := rows.get(subject))
        }

    def save_latches(self, latches: Mapping[tuple[str, bytes], Latch]) -> None:
        for (channel, subject), latch in latches.items():
            row = LatchRow(latch.out_ms, latch.in_ms, latch.evidence, latch.app)
            self._t.put(self._t.latch[subject], channel, row)

    def log_consent(self, run: int, now_ms: int, events: Iterable[tuple[bytes, Event]]) -> None:
        self._t.consent_log.extend(
            ConsentRow(run, now_ms, event.channel, subject, event.state, event.app, event.evidence)
            for subject, event in events
        )


class ModelJournal(ModelBase, Journal):
    """The journal and the inbox. Nothing is encrypted: a document is kept with the secret without which it is damaged."""

    def write_journal(self, run: int, now_ms: int, entries: Iterable[tuple[Contact | Seal, Sequence[Entry]]]) -> None:
        self._t.journal.extend(
            JournalRow(run, contact.id, now_ms, contact.secret, codec.dump(codec.entry_rows(lines)))
            for contact, lines in entries
            if lines
        )

    def hand_over_journal(self, contact: int, to: int) -> None:
        if {contact, to} <= self._t.contact.keys():
            rows, secret = self._journal([contact], None, None), self._t.contact[to].secret
            for row in rows:
                self._opened(row)
            self._t.journal.extend(row._replace(contact=to, secret=secret) for row in rows)

    def journal_contacts(
        self, run: int | None, contacts: Sequence[int] | None, since_ms: int | None, after: int, count_max: int
    ) -> list[int]:
        rows = self._journal(contacts, run, since_ms)
        return sorted({row.contact for row in rows if row.contact > after})[:count_max]

    def journal_entries(self, contacts: Sequence[int], run: int | None, since_ms: int | None) -> dict[int, list[Entry]]:
        found: dict[int, list[Entry]] = {}
        for row in self._journal(contacts, run, since_ms):
            if row.contact in self._t.contact:
                found.setdefault(row.contact, []).extend(codec.read_entries(self._opened(row)))
        return found

    def open_case(
        self, kind: str, contact: Contact, run: int, now_ms: int, doc: Any, *, app: int = -1, field: str = ""
    ) -> None:
        made = CaseRow(kind, contact.id, app, field, now_ms, run, None, contact.secret, codec.dump(doc))
        for id_, row in self._t.inbox.items():
            if row.resolved_ms is None and row[:4] == made[:4]:
                self._t.put(self._t.inbox, id_, row._replace(secret=made.secret, doc=made.doc))
                return
        self._t.put(self._t.inbox, max(self._t.inbox, default=0) + 1, made)

    def close_cases(
        self, contact: int, now_ms: int, *, kind: str | None = None, field: str | None = None, app: int | None = None
    ) -> int:
        found = [
            (id_, row)
            for id_, row in self._t.inbox.items()
            if row.contact == contact
            and row.resolved_ms is None
            and kind in (None, row.kind)
            and field in (None, row.field)
            and app in (None, row.app)
        ]
        for id_, row in found:
            self._t.put(self._t.inbox, id_, row._replace(resolved_ms=now_ms))
        return len(found)

    def cases(self, limit: int, after: int = 0) -> list[dict[str, Any]]:
        rows = sorted((id_, row) for id_, row in self._t.inbox.items() if row.resolved_ms is None and id_ > after)
        there = [(id_, row) for id_, row in rows if row.contact in self._t.contact]
        return [
            {
                "id": id_,
                "kind": row.kind,
                "contact": f"c{row.contact}",
                "app": self._t.app[row.app]["name"] if row.app in self._t.app else None,
                "field": row.field or None,
                "opened_ms": row.opened_ms,
                "run": row.run,
                **self._opened(row),
            }
            for id_, row in there[:limit]
        ]

    def open_cases(self) -> int:
        return sum(row.resolved_ms is None for row in self._t.inbox.values())

    def _journal(self, contacts: Sequence[int] | None, run: int | None, since_ms: int | None) -> list[JournalRow]:
        wanted = None if contacts is None else {*contacts}
        return [
            row
            for row in self._t.journal
            if (run is None or row.run == run)
            and (wanted is None or row.contact in wanted)
            and (since_ms is None or row.at_ms >= since_ms)
        ]

    def _opened(self, row: JournalRow | CaseRow) -> Any:
        if row.secret != self._t.contact[row.contact].secret:
            raise Damaged("a sealed document (journal or inbox)")
        return orjson.loads(row.doc)
