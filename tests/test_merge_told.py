"""What a merge tells: who changed what, what lost to what and why, and what a person may choose from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.merge import merge
from syncd.core.state import Entry
from tests.core_world import ADDRESS, World, agreed, app_rule, contact, cut, linked, rule, rules_of, simple

MAIL = "a@x.org"


def entries(world: World) -> list[Entry]:
    """Give what the next decision writes into the journal."""
    world.journal.clear()
    world.poll().decide()
    return world.journal


def test_a_change_names_its_app_and_record_and_both_values() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="A").edit(2, company="B")
    change = Entry(kind="value", app=2, record="r2", field="company", old="A", new="B", reason="changed")
    assert entries(world) == [change]


def test_a_change_of_an_address_names_its_app_and_record_as_well() -> None:
    fields = ("email", *ADDRESS)
    rules = rules_of([app_rule(1, fields), app_rule(2, fields)], [rule(n) for n in fields], group=ADDRESS)
    world = agreed(World(rules=rules), email=MAIL, street="A 1", city="Rome").edit(2, city="Oslo")
    old, new = {"street": "A 1", "city": "Rome"}, {"street": "A 1", "city": "Oslo"}
    change = Entry(kind="value", app=2, record="r2", field="address", old=old, new=new, reason="changed")
    assert entries(world) == [change]


def test_an_owner_that_shows_what_it_did_before_is_named_with_its_record() -> None:
    """It refused the contact's value; the next edit elsewhere brings its own word back."""
    rules, person = simple("company", policy="owner", owners=(1,)), contact(company="B")
    links = [linked(1, company="A"), linked(2, seen={"company": "C"}, company="B")]
    merged = merge(person, links, rules, 200)
    why = "what its owner says"
    assert merged.entries == [
        Entry(kind="lost", app=2, record="r2", field="company", old="C", new="A", reason=why),
        Entry(kind="value", app=1, record="r1", field="company", old="B", new="A", reason=why),
    ]


def test_a_loss_names_its_app_and_record_and_what_won() -> None:
    world = (
        agreed(World(rules=simple("company")), email=MAIL, company="A").edit(2, company="two").edit(1, company="one")
    )
    why = "concurrent with another app's value; order of the apps"
    loss = Entry(kind="lost", app=2, record="r2", field="company", old="two", new="one", reason=why)
    change = Entry(kind="value", app=1, record="r1", field="company", old="A", new="one", reason=why)
    assert entries(world) == [loss, change]


def test_what_lost_to_nobody_says_so() -> None:
    world = agreed(World(rules=simple("company", policy="ask")), email=MAIL, company="A")
    world.edit(1, company="one").edit(2, company="two")
    asked: dict[str, Any] = {
        "kind": "lost",
        "field": "company",
        "new": "A",
        "reason": "apps disagree; a person decides",
    }
    assert entries(world) == [
        Entry(app=1, record="r1", old="one", **asked),
        Entry(app=2, record="r2", old="two", **asked),
    ]
    world.edit(1, company="three")
    assert entries(world) == [Entry(app=1, record="r1", old="three", **{**asked, "new": None})]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"maps": {"company": {"direction": "out"}}}, "syncd only writes this field there"),
        (
            {"maps": {"company": {"direction": "out"}}, "pushed": True},
            "the contact's value wins in this run (push only)",
        ),
        ({"trusted": False}, "this app is not trusted to change what people are matched by"),
    ],
)
def test_what_has_no_say_is_journalled_with_the_reason(options: dict[str, Any], why: str) -> None:
    pushed = options.pop("pushed", False)
    second = replace(app_rule(2, ("email", "company"), **options), pushed=pushed)
    rules = rules_of(
        [app_rule(1, ("email", "company")), second], [rule("email"), rule("company")], match=(("email",), ("company",))
    )
    world = agreed(World(rules=rules), email=MAIL, company="A").edit(2, company="B")
    assert entries(world) == [Entry(kind="lost", app=2, record="r2", field="company", old="B", new="A", reason=why)]


def test_a_member_of_an_address_that_has_no_say_is_named_in_the_journal() -> None:
    maps = {name: {"direction": "out"} for name in ADDRESS}
    fields = ("email", *ADDRESS)
    rules = rules_of([app_rule(1, fields), app_rule(2, fields, maps=maps)], [rule(n) for n in fields], group=ADDRESS)
    world = agreed(World(rules=rules), email=MAIL, street="A 1", city="Rome").edit(2, city="Oslo")
    [entry] = entries(world)
    assert (entry.field, entry.old, entry.new) == ("address", {"city": "Oslo"}, {"street": "A 1", "city": "Rome"})


def test_a_persons_choice_lists_every_app_with_what_it_shows() -> None:
    world = agreed(World(rules=simple("company", policy="ask", apps=3)), email=MAIL, company="A")
    world.edit(1, company="one").edit(2, company="two").sync()
    [conflict] = world.conflicts
    assert (conflict.field, conflict.reason) == ("company", "apps disagree; a person decides")
    world.edit(1, company="three").sync()
    assert world.conflicts[-1].reason == "apps disagree; a person decides", "it still waits for the same"


def test_what_has_no_say_and_is_the_contacts_value_is_no_loss() -> None:
    rules = rules_of(
        [app_rule(1, ("email",)), app_rule(2, ("email",), maps={"email": {"direction": "out"}})], [rule("email")]
    )
    world = agreed(World(rules=rules), email=MAIL).edit(2, email=MAIL.upper())
    assert entries(world) == []


def test_a_persons_choice_shows_the_spelling_of_an_app_and_not_what_it_stands_for() -> None:
    """The third one cuts: what it holds is what the decision writes over."""
    world = agreed(World(rules=simple("company", policy="ask", apps=3), norms={3: cut(4)}), email=MAIL)
    world.edit(1, company="Acme Limited").sync()
    world.edit(1, company="one").edit(2, company="two").sync()
    assert [conflict.values for conflict in world.conflicts] == [{1: "one", 2: "two", 3: "Acme"}]
