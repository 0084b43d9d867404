"""The daemon: polls and sweeps as configured, one pass at a time, until SIGTERM.

APScheduler says what is due and nothing else; passes run in the main thread, one after the other, each under the lease, so
that `sync` and `resync` work beside it. Hard rules: a pass that fails is told and the daemon goes on; told to stop, it
finishes the batch that is under way, begins nothing new, and exits 0.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeAlias, TypeVar, get_args

from syncd import logs, registry
from syncd.config import AppConfig, Config, Process, load_config
from syncd.connector import Connector
from syncd.engine import passes, runs
from syncd.engine.finish import Outcome, approvals_of, finish, forget_idle
from syncd.engine.hub import Hub, OpenApp, counted
from syncd.engine.kept import KeptApps
from syncd.engine.runs import Session, note_rules
from syncd.engine.seam import LiveWorld, Transacting
from syncd.engine.setup import make_hub, trapped
from syncd.engine.subscribing import Subscriptions
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.store.lease import Fenced, Lease
from syncd.store.opening import open_store
from syncd.store.store import Store
from syncd.store.tx import Tx

T = TypeVar("T")
P = ParamSpec("P")

DRAIN_SECONDS: Final = 50.0
"""How long the batch under way may take after SIGTERM; containers are given 60 s."""
BEAT_SECONDS_MAX: Final = 15.0
JITTER: Final = 0.05
"""So much of a poll interval is left to chance, that apps and hubs do not ask all at the same time."""
Due: TypeAlias = Literal["hints", "poll", "sweep"]
WEIGHT: Final[tuple[Due, ...]] = get_args(Due)
"""What is due: where several are, the last of them does."""
BEGINNINGS: Final = frozenset({"open", "fingerprint", "read", "hints", "sent", "merge", "match"})
"""Boundaries of the seam at which something new begins. Everything else finishes what was begun."""


class Draining(BaseException):
    """Unwinds a pass at the next boundary. Not an Exception: nothing that reacts to errors may stop it."""


class WatchedWorld(LiveWorld):
    """The live world that says that it is alive, stops at boundaries when told to, and takes the time of each app."""

    def __init__(
        self, store: Transacting, lease: Lease, beat: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        super().__init__(store)
        self._lease, self._beat, self._stopping = lease, beat, stopping
        self.seconds: dict[str, float] = {}
        """App -> how long it took in this pass."""

    def over(self, store: Transacting) -> WatchedWorld:
        return WatchedWorld(store, self._lease, self._beat, self._stopping)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._boundary(what)
        if what == "write":
            self._lease.demand()
        begun = time.monotonic()
        try:
            return super().call(app, what, action, *args, **kwargs)
        finally:
            self.seconds[app] = self.seconds.get(app, 0.0) + time.monotonic() - begun

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._boundary(what)
        return super().transact(what, step, *args, **kwargs)

    def _boundary(self, what: str) -> None:
        self._beat()
        if what in BEGINNINGS and self._stopping():
            raise Draining


class Daemon:
    """One process that keeps the apps in sync."""

    def __init__(self, config: Config, process: Process) -> None:
        self._config, self._process = config, process
        self._store = open_store(config.store, config.data_dir, key=config.key)
        self._log = logs.logger()
        self._due: queue.SimpleQueue[tuple[str, Due] | None] = queue.SimpleQueue()
        self._waiting: dict[str, Due] = {}
        """App -> what is due, for what could not be done at once."""
        self._later: dict[str, int] = {}
        """App -> when its webhooks want it to be read."""
        self._stop = threading.Event()
        self._kept = KeptApps(self._load)
        self._lease = Lease(self._store, wait_seconds=0, command="syncd run")
        fenced = Fenced(self._store, self._lease)
        self._world = WatchedWorld(fenced, self._lease, self._beat, self._stop.is_set)
        self._seam = trapped(self._world, config)
        self._beat_seconds = min(BEAT_SECONDS_MAX, min(app.poll_seconds for app in config.apps) / 3)
        self._beaten = 0.0
        self._deaf = False
        self._begun = False
        self._subscriptions = Subscriptions(process.public_url)
        self._asked: int | None = None
        """The run that waits for the approval of the first look."""
        self._refused: set[str] = set()
        """Apps that refused our credentials: theirs are read anew before the next attempt."""
        self._scheduler: Any = None

    # -- life

    @property
    def config(self) -> Config:
        """The configuration that is in force now."""
        return self._config

    @property
    def store(self) -> Store:
        return self._store

    def wake(self, app: str) -> None:
        """Let a pass follow what a webhook has left in the store. Any thread may call it."""
        self._due.put((app, "hints"))

    def run(self) -> int:
        """Be the daemon; return the exit code."""
        logs.set_up(self._process.log_level)
        self._log = logs.logger()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        self._scheduler = self._schedule()
        self._scheduler.start()
        self._log.info("started", apps=[app.name for app in self._config.apps], pid=os.getpid())
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            self._scheduler.shutdown(wait=False)
            self._kept.close()
            self._say_alive("")
            self._store.close()
        self._log.info("stopped")
        return 0

    def _told_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            os._exit(
                130 if number == signal.SIGINT else 143
            )  # told twice; whatever was sent is looked up at the next start
        self._stop.set()
        self._due.put(None)
        guard = threading.Timer(DRAIN_SECONDS, os._exit, [3])
        guard.daemon = True
        guard.start()

    def _schedule(self) -> Any:
        """Let APScheduler say what is due. Jobs only put a word into a queue, so none is ever late or twice at work."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler
        from apscheduler.triggers.cron import CronTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        rules = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        scheduler = BackgroundScheduler(job_defaults=rules, executors={"default": ThreadPoolExecutor(1)}, daemon=True)
        for app in self._config.apps:
            jitter = max(0.0, app.poll_seconds * JITTER) if app.poll_seconds >= 10 else None
            poll = IntervalTrigger(seconds=max(1, round(app.poll_seconds)), jitter=jitter)
            scheduler.add_job(self._due.put, poll, args=[(app.name, "poll")], id=f"{app.name}: poll")
            sweep = CronTrigger.from_crontab(app.sweep)
            scheduler.add_job(self._due.put, sweep, args=[(app.name, "sweep")], id=f"{app.name}: sweep")
            self._due.put((app.name, "poll"))  # once at the start
        return scheduler

    # -- one turn

    def _turn(self) -> None:
        """Wait for what is due, do it; whatever goes wrong, the daemon goes on."""
        try:
            self._beat()
            self._collect()
            if self._waiting and not self._stop.is_set():
                self._pass()
        except Draining:
            self._log.info("drained", note="the batch under way was finished; the next start goes on from here")
        except SyncdError as error:
            self._log.warning("pass failed", kind=type(error).__name__, message=str(error))
        except Exception as error:  # noqa: BLE001 - the top of the thread that does all the work
            self._log.error("pass failed by a fault of syncd", **logs.fault(error))

    def _collect(self) -> None:
        """Wait one beat for something to be due, then take all that is."""
        timeout = self._beat_seconds
        for app, at_ms in sorted(self._later.items()):
            seconds = (at_ms - self._world.now_ms()) / 1000
            timeout = max(0.0, min(timeout, seconds))
            if seconds <= 0:
                del self._later[app]
                self.wake(app)
        while True:
            try:
                due = self._due.get(timeout=timeout)
            except queue.Empty:
                return
            if due is not None:
                self._waiting[due[0]] = max(self._waiting.get(due[0], due[1]), due[1], key=WEIGHT.index)
            timeout = 0.0
            if self._due.empty():
                return

    def _beat(self) -> None:
        """Write down that we are alive, now and then; also in the middle of a long pass, as long as it gets on."""
        now = time.monotonic()
        if now - self._beaten < self._beat_seconds:
            return
        self._beaten = now
        self._say_alive(str(time.time_ns() // 1_000_000))

    def _say_alive(self, at_ms: str) -> None:
        """Write down when we were alive; nothing, when we end in order."""
        try:
            self._store.transact(lambda tx: tx.set_meta("alive_ms", at_ms))
        except TransientError as error:
            if not self._deaf:
                self._log.warning("the store does not answer", message=str(error))
            self._deaf = True
        else:
            self._deaf = False

    def _pass(self) -> None:
        """Run one pass over everything that is due, if nobody else is at work."""
        due = dict(self._waiting)
        self._renew_secrets(due)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lease)
            except TransientError:
                self._log.debug("waiting", note="another command is at work; what is due stays due")
                return
            self._waiting.clear()
            if self._follows():
                return
            session = Session(config=self._config, store=self._store, world=self._seam, load=self._kept.load)
            if self._approved_once(session):
                if not self._begun:  # the first pass looks at all apps, so that every one's fields are known
                    due = {app.name: "sweep" if due.get(app.name) == "sweep" else "poll" for app in self._config.apps}
                    self._begun = True
                done = Pass(session, self._world, self._kept, due, self._subscriptions)
                refused = done.run()
                self._refused = (self._refused - due.keys()) | refused
                self._later.update(done.later)

    def _approved_once(self, session: Session) -> bool:
        """Say whether the first look at filled apps was approved; look once, and then wait for the approval."""
        if self._store.read(lambda tx: tx.meta("first")) is not None:
            return True
        if self._asked is None:
            outcome = runs.sync(session)
            self._kept.close()
            self._asked = outcome.doc["run"] if outcome.code == 4 else None
            self._refused = set(outcome.errors) if outcome.code == 5 else set()
            log = self._log.warning if outcome.code else self._log.info
            note = {"remedy": f"syncd approve {self._asked}"} if self._asked else {}
            told = {name: outcome.doc[name] for name in ("run", "outcome", "apps")}
            log("first pass", **told, errors=outcome.errors, **note)
        return False

    def _follows(self) -> bool:
        """Take over the configuration that a command beside us put in force, or we would decide by turns with it.

        What was only written, and nobody has synced by, waits for a restart.
        """
        rules = self._store.read(lambda tx: tx.meta("rules"))
        if rules is None or rules == self._config.hash:
            return False
        fresh = self._read_anew()
        if fresh is None or fresh.hash != rules:
            return False
        self._config, self._begun = fresh, False
        self._kept.close()
        self._kept = KeptApps(self._load)
        self._scheduler.shutdown(wait=False)
        self._scheduler = self._schedule()
        self._scheduler.start()
        self._log.info(
            "follows", note="a command put the changed configuration in force", apps=[a.name for a in fresh.apps]
        )
        return True

    def _load(self, settings: AppConfig) -> Connector:
        return registry.load(settings.connector_at, self._config.connector_folders)

    def _read_anew(self) -> Config | None:
        """Read the configuration as it is now; None where it is wrong."""
        try:
            return load_config(self._config.path, registry.spec, process=self._process)
        except ConfigError as error:
            self._log.warning("the configuration cannot be read anew", message=str(error))
            return None

    def _renew_secrets(self, due: Mapping[str, Due]) -> None:
        """Read the configuration anew where an app refused us: only its secrets may be other ones."""
        if not self._refused & due.keys():
            return
        fresh = self._read_anew()
        if fresh is not None and fresh.hash == self._config.hash:
            secrets = {app.name: app.secrets for app in fresh.apps}
            apps = tuple(replace(app, secrets=secrets.get(app.name, app.secrets)) for app in self._config.apps)
            self._config = replace(self._config, apps=apps)


class Pass:
    """One pass: read what is due, decide, write wherever it is needed, and tell each app's share in one event."""

    def __init__(
        self,
        session: Session,
        world: WatchedWorld,
        kept: KeptApps,
        due: Mapping[str, Due],
        subscriptions: Subscriptions,
    ) -> None:
        self._session, self._world, self._kept, self._due = session, world, kept, due
        self._subscriptions = subscriptions
        self._log = logs.logger()
        self.later: dict[str, int] = {}
        """App -> when its webhooks want it to be read again."""

    def run(self) -> frozenset[str]:
        """Do it; return the apps that refused our credentials."""
        begun = time.monotonic()
        self._world.seconds.clear()
        only = self._kept.names | self._due.keys()
        session = self._session
        hub = make_hub(session.world, session.config, session.load, keep=session.keeper, only=only)
        try:
            outcome = self._sync(hub)
        finally:
            for app in hub.apps.values():
                if app.error is not None:
                    self._kept.drop(app.name)
        seconds = time.monotonic() - begun
        for app in hub.apps.values():
            self._tell(app, hub, outcome, seconds)
            if app.hint_ms is not None:
                self.later[app.name] = app.hint_ms
        return frozenset(app.name for app in hub.apps.values() if isinstance(app.error, AccessError))

    def _sync(self, hub: Hub) -> Outcome:
        world = hub.world
        hub.run = world.transact("run", lambda tx: tx.begin_run("sync", world.now_ms()))
        try:
            hub.approved = world.transact("approvals", approvals_of)
            world.transact("rules", lambda tx: note_rules(tx, self._session.config.hash))
            chosen = [app for app in hub.apps.values() if app.name in self._due]
            for app in chosen:
                app.sweep = self._due[app.name] == "sweep"
            passes.read_all(hub, chosen, hinted={name for name, what in self._due.items() if what == "hints"})
            passes.settle_down(hub, chosen)
        except Draining:
            finish(hub)
            world.transact("idle", lambda tx: forget_idle(tx, hub))
            raise
        outcome = finish(hub)
        hooked = [app for app in chosen if app.hooked and self._due[app.name] != "hints"]
        self._subscriptions.look_after(hub, hooked, self._session.config, self._kept)
        if world.transact("idle", lambda tx: forget_idle(tx, hub)):
            hub.run = 0
        return outcome

    def _tell(self, app: OpenApp, hub: Hub, outcome: Outcome, seconds: float) -> None:
        """Write the one wide event of this app. On a healthy day none of them is a warning."""
        held = {held.verb: held.count for held in hub.held if held.app == app.name}
        if app.name not in self._due and not held and app.error is None and not any(app.counts.values()):
            return
        word = "failed" if app.error else "held" if held else "paused" if app.paused else "ok"
        event: dict[str, Any] = {
            "app": app.name,
            "run": hub.run or None,
            "kind": self._due.get(app.name, "poll"),
            "outcome": word,
            "hub": outcome.doc["outcome"],
            **counted(app),
            "app_ms": round(self._world.seconds.get(app.name, 0.0) * 1000),
            "pass_ms": round(seconds * 1000),
        }
        if held:
            event |= {"held": held, "remedy": f"syncd approve {hub.run}"}
        if app.error is not None:
            event |= {"error": type(app.error).__name__, "message": str(app.error)}
        (self._log.warning if app.error or held else self._log.info)("pass", **event)
