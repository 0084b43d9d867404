"""The one seam through which the engine reaches the world. Production answers here; the simulator is another answerer.

Hard rule: the engine has no other source of time, randomness, ids, network or storage. Each use is a numbered boundary.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from syncd.store.tx import Tx

T = TypeVar("T")
P = ParamSpec("P")


class Transacting(Protocol):
    """Whatever gives out transactions: a store, or a copy of one."""

    def transact(self, step: Callable[[Tx], T]) -> T:
        """Run a step in one transaction."""


class World(Protocol):
    """What the engine may ask of the world."""

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Reach an app: run `action`, which talks to it. May raise a reaction."""

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Load, decide and write in one transaction; durable when it returns. A step may run twice."""

    def now_ms(self) -> int:
        """Tell the time, in milliseconds UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def draw(self, size: int) -> bytes:
        """Draw random bytes: ids of new records, secrets of new contacts."""

    def over(self, store: Transacting) -> World:
        """The same world over another store: the throw-away copy of a dry run."""


class LiveWorld:
    """The real world: this thread, the system's clock and randomness, a real store."""

    def __init__(self, store: Transacting) -> None:
        self._store = store

    def over(self, store: Transacting) -> LiveWorld:
        return LiveWorld(store)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        del app, what
        return action(*args, **kwargs)

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        del what
        return self._store.transact(lambda tx: step(tx, *args, **kwargs))

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def draw(self, size: int) -> bytes:
        return os.urandom(size)
