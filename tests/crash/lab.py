"""Three vendors that remember everything they were asked, and the people in them: what a crash is judged by.

Vendors: `desk`, a CSV file; `books`, an SQLite table that draws its own keys and whose triggers log every row that is made
or changed; `team`, an address book on loopback that keeps every card it took. Hard rule: verdicts come from the vendors, never from syncd's store.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.davbook import vcard
from tests.tinydav import BOOK, TinyDav, tiny_dav
from tests.wire import Answer, Asked

FIELDS: Final = ("email", "first_name", "last_name", "company", "job_title", "phone", "email_consent")
APPS: Final = ("desk", "books", "team")
LINES: Final = {"ORG": "company", "TITLE": "job_title", "EMAIL": "email", "TEL": "phone", "X-CONSENT": "email_consent"}

CONFIG: Final = """\
version: 1
store: env:STORE_AT
debug: {{crash_points: true}}
guards: {{creates: 1000, updates: 1000, clears: 100, unlinks: 100}}
apps:
  desk: {{connector: csv, settings: {{path: desk.csv, key: id}}}}
  books: {{connector: sql, settings: {{url: 'sqlite:///books.db', table: people, key: id}}}}
  team:
    connector: carddav
    network: private
    settings: {{url: '{url}'}}
    secrets: {{username: env:DAV_USER, password: env:DAV_USER}}
    fields: {{email_consent: {{path: X-CONSENT}}}}
"""
TRIGGERS: Final = """
CREATE TABLE people (id INTEGER PRIMARY KEY, {columns});
CREATE TABLE log (number INTEGER PRIMARY KEY, what TEXT, id TEXT, email TEXT, consent TEXT);
CREATE TRIGGER made AFTER INSERT ON people BEGIN
  INSERT INTO log (what, id, email, consent) VALUES ('insert', new.id, new.email, new.email_consent); END;
CREATE TRIGGER changed AFTER UPDATE ON people BEGIN
  INSERT INTO log (what, id, email, consent) VALUES ('update', new.id, new.email,
    CASE WHEN new.email_consent IS NOT old.email_consent THEN new.email_consent END); END;
CREATE TRIGGER removed AFTER DELETE ON people BEGIN
  INSERT INTO log (what, id, email) VALUES ('delete', old.id, old.email); END;
"""

Fields = dict[str, str]
Holdings = dict[str, list[Fields]]


@dataclass(slots=True)
class Vendors:
    """The three of them in one folder."""

    folder: Path
    dav: TinyDav
    taken: list[Asked] = field(default_factory=list)
    """Every card that the address book took."""
    strike: Callable[[int, str], None] = lambda _number, _when: None
    """Called right before and right after the book takes the n-th card."""

    def __post_init__(self) -> None:
        self.dav.before, self.dav.after = self._before, self._after

    def begin(self) -> None:
        """Make empty vendors and the configuration."""
        (self.folder / "syncd.yaml").write_text(CONFIG.format(url=self.dav.url), "utf-8")
        with closing(sqlite3.connect(self.folder / "books.db")) as books:
            books.executescript(TRIGGERS.format(columns=", ".join(f"{name} TEXT" for name in FIELDS)))
        self._write_desk({})

    # -- what people do

    def put(self, app: str, id_: str, **fields: str) -> None:
        """Somebody adds a record, or edits these fields of one."""
        row = {**dict.fromkeys(FIELDS, ""), **self.rows(app).get(id_, {}), **fields}
        if app == "desk":
            self._write_desk({**self._read_desk(), id_: row})
        elif app == "books":
            marks = ", ".join(f"{name} = excluded.{name}" for name in FIELDS)
            values = [row[name] or None for name in FIELDS]
            self.sql(
                f"INSERT INTO people (id, {', '.join(FIELDS)}) VALUES (?{', ?' * len(FIELDS)}) "
                f"ON CONFLICT (id) DO UPDATE SET {marks}",
                id_,
                *values,
            )
        else:
            lines = [f"N:{row['last_name']};{row['first_name']};;;", f"FN:{row['first_name']} {row['last_name']}"]
            lines += [f"{line}:{row[name]}" for line, name in LINES.items() if row[name]]
            self.dav.put(id_ if id_.startswith("/") else f"{BOOK}{id_}.vcf", vcard(*lines, uid=id_))

    def remove(self, id_: str) -> None:
        """Somebody removes a row of `books`."""
        self.sql("DELETE FROM people WHERE id = ?", id_)

    def forget_log(self) -> None:
        """From here on whatever is written is syncd's doing."""
        self.sql("DELETE FROM log")
        self.taken.clear()

    # -- what there is to see

    def rows(self, app: str) -> dict[str, Fields]:
        """Say what one app holds: id -> fields."""
        if app == "desk":
            return self._read_desk()
        if app == "books":
            found = self.sql(f"SELECT id, {', '.join(FIELDS)} FROM people ORDER BY id")
            return {
                str(row[0]): dict(zip(FIELDS, ("" if v is None else v for v in row[1:]), strict=True)) for row in found
            }
        return {href: _card(text) for href, text in sorted(self.dav.cards.items())}

    def id_of(self, app: str, email: str) -> str:
        [id_] = [id_ for id_, row in self.rows(app).items() if row["email"] == email]
        return id_

    def holdings(self) -> Holdings:
        """Say what all apps hold, without ids, in an order of its own."""
        return {app: sorted(self.rows(app).values(), key=lambda row: sorted(row.items())) for app in APPS}

    def written(self) -> list[tuple[str, str, str, str]]:
        """Say what syncd wrote since the log was forgotten: app, what, e-mail, consent if that was set."""
        rows = self.sql("SELECT what, email, consent FROM log ORDER BY number")
        books = [("books", what, email or "", consent or "") for what, email, consent in rows]
        cards = [(asked, _card(asked.body.decode())) for asked in self.taken]
        return books + [
            ("team", "insert" if "if-none-match" in asked.headers else "update", card["email"], card["email_consent"])
            for asked, card in cards
        ]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "books.db")) as books, books:
            return books.execute(statement, values).fetchall()

    # -- remembering

    def keep(self) -> Callable[[], None]:
        """Remember the whole folder and the address book; give what brings them back."""
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder, kept)
        cards, log = dict(self.dav.cards), list(self.dav.log)

        def back() -> None:
            shutil.rmtree(self.folder)
            shutil.copytree(kept, self.folder)
            self.dav.cards, self.dav.log = dict(cards), list(log)
            self.taken.clear()

        return back

    def _before(self, asked: Asked) -> Answer | None:
        if asked.method == "PUT":
            self.strike(len(self.taken) + 1, "before")
        return None

    def _after(self, asked: Asked, answer: Answer) -> Answer | None:
        if asked.method == "PUT" and answer[9:12] in (b"201", b"204"):  # type: ignore[index]
            self.taken.append(asked)
            self.strike(len(self.taken), "after")
        return None

    def _read_desk(self) -> dict[str, Fields]:
        with (self.folder / "desk.csv").open(encoding="utf-8", newline="") as file:
            return {row.pop("id"): row for row in csv.DictReader(file)}

    def _write_desk(self, rows: Mapping[str, Fields]) -> None:
        with (self.folder / "desk.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("id", *FIELDS))
            writer.writeheader()
            writer.writerows({"id": id_, **row} for id_, row in rows.items())


def _card(text: str) -> Fields:
    row = dict.fromkeys(FIELDS, "")
    for line in text.replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        name = name.partition(";")[0].upper()
        if name == "N":
            row["last_name"], row["first_name"] = value.split(";")[:2]
        elif name in LINES:
            row[LINES[name]] = value
    return row


@contextmanager
def vendors(folder: Path) -> Iterator[Vendors]:
    """Run three empty vendors for the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with tiny_dav() as dav:
        three = Vendors(folder, dav)
        three.begin()
        yield three


def in_memory(folder: Path) -> Path:
    """Give a folder in memory, where there is such a thing: thousands of runs wait for a disk otherwise."""
    memory = Path("/dev/shm")
    return memory / f"syncd-crash-{os.getpid()}" if os.access(memory, os.W_OK) else folder
