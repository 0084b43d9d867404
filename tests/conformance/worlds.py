"""The apps that the suite runs against, and the people who work in them without syncd."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from syncd import registry
from syncd.connector import App, Connector, Opening
from syncd.model import FieldMap, Raw

FIELDS = ("email", "first_name", "phone", "company", "notes")
KNOWN = dict.fromkeys((*FIELDS, "last_name", "birthday", "job_title", "tags"), "text")


def opening(connector: Connector, settings: Mapping[str, Any], **more: Any) -> Opening:
    """Fill in the defaults, as the configuration does."""
    defaults = {setting.name: setting.default for setting in connector.spec.settings}
    return Opening(**{
        "app": "app", "settings": {**defaults, **settings}, "secrets": {}, "fields": {}, "known": KNOWN, **more
    })  # fmt: skip


class _Opens:
    """Remembers what it opened."""

    def __init__(self, name: str) -> None:
        self._connector = registry.load(name)
        self._apps: list[App] = []

    def _open(self, settings: Mapping[str, Any], **more: Any) -> App:
        self._apps.append(self._connector.open(opening(self._connector, settings, **more)))
        return self._apps[-1]

    def close(self) -> None:
        for app in self._apps:
            app.close()


class CsvWorld(_Opens):
    """A file with two columns that nobody maps, one column under another name, and quotes where none are needed."""

    people = 2300
    exact = True
    overlaps = False
    fields: tuple[str, ...] = FIELDS
    refused: Mapping[str, Raw] = {"company": "half \ud800 a pair"}
    columns = ("loyalty", "id", "email", "Vorname", "phone", "company", "notes", "x,y")

    def __init__(
        self, folder: Path, *, newline: str = "\r\n", encoding: str = "utf-8", delimiter: str = ",", bom: bytes = b""
    ) -> None:
        super().__init__("csv")
        self._path = folder / "people.csv"
        self._encoding, self._delimiter, self._newline, self._bom = encoding, delimiter, newline, bom
        self._numbers = itertools.count(1)
        self._folder = folder
        self._save([list(self.columns)])

    def open(self) -> App:
        return self._file(self._path)

    def open_other(self) -> App:
        other = self._folder / "other.csv"
        other.write_bytes(b"id,email\n".replace(b",", self._delimiter.encode()))
        return self._file(other)

    def _file(self, path: Path) -> App:
        settings = {"path": path, "encoding": self._encoding, "delimiter": self._delimiter}
        return self._open(settings, fields={"first_name": FieldMap(path="Vorname")})

    def add(self, **fields: Raw) -> str:
        return self.add_all([fields])[0]

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        """Append lines to the file, as some other program would."""
        ids = []
        with self._path.open("ab") as file:
            for fields in people:
                ids.append(f"h{next(self._numbers)}")
                row = {self._column(name): value for name, value in fields.items()}
                row |= {"loyalty": '"gold"', "id": ids[-1], "x,y": '"a, b"'}
                line = self._delimiter.join(row.get(column) or "" for column in self.columns)
                file.write((line + self._newline).encode(self._encoding))
        return ids

    def edit(self, id_: str, **fields: Raw) -> None:
        rows = self._load()
        [row] = [row for row in rows if row[1] == id_]
        for name, value in fields.items():
            row[self.columns.index(self._column(name))] = value or ""
        self._save(rows)

    def delete(self, id_: str) -> None:
        self._save([row for row in self._load() if row[1] != id_])

    def untouched(self, id_: str) -> object:
        lines = self._path.read_bytes().splitlines(keepends=True)
        marks = [line.split(self._delimiter.encode())[1] == id_.encode() for line in lines]
        row = next(line for line, mine in zip(lines, marks, strict=True) if mine)
        return [line for line, mine in zip(lines, marks, strict=True) if not mine], row[:7], row[-8:]

    def everything(self) -> object:
        return self._path.read_bytes()

    def break_off(self) -> None:
        self._path.rename(self._path.with_suffix(".away"))

    def is_there(self) -> bool:
        return self._path.exists()

    def _column(self, name: str) -> str:
        return "Vorname" if name == "first_name" else name

    def _load(self) -> list[list[str]]:
        data = self._path.read_bytes().removeprefix(self._bom)
        return list(csv.reader(io.StringIO(data.decode(self._encoding), newline=""), delimiter=self._delimiter))

    def _save(self, rows: list[list[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator=self._newline).writerows(rows)
        self._path.write_bytes(self._bom + text.getvalue().encode(self._encoding))


class MemoryWorld(_Opens):
    """A store with the peculiarities that the settings ask for, and one property that nobody maps."""

    people = 25
    overlaps = False
    fields: tuple[str, ...] = FIELDS

    def __init__(self, *, exact: bool = True, refused: Mapping[str, Raw] | None = None, **settings: Any) -> None:
        self.exact = exact
        self.refused = refused or {}
        super().__init__("memory")
        self._stores = sys.modules[self._connector.open.__module__.replace(".connector", ".store")]
        self._settings = {"page": 7, **settings, "columns": FIELDS}
        self._name = f"world {id(self)}"
        self._store = self._stores.STORES[self._name] = self._stores.MemoryStore()
        self._stores.STORES["other"] = self._stores.MemoryStore()

    def open(self) -> App:
        return self._open({**self._settings, "store": self._name})

    def open_other(self) -> App:
        return self._open({**self._settings, "store": "other"})

    def add(self, **fields: Raw) -> str:
        return str(self._store.add(**fields, loyalty="gold"))

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        return [self.add(**fields) for fields in people]

    def edit(self, id_: str, **fields: Raw) -> None:
        self._store.edit(id_, **fields)

    def delete(self, id_: str) -> None:
        self._store.delete(id_)

    def untouched(self, id_: str) -> object:
        people = self._store.people
        return people[id_].properties["loyalty"], {other: people[other] for other in people if other != id_}

    def everything(self) -> object:
        return dict(self._store.people)

    def break_off(self) -> None:
        del self._stores.STORES[self._name]

    def is_there(self) -> bool:
        return self._name in self._stores.STORES


class SqlWorld(_Opens):
    """A table with columns that nobody maps and one under another name; people work in it with SQL."""

    people = 2300
    exact = True
    overlaps = True
    fields: tuple[str, ...] = FIELDS
    refused: Mapping[str, Raw] = {"email": None}

    def __init__(self, url: str, *, stamped: bool, deleted: str = "", key: str = "TEXT", unique: bool = False) -> None:
        super().__init__("sql")
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
        return self._open(settings, fields={"first_name": FieldMap(path="Given Name")})

    def add(self, **fields: Raw) -> str:
        return self.add_all([fields])[0]

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
        statement = f"INSERT INTO people ({', '.join(names)}) VALUES ({', '.join(binds)}) RETURNING id"
        return str(connection.execute(sa.text(statement), told).scalar_one())

    def edit(self, id_: str, **fields: Raw) -> None:
        sets = [f'"{self._column(name)}" = :{name}' for name in fields]
        sets += [f"changed = {self._clock()}"] if self._stamped else []
        self._run(f"UPDATE people SET {', '.join(sets)} WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_, **fields)

    def delete(self, id_: str) -> None:
        if not self._deleted:
            self._run("DELETE FROM people WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_)
            return
        mark = {"BOOLEAN": "TRUE", "INTEGER": "1"}.get(self._deleted, "CURRENT_TIMESTAMP")
        stamp = f", changed = {self._clock()}" if self._stamped else ""
        self._run(f"UPDATE people SET deleted = {mark}{stamp} WHERE CAST(id AS TEXT) = :id RETURNING id", id=id_)

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
