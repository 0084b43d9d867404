"""The world of a daemon: it says that it is alive, and what is told to stop stops at the next boundary.

Hard rule: what was begun is finished; only what would begin something new is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

from syncd.engine.seam import LiveWorld, Transacting
from syncd.store.lease import Lease
from syncd.store.tx import Tx

T = TypeVar("T")
P = ParamSpec("P")

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
