"""Runs that find nothing, and first runs in which an app cannot be reached: what they leave behind and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, person


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(1, 9)])
    hub.csv("news", [])
    hub.table("books", [person(1)])
    return hub


def away(hub: Hub, name: str = "books.db") -> Path:
    return (hub.folder / name).rename(hub.folder / "away")


def test_of_runs_that_found_nothing_the_last_one_is_remembered(hub: Hub) -> None:
    hub.synced()
    last = [hub.json("sync")["run"] for _ in range(3)][-1]
    assert [run["run"] for run in hub.json("history")["runs"]] == [last, 1]
    rows = [*hub.rows("crm").values()]
    hub.write("crm", [{**rows[0], "company": "Acme"}, *rows[1:]])
    edited = hub.json("sync")["run"]
    last = hub.json("sync")["run"]
    assert last > edited
    assert [run["run"] for run in hub.json("history")["runs"]] == [last, edited, 1]
    assert "nothing to do" in hub.run("history", "--run", str(last)).out


def test_a_first_run_counts_nothing_for_an_app_that_cannot_be_reached(hub: Hub) -> None:
    there = away(hub)
    said = hub.run("sync")
    assert said.code == 3
    assert "books" in said.err
    assert "Not every app could be asked" in said.out
    assert "--approve" not in said.out
    doc = hub.json("sync", code=3)
    assert (doc["outcome"], doc["held"]) == ("partial", [])
    hub.csv("more", [person(1)])
    doc = hub.json("sync", code=4)
    assert {held["app"] for held in doc["held"]} == {"news", "more"}
    there.rename(hub.folder / "books.db")
    assert {held["app"] for held in hub.json("sync", code=4)["held"]} == {"books", "news", "more"}


def test_a_guard_counts_nothing_for_an_app_that_is_not_written_to(hub: Hub) -> None:
    hub.synced()
    rows = [*hub.rows("crm").values()]
    hub.write("crm", [{**row, "company": "Acme"} for row in rows])
    there = away(hub)
    assert {held["app"] for held in hub.json("sync", code=4)["held"]} == {"news"}
    hub.run("pause", "news")
    assert hub.json("sync", code=3)["held"] == []
    assert "nothing written; books: " in hub.run("history").out
    there.rename(hub.folder / "books.db")
    hub.run("resume")
    doc = hub.json("sync", code=4)
    assert {held["app"] for held in doc["held"]} == {"books", "news"}
    assert "held: books 8 updates, news 8 updates" in hub.run("history", "--run", str(doc["run"])).out
