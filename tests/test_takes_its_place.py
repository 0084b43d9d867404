"""Whoever takes the place of a record in its app: what it shows otherwise was typed there; what it lacks was not cleared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import Story, given

ANNA = {"email": "anna@x.org", "first_name": "Anna", "last_name": "Conrad", "phone": "+493012345"}
NEW = "+4940777777"
PLACES = {"street": "Old Lane 1", "postal_code": "10115", "city": "Berlin"}


def two(folder: Path, *, crm: str = "csv", first: str = "shop", **more: str) -> Story:
    """Anna in two apps; `first` is the one whose word counts where nobody knows who was later."""
    apps = {"shop": "csv", "crm": crm}
    story = given(folder, dict(sorted(apps.items(), key=lambda each: each[0] != first)))
    story["crm"].put("a1", **ANNA, **more)
    for n in range(4):
        story["crm"].put(f"b{n}", email=f"b{n}@x.org", first_name=f"B{n}")
    story.sync(approve=True)
    story.settle()
    return story


def removed(story: Story) -> None:
    """Let the app's people remove Anna, and syncd believe it."""
    story["crm"].remove("a1")
    for _ in range(3):
        story.sync()
    assert not story.contact("crm", "a1")


@pytest.mark.parametrize("first", ["shop", "crm"])
@pytest.mark.parametrize("record", ["a9", "a1"])
@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("crm", ["csv", "memory"])
def test_a_new_number_of_a_new_record_is_an_edit(tmp_path: Path, crm: str, when: str, record: str, first: str) -> None:
    story = two(tmp_path, crm=crm, first=first, company="Acme")
    if when == "later":
        removed(story)
    else:
        story["crm"].remove("a1")
    story["crm"].put(
        record, **ANNA | {"phone": NEW, "company": "Acme" if record == "a1" and when == "at once" else None}
    )
    story.sync()
    story.settle()
    for app in ("crm", "shop"):
        assert (story[app].one(ANNA["email"])["phone"], story[app].one(ANNA["email"])["company"]) == (NEW, "Acme"), app
    assert "lost" not in {kind for kind, *_ in story.journal(story.contact("crm", record))}


def test_the_younger_of_two_duplicates_says_what_its_app_says(tmp_path: Path) -> None:
    story = two(tmp_path)
    story["crm"].put("a2", **ANNA | {"phone": NEW})
    story.sync()
    assert [case["kind"] for case in story.cases()] == ["match"]
    story["crm"].remove("a1")
    for _ in range(3):
        story.sync()
    assert story["shop"].one(ANNA["email"])["phone"] == story["crm"].one(ANNA["email"])["phone"] == NEW


def test_a_duplicate_that_was_there_before_an_edit_elsewhere_is_older(tmp_path: Path) -> None:
    story = two(tmp_path)
    story["crm"].put("a2", **ANNA | {"phone": NEW})
    story.sync()
    story["shop"].put(story["shop"].id_of(ANNA["email"]), phone="+493055555")
    story.sync()
    story["crm"].remove("a1")
    for _ in range(3):
        story.sync()
    assert story["shop"].one(ANNA["email"])["phone"] == story["crm"].one(ANNA["email"])["phone"] == "+493055555"


def test_what_it_showed_before_is_no_news(tmp_path: Path) -> None:
    """A row out of an old copy of the file."""
    story = two(tmp_path)
    story["crm"].put("a1", phone=NEW)
    story.settle()
    removed(story)
    story["crm"].put("a9", **ANNA)
    story.settle()
    assert story["shop"].one(ANNA["email"])["phone"] == story["crm"].one(ANNA["email"])["phone"] == NEW


def test_what_was_edited_elsewhere_at_the_same_time_is_concurrent(tmp_path: Path) -> None:
    story = two(tmp_path)
    story["shop"].put(story["shop"].id_of(ANNA["email"]), phone="+493055555")
    story["crm"].remove("a1")
    story["crm"].put("a9", **ANNA | {"phone": NEW})
    story.settle()
    assert story["shop"].one(ANNA["email"])["phone"] == story["crm"].one(ANNA["email"])["phone"] == "+493055555"
    assert ("lost", "phone", NEW, "+493055555") in story.journal(story.contact("crm", "a9"))


@pytest.mark.parametrize(
    ("shown", "held"),
    [
        (PLACES | {"street": "New Way 2"}, PLACES | {"street": "New Way 2"}),
        ({"street": "New Way 2"}, PLACES),
        ({}, PLACES),
    ],
    ids=["whole", "a part of another one", "none"],
)
def test_an_address_is_news_as_a_whole(tmp_path: Path, shown: dict[str, str], held: dict[str, str]) -> None:
    story = two(tmp_path, **PLACES)
    removed(story)
    story["crm"].put("a9", **ANNA, **shown)
    story.settle()
    for app in ("crm", "shop"):
        assert held.items() <= story[app].one(ANNA["email"]).items(), app


def test_tags_are_added_and_none_is_taken_away(tmp_path: Path) -> None:
    story = two(tmp_path, tags="gold;vip")
    removed(story)
    story["crm"].put("a9", **ANNA, tags="vip;new")
    story.settle()
    assert {*story["shop"].one(ANNA["email"])["tags"].split("; ")} == {"gold", "vip", "new"}


def test_a_cut_value_of_the_new_record_is_no_edit(tmp_path: Path) -> None:
    story = two(tmp_path, company="A company with a long name")
    removed(story)
    story["crm"].put("a9", **ANNA, company="A company with")
    story.settle()
    assert story["shop"].one(ANNA["email"])["company"] == "A company with a long name"
