"""Decisions about cases of the inbox: what they do, what the journal says of them, and which are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from tests.story import ANN, Story, agreed, given


def disputed(folder: Path, first: Any = "One", second: Any = "Two") -> tuple[Story, dict[str, Any]]:
    """Two apps that say different things about Ann's company, where a person is asked."""
    story = agreed(folder, {"crm": "memory", "news": "memory"}, fields={"company": {"policy": "ask"}})
    story["crm"].put("101", company=first)
    story["news"].put(story["news"].id_of("ann@x.org"), company=second)
    story.sync()
    [case] = story.cases()
    return story, case


def last_word(story: Story) -> tuple[Any, ...]:
    """Give the last entry of Ann's journal that is a decision."""
    number = story.contact("crm", "101")
    log = story.ask(lambda tx: tx.journal_entries([number], None, None))[number]
    entry = [each for each in log if each.reason.startswith("decided")][-1]
    return entry.kind, entry.app, entry.record, entry.field, entry.old, entry.new, entry.reason


def companies(story: Story) -> list[Any]:
    story.settle()
    return [fields.get("company") for fields in story.everywhere("ann@x.org").values()]


def test_the_case_says_what_each_app_shows(tmp_path: Path) -> None:
    story, case = disputed(tmp_path)
    assert (case["kind"], case["field"], case["values"]) == ("conflict", "company", {"crm": "One", "news": "Two"})
    assert case["contact"] == f"c{story.contact('crm', '101')}"
    assert case["reason"] == "apps disagree; a person decides"


@pytest.mark.parametrize(
    ("decision", "wanted"),
    [({"app": "news"}, "Two"), ({"app": "crm"}, "One"), ({"value": " Three ", "has_value": True}, "Three")],
)
def test_a_decision_is_what_every_app_holds_then(tmp_path: Path, decision: dict[str, Any], wanted: str) -> None:
    story, case = disputed(tmp_path)
    doc = story.resolve(case["id"], **decision).doc
    assert doc == {"case": case["id"], "kind": "conflict", "contact": case["contact"]}
    assert last_word(story) == ("value", None, None, "company", None, wanted, "decided by an operator")
    assert story.cases() == []
    assert companies(story) == [wanted, wanted]


def test_what_has_no_value_can_be_left_so(tmp_path: Path) -> None:
    story, case = disputed(tmp_path)
    story.resolve(case["id"], keep=True)
    assert story.cases() == []
    number = story.contact("crm", "101")
    contact = story.ask(lambda tx: tx.contacts([number]))[number]
    assert (contact.held, "company" in contact.golden) == ({}, False)


def test_a_value_that_stands_can_be_kept(tmp_path: Path) -> None:
    story, case = disputed(tmp_path)
    story.resolve(case["id"], app="crm")
    story.settle()
    story["crm"].put("101", company="Four")
    story["news"].put(story["news"].id_of("ann@x.org"), company="Five")
    story.sync()
    [case] = story.cases()
    story.resolve(case["id"], keep=True)
    assert last_word(story)[4:] == ("One", "One", "decided by an operator")
    assert companies(story) == ["One", "One"]


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        ({}, "say whose value it shall be (--app NAME), which (--value TEXT), --clear or --keep"),
        ({"app": "shop"}, "shop has no value in this case; there are: crm, news"),
        (
            {"value": ["x"], "has_value": True},
            "this is no value of company: a list or an object where one value belongs",
        ),
    ],
)
def test_what_is_no_decision_changes_nothing_and_says_why(tmp_path: Path, decision: dict[str, Any], why: str) -> None:
    story, case = disputed(tmp_path)
    runs = story.ask(lambda tx: tx.last_run("in_sync"))
    with pytest.raises(ConfigError) as caught:
        story.resolve(case["id"], **decision)
    assert str(caught.value) == why
    assert [each["id"] for each in story.cases()] == [case["id"]]
    assert story.ask(lambda tx: tx.last_run("in_sync")) == runs, "nothing happened in it"


def test_a_case_that_is_not_open_is_named(tmp_path: Path) -> None:
    story, case = disputed(tmp_path)
    for number in (case["id"] + 1, case["id"] - 1):
        with pytest.raises(ConfigError, match=rf"^there is no open case {number}; `syncd inbox list` shows them$"):
            story.resolve(number, keep=True)


def twins(folder: Path) -> tuple[Story, dict[str, Any]]:
    """Ann is in the CRM and the newsletter; a second record with her address turns up in the newsletter."""
    story = given(folder, {"crm": "memory", "news": ("memory", {"feed": False})})
    story["crm"].put("101", **ANN)
    story.sync(approve=True)
    story.settle()
    story["news"].put("twin", **ANN)
    story.sync()
    [case] = story.cases()
    return story, case


def test_whose_record_it_is_can_be_said_or_that_it_is_nobodys(tmp_path: Path) -> None:
    story, case = twins(tmp_path)
    ann, other = story.contact("crm", "101"), int(case["contact"][1:])
    assert (case["kind"], case["record"], other) == ("match", "twin", story.contact("news", "twin"))
    for decision, why in (
        ({}, "say which contact this record belongs to (--link), or that it is a person of its own (--new)"),
        ({"contact": 999}, "there is no contact c999"),
    ):
        with pytest.raises(ConfigError) as caught:
            story.resolve(case["id"], **decision)
        assert str(caught.value) == why
    with pytest.raises(ConfigError, match=rf"^c{ann} has the record \w+ in news already; merge the two there first$"):
        story.resolve(case["id"], contact=ann)
    story.resolve(case["id"], new=True)
    log = story.ask(lambda tx: tx.journal_entries([other], None, None))[other]
    assert "decided: a person of its own" in {entry.reason for entry in log}
    story.sync()
    assert story.cases() == []
    assert story.contact("news", "twin") == other != ann


@pytest.mark.parametrize("chosen", ["the run", "the field"])
def test_a_first_decision_is_undone_where_it_overwrote_something(tmp_path: Path, chosen: str) -> None:
    """The contact had no value before; what an app had held comes back there, however the undo is asked for."""
    story, case = disputed(tmp_path)
    story.resolve(case["id"], app="crm")
    run = story.sync().doc["run"]
    assert companies(story) == ["One", "One"]
    asked: dict[str, dict[str, Any]] = {
        "the run": {"run": run},
        "the field": {"contacts": [story.contact("crm", "101")], "field": "company"},
    }

    undone = story.undo(**asked[chosen])

    assert "company" not in [skip["field"] for skip in undone.doc["skipped"]]
    assert companies(story) == ["One", "Two"]
