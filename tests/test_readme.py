"""What the pages show is what happens: configurations load, commands run, figures are counted again."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from syncd import registry
from syncd.cli.commands import commands
from syncd.config import load_config
from syncd.demo import setting
from syncd.demo.figures import count
from syncd.kit import checks
from tests.test_architecture import PAGES, ROOT, every_page
from tests.test_demo import AFTER

README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(
    r"(?ms)^(?:<!-- test: \"(?P<is>.*?)\" is written \"(?P<was>.*?)\" -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$"
)
ENVIRON = {
    "SYNCD_STORE": "postgresql+psycopg://syncd:secret@db.example.com/syncd",
    **dict.fromkeys(
        (
            "HUBSPOT_TOKEN",
            "HUBSPOT_APP_SECRET",
            "MAILCHIMP_API_KEY",
            "XERO_CLIENT_ID",
            "XERO_CLIENT_SECRET",
            "ZENDESK_TOKEN",
        ),
        "x",
    ),
    "MAILCHIMP_HOOK_SECRET": "0123456789abcdef",
}


class Command(NamedTuple):
    """A command of a console block, how it is to end, and lines of what it prints."""

    line: str
    code: int
    shown: list[str]


def test_the_configurations_load(tmp_path: Path) -> None:
    loaded = []
    for block in BLOCK.finditer(README):
        if block["kind"] == "yaml":
            file = tmp_path / "syncd.yaml"
            file.write_text(block["text"], "utf-8")
            loaded.append(load_config(file, registry.spec, environ=ENVIRON))
    assert [len(config.apps) for config in loaded] == [4], "a real four-app configuration"


def test_the_commands_run_and_say_what_is_shown(tmp_path: Path) -> None:
    """All console blocks, in the order of the page, in a copy of the folder `config`."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.rmtree(tmp_path / "var", ignore_errors=True)
    shim = tmp_path / "bin" / "syncd"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m syncd "$@"\n')
    shim.chmod(0o755)
    config = tmp_path / "config" / "syncd.yaml"
    right = config.read_text("utf-8")
    ran = 0
    for block in BLOCK.finditer(README):
        if block["kind"] != "console":
            continue
        if block["is"]:
            assert block["is"] in right
            config.write_text(right.replace(block["is"], block["was"]), "utf-8")
        for command in told(block["text"]):
            run(command, tmp_path)
            ran += 1
        config.write_text(right, "utf-8")
    assert ran >= 8


def told(text: str) -> Iterator[Command]:
    """Read a console block: `$ command  # exit 4: why`, and what it prints."""
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        line, *shown = part.splitlines()
        comment = re.search(r"# exit (\d+)", line)
        yield Command(line, int(comment[1]) if comment else 0, [each for each in shown if each.strip()])


def run(command: Command, folder: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
    environ["PATH"] = f"{folder / 'bin'}:{environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", command.line], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == command.code, f"{command.line}\n{ran.stdout}{ran.stderr}"
    said = [squeezed(each) for each in (ran.stdout + ran.stderr).splitlines()]
    for each in command.shown:
        assert any(line.startswith(squeezed(each)) for line in said), (
            f"{command.line}\n{each!r} is not in\n{ran.stdout}"
        )


def squeezed(line: str) -> str:
    return " ".join(line.split())


def test_the_figures_are_counted_again(tmp_path: Path) -> None:
    rows = {
        name: (int(before), int(after))
        for name, before, after in re.findall(r"(?m)^\| (\w.+?) \| (\d+) \| (\d+) \|$", README)
    }
    with setting.stage(tmp_path, io.StringIO()) as stage:
        before = count(stage.apps)
    assert [row[0] for row in rows.values()] == [before.everywhere, before.disagreeing, before.missing, before.unheard]
    assert [row[1] for row in rows.values()] == [*AFTER.values()]


def test_what_is_said_of_the_tests_is_so() -> None:
    questions = re.search(r"(\d+) questions to every connector", README)
    stories = re.search(r"(\d+) complaints", README)
    assert questions is not None
    assert stories is not None
    assert int(questions[1]) == len(checks.ALL)
    named = {
        n
        for file in (ROOT / "tests").glob("test_*.py")
        for n in re.findall(r"behaviour_(\d+)", file.read_text("utf-8"))
    }
    assert len(named) >= int(stories[1])


def test_the_shell_blocks_name_what_is_there() -> None:
    makefile, compose = (ROOT / "Makefile").read_text("utf-8"), (ROOT / "compose.yaml").read_text("utf-8")
    for block in BLOCK.finditer(README):
        if block["kind"] != "sh":
            continue
        for target in re.findall(r"(?m)^make (\w+)", block["text"]):
            assert re.search(rf"(?m)^{target}:", makefile), target
        for profile in re.findall(r"--profile (\w+)", block["text"]):
            assert f"profiles: [{profile}]" in compose
        for file in re.findall(r"-r (\S+)", block["text"]):
            assert (ROOT / file).is_file()


@every_page
def test_every_command_that_is_mentioned_is_there(page: Path) -> None:
    top: Any = typer.main.get_command(commands())
    wrong = []
    for line in re.findall(r"`(syncd [a-z][^`]*)`", page.read_text("utf-8")):
        words = line.split()[1:]
        command, place = top, 0
        while hasattr(command, "commands") and place < len(words) and words[place] in command.commands:
            command, place = command.commands[words[place]], place + 1
        known = {option for each in command.params for option in each.opts}
        options = [word for word in words if re.fullmatch(r"--[a-z-]+|-[a-z]", word)]
        if place == 0 or (hasattr(command, "commands") and place < len(words)) or not known >= {*options}:
            wrong.append(line)
    assert wrong == []


def test_there_are_pages() -> None:
    assert len(PAGES) > 10


@pytest.mark.parametrize(
    "page", ["README.md", "docs/operations.md", "docs/architecture.md", "docs/writing-a-connector.md"]
)
def test_pages_can_be_read(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    prose = BLOCK.sub("", re.sub(r"(?s)<!-- syncd docs.*?<!-- end -->", "", text))
    assert max(len(line) for line in prose.splitlines() if not line.startswith("|")) <= 140
