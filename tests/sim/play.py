"""Play a scenario: rounds of people, faults and runs of the real engine; then peace, rest, and judgement.

Hard rule: the same scenario gives the same trace, whatever the process, the store or PYTHONHASHSEED.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from syncd.config import AppConfig, Config
from syncd.connector import Connector
from syncd.engine import runs
from syncd.engine.runs import Session
from syncd.errors import AccessError, TransientError
from syncd.model import Record, Result, Write
from syncd.store.store import EPOCH, LeaseLost
from tests.sim.afterwards import Deeds
from tests.sim.app import connector
from tests.sim.asking import RUNS
from tests.sim.backups import Backups
from tests.sim.calls import Calls
from tests.sim.ears import Ears
from tests.sim.ghost import Ghost
from tests.sim.humans import act
from tests.sim.monitors import Monitors, Violation
from tests.sim.rest import at_rest, told_by_feeds
from tests.sim.scenario import APPS, Round, Scenario
from tests.sim.setting import config_of, is_foreign
from tests.sim.stores import Kept, Opening, forget_cursors
from tests.sim.vendor import Vendor
from tests.sim.watch import Watch
from tests.sim.world import Clock, Crash, SimWorld

REST_RUNS_MAX: Final = 24
"""Within so many runs after the last fault everything must have come to rest."""
RUN_BOUNDARIES_MAX: Final = 3_000
REST_PAUSE_MS: Final = 661_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a history."""

    scenario: Scenario
    violations: tuple[Violation, ...]
    seen: Counter[str]
    unknowable: Counter[str]
    trace: str
    story: tuple[str, ...]
    boundaries: int


@dataclass(slots=True)
class Play:
    """A history under way: the stage of its worlds, and the watcher of its connections."""

    scenario: Scenario
    kept: Kept
    blunders: frozenset[str] = frozenset()
    clock: Clock = field(default_factory=Clock)
    owner: int = 0
    round: int = -1
    boundary: int = 0
    total: int = 0
    spent: int = 0
    """Boundaries of this run."""
    calls: Calls = field(default_factory=Calls)
    written: Counter[int] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    peace: bool = False
    nested: bool = False
    sends: int = 0
    story: list[str] = field(default_factory=list)
    vendors: list[Vendor] = field(default_factory=list)
    ghost: Ghost = field(init=False)
    monitors: Monitors = field(init=False)
    watch: Watch = field(init=False)
    deeds: Deeds = field(init=False)
    ears: Ears = field(init=False)
    backups: Backups = field(init=False)
    config: Config = field(init=False)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.clock.seed = scenario.seed
        self.config = config_of(scenario)
        self.ghost = Ghost(self.vendors)
        for place, quirks in enumerate(scenario.apps):
            self.vendors.append(Vendor(place, APPS[place], quirks, scenario.seed, self.clock.true, self._whose))
        self.ears = Ears(self.kept, self.clock, self._number, self.met)
        for vendor in self.vendors:
            if vendor.quirks.hooks:
                vendor.announce = partial(self.ears.announce, vendor)
        self.monitors = Monitors(scenario, self.vendors, self.ghost, self.kept.store, self.clock.true)
        self.watch = Watch(self.monitors, self.config.guards)
        self.deeds = Deeds(self.monitors)
        self.backups = self.monitors.backups = Backups(self.vendors, self.ghost)

    def _whose(self, write: Write) -> int:
        found = self.ghost.of_address(write.fields.get("email"))
        return -1 if found is None else found

    # -- the course of things

    def play(self) -> Played:
        try:
            self._course()
        except Exception as error:  # noqa: BLE001 - whatever the engine let through is a fault of ours, and belongs to this seed
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            self.monitors.blame("NO-SURPRISE", f"{type(error).__name__} at {where}: {error}")
        return Played(
            scenario=self.scenario,
            violations=tuple(self.monitors.violations),
            seen=self.monitors.seen,
            unknowable=self.ghost.unknowable,
            trace=blake2b("\n".join(self.story).encode(), digest_size=12).hexdigest(),
            story=tuple(self.story),
            boundaries=self.total,
        )

    def _course(self) -> None:
        for number, round_ in enumerate(self.scenario.rounds):
            self._round(number, round_)
            if self.monitors.violations:
                return
        self._rest()

    def _round(self, number: int, round_: Round) -> None:
        self.round, self.boundary = number, -1
        for counted in (self.calls.counted, self.written, self.named):
            counted.clear()
        self._pause(round_.pause_ms)
        if number == 1:
            for place in self.scenario.broken:
                self.vendors[place].down = "transient"
        self.backups.begins(self, number)
        self._people(-1)
        self.boundary = 0
        outcome = self.run(round_.kind)
        if outcome is not None and (outcome.doc["held"] or "preview" in outcome.doc):
            self.approve(outcome)
        for boundary in sorted({a.at for a in self.scenario.actions if a.round == number and a.at >= self.boundary}):
            self._people(boundary)

    def _pause(self, pause_ms: int) -> None:
        end_ms = self.clock.true_ms + pause_ms
        self.tell(f"-- {pause_ms / 1000:g} s later")
        while due := [later.at_ms for vendor in self.vendors for later in vendor.later if later.at_ms <= end_ms]:
            self.clock.true_ms = max(self.clock.true_ms, min(due))
            for vendor in self.vendors:
                vendor.tick()
        self.clock.true_ms = end_ms

    def session(self) -> Session:
        """Start a new process: it takes the lease, and whoever had it is fenced off."""
        self.owner += 1
        self.watch.begins()
        self.monitors.begins()
        self.kept.store.transact(lambda tx: tx.set_meta(EPOCH, str(self.owner)))
        store, load = self.kept.store, partial(self._load, self.owner)
        world = SimWorld(store, self, self.owner)
        return Session(config=self.config, store=store, world=world, load=load, throwaway=self.kept.throwaway)

    def run(self, kind: str) -> Any:
        """Let a new process do one run; None when it died."""
        session, self.spent = self.session(), 0
        self.tell(f"syncd {kind}")
        try:
            outcome = RUNS[kind](self, session)
        except Crash:
            self.tell("   the process dies")
            self.ghost.crash()
            self.deeds.forgotten()
            return None
        except LeaseLost:
            self.tell("   it has lost the lease and stops")
            self.monitors.seen["lease lost"] += 1
            self.ghost.crash()
            self.deeds.forgotten()
            return None
        if kind == "plan":
            self.tell(f"   a plan ({outcome.code})")
            self.ghost.crash()  # whatever it was shown went into a copy
            return None
        self.deeds.quiet([*outcome.errors.values(), *(why for rows in outcome.parked.values() for _, why in rows)])
        held = "".join(f", {held['app']} {held['verb']}" for held in outcome.doc["held"])
        self.tell(f"   {outcome.doc['outcome']} ({outcome.code}){held}, inbox {outcome.doc['inbox']}")
        self.monitors.seen[f"outcome {outcome.doc['outcome']}"] += 1
        for held in outcome.doc["held"]:
            self.monitors.seen[f"held: {held['verb']}"] += 1
        return outcome

    def approve(self, outcome: Any) -> None:
        """Let the operator release what was held."""
        if any(held["verb"] == "account" for held in outcome.doc["held"]):
            self.tell("the operator gives syncd the right key back")
            return
        session = self.session()
        try:
            runs.approve(session, outcome.doc["run"])
            self.ghost.approvals += 1
            self.tell("the operator approves")
        except (Crash, LeaseLost) as end:
            self.tell("   the process dies" if isinstance(end, Crash) else "   it has lost the lease and stops")

    def _load(self, owner: int, settings: AppConfig) -> Connector:
        vendor = next(v for v in self.vendors if v.name == settings.name)
        return connector(vendor, self, self.blunders, foreign=is_foreign(self, vendor, owner))

    def _rest(self) -> None:
        """Stop people and faults; everything must come to rest, and then hold still."""
        self.peace, self.round = True, len(self.scenario.rounds)
        for vendor in self.vendors:
            vendor.calm = True
            vendor.out_of_sight.clear()
        if self._settled(("sync",), quiet=2, runs_max=REST_RUNS_MAX // 2):
            told_by_feeds(self)  # before a full listing repairs what a feed did not tell
        if self.monitors.violations:
            return
        if not self._settled(("sweep", "sync"), quiet=3, runs_max=REST_RUNS_MAX):
            self.monitors.blame("QUIESCENCE", f"not at rest after {REST_RUNS_MAX} runs")
        if not self.monitors.violations:
            at_rest(self)
            self._once_more()
            self.deeds.judge()

    def _settled(self, kinds: Sequence[str], *, quiet: int, runs_max: int) -> bool:
        """Let runs follow until so many in a row did nothing and left nothing to do; the operator approves everything."""
        still = 0
        for number in range(runs_max):
            before = self.sends
            self._pause(REST_PAUSE_MS)
            outcome = self.run(kinds[number % len(kinds)])
            asked = outcome is not None and (outcome.doc["held"] or "preview" in outcome.doc)
            if asked:
                self.approve(outcome)
            busy = asked or self.sends > before or any(v.later for v in self.vendors) or self._doubts()
            still = 0 if busy else still + 1
            if self.monitors.violations or still == quiet:
                return still == quiet
        return False

    def _doubts(self) -> bool:
        whole = {self.monitors.number(place) for place in range(len(self.vendors)) if place not in self.scenario.broken}
        return any(sent and app in whole for app, _, sent, _, _ in self.monitors.ask(lambda tx: tx.intent_counts()))

    def _once_more(self) -> None:
        before = self.sends
        self.monitors.ask(forget_cursors)
        for kind in ("sync", "sweep"):
            self._pause(REST_PAUSE_MS)
            self.run(kind)
        if self.sends > before:
            self.monitors.blame("QUIESCENCE", "a cycle without cursors sent something")

    # -- people and faults

    def _people(self, boundary: int) -> None:
        for action in self.scenario.actions:
            if (action.round, action.at) == (self.round, boundary):
                self.tell(act(action, self.vendors, self.ghost, self.clock))

    def cross(self, kind: str, app: str, what: str, *, after: bool) -> None:
        """A boundary of the engine."""
        self.total += 1
        self.spent += 1
        if self.spent > RUN_BOUNDARIES_MAX:
            raise AssertionError(f"a run does not end: {what}")
        for vendor in self.vendors:
            vendor.tick()
        if self.peace or self.nested:
            return
        boundary, self.boundary = self.boundary, self.boundary + 1
        self._people(boundary)
        for fault in self.scenario.faults:
            if fault.round != self.round or fault.kind not in ("crash", "takeover", "clock"):
                continue
            place = (
                self.named[what] if fault.how == what else boundary if not fault.how or fault.kind == "clock" else -1
            )
            if fault.at == place:
                self._fault(fault.kind, fault.how, f"{'after' if after else 'before'} {kind} {app} {what}")
        self.named[what] += 1

    def _fault(self, kind: str, how: str, where: str) -> None:
        self.monitors.seen[f"{kind} {where}"] += 1
        self.tell(f"   {kind} {where}")
        if kind == "crash":
            raise Crash
        if kind == "clock":
            self.clock.wrong_ms += int(how)
            return
        self.nested = True
        ghost, deeds = self.ghost, self.deeds
        aside = ghost.pending, ghost.replies, ghost.listing, deeds.answers
        ghost.pending, ghost.replies, ghost.listing, deeds.answers = [], [], [], []
        self.run("sync")
        ghost.pending, ghost.replies, ghost.listing, deeds.answers = aside
        self.nested = False

    def refuse(self, app: str, what: str, *, after: bool) -> None:
        if self.peace or self.nested:
            return
        place = APPS.index(app)
        fault = self.calls.struck(self.scenario.faults, self.round, place, what, after=after)
        if fault is None:
            return
        self.tell(f"   {app} {what}: {fault.how}")
        self.monitors.seen[f"call failed: {what} {fault.how}"] += 1
        (self.ghost.crash if what == "write" else self.ghost.failed)()
        self.deeds.unheard(place)
        raise AccessError("refused") if fault.how == "access" else TransientError("no answer")

    def about_to(self, what: str, args: tuple[Any, ...]) -> None:
        if what == "unlink":
            self.monitors.unlinks(APPS.index(args[1].name), args[2])

    def committed(self, what: str, args: tuple[Any, ...]) -> None:
        self.ghost.commit(what, self.clock.true_ms, self.clock.wrong_ms)
        self.watch.committed(what)
        self.deeds.committed(what)
        self.monitors.seen[f"transaction: {what}"] += 1

    def forgotten(self) -> None:
        self.ghost.crash()

    # -- conversations with apps

    def fate(self, app: int) -> str:
        if self.peace or self.nested:
            return ""
        number = self.written[app]
        self.written[app] += 1
        for fault in self.scenario.faults:
            if (fault.round, fault.kind, fault.app, fault.at) == (self.round, "write", app, number):
                self.monitors.seen[f"write {fault.how}"] += 1
                self.tell(f"   the next write in {APPS[app]} goes {fault.how}")
                return fault.how
        return ""

    def asked(self, app: int, write: Write, *, late: bool) -> None:
        self.sends += 1
        shown = ", ".join(f"{name}={write.fields[name]!r}" for name in sorted(write.fields))
        self.tell(f"   {APPS[app]} <- {write.kind} {write.id or '(new)'}: {shown}{' (late)' if late else ''}")
        self.monitors.asked(app, write, late=late)
        if late:
            self.deeds.unheard(app)
        else:
            self.watch.asked(app, write)
            self.backups.asked(self, app, write)

    def answered(self, app: int, write: Write, result: Result) -> None:
        self.deeds.answered(app, write, result)
        self.tell(f"   {APPS[app]} -> {type(result).__name__} {getattr(result, 'why', '')}".rstrip())
        self.monitors.answered(app, write, result)

    def silent(self, app: int, write: Write) -> None:
        self.tell(f"   {APPS[app]} -> no answer to {write.kind} {write.id or '(new)'}")
        self.monitors.doubted(app, write)
        self.deeds.unheard(app)

    def shown(self, app: int, records: Sequence[Record], how: str) -> None:
        self.ghost.show(app, records, how)
        self.backups.shown(self, app, records, how)
        self.watch.shown(app, records, how)
        if how == "get":
            self.monitors.looked(app, records)

    def absent(self, app: int, ids: Sequence[str]) -> None:
        self.ghost.lack(app, ids)

    def met(self, what: str) -> None:
        self.monitors.seen[what] += 1

    def _number(self, app: int) -> int:
        return self.monitors.number(app)

    def trespassed(self, app: int) -> None:
        self.monitors.blame("TENANT-FENCE", f"{APPS[app]} is another account, and it was asked for more than its name")

    def listed(self, app: int, ids: Sequence[str]) -> None:
        self.ghost.listing.append((app, tuple(ids)))

    def tell(self, line: str) -> None:
        self.story.append(line)


def play(scenario: Scenario, opening: Opening, blunders: frozenset[str] = frozenset()) -> Played:
    """Play one scenario on a store of its own. `blunders`: what the connectors do wrong."""
    with opening() as kept:
        return Play(scenario, kept, blunders).play()
