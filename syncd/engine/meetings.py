"""Meetings: right before a record is created, whoever else may be that record in the app is looked at.

Where another contact has a record with the same match key there, or had one that somebody removed, nothing is created until a
person has said who is who (NO-DUPLICATE-CREATE, NO-RESURRECTION, ONE-ENTITY); one is asked as well where a record is given the
key of another contact. What was decided stays so: `Contact.apart`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from syncd.core.match import Holder, contact_key, record_keys
from syncd.core.state import Contact
from syncd.engine.hub import Hub, OpenApp
from syncd.model import Raw
from syncd.store.tx import Tx

WHY: Final = "another contact has, or had, a record with the same key here; nothing is created"
SHARED: Final = "this record shows the key of another contact now; they stay two people, and it goes no further, until somebody says who is who"


def in_the_way(
    tx: Tx, hub: Hub, app: OpenApp, contacts: Mapping[int, Contact], records: Mapping[int, Mapping[str, Raw]]
) -> dict[int, list[Holder]]:
    """Find contacts of which the app may have a record already, and the records that say so; none where those have a case
    of their own. `records`: contact -> the new record that it is to get.
    """
    if not records:
        return {}
    keys = {
        contact: {key for key in record_keys(fields, app.rule, hub.rules) if key is not None}
        for contact, fields in records.items()
    }
    holders = tx.holders(sorted(set().union(*keys.values())))
    found = _met(tx, app, contacts, keys, holders)
    found.update((contact, []) for contact in sorted(undecided(tx, hub, app, keys)))
    for contact, mine in keys.items():
        if any(h.contact is None and h.app == app.index for key in mine for h in holders.get(key, ())):
            found[contact] = []  # not even matched yet
    return found


def _met(
    tx: Tx,
    app: OpenApp,
    contacts: Mapping[int, Contact],
    keys: Mapping[int, Collection[bytes]],
    holders: Mapping[bytes, Collection[Holder]],
) -> dict[int, list[Holder]]:
    """Find the decided contacts that share a key with those who are to get a record, and have or had one there, be it under
    another key (where nothing may be updated, say).
    """
    shared = [
        (contact, key, holder)
        for contact, mine in keys.items()
        for key in sorted(mine)
        for holder in holders.get(key, ())
        if holder.contact not in (None, contact)
    ]
    if not shared:
        return {}
    others = tx.contacts(sorted({holder.contact for _, _, holder in shared if holder.contact is not None}))
    there = tx.link_apps(sorted(others))
    asked = {sent.contact for sent in tx.sent(app.index) if sent.kind == "create"}
    found: dict[int, list[Holder]] = {}
    for contact, key, holder in shared:
        other = others.get(holder.contact or 0)
        if other is None or other.review or key.hex() in contacts[contact].apart | other.apart:
            continue
        first = other.id in asked or (other.id in keys and other.id < contact)
        if app.index in there.get(other.id, ()) or app.index in other.tombs or first:
            found.setdefault(contact, []).extend(h for h in holders[key] if h.app >= 0)
    return found


def undecided(tx: Tx, hub: Hub, app: OpenApp, new: Mapping[int, Collection[bytes]]) -> set[int]:
    """Find contacts of which the app may have a record already: one with the same key waits for a person's decision.

    `new`: contact -> the match keys that it is to have there, beside those that its records show.
    """
    if not new or not tx.review_contacts(0, 1):
        return set()
    keys = {contact: set(mine) for contact, mine in new.items()}
    for contact, links in tx.links_of(sorted(keys)).items():  # its records may still show the key that they had before
        for link in links:
            rule = hub.rules.app(link.app)
            keys[contact].update(key for key in (record_keys(link.base, rule, hub.rules) if rule else ()) if key)
    for contact, before in tx.aliases(sorted(keys)).items():
        keys[contact].update(before)
    holders = tx.holders(sorted(set().union(*keys.values())))
    here = {key: {h.contact for h in held if h.app == app.index} for key, held in holders.items()}
    owners = tx.contacts(sorted({c for mine in here.values() for c in mine if c is not None}))
    open_ = {key for key, mine in here.items() if any(c is None or (c in owners and owners[c].review) for c in mine)}
    return {contact for contact, mine in keys.items() if not open_.isdisjoint(mine)}


def wait(tx: Tx, hub: Hub, app: OpenApp, contact: Contact, met: Collection[Holder], fields: Mapping[str, Raw]) -> None:
    """Ask a person who is who, and remember that this contact gets no record in this app until then."""
    contact.waits.add(app.index)
    others = tx.contacts(sorted({h.contact for h in met if h.contact is not None}))
    for other in sorted(number for number, other in others.items() if not (other.review or other.waits)):
        tx.close_cases(other, hub.world.now_ms(), kind="match")  # the same question, asked from the other side
    tx.save_contacts([contact])
    candidates = [[hub.apps[h.app].name if h.app in hub.apps else "", h.record, h.contact] for h in met]
    doc = {
        "record": next((h.record for h in met if h.app == app.index), ""),
        "candidates": [each for place, each in enumerate(candidates) if each not in candidates[:place]],
        "reason": WHY,
        "keys": [key.hex() for key in record_keys(fields, app.rule, hub.rules) if key is not None],
    }
    tx.open_case("match", contact, hub.run, hub.world.now_ms(), doc, app=app.index)


def part(tx: Tx, contact: Contact, app: int, now_ms: int) -> None:
    """Nobody stands in the way (any more): close the case."""
    contact.waits.discard(app)
    tx.close_cases(contact.id, now_ms, kind="match", app=app)


def ask_who(tx: Tx, hub: Hub, numbers: Collection[int], now_ms: int) -> None:
    """Ask a person about decided contacts that show the key of another one now (ONE-ENTITY), and no longer about those that
    do not. Only the strongest key counts, for people may share a name; of two contacts the later one is asked about.
    """
    if not numbers:
        return
    near = {*numbers, *_met_by(tx.holders(sorted({key for key, _, _ in _strongest(tx, hub, numbers)})))}
    keys = _strongest(tx, hub, sorted(near))
    holders = tx.holders(sorted({key for key, _, _ in keys}))
    known = tx.contacts(
        sorted({*near, *(h.contact for held in holders.values() for h in held if h.contact is not None)})
    )
    contacts = {number: each for number, each in known.items() if not each.review}
    there = tx.link_apps(sorted(contacts))
    asked, shared = set(), dict[int, set[str]]()
    for (key, app, record), number in keys.items():
        if number not in contacts:
            continue
        mine = contacts[number]
        met = [
            h for h in holders.get(key, ())
            if h.contact is not None and h.contact != number
            and (other := contacts.get(h.contact)) is not None
            and (h.app >= 0 or (h.contact in there and contact_key(other.golden, hub.rules) == key))  # theirs, though none shows it
            and not other.waits and key.hex() not in mine.apart | other.apart
        ]  # fmt: skip
        for one in (number, *(h.contact for h in met if h.contact is not None)) if met and not mine.waits else ():
            shared.setdefault(one, set()).add(key.hex())
        others = [each for h in met if (h.contact or 0) < number for each in _candidates(tx, hub, h)]
        if others and number not in asked and not mine.waits:  # else somebody is asked about the two already
            asked.add(number)
            candidates = [each for place, each in enumerate(others) if each not in others[:place]]
            doc = {"record": record, "candidates": candidates, "reason": SHARED, "keys": [key.hex()]}
            tx.open_case("match", mine, hub.run, now_ms, doc, app=app)
    for number in sorted(near & contacts.keys() - asked):
        if not contacts[number].waits:
            tx.close_cases(number, now_ms, kind="match")
    _withhold(tx, [contacts[number] for number in sorted((near & contacts.keys()) | shared.keys())], shared)


def _withhold(tx: Tx, contacts: Sequence[Contact], shared: Mapping[int, Collection[str]]) -> None:
    """Let nothing carry a key any further about which somebody is asked; nor hold back one about which nobody is any more."""
    changed = [each for each in contacts if each.shared != shared.get(each.id, set())]
    for contact in changed:
        contact.shared = frozenset(shared.get(contact.id, ()))
    tx.save_contacts(changed)
    tx.mark_dirty(contact.id for contact in changed)


def _candidates(tx: Tx, hub: Hub, holder: Holder) -> list[list[Any]]:
    """Name the record that holds a key, or all records of a contact whose own value it is: (app, record, contact)."""
    links = tx.links_of([holder.contact])[holder.contact] if holder.app < 0 and holder.contact is not None else []
    records = [(link.app, link.id) for link in links] or [(holder.app, holder.record)]
    return [[hub.apps[app].name if app in hub.apps else "", id_, holder.contact] for app, id_ in records]


def _met_by(holders: Mapping[bytes, Collection[Holder]]) -> set[int]:
    """Name the contacts whose records hold these keys."""
    return {h.contact for held in holders.values() for h in held if h.app >= 0 and h.contact is not None}


def _strongest(tx: Tx, hub: Hub, numbers: Collection[int]) -> dict[tuple[bytes, int, str], int]:
    """Give the strongest key of every record of these contacts: (key, app, record) -> contact."""
    return {
        (key, link.app, link.id): number
        for number, links in tx.links_of(numbers).items()
        for link in links
        if (rule := hub.rules.app(link.app)) is not None
        and (key := record_keys(link.base, rule, hub.rules)[0]) is not None
    }
