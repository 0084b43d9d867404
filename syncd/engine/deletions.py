"""Deletions: believe that a record was removed only when the app says so on being asked, and never cascade it.

A believed deletion unlinks, leaves a tombstone (nothing is created there again by itself) and, where the operator wants
it, archives the other records. Nothing is ever deleted elsewhere (SYNC-MODEL 1.11).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from syncd.core.match import ALIAS, contact_key, record_keys
from syncd.core.plan import Held, update_intent
from syncd.core.state import Contact, Entry, Link
from syncd.engine.decide import reconsider
from syncd.engine.hearing import hear, says_anew
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.keys import identity_keys
from syncd.engine.meetings import ask_who
from syncd.engine.pull import STRIKES, observe
from syncd.engine.returning import SOMEBODY_ELSE, Estate, gone_rows, in_doubt, inherit
from syncd.errors import SyncdError
from syncd.model import OPERATOR, Record
from syncd.store.tx import Tx

SUSPECTS_MAX = 1_000_000
REMOVED = "removed in the app; unlinked, never created there again by itself"
UNFOUND = "the app lists it, and does not find it when asked for it; looked at again in the next run"
NOT_IN_BACKUP = "missing since the app was restored; made there again as any new record is"
MERGED = "removed in the app, which has another record of this person"


def confirm_all_gone(hub: Hub, apps: Sequence[OpenApp]) -> None:
    """Ask for the records that seem gone, app by app."""
    usable = [app for app in apps if app.usable]
    missed = hub.world.transact("missed", lambda tx: [app for app in usable if tx.any_missed(app.index)])
    for app in missed:
        if app.usable:
            confirm_gone(hub, app)


def confirm_gone(hub: Hub, app: OpenApp) -> None:
    """Ask for every record that seems gone; unlink those that the app does not have, unless that is too much.

    Call after every app was pulled: an edit elsewhere in the same pass must be seen before.
    """
    assert app.app is not None
    reader = app.app
    suspects = hub.world.transact("suspects", _suspects, hub, app)
    if not suspects:
        return
    lost: list[str] = []
    try:
        for start in range(0, len(suspects), PAGE):
            ids = suspects[start : start + PAGE]
            there = hub.world.call(app.name, "get", reader.get, ids)
            lost += [id_ for id_ in ids if id_ not in there]
            if there:
                hub.world.transact("not gone", _back, hub, app, there)
    except SyncdError as error:
        hub.fail(app, error)
        return
    lost = hub.world.transact("listed", _set_aside, app, lost)
    linked = hub.world.transact("linked", lambda tx: tx.linked_count(app.index))
    limit = max(hub.limits["unlinks"].of(linked), hub.allowed(app.name, "unlinks"))
    total = app.counts["unlinked"] + len(lost)
    if lost and total > limit and app.index not in hub.restored:
        hub.hold(Held(app=app.name, verb="unlinks", count=total, limit=limit), app)
        return
    for start in range(0, len(lost), PAGE):
        app.counts["unlinked"] += hub.world.transact("unlink", unlink, hub, app, lost[start : start + PAGE])


def _suspects(tx: Tx, hub: Hub, app: OpenApp) -> list[str]:
    """List what is to be asked for: what was missed twice, and at once what people merge away, duplicates."""
    missed = tx.struck(app.index, 1, SUSPECTS_MAX)
    if not missed:
        return []
    if app.index in hub.restored:
        return missed  # a person has said why they are missing
    suspects = tx.struck(app.index, STRIKES, SUSPECTS_MAX)
    once = sorted(set(missed) - set(suspects))
    for start in range(0, len(once), PAGE):
        marks = tx.marks(app.index, once[start : start + PAGE])
        owners = tx.links_of(sorted({mark.contact for mark in marks.values() if mark.contact}))
        links = [link for mine in owners.values() for link in mine if link.app == app.index and link.id in marks]
        undecided = {contact.id for contact in tx.contacts(owners).values() if contact.review}
        twins = _twins(tx, hub, app, links)
        suspects += [link.id for link in links if link.contact in undecided or link.id in twins]
    return suspects


def _twins(tx: Tx, hub: Hub, app: OpenApp, links: Sequence[Link]) -> set[str]:
    """Find records beside which the app has another one with the same key that nobody knows the owner of yet: where one of
    the two goes, they were merged there, and the other one takes its place.
    """
    shown = {link.id: link.base or (link.seen.fields if link.seen else {}) for link in links}
    keys = {id_: set(record_keys(fields, app.rule, hub.rules)) - {None} for id_, fields in shown.items()}
    holders = tx.holders(sorted({key for mine in keys.values() for key in mine if key is not None}))
    here = {key: [h for h in held if h.app == app.index and h.record not in shown] for key, held in holders.items()}
    owners = tx.contacts(sorted({h.contact for held in here.values() for h in held if h.contact}))
    undecided = {
        key for key, held in here.items() if any(h.contact not in owners or owners[h.contact].review for h in held)
    }
    return {id_ for id_, mine in keys.items() if not undecided.isdisjoint(mine)}


def _inherited(tx: Tx, hub: Hub, app: OpenApp, merged: Sequence[Link]) -> None:
    """Link the new record into which another one was merged, and take what it copied for what was agreed on with the one
    that is gone: no edit (SYNC-MODEL 1.12). It is the only one with its keys.
    """
    keys = {link.id: identity_keys(link.base, app.rule, hub.rules) for link in merged}
    holders = tx.holders(sorted({key for mine in keys.values() for key in mine}))
    numbers = [link.contact for link in merged]
    here = {number for number, apps in tx.link_apps(numbers).items() if app.index in apps}
    contacts, journal = tx.contacts(numbers), tx.journal_entries(numbers, None, None) if numbers else {}
    for link in merged:
        found = {h.record for key in keys[link.id] for h in holders.get(key, ()) if h.app == app.index}
        heir = tx.link(app.index, min(found)) if len(found) == 1 else None
        if heir is None or heir.contact or heir.seen is None or link.contact in here:
            continue
        heir.contact = link.contact
        past = journal.get(link.contact, [])
        estate = Estate(contact=contacts[link.contact], base=link.base, past=past, acks=link.acks, late=link.late)
        inherit(heir, estate, app.rule, hub.rules)
        tx.save_links([heir])
        here.add(link.contact)


def _set_aside(tx: Tx, app: OpenApp, lost: Sequence[str]) -> list[str]:
    """Set aside what a write and a `get` miss although this very pass has listed it: either it was removed a moment ago,
    which the next listing shows, or its id leads nowhere. Gives the rest, of which there is evidence.
    """
    state = tx.apps()[app.name]
    listed = app.missed if app.pulled and state.listed_ms >= state.read_ms else set[str]()
    aside = [id_ for id_ in lost if id_ in listed]
    for id_ in aside:
        tx.set_problem(app.index, id_, UNFOUND)
    tx.forget_reading(app.index, aside)
    app.counts["parked"] += len(aside)
    return [id_ for id_ in lost if id_ not in listed]


def _back(tx: Tx, hub: Hub, app: OpenApp, there: dict[str, Record]) -> None:
    tx.mark_dirty(
        mark.contact for mark in tx.marks(app.index, sorted(there)).values() if mark.contact
    )  # see found_again
    tx.clear_misses(app.index, there)
    observe(tx, hub.rules, app.rule, there, hub.world.now_ms(), 0, sure=there)


def unlink(tx: Tx, hub: Hub, app: OpenApp, ids: Sequence[str], *, certain: bool = True) -> int:
    """Forget these records, leave tombstones, tell a person where an edit elsewhere speaks against it: one that is not
    merged yet, or that the record did not live to receive. Says how many contacts lost theirs. Where it is not `certain`
    that they were removed, as another person is shown in their place, nothing is archived elsewhere for it.
    """
    now_ms = hub.world.now_ms()
    links = [link for id_ in ids if (link := tx.link(app.index, id_)) is not None]
    contacts = tx.contacts(link.contact for link in links if link.contact)
    others = tx.links_of(contacts)
    restored, why = app.index in hub.restored, REMOVED if certain else SOMEBODY_ELSE
    merged = set[str]() if restored else _twins(tx, hub, app, links)
    journal: list[tuple[Contact, list[Entry]]] = []
    freed: set[bytes] = set()
    for link in links:
        keys = identity_keys(link.base or (link.seen.fields if link.seen else {}), app.rule, hub.rules)
        if not link.contact and link.seen is not None and _elsewhere(tx, app, keys):
            continue  # stored by a run that died before it was matched: its person is found first, and remembers this
        contact = contacts.get(link.contact)
        freed.update((*keys, *own_key(contact, hub)))
        last = _forget(tx, hub, app, link, keys)
        if contact is None:
            if link.was:
                tx.delete_contact(link.was)
            continue
        said = in_doubt(link) + (hear(tx, hub, contact, [link]) if says_anew(tx, link, app.rule, hub.rules) else [])
        rest = [other for other in others[contact.id] if other.app != app.index]
        if contact.review:  # no key leads to somebody undecided: it is taken apart right below
            if link.id not in merged and not restored:
                _remember(tx, hub, app, link, keys, contacts, now_ms)
        else:
            freed.update(leave_name(tx, contact, keys, last, rest))
        contact.going.pop(app.index, None)
        if restored and rest:
            journal.append((contact, [*said, _entry(link, NOT_IN_BACKUP)]))
            continue
        contact.tombs[app.index] = now_ms
        if not rest:
            tx.close_cases(contact.id, now_ms)  # nothing is left that could be decided
            contact.refused.clear()  # nor anybody to be created anywhere
        if not rest and contact.review:
            tx.delete_contact(contact.id)
            del contacts[contact.id]
            continue
        journal.append((contact, [*said, _entry(link, MERGED if link.id in merged else why)]))
        if link.id not in merged:  # what is left there takes its place, with every edit
            _tell_elsewhere(tx, hub, app, link, contact, rest, certain=certain)
    tx.write_journal(hub.run, now_ms, journal)
    tx.save_contacts(contacts.values())
    tx.mark_dirty(contacts)
    undecided = [contact.id for contact in contacts.values() if contact.review]
    ask_who(tx, hub, reconsider(tx, freed, undecided, now_ms), now_ms)
    decided = {number for number, contact in contacts.items() if not contact.review}
    _inherited(tx, hub, app, [link for link in links if link.id in merged and link.contact in decided])
    return len(journal)


def _forget(tx: Tx, hub: Hub, app: OpenApp, link: Link, keys: Collection[bytes]) -> set[bytes]:
    """Forget a record, and keep whose its id was; gives the keys that were only read last."""
    tx.drop_keys([{"k_key": key, "k_app": app.index, "k_record": link.id} for key in keys])
    tx.forget_record(app.index, link.id)
    last = set(identity_keys(link.seen.fields if link.seen else {}, app.rule, hub.rules)).difference(keys)
    tx.add_keys(gone_rows(app.index, link, last))
    return last


def leave_name(
    tx: Tx, contact: Contact, keys: Sequence[bytes], last: Collection[bytes], rest: Sequence[Link]
) -> Sequence[bytes]:
    """Let whoever turns up with the keys of a record that has ended be this contact, if there is anything left of it; else
    neither they nor the keys that it had before lead to it any more. Gives the latter, for which others may have waited.
    """
    before = tx.aliases([contact.id]).get(contact.id, [])
    if rest or _undecided(_owners(tx, [*keys, *before])):
        tx.add_keys([{"key": key, "app": ALIAS, "record": str(contact.id)} for key in sorted({*keys, *last})])
        return ()
    # whoever is added with these keys one day is somebody new
    tx.drop_keys([{"k_key": key, "k_app": ALIAS, "k_record": str(contact.id)} for key in sorted({*keys, *before})])
    return before


def _tell_elsewhere(
    tx: Tx, hub: Hub, app: OpenApp, link: Link, contact: Contact, rest: Sequence[Link], *, certain: bool
) -> None:
    """Ask a person where an edit elsewhere speaks against a removal; else archive the other records, if that is wanted."""
    now_ms = hub.world.now_ms()
    if any(other.seen for other in rest) or update_intent(contact, link, app.rule, hub.rules) is not None:
        case = {"reason": f"removed in {app.name}, edited elsewhere", "record": link.id, "values": link.base}
        tx.open_case("deletion", contact, hub.run, now_ms, case, app=app.index)
    elif app.rule.on_delete == "archive" and certain:
        _archive_elsewhere(tx, hub, app, contact, rest, now_ms)


def own_key(contact: Contact | None, hub: Hub) -> list[bytes]:
    """Give the key that a contact has by its own values, though none of its records may show it."""
    key = contact_key(contact.golden, hub.rules) if contact is not None else None
    return [] if key is None else [key]


def _owners(tx: Tx, keys: Sequence[bytes]) -> dict[int, Contact | None]:
    """Find who holds these keys; 0: a record that is not matched yet."""
    owners = {holder.contact or 0 for held in tx.holders(keys).values() for holder in held}
    known = tx.contacts(sorted(owners))
    return {number: known.get(number) for number in sorted(owners) if not number or number in known}


def _undecided(owners: Mapping[int, Contact | None]) -> bool:
    return any(owner is None or owner.review for owner in owners.values())


def _remember(
    tx: Tx, hub: Hub, app: OpenApp, link: Link, keys: Sequence[bytes], contacts: dict[int, Contact], now_ms: int
) -> None:
    """Keep a removal in mind although nobody had decided whose record it was (NO-RESURRECTION): whoever is decided and has
    its key is created there by a person's word only; where all are undecided, its contact is the person whom they join.
    """
    owners = _owners(tx, keys)
    there = tx.link_apps(owners)
    decided = [owner for owner in owners.values() if owner is not None and not owner.review]
    for owner in decided:
        if app.index in there.get(owner.id, ()) or owner.id in contacts:
            continue
        owner.tombs.setdefault(app.index, now_ms)
        reason = f"removed in {app.name} while it was undecided whose record it was"
        case = {"reason": reason, "record": link.id, "values": link.base}
        tx.open_case("deletion", owner, hub.run, now_ms, case, app=app.index)
    tx.save_contacts(decided)
    tx.mark_dirty(owner.id for owner in decided)
    if not decided and _undecided(owners):
        contacts[link.contact].review = False
        tx.add_keys([{"key": key, "app": ALIAS, "record": str(link.contact)} for key in keys])


def _elsewhere(tx: Tx, app: OpenApp, keys: Sequence[bytes]) -> bool:
    """Say whether another app holds somebody with one of these keys."""
    return any(holder.app != app.index for held in tx.holders(keys).values() for holder in held)


def _archive_elsewhere(tx: Tx, hub: Hub, cause: OpenApp, contact: Contact, links: Sequence[Link], now_ms: int) -> None:
    for link in links:
        app = hub.apps.get(link.app)
        if app is not None and app.rule.spec.archive and app.rule.update:
            contact.tombs[link.app] = now_ms  # an edit in an app that keeps its record creates nobody there again
            contact.going[link.app] = cause.index
            tx.plan_archive(link.app, contact.id)


def why_archived(hub: Hub, contact: Contact, link: Link) -> str:
    """Say what an archive follows from: a removal in another app, the undo of its creation, or the scope."""
    cause = contact.going.get(link.app)
    if cause == OPERATOR:
        return "its creation was undone"
    if cause == link.app:
        return "it left the scope"
    return f"removed in {hub.apps[cause].name}" if cause in hub.apps else "archive"


def keep_edited(tx: Tx, hub: Hub, app: OpenApp, number: int) -> dict[int, Contact]:
    """Put nothing away any more for the cause for which a record was to be, as somebody has edited it since: a person is asked.
    Who left a scope is judged anew when the edit is merged.
    """
    contacts = tx.contacts([number])
    for contact in contacts.values():
        cause = contact.going.get(app.index)
        if cause is None or cause == app.index:
            continue
        contact.going = {index: each for index, each in contact.going.items() if each != cause}
        if cause in hub.apps:
            doc = {"reason": f"removed in {hub.apps[cause].name}, edited elsewhere"}
            tx.open_case("deletion", contact, hub.run, hub.world.now_ms(), doc, app=cause)
    return contacts


def _entry(link: Link, why: str) -> Entry:
    return Entry(
        kind="unlink",
        app=link.app,
        record=link.id,
        field=None,
        old=link.base,
        new=None,
        reason=why,
    )
