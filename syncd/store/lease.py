"""The lease: at most one process works on a store, and its lease dies with it (SYNC-MODEL 1.4: SINGLE-WRITER).

SQLite: a lock on the file `<store>.lock`; PostgreSQL: an advisory lock of a session of its own. Both are given back by the
system when the process ends, however it ends. The epoch in the store grows with every new holder, so that one who lost
the lease without noticing cannot write any more. Hard rule: nobody's lock is ever taken away.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import faults, schema
from syncd.store.store import EPOCH, LeaseLost, Store
from syncd.store.tx import Tx

T = TypeVar("T")
POLL_SECONDS: Final = 0.25
HOLDER: Final = "holder"
"""The row of `meta` that names who held the lease last, by a number that it drew."""


class _Lock(Protocol):
    """What only one process has."""

    def take(self, who: str) -> str | None:
        """Try once; None when it was taken, else who has it."""

    def is_mine(self) -> bool:
        """Ask the system, not the memory."""

    def give_back(self) -> None:
        """Let others have it."""


class Lease:
    """The right to work on a store, while a `with` block runs; the same lease may be taken again and again."""

    def __init__(
        self,
        store: Store,
        *,
        wait_seconds: float,
        command: str = "syncd",
        version: str | None = schema.HEAD,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the store, how long to wait, and for others who is at work; `version`: what the store must be (None: any)."""
        self._store, self._wait_seconds, self._command, self._version = store, wait_seconds, command, version
        self._now_ms, self._sleep = now_ms, sleep
        self._lock: _Lock = _FileLock(store, store.path) if store.path is not None else _SessionLock(store)
        self._number = os.urandom(8).hex()
        self._epoch: int | None = None

    @property
    def epoch(self) -> int:
        """Counts the holders; give it to `Store.transact`."""
        assert self._epoch is not None, "only while the lease is held"
        return self._epoch

    def __enter__(self) -> Self:
        """Wait for it. Raises TransientError that names the holder when that takes too long."""
        assert self._epoch is None, "taken once at a time"
        try:
            self._wait()
            self._epoch = self._store.transact(self._take_over)
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
        while (holder := self._lock.take(self._who())) is not None:
            if waited >= self._wait_seconds:
                text = f"another syncd is at work ({holder}); wait until it is done, or stop it"
                raise TransientError(f"{self._store.place}: {text}")
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _who(self) -> str:
        since = datetime.fromtimestamp(self._now_ms() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self._command} pid={os.getpid()} since={since} host={socket.gethostname()}"

    def _take_over(self, tx: Tx) -> int:
        if self._version is not None:
            self._store.demand_version(tx.connection, self._version)  # a newer syncd may have upgraded it meanwhile
        epoch = int(tx.meta(EPOCH) or 0)
        if tx.meta(HOLDER) != self._number:
            epoch += 1
            tx.set_meta(EPOCH, str(epoch))
            tx.set_meta(HOLDER, self._number)
        return epoch


class Fenced:
    """The store for the holder of a lease: nothing is written once another process has taken over."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease = store, lease

    def transact(self, step: Callable[[Tx], T]) -> T:
        return self._store.transact(step, epoch=self._lease.epoch)


class _FileLock:
    """flock on a file beside the store. It holds the holder's name; a name without a holder tells of a crash."""

    def __init__(self, store: Store, database: Path) -> None:
        self._store = store
        real = database.resolve()  # whatever names it has, it has one lock
        self._file = real.with_name(f"{real.name}.lock")
        self._handle: int | None = None

    def take(self, who: str) -> str | None:
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}; {faults.NOT_WRITABLE}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 500, 0).decode(errors="replace").strip()
            os.close(handle)
            return holder or "it does not say which"
        except OSError as error:
            os.close(handle)
            text = f"{self._file}: cannot be locked ({error.strerror}); keep the store on a local disk"
            raise ConfigError(text) from error
        self._handle = handle
        try:
            self._begin(handle, who)
        except BaseException:
            os.close(handle)
            self._handle = None
            raise
        return None

    def is_mine(self) -> bool:
        if self._handle is None:
            return False
        ours = os.fstat(self._handle)
        try:
            there = self._file.stat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)  # else somebody removed or replaced it

    def give_back(self) -> None:
        if self._handle is not None:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    def _begin(self, handle: int, who: str) -> None:
        """Look whether the last holder died at work, then write our name, durably: it is what tells of our death."""
        if os.fstat(handle).st_size:
            self._store.quick_check()
        try:
            os.pwrite(handle, f"{who}\n".encode(), 0)
            os.ftruncate(handle, len(who.encode()) + 1)
            os.fsync(handle)
        except OSError as error:
            raise TransientError(f"{self._file}: {error.strerror}; {faults.DISK_FULL}") from error


class _SessionLock:
    """An advisory lock of a session; its name is what `pg_stat_activity` shows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: Any = None
        self._backend: int | None = None

    def take(self, who: str) -> str | None:
        with self._store.translated():
            if self._session is None:
                self._session = _session(self._store.engine)
            try:
                key = self._key()
                if not self._one("SELECT pg_try_advisory_lock(%s)", key):
                    return self._holder(key)
                self._one("SELECT set_config('application_name', %s, false)", f"syncd {who}"[:63])
                self._backend = int(self._one("SELECT pg_backend_pid()"))
            except BaseException:
                self.give_back()
                raise
        return None

    def is_mine(self) -> bool:
        if self._backend is None:
            return False
        try:
            return bool(self._one("SELECT pg_backend_pid() = %s", self._backend))
        except self._store.engine.dialect.loaded_dbapi.Error:  # the session is gone, and the lock with it
            return False

    def give_back(self) -> None:
        if self._session is None:
            return
        with suppress(self._store.engine.dialect.loaded_dbapi.Error):
            self._one("SELECT pg_advisory_unlock_all()")  # the server notices a closed connection a moment later
        self._session.close()
        self._session = self._backend = None

    def _key(self) -> int:
        name = self._one("SELECT current_database() || '/' || current_schema()")
        return int.from_bytes(blake2b(f"syncd {name}".encode(), digest_size=8).digest(), "big", signed=True)

    def _holder(self, key: int) -> str:
        high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
        return str(self._one(_HOLDER_OF_LOCK, high, low) or "it does not say which").removeprefix("syncd ")

    def _one(self, query: str, *values: Any) -> Any:
        row = self._session.execute(query, values).fetchone()
        return None if row is None else row[0]


_HOLDER_OF_LOCK: Final = """
SELECT nullif(activity.application_name, '') FROM pg_locks JOIN pg_stat_activity activity USING (pid)
 WHERE locktype = 'advisory' AND classid = %s::oid AND objid = %s::oid AND objsubid = 1 AND granted
   AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _session(engine: sa.Engine) -> Any:
    """Open a connection that belongs to no pool."""
    pooled = engine.raw_connection()
    session = pooled.driver_connection
    pooled.detach()
    assert session is not None
    session.autocommit = True
    return session
