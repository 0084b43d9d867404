"""Every history of a small world (SYNC-MODEL 3.2): two or three apps, two people, one plain field and consent, all initial
worlds, and every placement of one or two deviations: crashes, lost and refused calls and writes, another process, and
everything that people do.

A deviation is placed wherever it can make a difference: what people do, before every call (between two calls the engine
sees nothing of an app); a crash, behind every call and transaction (before the next one the world is the same). Where the world at rest is one that was
judged before, it is not judged again (`Judged`). With two deviations the first is one at a send or at its commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from tests.sim.fingerprint import fingerprint
from tests.sim.model_store import ModelStore
from tests.sim.play import Play, Played
from tests.sim.quirks import Quirks
from tests.sim.scenario import Action, ActionKind, Fault, Round, Scenario
from tests.sim.stores import Opening, memory

KINDS: Final[dict[str, Quirks]] = {
    "exact": Quirks(),
    "vague": Quirks(own_ids=True, guard="blind", versions="opaque", deletes="silent"),
}
"""An app that makes everything provable, and one that makes next to nothing so."""
PEOPLE: Final[tuple[tuple[ActionKind, str], ...]] = (
    ("create", "first_name"),
    ("edit", "first_name"),
    ("blank", "first_name"),
    ("opt_out", ""),
    ("opt_in", ""),
    ("opt_in_bare", ""),
    ("move", ""),
    ("delete", ""),
    ("undelete", ""),
    ("merge", ""),
)
CALLS: Final = ("transient", "access", "lost")
WRITES: Final = ("lost", "never", "late", "busy", "short", "invalid")
SENDS: Final = ("sent", "write", "result")
"""Names of the boundaries at which the first of two deviations is placed."""
IDLE: Final = ("run", "meta", "undo", "logged", "consent_log")
"""Tables that nothing in the engine depends on, beside the numbers of runs and processes."""
NUMBER: Final = 60
"""What deviations type is numbered from here on."""


class Mark(NamedTuple):
    """A boundary that a run crossed."""

    round: int
    at: int
    kind: str
    app: str
    what: str
    after: bool


class Deviation(NamedTuple):
    """One thing that goes another way."""

    mark: Mark
    action: Action | None = None
    fault: Fault | None = None

    def of(self, scenario: Scenario) -> Scenario:
        """Give the scenario with this in it."""
        actions = (*scenario.actions, self.action) if self.action else scenario.actions
        faults = (*scenario.faults, self.fault) if self.fault else scenario.faults
        return replace(scenario, actions=actions, faults=faults)


@dataclass(slots=True)
class Judged:
    """States at rest whose future was looked at, and how many there were again."""

    states: set[bytes] = field(default_factory=set)
    again: int = 0


@dataclass(slots=True)
class Small(Play):
    """A play that notes the boundaries it crosses and is not played to the end when its end is known."""

    judged: Judged = field(default_factory=Judged)
    marks: list[Mark] = field(default_factory=list)
    asked_of: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    """(round, app, "call" or "write") -> how many there were."""

    def cross(self, kind: str, app: str, what: str, *, after: bool) -> None:
        if not self.peace and not self.nested:
            self.marks.append(Mark(self.round, self.boundary, kind, app, what, after))
        Play.cross(self, kind, app, what, after=after)

    def refuse(self, app: str, what: str, *, after: bool) -> None:
        if not self.peace and not self.nested and not after:
            self.asked_of[self.round, [v.name for v in self.vendors].index(app), "call"] += 1
        Play.refuse(self, app, what, after=after)

    def _rest(self) -> None:
        store = self.kept.store
        assert isinstance(store, ModelStore)
        tables = {name: getattr(store.tables, name) for name in store.tables.__slots__ if name not in IDLE}
        state = fingerprint(
            self.clock.true_ms, self.clock.wrong_ms, tables, self.vendors, self.ghost, self.monitors.spelled,
            self.monitors.writes, self.monitors.doubts,
        )  # fmt: skip
        if state in self.judged.states:
            self.judged.again += 1
            return
        Play._rest(self)
        if not self.monitors.violations:
            self.judged.states.add(state)


def worlds(apps: int, kind: str) -> Iterator[tuple[str, Scenario]]:
    """Give each initial world with what happens there anyway, so that there is something to send."""
    quirks = (KINDS[kind],) * apps
    for name, (rounds, actions) in _histories(apps).items():
        made = tuple(replace(action, number=action.number or 1 + place) for place, action in enumerate(actions))
        yield name, Scenario(seed=0, apps=quirks, persons=2, rounds=(Round(),) * rounds, actions=made)


def _histories(apps: int) -> dict[str, tuple[int, list[Action]]]:
    def add(app: int, person: int, number: int = 0, round_: int = 0) -> Action:
        return Action(round=round_, at=-1, kind="create", app=app, person=person, field="first_name", number=number)

    def do(round_: int, kind: ActionKind, app: int, person: int) -> Action:
        return Action(round=round_, at=-1, kind=kind, app=app, person=person, field="first_name")

    everywhere = [add(app, person, 50 + person) for app in range(apps) for person in (0, 1)]
    busy = [do(2, "edit", 0, 0), do(2, "opt_out", 1, 1)]
    return {
        "one side": (3, [add(0, 0), add(0, 1), do(1, "opt_out", 0, 1)]),
        "both equal": (3, [*everywhere, do(1, "edit", 0, 0)]),
        "both different": (3, [add(app, person) for app in range(apps) for person in (0, 1)]),
        "both and a duplicate": (3, [*everywhere, add(1, 0, 52)]),
        "linked": (4, [*everywhere, *busy]),
        "linked and a tombstone": (4, [*everywhere, do(1, "delete", 1, 0), *busy]),
    }


FIRST: Final = {"linked": 2, "linked and a tombstone": 1}
"""The round from which on a world deviates; before it, it is being made."""


def play_small(scenario: Scenario, judged: Judged, opening: Opening = memory) -> tuple[Played, Small]:
    """Play one history."""
    with opening() as kept:
        small = Small(scenario, kept, judged=judged)
        return small.play(), small


def deviations(small: Small, first: int, apps: int, *, after: Mark | None = None) -> Iterator[Deviation]:
    """Give everything that can go another way in the rounds from `first` on, behind a boundary if one is given."""
    start = (first, -1) if after is None else (after.round, after.at)
    marks = [mark for mark in small.marks if (mark.round, mark.at) > start or (after is None and mark.round >= first)]
    for mark in marks:
        if mark.after or not mark.at:
            yield Deviation(mark, fault=Fault(round=mark.round, kind="crash", at=mark.at))
        if mark.kind == "transact" and not mark.after:
            yield Deviation(mark, fault=Fault(round=mark.round, kind="takeover", at=mark.at))
        if mark.kind == "call" and not mark.after:
            yield from _people(mark, apps)
    for mark in _round_ends(small, first):
        if (mark.round, mark.at) > start:
            yield from _people(mark, apps)
    yield from _refusals(small, marks)


def _people(mark: Mark, apps: int) -> Iterator[Deviation]:
    for place, (kind, name) in enumerate(PEOPLE):
        for app in range(apps):
            for person in (0, 1):
                number = NUMBER + place
                action = Action(
                    round=mark.round, at=mark.at, kind=kind, app=app, person=person, field=name, number=number
                )
                yield Deviation(mark, action=action)


def _round_ends(small: Small, first: int) -> Iterator[Mark]:
    last: dict[int, int] = {}
    for mark in small.marks:
        last[mark.round] = mark.at
    for round_, at in last.items():
        if round_ >= first:
            yield Mark(round_, at + 1, "end", "", "", after=False)


def _refusals(small: Small, marks: Sequence[Mark]) -> Iterator[Deviation]:
    """Let each call fail, and each write go each wrong way."""
    names = [vendor.name for vendor in small.vendors]
    calls: Counter[tuple[int, str]] = Counter()
    writes: Counter[tuple[int, str]] = Counter()
    wanted = set(marks)
    for mark in small.marks:
        if mark.kind != "call" or mark.after:
            continue
        here = (mark.round, mark.app)
        if mark in wanted:
            for how in CALLS:
                fault = Fault(round=mark.round, kind="call", at=calls[here], app=names.index(mark.app), how=how)
                yield Deviation(mark, fault=fault)
            for how in WRITES if mark.what == "write" else ():
                fault = Fault(round=mark.round, kind="write", at=writes[here], app=names.index(mark.app), how=how)
                yield Deviation(mark, fault=fault)
        calls[here] += 1
        writes[here] += mark.what == "write"


@dataclass(slots=True)
class Searched:
    """What a search came to."""

    histories: int = 0
    again: int = 0
    failed: list[Played] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    unknowable: Counter[str] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        self.histories += 1
        self.seen.update(played.seen)
        self.unknowable.update(played.unknowable)
        if played.violations:
            self.failed.append(played)

    def join(self, other: Searched) -> None:
        self.histories += other.histories
        self.again += other.again
        self.failed += other.failed
        self.seen.update(other.seen)
        self.unknowable.update(other.unknowable)


def search(world: str, scenario: Scenario, depth: int, *, part: int = 0, parts: int = 1) -> Searched:
    """Play a world with no deviation, with each one, and (depth 2) with each second one behind a first at a send.

    `part` of `parts`: every so many-th first deviation, for several processes.
    """
    judged, found, first = Judged(), Searched(), FIRST.get(world, 0)
    plain, small = play_small(scenario, judged)
    found.add(plain)
    for place, deviation in enumerate(deviations(small, first, len(scenario.apps))):
        if place % parts != part:
            continue
        once = deviation.of(scenario)
        played, next_ = play_small(once, judged)
        found.add(played)
        if depth > 1 and not played.violations and deviation.mark.what in SENDS:
            for second in deviations(next_, first, len(scenario.apps), after=deviation.mark):
                found.add(play_small(second.of(once), judged)[0])
    found.again = judged.again
    return found
