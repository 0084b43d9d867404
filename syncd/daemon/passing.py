"""One pass of the daemon over everything that is due.

Must not know what makes it due. Each app's share is told in one event.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from syncd import logs
from syncd.daemon.watched import Draining, WatchedWorld
from syncd.engine import passes
from syncd.engine.begin import begin
from syncd.engine.finish import Outcome, finish, forget_idle
from syncd.engine.hub import Hub, OpenApp, counted
from syncd.engine.kept import KeptApps
from syncd.engine.runs import Session
from syncd.engine.setup import make_hub
from syncd.engine.subscribing import Subscriptions
from syncd.errors import AccessError

Due: TypeAlias = Literal["hints", "poll", "sweep"]
WEIGHT: Final[tuple[Due, ...]] = get_args(Due)
"""What is due: where several are, the last of them does."""


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
                elif app.lost or app.moved:  # it is held: whoever puts its fields back tells nobody
                    self._kept.look_again(app.name)
        seconds = time.monotonic() - begun
        for app in hub.apps.values():
            self._tell(app, hub, outcome, seconds)
            if app.hint_ms is not None:
                self.later[app.name] = app.hint_ms
        return frozenset(app.name for app in hub.apps.values() if isinstance(app.error, AccessError))

    def _sync(self, hub: Hub) -> Outcome:
        world = hub.world
        begin(hub, "sync", self._session.config.hash)
        try:
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
            "inbox": outcome.doc["inbox"],
            **counted(app),
            "app_ms": round(self._world.seconds.get(app.name, 0.0) * 1000),
            "pass_ms": round(seconds * 1000),
        }
        if held:
            event |= {"held": held, "remedy": f"syncd approve {hub.run}"}
        if app.error is not None:
            event |= {"error": type(app.error).__name__, "message": str(app.error)}
        (self._log.warning if app.error or held else self._log.info)("pass", **event)
