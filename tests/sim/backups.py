"""Backups: an app goes back in time, and nobody tells syncd (the knob `restored`; ROLLBACK-DETECTED, SYNC-MODEL 1.14).

The ghost of it: what went back although syncd knew something newer, and who was lost. What went back in numbers may reach no
other app once syncd has listed the app; what it met one by one before that looks like an edit, and is counted as unknowable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncd.core.plan import SHRUNK
from syncd.model import Record, Write
from syncd.store.tx import Tx
from tests.sim.ghost import Ghost, squashed
from tests.sim.scenario import APPS
from tests.sim.vendor import FIELDS, Backup, Vendor

if TYPE_CHECKING:
    from tests.sim.play import Play
    from tests.sim.rest import Rest

ORDINARY = ("first_name", "company")
FEW = "an app went back in time in a few records: each looks like an edit"
LOST = "an app went back in time, and who is not in its backup seems to have been removed"
UNHEARD = "an app went back in time, and who was removed before that, unnoticed, is missing like the others"
UNREAD = "an app went back in time before what somebody had typed there was merged"
UNTOLD = "an app went back in time, and its records came one by one before it was listed"


@dataclass(slots=True, kw_only=True)
class Gone:
    """What an app lost when it went back."""

    at_ms: int
    linked: int
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    """(id, field) -> the old value that it shows again; syncd knew a newer one."""
    shown: dict[tuple[str, str], str] = field(default_factory=dict)
    """(id, field) -> every old value that it shows again."""
    unread: set[tuple[str, str]] = field(default_factory=set)
    """What syncd had not merged yet of the newer state, or not known whose it is."""
    unheard: set[str] = field(default_factory=set)
    """Records that people had removed, and syncd had not noticed."""
    people: dict[str, int] = field(default_factory=dict)
    """Records that are not in the backup -> whose."""
    listing: bool = False
    """Syncd lists it, or has done so."""

    def many(self, vendor: Vendor) -> bool:
        """Say whether so much went back, and no more went on, that it cannot be taken for edits."""
        typed = {(deed.id, deed.field) for deed in vendor.deeds if deed.at_ms >= self.at_ms}
        back = {key[0] for key in self.values if key not in typed}
        on = {id_ for id_, _ in typed} - back
        return len(back) > SHRUNK.of(self.linked) and len(on) <= len(back)


@dataclass(slots=True)
class Backups:
    """Every backup of every app, and what came of it."""

    vendors: Sequence[Vendor]
    ghost: Ghost
    taken: dict[int, Backup] = field(default_factory=dict)
    gone: dict[int, Gone] = field(default_factory=dict)

    def begins(self, play: Play, number: int) -> None:
        """Make the backups of this round, or go back to one."""
        last = len(play.scenario.rounds) - 1
        for vendor in self.vendors:
            back = vendor.quirks.restored
            if not back or vendor.index in play.scenario.broken or last < 1 + back:
                continue
            if number == last - back:
                self.taken[vendor.index] = vendor.backup()
            elif number == last:
                play.tell(f"{vendor.name}: restored from the backup of {back} rounds ago")
                play.monitors.seen["an app was restored"] += 1
                self._goes_back(play, vendor, self.taken[vendor.index])

    def _goes_back(self, play: Play, vendor: Vendor, backup: Backup) -> None:
        before = {id_: dict(person.props) for id_, person in vendor.people.items() if person.live}
        vendor.restore(backup)
        number = play.monitors.number(vendor.index)
        known = play.monitors.ask(lambda tx: _known(tx, number))
        found = Gone(at_ms=play.clock.true_ms, linked=len(known))
        self.gone[vendor.index] = found
        for id_, there in vendor.people.items():
            if there.live and id_ not in before:  # removed since the backup was made, or known by another id
                found.shown.update(((id_, name), squashed(there.props.get(name))) for name in FIELDS)
        found.unheard = {id_ for place, id_ in play.ghost.gone if place == vendor.index and id_ in known}
        robots = {squashed(vendor.spelled("company", each.quirks.robot)) for each in self.vendors}
        for id_, was in before.items():
            there, (base, golden, undecided) = vendor.people[id_], known.get(id_, ({}, {}, True))
            if not there.live:
                found.people[id_] = there.person
                continue
            for name in FIELDS:
                old, new = there.props.get(name), was.get(name)
                if old == new:
                    continue
                found.shown[id_, name] = squashed(old)
                if base.get(name) != new or undecided:
                    found.unread.add((id_, name))
                elif (
                    name in ORDINARY
                    and old is not None
                    and squashed(old) not in robots
                    and any(squashed(old) == text for text in play.monitors.journal(number, id_))
                    and squashed(golden.get(name)) != squashed(old)
                ):
                    found.values[id_, name] = squashed(old)
        play.ghost.went_back(vendor.index)
        play.monitors.spelled.drop(vendor.index)

    def shown(self, play: Play, app: int, records: Sequence[Record], how: str) -> None:
        """Note what syncd gets to see of an app that went back before it sees all of it."""
        gone = self.gone.get(app)
        if gone is None or gone.listing:
            return
        if how == "listing":
            gone.listing = True
            return
        ids = {record.id for record in records}
        met = [key for key in gone.values if key[0] in ids]
        for key in met:
            del gone.values[key]
        play.ghost.unknowable[UNTOLD] += bool(met)

    def asked(self, play: Play, app: int, write: Write) -> None:
        """Judge whether a request carries what an app shows only because it went back."""
        for place, gone in self.gone.items():
            vendor = self.vendors[place]
            if place == app or not gone.many(vendor):
                continue
            for (id_, name), old in gone.values.items():
                if squashed(write.fields.get(name)) == old and self._is_of(app, write, place, id_):
                    text = f"{name} of {id_} in {vendor.name} went back, and was written into {APPS[app]}"
                    play.monitors.blame("ROLLBACK-DETECTED", text)

    def _is_of(self, app: int, write: Write, place: int, id_: str) -> bool:
        """Say whether a request is about whom syncd takes for the person of a record."""
        if write.kind != "create":
            return (app, write.id) in self.ghost.group((place, id_))
        return squashed(write.fields.get("email")) == squashed(self.vendors[place].people[id_].props.get("email"))

    def is_old(self, who: int, name: str, raw: Any) -> bool:
        """Say whether a value of a person is no more than what an app shows again that went back in a few records: each of
        them looks like an edit.
        """
        for place, gone in self.gone.items():
            vendor = self.vendors[place]
            held = gone.values if gone.many(vendor) else ()
            for (id_, field_), old in gone.shown.items():
                same = self.ghost.person(vendor.people[id_].person) == self.ghost.person(who)
                if same and (field_, old) == (name, squashed(raw)) and (id_, field_) not in held:
                    self.ghost.unknowable[FEW] += 1
                    return True
        return False

    def was_lost(self, who: int) -> bool:
        """Say whether a record of this person is not in the backup to which an app went back, and not much else did."""
        few = [gone for place, gone in self.gone.items() if not gone.many(self.vendors[place])]
        found = any(self.ghost.person(each) == self.ghost.person(who) for gone in few for each in gone.people.values())
        self.ghost.unknowable[LOST] += found
        return found

    def was_unheard(self, app: int, id_: str) -> bool:
        """Say whether a record was removed before its app went back, and syncd had not noticed: it is only missing then."""
        found = app in self.gone and id_ in self.gone[app].unheard
        self.ghost.unknowable[UNHEARD] += found
        return found

    def was_unread(self, app: int, id_: str, name: str) -> bool:
        """Say whether a value was not merged yet when its app went back."""
        found = app in self.gone and (id_, name) in self.gone[app].unread
        self.ghost.unknowable[UNREAD] += found
        return found

    def at_rest(self, play: Play, rest: Rest) -> None:
        """Judge that whoever is not in a backup does not count as deleted, where so much went back that it was noticed."""
        for place, gone in self.gone.items():
            if not gone.many(self.vendors[place]):
                continue
            number = play.monitors.number(place)
            deleted = {play.vendors[p].people[i].person for p, i in play.ghost.gone if p == place}
            lost = {play.ghost.person(who) for who in gone.people.values() if who not in deleted}
            for (app, id_), link in rest.links.items():
                contact = rest.contacts.get(link.contact)
                if contact is None or app == place or number not in contact.tombs:
                    continue
                if play.ghost.person(self.vendors[app].people[id_].person) in lost:
                    text = f"contact {contact.id} counts as deleted in {APPS[place]}, and is only not in the backup"
                    play.monitors.blame("ROLLBACK-DETECTED", text)


def _known(tx: Tx, app: int) -> dict[str, tuple[dict[str, Any], dict[str, Any], bool]]:
    """Give what syncd knows of every linked record: id -> its base, its contact's values, and whether it is undecided."""
    numbers = range(1, tx.next_contact())
    contacts = tx.contacts(numbers)
    links = tx.links_in(app, numbers)
    return {link.id: (link.base, contacts[n].golden, contacts[n].review) for n, link in links.items()}
