"""Archives that wait: whose cause is gone when they could be sent are not sent (SYNC-MODEL 1.11, LATE-CHECK)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.story import Story, agreed, given, held, written

ANN = "ann@x.org"


def waiting(folder: Path, kind: str = "csv") -> Story:
    """Begin a story in which Ann was removed in the crm while the shop, which would put her away, was paused."""
    story = agreed(folder, {"crm": kind, "desk": "csv", "shop": "memory"})
    story.configure(app_crm={"on_delete": "archive"})
    story.pause("shop")
    story["crm"].remove(story["crm"].id_of(ANN))
    story.sync()
    story.settle()
    assert story["shop"].one(ANN)
    return story


@pytest.mark.parametrize("kind", ["memory", "csv", "sql"])
@pytest.mark.parametrize("seen", [True, False])
def test_who_is_put_back_is_not_put_away_elsewhere(tmp_path: Path, kind: str, seen: bool) -> None:
    story = agreed(tmp_path, {"crm": kind, "desk": "csv", "shop": "memory"})
    story.configure(app_crm={"on_delete": "archive"})
    back = story["crm"].saved()
    story.pause("shop")
    story["crm"].remove(story["crm"].id_of(ANN))
    story.sync()
    story.settle()
    back()
    if seen:
        story.settle()
    story.pause("shop", paused=False)
    plan = story.plan()
    assert [intent for intent in plan.doc["intents"] if intent["kind"] == "archive"] == []
    story.settle()
    assert all(story.everywhere(ANN).values())
    assert written(story.sync()) == 0
    story["crm"].remove(story["crm"].id_of(ANN))  # and a removal that stays one still counts
    story.sync()
    story.settle()
    assert [len(story[app].rows()) for app in ("crm", "desk", "shop")] == [1, 2, 1]


def test_archives_that_a_guard_held_are_those_of_people_who_are_still_away(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "csv", "shop": "memory"}, guards={"creates": 100, "unlinks": 100, "archives": 1})
    for number in range(6):
        story["crm"].put(f"{number}", email=f"p{number}@x.org")
    story.approve(story.sync().doc["run"])
    story.settle()
    story.configure(app_crm={"on_delete": "archive"})
    back = story["crm"].saved()
    story["crm"].remove("0", "1", "2", "3")
    story.sync()
    outcome = story.sync()
    assert held(outcome) == {("shop", "archives")}
    back()
    story["crm"].remove("0", "1")
    outcome = story.sync()
    assert [(x["verb"], x["count"]) for x in outcome.doc["held"]] == [("archives", 2)]
    story.approve(outcome.doc["run"])
    story.settle()
    assert sorted(row["email"][:2] for row in story["shop"].rows().values()) == ["an", "bo", "p2", "p3", "p4", "p5"]


def test_an_archive_waits_while_the_app_of_the_removal_cannot_be_read(tmp_path: Path) -> None:
    story = waiting(tmp_path)
    story.pause("crm")
    story.pause("shop", paused=False)
    assert story.sync().doc["outcome"] == "partial"
    assert story["shop"].one(ANN)
    story.pause("crm", paused=False)
    story.settle()
    assert [row["email"] for row in story["shop"].rows().values()] == ["bob@x.org"]


def test_an_archive_waits_while_it_is_undecided_who_was_put_back(tmp_path: Path) -> None:
    story = waiting(tmp_path)
    story["crm"].put("201", email=ANN)
    story["crm"].put("202", email=ANN, first_name="Twin")
    story.settle()
    story.pause("shop", paused=False)
    story.settle()
    assert story["shop"].one(ANN)


def test_an_operator_who_does_not_want_archives_any_more_gets_none(tmp_path: Path) -> None:
    story = waiting(tmp_path)
    story.configure(app_crm={"on_delete": "unlink"})
    story.pause("shop", paused=False)
    story.settle()
    assert story["shop"].one(ANN)


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_the_same_pass_has_listed_is_not_believed_gone(tmp_path: Path, back: bool, at_once: bool) -> None:
    """It was removed between the listing and the write, or its id leads nowhere: the next listing tells. A small table is
    listed within a millisecond (`at_once`).
    """
    story = agreed(tmp_path, {"crm": "memory", "shop": "sql"})
    if at_once:
        still_ms = story.clock.now_ms
        story.hooks.append(lambda _: setattr(story.clock, "now_ms", still_ms))
    shop = story["shop"]
    again = shop.saved()
    story["crm"].put(story["crm"].id_of(ANN), company="New")
    with story.when("shop", "write", lambda: shop.remove(shop.id_of(ANN))):
        outcome = story.sync()
    assert (outcome.code, outcome.doc["apps"]["shop"]["parked"]) == (3, 1)
    assert story.journal(story.contact("crm", story["crm"].id_of(ANN)))[-1][0] != "unlink"
    if back:
        again()
    story.settle()
    assert sorted(row["company"] for row in shop.rows().values()) == (["Acme", "New"] if back else ["Acme"])
    assert written(story.sync()) == 0


def test_an_archive_names_the_version_that_was_read(tmp_path: Path) -> None:
    """So that an app which compares versions puts nobody away who was edited a moment ago."""
    story = waiting(tmp_path)
    story["shop"].put(story["shop"].id_of(ANN), job_title="Clerk")
    story.pause("shop", paused=False)
    version = f"{2:012}"
    story.settle()
    [archive] = [write for write in story.log("shop") if write.kind == "archive"]
    assert archive.version == version


def test_who_leaves_the_scope_of_an_app_is_put_away_there_and_who_never_was_in_it_is_kept(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"})
    story.configure(app_shop={"scope": 'contact.company == "Acme"', "on_leave": "archive"})
    story.settle()
    assert len(story["shop"].rows()) == 2
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Beta")
    story.settle()
    assert [row["email"] for row in story["shop"].rows().values()] == [ANN]
    assert len(story["crm"].rows()) == 2


EDITS = {"company": "New", "email_consent": "unsubscribed"}


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("cas", [True, False])
def test_what_is_typed_after_the_read_is_not_put_away(tmp_path: Path, what: str, *, cas: bool) -> None:
    """A hostile reader: an archive left without a look, and the edit, or the opt-out, went with the record."""
    story = agreed(tmp_path, {"shop": ("memory", {"cas": cas}), "crm": "memory", "news": "csv"})
    story.configure(app_crm={"on_delete": "archive"})
    shop, crm = story["shop"], story["crm"]
    bob = shop.id_of("bob@x.org")
    crm.remove(crm.id_of("bob@x.org"))
    with story.when("crm", "get", partial(shop.put, bob, **{what: EDITS[what]})):  # the shop has been read by then
        story.sync()
    story.settle()
    assert shop.rows()[bob][what] == EDITS[what]
    [case] = story.cases()
    assert (case["kind"], case["app"]) == ("deletion", "crm")
    assert what != "email_consent" or story["news"].one("bob@x.org")[what] == "opted_out"
    assert {row["email"] for row in crm.rows().values()} == {"ann@x.org"}


# -- a record that was put away ends as one that people removed


def named(story: Story, app: str, name: str) -> str:
    """Give the id of the one record with this first name."""
    [id_] = [id_ for id_, row in story[app].rows().items() if row["first_name"] == name]
    return id_


SHARED = {"Ann": "bob@x.org", "Bob": ANN}
"""Who is given the address of whom."""


def bob_goes(story: Story, how: str) -> None:
    """Bob is removed in the crm, and in all other apps as well: by people, or by us."""
    ids = {app: named(story, app, "Bob") for app in story.apps}
    if how == "archive":
        story.configure(app_crm={"on_delete": "archive"})
    for app in ["crm"] if how == "archive" else story.apps:
        story[app].remove(ids[app])
    story.sync()
    story.sync()
    assert story.settle().code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [1] * len(story.apps)
    assert story.cases() == []


@pytest.mark.parametrize("kind", ["memory", "csv"])
@pytest.mark.parametrize("address", ["bob@x.org", "bob2@x.org"])
@pytest.mark.parametrize("how", ["archive", "unlink"])
def test_who_is_typed_in_with_an_address_of_somebody_who_is_gone_is_somebody_new(
    tmp_path: Path, how: str, address: str, kind: str
) -> None:
    """It was overwritten with the values of the one who had that address last, or before that."""
    story = agreed(tmp_path, {"crm": kind, "shop": "memory", "desk": "memory"})
    story["crm"].put(named(story, "crm", "Bob"), email="bob2@x.org")
    story.settle()
    bob = story.contact("shop", named(story, "shop", "Bob"))
    bob_goes(story, how)
    zed = {"email": address, "first_name": "Zed", "company": "Zinc"}
    story["shop"].put("77", **zed)
    assert story.settle().code == 0
    assert [row for row in story["shop"].rows().values() if row["first_name"] == "Zed"] == [zed]
    assert story.everywhere(address) == dict.fromkeys(story.apps, zed)
    assert story.contact("shop", "77") != bob


def test_a_conflict_of_somebody_who_was_put_away_everywhere_waits_for_nobody(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"}, fields={"company": {"policy": "ask"}})
    for app in story.apps:
        story[app].put(named(story, app, "Bob"), company=f"Of {app}")
    assert story.settle().code == 4
    bob_goes(story, "archive")


@pytest.mark.parametrize("how", ["archive", "unlink"])
@pytest.mark.parametrize("whose", ["Ann", "Bob"])
def test_whoever_was_asked_about_with_somebody_who_is_gone_goes_everywhere(
    tmp_path: Path, how: str, whose: str
) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"})
    story["crm"].put(named(story, "crm", whose), email=SHARED[whose])
    assert story.settle().code == 4
    bob_goes(story, how)
    news = story.add_app("news", "memory")
    story.sync(approve=True)
    assert story.settle().code == 0
    assert [row["first_name"] for row in news.rows().values()] == ["Ann"]
    assert {row["email"] for app in story.apps.values() for row in app.rows().values()} == {
        SHARED["Ann"] if whose == "Ann" else ANN
    }


@pytest.mark.parametrize("how", ["scope", "removed"])
def test_who_shows_an_address_that_only_a_record_put_away_had_shown_is_that_person(tmp_path: Path, how: str) -> None:
    """Nothing is updated in the crm, which shows the address of before."""
    story = given(tmp_path, {"crm": "memory", "shop": "memory", "desk": "memory"})
    story.configure(app_crm={"writes": {"update": False}}, app_desk={"writes": {"create": False}})
    if how == "scope":
        story.configure(app_shop={"scope": 'contact.company == "Acme"', "on_leave": "archive"})
    story["crm"].put("1", email="old@x.org", first_name="Bob", company="Acme")
    story.sync(approve=True)
    story.settle()
    story["shop"].put(named(story, "shop", "Bob"), email="new@x.org")
    story.settle()
    if how == "scope":
        story["crm"].put("1", company="Other")
    else:
        story["shop"].remove(named(story, "shop", "Bob"))
    story.sync()
    story.settle()
    assert story["shop"].rows() == {}
    story["desk"].put("9", email="new@x.org", first_name="Bob")
    assert story.settle().code == 0
    assert story.contact("desk", "9") == story.contact("crm", "1")
    assert len(story["crm"].rows()) == 1
