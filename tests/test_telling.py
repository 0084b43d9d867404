"""What runs and the history tell of deletions, of what waits, and of why something was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, person


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Eight people in all of three apps; who is removed in crm is archived in books."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(1, 9)], more=", on_delete: archive")
    hub.table("books", [])
    hub.sql("books", "ALTER TABLE people ADD COLUMN deleted_at TEXT")
    settings = "{url: 'sqlite:///books.db', table: people, key: id, deleted: deleted_at}"
    hub.app("books", f"{{connector: sql, settings: {settings}}}")
    hub.csv("news", [])
    return hub.synced()


def removed(hub: Hub, number: int) -> None:
    hub.write("crm", [row for row in hub.rows("crm").values() if row["id"] != str(number)])


def test_a_run_tells_of_what_was_removed_and_archived_and_so_does_its_history(hub: Hub) -> None:
    removed(hub, 1)
    assert "crm: 1 record is missing that was there" in hub.run("sync").out
    doc = hub.json("sync")
    assert (doc["apps"]["crm"]["unlinked"], doc["apps"]["books"]["archived"]) == (1, 1)
    assert "unlinked" not in doc["apps"]["news"]
    said = hub.run("history", "--run", str(doc["run"])).out
    assert "crm: 1 unlinked; books: 1 archived" in said
    assert "archive: removed in crm" in said
    assert "p1@example.com" not in said
    entries = hub.json("history", "--run", str(doc["run"]))["entries"]
    assert [(e["app"], e["reason"].split(";")[0]) for e in entries] == [
        ("books", "archive: removed in crm"),
        ("crm", "unlink: removed in the app"),
    ]
    assert "missing" not in hub.run("sync").out


def test_an_undone_creation_is_told_as_that(hub: Hub) -> None:
    hub.write("news", [*hub.rows("news").values(), person(9, id="n9")])
    run = hub.json("sync")["run"]
    doc = hub.json("undo", "--run", str(run), "--approve", code=0)
    reasons = {e["reason"] for e in hub.json("history", "--run", str(doc["run"]))["entries"] if e["app"] == "books"}
    assert reasons == {"undo: created; archived", "archive: its creation was undone"}


def test_a_deletion_that_meets_an_edit_waits_in_the_inbox_at_once(hub: Hub) -> None:
    removed(hub, 1)
    rows = hub.rows("news")
    hub.write("news", [{**row, "company": "Acme" if email[1] == "1" else ""} for email, row in rows.items()])
    assert hub.json("sync", code=4)["inbox"] == 1
    assert hub.json("inbox")["cases"][0]["reason"] == "removed in crm, edited elsewhere"
    assert hub.json("sync", code=4)["apps"]["books"]["archived"] == 0


def test_a_plan_says_which_cases_nobody_can_look_at_yet(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(1, id="11"), person(2)])
    hub.csv("news", [person(1), person(2)])
    assert "inbox: 3 cases will wait there for a decision after the first approved sync" in hub.run("plan").out
    hub.synced()
    said = hub.run("plan").out
    assert "inbox: 3 cases wait for a decision: syncd inbox list -c syncd.yaml" in said
    assert "will wait" not in said
    rows = hub.rows("crm")
    hub.write("crm", [person(1), person(1, id="11"), rows["p2@example.com"], person(2, id="22")])
    assert "inbox: 1 more case will wait there for a decision after the next sync" in hub.run("plan").out


def test_who_waits_for_a_decision_has_not_lost(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="One")])
    hub.csv("news", [person(1, company="Two")])
    hub.configure("fields: {company: {policy: ask}}\n")
    hub.synced()
    entries = hub.json("history", "--field", "company")["entries"]
    assert {(e["app"], e["from"], e["to"], e["reason"]) for e in entries} == {
        ("crm", "One", None, "waits: apps disagree; a person decides"),
        ("news", "Two", None, "waits: apps disagree; a person decides"),
    }


def test_a_push_only_resync_says_why_a_value_was_written_over(hub: Hub) -> None:
    rows = hub.rows("news")
    rows["p1@example.com"]["first_name"] = "Typed"
    hub.write("news", rows.values())
    hub.json("resync", "--app", "news", "--push-only")
    entries = hub.json("history", "--field", "first_name")["entries"]
    assert "lost: the contact's value wins in this run (push only)" in {e["reason"] for e in entries}
