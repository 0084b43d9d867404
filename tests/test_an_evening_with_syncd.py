"""What a careless evening of a new user found: mistakes that were put right, apps that were renamed, policies that were changed."""

from __future__ import annotations

from pathlib import Path

from tests.hubs import Hub, person


def test_a_case_of_an_app_that_was_renamed_can_be_decided(tmp_path: Path) -> None:
    """The decision made an observation of an app that nobody merges any more; `sync` never ended."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n) for n in range(3)])
    hub.csv("books", [person(n) for n in range(3)], more=", writes: {create: false}")
    hub.synced()
    hub.write("books", [*(person(n) for n in range(3)), person(7, email="p1@example.com")])
    hub.json("sync", code=4)
    [case] = hub.json("inbox")["cases"]
    hub.apps["acc"] = hub.apps.pop("books")
    hub.configure()
    hub.json("sync", code=4)

    assert hub.run("inbox", "resolve", str(case["case"]), "--new").code == 0

    assert hub.json("sync", code=4)["held"] == []
    assert hub.run("plan").code in (0, 4)
