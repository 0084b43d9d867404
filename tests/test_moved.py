"""A project folder that is moved or copied works on; an app that really is another one is held until a person confirms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.hubs import Hub, person


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A CSV file and a table of two people, in sync."""
    hub = Hub(tmp_path / "here")
    hub.folder.mkdir()
    hub.csv("crm", [person(1), person(2)])
    hub.table("books", [])
    return hub.synced()


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_project_that_is_moved_or_copied_works_on(hub: Hub, how: object) -> None:
    assert callable(how)
    there = hub.folder.with_name("there")
    how(hub.folder, there)
    hub.folder = there
    rows = [person(1, company="Acme"), person(2)]
    hub.write("crm", rows)
    doc = hub.json("sync")
    assert (doc["held"], doc["apps"]["books"]["updated"]) == ([], 1)
    assert hub.sql("books", "SELECT company FROM people ORDER BY email") == [("Acme",), (None,)]


def test_the_same_file_may_be_named_in_another_way(hub: Hub) -> None:
    for path in (f"{hub.folder}/crm.csv", "./sub/../crm.csv"):
        hub.app("crm", f"{{connector: csv, settings: {{path: '{path}', key: id}}}}")
        assert hub.json("sync")["outcome"] == "in_sync"


def test_another_file_is_held_until_somebody_says_that_it_is_meant(hub: Hub) -> None:
    (hub.folder / "new").mkdir()
    shutil.move(hub.folder / "crm.csv", hub.folder / "new" / "crm.csv")
    hub.app("crm", "{connector: csv, settings: {path: new/crm.csv, key: id}}")
    said = hub.run("sync")
    assert said.code == 4
    assert "it was csv:crm.csv#id, it is csv:new/crm.csv#id" in said.err
    assert "held: crm is another account" in said.out
    assert "syncd approve 2 -c syncd.yaml" in said.out
    assert "another account" in hub.run("inbox", "list").out
    said = hub.run("check")
    assert said.code == 4
    assert "it was csv:crm.csv#id, it is csv:new/crm.csv#id), until that is approved" in said.out
    assert "another account" in hub.json("status")["apps"]["crm"]["last_error"]
    doc = hub.json("sync", code=4)
    assert doc["held"] == [{"app": "crm", "verb": "account", "count": 1, "limit": 0}]
    assert "held: crm is another account" in hub.run("plan").out
    assert "approved: crm is another account" in hub.run("approve", str(doc["run"])).out
    assert hub.json("sync")["apps"]["crm"] == {**doc["apps"]["crm"], "read": 2}
    assert hub.json("sync")["outcome"] == "in_sync"
    assert hub.json("status")["apps"]["crm"]["in_sync"] == 2


def test_a_link_that_leads_elsewhere_is_another_file(hub: Hub) -> None:
    for name in ("one", "two"):
        (hub.folder / name).mkdir()
        shutil.copy(hub.folder / "crm.csv", hub.folder / name / "data.csv")
    link = hub.folder / "link.csv"
    link.symlink_to(hub.folder / "one" / "data.csv")
    hub.app("more", "{connector: csv, settings: {path: link.csv, key: id}}")
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    link.unlink()
    link.symlink_to(hub.folder / "two" / "data.csv")
    assert hub.json("sync", code=4)["held"][0]["verb"] == "account"


def test_a_column_that_is_gone_is_told_by_check_as_sync_tells_it(hub: Hub) -> None:
    assert hub.run("check").code == 0
    path = hub.folder / "crm.csv"
    path.write_text(path.read_text("utf-8").replace("first_name", "vorname", 1), "utf-8")
    assert hub.json("sync", code=4)["held"] == [{"app": "crm", "verb": "fields", "count": 1, "limit": 0}]
    said = hub.run("check")
    assert said.code == 4
    assert "first_name was here and is no longer offered" in said.out
    hub.app("crm", "{connector: csv, settings: {path: crm.csv, key: id}, fields: {first_name: {direction: none}}}")
    assert (hub.run("check").code, hub.json("sync")["held"]) == (0, [])
