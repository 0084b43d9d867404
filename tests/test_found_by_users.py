"""What a fresh user found, with nothing but the README at hand: each a story through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hubs import Hub, person


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Five people in both of two apps."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(1, 6)])
    hub.csv("news", [])
    return hub.synced()


def edit(hub: Hub, app: str, number: int, **fields: str) -> None:
    rows = hub.rows(app)
    rows[f"p{number}@example.com"] |= fields
    hub.write(app, rows.values())


# -- what is done already is no failure


def test_a_plan_that_was_done_already_is_in_sync(hub: Hub) -> None:
    edit(hub, "crm", 1, company="One")
    hub.run("plan", "--out", "plan.json")
    assert hub.json("apply", "plan.json")["skipped"] == []
    doc = hub.json("apply", "plan.json")
    assert doc["outcome"] == "in_sync"
    assert [each["skipped"] for each in doc["skipped"]] == ["nothing to do any more"]


def test_an_undo_of_one_field_says_nothing_of_the_record_that_was_created(hub: Hub) -> None:
    edit(hub, "crm", 1, phone="+49 30 1234567")
    hub.json("sync")
    doc = hub.json("undo", "--contact", "p1@example.com", "--field", "phone", "--approve")
    assert doc["skipped"] == []
    assert [hub.rows(app)["p1@example.com"]["phone"] for app in ("crm", "news")] == ["", ""]
