"""The daemon's post: of all daemons of one store one is on duty, the others stand by until it ends.

The lease is for single passes, and between two of them nobody has it; the post is for as long as a daemon lives. Hard rule:
nobody's post is ever taken away; the system gives it back when its process ends, however it ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from syncd.store.lease import name_of
from syncd.store.locks import FileLock, Lock, SessionLock
from syncd.store.store import Store
from syncd.store.tx import Tx

ALIVE: Final = "alive_ms"
"""The row of `meta` with the daemon's last heartbeat; empty when it has stopped in order."""
ON_DUTY: Final = "on duty"
STANDING_BY: Final = "standing by"
"""Rows of `meta`: who is the daemon; who waits for its end, and when each said so last."""
FORGOTTEN_MS: Final = 60_000
"""Who has not said for so long that it stands by is gone."""


class Post:
    """The post of one daemon process."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._store, self._now_ms = store, now_ms
        self._lock = _lock_of(store)
        self._who = name_of("run", now_ms())
        self._stands_by = False

    def taken_by(self) -> str | None:
        """Take the post; None when it is ours, else who has it. To be asked again and again. Raises TransientError."""
        if self._lock.is_mine():
            return None
        self._lock.give_back()  # a session may have ended
        holder = self._lock.take(self._who)
        if holder is None:
            self._store.transact(lambda tx: tx.set_meta(ON_DUTY, self._who))
            self._sign_off()
        return holder

    def stand_by(self) -> None:
        """Let others see that this process waits for the post. Raises TransientError."""
        self._stands_by = True
        now_ms = self._now_ms()
        self._store.transact(lambda tx: self._note(tx, now_ms, {self._who: now_ms}))

    def leave(self) -> None:
        """Give the post back, or wait for it no more."""
        try:
            self._sign_off()
        finally:
            self._lock.give_back()

    def _sign_off(self) -> None:
        if self._stands_by:
            self._stands_by = False
            self._store.transact(lambda tx: self._note(tx, self._now_ms(), {}))

    def _note(self, tx: Tx, now_ms: int, ours: dict[str, int]) -> None:
        others = {who: at_ms for who, at_ms in standing_by(tx, now_ms).items() if who != self._who}
        tx.set_meta(STANDING_BY, json.dumps({**others, **ours}, sort_keys=True))


def is_vacant(store: Store) -> bool:
    """Say whether no daemon is on duty, for certain, whatever the store says: one that was killed has written nothing down."""
    return _lock_of(store).is_free()


def _lock_of(store: Store) -> Lock:
    return FileLock(store.path, "daemon") if store.path is not None else SessionLock(store, "daemon ")


class Duty(NamedTuple):
    """Who is on duty, as far as the store knows, and who stands by."""

    who: str | None
    """None: no daemon, or it has stopped in order."""
    alive_ms: int | None
    """When it was heard of last."""
    standing_by: list[str]


def duty(tx: Tx, now_ms: int) -> Duty:
    """Read who is on duty and who stands by."""
    alive = tx.meta(ALIVE)
    return Duty(tx.meta(ON_DUTY) if alive else None, int(alive) if alive else None, sorted(standing_by(tx, now_ms)))


def standing_by(tx: Tx, now_ms: int) -> dict[str, int]:
    """List who has said not long ago that it stands by, and when."""
    noted: dict[str, int] = json.loads(tx.meta(STANDING_BY) or "{}")
    return {who: at_ms for who, at_ms in noted.items() if now_ms - at_ms < FORGOTTEN_MS}
