"""The reference is printed from the code, and is what the code does now."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd import docs, registry
from syncd.errors import ConfigError
from tests.hubs import ROOT, Hub

OPEN, CLOSE = "<!-- syncd docs: {} -->\n", "<!-- end -->\n"
BLOCKS = (
    "commands",
    "configuration",
    "connector-table",
    "connectors",
    "exit-codes",
    "field-types",
    "fields",
    "manifest",
    "policies",
    "reactions",
)


def printed(folder: Path, text: str, *, write: bool = True) -> tuple[str, list[Path]]:
    """Print the blocks of one page anew; return it, and what was out of date."""
    page = folder / "README.md"
    page.write_text(text)
    specs = [registry.spec(name) for name in sorted(registry.catalogue())]
    stale = docs.update(folder, "THE COMMANDS", specs, write=write)
    return page.read_text(), stale


def test_the_pages_are_what_the_code_says(tmp_path: Path) -> None:
    said = Hub(tmp_path).run("docs", "--check", "--root", str(ROOT))
    assert said.code == 0, f"{said.out}{said.err}(`make docs` prints them anew)"


def test_every_block_prints_something_and_printing_twice_changes_nothing(tmp_path: Path) -> None:
    text = "# Title\n\n" + "\nBETWEEN BLOCKS\n".join(OPEN.format(name) + CLOSE for name in BLOCKS) + "after\n"
    once, stale = printed(tmp_path, text)
    assert stale == [tmp_path / "README.md"]
    assert printed(tmp_path, once) == (once, [])
    assert once.startswith("# Title\n")
    assert once.endswith("after\n")
    assert once.count("BETWEEN BLOCKS") == len(BLOCKS) - 1
    for word in (
        "THE COMMANDS",
        "`apps.<name>.poll`",
        "| `csv` |",
        "### csv",
        "| 5 | an app refused credentials or permission |",
        "| `email` | `email`",
        "| `owner` | this app is right",
        "| `ignore` | a blank is no opinion",
        "| `AccessError` |",
    ):
        assert word in once


def test_to_check_changes_nothing(tmp_path: Path) -> None:
    text = OPEN.format("exit-codes") + "old\n" + CLOSE
    assert printed(tmp_path, text, write=False) == (text, [tmp_path / "README.md"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"\n\n{OPEN.format('exit-cods')}{CLOSE}", "README.md:3: no block"),
        (OPEN.format("exit-codes"), "is not closed"),
        (OPEN.format("exit-codes") + OPEN.format("reactions") + CLOSE, "is not closed"),
    ],
)
def test_a_mark_that_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        printed(tmp_path, text)


def test_a_folder_without_pages_is_told(tmp_path: Path) -> None:
    said = Hub(tmp_path).run("docs")
    assert said.code == 2
    assert "--root" in said.err


def test_stale_pages_exit_3(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(OPEN.format("commands") + CLOSE)
    hub = Hub(tmp_path)
    assert hub.json("docs", "--check", code=3) == {"stale": ["README.md"], "written": False}
    assert hub.run("docs").code == 0
    text = (tmp_path / "README.md").read_text()
    for command in ("syncd sync", "syncd explain KEY", "syncd inbox resolve CASE", "syncd db upgrade"):
        assert f"#### `{command}" in text
    assert hub.json("docs", "--check") == {"stale": [], "written": False}
