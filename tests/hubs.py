"""A hub in a folder: csv files, SQL tables, a configuration, and the real command line as a process."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.commands import COMMAND, ROOT, ended

DEADLINE_SECONDS = 60.0
COLUMNS = ("id", "email", "first_name", "last_name", "company", "phone", "email_consent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def doc(self) -> Any:
        """The one document on stdout."""
        assert self.out.count("\n") == 1, self.out
        return orjson.loads(self.out)


class Hub:
    """A folder with apps, a configuration and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apps: dict[str, str] = {}
        self.extra = ""
        self.store = "sqlite:///var/syncd.db"

    @property
    def config(self) -> Path:
        return self.folder / "syncd.yaml"

    # -- apps

    def csv(
        self, name: str, rows: Iterable[Mapping[str, str]], *, more: str = "", columns: Sequence[str] = COLUMNS
    ) -> Path:
        """Make a CSV file, and an app of it."""
        path = self.folder / f"{name}.csv"
        self.write(name, rows, columns=columns)
        self.app(name, f"{{connector: csv, settings: {{path: {name}.csv, key: id}}{more}}}")
        return path

    def write(self, name: str, rows: Iterable[Mapping[str, str]], *, columns: Sequence[str] = COLUMNS) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
        (self.folder / f"{name}.csv").write_text(text.getvalue(), "utf-8", newline="")

    def rows(self, name: str) -> dict[str, dict[str, str]]:
        """Read a CSV file: e-mail in lower case -> row."""
        with (self.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return {row["email"].lower(): row for row in csv.DictReader(file)}

    def table(self, name: str, rows: Iterable[Mapping[str, str]], *, more: str = "") -> Path:
        """Make a table `people` in an SQLite file of its own, and an app of it."""
        path = self.folder / f"{name}.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE people ({', '.join(f'{c} TEXT' for c in COLUMNS)}, PRIMARY KEY (id))")
            marks = ", ".join("?" for _ in COLUMNS)
            database.executemany(
                f"INSERT INTO people VALUES ({marks})", [[row.get(c) for c in COLUMNS] for row in rows]
            )
        self.app(name, f"{{connector: sql, settings: {{url: 'sqlite:///{name}.db', table: people, key: id}}{more}}}")
        return path

    def sql(self, name: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in a table's database."""
        with closing(sqlite3.connect(self.folder / f"{name}.db")) as database, database:
            return database.execute(statement, values).fetchall()

    def app(self, name: str, text: str) -> None:
        """Add an app to the configuration."""
        self.apps[name] = text
        self.configure()

    def configure(self, extra: str | None = None) -> None:
        """Write the configuration."""
        self.extra = self.extra if extra is None else extra
        apps = "".join(f"  {name}: {text}\n" for name, text in self.apps.items())
        self.config.write_text(f"version: 1\nstore: {self.store}\napps:\n{apps}{self.extra}", "utf-8")

    # -- commands

    def run(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Said:
        """Run a command to its end."""
        done = ended(
            [*words, *self._config(words)],
            stdin=stdin.encode(),
            folder=self.folder,
            env=environment(env),
            seconds=DEADLINE_SECONDS,
        )
        return Said(code=done.code, out=done.out.decode(), err=done.err.decode())

    def start(self, *words: str, env: Mapping[str, str] | None = None, name: str = "") -> subprocess.Popen[bytes]:
        """Start a command; what it says goes into files `out` and `err` of the folder, with a name before if there is one."""
        with (self.folder / f"{name}out").open("wb") as out, (self.folder / f"{name}err").open("wb") as err:
            return subprocess.Popen(
                [*COMMAND, *words, *self._config(words)], stdout=out, stderr=err, cwd=self.folder, env=environment(env)
            )

    def _config(self, words: Sequence[str]) -> list[str]:
        bare = (
            {"docs", "demo"} & {*words[:1]}
            or words[:2] == ("connectors", "new")
            or {"-c", "--config", "--help", "--version"} & {*words}
        )
        return [] if bare else ["-c", "syncd.yaml"]

    def json(self, *words: str, code: int = 0, stdin: str = "") -> Any:
        """Run a command with `--json`; return its document."""
        said = self.run(*words, "--json", stdin=stdin)
        assert said.code == code, (said.code, said.out, said.err)
        return said.doc

    def synced(self) -> Hub:
        """Approve the first run and do it."""
        said = self.run("sync", "--approve", "--json")
        assert said.code in (0, 3, 4), said.err
        return self


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment of a command: ours, without settings of syncd."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80", **(more or {})}


def until(true: Callable[[], object], what: str, *, alive: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something to become true; fail when it does not, or when the process it depends on ends."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        assert alive is None or alive.poll() is None, f"it ended: {what}"
        time.sleep(0.02)


def three(folder: Path) -> Hub:
    """Two apps, one person in both and one in each, nothing synced yet."""
    hub = Hub(folder)
    hub.csv("crm", [person(1), person(2, email="P2@Example.com", company="ACME")])
    hub.table("books", [{**person(2), "id": "b2"}, {**person(3), "id": "b3"}])
    return hub


def five(folder: Path) -> Hub:
    """Begin with five people in both of two apps."""
    hub = Hub(folder)
    hub.csv("crm", [person(number) for number in range(1, 6)])
    hub.csv("news", [])
    return hub.synced()


def edit(hub: Hub, app: str, number: int, **fields: str) -> None:
    """Somebody changes a row of a file."""
    rows = hub.rows(app)
    rows[f"p{number}@example.com"] |= fields
    hub.write(app, rows.values())


def person(number: int, **more: str) -> dict[str, str]:
    """Make a row of somebody."""
    return {
        "id": str(number),
        "email": f"p{number}@example.com",
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        **more,
    }


ODD = '''
"""A CSV file that does what a test asks: files named open, read or write beside it block it, or name what it raises."""
import builtins, time
from dataclasses import replace
from pathlib import Path
from syncd import errors, registry
from syncd.connector import Connector

INNER = registry.load("csv")

def trip(flag):
    if not flag.exists():
        return
    kind = flag.read_text().strip()
    if kind:
        raise (getattr(errors, kind, None) or getattr(builtins, kind))("odd: " + flag.name)
    flag.with_name(flag.name + ".reached").touch()
    while flag.exists():
        time.sleep(0.02)

class Odd:
    def __init__(self, app, folder):
        self._app, self._folder = app, folder
    def __getattr__(self, name):
        return getattr(self._app, name)
    @property
    def spec(self):
        return replace(self._app.spec, name="odd", write_batch=2)
    def read(self, cursor):
        trip(self._folder / "read")
        yield from self._app.read(cursor)
    def write(self, writes):
        trip(self._folder / "write")
        return self._app.write(writes)

def opened(opening):
    folder = Path(opening.settings["path"]).parent
    trip(folder / "open")
    return Odd(INNER.open(opening), folder)

CONNECTOR = Connector(spec=replace(INNER.spec, name="odd"), open=opened)
'''


def odd(hub: Hub, name: str, rows: Iterable[Mapping[str, str]], *, more: str = "") -> Path:
    """Add an app of the odd connector; return the folder in which files tell it what to do."""
    connector = hub.folder / "mine" / "odd" / "connector.py"
    connector.parent.mkdir(parents=True, exist_ok=True)
    connector.write_text(ODD, "utf-8")
    hub.csv(name, rows)
    hub.app(name, f"{{connector: ./mine/odd, settings: {{path: {name}.csv, key: id}}{more}}}")
    return hub.folder
