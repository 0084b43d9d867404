"""How the database is reached, and what its errors mean here.

Knows drivers and their words; knows nothing of tables. Hard rule: no message holds a value, a password or an address
with one: errors are told by their class and SQLSTATE, never by the driver's own text.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError

WAIT_SECONDS: Final = 10

_REFUSED: Final = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|role .* does not exist|not permitted to log in"
)
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_DATABASE: Final = re.compile(r"database .* does not exist")


def engine_for(opening: Opening) -> tuple[Engine, str]:
    """Make the engine and its public name (no account, no password)."""
    try:
        url = sa.make_url(opening.settings["url"])
    except exc.ArgumentError:
        raise ConfigError(
            "url: not an address as SQLAlchemy writes it: sqlite:///file.db, postgresql://host/database"
        ) from None
    if url.password is not None or any("pass" in name.lower() for name in url.query):
        raise ConfigError("url: holds a password; move it to the secrets `username` and `password`")
    if opening.secrets.get("username"):
        url = url.set(username=opening.secrets["username"])
    if opening.secrets.get("password"):
        url = url.set(password=opening.secrets["password"])
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    name = f"{url.get_backend_name()}://{url.host or ''}:{url.port or ''}/{url.database or ''}"
    arguments: dict[str, Any] = {}
    if url.drivername == "postgresql+psycopg":
        arguments = {"connect_args": {"connect_timeout": WAIT_SECONDS, "application_name": "syncd"}}
    try:
        engine = sa.create_engine(url, hide_parameters=True, pool_size=1, max_overflow=4, **arguments)
    except (exc.NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"url: the driver of {url.drivername} is not installed: {error}") from None
    if url.drivername == "postgresql+psycopg":
        sa.event.listen(engine, "connect", _greet_postgres)
    return engine, name


def _sqlite(url: URL) -> tuple[Engine, str]:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("url: name the file of the database, as in sqlite:///folder/file.db")
    path = Path(url.database).resolve()
    try:
        wait_seconds = float(str(url.query.get("timeout", WAIT_SECONDS)))
    except ValueError:
        raise ConfigError("url: timeout is a number of seconds") from None

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that is not there is an error, not an empty database.
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=wait_seconds,
            isolation_level=None,
            check_same_thread=False,
        )

    # A connection a call: a file that was replaced or taken away is noticed at once.
    engine = sa.create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(_begin(connection)))
    return engine, f"sqlite:///{path}"


def _begin(connection: Connection) -> str:
    return "BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN"


def _greet_postgres(connection: Any, _record: object) -> None:
    """Have dates, times and numbers come as text: no value is too large, too early or infinite for a text."""
    from psycopg.adapt import Loader
    from psycopg.types.string import TextLoader

    class Moment(Loader):
        def load(self, data: Any) -> str:
            return bytes(data).decode().replace(" ", "T", 1)

    class Instant(Loader):
        def load(self, data: Any) -> str:
            text = bytes(data).decode()
            try:
                return datetime.fromisoformat(text).astimezone(UTC).isoformat()
            except ValueError:
                return text

    for name in ("date", "time", "timetz", "interval", "numeric", "uuid"):
        connection.adapters.register_loader(name, TextLoader)
    connection.adapters.register_loader("timestamp", Moment)
    connection.adapters.register_loader("timestamptz", Instant)
    connection.execute(f"SET datestyle = 'ISO'; SET lock_timeout = '{WAIT_SECONDS}s'")
    connection.commit()


@contextlib.contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn the database's errors into reactions."""
    try:
        yield
    except exc.DBAPIError as error:
        raise reaction(error.orig or error, name) from None
    except exc.TimeoutError:
        raise TransientError(f"{name}: no connection became free") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: holds text that is not {error.encoding}; check the encoding of the database"
        ) from None


def sqlstate(error: BaseException) -> str:
    """Give the five characters that say what was wrong; "" where the driver has none."""
    return getattr(error, "sqlstate", None) or ""


def is_about_the_row(error: BaseException, driver: Any) -> bool:
    """Tell a refusal of values from a failure of the database, by the driver's own error."""
    if isinstance(error, driver.OperationalError | driver.InterfaceError):
        return False
    state = sqlstate(error)
    return not state or state[:2] in {"22", "23", "44", "P0"} or state in {"42804", "0A000"}


def is_fixed(error: BaseException) -> bool:
    """Tell that this view, or this column of it, takes no writes at all."""
    return sqlstate(error) in {"0A000", "55000"} or "because it is a view" in str(error)


def reaction(error: BaseException, name: str) -> SyncdError:
    """Say what a failed statement or connection means for the app as a whole, by the driver's own error."""
    state, told = sqlstate(error), str(error)
    if state.startswith("28") or state == "42501" or (not state and _REFUSED.search(told)):
        return AccessError(f"{name}: refuses the account; check the secrets `username` and `password` and its rights")
    if state == "3D000" or (not state and _NO_DATABASE.search(told)):
        return ConfigError(f"{name}: there is no such database; correct `url`")
    if state in {"42P01", "42703", "3F000"} or "no such table" in told or "no such column" in told:
        return ConfigError(
            f"{name}: the table or a column of it is not there any more; check `table` and restart syncd"
        )
    if "file is not a database" in told or "disk image is malformed" in told:
        return ConfigError(f"{name}: is not a sound SQLite database; restore it from a backup or correct `url`")
    if "unable to open database file" in told:
        path = Path(name.removeprefix("sqlite:///"))
        if path.exists():
            return AccessError(f"{name}: cannot be opened; allow the account that runs syncd to read and write it")
        return TransientError(f"{name}: there is no such file (it is never created); put it there or correct `url`")
    if "readonly database" in told:
        return AccessError(f"{name}: may not be written to; allow the account that runs syncd")
    if state == "55P03":
        return TransientError(f"{name}: another session keeps it locked; pg_stat_activity names it (state, xact_start)")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
        remedy = "`fuser` on the file names it; end it, or let it finish: syncd tries again by itself"
        return TransientError(f"{name}: another program keeps it locked; {remedy}")
    kind = f"{type(error).__name__} {state}".rstrip()
    return TransientError(f"{name}: does not answer or refuses ({kind}); is it running and reachable?")
