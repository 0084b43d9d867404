"""What is told of records that are set aside, of consent that was overruled, and of people who are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli.telling import tell_errors
from syncd.engine.finish import Outcome
from tests.hubs import COLUMNS, Hub, person

EVIDENCE = ("consent_at", "consent_source")


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(2), person(3)], columns=(*COLUMNS, *EVIDENCE))
    hub.csv("news", [], columns=(*COLUMNS, *EVIDENCE))
    return hub.synced()


def test_records_that_are_set_aside_for_one_reason_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", "no"), ("b", "no"), ("c", "never"), ("line:7", "no"), ("e", "no")]
    tell_errors(Outcome(doc={"apps": {"crm": {"parked": 7}}}, code=3, parked={"crm": rows}))
    assert capsys.readouterr().err.splitlines() == [
        "syncd: crm: line:7 is set aside: no",
        "syncd: crm: 3 records are set aside: no",
        "syncd: crm: a record is set aside: never",
        "syncd: crm: 2 more are set aside",
        "       syncd status --list parked names them",
    ]


def test_evidence_that_is_older_than_the_opt_out_is_not_called_missing(hub: Hub) -> None:
    rows = hub.rows("news")
    rows["p1@example.com"]["email_consent"] = "opted_out"
    hub.write("news", rows.values(), columns=(*COLUMNS, *EVIDENCE))
    hub.json("sync")
    rows = hub.rows("crm")
    rows["p1@example.com"] |= {
        "email_consent": "opted_in", "consent_at": "2020-01-02T03:04:05Z", "consent_source": "form"
    }  # fmt: skip
    hub.write("crm", rows.values(), columns=(*COLUMNS, *EVIDENCE))
    hub.app("crm", hub.apps["crm"].replace("key: id}", "key: id}, writes: {update: false}"))
    hub.run("sync")
    rule = hub.json("explain", "p1@example.com")["fields"]["email_consent"]["rule"]
    assert "opted_in in crm has evidence (consent_at, consent_source) that is not later than the opt-out" in rule
    assert "has no evidence" not in rule


def test_who_was_removed_everywhere_is_found_by_the_last_address(hub: Hub) -> None:
    for app in ("crm", "news"):
        rows = hub.rows(app)
        del rows["p2@example.com"]
        hub.write(app, rows.values(), columns=(*COLUMNS, *EVIDENCE))
    for _ in range(3):
        hub.run("sync")
    said = hub.json("explain", "P2@example.com")
    assert {record["id"] for record in said["records"].values()} == {None}
    assert said["fields"]["first_name"]["value"] == "First2"
    assert "now or before" in hub.run("explain", "nobody@example.com").err
