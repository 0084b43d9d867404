"""Open the store, and give out transactions: short, never across the network, one writer at a time.

SQLite runs in WAL mode with `synchronous=FULL`: a committed SENT row survives a power cut (SYNC-MODEL 1.6.3).
Errors of the database come out as one of the reactions, without values or passwords.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import schema
from syncd.store.codec import Sealer
from syncd.store.tx import Tx

T = TypeVar("T")
RETRIES = 5


class Store:
    """The state of one hub."""

    def __init__(self, url: str | sa.URL, sealer: Sealer) -> None:
        self.url = sa.engine.make_url(url)
        self.sealer = sealer
        self.engine = _engine(self.url)

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file, if it is one."""
        return Path(self.url.database) if self.sqlite and self.url.database else None

    def transact(self, step: Callable[[Tx], T]) -> T:
        """Run a step in one transaction: all of it is durable when this returns, or nothing happened.

        A step may run again after a serialization failure, so it must not keep what it did elsewhere.
        """
        for attempt in range(RETRIES):
            try:
                with self._begun() as connection:
                    return step(Tx(connection, self.sealer))
            except sa.exc.OperationalError as error:
                if attempt + 1 < RETRIES and getattr(error.orig, "sqlstate", None) in ("40001", "40P01"):
                    continue
                raise _store_error(error, self.url) from error
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise _store_error(error, self.url) from error
                raise
        raise AssertionError("unreachable")

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        with self.engine.begin() as connection:
            yield connection

    def version(self) -> str | None:
        """Read the schema version; None when the store is empty."""
        try:
            with self.engine.connect() as connection:
                if not sa.inspect(connection).has_table("alembic_version"):
                    return None
                return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        except sa.exc.OperationalError as error:
            raise _store_error(error, self.url) from error
        except sa.exc.DatabaseError as error:
            place = self.url.render_as_string(hide_password=True)
            raise ConfigError(f"{place}: this file is not a syncd store; name another one in `store:`") from error

    def create(self) -> None:
        """Make all tables in an empty store and stamp its version."""
        with self.engine.begin() as connection:
            schema.META.create_all(connection)
            connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": schema.HEAD})

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": 30})
        sa.event.listen(engine, "connect", _sqlite_settings)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, isolation_level="SERIALIZABLE")


def _sqlite_settings(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16000",
        "temp_store=FILE",
        "wal_autocheckpoint=4000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _store_error(error: sa.exc.DBAPIError, url: sa.URL) -> Exception:
    place = url.render_as_string(hide_password=True)
    cause = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
    if "unable to open database file" in cause or "readonly" in cause:
        return ConfigError(f"{place}: the store cannot be written: {cause}; make the folder writable for this user")
    return TransientError(f"{place}: the store does not answer: {cause}", detail=type(error).__name__)
