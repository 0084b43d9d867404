"""The truth of one simulated app: its records, what happened to them, and what people and robots do there.

Knows nothing of syncd but `Write` and `Result`; what syncd gets to see of it is tests/sim/app.py's business. Hard rule:
deterministic, and whatever is handed out is a copy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Final
from unicodedata import normalize

from syncd.model import Applied, Record, Rejected, Result, Write
from tests.sim.quirks import Quirks

FIELDS: Final = ("email", "first_name", "company", "email_consent", "consent_at", "consent_source")
PRIVATE: Final = "private"
"""A property that is mapped nowhere: nobody but people ever touches it."""
ROBOT_MS: Final = 20_000
LATE_MS: Final = 12_000
"""How late a request that we gave up on may still arrive; below the engine's horizon."""


@dataclass(slots=True, kw_only=True)
class Person:
    """One record, with what only the simulator knows of it: whose it is, and who made it."""

    id: str
    props: dict[str, Any]
    person: int
    by: str
    """people, syncd or robot."""
    version: int = 1
    stamp_ms: int = 0
    born_ms: int = 0
    live: bool = True
    purged: bool = False
    """It is not even in the bin any more."""
    again: bool = False
    """Its id was that of a record that was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened to a record: its state afterwards, None for the end."""

    seq: int
    id: str
    props: Mapping[str, Any] | None
    version: int
    stamp_ms: int
    visible_ms: int
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody other than syncd did to one field, as the app stored it."""

    at_ms: int
    app: int
    id: str
    person: int
    field: str
    raw: Any
    by: str


@dataclass(slots=True, kw_only=True)
class Later:
    """Something that happens in the app by itself, some time from now."""

    at_ms: int
    what: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """How an app was at some time."""

    people: Mapping[str, Person]
    moved: Mapping[str, str]
    changes: int


@dataclass(slots=True)
class Vendor:
    """One app."""

    index: int
    name: str
    quirks: Quirks
    seed: int
    now_ms: Callable[[], int]
    whose: Callable[[Write], int]
    """Tells the person that a new record of syncd's is about."""
    people: dict[str, Person] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    """Old id -> the id that a record has now."""
    former: dict[str, set[str]] = field(default_factory=dict)
    """Id -> the ids that this very record had before, though they may be used again."""
    calm: bool = False
    """Somebody has mended what can be mended: nothing is hidden any more."""
    out_of_sight: set[str] = field(default_factory=set)
    """Records that syncd's account may not see now."""
    down: str = ""
    """Unreachable: transient or access."""
    epoch: int = 0
    ids: int = 0
    minute: int = 0
    calls: int = 0
    """How often it was called in this minute."""
    announce: Callable[[str], None] | None = None
    """Takes what webhooks tell of: the id of a record that has changed."""
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed} {self.name}")

    # -- people

    def live(self, person: int) -> list[Person]:
        return [
            self.people[id_]
            for id_ in sorted(self.people)
            if self.people[id_].person == person and self.people[id_].live
        ]

    def add(self, person: int, props: Mapping[str, Any]) -> str:
        """Somebody makes a record."""
        self.ids += 1
        id_ = f"e:{props.get('email')}" if self.quirks.id_from_email else f"{self.name}{self.ids}"
        if id_ in self.people and self.people[id_].live:
            return ""
        made = {**props, PRIVATE: f"private {self.name} {self.ids}"}
        self._begin(id_, person, "people")
        self._did(id_, made, "people")
        self._store(id_, made)
        return id_

    def edit(self, id_: str, props: Mapping[str, Any], by: str = "people") -> None:
        """Somebody changes some properties; None clears one."""
        before = dict(self.people[id_].props)
        self._store(id_, {**before, **props})
        self._did(id_, {name: raw for name, raw in props.items() if before.get(name) != raw}, by)

    def remove(self, id_: str) -> None:
        self.people[id_].live = False
        self._note(id_, told=True)
        if self.quirks.bin_ms:
            self.after(self.quirks.bin_ms, lambda: self._purge(id_))

    def _purge(self, id_: str) -> None:
        """Empty the bin: nobody brings that record back, and its end is told once more."""
        if not self.people[id_].live:
            self.people[id_].purged = True
            self._note(id_, told=True)

    def merge(self, id_: str, lacking: Mapping[str, Any]) -> str:
        """Let a record and what another one had become a third record; give its id."""
        person = self.people[id_]
        self.remove(id_)
        self.ids += 1
        new = f"{self.name}{self.ids}"
        self.moved[id_] = new
        self.former[new] = {id_, *self.former.get(id_, ())}
        self.people[new] = replace(person, id=new, props={}, version=0, live=True, born_ms=self.now_ms())
        self._did(new, lacking, "people")
        self._store(new, {**person.props, **lacking})
        return new

    def bring_back(self, id_: str) -> None:
        self.people[id_].live = True
        self.moved.pop(id_, None)
        self._store(id_, self.people[id_].props)

    def touch(self, id_: str) -> None:
        """The record is marked as changed, but is not."""
        self._store(id_, self.people[id_].props)

    def backup(self) -> Backup:
        people = {id_: replace(person, props=dict(person.props)) for id_, person in self.people.items()}
        return Backup(people=people, moved=dict(self.moved), changes=len(self.changes))

    def restore(self, backup: Backup) -> None:
        """Go back in time, versions and feed as well: numbers that were given already are given once more. What is not in the
        backup was never there. (The next id is not one of those: an id that is used again is another story.)
        """
        for id_, person in self.people.items():
            person.live, person.purged = False, True
            if id_ in backup.people:
                then = backup.people[id_]
                self.people[id_] = replace(then, props=dict(then.props))
        self.moved, self.changes = dict(backup.moved), self.changes[: backup.changes]
        self.epoch += self.quirks.restored > 1  # such an app says that cursors are no longer good

    # -- syncd

    def apply(self, write: Write) -> Result:
        """Do what a request asks, as this app does such things."""
        now = self.people.get(write.id)
        now = now if now is not None and now.live and write.id not in self.out_of_sight else None
        if write.kind == "create":
            if now is not None:
                return Rejected(why="exists", existing=write.id)
        elif now is None:
            return Rejected(why="gone")
        elif self.has_moved(write, now):
            return Rejected(why="moved")
        if write.kind == "archive":
            self.remove(write.id)
            return Applied(record=None)
        lacking = [n for n in self.quirks.required if not write.fields.get(n, None if write.kind == "create" else n)]
        if lacking:
            return Rejected(why="invalid", field=lacking[0], message="must be filled")
        hidden = sorted({*write.fields} & {*self.hidden()})
        if hidden:  # what one may not see one may not write either
            return Rejected(why="readonly", field=hidden[0])
        taken = self._taken(write)
        if taken is not None:
            return Rejected(why="exists", field="email", existing=taken)
        if now is None:
            id_ = self._made(write)
        else:
            id_ = now.id
            self._store(id_, dict(write.fields) if self.quirks.replaces else {**now.props, **write.fields})
        return Applied(record=self.shown(self.moved.get(id_, id_)))

    def has_moved(self, write: Write, now: Person) -> bool:
        if self.quirks.guard != "cas":
            return False
        shown = self.shown(now.id, hidden=()).fields
        return any(shown.get(name) != value for name, value in write.expect.items())

    def shown(self, id_: str, *, hidden: tuple[str, ...] | None = None) -> Record:
        """Show a record as it is."""
        person = self.people[id_]
        return self.record(id_, person.props, person.version, self.hidden() if hidden is None else hidden)

    def record(self, id_: str, props: Mapping[str, Any], version: int, hidden: tuple[str, ...]) -> Record:
        fields = {name: props.get(name) for name in FIELDS if name not in hidden}
        kinds = {"ordered": f"{version:09}", "opaque": f"v{version * 7919 % 10007}", "none": None}
        return Record(id=id_, fields=fields, version=kinds[self.quirks.versions])

    def hidden(self) -> tuple[str, ...]:
        """Name the fields that are not shown this minute."""
        return self.quirks.hidden if self.now_ms() // 60_000 % 2 and not self.calm else ()

    def spelled(self, name: str, raw: Any) -> Any:
        """Spell a value as this app stores it."""
        if not isinstance(raw, str):
            return raw
        q = self.quirks
        if name in q.escape and "&amp;" not in raw.lower():
            raw = escape(raw, quote=False)
        raw = raw.upper() if name in q.upper else raw
        raw = raw.lower() if name in q.lower else raw
        raw = normalize("NFD", raw) if name in q.decompose else raw
        return raw[: q.cut].rstrip() if q.cut and name == "company" else raw

    def _taken(self, write: Write) -> str | None:
        email = write.fields.get("email")
        if not self.quirks.unique_email or email is None:
            return None
        mine = self.spelled("email", email)
        there = [p for p in self.people.values() if p.live or (self.quirks.bin_ms and not p.purged)]
        return next((p.id for p in there if p.id != write.id and p.props.get("email") == mine), None)

    def _made(self, write: Write) -> str:
        person = self.whose(write)
        self.ids += 1
        id_ = f"e:{write.fields.get('email')}" if self.quirks.id_from_email else write.id or f"{self.name}{self.ids}"
        start = {"email_consent": "opted_in"} if self.quirks.subscribes else {}
        self._begin(id_, person, "syncd")
        self._store(id_, {**start, **write.fields})
        if self.quirks.subscribes and "email_consent" not in write.fields:
            self._did(id_, start, "robot")
        return id_

    def _begin(self, id_: str, person: int, by: str) -> None:
        """Make an empty record; one that had this id before it counts on."""
        self.moved.pop(id_, None)
        self.former.pop(id_, None)
        version = self.people[id_].version if id_ in self.people else 0
        again = id_ in self.people
        self.people[id_] = Person(
            id=id_, props={}, person=person, by=by, version=version, born_ms=self.now_ms(), again=again
        )

    # -- time

    def is_spent(self) -> bool:
        """Count a call; say whether it is one too many in this minute."""
        minute = self.now_ms() // 60_000
        self.minute, self.calls = minute, 1 + (self.calls if minute == self.minute else 0)
        return bool(self.quirks.quota) and not self.calm and self.calls > self.quirks.quota

    def tick(self) -> None:
        """Let what is due happen."""
        if not self.later:
            return
        now_ms = self.now_ms()
        due = [later for later in self.later if later.at_ms <= now_ms]
        if due:
            self.later = [later for later in self.later if later.at_ms > now_ms]
            for later in sorted(due, key=lambda later: later.at_ms):
                later.what()

    def after(self, delay_ms: int, what: Callable[[], object]) -> None:
        self.later.append(Later(at_ms=self.now_ms() + delay_ms, what=what))

    def _store(self, id_: str, props: Mapping[str, Any]) -> None:
        person = self.people[id_]
        before = person.props
        person.props = {name: self.spelled(name, raw) for name, raw in props.items() if raw not in (None, "")}
        differ = {name for name in {*before, *person.props} if before.get(name) != person.props.get(name)}
        told = not differ or not differ <= {*self.quirks.unbumped} or not before
        self._note(id_, told=told)
        word = self.quirks.robot
        if (
            word
            and "company" in differ
            and person.props.get("company") not in (None, word, self.spelled("company", word))
        ):
            self.after(ROBOT_MS, lambda: self._automate(id_, word))
        if self.quirks.id_from_email and id_ != f"e:{person.props.get('email')}":
            self._rename(id_, f"e:{person.props.get('email')}")

    def _automate(self, id_: str, word: str) -> None:
        person = self.people[id_]
        if person.live and person.props.get("company") not in (None, word):
            self.edit(id_, {"company": word}, "robot")

    def _rename(self, id_: str, new: str) -> None:
        person = self.people[id_]
        if new in self.people and self.people[new].live:
            return
        version = max(person.version, self.people[new].version if new in self.people else 0)
        self.people[new] = replace(person, id=new, props=dict(person.props), version=version)
        self.moved[id_] = new
        self.former[new] = {id_, *self.former.get(id_, ())}
        self.moved.pop(new, None)  # it may have had this address before
        self.changes[-1] = replace(self.changes[-1], props=None)  # no id is ever shown with the address of another
        self.remove(id_)
        self._note(new, told=True)
        self._did(new, self.people[new].props, "robot")

    def _note(self, id_: str, *, told: bool) -> None:
        person, now_ms = self.people[id_], self.now_ms()
        person.version += told  # what no feed tells of has the version that it had
        stamp = (now_ms + self.quirks.skew_ms) // 1000 * 1000
        if self.quirks.future_ms and self.chance.random() < 0.3:
            stamp += self.quirks.future_ms
        person.stamp_ms = stamp if told else person.stamp_ms
        delay = self.chance.randrange(self.quirks.lag_ms + 1) if self.quirks.lag_ms else 0
        visible = now_ms + delay
        if not self.quirks.unordered and self.changes:
            visible = max(visible, self.changes[-1].visible_ms)
        self.changes.append(
            Change(
                seq=len(self.changes) + 1,
                id=id_,
                props=dict(person.props) if person.live else None,
                version=person.version,
                stamp_ms=stamp,
                visible_ms=visible,
                told=told,
            )
        )
        if self.announce is not None:
            self.announce(id_)

    def _did(self, id_: str, props: Mapping[str, Any], by: str) -> None:
        person = self.people[id_]
        for name, raw in props.items():
            stored = self.spelled(name, raw)
            self.deeds.append(
                Deed(at_ms=self.now_ms(), app=self.index, id=id_, person=person.person, field=name, raw=stored, by=by)
            )
