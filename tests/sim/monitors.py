"""S-invariants (SYNC-MODEL 1.4), judged at every request that reaches an app and at every record that is given up.

A monitor asks the truth (the apps), the ghost (what syncd was shown) and the store. Hard rule: what cannot be known
(1.3) is counted by name in `Ghost.unknowable`; nothing else is let pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeVar

from syncd.core.match import address_hash
from syncd.engine.seam import Transacting
from syncd.model import Applied, Record, Rejected, Result, Write
from syncd.store.tx import Tx
from tests.sim.backups import Backups
from tests.sim.ghost import IN, MAYBE_OURS, MISLED, OUT, Doubt, Ghost, Node, plain, squashed
from tests.sim.scenario import APPS, Scenario
from tests.sim.spellings import Spellings
from tests.sim.strangers import merged_unseen, readdressed_unseen
from tests.sim.vendor import Person, Vendor

T = TypeVar("T")
CONSENT: Final = ("email_consent", "consent_at", "consent_source")
HORIZON_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, and where."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass(slots=True)
class Monitors:
    """Everything that is watched while a history runs."""

    scenario: Scenario
    vendors: Sequence[Vendor]
    ghost: Ghost
    store: Transacting
    now_ms: Callable[[], int]
    violations: list[Violation] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """Sometimes: rare branches that were reached."""
    spelled: Spellings = field(default_factory=Spellings)
    writes: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    """(app, person, field) -> how often syncd wrote it."""
    out: dict[Node, int] = field(default_factory=dict)
    """Records out of sight that are gone, as far as anybody can know -> since when."""
    doubts: list[Doubt] = field(default_factory=list)
    in_doubt: set[tuple[int, str]] = field(default_factory=set)
    """Records into which an earlier process has written an opt-out, without an answer."""
    indexes: dict[int, int] = field(default_factory=dict)
    backups: Backups = field(init=False)

    def blame(self, name: str, text: str) -> None:
        self.violations.append(Violation(name, text))

    def ask(self, question: Callable[[Tx], T]) -> T:
        return self.store.transact(question)

    def number(self, app: int) -> int:
        """Give the number that the store has for an app."""
        if app not in self.indexes:
            states = self.ask(lambda tx: tx.apps())
            self.indexes = {place: states[name].id for place, name in enumerate(APPS) if name in states}
        return self.indexes.get(app, 0)

    # -- a request arrives

    def asked(self, app: int, write: Write, *, late: bool) -> None:
        """Judge a request at the moment at which the app carries it out."""
        if late:
            self.seen["a request arrived late"] += 1
            return
        contact = self._was_sent(app, write)
        there = self.vendors[app].people.get(write.id)
        if write.kind == "create":
            self._creates(app, write, contact)
        elif there is None or not there.live or self.vendors[app].has_moved(write, there):
            self.seen["a write met another state"] += 1
        elif write.kind == "archive":
            self._archives(app, there)
        else:
            self._changes(app, write, there)

    def answered(self, app: int, write: Write, result: Result) -> None:
        if isinstance(result, Rejected):
            self.seen[f"refused: {result.why}"] += 1
            if write.id in self.vendors[app].out_of_sight:
                self.ghost.refused.add((app, write.id))
        elif isinstance(result, Applied) and write.kind == "create" and result.record is not None:
            self.ghost.anew((app, result.record.id))
        if isinstance(result, Applied) and write.kind != "archive" and write.id:
            person = self.vendors[app].people[write.id]
            for name, new in write.fields.items():
                self.writes[app, person.person, name] += 1
                if (stored := person.props.get(name)) != new:
                    self.spelled.answered((app, write.id, name), (new, stored))

    def begins(self) -> None:
        """Note the opt-outs that are in doubt while another process begins."""
        self.spelled.forgotten()
        numbers = {self.number(place): place for place in range(len(self.vendors))}
        sent = self.ask(lambda tx: [each for number in numbers for each in tx.sent(number)])
        self.in_doubt = {(numbers[s.app], s.record) for s in sent if s.fields.get("email_consent") == OUT}

    def looked(self, app: int, records: Sequence[Record]) -> None:
        """Note which records say no, on being asked, in which an opt-out of our own is in doubt."""
        outs = [record.id for record in records if record.fields.get("email_consent") == OUT]
        self.ghost.doubt(app, [id_ for id_ in outs if (app, id_) in self.in_doubt])

    def _was_sent(self, app: int, write: Write) -> int:
        """Find the SENT row of a request, and whom it is about (0: there is none)."""
        number = self.number(app)
        for row in self.ask(lambda tx: tx.sent(number)):
            whole = row.kind != "create" or len(row.fields) == len(
                write.fields
            )  # a hidden field is left out of an update
            if (
                (row.kind, row.record) == (write.kind, write.id)
                and whole
                and row.fields.items() >= write.fields.items()
            ):
                self._join(row.contact)
                return row.contact
        self.blame("SENT-BEFORE-SEND", f"{write.kind} of {write.id or 'a new record'} in {APPS[app]} has no SENT row")
        return 0

    def _join(self, contact: int) -> None:
        """Note which records syncd takes for one person."""
        mine = self.ask(lambda tx: tx.links_of([contact]))[contact]
        places = {number: place for place, number in self.indexes.items()}
        for link in mine:
            self.ghost.join((f"contact {contact}",), (places[link.app], link.id))

    # -- creates

    def _creates(self, app: int, write: Write, contact: int) -> None:
        email = write.fields.get("email")
        who = self.ghost.of_address(email)
        if who is None:
            self.blame("NO-ECHO", f"a record with an address that nobody ever had was created in {APPS[app]}")
            return
        self._covered(app)
        node = (f"contact {contact}",)
        self.ghost.emails[node] = str(email).casefold()
        for other in self.vendors[app].people.values():
            if self.ghost.person(other.person) == self.ghost.person(who) and other.id != write.id:
                self._second(app, write, node, other)
        self._said(app, write, who, node)
        for name, new in write.fields.items():
            if name not in CONSENT:
                self._typed(app, who, name, new)
        self._twice_in_doubt(app, write)

    def _second(self, app: int, write: Write, node: Node, other: Person) -> None:
        """Judge a create where the person has, or had, another record."""
        known = self.ghost.knows(app, other.id) and (app, other.id) in self.ghost.group(node)
        same = squashed(other.props.get("email")) == squashed(write.fields.get("email"))
        where = f"{write.fields.get('email')} in {APPS[app]}"
        hidden = other.live and other.id in self.vendors[app].out_of_sight
        unseen = other.live and (app, other.id) in self.ghost.given_up  # not shown since
        given_up = self.out.get((app, other.id)) if unseen else None
        if hidden and not self.ghost.knows(app, other.id):
            self.ghost.unknowable["a record of ours went out of sight while it was in doubt"] += 1
        elif given_up is not None and not self._known_before(node, given_up):
            self.ghost.unknowable["the last record of a person was given up while it was out of sight"] += 1
        elif other.live and (known or (other.by == "syncd" and same and not self._readdressed(app, write, other))):
            self.blame("NO-DUPLICATE-CREATE", f"{where} has record {other.id} already")
        elif other.live:
            self.ghost.unknowable["another record of the same person that could not be known of"] += 1
        elif known and (app, other.id) in self.ghost.gone:
            since = self.ghost.gone[app, other.id]
            mine = [p for p in self.vendors[app].people.values() if (app, p.id) in self.ghost.group(node)]
            if not self._known_before(node, since):
                self.ghost.unknowable["the last record of a person was deleted before another one was seen"] += 1
            elif (
                not any(p.born_ms > since and p.by == "people" for p in mine)
                and not self._is_entered_anew(node, since)
                and not self.backups.was_unheard(app, other.id)
            ):
                self.blame("NO-RESURRECTION", f"{where} was deleted by somebody ({other.id})")

    def _readdressed(self, app: int, write: Write, other: Person) -> bool:
        """Say whether somebody gave that record of ours this address, and syncd has not been shown it yet."""
        email = squashed(write.fields.get("email"))
        deeds = [
            deed for deed in self.vendors[app].deeds if (deed.id, deed.field, deed.by) == (other.id, "email", "people")
        ]
        return any(squashed(deed.raw) == email for deed in deeds) and self.ghost.emails.get((app, other.id)) != email

    def _known_before(self, node: Node, at_ms: int) -> bool:
        """Say whether syncd knew a record of this person at that time that is still there: else the person ended then."""
        mine = [known for other in self.ghost.group(node) if (known := self.ghost.known.get(other)) is not None
                and self.vendors[other[0]].people[other[1]].live and other not in self.out]  # fmt: skip
        return any(known.first_ms <= at_ms for known in mine)

    def _covered(self, app: int) -> None:
        for place, vendor in enumerate(self.vendors):
            lists = self.ghost.lists.get(place, [])
            q = vendor.quirks
            proven = not q.drift and not q.lag_ms
            if not lists or (not proven and not any(set(a) == set(b) for a, b in pairwise(lists))):
                self.blame(
                    "CREATE-AFTER-COVERAGE", f"created in {APPS[app]} before {APPS[place]} was listed completely"
                )

    def _twice_in_doubt(self, app: int, write: Write) -> None:
        quirks = self.vendors[app].quirks
        horizon_ms = HORIZON_MS + quirks.lag_ms
        email = str(write.fields.get("email")).casefold()
        for doubt in self.doubts:
            if quirks.own_ids and (doubt.app, doubt.email) == (app, email) and self.now_ms() - doubt.at_ms < horizon_ms:
                self.blame("IN-DOUBT-BOUNDED", f"{email} was created again in {APPS[app]} before the horizon")

    def doubted(self, app: int, write: Write) -> None:
        """Note that syncd gets no answer to this."""
        if write.kind == "create":
            email = str(write.fields.get("email")).casefold()
            self.doubts.append(Doubt(app=app, email=email, at_ms=self.now_ms()))

    # -- changes

    def _changes(self, app: int, write: Write, there: Person) -> None:
        vendor, who = self.vendors[app], self.ghost.person(there.person)
        stored = {name: vendor.spelled(name, new) for name, new in write.fields.items()}
        if all(there.props.get(name) == new for name, new in stored.items()):
            self._no_effect(app, write, there)
        for name, new in write.fields.items():
            if there.props.get(name) == stored[name]:
                self.spelled.sent((app, there.id, name), (new, stored[name]))
            old = there.props.get(name)
            if write.kind == "update" and name in CONSENT:
                self.blame("PATCH-ONLY", f"{name} in an ordinary update of {there.id} in {APPS[app]}")
            if write.expect.get(name) == new and (
                write.kind != "consent" or name == "email_consent"
            ):  # evidence is whole
                self.blame("PATCH-ONLY", f"{name} of {there.id} in {APPS[app]} was sent although nothing changes")
            if old is not None and old != new:
                self._overwrites(app, write, there, name, old)
            if name in CONSENT:
                continue
            if new in (None, ""):
                self._clears(app, there, name)
            else:
                self._typed(app, who, name, new)
        if write.kind == "consent":
            self._said(app, write, who, (app, there.id))

    def _no_effect(self, app: int, write: Write, there: Person) -> None:
        for name, new in write.fields.items():
            old, place = there.props.get(name), (app, there.id, name)
            if old == new and self.ghost.knew(app, there.id, name, old):
                self.blame("NO-NOOP-WRITE", f"{name} of {there.id} in {APPS[app]} holds this very value")
            elif old == new:
                self.ghost.unknowable["somebody typed the same value meanwhile"] += 1
            elif self.spelled.is_known(place, (new, old)) and not self.backups.is_old(there.person, name, new):
                self.blame("NO-NOOP-WRITE", f"{name} of {there.id} in {APPS[app]} was spelled so before")
            elif self.spelled.is_lost(place, (new, old)):
                self.ghost.unknowable["a write changed nothing, and its answer was lost: it is sent once more"] += 1

    def _overwrites(self, app: int, write: Write, there: Person, name: str, old: Any) -> None:
        """Judge the loss of a value: it was seen, and it is in the journal (or lives on in the contact)."""
        if not self.ghost.knew(app, there.id, name, old):
            if self.vendors[app].quirks.guard == "cas":
                self.blame("NO-BLIND-OVERWRITE", f"{name} of {there.id} in {APPS[app]} was never seen")
            else:
                self.ghost.unknowable["an edit in the window between look and write"] += 1
            return
        typed = [d for d in self.vendors[app].deeds if (d.id, d.field, d.raw) == (there.id, name, old)]
        if name in CONSENT or not typed:
            return
        kept = self.journal(self.number(app), there.id)
        if not any(squashed(old) in text for text in kept):
            self.blame("JOURNAL-BEFORE-OVERWRITE", f"{name} of {there.id} in {APPS[app]}: {old!r} is written nowhere")

    def journal(self, app: int, id_: str) -> list[str]:
        """Give every value in the journal of a record's contact, squashed."""

        def look(tx: Tx) -> list[str]:
            link = tx.link(app, id_)
            if link is None or not link.contact:
                return []
            entries = tx.journal_entries([link.contact], None, None).get(link.contact, [])
            return [squashed(value) for e in entries for value in (e.old, e.new) if value is not None]

        return self.ask(look)

    def _clears(self, app: int, there: Person, name: str) -> None:
        cleared = any(deed.raw is None for deed in self.ghost.deeds(there.person, name))
        anew = [
            p
            for v in self.vendors
            for p in v.people.values()
            if p.again and p.by == "people" and p.person == there.person
        ]
        if self.scenario.blank == "propagate" and any(name not in person.props for person in anew) and not cleared:
            self.ghost.unknowable[
                "removed and made anew under its id between two looks: what is not there was cleared"
            ] += 1
        elif (self.scenario.blank != "propagate" or not cleared) and not self.backups.is_old(there.person, name, None):
            self.blame(
                "UNKNOWN-NOT-BLANK", f"{name} of {there.id} in {APPS[app]} was cleared, and nobody had cleared it"
            )

    def _typed(self, app: int, who: int, name: str, new: Any) -> None:
        texts = self.ghost.typed(who, name)
        if name == "email":
            texts = {text.casefold() for text in texts}
            new = str(new).casefold()
        if plain(new) not in texts and merged_unseen(self.vendors, self.ghost, who, name, new):
            self.ghost.unknowable["records became another one, with an address that syncd saw in none of them"] += 1
        elif plain(new) not in texts and readdressed_unseen(self.vendors, self.ghost, who, name, new):
            self.ghost.unknowable["a record of ours, in doubt, was given another address before it was shown"] += 1
        elif plain(new) not in texts and not self.backups.is_old(who, name, new):
            self.blame("NO-ECHO", f"{name} of p{who} in {APPS[app]} became {new!r}, which nobody typed")

    # -- consent

    def _said(self, app: int, write: Write, who: int, node: Node) -> None:
        word = write.fields.get("email_consent")
        if word == IN:
            self._opts_in(app, write, who, node)
        elif word == OUT:
            self.seen["an opt-out was told"] += 1

    def _opts_in(self, app: int, write: Write, who: int, node: Node) -> None:
        self.seen["an opt-in with evidence was told"] += 1
        where = f"p{who} in {APPS[app]}"
        if not self.ghost.agreed(who):
            self.blame("NEVER-SUBSCRIBE", f"{where} was opted in, and never agreed to it")
        if self.ghost.must_be_out(node) and self.ghost.misled(node):
            self.ghost.unknowable[MISLED] += 1
        elif self.ghost.must_be_out(node) and not self.ghost.must_be_out(node, surely=True):
            self.ghost.unknowable[MAYBE_OURS] += 1
        elif self.ghost.must_be_out(node):
            self.blame("OPT-OUT-WINS", f"{where} was opted in after an opt-out that syncd had stored")
        email = write.fields.get("email") or self.vendors[app].people[write.id].props.get("email")
        subject = address_hash(str(email).casefold())
        latches = self.ask(lambda tx: tx.latches([subject])).get(subject, {})
        if any(latch.closed for latch in latches.values()):
            self.blame("OPT-OUT-WINS", f"{where} was opted in although the address is latched")

    # -- what is given up

    def _is_entered_anew(self, node: Node, since: int) -> bool:
        """Say whether somebody entered this person when all records were gone: only an id that an app uses again joins the two."""
        group = self.ghost.group(node)
        people = {
            (app, p.id): p for app, v in enumerate(self.vendors) for p in v.people.values() if (app, p.id) in group
        }
        begun = min((p.born_ms for p in people.values() if p.by == "people" and p.born_ms > since), default=0)
        before = {at: p for at, p in people.items() if p.born_ms < begun}
        return bool(begun) and all(not p.live and self.ghost.gone.get(at, 0) < begun for at, p in before.items())

    def _archives(self, app: int, there: Person) -> None:
        who = self.ghost.person(there.person)
        renamed = [(vendor.index, id_) for vendor in self.vendors for id_ in sorted(vendor.moved)]
        asked = [
            place for (place, id_) in (*self.ghost.gone, *sorted(self.ghost.hidden), *renamed)
            if self.ghost.person(self.vendors[place].people[id_].person) == who and self.vendors[place].quirks.on_delete == "archive"
        ]  # fmt: skip
        self.seen["an archive was sent"] += 1
        if not asked and not self.backups.was_lost(who):
            self.blame("NO-CASCADE-DELETE", f"p{who} was archived in {APPS[app]}, and nobody had deleted anything")

    def unlinks(self, app: int, ids: Sequence[str]) -> None:
        """Judge that syncd believes these records to be gone."""
        for id_ in ids:
            self.seen["a deletion was believed"] += 1
            self.ghost.given_up.add((app, id_))
            self.spelled.drop(app, id_)
            there = self.vendors[app].people.get(id_)
            if there is not None and id_ in self.vendors[app].out_of_sight and self._seems_gone(app, id_):
                self.ghost.unknowable["a record out of sight is gone, as far as anybody can know"] += 1
                self.out[app, id_] = self.now_ms()
            elif there is not None and there.live and (app, id_) in self.ghost.lacked:
                self.ghost.unknowable["a record was brought back after the app had said that it is gone"] += 1
            elif there is not None and there.live and (app, id_) not in self.ghost.gone:
                self.blame("NO-FALSE-DELETE", f"{id_} in {APPS[app]} was given up, and it is there")

    def _seems_gone(self, app: int, id_: str) -> bool:
        number = self.number(app)

        def undecided(tx: Tx) -> bool:
            link = tx.link(number, id_)
            return link is not None and any(contact.review for contact in tx.contacts([link.contact]).values())

        return self.ghost.seems_gone(app, id_, lightly=self.ask(undecided))
