"""Apps in which nobody can be opted in: that is their nature, told where somebody looks, and no fault of any record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.hubspot.sandbox import Sandbox
from syncd.http.sandbox import Server, serving
from tests.hubs import COLUMNS, Hub, person

EVIDENCE = ("consent_at", "consent_source")
PROVEN = {"email_consent": "opted_in", "consent_at": "2026-01-02T03:04:05Z", "consent_source": "form"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Sandbox(step_seconds=1)) as server:
        yield server


@pytest.fixture
def hub(tmp_path: Path, server: Server) -> Hub:
    """Two people in a file, both in HubSpot as well."""
    hub = Hub(tmp_path)
    hub.csv("list", [person(1), person(2)], columns=(*COLUMNS, *EVIDENCE))
    (tmp_path / "token").write_text("token")
    hub.app(
        "crm",
        f"{{connector: hubspot, network: private, settings: {{url: '{server.url}'}}, secrets: {{token: 'file:token'}}}}",
    )
    hub.synced()
    assert hub.run("sync").code == 0
    return hub


def asked_for_consent(server: Server) -> list[str]:
    return [asked.path for asked in server.asked if "communication" in asked.path]


def test_an_opt_in_that_an_app_cannot_be_told_leaves_nothing_to_be_done(hub: Hub, server: Server) -> None:
    rows = hub.rows("list")
    rows["p1@example.com"] |= PROVEN
    hub.write("list", [*rows.values(), person(3, **PROVEN)], columns=(*COLUMNS, *EVIDENCE))
    for _ in range(2):
        said = hub.json("sync")
        assert (said["outcome"], said["apps"]["crm"]["parked"]) == ("in_sync", 0)
    assert asked_for_consent(server) == []
    assert hub.json("status")["apps"]["crm"]["in_sync"] == 3
    assert hub.run("status", "--list", "parked", "--app", "crm").out.count("crm") == 0
    for email in ("p1@example.com", "p3@example.com"):
        said = hub.run("explain", email).out
        assert "crm: in_sync: email_consent: opted in elsewhere" in said
    assert "email_consent: opted in elsewhere" not in hub.run("explain", "p2@example.com").out


def test_an_opt_out_is_told_there_all_the_same(hub: Hub, server: Server) -> None:
    rows = hub.rows("list")
    rows["p1@example.com"] |= PROVEN
    hub.write("list", rows.values(), columns=(*COLUMNS, *EVIDENCE))
    hub.json("sync")
    rows = hub.rows("list")
    rows["p1@example.com"]["email_consent"] = "opted_out"
    hub.write("list", rows.values(), columns=(*COLUMNS, *EVIDENCE))
    assert hub.json("sync")["apps"]["crm"]["consents"] == 1
    assert len(asked_for_consent(server)) == 1
