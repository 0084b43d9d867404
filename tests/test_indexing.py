"""The configuration matches people otherwise than before, or reads what it matches them by otherwise: who is known is found by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.store.tx import Tx
from tests.story import Moment, Story, agreed, given

COLUMNS = ("email", "first_name", "last_name", "phone")
TWO_RULES = [["email"], ["phone", "last_name"]]
ANN = {"first_name": "Ann", "last_name": "Lee"}


def begun(folder: Path, **sections: Any) -> Story:
    """Ann is in two apps, one of which holds numbers."""
    books = ("sql", {"columns": ("email", "first_name", "last_name")})
    story = given(folder, {"crm": ("csv", {"columns": COLUMNS}), "books": books}, **sections)
    story.configure(app_crm={"fields": {"phone": {"region": "AT"}}})
    story["crm"].put("1", email="ann@x.org", phone="030 23125053", **ANN)
    assert story.sync(approve=True).code == 0
    story.settle()
    return story


def met(story: Story, phone: str = "+49 30 23125053") -> None:
    """The shop, which is new, has Ann without her address: nobody is made twice."""
    story.add_app("shop", "csv", columns=COLUMNS)
    story["shop"].put("7", phone=phone, **ANN)
    story.sync(approve=True)
    assert story.settle().code == 0
    assert {app: len(rows) for app, rows in story.holds().items()} == {"crm": 1, "books": 1, "shop": 1}
    assert story["shop"].one("ann@x.org")["phone"] == phone


def test_a_rule_that_is_added_finds_who_is_known(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story.configure(app_crm={"fields": {"phone": {"region": "DE"}}}, match=TWO_RULES)
    met(story)


def test_a_number_that_is_read_otherwise_finds_its_person(tmp_path: Path) -> None:
    story = begun(tmp_path, match=TWO_RULES)
    story.configure(app_crm={"fields": {"phone": {"region": "DE"}}})
    assert story.settle().code == 0
    met(story)


def test_the_number_of_before_finds_nobody(tmp_path: Path) -> None:
    story = begun(tmp_path, match=TWO_RULES)
    story.configure(app_crm={"fields": {"phone": {"region": "DE"}}})
    story["crm"].put("2", phone="+43 30 23125053", first_name="Eva", last_name="Lee")
    assert story.settle().code == 0
    assert [row["first_name"] for row in story.holds()["books"]] == ["Ann", "Eva"]
    assert story.cases() == []


@pytest.mark.parametrize("nth", range(1, 7))
def test_syncd_may_die_meanwhile_and_the_text_be_put_back(nth: int, tmp_path: Path) -> None:
    story = begun(tmp_path, match=TWO_RULES)
    left = nth

    def die(moment: Moment) -> None:
        nonlocal left
        left -= moment == Moment("transact", "", "keys", after=False)
        if not left:
            raise KeyboardInterrupt

    story.configure(app_crm={"fields": {"phone": {"region": "DE"}}})
    story.hooks.append(die)
    with pytest.raises(KeyboardInterrupt):
        story.sync()
    story.hooks.clear()
    story.configure(app_crm={"fields": {"phone": {"region": "AT"}}})
    met(story, "+43 30 23125053")


def test_it_is_done_once(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story.configure(match=TWO_RULES)
    crossed: list[str] = []
    story.hooks.append(lambda moment: crossed.append(moment.what))
    story.sync()
    assert "keys" in crossed
    crossed.clear()
    story.sync()
    story.pause("books")
    story.sync()
    assert "keys" not in crossed


def test_a_store_of_before_is_indexed_and_its_cases_stay(tmp_path: Path) -> None:
    """Its keys may be those of rules that have changed since."""
    story = begun(tmp_path, match=TWO_RULES)
    story["crm"].put("2", email="ann@x.org", first_name="Anna")
    story.sync()
    before = story.cases()
    assert len(before) == 1

    def as_before(tx: Tx) -> None:
        tx.set_meta("keys", "{}")
        tx.forget_keys(1)
        tx.add_keys([{"key": b"of before", "app": 1, "record": "1"}])

    story.ask(as_before)
    story.sync()
    assert story.cases() == before
    assert story.ask(lambda tx: tx.holders([b"of before"])) == {}
    story["crm"].remove("2")
    story.sync()
    story.sync()
    met(story, "+43 30 23125053")


def test_who_was_undecided_is_matched_by_the_new_rules(tmp_path: Path) -> None:
    """Two people of one family share a number; told apart by their first names as well, nobody need ask."""
    story = given(tmp_path, {"crm": ("csv", {"columns": COLUMNS}), "shop": ("csv", {"columns": COLUMNS})})
    story.configure(match=[["phone", "last_name"]])
    number = "+49 30 23125053"
    story["crm"].put("1", first_name="Ann", last_name="Lee", phone=number)
    story["crm"].put("2", first_name="Bob", last_name="Lee", phone=number)
    story.sync(approve=True)
    assert story.cases() != []
    story.configure(match=[["phone", "first_name"]])
    assert story.settle().code == 0
    assert story.cases() == []
    assert [row["first_name"] for row in story.holds()["shop"]] == ["Ann", "Bob"]


def test_an_address_that_is_still_being_typed_belongs_to_that_record_already(tmp_path: Path) -> None:
    """Who gets it elsewhere meanwhile is not created beside it."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, settle="10m")
    id_ = story["news"].id_of("ann@x.org")
    for email in ("ann@new", "ann@new.org"):
        story["news"].put(id_, email=email)
        story.sync()
    story["crm"].put("109", email="ann@new.org")
    story.sync()
    assert [row["email"] for row in story["news"].rows().values()].count("ann@new.org") == 1
