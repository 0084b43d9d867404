"""docs/writing-a-connector.md is executed: its connector goes through the conformance suite, and syncs."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from syncd import registry
from syncd.connector import App
from syncd.kit.suite import Check
from syncd.kit.worlds import AppWorld
from syncd.model import Raw
from tests.conformance.putting import every_check, put

PAGE = Path(__file__).parent.parent / "docs" / "writing-a-connector.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the connector of the page into a folder of its own."""
    folder = tmp_path_factory.mktemp("jsondir") / "my-connectors"
    (folder / "jsondir").mkdir(parents=True)
    [code] = blocks("python")
    (folder / "jsondir" / "connector.py").write_text(code, "utf-8")
    return folder


class JsonWorld(AppWorld):
    """A folder of JSON files, and the people who edit them by hand."""

    people = 250
    refused: Mapping[str, Raw] = {"company": float("nan")}

    def __init__(self, path: Path, connectors: Path) -> None:
        super().__init__(registry.load("jsondir", [connectors]))
        self._path = path
        self._numbers = itertools.count(1)
        (path / "people").mkdir()

    def open(self) -> App:
        return self.opened({"path": str(self._path / "people")})

    def open_other(self) -> App:
        (self._path / "others").mkdir()
        return self.opened({"path": str(self._path / "others")})

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        ids = []
        for fields in people:
            ids.append(f"person-{next(self._numbers)}")
            self._file(ids[-1]).write_text(json.dumps({"hobby": "chess", **fields}), "utf-8")
        return ids

    def edit(self, id_: str, **fields: Raw) -> None:
        self._file(id_).write_text(json.dumps(json.loads(self._file(id_).read_text("utf-8")) | fields), "utf-8")

    def delete(self, id_: str) -> None:
        self._file(id_).unlink()

    def untouched(self, id_: str) -> object:
        others = {file.name: file.read_bytes() for file in self._path.rglob("*") if file.is_file()}
        return others.pop(f"{id_}.json") and others, json.loads(self._file(id_).read_text("utf-8"))["hobby"]

    def everything(self) -> object:
        return {file.name: file.read_bytes() for file in self._path.rglob("*") if file.is_file()}

    def break_off(self) -> None:
        (self._path / "people").rename(self._path / "taken away")

    def is_there(self) -> bool:
        return (self._path / "people").exists()

    def _file(self, id_: str) -> Path:
        return self._path / "people" / f"{id_}.json"


@every_check
def test_the_example_keeps_every_promise(check: Check, tmp_path: Path, folder: Path) -> None:
    put("jsondir", lambda: JsonWorld(tmp_path, folder), check)


def test_the_example_syncs(tmp_path: Path, folder: Path) -> None:
    [config] = blocks("yaml")
    (tmp_path / "syncd.yaml").write_text(config, "utf-8")
    (tmp_path / "my-connectors").symlink_to(folder)
    (tmp_path / "crm.csv").write_text("id,email,first_name\n1,ada@example.org,Ada\n", "utf-8")
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "grace.json").write_text('{"email": "grace@example.org", "first_name": "Grace"}', "utf-8")
    for words in (["connectors", "show", "jsondir"], ["check"], ["sync", "--approve"], ["sync"]):
        command = [sys.executable, "-m", "syncd", *words, "-c", "syncd.yaml"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "grace@example.org,Grace" in (tmp_path / "crm.csv").read_text("utf-8")
    people = [json.loads(file.read_text("utf-8")) for file in (tmp_path / "team").glob("*.json")]
    assert sorted((person["email"], person["first_name"]) for person in people) == [
        ("ada@example.org", "Ada"),
        ("grace@example.org", "Grace"),
    ]


def test_the_example_is_typed_and_tidy(folder: Path) -> None:
    file = str(folder / "jsondir" / "connector.py")
    root = PAGE.parent.parent
    for tool in (["ruff", "check", "--ignore", "D,INP"], ["ruff", "format", "--check"], ["mypy", "--strict"]):
        ran = subprocess.run(
            [sys.executable, "-m", *tool, file], cwd=root, capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
