"""Q-invariants (SYNC-MODEL 1.4), judged when everything has come to rest: what apps hold, against what people did.

What a person has yet to decide (an open case, a field that is held or flagged, a record in review) is visible, so it is
no silent divergence; everything else must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from syncd.core.state import Contact, Link
from syncd.engine.returning import CAME_BACK
from syncd.store.tx import Tx
from tests.sim.ghost import IN, MAYBE_OURS, MISLED, OUT, plain, squashed
from tests.sim.scenario import APPS
from tests.sim.vendor import FIELDS, Person

if TYPE_CHECKING:
    from tests.sim.play import Play

ORDINARY: Final = ("email", "first_name", "company")
MANY: Final = 100_000


@dataclass(slots=True)
class Rest:
    """What the store says in the end."""

    contacts: dict[int, Contact]
    links: dict[tuple[int, str], Link]
    """(place of the app, id) -> link."""
    cases: list[dict[str, Any]]
    kept: dict[int, set[str]]
    """Contact -> every value in its journal, squashed."""


def at_rest(play: Play) -> None:
    """Judge the end of a history."""
    places = {play.monitors.number(place): place for place in range(len(play.vendors))}
    rest = play.monitors.ask(lambda tx: _look(tx, places))
    for (place, id_), link in rest.links.items():
        if link.contact:
            play.ghost.join((place, id_), (f"contact {link.contact}",))
    play.monitors.seen.update(f"case: {case['kind']}, {case['reason'].partition(' in ')[0]}" for case in rest.cases)
    _known(play, rest)
    _one_entity(play, rest)
    for contact in rest.contacts.values():
        mine = {place: link for (place, _), link in rest.links.items() if link.contact == contact.id}
        if not contact.review:
            _converged(play, rest, contact, mine)
            _everywhere(play, rest, contact, mine)
    _opted_out(play, rest)
    _nothing_lost(play, rest)
    _private(play)
    play.backups.at_rest(play, rest)


def told_by_feeds(play: Play) -> None:
    """COVERAGE of edits: whatever an app's feed tells was heard, without a full listing."""
    places = {play.monitors.number(place): place for place in range(len(play.vendors))}
    rest = play.monitors.ask(lambda tx: _look(tx, places))
    for place, vendor in enumerate(play.vendors):
        quirks = vendor.quirks
        if _broken(play, place) or quirks.drift or quirks.hidden or quirks.window or quirks.restored:
            continue  # a listing that loses rows, what is seen again, a feed that may be some reads behind, or behind its cursor
        for id_, there in sorted(vendor.people.items()):
            link = rest.links.get((place, id_))
            if (place, id_) in play.ghost.hidden:
                continue  # no feed tells of what comes into sight again
            if link is None or link.seen is not None or not there.live:
                if link is None and there.live:
                    play.monitors.blame("COVERAGE", f"{id_} in {APPS[place]} was told and not heard of")
                continue
            names = [name for name in FIELDS if name not in quirks.unbumped and name in link.base]
            wrong = [name for name in names if link.base[name] != there.props.get(name)]
            if wrong:
                play.monitors.blame("COVERAGE", f"{wrong} of {id_} in {APPS[place]} was told and not heard of")


def _look(tx: Tx, places: Mapping[int, int]) -> Rest:
    numbers = range(1, tx.next_contact())
    contacts = tx.contacts(numbers)
    links = {(places[link.app], link.id): link for mine in tx.links_of(numbers).values() for link in mine}
    journal = tx.journal_entries(list(numbers), None, None)
    kept = {
        contact: {squashed(text) for e in entries for value in (e.old, e.new) for text in _texts(value)}
        for contact, entries in journal.items()
    }
    return Rest(contacts=contacts, links=links, cases=tx.cases(limit=1000), kept=kept)


def _texts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    return [] if value is None else [value]


def _broken(play: Play, place: int) -> bool:
    return place in play.scenario.broken


def _known(play: Play, rest: Rest) -> None:
    """COVERAGE and READ-BACK: every record is known as it is; nothing is known that is not there."""
    for place, vendor in enumerate(play.vendors):
        if _broken(play, place):
            continue
        for id_, there in sorted(vendor.people.items()):
            link = rest.links.get((place, id_))
            if link is None and there.live:
                play.monitors.blame("COVERAGE", f"{id_} in {APPS[place]} was never taken up")
            elif link is not None and not there.live:
                name = "MERGE-FOLLOWS" if id_ in vendor.moved else "DELETION"
                play.monitors.blame(name, f"{id_} in {APPS[place]} is gone, and syncd does not know it")
            elif link is not None:
                hidden = vendor.quirks.hidden
                wrong = [
                    name for name in FIELDS
                    if name not in hidden and name in link.base and link.base[name] != there.props.get(name)
                ]  # fmt: skip
                if wrong:
                    play.monitors.blame("READ-BACK", f"{wrong} of {id_} in {APPS[place]} is known otherwise than it is")


def _one_entity(play: Play, rest: Rest) -> None:
    """ONE-ENTITY: two contacts with one address, and nobody is asked about it."""
    owners: dict[str, int] = {}
    linked = {link.contact for link in rest.links.values()}
    asked = {case["contact"] for case in rest.cases if case["kind"] == "match"}
    for contact in rest.contacts.values():
        email = contact.golden.get("email")
        if email is None or contact.review or "email" in contact.held or contact.id not in linked:
            continue
        key = str(email).casefold()
        if f"c{contact.id}" in asked:
            continue
        if key in owners:
            play.monitors.blame("ONE-ENTITY", f"contacts {owners[key]} and {contact.id} are both {key}")
        owners[key] = contact.id


def _converged(play: Play, rest: Rest, contact: Contact, links: Mapping[int, Link]) -> None:
    """CONVERGENCE: every record of a contact shows its value, or its app's spelling of it, or is visibly set aside."""
    asked = {case["contact"] for case in rest.cases if case["kind"] == "match"}
    asked |= {f"c{number}" for case in rest.cases for _, _, number in case.get("candidates", ())}
    waits = {*contact.held, *(("email",) if contact.shared and f"c{contact.id}" in asked else ())}
    for place, link in links.items():
        vendor = play.vendors[place]
        there = vendor.people.get(link.id)
        if _broken(play, place) or there is None or not there.live or not vendor.quirks.update:
            continue
        for name in ORDINARY:
            value = contact.golden.get(name)
            shown = there.props.get(name)
            if name in waits or name in link.flaws or name in vendor.quirks.hidden or value == shown:
                continue
            if value is None and (play.scenario.blank == "ignore" or name not in contact.golden):
                if shown is not None and name not in contact.golden:
                    play.monitors.blame("CONVERGENCE", f"{name} of {link.id} in {APPS[place]} has no say")
                continue
            if shown is None or not _spells(play, place, name, value, shown):
                text = f"{name} of {link.id} in {APPS[place]} shows {shown!r}, contact {contact.id} has {value!r}"
                play.monitors.blame("CONVERGENCE", text)


def _spells(play: Play, place: int, name: str, value: Any, shown: Any) -> bool:
    """Say whether an app shows all that it can hold of a value, in its spelling."""
    if name == "email" and str(value).casefold() == str(shown).casefold():
        return True
    quirks, vendor = play.scenario.apps[place], play.vendors[place]
    if plain(value) == plain(shown) or vendor.spelled(name, value) == shown:
        return True
    cut = vendor.quirks.cut
    declared = plain(value)[:cut].rstrip() if cut and quirks.declared and name == "company" else value
    return bool(vendor.spelled(name, declared) == shown)


def _everywhere(play: Play, rest: Rest, contact: Contact, links: Mapping[int, Link]) -> None:
    """CONVERGENCE: a contact has a record in every app that takes it, but where somebody deleted it."""
    if not contact.golden.get("email") or "email" in contact.held or not links:
        return
    if any(_broken(play, place) for place in range(len(play.vendors))):
        return  # an app that is away may hold the records that are missing elsewhere
    waiting = {case["contact"] for case in rest.cases}
    waiting |= {f"c{number}" for case in rest.cases for _, _, number in case.get("candidates", ())}
    for place, vendor in enumerate(play.vendors):
        number = play.monitors.number(place)
        if place in links or not vendor.quirks.create or number in contact.tombs or number in contact.refused:
            continue
        if f"c{contact.id}" in waiting or _in_review(rest, contact):
            continue
        play.monitors.blame("CONVERGENCE", f"contact {contact.id} has no record in {APPS[place]}")


def _in_review(rest: Rest, contact: Contact) -> bool:
    """Say whether a record that waits for a person may be this contact's."""
    mine = squashed(contact.golden.get("email"))
    waiting = [
        link for link in rest.links.values() if link.contact in rest.contacts and rest.contacts[link.contact].review
    ]
    return any(squashed(link.base.get("email")) == mine for link in waiting)


def _opted_out(play: Play, rest: Rest) -> None:
    """OPT-OUT-EVERYWHERE, NEVER-SUBSCRIBE: nobody whose last word was no is subscribed anywhere."""
    for place, vendor in enumerate(play.vendors):
        if _broken(play, place) or not vendor.quirks.update:
            continue
        for id_, there in sorted(vendor.people.items()):
            if not there.live:
                continue
            word = there.props.get("email_consent")
            if word == IN and play.ghost.must_be_out((place, id_)):
                if play.ghost.misled((place, id_)):
                    play.ghost.unknowable[MISLED] += 1
                elif not play.ghost.must_be_out((place, id_), surely=True):
                    play.ghost.unknowable[MAYBE_OURS] += 1
                elif _maybe_somebody_else(rest, place, id_):
                    play.ghost.unknowable["an id came back with another address: a person is asked who it is"] += 1
                else:
                    play.monitors.blame(
                        "OPT-OUT-EVERYWHERE", f"p{there.person} ({id_}) is still opted in in {APPS[place]}"
                    )
            if word == IN and not _may_be_in(play, place, there):
                play.monitors.blame(
                    "NEVER-SUBSCRIBE", f"p{there.person} ({id_}) is opted in in {APPS[place]} by nobody"
                )


def _maybe_somebody_else(rest: Rest, place: int, id_: str) -> bool:
    """Say whether a person is asked who a record is that came back with another address: some apps use an id again. That record,
    or one of the contact that it may be.
    """
    link = rest.links.get((place, id_))
    asked = [case for case in rest.cases if case.get("reason") == CAME_BACK]
    about = {int(case["contact"][1:]) for case in asked} | {who for case in asked for _, _, who in case["candidates"]}
    return link is not None and link.contact in about


def _may_be_in(play: Play, place: int, there: Person) -> bool:
    if play.ghost.agreed(there.person):
        return True
    deeds = play.ghost.deeds(there.person, "email_consent")
    vendor = play.vendors[place]
    renamed = {
        there.id,
        *vendor.former.get(there.id, ()),
        *(old for old, new in vendor.moved.items() if new == there.id),
    }
    return any(deed.raw == IN and deed.app == place and deed.id in renamed and deed.by == "people" for deed in deeds)


def _nothing_lost(play: Play, rest: Rest) -> None:
    """NO-LOST-UPDATE: what syncd saw somebody type is shown somewhere, or in the journal."""
    held: dict[int, set[str]] = {}
    for vendor in play.vendors:
        for there in vendor.people.values():
            if there.live:
                texts = held.setdefault(play.ghost.person(there.person), set())
                texts |= {squashed(raw) for raw in there.props.values()}
    kept = set().union(*rest.kept.values()) if rest.kept else set()
    for vendor in play.vendors:
        last = {(deed.id, deed.field): deed for deed in vendor.deeds}
        for deed in last.values():
            if deed.field not in ORDINARY or deed.raw is None or deed.by != "people":
                continue
            text = squashed(deed.raw)
            if text in held.get(play.ghost.person(deed.person), ()) or any(text in line for line in kept):
                continue
            if not play.ghost.knew(deed.app, deed.id, deed.field, deed.raw):
                play.ghost.unknowable["a value was gone before anybody could see it"] += 1
                continue
            there = vendor.people[deed.id]
            if not there.live or there.born_ms > deed.at_ms or play.backups.was_unread(deed.app, deed.id, deed.field):
                continue  # whoever deleted the record (its id may be used again), or restored the app, threw it away
            play.monitors.blame("NO-LOST-UPDATE", f"{deed.field} {deed.raw!r} typed into {deed.id} in {APPS[deed.app]}")


def _private(play: Play) -> None:
    """PATCH-ONLY: what is mapped nowhere is as people left it."""
    for place, vendor in enumerate(play.vendors):
        for id_, there in sorted(vendor.people.items()):
            if there.by == "people" and not str(there.props.get("private", "")).startswith("private"):
                play.monitors.blame("PATCH-ONLY", f"{id_} in {APPS[place]} lost what is mapped nowhere")


__all__ = ["OUT", "Rest", "at_rest"]
