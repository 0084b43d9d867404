"""Former: which of what a record shows was there before, as far as the journal knows (SYNC-MODEL 1.14)."""

from __future__ import annotations

import pytest

from syncd.core.former import Former, former
from syncd.core.state import Entry
from syncd.model import Value
from tests.core_world import app_rule, linked, rule, rules_of, simple

RULES = simple("company", "job_title")


def entry(kind: str, old: Value, new: Value, *, app: int = 1) -> Entry:
    return Entry(kind=kind, app=app, record=f"r{app}", field="company", old=old, new=new, reason="")  # type: ignore[arg-type]


def judged(*entries: Entry, company: str = "Old") -> Former:
    """Judge a record that showed New until now."""
    link = linked(1, seen={"company": company, "job_title": "Clerk"}, company="New", job_title="Clerk")
    return former(link, RULES.apps[1], entries, RULES)


@pytest.mark.parametrize("kind", ["value", "lost", "undo", "write"])
@pytest.mark.parametrize(("old", "new"), [("Old", "New"), ("Other", "Old")])
def test_a_value_that_the_journal_knows_was_there_before(kind: str, old: str, new: str) -> None:
    found = judged(entry(kind, old, new))
    assert (found.fields, found.back, found.on) == (("company",), True, False)


def test_what_nobody_ever_saw_is_an_edit() -> None:
    found = judged(entry("value", "Old", "New"), company="Typed")
    assert (found.fields, found.back, found.on) == ((), False, True)


def test_what_another_app_held_before_we_wrote_there_was_not_here() -> None:
    found = judged(entry("write", "Old", "New", app=2))
    assert (found.fields, found.on) == ((), True)


@pytest.mark.parametrize("kind", ["note", "create", "consent"])
def test_what_is_no_value_of_a_field_tells_nothing(kind: str) -> None:
    assert judged(entry(kind, "Old", "New")).fields == ()


def test_a_record_that_shows_what_it_did_has_not_changed() -> None:
    found = judged(entry("value", "Old", "New"), company="New")
    assert found == Former(fields=(), back=False, by_version=False, on=False, left=False)


@pytest.mark.parametrize("shown", [None, ""])
def test_a_value_that_is_blank_now_is_a_change_and_none_of_before_where_it_never_was_blank(shown: str | None) -> None:
    link = linked(1, seen={"company": shown, "job_title": "Clerk"}, company="New", job_title="Clerk")
    found = former(link, RULES.apps[1], [entry("value", "Old", "New")], RULES)
    assert (found.fields, found.back, found.on) == ((), False, True)
    found = former(link, RULES.apps[1], [entry("value", None, "New")], RULES)
    assert (found.fields, found.back, found.on) == (("company",), False, True), "a blank alone does not go back"


def test_a_value_of_before_that_is_no_text_is_recognised_by_what_it_means() -> None:
    rules = rules_of([app_rule(1, ("email", "tags"))], [rule("email"), rule("tags")])
    link = linked(1, seen={"tags": ["b", "a"]}, tags=["c"])
    log = [Entry(kind="value", app=2, record="r2", field="tags", old=["a", "b"], new=["c"], reason="")]
    assert former(link, rules.apps[1], log, rules).fields == ("tags",)


@pytest.mark.parametrize(
    "first", [{"email": "A@X.org"}, {"birthday": "soon"}, {"shoe": "42"}], ids=["same", "unreadable", "unmapped"]
)
def test_a_field_that_tells_nothing_does_not_hide_the_next_one(first: dict[str, str]) -> None:
    rules = simple("birthday", "company")
    link = linked(1, seen={**first, "company": "Old"}, email="a@x.org", birthday="1980-01-02", company="New")
    assert former(link, rules.apps[1], [entry("value", "Old", "New")], rules).fields == ("company",)
