"""Match: find out whose the unlinked records are, app by app in the order of the configuration.

A record that nobody else's key touches becomes a contact at once; the rest is linked (or set aside for a person) here and
merged jointly afterwards, so that the order of the apps never decides a first contact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from syncd.core.match import GONE, Decision, Holder, decide_match, record_keys
from syncd.core.rules import AppRule
from syncd.core.state import Contact, Link
from syncd.engine.decide import Outcome, merge_all, merge_contact, write_outcome
from syncd.engine.hearing import subjects_of
from syncd.engine.hub import PAGE, Hub
from syncd.engine.restored import up_to_date
from syncd.engine.returning import CAME_BACK, HERE_ALREADY, Former, came_back, inherit, take_places
from syncd.model import Raw
from syncd.store.tx import Tx


def decide(hub: Hub) -> None:
    """Merge and match everything that is known and not decided yet."""
    merge_all(hub)
    if hub.part is None and match_all(hub):
        merge_all(hub)
    up_to_date(hub)


def match_all(hub: Hub) -> int:
    """Find the contact of every unlinked record: rule by rule, and app by app in the order of the configuration."""
    total = 0
    unmatched = hub.world.transact("unmatched", lambda tx: {app for app in hub.apps if tx.unlinked(app, "", 1)})
    for place in range(len(hub.rules.match)):
        waiting = 0
        for app in sorted(hub.apps.values(), key=lambda a: a.rule.rank):
            after: str | None = "" if not app.held and app.index in unmatched else None
            while after is not None:
                matched, waits, after = hub.world.transact("match", _match_page, hub, app.rule, place, after)
                total, waiting = total + matched, waiting + waits
        if not waiting:
            break
    return total


def _match_page(tx: Tx, hub: Hub, app: AppRule, place: int, after: str) -> tuple[int, int, str | None]:
    """Match one page of one app by the rules up to `place`: how many it matched, how many wait, where to go on."""
    links = tx.unlinked(app.index, after, PAGE)
    if not links:
        return 0, 0, None
    last = links[-1].id if len(links) == PAGE else None
    keys = {link.id: record_keys(_shown(link), app, hub.rules) for link in links}
    holders = tx.holders(sorted({key for mine in keys.values() for key in mine if key is not None}))
    owners = {h.contact for found in holders.values() for h in found if h.contact is not None}
    taken = {c: {link.app for link in mine} for c, mine in tx.links_of(sorted(owners)).items()}
    keys_of = _other_keys(tx, hub, app, holders) if len(hub.rules.match) > 1 else {}
    back = came_back(tx, app, links, hub.rules)
    contacts: list[Contact] = []
    alone: dict[int, list[Link]] = {}
    number = tx.next_contact()
    now_ms = hub.world.now_ms()
    matched = []
    for link in links:
        decision = decide_match(app, link.id, keys[link.id], holders, taken, keys_of, hub.rules, place)
        if decision.kind == "wait":
            continue
        if link.id in back:
            decision = _known_by_id(hub, app, link, decision, back[link.id], taken)
        matched.append(link)
        if decision.contact is not None:
            link.contact = decision.contact
            hub.matched["linked"] += 1
        else:
            contact = Contact(id=number, secret=hub.world.draw(16), review=decision.kind == "review")
            link.contact = number
            contacts.append(contact)
            number += 1
            hub.matched[decision.kind] += 1
            if decision.kind == "new" and all(len(holders.get(key, ())) < 2 for key in keys[link.id] if key):
                alone[contact.id] = [link]
            if contact.review:
                tx.open_case("match", contact, hub.run, now_ms, _case(hub, link, decision), app=app.index)
        taken.setdefault(link.contact, set()).add(app.index)
        _attach(holders, keys[link.id], link)
    take_places(tx, app, matched, hub.rules)
    _pass_on_removals(tx, matched, contacts, taken)
    out = _merge_alone(tx, hub, [c for c in contacts if c.id in alone], alone, now_ms)
    tx.insert_contacts(contacts)
    former = _former(matched)
    tx.save_links(
        link for link in matched if (link.base or link.late or link.id in former) and link.contact not in alone
    )
    tx.attach(link for link in matched if link.contact not in alone)
    write_outcome(tx, hub, sorted(alone), out)
    for was, heir in former.values():
        tx.hand_over_journal(was, heir)
        tx.delete_contact(was)
    return len(matched), len(links) - len(matched), last


def _pass_on_removals(
    tx: Tx, links: Sequence[Link], new: Sequence[Contact], taken: Mapping[int, Collection[int]]
) -> None:
    """Let whose a record is now remember where people removed another one of the undecided contact that it was."""
    was = sorted({link.was for link in links if link.was})
    tombs = {contact.id: contact.tombs for contact in (tx.contacts(was) if was else {}).values() if contact.tombs}
    if not tombs:
        return
    heirs: dict[int, dict[int, int]] = {}
    for link in links:
        if link.was in tombs:
            heirs.setdefault(link.contact, {}).update(tombs[link.was])
    known = {contact.id: contact for contact in new}
    others = tx.contacts(sorted(heirs.keys() - known.keys()))
    for number, removed in heirs.items():
        heir = known.get(number) or others[number]
        heir.tombs = {app: at for app, at in removed.items() if app not in taken[number]} | heir.tombs
    tx.save_contacts(others.values())


def _former(links: Sequence[Link]) -> dict[str, tuple[int, int]]:
    """Take note of records that had an undecided contact: id -> that one, and whose the record is now. Changes `links`."""
    found = {link.id: (link.was, link.contact) for link in links if link.was}
    for link in links:
        link.was = 0
    return found


def _merge_alone(
    tx: Tx, hub: Hub, contacts: Sequence[Contact], links: Mapping[int, list[Link]], now_ms: int
) -> Outcome:
    """Merge contacts of one record each, before they are stored for the first time."""
    out = Outcome(now_ms=now_ms, fresh=set(links))
    known = tx.latches(subjects_of(contacts, links, hub.rules)) if tx.has_latches() else {}
    for contact in contacts:
        merge_contact(contact, links[contact.id], (), known, hub, out)
    return out


def _known_by_id(
    hub: Hub, app: AppRule, link: Link, decision: Decision, former: Former, taken: Mapping[int, Collection[int]]
) -> Decision:
    """Decide about a record whose id was gone: it takes up what was agreed on with its contact. With keys that lead nowhere
    it is the same person if it shows who it was; else somebody is asked, for some apps use an id again.
    """
    if decision.kind == "new":
        apps = {*former.apps, *taken.get(former.contact, ())}
        same = former.is_shown_by(_shown(link), app, hub.rules)
        if same and app.index not in apps:
            decision = Decision(kind="link", contact=former.contact)
        elif same or former.apps:
            why = HERE_ALREADY if app.index in apps else CAME_BACK
            return Decision(kind="review", candidates=(Holder(GONE, link.id, former.contact),), reason=why)
    if decision.contact == former.contact:
        inherit(link, former.estate, app, hub.rules)
    return decision


def _shown(link: Link) -> dict[str, Raw]:
    return link.seen.fields if link.seen else link.base


def _attach(holders: dict[bytes, list[Any]], keys: Iterable[bytes | None], link: Link) -> None:
    """Let the rest of the page see that this record has a contact now."""
    for key in keys:
        if key is None:
            continue
        held = holders.get(key, [])
        for place, holder in enumerate(held):
            if holder.app == link.app and holder.record == link.id:
                held[place] = holder._replace(contact=link.contact)


def _other_keys(
    tx: Tx, hub: Hub, app: AppRule, holders: Mapping[bytes, Sequence[Any]]
) -> dict[tuple[int, str], list[bytes | None]]:
    found: dict[tuple[int, str], list[bytes | None]] = {}
    for held in holders.values():
        for holder in held:
            other = hub.rules.app(holder.app)
            if holder.app == app.index or other is None or (holder.app, holder.record) in found:
                continue
            link = tx.link(holder.app, holder.record)
            if link is not None:
                found[holder.app, holder.record] = record_keys(_shown(link), other, hub.rules)
    return found


def _case(hub: Hub, link: Link, decision: Decision) -> dict[str, Any]:
    candidates = [[hub.apps[h.app].name if h.app in hub.apps else "", h.record, h.contact] for h in decision.candidates]
    return {"record": link.id, "candidates": candidates, "reason": decision.reason}
