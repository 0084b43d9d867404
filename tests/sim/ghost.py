"""What the engine cannot see: who is who, who typed what, when consent was given and taken back, and what syncd was shown.

The last matters most: a value, record or opt-out that never reached syncd cannot be held against it (SYNC-MODEL 1.3); it is
counted in `Ghost.unknowable` and never silently excused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from unicodedata import normalize

from syncd.model import Record
from tests.sim.vendor import Deed, Vendor

STORING: Final = frozenset({"page", "not gone", "result", "recovered", "moved", "reread", "hinted"})
"""Transactions that write down what apps have shown."""
OUT: Final = "opted_out"
IN: Final = "opted_in"
MAYBE_OURS: Final = "somebody said no in a record in which an opt-out of our own was in doubt"
MISLED: Final = "the hub's clock was set back: an opt-out seemed earlier than the evidence of an opt-in"


Node: TypeAlias = tuple[Any, ...]
"""A record (app, id), or whoever is to get one (0, "" , address)."""


@dataclass(slots=True)
class Known:
    """What syncd has stored of one record at some time."""

    version: str = ""
    values: dict[str, list[Any]] = field(default_factory=dict)
    first_ms: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A word of consent: `at_ms` is when it was typed, for an opt-in when it was given."""

    at_ms: int
    person: int
    state: str
    app: int
    id: str


@dataclass(slots=True)
class Doubt:
    """A create of which nobody told syncd what became of it."""

    app: int
    email: str
    at_ms: int


@dataclass(slots=True)
class Ghost:
    """All that is true, beside what syncd knows of it."""

    vendors: Sequence[Vendor]
    known: dict[tuple[int, str], Known] = field(default_factory=dict)
    pending: list[tuple[int, Record]] = field(default_factory=list)
    replies: list[tuple[int, Record]] = field(default_factory=list)
    """What answers to writes have shown: they are stored whatever else fails meanwhile."""
    lists: dict[int, list[tuple[str, ...]]] = field(default_factory=dict)
    """App -> the complete listings that were stored."""
    listing: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    """Consent as people expressed it."""
    outs: dict[tuple[int, str], int] = field(default_factory=dict)
    """Record -> when somebody last opted out there, of what syncd got to see."""
    maybe_ours: dict[tuple[int, str], int] = field(default_factory=dict)
    """Record -> when somebody opted out there, of what syncd got to see while an opt-out of its own was in doubt there."""
    heard: dict[tuple[int, str], int] = field(default_factory=dict)
    """The same records -> what the hub's clock showed when syncd stored that."""
    same: dict[Node, Node] = field(default_factory=dict)
    """Records that syncd has linked, sometime."""
    emails: dict[Node, str] = field(default_factory=dict)
    """Record -> the address that syncd saw in it last."""
    unknowable: Counter[str] = field(default_factory=Counter)
    addresses: dict[str, int] = field(default_factory=dict)
    """Every address that anybody ever had -> the person."""
    joined: dict[int, int] = field(default_factory=dict)
    """A person that turned out to be another one."""
    gone: dict[tuple[int, str], int] = field(default_factory=dict)
    """Records that people deleted: when."""
    hidden: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """Records that were out of sight once -> how many listings and approvals there had been."""
    absent: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Records that an app did not have when syncd asked for them: how often, since they were hidden."""
    lacked: set[tuple[int, str]] = field(default_factory=set)
    """Records that were gone when the app said so, and that it has not shown since, as far as this process was told."""
    refused: set[tuple[int, str]] = field(default_factory=set)
    """Records out of sight that a write did not find."""
    given_up: set[tuple[int, str]] = field(default_factory=set)
    """Records that syncd has unlinked, and that were not shown again."""
    approvals: int = 0

    def person(self, number: int) -> int:
        while number in self.joined:
            number = self.joined[number]
        return number

    def persons(self, number: int) -> set[int]:
        """Name everybody who is this person."""
        who = self.person(number)
        return {who, *(other for other in self.joined if self.person(other) == who)}

    def of_address(self, email: Any) -> int | None:
        found = self.addresses.get(str(email).casefold())
        return None if found is None else self.person(found)

    # -- who is who, as far as syncd can know

    def root(self, node: Node) -> Node:
        while node in self.same:
            node = self.same[node]
        return node

    def join(self, one: Node, other: Node) -> None:
        """Note that two records are one person's."""
        a, b = self.root(one), self.root(other)
        if a != b:
            self.same[max(a, b, key=repr)] = min(a, b, key=repr)

    def anew(self, node: Node) -> None:
        """Forget whose a record was: its id was used again for another one that syncd has just made."""
        mine = sorted((n for n in {*self.same, *self.same.values()} if self.root(n) == self.root(node)), key=repr)
        for each in mine:
            self.same.pop(each, None)
        rest = [each for each in mine if each != node]
        for each in rest[1:]:
            self.join(rest[0], each)

    def group(self, node: Node) -> set[Node]:
        """Name all records that are one person's with this one: linked by syncd, or of one address now."""
        found, waiting = {node}, [node]
        while waiting:
            root, mail = self.root(waiting[-1]), self.emails.get(waiting.pop())
            for other in self.known:
                if other not in found and (
                    self.root(other) == root or (mail is not None and self.emails.get(other) == mail)
                ):
                    found.add(other)
                    waiting.append(other)
        return found

    # -- what syncd sees

    def show(self, app: int, records: Sequence[Record], how: str) -> None:
        """Note what is shown; what an app says on being asked takes the place of what it has just listed."""
        asked = {record.id for record in records} if how == "get" else set[str]()
        self.pending = [each for each in self.pending if each[0] != app or each[1].id not in asked]
        self.lacked.difference_update((app, record.id) for record in records)
        (self.replies if how == "reply" else self.pending).extend((app, record) for record in records)

    def commit(self, what: str, now_ms: int, wrong_ms: int = 0) -> None:
        """Take what was shown as known, now that it is stored. `wrong_ms`: how far the hub's clock is off."""
        if what not in STORING:
            return
        newest: dict[tuple[int, str], str] = {}
        shown = [*self.replies, *self.pending]
        for app, record in shown:
            newest[app, record.id] = max(record.version or "", newest.get((app, record.id), ""))
        for app, record in shown:
            if not self._ordered(app) or (record.version or "") == newest[app, record.id]:
                self._know(
                    app, record, now_ms, wrong_ms
                )  # of what one page names twice the later state is the one that is read
        self.replies.clear()
        self.pending.clear()
        for app, ids in self.listing:
            self.lists.setdefault(app, []).append(ids)
        self.listing.clear()

    def doubt(self, app: int, ids: Collection[str]) -> None:
        """Note that these are shown to say no while nobody knows whether syncd has written that."""
        for said in self.said:
            if said.state == OUT and said.app == app and said.id in ids:
                self.maybe_ours[app, said.id] = max(said.at_ms, self.maybe_ours.get((app, said.id), 0))

    def crash(self) -> None:
        """Whatever was shown and not stored was never seen."""
        self.replies.clear()
        self.failed()

    def failed(self) -> None:
        """A call failed: what was read and not stored is dropped."""
        self.pending.clear()
        self.listing.clear()
        self.lacked.clear()

    def lack(self, app: int, ids: Sequence[str]) -> None:
        """Note that an app, asked for these, says that it has none of them."""
        people = self.vendors[app].people
        self.absent.update((app, id_) for id_ in ids)
        self.lacked.update((app, id_) for id_ in ids if id_ not in people or not people[id_].live)

    def _know(self, app: int, record: Record, now_ms: int, wrong_ms: int) -> None:
        known = self.known.setdefault((app, record.id), Known(first_ms=now_ms))
        older = record.version is not None and record.version < known.version and self._ordered(app)
        if older:
            return  # VERSION-MONOTONE: it is dropped, and so it is not known
        known.version = record.version or ""
        for name, raw in record.fields.items():
            mine = known.values.setdefault(name, [])
            if raw not in mine:
                mine.append(raw)
        self._comes_back((app, record.id), record.fields.get("email"))
        late = self.absent[app, record.id] and not self.vendors[app].people[record.id].live
        if record.fields.get("email") and not late:  # told after the app had said that it is gone: an id proves nothing
            self.emails[app, record.id] = str(record.fields["email"]).casefold()
        if record.fields.get("email_consent") == OUT:
            said = [s.at_ms for s in self.said if s.state == OUT and (s.app, s.id) == (app, record.id)]
            if said and self.outs.get((app, record.id)) != max(said):
                self.outs[app, record.id] = max(said)
                self.heard[app, record.id] = now_ms + wrong_ms

    def _comes_back(self, node: tuple[int, str], email: Any) -> None:
        """Note that a record is shown again of which syncd had given up each that its person had: an id is no name, and with an
        address that it did not show before it may be anybody's.
        """
        if node not in self.given_up:
            return
        self.given_up.discard(node)
        others = self.group(node) - {node}
        left = [other for other in others - self.given_up if self.vendors[other[0]].people[other[1]].live]
        if not left and email and str(email).casefold() != self.emails.get(node):
            self.anew(node)
            self.unknowable["an id came back with another address, and nobody was left of whom it had been"] += 1

    def _ordered(self, app: int) -> bool:
        return self.vendors[app].quirks.versions == "ordered"

    def went_back(self, app: int) -> None:
        """Note that an app was restored: what it shows from now on is news, and who is there again is not gone."""
        for (place, _), known in self.known.items():
            known.version = "" if place == app else known.version
        people = self.vendors[app].people
        self.gone = {each: at_ms for each, at_ms in self.gone.items() if each[0] != app or not people[each[1]].live}

    def hide(self, app: int, id_: str) -> None:
        """Note that a record is out of sight from now on."""
        del self.absent[app, id_]
        self.hidden[app, id_] = (len(self.lists.get(app, ())), self.approvals)

    def seems_gone(self, app: int, id_: str, *, lightly: bool) -> bool:
        """Say whether syncd has every evidence that there is that a record out of sight is gone: asked for it was not there,
        and not a second time, or a write did not find it, or two listings did not, or one, and a person agreed or the
        app has another of them, or (`lightly`) nobody has decided yet whose it is.
        """
        lists, approvals = self.hidden[app, id_]
        missed = sum(id_ not in ids for ids in self.lists.get(app, [])[lists:])
        twin = any(other != (app, id_) and other[0] == app for other in self.group((app, id_)))
        believed = (
            missed > 1
            or (missed == 1 and (lightly or twin or self.approvals > approvals))
            or (app, id_) in self.refused
        )
        return self.absent[app, id_] > 1 or (self.absent[app, id_] > 0 and believed)

    def knows(self, app: int, id_: str) -> bool:
        return (app, id_) in self.known

    def knew(self, app: int, id_: str, name: str, raw: Any) -> bool:
        known = self.known.get((app, id_))
        return known is not None and raw in known.values.get(name, ())

    # -- what is true

    def deeds(self, person: int, name: str) -> list[Deed]:
        """List what people and robots did to a field of this person, anywhere."""
        whose = self.persons(person)
        return [d for v in self.vendors for d in v.deeds if d.person in whose and d.field == name]

    def typed(self, person: int, name: str) -> set[str]:
        """Give what was ever typed into a field of this person, cut where that is declared."""
        texts = {plain(d.raw) for d in self.deeds(person, name) if d.raw is not None}
        cuts = {v.quirks.cut for v in self.vendors if v.quirks.declared and name == "company"}
        return texts | {text[:cut].rstrip() for text in texts for cut in cuts}

    def must_be_out(self, node: Node, *, surely: bool = False) -> bool:
        """Say whether the last word that syncd could hear of whoever this is was an opt-out; `surely`: one that cannot have been
        its own.
        """
        mine = self.group(node)
        ours = self.maybe_ours if surely else {}
        outs = [at_ms for record, at_ms in self.outs.items() if record in mine and ours.get(record) != at_ms]
        ins = [s.at_ms for s in self.said if s.state == IN and (s.app, s.id) in mine]
        return bool(outs) and not any(at_ms > max(outs) for at_ms in ins)

    def misled(self, node: Node) -> bool:
        """Say whether the hub's clock, set back, made an opt-out that was read seem earlier than the evidence of an opt-in that
        was typed before it, or within the same second.
        """
        mine = self.group(node)
        heard = [at_ms for record, at_ms in self.heard.items() if record in mine]
        ins = [s.at_ms for s in self.said if s.state == IN and (s.app, s.id) in mine]
        return bool(heard and ins) and max(ins) > max(heard)

    def agreed(self, person: int) -> bool:
        """Say whether a person ever opted in with evidence."""
        return any(s.state == IN and self.person(s.person) == self.person(person) for s in self.said)


def plain(raw: Any) -> str:
    """Give a value as the hub reads it: composed and trimmed."""
    return " ".join(normalize("NFC", str(raw)).split())


def squashed(raw: Any) -> str:
    """Give what is left of a value when an app has had its way with it."""
    return "".join(normalize("NFC", str(raw)).replace("&amp;", "&").split()).casefold()
