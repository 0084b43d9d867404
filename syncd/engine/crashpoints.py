"""Die on purpose at one boundary of the seam, so that tests can prove what a crash there leaves behind.

At work only when SYNCD_DEBUG_CRASH is set and the configuration says `debug: {crash_points: true}`; else never imported.
Hard rule: the boundaries are those of the seam, app.WHAT for a call and store.WHAT for a transaction, counted each.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, Final, ParamSpec, TypeVar

from syncd.engine.seam import Transacting, World
from syncd.errors import ConfigError, TransientError
from syncd.store.tx import Tx

T = TypeVar("T")
P = ParamSpec("P")

TRACE: Final = "trace"
"""Instead of a place: nobody dies, each boundary is told on stderr."""
FORM: Final = re.compile(
    r"(?P<label>(?:app|store)\.[a-z_ ]+):(?P<number>[1-9][0-9]*):(?P<when>before|inside|after)"
    r"(?::(?P<how>kill|lost|full|busy|serialization))?"
)
EXPECTED: Final = (
    f"expected {TRACE}, or LABEL:N:before|after[:kill|lost], or store.WHAT:N:inside[:kill|full|busy|serialization]"
)
# What the database would say: SQLite's code, PostgreSQL's.
ERRORS: Final = {"full": (13, "53100"), "busy": (5, "55P03"), "serialization": (517, "40001")}


@dataclass(slots=True, kw_only=True)
class Trap:
    """Counts boundaries; the one that was named is deadly."""

    label: str
    number: int = 0
    when: str = ""
    how: str = "kill"
    crossed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def cross(self, label: str, when: str, tx: Tx | None = None) -> None:
        """Go through one boundary, or not. `inside`: the step has run, nothing is committed."""
        self.crossed[label, when] += 1
        if self.label == TRACE:
            sys.stderr.write(f"boundary {label}:{self.crossed[label, when]}:{when}\n")
        elif (label, when, self.crossed[label, when]) == (self.label, self.when, self.number):
            self._spring(tx)

    def _spring(self, tx: Tx | None) -> None:
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if tx is None or self.how == "lost":
            raise TransientError(f"{self.label}: the answer was lost, as SYNCD_DEBUG_CRASH wants it")
        raise _database_error(self.how, tx)


class CrashingWorld:
    """A world with a trap in it."""

    def __init__(self, world: World, trap: Trap) -> None:
        self._world, self._trap = world, trap

    def over(self, store: Transacting) -> CrashingWorld:
        return CrashingWorld(self._world.over(store), self._trap)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._trap.cross(f"app.{what}", "before")
        answer = self._world.call(app, what, action, *args, **kwargs)
        self._trap.cross(f"app.{what}", "after")
        return answer

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def watched(tx: Tx) -> T:
            answer = step(tx, *args, **kwargs)
            self._trap.cross(f"store.{what}", "inside", tx)
            return answer

        self._trap.cross(f"store.{what}", "before")
        answer = self._world.transact(what, watched)
        self._trap.cross(f"store.{what}", "after")
        return answer

    def now_ms(self) -> int:
        return self._world.now_ms()

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)

    def draw(self, size: int) -> bytes:
        return self._world.draw(size)


def crashing(world: World, place: str) -> CrashingWorld:
    """Set a trap. Raises ConfigError when the place is none."""
    return CrashingWorld(world, _trap(place))


def _trap(place: str) -> Trap:
    if place == TRACE:
        return Trap(label=TRACE)
    found = FORM.fullmatch(place)
    if found is None:
        raise ConfigError(f"SYNCD_DEBUG_CRASH: {EXPECTED}")
    how, inside = found["how"] or "kill", found["when"] == "inside"
    fits = how == "kill" or (how in ERRORS) == inside
    if not fits or (inside and not found["label"].startswith("store.")):
        raise ConfigError(f"SYNCD_DEBUG_CRASH: {EXPECTED}")
    return Trap(label=found["label"], number=int(found["number"]), when=found["when"], how=how)


def _database_error(how: str, tx: Tx) -> Exception:
    """Make what the driver would raise, so that it takes the way of the real one."""
    code, state = ERRORS[how]
    if tx.connection.dialect.name == "sqlite":
        error = sqlite3.OperationalError(f"{how}, as SYNCD_DEBUG_CRASH wants it")
        error.sqlite_errorcode = code
        return error
    import psycopg

    return psycopg.errors.lookup(state)(f"{how}, as SYNCD_DEBUG_CRASH wants it")
