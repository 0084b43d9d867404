"""Somebody removes a record while it, or another one with its address, waits for a decision: the removal is remembered."""

from __future__ import annotations

from pathlib import Path

from tests.story import Story, agreed, given

ADA = {"email": "ada@x.org", "first_name": "Ada"}


def test_an_undecided_record_that_is_removed_is_not_created_again_for_those_that_waited_with_it(tmp_path: Path) -> None:
    """Seed 77: its contact was forgotten, and with it the removal."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ADA)
    story["news"].put("11", **ADA)
    story["news"].put("12", **ADA)
    story.sync(approve=True)
    story["crm"].remove("1")
    story.settle()
    assert story["crm"].rows() == {}
    story["news"].remove("12")
    story.settle()
    assert story["crm"].rows() == {}
    assert story.cases() == []
    story["crm"].put("2", **ADA)  # somebody wants her there again
    story.settle()
    assert story.contact("crm", "2") == story.contact("news", "11") != 0


def test_a_decided_contact_is_created_only_by_somebodys_word_where_a_record_that_may_be_its_own_was_removed(
    tmp_path: Path,
) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    desk = story.add_app("desk", "memory")
    desk.put("7", email="ann@x.org")
    desk.put("8", email="ann@x.org")
    story.sync(approve=True)
    story.settle()
    desk.remove("7", "8")
    story.sync(approve=True)
    story.settle()
    assert "ann@x.org" not in [row["email"] for row in desk.rows().values()]
    [case] = story.cases()
    assert (case["kind"], case["app"], case["contact"]) == ("deletion", "desk", f"c{story.contact('crm', '101')}")
    assert (case["reason"], case["record"], case["values"]["email"]) == (
        "removed in desk while it was undecided whose record it was",
        "8",
        "ann@x.org",
    )
    story.resolve(case["id"], restore=True)
    story.settle()
    assert desk.one("ann@x.org")


def test_a_removed_record_leaves_its_address_to_its_person(tmp_path: Path) -> None:
    """Seed 3364: the only record with the new address was removed, and who waited because of it became a second person."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    story.configure(app_crm={"writes": {"create": True, "update": False}})  # it goes on to show the old address
    story["news"].put(story["news"].id_of("ann@x.org"), email="ann@new.org")
    story["crm"].put("7", email="ann@new.org")
    story.settle()
    story["news"].remove(story["news"].id_of("ann@new.org"))
    story.settle()
    assert [case["kind"] for case in story.cases() if case["app"] == "crm"] == ["match"]
    assert [row["email"] for row in story["news"].rows().values()] == ["bob@x.org"]


def test_nobody_is_created_beside_an_undecided_record_with_any_address_that_the_contact_ever_had(
    tmp_path: Path,
) -> None:
    """Seed 3665: none of its records showed it any more."""
    story = given(tmp_path, {"news": "memory", "desk": "memory", "crm": ("memory", {})})
    story.configure(app_crm={"writes": {"create": True, "update": True}})
    story["news"].put("1", **ADA)
    story["crm"].put("2", **ADA)
    story["crm"].put("3", **ADA)
    story.sync(approve=True)
    first = story.cases()
    assert {case["kind"] for case in first} == {"match"}
    mine = next(case for case in first if case["app"] == "news")
    story.resolve(mine["id"], new=True)
    story["news"].put("1", email="ada@new.org")
    story.settle()
    story["desk"].remove(*story["desk"].rows())
    story.settle()
    assert [row["email"] for row in story["crm"].rows().values()] == ["ada@x.org", "ada@x.org"]


def two_undecided(folder: Path) -> Story:
    """A record in crm that may be either Lee's, and one in desk with its address: both of one undecided contact."""
    match = [["email"], ["phone", "last_name"]]
    story = given(folder, {"crm": "memory", "shop": "memory", "desk": "memory"}, match=match)
    lee = {"phone": "+49 30 23125051", "last_name": "Lee"}
    for number in "12":
        story["shop"].put(number, email=f"{number}@x.org", **lee)
    story.sync(approve=True)
    story["crm"].put("3", **lee)
    story.settle()
    story["crm"].put("3", email="c@x.org")
    story["desk"].put("4", email="c@x.org")
    story.settle()
    assert story.contact("crm", "3") == story.contact("desk", "4")
    assert f"c{story.contact('crm', '3')}" in {case["contact"] for case in story.cases()}
    return story


def test_of_two_records_that_are_undecided_together_one_is_removed(tmp_path: Path) -> None:
    """The other one was given to a contact that was gone, and the run span for ever."""
    story = two_undecided(tmp_path)
    story["crm"].remove("3")
    story.sync()
    story.settle()
    assert "c@x.org" not in [row.get("email") for row in story["crm"].rows().values()]
    number = story.contact("desk", "4")
    assert number in story.ask(lambda tx: tx.contacts([number]))
    assert f"c{number}" not in {case["contact"] for case in story.cases()}
    story["desk"].put("4", first_name="Lou")
    story.settle()
    assert "c@x.org" not in [row.get("email") for row in story["crm"].rows().values()]
    assert story["shop"].one("c@x.org")["first_name"] == "Lou"
