"""Duplicates and identity (BEHAVIOURS 18-29): one person stays one, several stay several, and nobody is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import TransientError
from tests.story import ANN, TRIO, agreed, given, held, raising, written


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_behaviour_18_email_change(tmp_path: Path, source: str) -> None:
    story = agreed(tmp_path)
    ids = {app: story[app].id_of("ann@x.org") for app in TRIO}
    story[source].put(ids[source], email="ann.lee@y.org")

    outcome = story.sync()

    assert outcome.code == 0
    for app in TRIO:
        assert len(story[app].rows()) == 2
        assert story[app].rows()[ids[app]]["email"] == "ann.lee@y.org"
    assert written(story.sync()) == 0

    late = story.add_app("late", "csv")  # it still has her under the old address: that is an alias of hers
    late.put("l1", email="Ann@X.org", job_title="Clerk")
    assert story.sync().code == 0
    assert story.contact("late", "l1") == story.contact("crm", ids["crm"])
    assert len(late.rows()) == 2
    assert {row["email"] for app in story.apps.values() for row in [app.one("ann.lee@y.org")]} == {"ann.lee@y.org"}
    assert {app.one("ann.lee@y.org")["job_title"] for app in story.apps.values()} == {"Clerk"}


@pytest.mark.parametrize("kind", ["memory", "csv", "sql"])
def test_behaviour_20_the_same_person_twice_in_one_page(tmp_path: Path, kind: str) -> None:
    story = given(tmp_path, {"shop": kind, "crm": "memory"})
    story["shop"].put("s1", email="ann@x.org", first_name="Ann")
    story["shop"].put("s2", email="Ann@x.org", first_name="Anne")

    outcome = story.sync()

    assert len(story["crm"].rows()) == 1
    assert (outcome.code, outcome.doc["inbox"], outcome.doc["apps"]["crm"]["created"]) == (4, 1, 1)
    [case] = story.cases()
    assert (case["kind"], case["app"], case["record"]) == ("match", "shop", "s2")
    assert written(story.sync()) == 0
    assert len(story["crm"].rows()) == 1


@pytest.mark.parametrize(
    "kind",
    ["memory", "csv", "sql", ("memory", {"own_ids": True}), ("sql", {"drawn": True}),
     ("memory", {"own_ids": True, "unique": ["email"]}), ("memory", {"feed": False})],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("tries", [1, 3])
def test_behaviour_21_a_create_whose_answer_was_lost_is_not_repeated(tmp_path: Path, kind: Any, tries: int) -> None:
    story = given(tmp_path, {"crm": "memory", "news": kind})
    story["crm"].put("1", **ANN)

    for attempt in range(tries):
        with story.when("news", "write", raising(TransientError("no answer in time")), after=True):
            outcome = story.sync()
        assert outcome.code == (3 if attempt == 0 else 0)
        assert len(story["news"].rows()) == 1

    assert story.settle().code == 0
    assert len(story["news"].rows()) == len(story["crm"].rows()) == 1
    assert story.contact("news", story["news"].id_of("ann@x.org")) == story.contact("crm", "1")


@pytest.mark.parametrize("kind", ["memory", ("memory", {"own_ids": True}), "csv", "sql"], ids=str)
def test_behaviour_21_a_create_that_never_left_is_made_up_for(tmp_path: Path, kind: Any) -> None:
    story = given(tmp_path, {"crm": "memory", "news": kind})
    story["crm"].put("1", **ANN)

    with story.when("news", "write", raising(TransientError("cannot be reached"))):
        assert story.sync().code == 3
    assert story["news"].rows() == {}

    assert story.settle().code == 0
    assert len(story["news"].rows()) == 1


def test_behaviour_22_the_first_plan_counts_and_waits(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql"})
    for app, people in {"crm": "abcdxx", "books": "cdey"}.items():
        for number, letter in enumerate(people):
            story[app].put(f"{app}{number}", email=f"{letter}@x.org", first_name=f"{letter}-{app}")

    outcome = story.sync()

    assert (outcome.code, outcome.doc["outcome"]) == (4, "held")
    assert outcome.preview == {"matched": 2, "unmatched": 5, "ambiguous": 1, "disagreeing": 2}
    assert held(outcome) == {("books", "creates"), ("books", "updates"), ("crm", "creates")}
    assert story.log("crm") == []
    assert len(story["books"].rows()) == 4


@pytest.mark.parametrize("order", [("crm", "books"), ("books", "crm")])
def test_behaviour_23_letter_case_makes_no_second_person(tmp_path: Path, order: tuple[str, str]) -> None:
    kinds = {"crm": "memory", "books": "sql"}
    story = given(tmp_path, {app: kinds[app] for app in order} | {"desk": "csv"})
    story["crm"].put("1", email="Bob@X.com", first_name="Bob")
    story["books"].put("2", email="bob@x.com", last_name="Ray")

    story.sync(approve=True)

    assert story.holds()["crm"] == [{"email": "Bob@X.com", "first_name": "Bob", "last_name": "Ray"}]
    assert story.holds()["books"] == [{"email": "bob@x.com", "first_name": "Bob", "last_name": "Ray"}]
    first = {"crm": "Bob@X.com", "books": "bob@x.com"}[order[0]]
    assert story.holds()["desk"] == [{"email": first, "first_name": "Bob", "last_name": "Ray"}]
    assert written(story.sync()) == 0


def test_behaviour_24_two_candidates_are_never_chosen_from(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", email="ann@x.org", first_name="Ann")
    story["books"].put("2", email="ann@x.org", first_name="Anne")
    story["books"].put("3", email="ann@x.org", first_name="Anna")
    before = story.holds()

    for _ in range(3):
        outcome = story.sync(approve=True)
        assert (outcome.code, written(outcome)) == (4, 0)
        assert story.holds() == before

    named = {tuple(candidate[:2]) for case in story.cases() for candidate in case["candidates"]}
    assert {("books", "2"), ("books", "3")} <= named
    assert {case["kind"] for case in story.cases()} == {"match"}


def test_behaviour_25_a_family_with_one_address_stays_three(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO, match=[["email", "first_name"]])
    for number, name in enumerate(("Ada", "Ben", "Cleo")):
        story["crm"].put(f"c{number}", email="family@x.org", first_name=name)
        story["books"].put(f"b{number}", email="Family@x.org", first_name=name.upper(), last_name=f"{name}son")

    assert story.sync(approve=True).code == 0

    for app in TRIO:
        assert sorted(row["last_name"] for row in story[app].rows().values()) == ["Adason", "Benson", "Cleoson"]
    assert written(story.sync()) == 0

    story["desk"].put(next(iter(story["desk"].rows())), email_consent="opted_out")  # an address belongs to them all
    story.sync()
    for app in TRIO:
        assert [row["email_consent"] for row in story[app].rows().values()] == ["opted_out"] * 3
    assert written(story.sync()) == 0


@pytest.mark.parametrize(
    "chosen",
    [{}, {"apps": ["crm"]}, {"apps": ["books", "desk"]}, {"fields": ["first_name"]}, {"contacts": [1]},
     {"contacts": [1, 2], "fields": ["phone"], "apps": ["books"]}, {"direction": "pull"}, {"direction": "push"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("news", ["csv", ("memory", {"own_ids": True, "truncate": ["company:2"]})], ids=str)
def test_behaviour_29_three_resyncs_write_nothing(tmp_path: Path, chosen: dict[str, Any], news: Any) -> None:
    story = agreed(tmp_path, TRIO | {"news": news})
    before, asked = story.holds(), len(story.log("crm"))

    for _ in range(3):
        outcome = story.resync(**chosen)
        assert (outcome.code, written(outcome)) == (0, 0)
        assert not outcome.doc["skipped"]
    assert written(story.sync()) == 0
    assert story.holds() == before
    assert len(story.log("crm")) == asked


def test_a_namesake_with_another_address_is_not_linked_whichever_app_is_asked_first(tmp_path: Path) -> None:
    """The weaker key finds them, and the stronger one of each says that they are two."""
    story = given(tmp_path, TRIO, match=[["email"], ["first_name", "last_name"]])
    story.configure(app_crm={"writes": {"create": False}})
    story["books"].put("1", **ANN)
    story.sync(approve=True)
    story.settle()
    story["crm"].put("2", **{**ANN, "email": "another@x.org"})
    story.settle()
    [case] = story.cases()
    assert (case["kind"], case["app"], case["reason"]) == ("match", "crm", "a stronger key says otherwise")
    assert story.contact("crm", "2") != story.contact("books", "1")
    assert story["books"].one(ANN["email"])
