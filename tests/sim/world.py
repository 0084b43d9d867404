"""The seam, answered by a simulation: a virtual clock, seeded chance, numbered boundaries, and a process that can die.

Hard rule: the engine is the one that runs in production; nothing of it is patched, it is only told other things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from syncd.engine.seam import Transacting
from syncd.store.store import LeaseLost, Store
from syncd.store.tx import Tx

T = TypeVar("T")
P = ParamSpec("P")

START_MS: Final = 1_750_000_000_000
LOOK_MS: Final = 7
"""How long everything takes between two looks at the clock."""


class Crash(BaseException):
    """The process is gone: nothing in it hears of this."""


@dataclass(slots=True)
class Clock:
    """Time as it is, and as the hub's clock shows it, which is set now and then; and the hub's chance."""

    true_ms: int = START_MS
    wrong_ms: int = 0
    seed: int = 0
    draws: int = 0

    def true(self) -> int:
        return self.true_ms

    def look(self) -> int:
        self.true_ms += LOOK_MS
        return self.true_ms + self.wrong_ms

    def draw(self, size: int) -> bytes:
        self.draws += 1
        return hashlib.blake2b(b"%d %d" % (self.seed, self.draws), digest_size=size).digest()


class Stage(Protocol):
    """What decides about a world."""

    clock: Clock
    owner: int
    """The number of the process that has the lease."""

    def cross(self, kind: str, app: str, what: str, *, after: bool) -> None:
        """Be told of a boundary; may raise Crash."""

    def refuse(self, app: str, what: str, *, after: bool) -> None:
        """Let a call fail before it reaches the app, or let its answer be lost."""

    def committed(self, what: str, args: tuple[Any, ...]) -> None:
        """Be told of a transaction that is durable now."""

    def forgotten(self) -> None:
        """Be told that whatever was shown was written into a copy that is thrown away."""

    def about_to(self, what: str, args: tuple[Any, ...]) -> None:
        """Be told of a transaction that begins now."""


class SimWorld:
    """One process's world."""

    def __init__(self, store: Transacting, stage: Stage, number: int) -> None:
        self._store, self._stage, self._number = store, stage, number

    def over(self, store: Transacting) -> SimWorld:
        return Rehearsal(store, self._stage, self._number)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        stage = self._stage
        stage.cross("call", app, what, after=False)
        if what == "write" and stage.owner != self._number:  # as the daemon does before every write
            raise LeaseLost("another process has taken over")
        stage.refuse(app, what, after=False)
        answer = action(*args, **kwargs)
        stage.refuse(app, what, after=True)
        stage.cross("call", app, what, after=True)
        return answer

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        stage = self._stage
        stage.cross("transact", "", what, after=False)
        answer = self._commit(what, lambda tx: step(tx, *args, **kwargs), args)
        stage.cross("transact", "", what, after=True)
        return answer

    def now_ms(self) -> int:
        return self._stage.clock.look()

    def sleep(self, seconds: float) -> None:
        self._stage.clock.true_ms += int(seconds * 1000)

    def draw(self, size: int) -> bytes:
        return self._stage.clock.draw(size)

    def _commit(self, what: str, step: Callable[[Tx], T], args: tuple[Any, ...]) -> T:
        self._stage.about_to(what, args)
        assert isinstance(self._store, Store)
        answer = self._store.transact(step, epoch=self._number)
        self._stage.committed(what, args)
        return answer


class Rehearsal(SimWorld):
    """The same over a copy that is thrown away: nothing of it lasts."""

    def _commit(self, what: str, step: Callable[[Tx], T], args: tuple[Any, ...]) -> T:
        answer = self._store.transact(step)
        self._stage.forgotten()
        return answer
