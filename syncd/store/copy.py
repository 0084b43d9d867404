"""Throw-away copies of the store for dry runs: whatever happens to them, the store stays as it was.

SQLite: a file of our own, 0600, gone afterwards; what a process that was killed left behind is removed when the next one
opens the store. PostgreSQL: one transaction that is always rolled back, a savepoint for each step, on temporary tables of
the same names: a dry run that wrote into the real ones would keep a daemon waiting for its rows until it ended.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from syncd.errors import ConfigError
from syncd.store import faults, schema
from syncd.store.codec import Sealer
from syncd.store.store import Store

PREFIX: Final = "syncd-dry-run-"
SUFFIXES: Final = ("-journal", "-wal", "-shm", "")  # the file itself last: by its lock others know that it is in use


@contextmanager
def throwaway(store: Store) -> Iterator[Store]:
    """Give a copy of the store as it is now; nothing that is done to it outlives the block."""
    if store.path is None:
        yield from _rolled_back(store)
        return
    with _own_file(store.data_dir) as file:
        backup(store, file)
        copy = Store(sa.URL.create("sqlite", database=str(file)), store.sealer, store.data_dir, scratch=True)
        try:
            yield copy
        finally:
            copy.close()


def backup(store: Store, file: Path) -> None:
    """Copy an SQLite store into a file by the backup API, as it is at one moment, beside whoever writes."""
    with store.translated():
        source = store.engine.raw_connection()
        try:
            target = sqlite3.connect(file)
            try:
                source.driver_connection.backup(target)  # type: ignore[union-attr]  # a connection of sqlite3
            except sqlite3.Error as error:
                found = faults.reaction(error, sa.URL.create("sqlite", database=str(file)))
                raise (found or error) from None
            finally:
                target.close()
        finally:
            source.close()


def remove_leftovers(folder: Path) -> None:
    """Remove the copies of processes that are gone; a copy in use is locked by its process."""
    for file in sorted(folder.glob(f"{PREFIX}*.db")):
        with suppress(OSError):
            handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(file)
            finally:
                os.close(handle)


@contextmanager
def _own_file(folder: Path) -> Iterator[Path]:
    """Make a file that only this user may read, lock it while the block runs, and remove it."""
    while True:
        try:
            handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=".db", dir=folder)
        except OSError as error:
            raise ConfigError(f"{folder}: no temporary file can be made there: {error.strerror}") from error
        fcntl.flock(handle, fcntl.LOCK_EX)  # it dies with this process; whoever finds it free removes the file ...
        if Path(name).exists():
            break
        os.close(handle)  # ... as just happened
    try:
        yield Path(name)
    finally:
        _remove(Path(name))
        os.close(handle)


def _remove(file: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _rolled_back(store: Store) -> Iterator[Store]:
    # A connection of its own: what an earlier one has prepared would still mean the real tables.
    own = Store(store.url, store.sealer, store.data_dir)
    try:
        with own.translated(), own.engine.connect() as pooled:
            connection = pooled.execution_options(isolation_level="REPEATABLE READ")
            outer = connection.begin()
            try:
                _copy_tables(connection)
                yield _Rehearsal(store, store.sealer, connection)
            finally:
                outer.rollback()
    finally:
        own.close()


def _copy_tables(connection: sa.Connection) -> None:
    """Make temporary tables, which are found before the real ones, and fill them."""
    ask = connection.exec_driver_sql
    ask("SET LOCAL idle_in_transaction_session_timeout = 0")  # apps may be slow
    home = ask("SELECT current_schema()").scalar_one()
    made = schema.statements(connection.dialect)
    for statement in made:
        if statement.startswith("CREATE TABLE "):
            ask(statement.replace("CREATE TABLE ", "CREATE TEMP TABLE ", 1))
    for table in schema.META.sorted_tables:
        names = [column.name for column in table.columns]
        real, copy = (table.to_metadata(sa.MetaData(), schema=place) for place in (home, "pg_temp"))
        connection.execute(sa.insert(copy).from_select(names, sa.select(*(real.c[name] for name in names))))
        if table.autoincrement_column is not None:
            last = sa.func.coalesce(sa.func.max(copy.c.id), 0) + 1
            numbers = sa.func.pg_get_serial_sequence(f"pg_temp.{table.name}", "id")
            connection.execute(sa.select(sa.func.setval(numbers, last, False)).select_from(copy))
    for statement in made:
        if statement.startswith(("CREATE INDEX ", "CREATE UNIQUE INDEX ")):
            ask(statement)
    ask("ANALYZE " + ", ".join(f"pg_temp.{table.name}" for table in schema.META.sorted_tables))


class _Rehearsal(Store):
    """Steps inside one transaction that never commits."""

    def __init__(self, store: Store, sealer: Sealer, connection: sa.Connection) -> None:
        self.url, self.sealer, self.data_dir = store.url, sealer, store.data_dir
        self.sqlite, self.engine, self.errors = store.sqlite, store.engine, store.errors
        self._connection = connection

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        with self._connection.begin_nested():
            yield self._connection

    _reading = _begun

    def close(self) -> None:
        """Leave the connections to the store."""
