"""docs/writing-a-connector.md is executed: the walk step by step, and the connector in Python, which also syncs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd import registry
from syncd.kit.asking import worlds_of
from syncd.kit.suite import Check
from syncd.kit.worlds import AppWorld
from tests.conformance.putting import every_check, put

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "writing-a-connector.md"
MANIFEST = "# people/manifest.yaml\n"
PYTHON = "## Anything else: Python"


def blocks(language: str, text: str) -> list[str]:
    return [body for each, body in fenced(text) if each == language]


def fenced(text: str) -> list[tuple[str, str]]:
    """List the blocks of a page in order: (language, text)."""
    return re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", text)


def halves() -> tuple[str, str]:
    """Split the page: what is YAML, and what is Python."""
    first, mark, second = PAGE.read_text("utf-8").partition(PYTHON)
    assert mark
    return first, second


def syncd(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "syncd", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


# The walk ---------------------------------------------------------------------------------------------------------------


def test_the_walk_leads_to_a_green_kit(tmp_path: Path) -> None:
    """Do what the page says, block by block; every test on the way is green, and asks more than the one before."""
    asked: list[int] = []
    written = False
    for language, text in fenced(halves()[0]):
        if language == "yaml":
            assert text.startswith(MANIFEST), "a block of the walk is a part of the manifest"
            with (tmp_path / "people" / "manifest.yaml").open("a" if written else "w", encoding="utf-8") as file:
                file.write(text)
            written = True
        elif language == "json":
            (tmp_path / "people" / "samples").mkdir()
            (tmp_path / "people" / "samples" / "refused.json").write_text(text, "utf-8")
        for line in text.splitlines() if language == "sh" else ():
            asked += typed(tmp_path, line)
    assert asked[1:] == sorted(asked[1:]), "the walk goes on from green to green"
    assert asked[-1] > asked[1]
    card = json.loads(syncd(tmp_path, "connectors", "show", "people", "--json").stdout)
    tutorial = json.loads(syncd(tmp_path, "connectors", "show", "fakeapi", "--json").stdout)
    for promise in ("in_doubt", "lost_update", "lag_seconds", "deletion"):
        assert card[promise] == tutorial[promise], "the walk ends with another connector than the tutorial's"


def typed(folder: Path, line: str) -> list[int]:
    """Run a line of the page; of a test give how many questions were asked."""
    words = shlex.split(line)
    if words[0] == "cp":
        for name in words[1:-1]:
            shutil.copy(ROOT / name, folder / words[-1])
        return []
    assert words[0] == "syncd"
    ran = syncd(folder, *words[1:])
    assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    found = re.search(r"^(\d+) green, 0 failed", ran.stdout, re.MULTILINE)
    assert (found is not None) == (words[2] == "test")
    return [int(found[1])] if found else []


def test_the_mistake_of_the_page_is_told_as_it_says(tmp_path: Path) -> None:
    first = halves()[0]
    assert syncd(tmp_path, "connectors", "new", "people").returncode == 0
    for name in ("sandbox.py", "world.py"):
        shutil.copy(registry.find("fakeapi") / name, tmp_path / "people")
    reading = next(text for text in blocks("yaml", first))
    mistaken = reading.replace("first_name: {path: first_name}", "first_name: {path: name}")
    assert mistaken != reading
    (tmp_path / "people" / "manifest.yaml").write_text(mistaken, "utf-8")
    ran = syncd(tmp_path, "connectors", "test", "people")
    assert ran.returncode == 3
    [told] = blocks("text", first)
    assert told.strip() in ran.stdout


# Python -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the connector of the page into a folder of its own."""
    folder = tmp_path_factory.mktemp("jsondir") / "my-connectors"
    (folder / "jsondir").mkdir(parents=True)
    for name, code in zip(("connector.py", "world.py"), blocks("python", halves()[1]), strict=True):
        (folder / "jsondir" / name).write_text(code, "utf-8")
    return folder


@pytest.fixture(scope="module")
def world(folder: Path) -> Callable[[], AppWorld]:
    connector = registry.load(str(folder / "jsondir"))
    with worlds_of(folder / "jsondir") as worlds:
        [make] = worlds.values()
    return lambda: make(connector)


@every_check
def test_the_example_keeps_every_promise(check: Check, world: Callable[[], AppWorld]) -> None:
    put("jsondir", world, check)


def test_the_example_syncs(tmp_path: Path, folder: Path) -> None:
    [config] = blocks("yaml", halves()[1])
    (tmp_path / "syncd.yaml").write_text(config, "utf-8")
    (tmp_path / "my-connectors").symlink_to(folder)
    (tmp_path / "crm.csv").write_text("id,email,first_name\n1,ada@example.org,Ada\n", "utf-8")
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "grace.json").write_text('{"email": "grace@example.org", "first_name": "Grace"}', "utf-8")
    for words in (["connectors", "show", "jsondir"], ["check"], ["sync", "--approve"], ["sync"]):
        ran = syncd(tmp_path, *words, "-c", "syncd.yaml")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "grace@example.org,Grace" in (tmp_path / "crm.csv").read_text("utf-8")
    people = [json.loads(file.read_text("utf-8")) for file in (tmp_path / "team").glob("*.json")]
    assert sorted((person["email"], person["first_name"]) for person in people) == [
        ("ada@example.org", "Ada"),
        ("grace@example.org", "Grace"),
    ]


def test_the_example_is_typed_and_tidy(folder: Path) -> None:
    files = [str(folder / "jsondir" / name) for name in ("connector.py", "world.py")]
    for tool in (["ruff", "check", "--ignore", "D,INP,RUF012"], ["ruff", "format", "--check"], ["mypy", "--strict"]):
        ran = subprocess.run(
            [sys.executable, "-m", *tool, *files], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
