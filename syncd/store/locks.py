"""Locks that die with their process: a file's, and a session's of PostgreSQL.

Must not know what they protect. Hard rule: nobody's lock is ever taken away.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import faults
from syncd.store.store import Store


class Lock(Protocol):
    """What only one process has."""

    def take(self, who: str) -> str | None:
        """Try once; None when it was taken, else who has it."""

    def is_mine(self) -> bool:
        """Ask the system, not the memory."""

    def give_back(self) -> None:
        """Let others have it."""

    def is_free(self) -> bool:
        """Say whether nobody has it, for certain; whoever asks does not have it either."""


class FileLock:
    """flock on a file beside the store. It holds the holder's name; a name without a holder tells of a crash."""

    def __init__(self, database: Path, ending: str, *, crashed: Callable[[], None] = lambda: None) -> None:
        """Name the file by the store's and an ending; `crashed` is done first where the last holder died at work."""
        real = database.resolve()  # whatever names it has, it has one lock
        self._file = real.with_name(f"{real.name}.{ending}")
        self._crashed = crashed
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
                fcntl.flock(self._handle, fcntl.LOCK_UN)  # a child that is about to exec may have the handle as well
            os.close(self._handle)
            self._handle = None

    def is_free(self) -> bool:
        try:
            handle = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # of another user: nobody can tell
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # whoever wants it meanwhile asks again
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def _begin(self, handle: int, who: str) -> None:
        """Look whether the last holder died at work, then write our name, durably: it is what tells of our death."""
        if os.fstat(handle).st_size:
            self._crashed()
        try:
            os.pwrite(handle, f"{who}\n".encode(), 0)
            os.ftruncate(handle, len(who.encode()) + 1)
            os.fsync(handle)
        except OSError as error:
            raise TransientError(f"{self._file}: {error.strerror}; {faults.DISK_FULL}") from error


class SessionLock:
    """An advisory lock of a session; its name is what `pg_stat_activity` shows."""

    def __init__(self, store: Store, what: str = "") -> None:
        """Name the store, and what of it is locked."""
        self._store, self._what = store, what
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

    def is_free(self) -> bool:
        with self._store.translated():
            self._session = _session(self._store.engine)
            try:
                return self._one(_HOLDER_OF_LOCK, *_halves(self._key())) is None
            finally:
                self._session.close()
                self._session = None

    def give_back(self) -> None:
        if self._session is None:
            return
        with suppress(self._store.engine.dialect.loaded_dbapi.Error):
            self._one("SELECT pg_advisory_unlock_all()")  # the server notices a closed connection a moment later
        self._session.close()
        self._session = self._backend = None

    def _key(self) -> int:
        name = self._one("SELECT current_database() || '/' || current_schema()")
        return int.from_bytes(blake2b(f"syncd {self._what}{name}".encode(), digest_size=8).digest(), "big", signed=True)

    def _holder(self, key: int) -> str:
        found = self._one(_HOLDER_OF_LOCK, *_halves(key))
        return str(found or "it does not say which").removeprefix("syncd ")

    def _one(self, query: str, *values: Any) -> Any:
        row = self._session.execute(query, values).fetchone()
        return None if row is None else row[0]


_HOLDER_OF_LOCK: Final = """
SELECT activity.application_name FROM pg_locks JOIN pg_stat_activity activity USING (pid)
 WHERE locktype = 'advisory' AND classid = %s::oid AND objid = %s::oid AND objsubid = 1 AND granted
   AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _halves(key: int) -> tuple[int, int]:
    """Take a key apart as `pg_locks` shows it."""
    return (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF


def _session(engine: sa.Engine) -> Any:
    """Open a connection that belongs to no pool."""
    pooled = engine.raw_connection()
    session = pooled.driver_connection
    pooled.detach()
    assert session is not None
    session.autocommit = True
    return session
