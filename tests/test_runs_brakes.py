"""Brakes, decisions and the way back, through the command line: pause, plans that grow old, undo, every sort of decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hubs import Hub, edit, five, person


@pytest.fixture(name="hub")
def begin(tmp_path: Path) -> Hub:
    return five(tmp_path)


def held_by(hub: Hub, number: int, field: str = "company") -> list[str]:
    return [hub.rows(app)[f"p{number}@example.com"][field] for app in ("crm", "news")]


# -- pause


def test_a_paused_app_is_named_and_catches_up(hub: Hub) -> None:
    assert hub.json("pause", "news") == {"apps": ["news"], "paused": True}
    edit(hub, "crm", 1, company="Acme")
    edit(hub, "news", 2, company="Unread")
    said = hub.run("sync")
    assert (said.code, "paused, neither read nor written: news" in said.out) == (0, True)
    assert "paused, neither read nor written: news" in hub.run("plan").out
    assert (held_by(hub, 1), held_by(hub, 2)) == (["Acme", ""], ["", "Unread"])
    assert hub.json("status")["apps"]["news"]["pending"] == 1
    assert hub.json("resume", "news") == {"apps": ["news"], "paused": False}
    said = hub.run("sync")
    assert "paused" not in said.out
    assert (held_by(hub, 1), held_by(hub, 2)) == (["Acme", "Acme"], ["Unread", "Unread"])


def test_everything_can_be_paused_and_goes_on(hub: Hub) -> None:
    assert hub.json("pause")["apps"] == ["crm", "news"]
    edit(hub, "crm", 1, company="Acme")
    for command in (["sync"], ["resync"], ["resync", "--app", "crm"], ["resync", "--contact", "p1@example.com"]):
        doc = hub.json(*command)
        assert [counts["read"] for counts in doc["apps"].values()] == [0, 0], command
    assert held_by(hub, 1) == ["Acme", ""]
    assert hub.json("resume") == {"apps": ["crm", "news"], "paused": False}
    assert hub.json("resume")["apps"] == []
    hub.json("sync")
    assert held_by(hub, 1) == ["Acme", "Acme"]


# -- a plan that grows old


def test_a_plan_skips_what_has_moved_since(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    edit(hub, "crm", 2, company="Two")
    hub.run("plan", "--out", "plan.json")
    edit(hub, "crm", 1, company="Other")
    doc = hub.json("apply", "plan.json", code=3)
    assert [(each["contact"], each["skipped"]) for each in doc["skipped"]] == [("c1", "a value has changed since")]
    assert (held_by(hub, 1), held_by(hub, 2)) == (["Other", ""], ["Two", "Two"])
    doc = hub.json("apply", "plan.json", code=3)
    assert {each["skipped"] for each in doc["skipped"]} == {"a value has changed since", "nothing to do any more"}
    hub.json("sync")
    assert held_by(hub, 1) == ["Other", "Other"]


# -- the way back


@pytest.mark.parametrize("selected", [["--run", "2"], ["--contact", "p1@example.com", "--field", "company"]])
@pytest.mark.parametrize("before", ["", "Before"])
def test_what_was_typed_is_taken_back_where_it_was_typed_too(hub: Hub, before: str, selected: list[str]) -> None:
    if before:
        hub.write("crm", [person(1, company=before), *(person(number) for number in range(2, 6))])
    run = hub.json("sync")["run"] if before else 1
    edit(hub, "crm", 1, company="Typed")
    assert hub.json("sync")["run"] == run + 1
    selected = ["--run", str(run + 1)] if selected[0] == "--run" else selected
    said = hub.run("undo", *selected)
    assert said.code == 4
    assert "2 writes would take this back" in said.out
    hub.json("undo", *selected, "--approve")
    expected = before if selected[0] == "--run" else ""
    assert held_by(hub, 1) == [expected, expected]
    assert sum(counts["updated"] for counts in hub.json("sync")["apps"].values()) == 0
    assert held_by(hub, 1) == [expected, expected]


# -- decisions


def deleted_and_edited(hub: Hub) -> dict[str, Any]:
    hub.write("crm", [row for row in hub.rows("crm").values() if row["id"] != "1"])
    edit(hub, "news", 1, company="Edited")
    hub.json("sync", code=4)
    [case] = hub.json("inbox")["cases"]
    assert (case["kind"], case["app"]) == ("deletion", "crm")
    assert hub.json("inbox", "show", str(case["case"]))["decisions"] == ["--restore", "--keep"]
    number = str(case["case"])
    for wrong in (["--new"], ["--app", "crm"], ["--value", "x"], ["--link", "c2"], []):
        assert hub.run("inbox", "resolve", number, *wrong).code == 2
    return {"case": number}


def test_a_removed_record_may_be_created_again(hub: Hub) -> None:
    case = deleted_and_edited(hub)
    assert hub.json("inbox", "resolve", case["case"], "--restore")["kind"] == "deletion"
    assert hub.json("sync")["apps"]["crm"]["created"] == 1
    assert held_by(hub, 1) == ["Edited", "Edited"]


def test_a_removed_record_may_stay_removed(hub: Hub) -> None:
    case = deleted_and_edited(hub)
    hub.json("inbox", "resolve", case["case"], "--keep")
    for _ in range(2):
        assert hub.json("sync")["apps"]["crm"]["created"] == 0
    assert "p1@example.com" not in hub.rows("crm")
    assert hub.run("inbox", "resolve", case["case"], "--keep").code == 2  # decided already


@pytest.mark.parametrize(
    ("decision", "result"), [(["--app", "news"], "Two"), (["--value", "Three"], "Three"), (["--value", "-"], "Stdin")]
)
def test_a_conflict_is_decided_by_app_or_value(tmp_path: Path, decision: list[str], result: str) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="One")])
    hub.csv("news", [person(1, company="Two")])
    hub.configure("fields: {company: {policy: ask}}\n")
    hub.synced()
    [case] = hub.json("inbox")["cases"]
    number = str(case["case"])
    assert hub.run("inbox", "resolve", number, "--restore").code == 2
    hub.json("inbox", "resolve", number, *decision, stdin="Stdin\n")
    assert hub.json("sync")["outcome"] == "in_sync"
    assert held_by(hub, 1) == [result, result]


# -- what an app may do


def test_an_app_that_is_not_trusted_changes_no_address_elsewhere(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(2)])
    hub.csv("news", [], more=", trust: low")
    hub.synced()
    edit(hub, "news", 1, email="other@example.com", company="Acme")
    hub.json("sync")
    assert held_by(hub, 1) == ["Acme", "Acme"]
    reasons = {e["reason"] for e in hub.json("history", "--field", "email")["entries"]}
    assert "lost: this app is not trusted to change what people are matched by" in reasons


@pytest.mark.parametrize(
    ("blank", "cleared", "typed"),
    [("ignore", ["Acme", "Acme"], ["New", "New"]), ("fill_only", ["Acme", "Acme"], ["Acme", "New"]),
     ("propagate", ["", ""], ["New", "New"])],
)  # fmt: skip
def test_one_word_says_what_a_blank_does(tmp_path: Path, blank: str, cleared: list[str], typed: list[str]) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, company="Acme"), *(person(number) for number in range(2, 20))])
    hub.csv("news", [])
    hub.configure(f"fields: {{company: {{blank: {blank}}}}}\n")
    hub.synced()
    edit(hub, "news", 1, company="")
    hub.json("sync")
    assert held_by(hub, 1) == cleared
    edit(hub, "news", 1, company="New")
    hub.json("sync")
    assert held_by(hub, 1) == typed


# -- scope


@pytest.fixture
def scoped(tmp_path: Path) -> Hub:
    """A table for leads only, in which one was there before who is none."""
    hub = Hub(tmp_path)
    columns = ("id", "email", "company", "lifecycle")
    people = [{"id": str(n), "email": f"p{n}@example.com", "lifecycle": "lead"} for n in range(1, 9)]
    hub.csv("crm", [*people, {"id": "9", "email": "p9@example.com", "lifecycle": "other"}], columns=columns)
    hub.table("books", [{"id": "b9", "email": "p9@example.com"}])
    hub.sql("books", "ALTER TABLE people ADD COLUMN deleted_at TEXT")
    settings = "{url: 'sqlite:///books.db', table: people, key: id, deleted: deleted_at}"
    scope = "scope: 'contact.lifecycle == \"lead\"', on_leave: archive"
    hub.app("books", f"{{connector: sql, settings: {settings}, {scope}}}")
    return hub.synced()


def lifecycle(hub: Hub, word: str, *numbers: int) -> None:
    rows = hub.rows("crm")
    for number in numbers:
        rows[f"p{number}@example.com"]["lifecycle"] = word
    hub.write("crm", rows.values(), columns=("id", "email", "company", "lifecycle"))


def there(hub: Hub) -> list[str]:
    rows = hub.sql("books", "SELECT email FROM people WHERE deleted_at IS NULL ORDER BY email")
    return [email[1] for (email,) in rows]


def test_who_leaves_the_scope_is_put_away_and_who_never_was_in_it_is_kept(scoped: Hub) -> None:
    assert there(scoped) == list("123456789")
    lifecycle(scoped, "lost", 1)
    assert [i["kind"] for i in scoped.json("plan")["intents"]] == ["archive"]
    doc = scoped.json("sync")
    assert doc["apps"]["books"]["archived"] == 1
    assert there(scoped) == list("23456789")
    entries = scoped.json("history", "--run", str(doc["run"]))["entries"]
    assert "archive: it left the scope" in {e["reason"] for e in entries}
    assert scoped.json("sync")["apps"]["books"] == {**doc["apps"]["books"], "archived": 0, "read": 8}
    lifecycle(scoped, "lead", 1)
    assert scoped.json("sync")["apps"]["books"]["created"] == 1
    assert there(scoped) == list("123456789")


def test_many_who_leave_at_once_are_held_and_who_comes_back_stays(scoped: Hub) -> None:
    lifecycle(scoped, "lost", 1, 2, 3, 4, 5, 6, 7)
    doc = scoped.json("sync", code=4)
    assert [(held["app"], held["verb"], held["count"]) for held in doc["held"]] == [("books", "archives", 7)]
    assert there(scoped) == list("123456789")
    lifecycle(scoped, "lead", 1, 2)
    doc = scoped.json("sync", code=4)
    assert [(held["verb"], held["count"]) for held in doc["held"]] == [("archives", 5)]
    number = doc["run"]
    scoped.json("approve", str(number))
    scoped.json("sync")
    assert there(scoped) == list("1289")
