"""Tables of an SQL database, and the people who work in them with SQL. For the kit it is SQLite; tests name a PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from syncd.connector import App, Connector
from syncd.kit.worlds import AppWorld
from syncd.model import FieldMap, Raw


class World(AppWorld):
    """A table with columns that nobody maps and one under another name; people work in it with SQL."""

    people = 2300
    overlaps = True
    refused = {"email": None}
    mapped = {"first_name": FieldMap(path="Given Name")}

    def __init__(
        self,
        connector: Connector | None = None,
        *,
        url: str = "",
        stamped: bool = False,
        deleted: str = "",
        key: str = "TEXT",
        unique: bool = False,
    ) -> None:
        super().__init__(connector)
        url = url or self._made()
        self._url, self._stamped, self._deleted = url, stamped, deleted
        self._sqlite = url.startswith("sqlite")
        self._broken_off = False
        self._engine = sa.create_engine(url, poolclass=NullPool)
        self._own_keys = key != "TEXT"
        self._numbers = itertools.count(1)
        columns = [
            f"id {key} PRIMARY KEY",
            f"email VARCHAR(100) NOT NULL {'UNIQUE' if unique else ''}",
            '"Given Name" VARCHAR(50000)',
            "phone TEXT",
            "company TEXT",
            "notes TEXT",
            "loyalty TEXT DEFAULT 'gold'",
            "photo BLOB" if self._sqlite else "photo BYTEA",
        ]
        columns += [f"deleted {deleted}"] if deleted else []
        columns += [f"changed {'TEXT' if self._sqlite else 'TIMESTAMPTZ'}"] if stamped else []
        with self._engine.begin() as connection:
            for name in ("people", "other"):
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
                connection.exec_driver_sql(f"CREATE TABLE {name} ({', '.join(columns)})")

    def _made(self) -> str:
        (self.folder / "people.db").touch()
        return f"sqlite:///{self.folder / 'people.db'}"

    def open(self) -> App:
        return self._table("people")

    def open_other(self) -> App:
        return self._table("other")

    def _table(self, table: str) -> App:
        settings = {
            "url": self._url,
            "table": table,
            "updated_at": "changed" if self._stamped else None,
            "deleted": "deleted" if self._deleted else None,
        }
        return self.opened(settings)

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        with self._engine.begin() as connection:
            return [self._insert(connection, fields) for fields in people]

    def _insert(self, connection: sa.Connection, fields: Mapping[str, Raw]) -> str:
        own = {} if self._own_keys else {"id": f"h{next(self._numbers)}"}
        values = {**own, "photo": b"\x89PNG", **{self._column(name): value for name, value in fields.items()}}
        values = {name: value for name, value in values.items() if value is not None}
        names = [*(f'"{name}"' for name in values), *(["changed"] if self._stamped else [])]
        binds = [*(f":v{index}" for index, _ in enumerate(values)), *([self._clock()] if self._stamped else [])]
        told = {f"v{index}": value for index, value in enumerate(values.values())}
        statement = f"INSERT INTO people ({', '.join(names)}) VALUES ({', '.join(binds)}) RETURNING id"  # noqa: S608 - names of ours
        return str(connection.execute(sa.text(statement), told).scalar_one())

    def edit(self, id_: str, **fields: Raw) -> None:
        sets = [f'"{self._column(name)}" = :{name}' for name in fields]
        sets += [f"changed = {self._clock()}"] if self._stamped else []
        self._run(f"UPDATE people SET {', '.join(sets)} WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_, **fields)  # noqa: S608

    def edit_all(self, ids: Iterable[str], **fields: Raw) -> None:
        """In one transaction: so they share a stamp."""
        sets = [f'"{self._column(name)}" = :{name}' for name in fields]
        sets += ["changed = CURRENT_TIMESTAMP"] if self._stamped else []
        statement = sa.text(f"UPDATE people SET {', '.join(sets)} WHERE CAST(id AS TEXT) = :id")  # noqa: S608
        with self._engine.begin() as connection:
            connection.execute(statement, [{"id": id_, **fields} for id_ in ids])

    def delete(self, id_: str) -> None:
        if not self._deleted:
            self._run("DELETE FROM people WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_)
            return
        mark = {"BOOLEAN": "TRUE", "INTEGER": "1"}.get(self._deleted, "CURRENT_TIMESTAMP")
        stamp = f", changed = {self._clock()}" if self._stamped else ""
        self._run(f"UPDATE people SET deleted = {mark}{stamp} WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_)  # noqa: S608

    def untouched(self, id_: str) -> object:
        rows: Any = self.everything()
        unmapped = ("id", "loyalty", "photo", "deleted")
        mine = [{name: row.get(name) for name in unmapped} for row in rows if str(row["id"]) == id_]
        return mine, [row for row in rows if str(row["id"]) != id_]

    def everything(self) -> object:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT * FROM people ORDER BY id")).mappings()
            return [dict(row) for row in rows]

    def break_off(self) -> None:
        if self._sqlite:
            path = Path(self._url.removeprefix("sqlite:///"))
            path.rename(path.with_suffix(".away"))
        else:
            self._broken_off = True
            self._let_in("false")

    def close(self) -> None:
        super().close()
        if self._broken_off:
            self._let_in("true")

    def _let_in(self, truth: str) -> None:
        """Close or open the whole database to everybody; who is in is thrown out."""
        url = sa.make_url(self._url)
        admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS {truth}')
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(sa.text(end), {"name": url.database})

    def is_there(self) -> bool:
        return self._sqlite and Path(self._url.removeprefix("sqlite:///")).exists()

    def _clock(self) -> str:
        return "CURRENT_TIMESTAMP" if self._sqlite else "clock_timestamp()"

    def _column(self, name: str) -> str:
        return "Given Name" if name == "first_name" else name

    def _run(self, statement: str, **values: Any) -> Any:
        with self._engine.begin() as connection:
            return connection.execute(sa.text(statement), values).scalar_one()


TABLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "bare": {"stamped": False},
    "stamped": {"stamped": True},
    "soft": {"stamped": False, "deleted": "BOOLEAN"},
    "stamped soft": {"stamped": True, "deleted": "TIMESTAMP"},
    "own keys": {"stamped": True, "key": "INTEGER"},
    "unique": {"stamped": True, "unique": True, "deleted": "INTEGER"},
}
WORLDS: Final[Mapping[str, Callable[..., World]]] = {name: partial(World, **table) for name, table in TABLES.items()}
