"""Deletion and resurrection (BEHAVIOURS 30-34): absence is no deletion, and a deletion is no wave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.engine.finish import Outcome
from syncd.errors import TransientError
from tests.story import TRIO, Story, agreed, given, held, raising, written

KINDS = ["memory", "csv", "sql", ("sql", {"stamped": True}), ("memory", {"gone": False}), ("memory", {"feed": False})]


def until_believed(story: Story) -> Outcome:
    """Run as often as it takes to believe a deletion; apps that tell of none are compared as a whole."""
    story.resync()
    return story.sync()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_behaviour_30_deleted_contacts_do_not_come_back(tmp_path: Path, kind: Any) -> None:
    story = agreed(tmp_path, {"shop": kind, "crm": "memory", "desk": "csv"})
    shop, crm = story["shop"], story["crm"]
    shop.remove(shop.id_of("ann@x.org"))

    assert until_believed(story).code == 0
    assert [row["email"] for row in shop.rows().values()] == ["bob@x.org"]
    assert len(crm.rows()) == len(story["desk"].rows()) == 2

    crm.put(crm.id_of("ann@x.org"), company="Still a customer")
    assert until_believed(story).code == 0
    assert story["desk"].one("ann@x.org")["company"] == "Still a customer"
    assert [row["email"] for row in shop.rows().values()] == ["bob@x.org"]
    assert story.resync().code == 0
    assert [row["email"] for row in shop.rows().values()] == ["bob@x.org"]
    contact = story.contact("crm", crm.id_of("ann@x.org"))
    assert [kind for kind, *_ in story.journal(contact) if kind == "unlink"] == ["unlink"]

    shop.put("again", email="ann@x.org", job_title="Back")  # a person makes her again: that lifts the tombstone
    assert story.settle().code == 0
    assert shop.one("ann@x.org")["company"] == "Still a customer"
    assert crm.one("ann@x.org")["job_title"] == "Back"
    assert story.contact("shop", "again") == contact


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_behaviour_32_an_edit_elsewhere_speaks_against_a_deletion(tmp_path: Path, kind: Any) -> None:
    story = agreed(tmp_path, {"shop": kind, "crm": "memory", "desk": "csv"})
    shop, crm = story["shop"], story["crm"]
    shop.remove(shop.id_of("ann@x.org"))
    crm.put(crm.id_of("ann@x.org"), company="Just moved here")

    outcome = until_believed(story)

    assert (outcome.code, outcome.doc["inbox"]) == (4, 1)
    [case] = story.cases()
    assert (case["kind"], case["app"]) == ("deletion", "shop")
    assert len(shop.rows()) == 1
    assert story["desk"].one("ann@x.org")["company"] == crm.one("ann@x.org")["company"] == "Just moved here"

    story.resolve(case["id"], restore=True)
    assert story.settle().code == 0
    assert shop.one("ann@x.org")["company"] == "Just moved here"
    assert story.contact("shop", shop.id_of("ann@x.org")) == story.contact("crm", crm.id_of("ann@x.org"))


def test_behaviour_32_a_person_may_let_it_stay_removed(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].remove(story["crm"].id_of("ann@x.org"))
    story["desk"].put(story["desk"].id_of("ann@x.org"), company="Just moved here")
    until_believed(story)

    [case] = story.cases()
    story.resolve(case["id"], keep=True)

    assert story.settle().code == 0
    assert len(story["crm"].rows()) == 1
    assert story["books"].one("ann@x.org")["company"] == "Just moved here"


@pytest.mark.parametrize("kind", ["memory", "csv", "sql", ("memory", {"feed": False})], ids=str)
@pytest.mark.parametrize("left", [0, 1, 30])
def test_behaviour_33_a_listing_that_shrank_holds_the_app(tmp_path: Path, kind: Any, left: int) -> None:
    story = given(tmp_path, {"shop": kind, "crm": "memory", "desk": "csv"}, guards={"creates": 1000})
    shop, crm, desk = (story[app] for app in ("shop", "crm", "desk"))
    for number in range(40):
        shop.put(f"{number:02}", email=f"p{number}@x.org", first_name=f"P{number}")
    assert story.sync().code == 0
    everything, back, asked = story.holds(), shop.saved(), len(story.log("crm"))
    shop.remove(*list(shop.rows())[left:])
    crm.put(crm.id_of("p3@x.org"), company="An edit goes on")
    shrunk = story.holds()["shop"]

    outcome = story.sync()
    for _ in range(2):
        assert (outcome.code, outcome.doc["outcome"], held(outcome)) == (4, "held", {("shop", "unlinks")})
        assert story.holds()["shop"] == shrunk
        assert len(desk.rows()) == len(crm.rows()) == 40
        assert desk.one("p3@x.org")["company"] == "An edit goes on"
        assert len(story.log("crm")) == asked
        assert sum(app["cleared"] + app["created"] + app["archived"] for app in outcome.doc["apps"].values()) == 0
        outcome = story.sync()

    if left:  # the file comes back
        back()
        shop.put("00", last_name="")  # somebody looked at it
        assert story.settle().code == 0
        assert len(shop.rows()) == len(desk.rows()) == 40
        assert shop.one("p3@x.org")["company"] == "An edit goes on"
        assert shop.one("p30@x.org") in everything["shop"]
    else:  # it was meant
        story.approve(outcome.doc["run"])
        assert story.settle().code in (0, 4)
        assert shop.rows() == {}
        assert len(desk.rows()) == len(crm.rows()) == 40
        assert story.settle().doc["held"] == []


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("feed", [True, False])
def test_behaviour_34_half_a_listing_proves_nothing(tmp_path: Path, page: int, feed: bool) -> None:
    story = given(tmp_path, {"shop": ("memory", {"page": 10, "feed": feed, "gone": False}), "desk": "csv"})
    shop, desk = story["shop"], story["desk"]
    for number in range(40):
        shop.put(f"{number:02}", email=f"p{number}@x.org", company="Acme")
    story.sync()
    shop.remove("39")
    for number in range(0, 40, 2):
        shop.put(f"{number:02}", company="Renamed")

    for _ in range(3):
        with story.when("shop", "read", raising(TransientError("the line is dead")), nth=page):
            outcome = story.resync(apps=["shop"])
        assert outcome.code == 3
        assert "shop" in outcome.errors
        assert len(desk.rows()) == 40
    assert story.ask(lambda tx: tx.struck(tx.apps()["shop"].id, 1, 100)) == []

    story.settle()
    assert [desk.one(f"p{n}@x.org")["company"] for n in (0, 1, 36, 38)] == ["Renamed", "Acme", "Renamed", "Renamed"]


@pytest.mark.parametrize("when", ["read", "get"])
def test_behaviour_34_an_app_that_fails_when_asked_proves_nothing(tmp_path: Path, when: str) -> None:
    story = agreed(tmp_path, TRIO)
    story["desk"].remove(story["desk"].id_of("ann@x.org"))
    story.sync()
    for _ in range(2):
        with story.when("desk", when, raising(TransientError("the line is dead"))):
            assert story.sync().code == 3
        assert len(story["crm"].rows()) == 2
        assert story.contact("desk", "102")
    assert story.settle().code == 0
    assert written(story.sync()) == 0
