"""Rows that are mixed up, or show somebody else, whatever else goes wrong at that moment: nobody becomes anybody else."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import TransientError
from tests.story import Story, given, raising

GRACE = {"email": "grace@x.org", "first_name": "Grace", "last_name": "Hopper"}
HENRY = {"email": "henry@x.org", "first_name": "Henry", "last_name": "Ford"}
PROOF = {"consent_at": "2020-05-01", "consent_source": "form"}


def one(number: int, **more: str) -> dict[str, str]:
    return {"email": f"p{number}@x.org", "first_name": f"First{number}", "last_name": f"Last{number}", **more}


def synced(folder: Path, count: int = 10, *, crm: Any = "csv", books: str = "csv", outs: int = 0) -> Story:
    """People in two apps, the first `outs` of whom opted out."""
    story = given(folder, {"crm": crm, "books": books})
    for n in range(count):
        consent = {"email_consent": "opted_out" if n < outs else "opted_in"} if outs else {}
        story["crm"].put(str(n), **one(n, company=f"Co{n}", **consent))
    story.sync(approve=True)
    story.settle()
    return story


def mix(story: Story, count: int = 10) -> None:
    """Names and addresses slide by a row."""
    for n in range(count):
        story["crm"].put(str(n), **one((n + 1) % count))


@pytest.mark.parametrize("how", ["paused", "gone"])
def test_what_was_held_is_not_merged_while_its_app_is_out_of_reach(tmp_path: Path, how: str) -> None:
    story = synced(tmp_path, 40)
    before = story["books"].rows()
    mix(story, 14)
    assert [held["verb"] for held in story.sync().doc["held"]] == ["mixed_up"]
    file = story.path("crm")
    if how == "paused":
        story.pause("crm")
    else:
        file.rename(tmp_path / "away.csv")
    story.sync()
    story.pause("crm", paused=False)
    if how == "gone":
        (tmp_path / "away.csv").rename(file)
    assert story["books"].rows() == before
    for n in range(14):
        story["crm"].put(str(n), **one(n))
    assert story.sync().code == 0
    assert story["books"].rows() == before


@pytest.mark.parametrize("kind", ["csv", "sql", "memory"])
@pytest.mark.parametrize("count", [1, 14])
def test_a_listing_that_breaks_off_shows_nobody_as_somebody_else(tmp_path: Path, kind: str, count: int) -> None:
    story = synced(tmp_path, 40, crm=(kind, {"page": 20}) if kind == "memory" else kind)
    before = story["books"].rows()
    if count == 1 and kind != "memory":
        story["crm"].put("3", **GRACE)
    else:
        mix(story, 14)
    with story.when("crm", "read", raising(TransientError("gone")), nth=2):
        story.sync()
    assert story["books"].rows() == before
    story.sync()
    assert story["books"].rows() == before


def test_a_restored_table_that_gave_a_number_again_makes_nobody_somebody_else(tmp_path: Path) -> None:
    story = given(tmp_path, {"books": "csv", "crm": "csv"})
    for n in range(12):
        story["books"].put(str(n), **one(n, company=f"Co{n}"))
    story.sync(approve=True)
    story.settle()
    back = story["books"].saved()
    story["books"].put("12", **GRACE)
    for n in range(12):
        story["crm"].put(story["crm"].id_of(f"p{n}@x.org"), company=f"New{n}")
    story.sync(approve=True)
    story.settle()
    grace = story["crm"].one(GRACE["email"])
    back()
    story["books"].put("12", **HENRY)
    story.approve(story.sync().doc["run"])
    for _ in range(3):
        story.sync()
    assert story["crm"].one(GRACE["email"]) == grace


@pytest.mark.parametrize("part", ["contacts", "fields"])
def test_a_resync_of_a_part_looks_at_who_it_is(tmp_path: Path, part: str) -> None:
    story = synced(tmp_path)
    before = story["books"].rows()
    story["crm"].put("3", **GRACE)
    chosen: Any = [story.contact("crm", "3")] if part == "contacts" else ["first_name", "last_name", "email"]
    story.resync(**{part: chosen})
    assert story["books"].rows() == before


def test_a_resync_of_a_field_that_names_nobody_leaves_who_is_somebody_else_to_the_next_sync(tmp_path: Path) -> None:
    story = synced(tmp_path)
    before = story["books"].rows()
    story["crm"].put("3", **GRACE, company="Navy")
    story["crm"].put("4", company="Edited")
    story.resync(fields=["company"])
    changed = [row for id_, row in story["books"].rows().items() if row != before[id_]]
    assert [(row["email"], row["company"]) for row in changed] == [("p4@x.org", "Edited")]
    story.sync()
    assert "match" in [case["kind"] for case in story.cases()]
    assert story["books"].one("p3@x.org")["company"] == "Co3"


@pytest.mark.parametrize("kind", ["csv", "sql"])
def test_a_row_that_is_replaced_between_look_and_write_is_looked_at(tmp_path: Path, kind: str) -> None:
    story = synced(tmp_path, books=kind)
    story["crm"].put("3", company="Edited")
    was = story["crm"].rows()
    id_ = story["books"].id_of("p3@x.org")
    with story.when("books", "write", partial(story["books"].put, id_, **GRACE)):
        story.sync()
    for _ in range(2):
        story.sync()
    assert story["crm"].rows() == was
    assert [case["kind"] for case in story.cases()] == ["match"]


ANNA = {"email": "anna@x.org", "first_name": "Anna", "last_name": "Conrad", "phone": "+49 30 123450"}


@pytest.mark.parametrize("number", ["+49 30 123450", "+49 30 999999", ""])
def test_a_successor_at_the_same_desk_is_somebody_else(tmp_path: Path, number: str) -> None:
    """The switchboard's number stays, whoever sits there."""
    story = given(tmp_path, {"books": "csv", "news": "csv"})
    story["books"].put("b1", **ANNA, email_consent="opted_in", **PROOF)
    story.sync(approve=True)
    story.settle()
    before = story["news"].rows()
    story["books"].put("b1", email="otto@x.org", first_name="Otto", last_name="Neu", phone=number)
    story.sync()
    assert [case["kind"] for case in story.cases()] == ["match"]
    assert story["news"].rows() == before


@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param({}, {"last_name": "Neu"}, id="a marriage"),
        pytest.param({}, {"first_name": "Conrad", "last_name": "Anna"}, id="columns that were swapped"),
        pytest.param({}, {"first_name": "Ana", "last_name": "Konrad"}, id="typos"),
        pytest.param({"first_name": "Ana", "last_name": None}, {"first_name": "Anna"}, id="a typo in the only name"),
    ],
)
def test_a_number_that_stays_is_enough_where_the_names_are_alike(
    tmp_path: Path, was: dict[str, str], now: dict[str, str]
) -> None:
    story = given(tmp_path, {"books": "csv", "news": "csv"})
    story["books"].put("b1", **ANNA | was)
    story.sync(approve=True)
    story.settle()
    story["books"].put("b1", email="a.neu@x.org", **now)
    assert story.sync().code == 0
    assert now.items() <= story["news"].one("a.neu@x.org").items()


@pytest.mark.parametrize(
    ("full_name", "asked"),
    [("Anna Neu", False), ("Dr. Anna Conrad-Neu", False), ("Dr. Ana Konrad", False), ("Dr. Otto Neu", True)],
)
def test_of_one_name_some_words_stay(tmp_path: Path, full_name: str, asked: bool) -> None:
    columns = {"columns": ("email", "full_name", "phone")}
    story = given(tmp_path, {"books": ("csv", columns), "news": ("csv", columns)})
    story["books"].put("b1", email="anna@x.org", full_name="Dr. Anna Conrad", phone=ANNA["phone"])
    story.sync(approve=True)
    story.settle()
    story["books"].put("b1", email="neu@x.org", full_name=full_name)
    story.sync()
    assert [case["kind"] for case in story.cases()] == ["match"] * asked


def test_rows_that_were_mixed_up_and_put_right_opt_out_nobody(tmp_path: Path) -> None:
    story = synced(tmp_path, outs=5)
    before = story["books"].rows()
    mix(story)
    assert story.sync().doc["held"]
    for n in range(10):
        story["crm"].put(str(n), **one(n))
    story.sync()
    story.settle()
    assert story["books"].rows() == before


@pytest.mark.parametrize("end", ["held", "replaced", "removed"])
def test_an_old_opt_out_of_a_new_address_counts_in_an_app_that_is_held(tmp_path: Path, end: str) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory", "shop": "memory"})
    for n in range(12):
        story["news"].put(f"n{n}", **one(n, email_consent="opted_out" if n == 0 else "unknown"))
    story.sync(approve=True)
    story.settle()
    story["crm"].put("b", email="b@x.org", first_name="B", last_name="Bee", email_consent="opted_in", **PROOF)
    story.sync(approve=True)
    story.settle()
    story["news"].remove(story["news"].id_of("b@x.org"))
    for _ in range(2):
        story.sync()
    story.settle()
    kept = {f"n{n}": dict(story["news"].rows()[f"n{n}"]) for n in range(1, 11)}
    story["news"].remove(*kept)
    story["news"].put("n0", email="b@x.org")
    for _ in range(3):
        assert [held["verb"] for held in story.sync().doc["held"]] == ["unlinks"]
    if end == "replaced":
        story["news"].put("n0", email="c@x.org")
    elif end == "removed":
        story["news"].remove("n0")
    for _ in range(2):
        story.sync()
    if end != "held":
        for id_, row in kept.items():
            story["news"].put(id_, **row)
        for _ in range(4):
            story.sync(approve=True)
    assert story["shop"].one("b@x.org")["email_consent"] == "opted_out"


def test_a_conflict_that_nobody_has_an_opinion_on_any_more_ends(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "csv", "books": "csv"}, fields={"company": {"policy": "ask"}})
    story["crm"].put("1", **one(1, company="One"))
    story["books"].put("b1", **one(1, company="Two"))
    story.sync(approve=True)
    story["crm"].put("1", company="")
    story["books"].put("b1", company="")
    story.sync()
    story.configure(fields={"company": {"policy": "latest"}})
    assert story.sync().code == 0
    assert story.cases() == []


def test_an_app_that_was_taken_out_has_no_say_in_what_is_agreed_on(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "csv", "books": "csv", "shop": "csv"}, fields={"company": {"policy": "ask"}})
    for app, company in (("crm", "One"), ("books", "Two"), ("shop", "Three")):
        story[app].put("1", **one(1, company=company))
    story.sync(approve=True)
    story.doc["apps"].pop("shop")
    story.configure()
    story["crm"].put("1", company="Two")
    for _ in range(2):
        story.sync()
    assert story.cases() == []
