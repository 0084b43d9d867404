"""What the login of an app must remember: sealed, in the store itself, one process at a time.

Must not know what is kept. Hard rules: what was saved is durable; a dry run's copy is never written instead of the store;
it stands beside the lease, because `check` and `auth` log in while a daemon is at work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from syncd.errors import AccessError, TransientError
from syncd.store.codec import Damaged
from syncd.store.locks import FileLock, Lock, SessionLock
from syncd.store.store import Store

WAIT_SECONDS: Final = 90.0
"""Longer than a request for a token may take."""
POLL_SECONDS: Final = 0.1


class StoreKeeper:
    """What one app keeps. `store` is asked for it when something is kept or looked for, not before."""

    def __init__(self, store: Callable[[], Store], app: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store, self._app, self._sleep = store, app, sleep
        self._secret = f"login:{app}".encode()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process in at a time. Raises TransientError where another one stays too long."""
        lock = self._lock()
        try:
            self._wait(lock)
            yield
        finally:
            lock.give_back()

    def load(self) -> dict[str, Any] | None:
        """Give what was kept last. Raises AccessError where it cannot be opened."""
        store = self._store()
        sealed = store.read(lambda tx: tx.login(self._app))
        if sealed is None:
            return None
        try:
            doc = store.sealer.open(self._secret, sealed)
        except Damaged:
            doc = None
        if not isinstance(doc, dict):
            remedy = f"log in again (syncd auth {self._app}), or put the newest backup of the store in its place"
            raise AccessError(f"{self._app}: what the store keeps of its login cannot be read; {remedy}")
        return doc

    def save(self, doc: Mapping[str, Any]) -> None:
        """Keep it instead of the last; durable when this returns."""
        store = self._store()
        sealed = store.sealer.seal(self._secret, dict(doc))
        store.transact(lambda tx: tx.keep_login(self._app, sealed))

    def _wait(self, lock: Lock) -> None:
        waited = 0.0
        while (holder := lock.take(f"login {self._app} pid={os.getpid()}")) is not None:
            if waited >= WAIT_SECONDS:
                raise TransientError(f"{self._app}: another syncd is at its login ({holder}); wait, or stop it")
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _lock(self) -> Lock:
        store = self._store()
        if store.path is not None:
            return FileLock(store.path, f"login-{self._app}.lock")
        return SessionLock(store, f"login {self._app} ")
