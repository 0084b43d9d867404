"""The apps of a story as their people see them: somebody adds, edits and removes records, and looks at what is there.

Not through syncd's connectors: a file is edited as a file, a table by SQL. Blank fields are not shown.
"""

from __future__ import annotations

import csv
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from syncd import registry

Fields: TypeAlias = dict[str, Any]

COLUMNS: Final = (
    "email", "first_name", "last_name", "company", "job_title", "phone", "birthday", "street", "postal_code", "city",
    "tags", "email_consent", "consent_at", "consent_source", "colour",
)  # fmt: skip
"""What apps hold unless a story says otherwise; nobody ever told syncd of `colour`."""

NOW: Final = "strftime('%Y-%m-%d %H:%M:%S', 'now')"


class Kept(Protocol):
    """One app of a story."""

    name: str

    def entry(self) -> dict[str, Any]:
        """Make its entry of the configuration."""

    def rows(self) -> dict[str, Fields]:
        """Say what it holds: id -> fields that are not blank."""

    def put(self, id_: str, **fields: Any) -> None:
        """Somebody adds a record, or edits these fields of one. `None` blanks a field."""

    def remove(self, *ids: str) -> None:
        """Somebody removes records."""

    def one(self, email: str) -> Fields:
        """Say what the one record with this address holds."""

    def id_of(self, email: str) -> str:
        """Name the one record with this address."""

    def saved(self) -> Callable[[], None]:
        """Remember everything; give what brings it back."""


class _Looking(ABC):
    """What all apps of stories can do by looking at their rows."""

    @abstractmethod
    def rows(self) -> dict[str, Fields]: ...

    def one(self, email: str) -> Fields:
        return self.rows()[self.id_of(email)]

    def id_of(self, email: str) -> str:
        found = [id_ for id_, row in self.rows().items() if str(row.get("email", "")).casefold() == email.casefold()]
        assert len(found) == 1, f"{len(found)} records have this address"
        return found[0]


class MemoryKept(_Looking):
    """The memory app; every further option is one of its settings, a peculiarity."""

    def __init__(self, folder: Path, name: str, *, columns: tuple[str, ...] = COLUMNS, **settings: Any) -> None:
        registry.load("memory")
        self._stores = import_module("syncd_connectors.memory.store")
        self.name, self._place = name, f"{folder}/{name}"
        self._settings = {"store": self._place, "columns": list(columns), **settings}
        self.store = self._stores.STORES[self._place] = self._stores.MemoryStore()

    def entry(self) -> dict[str, Any]:
        return {"connector": "memory", "settings": self._settings}

    def rows(self) -> dict[str, Fields]:
        return {id_: dict(person.properties) for id_, person in sorted(self.store.people.items())}

    def put(self, id_: str, **fields: Any) -> None:
        self.store.put(id_, {**self.rows().get(id_, {}), **fields})

    def remove(self, *ids: str) -> None:
        for id_ in ids:
            self.store.delete(id_)

    def saved(self) -> Callable[[], None]:
        kept = deepcopy(self.store)

        def back() -> None:
            self.store = self._stores.STORES[self._place] = deepcopy(kept)

        return back


class CsvKept(_Looking):
    """A file."""

    def __init__(self, folder: Path, name: str, *, columns: tuple[str, ...] = COLUMNS) -> None:
        self.name, self.path, self.columns = name, folder / f"{name}.csv", ("id", *columns)
        self._write({})

    def entry(self) -> dict[str, Any]:
        return {"connector": "csv", "settings": {"path": self.path.name, "key": "id"}}

    def rows(self) -> dict[str, Fields]:
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = [*csv.DictReader(file)]
        assert len({row["id"] for row in rows}) == len(rows), "two rows with one key"
        return {row["id"]: {name: cell for name, cell in row.items() if name != "id" and cell} for row in rows}

    def put(self, id_: str, **fields: Any) -> None:
        rows = self.rows()
        rows[id_] = rows.get(id_, {}) | fields
        self._write(rows)

    def remove(self, *ids: str) -> None:
        self._write({id_: row for id_, row in self.rows().items() if id_ not in ids})

    def saved(self) -> Callable[[], None]:
        return _file_saved(self.path)

    def _write(self, rows: Mapping[str, Fields]) -> None:
        beside = self.path.with_suffix(".new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {"id": id_, **{n: v for n, v in row.items() if v is not None}} for id_, row in rows.items()
            )
        beside.replace(self.path)


class SqlKept(_Looking):
    """A table of an SQLite file. `drawn`: it draws its own keys; `stamped`: it has updated_at and deleted columns."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        columns: tuple[str, ...] = COLUMNS,
        drawn: bool = False,
        stamped: bool = False,
        unique: str | None = None,
    ) -> None:
        self.name, self.path, self.columns = name, folder / f"{name}.db", columns
        self._stamped = stamped
        key = "id INTEGER PRIMARY KEY" if drawn else "id TEXT PRIMARY KEY"
        texts = [f"{column} TEXT{' UNIQUE' if column == unique else ''}" for column in columns]
        stamps = ["updated_at TEXT", "deleted INTEGER DEFAULT 0"] if stamped else []
        self.run(f"CREATE TABLE people ({', '.join([key, *texts, *stamps])})")

    def entry(self) -> dict[str, Any]:
        settings = {"url": f"sqlite:///{self.path.name}", "table": "people", "key": "id"}
        if self._stamped:
            settings |= {"updated_at": "updated_at", "deleted": "deleted"}
        return {"connector": "sql", "settings": settings}

    def rows(self) -> dict[str, Fields]:
        where = "WHERE deleted = 0" if self._stamped else ""
        with sqlite3.connect(self.path) as connection:
            found = connection.execute(
                f"SELECT id, {', '.join(self.columns)} FROM people {where} ORDER BY id"
            ).fetchall()
        connection.close()
        return {
            str(row[0]): {n: v for n, v in zip(self.columns, row[1:], strict=True) if v not in (None, "")}
            for row in found
        }

    def put(self, id_: str, **fields: Any) -> None:
        names, values = ["id", *fields], [id_, *fields.values()]
        marks = ["?"] * len(names)
        if self._stamped:
            names, marks = [*names, "updated_at"], [*marks, NOW]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        into = f"INSERT INTO people ({', '.join(names)}) VALUES ({', '.join(marks)})"
        self.run(f"{into} ON CONFLICT (id) DO UPDATE SET {changes}", *values)

    def remove(self, *ids: str) -> None:
        marked = f"UPDATE people SET deleted = 1, updated_at = {NOW}"
        for id_ in ids:
            self.run(f"{marked if self._stamped else 'DELETE FROM people'} WHERE id = ?", id_)

    def saved(self) -> Callable[[], None]:
        return _file_saved(self.path)

    def run(self, statement: str, *values: Any) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(statement, values)
        connection.close()


def _file_saved(path: Path) -> Callable[[], None]:
    kept = path.read_bytes()
    return lambda: void(path.write_bytes(kept))


def void(_: object) -> None:
    """Forget what a call gave."""


KINDS: Final[dict[str, Callable[..., Kept]]] = {"memory": MemoryKept, "csv": CsvKept, "sql": SqlKept}
