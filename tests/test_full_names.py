"""An app that has one name beside apps that have two: it is told the name, and keeps up with it; what somebody typed stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.names import FULL, WHY, follow
from syncd.core.state import NOBODY, Stamp
from tests.core_world import contact, simple
from tests.story import ANN, Story, given

ONE = ["email", "full_name", "company"]
TWO = ["email", "first_name", "last_name", "company"]


def begun(folder: Path, *, desk: dict[str, str] | None = None, policy: str = "latest") -> Story:
    """Ann Lee is in crm, which has two names; desk has one."""
    story = given(folder, {"crm": ("memory", {"columns": TWO}), "desk": ("memory", {"columns": ONE})})
    story.configure(fields={"full_name": {"policy": policy}, "company": {"policy": "ask"}})
    story["crm"].put("1", **{name: ANN[name] for name in TWO if name in ANN})
    if desk is not None:
        story["desk"].put("9", email=ANN["email"], **desk)
    assert story.sync(approve=True).code == 0
    story.settle()
    return story


def name(story: Story) -> str | None:
    return story.everywhere(ANN["email"])["desk"].get("full_name")


def test_whoever_is_created_has_a_name(tmp_path: Path) -> None:
    assert name(begun(tmp_path)) == "Ann Lee"


def test_who_is_known_already_has_a_name_in_an_app_that_is_connected_later(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": ("memory", {"columns": TWO})})
    story["crm"].put("1", **{name: ANN[name] for name in TWO if name in ANN})
    assert story.sync(approve=True).code == 0
    story.add_app("desk", "csv", columns=("email", "full_name"))
    story.sync(approve=True)
    story.settle()
    assert name(story) == "Ann Lee"


def test_a_new_surname_reaches_the_app_with_one_name(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story["crm"].put("1", last_name="King")
    story.settle()
    assert name(story) == "Ann King"
    writes = [e for e in story.journal(story.contact("crm", "1")) if e[1] == "full_name"]
    assert ("value", "full_name", "Ann Lee", "Ann King") in writes


def test_a_surname_that_comes_later_completes_the_name(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": ("memory", {"columns": TWO}), "desk": ("memory", {"columns": ONE})})
    story["crm"].put("1", email=ANN["email"], first_name="Ann")
    assert story.sync(approve=True).code == 0
    assert name(story) == "Ann"
    story["crm"].put("1", last_name="Lee")
    story.settle()
    assert name(story) == "Ann Lee"


@pytest.mark.parametrize("typed", ["Dr. Ann Lee", "Lee, Ann", "Annie"])
def test_a_name_that_somebody_typed_otherwise_stays(typed: str, tmp_path: Path) -> None:
    story = begun(tmp_path, desk={"full_name": typed})
    assert name(story) == typed, "at the first contact"
    story["crm"].put("1", last_name="King")
    story.settle()
    assert name(story) == typed

    other = begun(tmp_path / "later")
    other["desk"].put(other["desk"].id_of(ANN["email"]), full_name=typed)
    other.settle()
    other["crm"].put("1", last_name="King")
    other.settle()
    assert name(other) == typed, "typed after it had been joined"
    assert ("value", "full_name", "Ann Lee", typed) in other.journal(other.contact("crm", "1"))


def test_one_name_is_never_split(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story["desk"].put(story["desk"].id_of(ANN["email"]), full_name="Ann van der Berg")
    story.settle()
    crm = story.everywhere(ANN["email"])["crm"]
    assert (crm["first_name"], crm["last_name"]) == ("Ann", "Lee")


@pytest.mark.parametrize("instead", [ANN["email"], None])
def test_who_was_called_by_an_address_gets_a_name(instead: str | None, tmp_path: Path) -> None:
    """An app that insists on a name was told the address (Zendesk); then somebody types the names elsewhere."""
    story = given(tmp_path, {"crm": ("memory", {"columns": TWO}), "desk": ("memory", {"columns": ONE})})
    story["crm"].put("1", email=ANN["email"])
    story["desk"].put("9", email=ANN["email"], **({"full_name": instead} if instead else {}))
    assert story.sync(approve=True).code == 0
    story["crm"].put("1", first_name="Ann", last_name="Lee")
    story.settle()
    assert name(story) == "Ann Lee"


def test_undo_takes_the_joined_name_back_as_well(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story["crm"].put("1", last_name="King")
    story.sync()
    story.undo(contacts=[story.contact("crm", "1")], field="last_name")
    story.settle()
    assert name(story) == "Ann Lee"
    assert story.everywhere(ANN["email"])["crm"]["last_name"] == "Lee"


def test_a_decision_about_a_name_reaches_the_joined_one(tmp_path: Path) -> None:
    story = given(
        tmp_path,
        {
            "crm": ("memory", {"columns": TWO}),
            "books": ("memory", {"columns": TWO}),
            "desk": ("memory", {"columns": ONE}),
        },
    )
    story.configure(fields={"last_name": {"policy": "ask"}})
    story["crm"].put("1", **{name: ANN[name] for name in TWO if name in ANN})
    assert story.sync(approve=True).code == 0
    story["crm"].put("1", last_name="King")
    story["books"].put(story["books"].id_of(ANN["email"]), last_name="Queen")
    story.settle()
    [case] = story.cases()
    story.resolve(case["id"], app="books")
    story.settle()
    assert name(story) == "Ann Queen"


@pytest.mark.parametrize("policy", ["lock", "ask"])
def test_where_a_person_decides_about_full_names_none_is_joined(policy: str, tmp_path: Path) -> None:
    assert name(begun(tmp_path, policy=policy)) is None


def test_where_every_app_has_two_names_none_is_joined(tmp_path: Path) -> None:
    """A full name that nobody fills in stays blank where nobody needs it."""
    story = given(tmp_path, dict.fromkeys(("crm", "books"), ("memory", {"columns": [*TWO, "full_name"]})))
    story["crm"].put("1", **{name: ANN[name] for name in TWO if name in ANN})
    assert story.sync(approve=True).code == 0
    assert [row.get("full_name") for row in story.everywhere(ANN["email"]).values()] == [None, None]


def test_a_full_name_follows_also_where_its_app_has_the_two_names_as_well(tmp_path: Path) -> None:
    """Zendesk with user fields for the two names: its own name is what people see."""
    story = given(tmp_path, {"crm": ("memory", {"columns": TWO}), "desk": ("memory", {"columns": [*TWO, "full_name"]})})
    story["crm"].put("1", email=ANN["email"], first_name="Ann", last_name="Lee")
    story["desk"].put("9", email=ANN["email"], full_name="Ann Lee")
    assert story.sync(approve=True).code == 0
    story["crm"].put("1", last_name="King")
    story.settle()
    assert name(story) == "Ann King"


def test_the_plan_says_where_the_name_comes_from(tmp_path: Path) -> None:
    story = begun(tmp_path)
    story["crm"].put("1", last_name="King")
    [intent] = [each for each in story.plan().doc["intents"] if each["app"] == "desk"]
    assert intent["fields"]["full_name"]["reason"] == WHY


def test_a_joined_name_is_as_new_as_the_newer_of_the_two() -> None:
    """Else an older edit of the whole name would count as a later one."""
    person = contact(first_name="Ann", last_name="King")
    person.stamps |= {"first_name": Stamp(2, 0, 10), "last_name": Stamp(1, 20, 30)}
    follow(person, frozenset(), replace(simple(), full_names="joined"))
    assert (person.golden[FULL], person.stamps[FULL]) == ("Ann King", Stamp(NOBODY, 20, 30))
