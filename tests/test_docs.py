"""The reference is printed from the code, and is what the code does now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd import docs, registry
from syncd.errors import ConfigError
from syncd.kit.card import card_of
from tests.commands import ROOT
from tests.hubs import Hub

OPEN, CLOSE = "<!-- syncd docs: {} -->\n", "<!-- end -->\n"
BLOCKS = (
    "commands",
    "configuration",
    "connector-table",
    "connectors",
    "documents",
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
    cards = [card_of(at) for _, at in sorted(registry.catalogue().items())]
    stale = docs.update(folder, "THE COMMANDS", cards, documents="THE DOCUMENTS", write=write)
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
        "THE DOCUMENTS",
        "`apps.<name>.poll`",
        "| `csv` |",
        "- [csv](connectors/csv.md): a CSV file",
        "| 5 | an app refused credentials or permission |",
        "| `email` | `email`",
        "| `owner` | this app is right",
        "| `ignore` | a blank is no opinion",
        "| `AccessError` |",
    ):
        assert word in once


def test_every_connector_has_a_page_and_nothing_else_has(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "connectors"
    folder.mkdir(parents=True)
    (folder / "gone.md").write_text("# gone\n")
    _, stale = printed(tmp_path, "nothing\n", write=False)
    assert folder / "gone.md" in stale
    assert [each.name for each in folder.iterdir()] == ["gone.md"], "to check changes nothing"
    printed(tmp_path, "nothing\n")
    assert {each.stem for each in folder.iterdir()} == set(registry.catalogue())
    assert printed(tmp_path, "nothing\n", write=False)[1] == []
    text = (folder / "mailchimp.md").read_text()
    for words in ("(rung D)", "(blind)", "`email_consent`: opted out by a request of its own", "two equal listings"):
        assert words in text
    (folder / "mailchimp.md").write_text(text + "by hand\n")
    assert printed(tmp_path, "nothing\n", write=False)[1] == [folder / "mailchimp.md"]


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


@pytest.mark.parametrize("folder", registry.catalogue().values(), ids=lambda folder: folder.name)
def test_the_readme_of_a_connector_says_what_it_can(folder: Path) -> None:
    """Found by a user: `not yet: webhooks`, which worked, and a scope that only the card named."""
    spec, text = registry.load(str(folder)).spec, (folder / "README.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| webhooks |")]
    told = spec.hooking is not None and spec.hooking.how != ""  # that of `memory` is for tests
    assert len(rows) == told
    assert not told or spec.hooking is None or all(f"`{name}`" in rows[0] for name in spec.hooking.needs)
    assert not re.search(r"\| not yet \|.*webhook", text)
    manifest = folder / "manifest.yaml"
    assert ("syncd auth" in text) == (manifest.exists() and "authorize:" in manifest.read_text())
    scopes = {found for each in spec.secrets for found in re.findall(r"\b[a-z]+\.[a-z]+\.[a-z]+\.[a-z]+\b", each.help)}
    assert all(scope in text for scope in scopes)
