"""Cases of the inbox, whole: what a person reads before deciding, and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.story import ANN, Story, agreed, given

NOBODY = dict.fromkeys(
    ("company", "job_title", "birthday", "street", "postal_code", "city", "tags", "email_consent", "consent_at",
     "consent_source")
)  # fmt: skip


def only(story: Story) -> dict[str, Any]:
    """Give the one open case, without the moment; its key, which is a hash, is a text of some length."""
    [case] = story.cases()
    assert case.pop("opened_ms") > 0
    for key in case.pop("keys", ()):
        assert len(key) == 24
    return case


def pair(folder: Path) -> Story:
    return agreed(folder, {"crm": "memory", "news": "memory"})


def test_who_shows_the_address_of_another_one(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", email="ada@x.org", first_name="Ada")
    story["crm"].put("2", email="eve@x.org", first_name="Eve")
    story.sync(approve=True)
    story.settle()
    others = [["crm", "1", 1], ["news", story["news"].id_of("ada@x.org"), 1]]
    story["crm"].put("2", email="ada@x.org")
    run = story.sync().doc["run"]
    wanted = {
        "id": 1, "kind": "match", "contact": "c2", "app": "crm", "field": None, "run": run, "record": "2",
        "candidates": others,
        "reason": "this record shows the key of another contact now; they stay two people, and it goes no further, until somebody "
        "says who is who",
    }  # fmt: skip
    assert only(story) == wanted
    story.sync()
    assert only(story) == wanted, "asked once"


def test_a_record_that_was_removed_here_and_edited_elsewhere(tmp_path: Path) -> None:
    story = pair(tmp_path)
    id_ = story["news"].id_of("ann@x.org")
    story["news"].remove(id_)
    story["crm"].put("101", company="Acme")
    outcome = story.settle()
    case = only(story)
    assert case.pop("run") <= outcome.doc["run"]
    assert case == {
        "id": 1, "kind": "deletion", "contact": "c1", "app": "news", "field": None, "record": id_,
        "reason": "removed in news, edited elsewhere", "values": {**NOBODY, **ANN, "phone": "+491712345678"},
    }  # fmt: skip
    assert (outcome.code, outcome.doc["outcome"], outcome.doc["inbox"]) == (4, "held", 1)


def test_an_id_that_comes_back_with_another_address(tmp_path: Path) -> None:
    story = pair(tmp_path)
    id_ = story["news"].id_of("ann@x.org")
    story["news"].remove(id_)
    story.settle()
    story["news"].put(id_, email="zoe@x.org", first_name="Zoe")
    run = story.sync().doc["run"]
    assert only(story) == {
        "id": 1, "kind": "match", "contact": "c3", "app": "news", "field": None, "run": run, "record": id_,
        "candidates": [["", id_, 1]],
        "reason": "a record with this id was removed, and now it shows another address: it may be the same person",
    }  # fmt: skip
    assert "zoe@x.org" not in {row["email"] for row in story["crm"].rows().values()}


def test_an_id_that_comes_back_with_its_own_address_is_taken_up_where_it_was(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"upper": ["company"]})})
    story["crm"].put("101", company="Acme")
    story.settle()
    id_ = story["news"].id_of("ann@x.org")
    row = story["news"].rows()[id_]
    story["news"].remove(id_)
    story.settle()
    story["news"].put(id_, **row)
    story.settle()
    assert story.cases() == []
    assert story.contact("news", id_) == story.contact("crm", "101")
    assert story["crm"].one("ann@x.org")["company"] == "Acme", "its own spelling is no edit"


def test_what_apps_disagree_about(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, fields={"company": {"policy": "ask"}})
    story["crm"].put("101", company="One")
    story["news"].put(story["news"].id_of("ann@x.org"), company="Two")
    run = story.sync().doc["run"]
    assert only(story) == {
        "id": 1, "kind": "conflict", "contact": "c1", "app": None, "field": "company", "run": run,
        "reason": "apps disagree; a person decides", "values": {"crm": "One", "news": "Two"},
    }  # fmt: skip


def test_a_record_that_an_app_refuses_is_named_until_it_takes_it(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"unique": ["phone"]})})
    story["crm"].put("103", email="eve@x.org", phone=ANN["phone"])
    for _ in range(2):
        outcome = story.sync()
        assert (outcome.code, outcome.doc["outcome"]) == (3, "partial"), "it is not forgotten"
    number = story.contact("crm", "103")
    contact = story.ask(lambda tx: tx.contacts([number]))[number]
    assert [*contact.refused] == [2]
    story["crm"].put("103", phone="+49 171 7654321")
    assert story.sync().code == 0
    assert story["news"].one("eve@x.org")["phone"] == "+491717654321"
