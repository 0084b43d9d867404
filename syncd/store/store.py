"""Open the store, and give out transactions: short, never across the network, one writer at a time.

SQLite runs in WAL mode with `synchronous=FULL`: a committed SENT row survives a power cut (SYNC-MODEL 1.6.3).
Errors of the database come out as one of the reactions, without values or passwords.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import faults, schema
from syncd.store.asking import Query, driver
from syncd.store.codec import Sealer
from syncd.store.tx import Tx

T = TypeVar("T")
RETRIES: Final = 5
KEY: Final = "key"
"""The row of `meta` by which a store knows the key that sealed it."""
EPOCH: Final = "epoch"
"""The row of `meta` that counts the processes that held the lease (SYNC-MODEL 1.4: SINGLE-WRITER)."""


class LeaseLost(TransientError):
    """Another process has taken over: whatever this pass still wanted is done by the other one. Exit 3."""


class Store:
    """The state of one hub."""

    def __init__(
        self, url: str | sa.URL, sealer: Sealer, data_dir: Path | None = None, *, scratch: bool = False
    ) -> None:
        """Name the store; `scratch`: it may be lost at a power cut."""
        self.url = sa.engine.make_url(url)
        self.sealer = sealer
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.data_dir = data_dir or (Path(self.url.database or ".").parent if self.sqlite else Path())
        self.engine = _sqlite_engine(self.url, scratch=scratch) if self.sqlite else _postgresql_engine(self.url)
        self.errors = (sa.exc.DBAPIError, self.engine.dialect.loaded_dbapi.Error)
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.sqlite else nullcontext()
        """Threads of this process take turns to write: SQLite itself has them look again after up to 100 ms."""
        self._writer: sa.Connection | None = None
        """SQLite: what they write by. To fetch one out of the pool, and to bring it back, is half of a small transaction."""

    @property
    def path(self) -> Path | None:
        """The SQLite file, if it is one."""
        return Path(self.url.database) if self.sqlite and self.url.database else None

    @property
    def place(self) -> str:
        """Name the store for a person."""
        return faults.place(self.url)

    def transact(self, step: Callable[[Tx], T], *, epoch: int | None = None) -> T:
        """Run a step in one transaction: all of it is durable when this returns, or nothing happened.

        A step may run again after a serialization failure, so it must not keep what it did elsewhere.
        `epoch`: the lease's; LeaseLost when another process has taken over since.
        """

        def fenced(tx: Tx) -> T:
            if epoch is not None:
                self._fence(tx, epoch)
            return step(tx)

        return self._run(fenced, self._begun)

    def read(self, step: Callable[[Tx], T]) -> T:
        """Run a step on one consistent view; it takes no lock that a writer would feel, and cannot write."""
        return self._run(step, self._reading)

    def version(self) -> str | None:
        """Read the schema version; None when there is no store of ours."""
        return self.read(lambda tx: _version(tx.connection))

    def demand_version(self, connection: sa.Connection, wanted: str) -> None:
        """Raise ConfigError unless the store is of this version, with what to do."""
        found = _version(connection)
        if found == wanted:
            return
        if found is not None and found < wanted:
            remedy = "run `syncd db upgrade` (every syncd on it must be stopped, and a backup made)"
            raise ConfigError(f"{self.place}: the store is of version {found}, this syncd needs {wanted}; {remedy}")
        whose = "it" if self.engine.dialect.name == "sqlite" else "you"  # a server's store is not copied by us
        remedy = f"install the newer one again, or go back to the backup that {whose} made when it upgraded the store"
        raise ConfigError(f"{self.place}: the store is of version {found}, this syncd knows {wanted} only; {remedy}")

    def quick_check(self) -> None:
        """Read an SQLite file from end to end; ConfigError when it is damaged."""
        found = self.read(lambda tx: tx.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if found != "ok":
            raise ConfigError(f"{self.place}: {faults.DAMAGED}", detail=str(found))

    def create(self) -> None:
        """Make all tables in an empty store, stamp its version and remember the key. Harmless where they are."""
        with self.translated(), self.changing() as connection:
            if _version(connection) is None:
                _refuse_strangers(connection, self.place)
                for statement in schema.statements(connection.dialect):
                    connection.exec_driver_sql(statement)
                schema.version.create(connection, checkfirst=False)
                connection.execute(sa.insert(schema.version), {"version_num": schema.HEAD})
                Tx(connection, self.sealer).set_meta(KEY, self.sealer.check)

    @contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables; one at a time on PostgreSQL as well."""
        if self.sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with (
            self.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection,
            connection.begin(),
        ):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('syncd tables'))")
            yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn errors of the database into reactions."""
        try:
            yield
        except self.errors as error:
            faults.forget_values(error)
            found = faults.reaction(error, self.url)
            if found is None:
                raise
            raise found from None  # the cause holds the connection, and that the password

    def close(self) -> None:
        """Close every connection."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self.engine.dispose()

    def _run(self, step: Callable[[Tx], T], begin: Callable[[], Any]) -> T:
        with self.translated():
            for attempt in range(1, RETRIES + 1):
                try:
                    with begin() as connection:
                        return step(Tx(connection, self.sealer))
                except self.errors as error:
                    if attempt == RETRIES or not faults.is_retried(error):
                        raise
        raise AssertionError("unreachable")

    @contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        if not self.sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with self._turn:
            writer = self._writer = self._writer or self.engine.connect()
            try:
                with writer.begin():
                    yield writer
            except BaseException:
                self._writer = None  # the pool takes away whatever a failure has left in it
                writer.close()
                raise

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        options: dict[str, Any] = (
            {_READING: True} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def _fence(self, tx: Tx, epoch: int) -> None:
        if tx.meta(EPOCH) != str(epoch):
            raise LeaseLost(f"{self.place}: another syncd has taken over; this one stops, nothing was changed by it")


_READING: Final = "syncd_reading"
_NONE: Final[dict[None, None]] = {None: None}
"""Its `get` gives None for None, and is no Python call."""
_HAS_TABLE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
_VERSION: Final = Query(sa.select(schema.version.c.version_num))


def _version(connection: sa.Connection) -> str | None:
    if connection.dialect.name == "sqlite":  # at every pass: the inspector would take a hundred times as long
        there = driver(connection).execute(_HAS_TABLE, (schema.version.name,)).fetchone() is not None
    else:
        there = sa.inspect(connection).has_table(schema.version.name)
    return cast("str | None", _VERSION.value(connection)) if there else None


def _refuse_strangers(connection: sa.Connection, place: str) -> None:
    """Refuse to make a store in somebody else's database."""
    strangers = set(sa.inspect(connection).get_table_names())
    if connection.dialect.name != "sqlite":
        strangers &= {*schema.META.tables, schema.version.name}  # a server's database may be shared, a file not
    if strangers:
        names = ", ".join(sorted(strangers)[:5])
        raise ConfigError(f"{place}: holds other tables already ({names}); give the store a database of its own")


def _sqlite_engine(url: sa.URL, *, scratch: bool) -> sa.Engine:
    # For these types sqlite3 raises and swallows an error a value before it takes the value as it is: 2.4 % of a first sync.
    sqlite3.register_adapter(bytes, bytes)
    sqlite3.register_adapter(type(None), _NONE.get)
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": 30})
    settings = [
        "synchronous=OFF" if scratch else "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16000",
        "temp_store=FILE",
        "wal_autocheckpoint=4000",
    ]
    mode = "memory" if scratch else "wal"

    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        found = connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
        if found != mode:
            raise ConfigError(f"{faults.place(url)}: this file system cannot hold a store; use a local disk")
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    def begin(connection: sa.Connection) -> None:
        reading = bool(connection.get_execution_options().get(_READING))
        if connection.info.get(_READING) != reading:
            driver(connection).execute(f"PRAGMA query_only={int(reading)}")
            connection.info[_READING] = reading
        driver(connection).execute("BEGIN" if reading else "BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", connect)
    sa.event.listen(engine, "begin", begin)
    return engine


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    ours = {name: value for name, value in _POSTGRESQL_CONNECTION.items() if name not in url.query}
    engine = sa.create_engine(
        url, hide_parameters=True, pool_pre_ping=True, isolation_level="SERIALIZABLE", connect_args=ours
    )

    def connect(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(_POSTGRESQL_SETTINGS)
        connection.autocommit = False

    sa.event.listen(engine, "connect", connect)
    faults.hide_values(engine)
    return engine


_POSTGRESQL_CONNECTION: Final = {
    "application_name": "syncd",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Plans are made for each page: one that was made when a table was empty is a disaster when it is full.
# Whoever dies without a word gives its locks back within a minute.
_POSTGRESQL_SETTINGS: Final = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', false),
       set_config('lock_timeout', '30s', false),
       set_config('idle_in_transaction_session_timeout', '5min', false),
       set_config('tcp_keepalives_idle', '30', false),
       set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'on' ELSE setting END, false)
  FROM pg_settings WHERE name = 'synchronous_commit'
"""
