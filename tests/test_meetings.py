"""Two contacts that meet: an address moves onto another one's, and nobody is created beside a record that may be theirs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from syncd.core.match import address_hash
from syncd.errors import ConfigError, TransientError
from syncd.ops.inbox import show
from tests.story import Story, given, held, raising, written

ADA = {"email": "ada@x.org", "first_name": "Ada"}
NEW = "new@x.org"


def met(folder: Path, **sections: object) -> Story:
    """Ada gets another address in crm, and before that is seen somebody with that address comes to news (seed 875)."""
    story = given(folder, {"crm": "memory", "news": "memory"}, **sections)
    story["news"].put("1", **ADA)
    story.sync(approve=True)
    story.settle()
    story["crm"].put(story["crm"].id_of("ada@x.org"), email=NEW)
    story["news"].put("2", email=NEW, first_name="Eve")
    with story.when("crm", "read", raising(TransientError("away"))):
        story.sync()
    story.sync()
    return story


def test_nothing_is_created_beside_another_contacts_record_until_somebody_says_who_is_who(tmp_path: Path) -> None:
    story = met(tmp_path)
    assert [row["first_name"] for row in story["crm"].rows().values()] == ["Ada"]
    [case] = story.cases()
    mine, other = story.contact("news", "2"), story.contact("news", "1")
    assert (case["kind"], case["app"], case["contact"]) == ("match", "news", f"c{mine}")
    assert {contact for _, _, contact in case["candidates"]} == {other}
    assert case["keys"] == [address_hash(NEW).hex()], "what the two have in common, and what is decided about"
    assert story.ask(lambda tx: show(tx, case["id"]))["decisions"] == ["--new"]  # both have a record in news
    with pytest.raises(ConfigError, match="merge the two there first"):
        story.resolve(case["id"], contact=other)
    assert [case["id"] for case in story.cases()] == [story.cases()[0]["id"]]
    story.settle()
    assert len(story.log("crm")) == 1, "one create, of the first person"


def test_two_persons_stay_two_once_that_is_decided(tmp_path: Path) -> None:
    story = met(tmp_path)
    story.resolve(story.cases()[0]["id"], new=True)
    story.settle()
    assert sorted(row["first_name"] for row in story["crm"].rows().values()) == ["Ada", "Eve"]
    desk = story.add_app("desk", "memory")
    story["crm"].put(
        next(id_ for id_, row in story["crm"].rows().items() if row["first_name"] == "Ada"), first_name="Adele"
    )
    story.sync(approve=True)
    story.settle()
    assert sorted(row["first_name"] for row in desk.rows().values()) == ["Adele", "Eve"]
    assert story.cases() == []


def test_merging_the_two_in_the_app_ends_the_case(tmp_path: Path) -> None:
    story = met(tmp_path)
    story["news"].remove("2")
    story.sync()
    story.sync()
    assert story.cases() == []
    assert len(story["crm"].rows()) == len(story["news"].rows()) == 1


def test_the_case_ends_when_the_address_goes_elsewhere(tmp_path: Path) -> None:
    story = met(tmp_path)
    story["news"].put("2", email="eve@x.org")
    story.settle()
    assert story.cases() == []
    assert len(story["crm"].rows()) == len(story["news"].rows()) == 2


def test_the_case_ends_when_nobody_is_to_be_created_there_any_more(tmp_path: Path) -> None:
    story = met(tmp_path)
    story.configure(app_crm={"writes": {"create": False}})
    story.sync()
    assert "crm" not in {case["app"] for case in story.cases()}


def test_the_other_record_can_be_linked_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    story = met(tmp_path)
    story["news"].remove("1")
    story.sync()
    story.sync()
    [case] = story.cases()
    other = story.contact("crm", story["crm"].id_of(NEW))
    assert story.ask(lambda tx: show(tx, case["id"]))["decisions"] == [f"--link c{other}", "--new"]
    story.resolve(case["id"], contact=other)
    gone = int(case["contact"][1:])
    assert story.ask(lambda tx: tx.contacts([gone])) == {}
    log = story.ask(lambda tx: tx.journal_entries([other], None, None))[other]
    assert f"decided: belongs to c{other}" in {entry.reason for entry in log}, "its journal is the other one's now"
    story.settle()
    assert len(story["crm"].rows()) == len(story["news"].rows()) == 1
    assert story.contact("news", "2") == other


def test_who_shares_an_address_by_the_match_rule_is_created_without_a_case(tmp_path: Path) -> None:
    """BEHAVIOURS 25: [email, first_name] tells them apart; consent goes by the address all the same."""
    story = met(tmp_path, match=[["email", "first_name"]])
    story.settle()
    assert story.cases() == []
    assert sorted(row["first_name"] for row in story["crm"].rows().values()) == ["Ada", "Eve"]
    story["news"].put("2", email_consent="opted_out")
    story.settle()
    assert {row.get("email_consent") for row in story["crm"].rows().values()} == {"opted_out"}


def test_a_record_that_shows_the_key_of_before_stands_in_the_way_too(tmp_path: Path) -> None:
    """Seed 9: her record in an app that is never updated has the old address; a second one was created beside it."""
    story = given(tmp_path, {"crm": "memory", "news": "memory", "desk": "memory"})
    story.configure(app_desk={"writes": {"create": True, "update": False}})
    story["news"].put("1", **ADA)
    story.sync(approve=True)
    story.settle()
    story["news"].put("1", email=NEW)
    story["crm"].put("2", email=NEW, first_name="Eve")
    away = raising(TransientError("away"))
    with story.when("news", "read", away), story.when("desk", "read", away):
        story.sync()
    story.sync()
    assert [row["email"] for row in story["desk"].rows().values()] == ["ada@x.org"]
    assert {case["kind"] for case in story.cases()} == {"match"}


def crossed(folder: Path) -> Story:
    """Ada and Eve are known in both apps; then Ada's record in crm is given Eve's address."""
    story = given(folder, {"crm": "memory", "news": "memory"})
    story["news"].put("1", **ADA)
    story["news"].put("2", email=NEW, first_name="Eve")
    story.sync(approve=True)
    story.settle()
    story["crm"].put(story["crm"].id_of("ada@x.org"), email=NEW)
    story.settle()
    return story


def test_who_is_given_the_address_of_somebody_else_is_asked_about(tmp_path: Path) -> None:
    """Seed 26202: two contacts had one address everywhere, and nobody was asked (ONE-ENTITY)."""
    story = crossed(tmp_path)
    [case] = story.cases()
    mine, other = story.contact("news", "1"), story.contact("news", "2")
    assert (case["kind"], case["contact"]) == ("match", f"c{max(mine, other)}")
    assert {contact for _, _, contact in case["candidates"]} == {min(mine, other)}
    story.resolve(case["id"], new=True)
    story.settle()
    assert story.cases() == []
    assert [sorted(row["first_name"] for row in rows) for rows in story.holds().values()] == [["Ada", "Eve"]] * 2


@pytest.mark.parametrize("record", ["1", "2"])
def test_nobody_is_asked_any_more_once_either_has_another_address(tmp_path: Path, record: str) -> None:
    story = crossed(tmp_path)
    story["news"].put(record, email="third@x.org")
    story.settle()
    assert story.cases() == []


@pytest.mark.parametrize("record", ["1", "2"])
def test_nobody_is_asked_any_more_once_one_of_them_is_gone(tmp_path: Path, record: str) -> None:
    story = crossed(tmp_path)
    name = story["news"].rows()[record]["first_name"]
    for app in ("crm", "news"):
        story[app].remove(next(id_ for id_, row in story[app].rows().items() if row["first_name"] == name))
    story.sync()
    story.settle()
    assert story.cases() == []


def test_an_address_that_an_answer_shows_counts_before_the_next_create(tmp_path: Path) -> None:
    """Seed 310289: the answer to our update showed it, and a second record was created beside it in the same pass."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ADA)
    story.sync(approve=True)
    story.settle()
    ours = story["news"].id_of("ada@x.org")
    story["crm"].put("1", first_name="Adele")
    story["crm"].put("2", email=NEW, first_name="Eve")
    with story.when("news", "write", partial(story["news"].put, ours, email=NEW)):
        story.sync()
    assert [write.kind for write in story.log("news")].count("create") == 1, "of the first person"
    story.settle()
    assert len(story["news"].rows()) == 1


def test_who_is_undecided_does_not_hide_somebody_else_who_is_there(tmp_path: Path) -> None:
    """Two come to news with the address that Ada has in crm by now: somebody is asked about both."""
    story = given(tmp_path, {"news": "memory", "crm": "memory"})
    story["news"].put("1", **ADA)
    story.sync(approve=True)
    story.settle()
    story["crm"].put(story["crm"].id_of("ada@x.org"), email=NEW)
    for record in ("2", "3"):
        story["news"].put(record, email=NEW, first_name=f"Eve {record}")
    with story.when("crm", "read", raising(TransientError("away"))):
        story.sync()
    story.sync()
    assert [row["first_name"] for row in story["crm"].rows().values()] == ["Ada"]
    asked = {(case["app"], case["contact"]) for case in story.cases()}
    assert asked == {("news", f"c{story.contact('news', record)}") for record in ("2", "3")}


def held_back(folder: Path) -> Story:
    """As `crossed`, with a third app: Ada's record in it has her own address until somebody has said who is who."""
    story = given(folder, {"crm": "memory", "news": "memory", "desk": "csv"})
    story["news"].put("1", **ADA)
    story["news"].put("2", email=NEW, first_name="Eve")
    story.sync(approve=True)
    story.settle()
    story["crm"].put(story["crm"].id_of("ada@x.org"), email=NEW, job_title="Head")
    assert story.settle().code == 4
    return story


def test_neither_of_two_who_have_one_address_is_created_elsewhere_while_somebody_is_asked(tmp_path: Path) -> None:
    """Seed 900072 with the scene of two at once: the first one was sent, refused, and the question was forgotten with it."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story.configure(app_crm={"writes": {"create": False}})
    story["crm"].put("1", **ADA)
    story.sync(approve=True)
    story.settle()
    story["crm"].put("1", email=NEW)
    story["news"].put("2", email=NEW, first_name="Eve")
    with story.when("crm", "read", raising(TransientError("away"))):
        story.sync()
    desk = story.add_app("desk", "memory")
    story.sync(approve=True)
    story.settle()
    [case] = story.cases()
    assert desk.rows() == {}
    story.resolve(case["id"], new=True)
    story.settle()
    assert sorted(row["first_name"] for row in desk.rows().values()) == ["Ada", "Eve"]
    assert story.cases() == []


def of(story: Story, app: str, name: str) -> dict[str, object]:
    return next(row for row in story[app].rows().values() if row["first_name"] == name)


def test_an_address_of_somebody_else_goes_no_further_until_somebody_has_said_who_is_who(tmp_path: Path) -> None:
    story = held_back(tmp_path)
    for app in ("news", "desk"):
        assert (of(story, app, "Ada")["email"], of(story, app, "Ada")["job_title"]) == ("ada@x.org", "Head")
        assert of(story, app, "Eve")["email"] == NEW
    assert written(story.sync()) == 0
    [case] = story.cases()
    story.resolve(case["id"], new=True)
    assert story.settle().code == 0
    assert [of(story, app, "Ada")["email"] for app in story.apps] == [NEW] * 3


@pytest.mark.parametrize("who", ["Ada", "Eve"])
@pytest.mark.parametrize("app", ["crm", "news"])
def test_an_address_that_is_put_right_goes_everywhere(tmp_path: Path, app: str, who: str) -> None:
    story = held_back(tmp_path)
    record = next(id_ for id_, row in story[app].rows().items() if row["first_name"] == who)
    story[app].put(record, email="third@x.org")
    assert story.settle().code == 0
    assert story.cases() == []
    other = {"Ada": "Eve", "Eve": "Ada"}[who]
    assert {of(story, each, who)["email"] for each in story.apps} == {"third@x.org"}
    assert {of(story, each, other)["email"] for each in story.apps} == {NEW}


def test_somebody_who_is_gone_leaves_the_address_to_the_other(tmp_path: Path) -> None:
    story = held_back(tmp_path)
    for app in story.apps.values():
        app.remove(next(id_ for id_, row in app.rows().items() if row["first_name"] == "Eve"))
    story.sync()
    assert held(story.sync()) == set()
    assert story.settle().code == 0
    assert {of(story, each, "Ada")["email"] for each in story.apps} == {NEW}


@pytest.mark.parametrize(
    ("shown", "cas"), [("write", True), ("get", False)], ids=["by an answer", "by the look before"]
)
def test_every_address_that_a_write_shows_counts_before_the_next_create(
    tmp_path: Path, shown: Literal["write", "get"], *, cas: bool
) -> None:
    story = given(tmp_path, {"crm": "memory", "news": ("memory", {"cas": cas})})
    for number in "12":
        story["crm"].put(number, email=f"p{number}@x.org")
    story.sync(approve=True)
    story.settle()
    ours = {number: story["news"].id_of(f"p{number}@x.org") for number in "12"}
    for number in "12":
        story["crm"].put(number, first_name="Ada")
        story["crm"].put(f"{number}{number}", email=f"new{number}@x.org", first_name="Eve")

    def given_away() -> None:
        for number, id_ in ours.items():
            story["news"].put(id_, email=f"new{number}@x.org", **({} if cas else {"first_name": "Zoe"}))

    with story.when("news", shown, given_away):
        story.sync()
    assert [write.kind for write in story.log("news")].count("create") == 2, "of the first two"


def test_of_two_who_share_a_name_and_a_number_the_first_gets_a_record_and_the_second_is_asked_about(
    tmp_path: Path,
) -> None:
    """Neither has a record in the app that is new; only the second one may be somebody who is there by then."""
    story = given(tmp_path, {"crm": "memory"}, match=[["email"], ["phone", "last_name"]])
    for number in "12":
        story["crm"].put(number, email=f"p{number}@x.org", phone=f"+49 30 2312505{number}", last_name="Lee")
    story.sync()
    story["crm"].put("2", phone="+49 30 23125051")
    assert story.settle().code == 0
    news = story.add_app("news", "memory")
    story.sync(approve=True)
    story.settle()
    assert [row["email"] for row in news.rows().values()] == ["p1@x.org"]
    [case] = story.cases()
    assert (case["kind"], case["app"], case["contact"]) == ("match", "news", f"c{story.contact('crm', '2')}")
    story.resolve(case["id"], new=True)
    story.settle()
    assert sorted(row["email"] for row in news.rows().values()) == ["p1@x.org", "p2@x.org"]


def test_the_way_is_free_once_the_one_who_stood_in_it_has_left_the_scope(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory"}, match=[["email"], ["phone", "last_name"]])
    for number in "12":
        person = {"phone": f"+49 30 2312505{number}", "last_name": "Lee", "company": "Acme"}
        story["crm"].put(number, email=f"p{number}@x.org", **person)
    story.sync()
    story["crm"].put("2", phone="+49 30 23125051")
    assert story.settle().code == 0
    news = story.add_app("news", "memory")
    story.configure(app_news={"scope": 'contact.company == "Acme"', "on_leave": "archive"})
    story.sync(approve=True)
    story.settle()
    assert [row["email"] for row in news.rows().values()] == ["p1@x.org"]
    story["crm"].put("1", company="Other")
    assert story.settle().code == 0
    assert story.cases() == []
    assert [row["email"] for row in news.rows().values()] == ["p2@x.org"]


@pytest.mark.parametrize("decided", ["linked", "new"])
@pytest.mark.parametrize("who", ["N1", "N2"])
def test_of_three_with_one_address_two_are_still_asked_about_once_one_is_decided(
    tmp_path: Path, who: str, decided: str
) -> None:
    kinds = {"crm": "memory", "shop": "memory", "desk": "memory"}
    story = given(tmp_path, kinds)
    for number, app in enumerate(kinds):
        story.configure(**{f"app_{app}": {"writes": {"create": False}}})
        story[app].put(f"{number}", email=f"p{number}@x.org", first_name=f"N{number}")
    story.sync(approve=True)
    for number, app in enumerate(kinds):
        story[app].put(f"{number}", email="p0@x.org")
        story.settle()
    numbers = {f"N{number}": story.contact(app, f"{number}") for number, app in enumerate(kinds)}
    [case] = [case for case in story.cases() if case["contact"] == f"c{numbers[who]}"]
    story.resolve(case["id"], **({"contact": numbers["N0"]} if decided == "linked" else {"new": True}))
    news = story.add_app("news", "memory")
    story.sync(approve=True)
    story.settle()
    [case] = story.cases()
    assert case["contact"] == f"c{numbers['N2' if who == 'N1' else 'N1']}"
    assert [row["first_name"] for row in news.rows().values()] == ([who] if decided == "new" else [])
    story.resolve(case["id"], new=True)
    story.settle()
    assert (story.cases(), len(news.rows())) == ([], 2 if decided == "linked" else 3)


def test_who_is_linked_to_somebody_else_is_found_there_by_every_address_of_before(tmp_path: Path) -> None:
    """Its contact was gone, the old address led to it still, and the run span for ever."""
    story = given(tmp_path, dict.fromkeys(("crm", "shop", "desk"), "memory"))
    for app in story.apps:
        story.configure(**{f"app_{app}": {"writes": {"create": False}}})
    story["crm"].put("1", **ADA)
    story["shop"].put("2", email="b@x.org")
    story.sync(approve=True)
    for address in ("b2@x.org", ADA["email"]):
        story["shop"].put("2", email=address)
        story.settle()
    [case] = story.cases()
    ada = story.contact("crm", "1")
    story.resolve(case["id"], contact=ada)
    story.settle()
    story["desk"].put("3", email="b@x.org")
    assert story.settle().code == 0
    assert {story.contact(app, record) for app, record in (("crm", "1"), ("shop", "2"), ("desk", "3"))} == {ada}
