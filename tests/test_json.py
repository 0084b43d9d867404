"""What commands print with `--json` is what docs/json.md says: every document is read by its type, and every key was seen."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import typer
from msgspec import UNSET, inspect

from syncd.cli.commands import commands
from syncd.cli.documents import DOCUMENTS
from syncd.cli.documents.around import Failed, LoggedIn
from syncd.cli.documents.base import Doc
from syncd.cli.documents.looking import Status
from tests.hubs import Hub, person, until
from tests.test_daemon import running, stopped

WITHOUT = {"schema": "prints the JSON Schema of the configuration", "demo": "tells a story"}
TWICE = [person(6), {**person(6), "id": "9"}]
ELSEWHERE = {
    "AppStatus.hooks": "tests/test_hints.py: an app with webhooks",
    "AppStatus.unreadable_consents": "tests/test_found_by_users.py: a word of consent that nobody knows",
    "Counts.unreadable_consents": "the same",
    "PlannedCase.keys": "tests/test_meetings.py: an address that turns into another contact's",
}
"""Keys that this story does not come to -> where they are proven."""


class Scribe:
    """Runs commands, reads what they print by its type, and notes which keys were there."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.commands: set[str] = set()
        self.seen: set[str] = set()

    def run(self, *words: str, code: int = 0, as_name: str = "", kind: type[Doc] | None = None) -> Any:
        name = as_name or next(name for name in sorted(DOCUMENTS, reverse=True) if " ".join(words).startswith(name))
        doc = self.hub.json(*words, code=code)
        self.read(name, doc, kind)
        return doc

    def read(self, name: str, doc: Any, kind: type[Doc] | None = None) -> None:
        self.commands.add(name)
        self._note(msgspec.convert(doc, kind or DOCUMENTS[name], strict=True))

    def _note(self, value: Any) -> None:
        match value:
            case Doc():
                for field in msgspec.structs.fields(value):
                    held = getattr(value, field.name)
                    if held is not UNSET:
                        self.seen.add(f"{type(value).__name__}.{field.name}")
                        self._note(held)
            case dict():
                for each in value.values():
                    self._note(each)
            case list():
                for each in value:
                    self._note(each)


def optional_keys() -> set[str]:
    """List the keys that are not always there, of every document and its parts."""
    found: set[str] = set()

    def walk(kind: Any) -> None:
        match kind:
            case inspect.StructType(cls=cls, fields=fields):
                for field in fields:
                    if not field.required:
                        found.add(f"{cls.__name__}.{field.name}")
                    walk(field.type)
            case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
                walk(inner)
            case inspect.UnionType(types=types):
                for each in types:
                    walk(each)

    for each in [*DOCUMENTS.values(), Failed]:
        walk(inspect.type_info(each))
    return found


def leaves(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield from leaves(command, f"{before}{name} ") if hasattr(command, "commands") else (f"{before}{name}",)


def test_every_command_has_its_document() -> None:
    names = {name.partition(" --")[0] for name in DOCUMENTS}
    assert set(leaves(typer.main.get_command(commands()))) == names | WITHOUT.keys()


def test_a_document_that_is_another_one_is_noticed() -> None:
    """The reader below would be worth nothing if it let a key pass that nobody has described, or another type."""
    doc: dict[str, Any] = {"contacts": 1, "inbox": 0, "held": [], "apps": {}}
    daemon: dict[str, Any] = {"on_duty": None, "age_seconds": None, "standing_by": []}
    msgspec.convert({**doc, "daemon": daemon}, Status)
    for wrong in (doc, {**doc, "daemon": daemon, "more": 1}, {**doc, "daemon": daemon, "inbox": "0"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Status, strict=True)


@pytest.fixture
def scribe(tmp_path: Path) -> Scribe:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(2, company="Acme"), person(3), person(4), *TWICE])
    hub.csv("news", [person(1, first_name="Other"), person(5, phone="ask at reception")])
    hub.table("books", [person(2, company="Other")])
    hub.configure("fields: {company: {policy: ask}}\n")
    return Scribe(hub)


def test_documents_are_what_the_page_says(scribe: Scribe, tmp_path: Path) -> None:
    _around(scribe, tmp_path)
    _first_days(scribe)
    _decisions(scribe)
    _what_fails(scribe)
    login = {"app": "crm", "logged_in": True, "settings": {}}  # tests/test_login.py sees the real one
    scribe.read("auth", login, LoggedIn)
    assert scribe.commands == DOCUMENTS.keys()
    assert optional_keys() - scribe.seen == ELSEWHERE.keys()


def _around(scribe: Scribe, tmp_path: Path) -> None:
    scribe.run("check")
    scribe.run("init", "-c", str(tmp_path / "fresh.yaml"))
    scribe.run("db", "upgrade")
    (tmp_path / "README.md").write_text("# nothing\n")
    scribe.run("docs", "--check")
    scribe.run("fields", "crm")
    scribe.run("connectors", "list")
    scribe.run("connectors", "show", "hubspot")
    scribe.run("connectors", "new", "shop", "--into", str(tmp_path))
    scribe.run("connectors", "test", str(tmp_path / "shop"), "--only", "create")


def _first_days(scribe: Scribe) -> None:
    hub, crm = scribe.hub, [person(1), person(2, company="Acme"), *TWICE]
    scribe.run("plan", code=4)
    held = scribe.run("sync", code=4)
    assert held["preview"]["matched"] == 2
    scribe.run("approve", str(held["run"]))
    scribe.run("sync", code=4)
    assert scribe.run("status")["apps"]["news"]["unreadable"] == 1
    scribe.run("status", "--alive", code=3)
    scribe.run("status", "--list", "parked")
    scribe.run("explain", "p1@example.com")
    scribe.run("explain", "p5@example.com")
    scribe.run("pause", "news")
    scribe.run("resume")
    hub.write("crm", [*crm, person(3, first_name="Zoe")])
    hub.run("plan", "--out", "plan.json")
    hub.write("crm", [*crm, person(3, first_name="Zia")])
    assert scribe.run("apply", "plan.json", code=4)["skipped"]
    done = scribe.run("resync", code=4)
    scribe.run("undo", "--contact", "p3@example.com", code=4)
    scribe.run("undo", "--run", str(done["run"]), "--approve", code=4)
    scribe.run("history")


def _decisions(scribe: Scribe) -> None:
    cases = scribe.run("inbox", "list")["cases"]
    for case in cases:
        scribe.run("inbox", "show", str(case["case"]))
    assert {case["kind"] for case in cases} == {"conflict", "match"}
    conflict = next(case for case in cases if case["kind"] == "conflict")
    scribe.run("inbox", "resolve", str(conflict["case"]), "--app", "crm")
    with running(scribe.hub, "--json") as daemon:
        until(lambda: (scribe.hub.run("status", "--alive")).code == 0, "it is alive", alive=daemon)
        scribe.run("status")
        assert stopped(daemon, signal.SIGTERM) == 0
    scribe.read("run", orjson.loads((scribe.hub.folder / "out").read_bytes()))


def _what_fails(scribe: Scribe) -> None:
    folder = scribe.hub.folder / "away"
    folder.mkdir()
    away = Hub(folder)
    away.csv("crm", [person(1)])
    away.csv("news", []).unlink()
    scribe.read("plan", away.json("plan", code=3))
    lock = scribe.hub.folder / "var" / "syncd.db.lock"
    lock.unlink()
    lock.symlink_to("/dev/full")
    assert "disk is full" in scribe.run("sync", code=3)["error"]["message"]
    scribe.run("inbox", "resolve", "1", "--keep", code=3, kind=Failed)
