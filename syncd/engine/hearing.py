"""Hearing: consent by person and by address. What a record says about it counts from the moment at which it is stored, whatever
else of it waits to be merged, and it outlives the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.atoms import MISSING
from syncd.core.consent import OUT, Consented, Event, Latch, observe_consent, word
from syncd.core.match import GONE, address_hash, id_key
from syncd.core.rules import EVIDENCE, AppRule, Rules
from syncd.core.state import Contact, Entry, Link, Seen
from syncd.engine.hub import PAGE, Hub
from syncd.engine.keys import email_key
from syncd.engine.returning import moved, shows_somebody_else
from syncd.model import Raw, Record, Value
from syncd.store.tx import Tx


@dataclass(slots=True)
class Heard:
    """What was heard about consent and is to be written."""

    latches: dict[tuple[str, bytes], Latch] = field(default_factory=dict)
    events: list[tuple[bytes, Event]] = field(default_factory=list)
    addresses: set[bytes] = field(default_factory=set)
    """Addresses of which something new is known: whoever else has them must hear of it."""

    def latch(
        self,
        contact: Contact,
        told: Iterable[bytes],
        consented: Consented,
        known: Mapping[bytes, Mapping[str, Latch]],
    ) -> None:
        """Latch the person and every address with what is known now; log what is new."""
        subjects = [subject(contact.id), *sorted(told)]
        for channel, latch in consented.latches.items():
            if not latch.out_ms and not latch.in_ms:
                continue
            for each in subjects:
                before = known.get(each, {}).get(channel)
                now = latch if before is None else before.joined(latch)
                if now == before:
                    continue
                self.latches[channel, each] = now
                if each != subjects[0]:
                    self.addresses.add(each)
        self.events += [(each, event) for event in consented.events for each in subjects]

    def write(self, tx: Tx, run: int, now_ms: int, merged: Iterable[int]) -> None:
        """Write it down, and let all who have one of the addresses be merged, but those who were `merged` just now."""
        tx.save_latches(self.latches)
        tx.log_consent(run, now_ms, self.events)
        if self.addresses:
            mine = set(merged)
            others = {h.contact for holders in tx.holders(sorted(self.addresses)).values() for h in holders}
            tx.mark_dirty(sorted(c for c in others if c is not None and (c not in mine or len(others) > 1)))


def listen(
    contact: Contact, links: Sequence[Link], known: Mapping[bytes, Mapping[str, Latch]], rules: Rules, now_ms: int
) -> Consented:
    """Let what the links show of consent count, on top of what is known of this person and all addresses."""
    latches = _joined(contact, addresses(contact, links, rules), known) if known else {}
    return observe_consent(contact, links, latches, rules, now_ms)


def hear(tx: Tx, hub: Hub, contact: Contact, links: Sequence[Link]) -> list[Entry]:
    """Hear what these records have to say about consent, and nothing else of them; gives what belongs into the journal."""
    now_ms = hub.world.now_ms()
    known = tx.latches(subjects_of([contact], {contact.id: links}, hub.rules)) if tx.has_latches() else {}
    consented = listen(contact, links, known, hub.rules, now_ms)
    heard = Heard()
    heard.latch(contact, addresses(contact, links, hub.rules), consented, known)
    heard.write(tx, hub.run, now_ms, ())
    return consented.entries


def hear_opt_outs(tx: Tx, hub: Hub, app: AppRule, records: Mapping[str, Record]) -> None:
    """Hear the opt-outs among linked records that were stored just now: another reading may replace this one before it is
    merged, and where their app is held that may be long.
    """
    ids = [id_ for id_, record in records.items() if _opts_out(app, record, hub.rules)]
    links = [
        link
        for id_ in ids
        if (link := tx.link(app.index, id_)) is not None and link.contact and says_anew(tx, link, app, hub.rules)
    ]
    contacts = tx.contacts(link.contact for link in links)
    others = _others(tx, hub, app, links, contacts)
    journal = [
        (contact, entries)
        for link in links
        if link.id not in others
        and (contact := contacts.get(link.contact)) is not None
        and (entries := hear(tx, hub, contact, [link]))
    ]
    _hear_strangers(tx, hub, app, [records[id_] for id_ in others])
    tx.save_links(links)
    tx.save_contacts(contacts.values())
    tx.mark_dirty(contacts)
    tx.write_journal(hub.run, hub.world.now_ms(), journal)


def says_anew(tx: Tx, link: Link, app: AppRule, rules: Rules) -> bool:
    """Say whether a record says something new of consent: another word than was agreed on, or the old one of a new address,
    unless that is the one of another record of this app (rows that were mixed up say nothing of each other).
    """
    if link.seen is None:
        return False
    shown = link.seen.fields
    if any(shown[name] != link.base.get(name, MISSING) for name in (*rules.consents, *EVIDENCE) if name in shown):
        return True
    return email_key(shown, app, rules) != email_key(link.base, app, rules) and not moved(tx, [link], app, rules)


def hear_replaced(tx: Tx, hub: Hub, app: AppRule, records: Sequence[Record]) -> None:
    """Hear the opt-outs in readings that another one has replaced before anybody merged them. (What still stands is heard
    when it is merged.)
    """
    outs = {record.id: record for record in records if _opts_out(app, record, hub.rules)}
    if not outs:
        return
    owned = {id_: mark.contact for id_, mark in tx.marks(app.index, sorted(outs)).items() if mark.contact}
    contacts, now_ms = tx.contacts(sorted(owned.values())), hub.world.now_ms()
    links = [
        replace(link, seen=Seen(fields=outs[id_].fields, version=None, at_ms=now_ms, since_ms=0))
        for id_ in owned
        if (link := tx.link(app.index, id_)) is not None and link.contact in contacts
    ]
    others = _others(tx, hub, app, links, contacts)
    mine = [
        (contacts[link.contact], link)
        for link in links
        if link.id not in others and says_anew(tx, link, app, hub.rules)
    ]
    journal = [(contact, hear(tx, hub, contact, [link])) for contact, link in mine]
    tx.save_contacts(contacts.values())
    tx.mark_dirty(contacts)
    tx.write_journal(hub.run, now_ms, journal)
    told = {link.id for link in links if link.id in others and says_anew(tx, link, app, hub.rules)}
    _hear_strangers(tx, hub, app, [record for id_, record in outs.items() if id_ not in owned or id_ in told])


def _others(tx: Tx, hub: Hub, app: AppRule, links: Sequence[Link], contacts: Mapping[int, Contact]) -> list[str]:
    """Name the records that show somebody else than their contact: what they say is said of the address that they show."""
    return [
        link.id
        for link in links
        if link.contact in contacts and shows_somebody_else(tx, link, contacts[link.contact], app, hub.rules)
    ]


def _hear_strangers(tx: Tx, hub: Hub, app: AppRule, records: Sequence[Record]) -> None:
    """Latch the addresses of records that opt out and are nobody's yet."""
    keys = {record.id: email_key(record.fields, app, hub.rules) for record in records}
    told = {record.id: address_hash(key) for record in records if (key := keys[record.id]) is not None}
    known = tx.latches(sorted(set(told.values()))) if tx.has_latches() else {}
    heard, now_ms = Heard(), hub.world.now_ms()
    for record in records:
        for channel in hub.rules.consents if record.id in told else ():
            latch = known.get(told[record.id], {}).get(channel) or Latch()
            if latch.closed or not _says_out(app, channel, record.fields):
                continue
            event = Event(channel=channel, state=OUT, at_ms=max(now_ms, latch.in_ms), app=app.index)
            heard.latches[channel, told[record.id]] = latch.joined(Latch(out_ms=event.at_ms, app=app.index))
            heard.events.append((told[record.id], event))
            heard.addresses.add(told[record.id])
    heard.write(tx, hub.run, now_ms, ())


def hear_unbelieved(tx: Tx, hub: Hub, app: AppRule) -> None:
    """Hear the opt-outs of records that nobody has a contact for yet. Call before they are forgotten with a listing that is
    not believed: what it lacks proves nothing, but whoever says no in it has said no.
    """
    after: str | None = ""
    while after is not None:
        links = tx.unlinked(app.index, after, PAGE)
        records = [Record(id=link.id, fields=link.seen.fields) for link in links if link.seen is not None]
        _hear_strangers(tx, hub, app, [record for record in records if _opts_out(app, record, hub.rules)])
        after = links[-1].id if len(links) == PAGE else None


def hear_gone(tx: Tx, hub: Hub, app: AppRule, records: Mapping[str, Record]) -> None:
    """Hear the opt-outs that a feed tells late, of records that are gone by now. An id proves nothing: they count for whoever
    had the record if it shows an address of theirs.
    """
    told = {id_key(app.index, id_): record for id_, record in records.items() if _opts_out(app, record, hub.rules)}
    had = {
        key: max((h.contact or 0 for h in held if h.app == GONE), default=0)
        for key, held in tx.holders(sorted(told)).items()
    }
    contacts = tx.contacts(sorted({*had.values()} - {0}))
    links, now_ms = tx.links_of(sorted(contacts)), hub.world.now_ms()
    journal = []
    for key, record in told.items():
        contact, address = contacts.get(had.get(key, 0)), email_key(record.fields, app, hub.rules)
        if contact is None or address is None:
            continue
        if address_hash(address) in addresses(contact, links[contact.id], hub.rules):
            seen = Seen(fields=record.fields, version=record.version, at_ms=now_ms, since_ms=0)
            link = Link(app=app.index, id=record.id, contact=contact.id, seen=seen)
            journal.append((contact, hear(tx, hub, contact, [link])))
    tx.save_contacts(contact for contact, _ in journal)
    tx.mark_dirty(contact.id for contact, _ in journal)
    tx.write_journal(hub.run, now_ms, journal)


def _opts_out(app: AppRule, record: Record, rules: Rules) -> bool:
    return not record.problem and says_no(app, record.fields, rules)


def says_no(app: AppRule, fields: Mapping[str, Raw], rules: Rules) -> bool:
    """Say whether what a record shows is an opt-out, in any channel."""
    return any(_says_out(app, channel, fields) for channel in rules.consents)


def _says_out(app: AppRule, channel: str, fields: Mapping[str, Raw]) -> bool:
    raw = fields.get(channel)
    return raw is not None and channel in app.lenses and word(app, channel, raw) == OUT


def subject(contact: int) -> bytes:
    """Name a person in what consent is latched by."""
    return b"c%d" % contact


def addresses(contact: Contact, links: Iterable[Link], rules: Rules) -> set[bytes]:
    """List the hashed addresses of a contact: its own, and what each of its records shows or showed."""
    return hashed(contact.golden.get("email"), shown_by(links), rules)


def shown_by(links: Iterable[Link]) -> list[tuple[int, Mapping[str, Raw]]]:
    """List what records show and showed: (app, fields)."""
    return [(link.app, fields) for link in links for fields in (link.base, link.seen and link.seen.fields) if fields]


def hashed(email: Value, shown: Iterable[tuple[int, Mapping[str, Raw]]], rules: Rules) -> set[bytes]:
    """Hash an address and those that records show: what consent is latched by."""
    found = set()
    if isinstance(email, str):
        found.add(address_hash(str(rules.fields["email"].type.key(email))))
    for index, fields in shown:
        app = rules.app(index)
        key = email_key(fields, app, rules) if app is not None else None
        if key is not None:
            found.add(address_hash(key))
    return found


def subjects_of(contacts: Iterable[Contact], links: Mapping[int, Sequence[Link]], rules: Rules) -> list[bytes]:
    """List what consent is latched by for these contacts: themselves and their addresses."""
    subjects: set[bytes] = set()
    for contact in contacts:
        subjects.add(subject(contact.id))
        subjects |= addresses(contact, links[contact.id], rules)
    return sorted(subjects)


def _joined(contact: Contact, told: Iterable[bytes], known: Mapping[bytes, Mapping[str, Latch]]) -> dict[str, Latch]:
    """Join what the person has said with the opt-outs of all addresses that stand. An opt-in is the word of one person: who else
    has the address, by mistake perhaps, or because it was given to somebody else, is not opted in by it.
    """
    joined = {**known.get(subject(contact.id), {})}
    for each in sorted(told):
        for channel, latch in known.get(each, {}).items():
            if latch.closed:
                joined[channel] = joined.get(channel, Latch()).joined(replace(latch, in_ms=0, evidence=None))
    return joined
