"""The house stands: imports point one way (DESIGN, section 3), the core is pure, connectors stand alone.

What is read is the text of the modules, so imports inside functions and under TYPE_CHECKING count as well.
Do not ask for an exception; move the code. A new room gets its place in ROWS.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

ROWS = (
    {"errors", "model"},
    {"connector", "core"},
    {"store", "config", "logs"},
    {"http"},
    {"registry", "engine", "ops"},
    {"kit"},
    {"daemon", "scale", "web", "docs", "demo"},
    {"cli"},
    {"__main__"},
)
ROW = {room: number for number, rooms in enumerate(ROWS) for room in rooms}

CONNECTORS_MAY = (
    *("syncd.errors", "syncd.model", "syncd.connector"),
    *("syncd.http.client", "syncd.http.app", "syncd.http.steps", "syncd.http.sandbox"),
    "syncd.http.authority",
    "syncd.http.places",  # who may be connected to, for a connector with a protocol of its own (ldap)
    *(
        "syncd.kit.worlds",
        "syncd.kit.peers",
        "syncd.kit.servers",
    ),  # world.py, server.py: nothing but the kit loads them
)

HTTPX_HOME = "syncd/http/client.py"
HTTPX = {"httpx", "httpcore"}

FIELD_LIBRARIES = {"phonenumbers", "email_validator", "babel", "langcodes"}
IMPURE = {
    *{"time", "random", "secrets", "uuid"},  # another answer each time
    *{"os", "sys", "platform", "locale", "getpass", "pwd"},  # this machine
    *{"io", "pathlib", "shutil", "tempfile", "glob", "fileinput", "sqlite3", "dbm", "shelve"},  # files
    *{"socket", "ssl", "select", "selectors", "socketserver", "http", "smtplib", "ftplib", "urllib.request"},  # wires
    *{"threading", "subprocess", "asyncio", "multiprocessing", "concurrent", "signal", "queue", "sched"},  # at once
    *{"logging", "warnings"},  # words to the world
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
CLOCK_METHODS = {"now", "utcnow", "today"}


class Import(NamedTuple):
    line: int
    name: str


def violations(root: Path) -> list[str]:
    """List what is wrong in the tree, one line each; a tree without modules has nothing wrong."""
    found = []
    for folder, rule in (("syncd", _of_house), ("connectors", _of_connector)):
        for path in sorted((root / folder).rglob("*.py")):
            place = path.relative_to(root)
            tree = ast.parse(path.read_text("utf-8"), str(path))
            complaints = [*rule(place, tree), *_of_everyone(place, tree)]
            found += [f"{place.as_posix()}:{line}: {text}" for line, text in sorted(complaints)]
    return found


def imports(place: Path, tree: ast.AST) -> Iterator[Import]:
    """Name everything a module imports, in full: `from syncd import model` is syncd.model, `..model` is resolved."""
    package = place.with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*package[: len(package) - level + 1]] if level else []
                base += [module] if module else []
                yield from (Import(node.lineno, ".".join([*base, alias.name])) for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(node.lineno, name)


def _of_everyone(place: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for line, name in imports(place, tree):
        if name.split(".")[0] == "connectors" and place.parts[0] != "connectors":
            yield line, "imports a connector by name; the registry finds them by folder"
        if name.split(".")[0] in HTTPX and place.as_posix() != HTTPX_HOME:
            yield line, f"imports {name}; only {HTTPX_HOME} does"


def _of_house(place: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    room = place.with_suffix("").parts[1]
    if room == "__init__":
        room = "errors"  # the package itself stands on the ground floor: it may import no room above it
    if room not in ROW:
        yield 1, f"{room} has no place in ROWS"
        return
    for line, name in imports(place, tree):
        other = _room(name)
        if other is not None and other != room and ROW.get(other, len(ROWS)) >= ROW[room]:
            yield line, f"{room} imports {name}: only lower rows and its own room"
    if room == "core":
        yield from _of_core(place, tree)


def _room(name: str) -> str | None:
    """Name the room of an import; `from syncd import __version__` is no room's."""
    top, _, rest = name.partition(".")
    room = rest.partition(".")[0]
    return None if top != "syncd" or room in {"", "__version__"} else room


def _of_core(place: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for line, name in imports(place, tree):
        top = name.partition(".")[0]
        if top == "syncd" or top in FIELD_LIBRARIES:
            continue
        if top not in sys.stdlib_module_names:
            yield line, f"core imports {name}: no field library"
        elif any(name == impure or name.startswith(impure + ".") for impure in IMPURE):
            yield line, f"core imports {name}: not pure"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield node.lineno, f"core calls {name}()"
            case ast.Attribute(attr=name) if name in CLOCK_METHODS:
                yield node.lineno, f"core reads the clock: .{name}"


def _of_connector(place: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    own = ".".join(place.parts[:2])
    for line, name in imports(place, tree):
        top = name.partition(".")[0]
        if top == "syncd" and not any(f"{name}.".startswith(f"{room}.") for room in CONNECTORS_MAY):
            yield line, f"imports {name}; of syncd a connector may import {', '.join(CONNECTORS_MAY)}"
        if top in {"connectors", ""} and not name.startswith(f"{own}."):
            yield line, f"imports {name or 'what lies outside its folder'}: connectors stand alone"


def test_imports_point_one_way() -> None:
    assert violations(ROOT) == []


def test_an_empty_tree_is_in_order(tmp_path: Path) -> None:
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        ("syncd/model.py", "from syncd import engine", "model imports syncd.engine"),
        ("syncd/model.py", "def f():\n    import syncd.store.schema", "model imports syncd.store.schema"),
        ("syncd/model.py", "from . import errors", "model imports syncd.errors"),
        ("syncd/errors.py", "from .model import Record", "errors imports syncd.model.Record"),
        ("syncd/store/schema.py", "from ..config import Settings", "store imports syncd.config.Settings"),
        ("syncd/engine.py", "import importlib\nimportlib.import_module('syncd.cli')", "engine imports syncd.cli"),
        ("syncd/engine.py", "import syncd.cellar", "engine imports syncd.cellar"),
        ("syncd/__init__.py", "from syncd.cli import app", "imports syncd.cli.app"),
        ("syncd/cellar.py", "", "cellar has no place in ROWS"),
        ("syncd/registry.py", "import connectors.csv.connector", "imports a connector by name"),
        ("syncd/engine.py", "import httpx", "imports httpx"),
        ("connectors/carddav/connector.py", "from httpx import Client", "imports httpx.Client"),
        ("connectors/sql/connector.py", "from syncd.core import fields", "imports syncd.core.fields"),
        ("connectors/sql/connector.py", "from syncd.http import auth", "imports syncd.http.auth"),
        ("connectors/sql/connector.py", "import syncd.http.clients", "imports syncd.http.clients"),
        ("connectors/sql/connector.py", "from connectors.csv import connector", "connectors stand alone"),
        ("connectors/sql/connector.py", "from ..csv import connector", "connectors stand alone"),
        ("syncd/core/merge.py", "from syncd.connector import App", "core imports syncd.connector.App"),
        ("syncd/core/merge.py", "import random", "core imports random: not pure"),
        ("syncd/core/merge.py", "from os import path", "core imports os.path: not pure"),
        ("syncd/core/merge.py", "import urllib.request", "core imports urllib.request: not pure"),
        ("syncd/core/merge.py", "import pydantic", "core imports pydantic: no field library"),
        ("syncd/core/merge.py", "import datetime as d\nd.datetime.now(d.UTC)", "core reads the clock: .now"),
        ("syncd/core/merge.py", "from datetime import date\nclock = date.today", "core reads the clock: .today"),
        ("syncd/core/merge.py", "open('file')", "core calls open()"),
    ],
)
def test_each_violation_is_found(tmp_path: Path, place: str, text: str, complaint: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(text)
    [found] = violations(tmp_path)
    assert found.startswith(f"{place}:")
    assert complaint in found


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (
            "syncd/core/merge.py",
            "from syncd.core.fields import FieldType\nfrom . import policies\nfrom .. import model",
        ),
        ("syncd/core/fields.py", "import datetime, re, phonenumbers, urllib.parse\nfrom babel import Locale"),
        ("syncd/http/client.py", "import httpx\nfrom syncd import __version__\nfrom syncd.errors import AccessError"),
        ("syncd/daemon.py", "from syncd.engine import sync"),
        (
            "connectors/carddav/connector.py",
            "from . import vcard\nfrom syncd.http.client import Client\nimport syncd.model",
        ),
    ],
)
def test_what_is_allowed_is_allowed(tmp_path: Path, place: str, text: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(text)
    assert violations(tmp_path) == []
