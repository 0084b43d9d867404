"""Throw-away copies of the store for dry runs: whatever happens to them, the store stays as it was."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy as sa

from syncd.store.store import Store
from syncd.store.tx import Tx

T = TypeVar("T")


class Transacting(Protocol):
    """Whatever gives out transactions."""

    def transact(self, step: Callable[[Tx], T]) -> T:
        """Run a step in one transaction."""


@contextmanager
def throwaway(store: Store) -> Iterator[Transacting]:
    """Give a copy of the store that is gone afterwards: a 0600 file beside an SQLite store, else a rolled-back
    transaction with a savepoint for each step."""
    if store.path is None:
        with store.engine.connect() as connection:
            outer = connection.begin()
            try:
                yield _RolledBack(connection, store)
            finally:
                outer.rollback()
        return
    handle, name = tempfile.mkstemp(prefix="syncd-dry-run-", suffix=".db", dir=store.path.parent)
    os.close(handle)
    copy: Store | None = None
    try:
        with sqlite3.connect(store.path) as source, sqlite3.connect(name) as target:
            source.backup(target)
        source.close()
        target.close()
        copy = Store(sa.URL.create("sqlite", database=name), store.sealer)
        yield copy
    finally:
        if copy is not None:
            copy.close()
        for suffix in ("", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)


class _RolledBack:
    """Steps inside one transaction that never commits."""

    def __init__(self, connection: sa.Connection, store: Store) -> None:
        self._connection, self._store = connection, store

    def transact(self, step: Callable[[Tx], T]) -> T:
        with self._connection.begin_nested():
            return step(Tx(self._connection, self._store.sealer))
