"""SYNCD_DEBUG_CRASH: dies where it is told to, and nowhere unless the configuration allows it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.hubs import Hub, person

ALLOWED = "debug: {crash_points: true}\n"
POINT = "SYNCD_DEBUG_CRASH"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    hub.csv("desk", [])
    hub.configure(ALLOWED)
    return hub


def sync(hub: Hub, place: str) -> tuple[int, str]:
    said = hub.run("sync", "--approve", env={POINT: place})
    return said.code, said.err


@pytest.mark.parametrize("words", [("sync",), ("check", "--offline"), ("status",), ("run",)])
def test_without_the_operators_word_the_variable_is_refused(hub: Hub, words: tuple[str, ...]) -> None:
    hub.configure("")
    said = hub.run(*words, env={POINT: "store.sent:1:before"})
    assert said.code == 2
    assert "SYNCD_DEBUG_CRASH is set" in said.err
    assert not (hub.folder / "var").exists()


@pytest.mark.parametrize(
    "place",
    ["", "sent", "store.sent", "store.sent:0:before", "store.sent:1:never", "app.write:1:inside", "app.write:1:after:full",
     "store.sent:1:before:busy", "store.sent:1:inside:lost", "store.sent:1:inside:explode"],
)  # fmt: skip
def test_what_is_no_place_is_refused(hub: Hub, place: str) -> None:
    code, err = sync(hub, place)
    assert (code, "SYNCD_DEBUG_CRASH: expected" in err) == ((2, True) if place else (0, False))


def test_it_dies_where_it_is_told_to_and_nowhere_else(hub: Hub) -> None:
    assert sync(hub, "app.write:1:before")[0] == -signal.SIGKILL
    assert hub.rows("desk") == {}
    assert sync(hub, "app.write:1:after")[0] == -signal.SIGKILL
    assert [*hub.rows("desk")] == ["p1@example.com"]
    assert sync(hub, "app.write:1:after")[0] == 0


def test_an_error_takes_the_way_of_the_real_one(hub: Hub) -> None:
    code, err = sync(hub, "store.sent:1:inside:full")
    assert (code, "var/syncd.db: the disk is full; nothing was lost" in err) == (3, True)
    code, err = sync(hub, "store.sent:1:inside:busy")
    assert (code, "another program keeps the store locked" in err) == (3, True)
    assert hub.rows("desk") == {}
    assert sync(hub, "store.result:1:after:lost")[0] == 3
    assert sync(hub, "store.no such thing:1:after")[0] == 0
    assert [*hub.rows("desk")] == ["p1@example.com"]


def test_every_boundary_is_told(hub: Hub) -> None:
    _, err = sync(hub, "trace")
    told = [line.removeprefix("boundary ") for line in err.splitlines()]
    assert told[0] == "store.apps:1:before"
    assert told[-1] == "store.finish:1:after"
    assert "store.sent:1:inside" in told
    assert told.index("store.sent:1:after") < told.index("app.write:1:before")


def test_the_daemon_dies_there_as_well(hub: Hub) -> None:
    hub.run("sync", "--approve")
    hub.write("crm", [person(1), person(2)])
    assert hub.start("run", env={POINT: "app.write:1:after"}).wait(60) == -signal.SIGKILL
    assert len(hub.rows("desk")) == 2
    for _ in range(2):
        assert hub.json("sync")["outcome"] == "in_sync"
        assert len((hub.folder / "desk.csv").read_text("utf-8").splitlines()) == 3
