"""Subscribing: have vendors send their webhooks to us where their API takes that, and notice when none come any more.

Works between passes, on apps that are open. Hard rule: what is there already is never asked for twice, and an app that
refuses goes on being polled.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd import logs
from syncd.config import AppConfig, Config
from syncd.config.settings import hook_address
from syncd.connector import Subscribes
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.kept import KeptApps
from syncd.engine.seam import World
from syncd.errors import SyncdError, TransientError
from syncd.store.hints import SILENT, HookState
from syncd.store.tx import Tx


class Subscriptions:
    """What was arranged with vendors since the daemon started."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._done: set[str] = set()
        self._silent: set[str] = set()
        self._log = logs.logger()

    def look_after(self, hub: Hub, apps: Sequence[OpenApp], config: Config, kept: KeptApps) -> None:
        """Arrange what is not arranged yet, and see whether webhooks still come; for apps that were just polled."""
        for app in apps:
            opened: object = kept.get(app.name)
            if app.usable and self._public_url and app.name not in self._done and isinstance(opened, Subscribes):
                self._arrange(hub.world, config.app(app.name), opened)
        if apps:
            self._watch(hub, apps)

    def _arrange(self, world: World, settings: AppConfig, opened: Subscribes) -> None:
        """Have the webhooks of one app sent here."""
        address = hook_address(self._public_url, settings)
        try:
            if not world.call(settings.name, "subscribed", opened.subscribed, address):
                world.call(settings.name, "subscribe", opened.subscribe, address)
                self._log.info("subscribed", app=settings.name)
        except SyncdError as error:
            if isinstance(error, TransientError):
                return  # with the next pass
            remedy = "syncd check tells the address; give it to the vendor by hand"
            self._log.warning("not subscribed", app=settings.name, message=str(error), remedy=remedy)
        self._done.add(settings.name)

    def _watch(self, hub: Hub, apps: Sequence[OpenApp]) -> None:
        """Tell the operator, once, of an app whose changes no webhook names any more."""
        states = hub.world.transact("hooks", _states)
        for app in apps:
            silent = app.index in states and states[app.index].silent >= SILENT
            if silent and app.name not in self._silent:
                self._log.warning(
                    "webhooks are silent",
                    app=app.name,
                    missed=states[app.index].silent,
                    remedy="the changes were found by polling; see whether the vendor still sends, and to which address",
                )
            (self._silent.add if silent else self._silent.discard)(app.name)


def _states(tx: Tx) -> dict[int, HookState]:
    return tx.hooks()
