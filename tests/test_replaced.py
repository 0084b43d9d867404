"""A known id that shows somebody else now: whoever had it stays who they are, and a person says whose the record is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hubs import Hub, edit, person

GRACE = {"email": "grace@example.org", "first_name": "Grace", "last_name": "Hopper"}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Ten people in a file, and in a table that numbers its rows as SQLite does: it gives the last number again."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n, company="Acme", phone=f"+4930123450{n}") for n in range(10)])
    hub.sql("books", "CREATE TABLE people (id INTEGER PRIMARY KEY, email, first_name, last_name, company, phone)")
    hub.app("books", "{connector: sql, settings: {url: 'sqlite:///books.db', table: people, key: id}}")
    return hub.synced()


def replace_last(hub: Hub) -> str:
    """Delete the last row and insert another person; gives the address of the first one."""
    [(last, was)] = hub.sql("books", "SELECT id, email FROM people ORDER BY id DESC LIMIT 1")
    hub.sql("books", "DELETE FROM people WHERE id = ?", last)
    hub.sql("books", "INSERT INTO people (email, first_name, last_name) VALUES (?, ?, ?)", *GRACE.values())
    assert hub.sql("books", "SELECT id FROM people WHERE email = ?", GRACE["email"]) == [(last,)]
    return str(was)


def case_of(hub: Hub, code: int = 4) -> dict[str, Any]:
    doc = hub.json("sync", code=code)
    assert doc["held"] == [], doc
    [case] = hub.json("inbox")["cases"]
    return dict(case)


def test_whoever_had_the_number_stays_who_they_are_until_somebody_decides(hub: Hub) -> None:
    before = hub.rows("crm")
    replace_last(hub)

    case = case_of(hub)

    assert (case["kind"], case["app"]) == ("match", "books")
    assert hub.rows("crm") == before
    assert hub.json("sync", code=4)["held"] == []
    assert hub.rows("crm") == before


def test_a_new_person_is_made_everywhere_and_the_removed_one_stays_removed(hub: Hub) -> None:
    was = replace_last(hub)
    case = case_of(hub)

    assert hub.run("inbox", "resolve", str(case["case"]), "--new").code == 0
    assert hub.json("sync")["outcome"] == "in_sync"

    assert hub.rows("crm")[GRACE["email"]]["last_name"] == "Hopper"
    assert hub.rows("crm")[was]["company"] == "Acme"
    assert hub.sql("books", "SELECT 1 FROM people WHERE email = ?", was) == []


def test_the_same_person_under_other_names_is_changed_everywhere(hub: Hub) -> None:
    was = replace_last(hub)
    case = case_of(hub)
    contact = hub.json("explain", was)["contact"]

    assert hub.run("inbox", "resolve", str(case["case"]), "--link", contact).code == 0
    assert hub.json("sync")["outcome"] == "in_sync"

    rows = hub.rows("crm")
    assert was not in rows
    assert len(rows) == 10
    assert (rows[GRACE["email"]]["last_name"], rows[GRACE["email"]]["company"]) == ("Hopper", "Acme")


def test_nobody_is_opted_out_by_whoever_has_their_number_now(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n, email_consent="opted_in") for n in range(6)])
    hub.csv("news", [])
    hub.synced()
    edit(hub, "crm", 5, **GRACE, email_consent="opted_out")

    case = case_of(hub)

    assert {row["email_consent"] for row in hub.rows("news").values()} == {""}
    assert hub.run("inbox", "resolve", str(case["case"]), "--new").code == 0
    assert hub.json("sync")["outcome"] == "in_sync"
    said = {email: row["email_consent"] for email, row in hub.rows("news").items()}
    assert said == {**{f"p{n}@example.com": "" for n in range(6)}, GRACE["email"]: "opted_out"}


@pytest.mark.parametrize(
    "edits",
    [
        {"email": "new@example.org"},
        {"email": "new@example.org", "first_name": "New"},
        {"first_name": "New", "last_name": "Name", "phone": "+4930999999"},
    ],
)
def test_who_is_still_known_by_something_is_the_same_person(hub: Hub, edits: dict[str, str]) -> None:
    sets = ", ".join(f"{name} = ?" for name in edits)
    hub.sql("books", f"UPDATE people SET {sets} WHERE email = 'p4@example.com'", *edits.values())

    assert hub.json("sync")["outcome"] == "in_sync"

    rows = [row for row in hub.rows("crm").values() if row["id"] == "4"]
    assert [{name: row[name] for name in edits} for row in rows] == [edits]


def test_the_others_do_not_follow_where_the_apps_archive_what_is_removed(tmp_path: Path) -> None:
    """It is not certain that anybody was removed."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n) for n in range(6)], more=", on_delete: archive")
    hub.csv("news", [])
    hub.synced()
    edit(hub, "crm", 5, email="grace@example.org", first_name="Grace", last_name="Hopper")

    assert hub.json("sync", code=4)["held"] == []

    assert "p5@example.com" in hub.rows("news")
    assert [each["kind"] for each in hub.json("inbox")["cases"]] == ["match"]


def test_rows_that_were_mixed_up_hold_their_app(hub: Hub) -> None:
    """Somebody sorted the names and addresses of a sheet, and not its ids."""
    rows = list(hub.rows("crm").values())
    who = ("email", "first_name", "last_name", "phone")
    mixed = [row | {name: other[name] for name in who} for row, other in zip(rows, rows[1:] + rows[:1], strict=True)]
    hub.write("crm", mixed)
    before = hub.sql("books", "SELECT * FROM people")

    doc = hub.json("sync", code=4)

    assert [(held["app"], held["verb"], held["count"]) for held in doc["held"]] == [("crm", "mixed_up", 10)]
    assert hub.sql("books", "SELECT * FROM people") == before
