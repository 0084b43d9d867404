"""Decide: merge what was observed, find out whose the new records are, and plan what must be written.

Page by page, each page one transaction: settle, consent, merge, journal, intents. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.core.consent import Latch, consent_intents, unheard
from syncd.core.former import former
from syncd.core.match import ALIAS
from syncd.core.merge import Conflict, merge
from syncd.core.plan import by_app, intents_for, left, planned_creates, stay
from syncd.core.rules import Rules
from syncd.core.settle import settle_all
from syncd.core.state import Contact, Entry, Intent, Link, Seen, Sent
from syncd.engine.hearing import Heard, addresses, hashed, listen, shown_by, subjects_of
from syncd.engine.hub import PAGE, Hub
from syncd.engine.keys import identity_keys
from syncd.engine.meetings import ask_who
from syncd.model import Raw
from syncd.store.codec import KIND_NUMBER
from syncd.store.tx import Tx


def merge_all(hub: Hub) -> None:
    """Merge dirty contacts until there are none; an opt-out may make earlier ones dirty again, hence the rounds.

    A round in which nobody was ready (their fields are still being typed) is the last, and so is the first one of a
    narrowed run, which leaves everybody dirty.
    """
    while True:
        merged, after = 0, 0
        while True:
            ids, ready = hub.world.transact("merge", _merge_page, hub, after)
            if not ids:
                break
            merged, after = merged + ready, ids[-1]
            if ready and len(ids) < PAGE and not hub.narrowed:
                break  # it is the last one as a rule, and the next round looks again
        if not merged or hub.narrowed:
            return


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one page of merges leaves to be written."""

    now_ms: int
    journal: list[tuple[Contact, list[Entry]]] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    saved: list[Link] = field(default_factory=list)
    changed: list[Contact] = field(default_factory=list)
    settled: list[Sent] = field(default_factory=list)
    old_keys: list[dict[str, Any]] = field(default_factory=list)
    new_keys: list[dict[str, Any]] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)
    leaving: list[tuple[int, int]] = field(default_factory=list)
    """(app, contact): left its scope, and is put away there."""
    staying: list[tuple[int, int]] = field(default_factory=list)
    """(app, contact): was to be put away there, and is not any more."""
    conflicts: list[tuple[Contact, Conflict]] = field(default_factory=list)
    released: list[tuple[Contact, str]] = field(default_factory=list)
    """(contact, field): waited for a decision that is no longer needed."""
    parted: list[tuple[Contact, int]] = field(default_factory=list)
    """(contact, app): waited there for a decision that is no longer needed."""
    rekeyed: list[int] = field(default_factory=list)
    """Contacts of which a record shows other keys now."""
    fresh: set[int] = field(default_factory=set)
    """Contacts that are inserted by the caller."""


def _merge_page(tx: Tx, hub: Hub, after: int) -> tuple[list[int], int]:
    """Merge one page; says which contacts were looked at and how many were ready."""
    skip = hub.skip_apps()
    ids = tx.dirty_contacts(skip, after, PAGE)
    if not ids:
        return [], 0
    contacts, links, sents = tx.contacts(ids), tx.links_of(ids), tx.sent_of(ids)
    rules, out = hub.rules, Outcome(now_ms=hub.world.now_ms())
    known = tx.latches(subjects_of(contacts.values(), links, rules)) if tx.has_latches() else {}
    ready = []
    past = _past(tx, hub, contacts, links)
    for id_ in ids:
        contact = contacts.get(id_)
        mine = links[id_]
        if contact is not None and any(_unsettled(link, rules, out.now_ms) for link in mine if link.app not in skip):
            continue
        ready.append(id_)
        if contact is None:
            continue
        aside = {link.app: link.seen for link in mine if link.app in skip and link.seen is not None}
        for link in mine:
            link.seen = None if link.app in aside else link.seen
        merge_contact(contact, mine, sents.get(id_, ()), known, hub, out, past.get(id_, ()))
        for link in mine:
            link.seen = aside.get(link.app, link.seen)
    write_outcome(tx, hub, ready, out)
    return ids, len(contacts.keys() & set(ready))  # a record whose contact is gone must not keep the rounds going


def _past(
    tx: Tx, hub: Hub, contacts: Mapping[int, Contact], links: Mapping[int, Sequence[Link]]
) -> dict[int, list[Entry]]:
    """Open the journal of those who have a record in an app that is brought up to date, and that shows something else."""
    back = [c for c in contacts if any(link.app in hub.restored and link.seen is not None for link in links[c])]
    return tx.journal_entries(back, None, None) if back else {}


def _note_former(hub: Hub, links: Sequence[Link], past: Sequence[Entry]) -> None:
    """Note of what records show in such an app which fields show an earlier state."""
    for link in links:
        app = hub.rules.app(link.app)
        if link.seen is not None and app is not None and link.app in hub.restored:
            link.seen.former = former(link, app, past, hub.rules).fields


def _unsettled(link: Link, rules: Rules, now_ms: int) -> bool:
    """Say whether a changed field is still in its quiet time (`settle`): somebody may be typing."""
    seen = link.seen
    if seen is None or not link.base:
        return False
    return any(
        rule.settle_ms > now_ms - seen.at_ms and seen.fields.get(name) != link.base.get(name)
        for name, rule in rules.settling.items()
        if name in seen.fields
    )


def merge_contact(
    contact: Contact,
    links: list[Link],
    sents: Sequence[Sent],
    known: Mapping[bytes, Mapping[str, Latch]],
    hub: Hub,
    out: Outcome,
    past: Sequence[Entry] = (),
) -> None:
    """Settle, consent, merge and plan one contact; what must be written is added to `out`. `past`: its journal, where one of
    its apps is brought up to date.
    """
    rules = hub.rules
    entries: list[Entry] = []
    bases = [(link, link.base, (dict(link.flaws), link.unheard)) for link in links]
    fresh = [link for link in links if link.seen is not None]
    for link in fresh:
        entries += _settle(link, [sent for sent in sents if sent.app == link.app], rules, out)
    golden = dict(contact.golden)
    email, shown = contact.golden.get("email"), shown_by(links)
    _note_former(hub, fresh, past)
    consented = listen(contact, links, known, rules, out.now_ms)
    merged = merge(contact, links, rules, out.now_ms)
    for link in links if not hub.narrowed else ():
        link.unheard = unheard(link, rules)
    entries += consented.entries + merged.entries
    hub.matched["disagreeing"] += bool(merged.disagreed)
    linked = [link.app for link in links]
    left_already = [sent.app for sent in sents if sent.kind == "archive"]
    out.staying += [(app, contact.id) for app in stay(contact, linked, rules) if app not in left_already]
    if contact.golden != golden:
        contact.refused.clear()
        leaving = left(contact, golden, linked, rules)
        contact.going.update((app, app) for app in leaving)
        out.leaving += [(app, contact.id) for app in leaving]
    for index in sorted(contact.refused.keys() & set(linked)):
        del contact.refused[index]  # it has a record there now
    if consented.events or any(latch.out_ms or latch.in_ms for latch in consented.latches.values()):
        told = addresses(contact, links, rules) | hashed(email, shown, rules)
        out.heard.latch(contact, told, consented, known)
    indexed = by_app(links)
    planned = len(out.intents)
    if contact.id in out.fresh:  # its only record is where its values come from
        out.intents += consent_intents(contact, indexed, rules) + planned_creates(contact, indexed, rules)
    else:
        out.intents += intents_for(contact, indexed, rules)
    if contact.waits:  # asked again when it is to be created; and no case where it is not
        creates = {intent.app for intent in out.intents[planned:] if intent.kind == "create"}
        out.parted += [(contact, app) for app in sorted(contact.waits - creates)]
        contact.waits &= creates
    out.released += [(contact, name) for name in merged.released]
    out.conflicts += [(contact, conflict) for conflict in merged.conflicts]
    for link, base, odd in bases:
        if link in fresh or (link.flaws, link.unheard) != odd:
            out.saved.append(link)
        if link in fresh:
            _rekey(contact, link, base, rules, out)
    out.changed.append(contact)
    if entries:
        out.journal.append((contact, entries))


def _settle(link: Link, sents: Sequence[Sent], rules: Rules, out: Outcome) -> list[Entry]:
    """Recognise what was sent to the app of a record in what it shows; a create under an id of ours only in that one."""
    app = rules.app(link.app)
    if app is None or not (sents or link.late):
        return []
    link.base = dict(link.base)
    out.settled += sents
    ours = [sent for sent in sents if sent.kind != "create" or sent.record in ("", link.id)]
    return settle_all(link, ours, app, rules, out.now_ms)


def write_outcome(tx: Tx, hub: Hub, ids: Sequence[int], out: Outcome) -> None:
    """Write down a page of merges: links, contacts, keys, intents, latches, journal, inbox."""
    tx.save_links(out.saved)
    tx.save_contacts(c for c in out.changed if c.id not in out.fresh)
    tx.drop_keys(out.old_keys)
    tx.add_keys(out.new_keys)
    for sent in out.settled:
        tx.drop_intents(sent.app, KIND_NUMBER[sent.kind], [sent.contact])
    if hub.narrowed:
        tx.mark_dirty(ids)
    else:
        tx.clear_dirty(ids)
    tx.replace_intents(ids, out.intents)
    for app, number in out.staying:
        tx.drop_intents(app, KIND_NUMBER["archive"], [number])
    for app, number in out.leaving:
        tx.plan_archive(app, number)
    out.heard.write(tx, hub.run, out.now_ms, ids)
    tx.write_journal(hub.run, out.now_ms, out.journal)
    for contact, app in out.parted:
        tx.close_cases(contact.id, out.now_ms, kind="match", app=app)
    for contact, name in out.released:
        tx.close_cases(contact.id, out.now_ms, kind="conflict", field=name)
    for contact, conflict in out.conflicts:
        values = {hub.apps[app].name if app in hub.apps else "?": value for app, value in conflict.values.items()}
        doc = {"reason": conflict.reason, "values": values}
        tx.open_case("conflict", contact, hub.run, out.now_ms, doc, field=conflict.field)
    released = {row["k_key"] for row in out.old_keys}
    left_behind = reconsider(tx, released, [c.id for c in out.changed if c.review], out.now_ms) if released else []
    ask_who(tx, hub, sorted({*out.rekeyed, *left_behind, *(contact.id for contact, _ in out.parted)}), out.now_ms)


def reconsider(tx: Tx, keys: Iterable[bytes], contacts: Iterable[int], now_ms: int) -> list[int]:
    """Match undecided records again once what made them undecided has changed: `keys` that somebody no longer holds, or
    `contacts` whose own keys changed. Names the decided contacts that hold these keys still. An undecided contact is kept until
    its record has another one, for its journal.
    """
    holders = [h for held in tx.holders(sorted(keys)).values() for h in held]
    ids = {h.contact for h in holders if h.contact is not None} | set(contacts)
    found = tx.contacts(sorted(ids))
    undecided = [c for c in found.values() if c.review]
    tx.mark_dirty(c.id for c in found.values() if not c.review)  # an undecided record may have stood in its way
    links = tx.links_of([c.id for c in undecided])
    for contact in undecided:
        for link in links[contact.id]:
            unmerged(link, now_ms)
            link.contact, link.was = 0, contact.id
        tx.save_links(links[contact.id])
        tx.close_cases(contact.id, now_ms)
    return [c.id for c in found.values() if not c.review]


def unmerged(link: Link, now_ms: int) -> None:
    """Turn a link's base back into an observation, to be merged afresh with its new contact."""
    if link.seen is None:
        link.seen = Seen(fields=link.base, version=link.version, at_ms=now_ms, since_ms=0)
    else:
        link.seen.fields = {**link.base, **link.seen.fields}
    link.base, link.acks, link.flaws, link.unread, link.unheard = {}, {}, {}, frozenset(), frozenset()
    link.late = []


def _rekey(contact: Contact, link: Link, base: Mapping[str, Raw], rules: Rules, out: Outcome) -> None:
    """Keep the index of keys true to what the record shows; the contact stays findable by its old keys."""
    app = rules.app(link.app)
    if app is None or not base:
        return
    names = {"email", *(name for rule in rules.match for name in rule)}
    if all(base.get(name) == link.base.get(name) for name in names):
        return
    out.rekeyed.append(contact.id)
    old, new = identity_keys(dict(base), app, rules), identity_keys(link.base, app, rules)
    for key in old:
        if key not in new:
            out.old_keys.append({"k_key": key, "k_app": link.app, "k_record": link.id})
            if not contact.review:  # who is undecided is taken apart right below, and nobody could be found any more
                out.new_keys.append({"key": key, "app": ALIAS, "record": str(contact.id)})
    out.new_keys += [{"key": key, "app": link.app, "record": link.id} for key in new if key not in old]


def observed(link: Link, fields: dict[str, Raw], version: str | None, now_ms: int) -> None:
    """Put what was just read beside the base, to be settled or merged."""
    link.seen = Seen(fields=fields, version=version, at_ms=now_ms, since_ms=link.at_ms)
