"""The daemon: polls and sweeps as configured, one pass at a time, until SIGTERM.

APScheduler says what is due and nothing else; passes run in the main thread, one after the other, each under the lease, so
that `sync` and `resync` work beside it. Of several daemons of one store one is on duty, the others stand by. Hard rules: a pass that fails is told and the daemon goes on; told to stop, it
finishes the batch that is under way, begins nothing new, and exits 0.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from types import FrameType
from typing import Any, Final

from syncd import logs, registry
from syncd.config import AppConfig, Config, Process, load_config
from syncd.connector import Connector
from syncd.daemon.passing import WEIGHT, Due, Pass
from syncd.daemon.watched import Draining, WatchedWorld
from syncd.engine import runs
from syncd.engine.first import WENT_BACK, look_again, was_looked_at
from syncd.engine.kept import KeptApps
from syncd.engine.runs import Session
from syncd.engine.setup import trapped
from syncd.engine.subscribing import Subscriptions
from syncd.errors import ConfigError, SyncdError, TransientError
from syncd.store.lease import Fenced, Lease, LeaseTaken
from syncd.store.opening import open_store
from syncd.store.post import ALIVE, Post
from syncd.store.store import Store

DRAIN_SECONDS: Final = 50.0
"""How long the batch under way may take after SIGTERM; containers are given 60 s."""
BEAT_SECONDS_MAX: Final = 15.0
STANDBY_SECONDS: Final = 1.0
"""How often a daemon that stands by looks whether it is called to duty."""
JITTER: Final = 0.05
"""So much of a poll interval is left to chance, that apps and hubs do not ask all at the same time."""

STANDS_BY: Final = (
    "another daemon keeps this store in sync; this one takes over when that one ends, and until then does nothing"
)


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
        self._post = Post(self._store)
        self._lease = Lease(self._store, wait_seconds=0, command="syncd run", went_back=look_again)
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

    def run(self, beside: Callable[[], AbstractContextManager[None]] = nullcontext) -> int:
        """Be the daemon, as soon as no other one is; `beside` goes on as long. Return the exit code."""
        logs.set_up(self._process.log_level)
        self._log = logs.logger()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        try:
            while self._called_to_duty():
                with beside():
                    self._be_on_duty()
        finally:
            self._leave()
            self._store.close()
        self._log.info("stopped")
        return 0

    def _called_to_duty(self) -> bool:
        """Wait for the post and say who has it; False when told to stop before."""
        told, beaten = "", 0.0
        while not self._stop.is_set():
            try:
                holder = self._post.taken_by()
                if holder is None:
                    return True
                if time.monotonic() - beaten >= self._beat_seconds:
                    self._post.stand_by()
                    beaten = time.monotonic()
                event = {"event": "stands by", "daemon": holder, "note": STANDS_BY}
            except TransientError as error:
                event = {"event": "the store is out of reach", "message": str(error)}
            if event["event"] != told:
                told = event["event"]
                self._log.warning(**event)
            with suppress(queue.Empty):
                self._due.get(timeout=STANDBY_SECONDS)
        return False

    def _be_on_duty(self) -> None:
        """Do all that is due until told to stop, or until another daemon has the post."""
        self._begun = False
        self._scheduler = self._schedule()
        self._scheduler.start()
        self._log.info("started", apps=[app.name for app in self._config.apps], pid=os.getpid())
        try:
            while not self._stop.is_set() and self._on_duty():
                self._turn()
        finally:
            self._scheduler.shutdown(wait=False)
            self._kept.close()
            if self._on_duty():
                self._say_alive("")

    def _on_duty(self) -> bool:
        """Look whether the post is still ours; a store that is out of reach gives it to nobody else."""
        try:
            return self._post.taken_by() is None
        except SyncdError:
            return True

    def _leave(self) -> None:
        try:
            self._post.leave()
        except TransientError as error:  # what we left there is forgotten in a minute
            self._log.info("the store is out of reach", message=str(error))

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
            self._store.transact(lambda tx: tx.set_meta(ALIVE, at_ms))
        except TransientError as error:
            if not self._deaf:
                self._log.warning("the store is out of reach", message=str(error))
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
            except LeaseTaken:
                self._log.debug("waiting", note="another command is at work; what is due stays due")
                return
            self._waiting.clear()
            if self._lease.store_went_back:
                self._log.warning("the store went back in time", message=WENT_BACK)
                self._asked, self._begun = None, False
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
        if self._store.read(was_looked_at):
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
