"""Loops and echoes (BEHAVIOURS 1-5): what we wrote never comes back as somebody's edit."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.story import ANN, TRIO, agreed, given, written


@pytest.mark.parametrize("order", [*permutations(TRIO.items())], ids=lambda order: "-".join(name for name, _ in order))
def test_behaviour_01_our_own_write_is_no_change(tmp_path: Path, order: Any) -> None:
    story = agreed(tmp_path, dict(order))
    asked = len(story.log("crm"))

    story["crm"].put(story["crm"].id_of("ann@x.org"), phone="+49 30 1234567")
    outcome = story.sync()

    assert outcome.code == 0
    assert {app: held["phone"] for app, held in story.everywhere("ann@x.org").items()} == {
        "crm": "+49 30 1234567", "books": "+49301234567", "desk": "+49301234567",
    }  # fmt: skip
    assert outcome.doc["apps"]["crm"]["updated"] == 0
    assert len(story.log("crm")) == asked
    assert written(story.sync()) == 0
    assert len(story.log("crm")) == asked


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_behaviour_03_a_late_echo_never_sets_a_value_back(tmp_path: Path, lag: int) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"lag": lag})})
    crm, news = story["crm"], story["news"]
    for _ in range(lag):
        story.sync()
    ann, asked = crm.id_of("ann@x.org"), len(story.log("crm"))

    for company in ("One", "Two", "One", "Three"):
        crm.put(ann, company=company)
        story.sync()
        assert crm.one("ann@x.org")["company"] == company

    story.settle()
    assert story.log("crm")[asked:] == []
    assert news.one("ann@x.org")["company"] == crm.one("ann@x.org")["company"] == "Three"


@pytest.mark.parametrize(
    "news",
    [
        "sql", "csv", "memory", ("sql", {"drawn": True}), ("sql", {"stamped": True}), ("memory", {"own_ids": True}),
        ("memory", {"upper": ["first_name", "email"], "truncate": ["last_name:2"]}), ("memory", {"feed": False}),
        ("memory", {"on_create": ["job_title=new here"]}), ("memory", {"cas": False, "gone": False}),
    ],
    ids=str,
)  # fmt: skip
def test_behaviour_04_what_we_created_is_not_pulled_back(tmp_path: Path, news: Any) -> None:
    story = given(tmp_path, {"crm": "memory", "news": news})
    story["crm"].put("a1", **ANN)

    first = story.sync()
    assert (first.code, first.doc["apps"]["news"]["created"]) == (0, 1)
    story.settle()

    assert len(story["news"].rows()) == 1
    assert {name: value for name, value in story["crm"].one("ann@x.org").items() if name != "job_title"} == ANN
    assert story.log("crm") == [] or "on_create" in str(news)


def test_behaviour_05_a_placeholder_is_never_data(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": ("memory", {"required": ["company"]}), "desk": "csv"})
    story.configure(app_books={"fields": {"company": {"path": "company", "placeholder": "Unknown"}}})
    story["crm"].put("a1", **ANN)
    story["desk"].put("d1", email="bob@x.org", company="Acme")

    assert story.sync(approve=True).code == 0
    assert story["books"].one("ann@x.org")["company"] == "Unknown"
    assert written(story.sync()) == 0
    assert all("company" not in story[app].one("ann@x.org") for app in ("crm", "desk"))

    story["crm"].put("a1", company="Lee & Sons")
    story.sync()
    assert {held["company"] for held in story.everywhere("ann@x.org").values()} == {"Lee & Sons"}

    story["books"].put(story["books"].id_of("bob@x.org"), company="Unknown")  # somebody types the placeholder
    story.sync()
    assert {story[app].one("bob@x.org")["company"] for app in ("crm", "desk")} == {"Acme"}
