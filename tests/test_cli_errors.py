"""Whatever is wrong, with `--json`: nothing on stdout for exit codes 1 and 2, one document for every other; words on stderr."""

from __future__ import annotations

import pytest

from tests.hubs import Hub, person

WRONG = [
    ["inbox", "show", "9"],
    ["inbox", "resolve", "9", "--keep"],
    ["inbox", "resolve", "9", "--keep", "--new"],
    ["approve", "99"],
    ["pause", "nope"],
    ["resume", "nope"],
    ["history", "--run", "x"],
    ["history", "--contact", "zz@example.com"],
    ["undo"],
    ["undo", "--run", "77"],
    ["apply", "nope.json"],
    ["plan", "--app", "nope"],
    ["resync", "--fields", "nope"],
    ["resync", "--since", "yesterday"],
    ["explain", "crm:77"],
    ["connectors", "show", "nope"],
    ["init"],
]
AWAY = {
    "sync": 3,
    "plan": 3,
    "resync": 3,
    "check": 3,
    "undo --run 1": 3,
    "undo --run 1 --approve": 3,
    "status": 0,
    "explain p1@example.com": 0,
    "history": 0,
    "inbox list": 0,
    "pause": 0,
    "resume": 0,
    "db upgrade": 0,
}
"""Command -> its exit code while an app is away."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Two files in sync, of which one has gone away since."""
    hub = Hub(tmp_path_factory.mktemp("errors"))
    hub.csv("crm", [person(1)])
    hub.csv("news", [])
    hub.synced()
    (hub.folder / "news.csv").unlink()
    return hub


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_command_says_so_on_stderr_only(hub: Hub, words: list[str]) -> None:
    said = hub.run(*words, "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("syncd: ")
    assert "zz@example.com" not in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", AWAY)
def test_one_document_comes_whatever_an_app_does(hub: Hub, command: str) -> None:
    said = hub.run(*command.split(), "--json")
    assert said.code == AWAY[command], said.err
    assert isinstance(said.doc, dict)
    if said.code and command != "check":
        assert "news.csv: there is no such file" in said.err


def test_a_preview_of_an_undo_names_an_app_that_is_away(hub: Hub) -> None:
    assert "news.csv: there is no such file" in hub.run("undo", "--run", "1").err
