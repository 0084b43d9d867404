"""The lease: at most one process works on a store, and its lease dies with it (SYNC-MODEL 1.4: SINGLE-WRITER).

SQLite: a lock on the file `<store>.lock`; PostgreSQL: an advisory lock of a session of its own. Both are given back by the
system when the process ends, however it ends. The epoch in the store grows with every new holder, so that one who lost
the lease without noticing cannot write any more. Who takes it also sees whether the store went back in time, by the mark
beside it. Hard rule: nobody's lock is ever taken away.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TypeVar

from syncd.errors import TransientError
from syncd.store import mark, schema
from syncd.store.locks import FileLock, Lock, SessionLock
from syncd.store.mark import Mark
from syncd.store.store import EPOCH, LeaseLost, Store
from syncd.store.tx import Tx

T = TypeVar("T")
POLL_SECONDS: Final = 0.25
HOLDER: Final = "holder"
"""The row of `meta` that names who held the lease last, by a number that it drew."""
NAME: Final = "name"
"""The row of `meta` that tells this store from every other one, its own backups excepted."""


class LeaseTaken(TransientError):
    """Another process is at work, and stays so for longer than one wants to wait. Exit 3."""


def name_of(command: str, now_ms: int) -> str:
    """Name this process for others that wait for it: command, pid, since when, host."""
    since = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{command} pid={os.getpid()} since={since} host={socket.gethostname()}"


class Lease:
    """The right to work on a store, while a `with` block runs; the same lease may be taken again and again."""

    def __init__(
        self,
        store: Store,
        *,
        wait_seconds: float,
        command: str = "syncd",
        version: str | None = schema.HEAD,
        went_back: Callable[[Tx], None] = lambda _tx: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the store, how long to wait, and for others who is at work; `version`: what the store must be (None: any).

        `went_back`: what to change, before anything else is, in a store that turns out to be older than it was.
        """
        self._store, self._wait_seconds, self._command, self._version = store, wait_seconds, command, version
        self._now_ms, self._sleep = now_ms, sleep
        self._lock: Lock = (
            FileLock(store.path, "lock", crashed=store.quick_check) if store.path is not None else SessionLock(store)
        )
        self._number = os.urandom(8).hex()
        self._epoch: int | None = None
        self._went_back, self._place, self._mark = went_back, mark.place_of(store), Mark("", 0, 0)
        self.store_went_back = False
        """Whether the store was older than its mark when this took it."""

    @property
    def epoch(self) -> int:
        """Counts the holders; give it to `Store.transact`."""
        assert self._epoch is not None, "only while the lease is held"
        return self._epoch

    def __enter__(self) -> Self:
        """Wait for it. Raises LeaseTaken that names the holder when that takes too long."""
        assert self._epoch is None, "taken once at a time"
        try:
            self._wait()
            self._epoch = self._take()
        except BaseException:
            self._lock.give_back()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._epoch = None
        self._lock.give_back()

    def still_mine(self) -> bool:
        """Tell whether the lease is held now; ask before each send, for this process may have slept for an hour."""
        return self._epoch is not None and self._lock.is_mine()

    def demand(self) -> None:
        """Raise LeaseLost unless the lease is held now."""
        if not self.still_mine():
            raise LeaseLost(f"{self._store.place}: the lease was lost; this syncd sends nothing more in this pass")

    def _wait(self) -> None:
        waited = 0.0
        while (holder := self._lock.take(name_of(self._command, self._now_ms()))) is not None:
            if waited >= self._wait_seconds:
                text = f"another syncd is at work ({holder}); wait until it is done, or stop it"
                raise LeaseTaken(f"{self._store.place}: {text}")
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _take(self) -> int:
        there = mark.read(self._place)
        now = self._store.transact(lambda tx: self._take_over(tx, there))
        if now != self._mark:
            mark.write(self._place, now)
        self._mark = now
        return now.epoch

    def _take_over(self, tx: Tx, there: Mark | None) -> Mark:
        if self._version is not None:
            self._store.demand_version(tx.connection, self._version)  # a newer syncd may have upgraded it meanwhile
        epoch, name, run = int(tx.meta(EPOCH) or 0), tx.meta(NAME), tx.last_number()
        self.store_went_back = there is not None and name is not None and there.is_ahead_of(Mark(name, epoch, run))
        if name is None:
            name = self._number
            tx.set_meta(NAME, name)
        if tx.meta(HOLDER) != self._number or self.store_went_back:
            epoch = 1 + max(epoch, there.epoch if there is not None and self.store_went_back else 0)
            tx.set_meta(EPOCH, str(epoch))
            tx.set_meta(HOLDER, self._number)
        if self.store_went_back:
            self._went_back(tx)
        return Mark(name, epoch, run)


class Fenced:
    """The store for the holder of a lease: nothing is written once another process has taken over."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease = store, lease

    def transact(self, step: Callable[[Tx], T]) -> T:
        return self._store.transact(step, epoch=self._lease.epoch)
