"""Merge, told as stories: apps show something, people edit, and this is what the contact is and who lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from syncd.core.fields import field_type
from syncd.core.merge import merge
from syncd.core.rules import BlankRule, Rules
from syncd.core.state import Stamp
from syncd.core.transforms import make_lens
from syncd.model import OPERATOR, FieldMap, Raw
from tests.core_world import (
    World,
    agreed,
    app_rule,
    contact,
    linked,
    rule,
    rules_of,
    simple,
)

MAIL = "a@x.org"
DAY_MS = 24 * 3600 * 1000


def test_behaviour_10_different_fields_in_both_apps_both_survive() -> None:
    world = agreed(World(rules=simple("company", "job_title")), email=MAIL, company="A", job_title="B")
    world.edit(1, company="A2").edit(2, job_title="B2")
    assert world.sync() == 2
    assert (world.shows("company"), world.shows("job_title")) == ({1: "A2", 2: "A2"}, {1: "B2", 2: "B2"})
    assert world.lost("company") == world.lost("job_title") == []


def test_behaviour_11_the_loser_is_in_the_journal() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="A")
    world.edit(2, company="two").edit(1, company="one").sync()
    assert world.value("company") == "one"
    assert world.lost("company") == ["two"]


def test_behaviour_13_nobody_wins_until_a_person_decides() -> None:
    world = agreed(World(rules=simple("company", policy="ask", apps=3)), email=MAIL, company="A")
    world.edit(1, company="one").edit(2, company="two").sync()
    assert world.value("company") == "A"
    assert world.shows("company") == {1: "one", 2: "two", 3: "A"}
    assert world.conflicts[-1].values == {1: "one", 2: "two", 3: "A"}
    world.edit(3, company="three").sync()
    assert world.conflicts[-1].values == {1: "one", 2: "two", 3: "three"}, "all there is to choose from"


def test_behaviour_15_an_edit_outside_the_owner_is_reverted_and_listed() -> None:
    world = agreed(World(rules=simple("company", policy="owner", owners=(1,))), email=MAIL, company="A")
    world.edit(2, company="drift")
    assert world.sync() == 1
    assert world.shows("company") == {1: "A", 2: "A"}
    assert world.lost("company") == ["drift"]


def test_an_owner_that_clears_where_it_may_wins_over_an_edit_elsewhere() -> None:
    rules = simple("company", policy="owner", owners=(2,), blank="propagate")
    world = agreed(World(rules=rules), email=MAIL, company="A")
    world.edit(2, company=None).edit(1, company="B").sync()
    assert world.shows("company") == {1: None, 2: None}
    assert world.lost("company") == ["B"]


def test_two_who_say_the_same_need_no_decision() -> None:
    person = contact(company="old")
    links = [linked(1, seen={"company": "new"}, company="old"), linked(2, seen={"company": "new"}, company="older")]
    merge(person, links, simple("company", policy="ask"), 200)
    assert (person.golden["company"], person.held) == ("new", {})


def test_an_owner_without_a_record_leaves_it_to_the_others() -> None:
    world = World(rules=simple("company", policy="owner", owners=(3,))).edit(1, email=MAIL, company="A")
    world.edit(2, email=MAIL).sync()
    world.edit(2, company="B").sync()
    assert world.shows("company") == {1: "B", 2: "B"}


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_first_contact_is_joint_whatever_is_polled_first(order: tuple[int, ...]) -> None:
    world = World(rules=simple("company", apps=3))
    for app, company in ((1, None), (2, "two"), (3, "three")):
        world.edit(app, email=MAIL, company=company)
    world.poll(*order)
    world.decide()
    assert world.value("company") == "two"
    assert world.lost("company") == ["three"]
    world.sync()
    assert world.shows("company") == dict.fromkeys((1, 2, 3), "two")


def test_a_later_edit_in_an_app_that_had_the_value_wins_whatever_its_rank() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="A")
    world.edit(1, company="first").sync()
    world.edit(2, company="second").sync()
    assert world.shows("company") == {1: "second", 2: "second"}
    assert world.lost("company") == []


def test_what_was_read_long_ago_and_set_aside_is_not_causal_by_accident() -> None:
    """Fault: an app was held; golden went x, z and, later, x again; its old edit of x won over that."""
    person = contact(company="x")
    person.stamps["company"] = Stamp(1, 20, 30)
    merge(
        person,
        [linked(1, company="x"), linked(2, seen={"company": "y"}, company="x", at=10, since=0)],
        simple("company"),
        40,
    )
    assert person.golden["company"] == "x"


def test_an_edit_in_an_app_that_holds_all_it_can_of_the_value_is_causal() -> None:
    """Fault: first contact had stamped golden after that app's poll; its own later edit lost to the order of the apps."""
    maps = {2: {"company": {"max_length": 3, "options": {"overflow": "truncate"}}}}
    world = World(rules=simple("company", maps=maps))
    world.edit(1, email=MAIL, company="Annabel").edit(2, email=MAIL, company="Ann")
    world.poll(2, 1)
    world.decide()
    world.edit(2, company="Bob").poll(2)
    world.decide()
    assert world.value("company") == "Bob"


def test_an_older_concurrent_edit_goes_by_the_order_of_the_apps() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="A")
    world.edit(2, company="two").edit(1, company="one")
    world.poll(2)
    world.decide()
    world.poll(1)
    world.decide()
    assert world.value("company") == "one"
    assert [e.old for e in world.journal if e.kind == "value"] == ["A", "two"]


@pytest.mark.parametrize(("since", "winner"), [(90, "app"), (100, "app"), (99, "app")])
def test_an_apps_causal_edit_wins_over_what_an_operator_set(since: int, winner: str) -> None:
    rules = simple("company")
    person = contact(company="operator")
    person.stamps["company"] = Stamp(OPERATOR, 100, 100)
    link = linked(2, seen={"company": "app"}, company="operator", at=120, since=since)
    merge(person, [link, linked(1, company="operator")], rules, 130)
    assert person.golden["company"] == winner


@pytest.mark.parametrize(("since", "winner"), [(90, "operator"), (100, "app")])
def test_an_apps_edit_of_another_value_wins_over_an_operator_only_if_surely_later(since: int, winner: str) -> None:
    rules = simple("company")
    person = contact(company="operator")
    person.stamps["company"] = Stamp(OPERATOR, 100, 100)
    merge(person, [linked(1, seen={"company": "app"}, company="undone", at=120, since=since)], rules, 130)
    assert person.golden["company"] == winner


def test_an_owners_word_waits_while_an_operators_stands() -> None:
    """Fault: drift in B made the owner, not written yet, take back what the operator had decided."""
    rules = simple("company", policy="owner", owners=(1,))
    person = contact(company="decided")
    person.stamps["company"] = Stamp(OPERATOR, 100, 100)
    owner, other = linked(1, company="owned"), linked(2, seen={"company": "drift"}, company="owned", at=120, since=90)
    merge(person, [owner, other], rules, 130)
    assert person.golden["company"] == "decided"
    owner.seen = linked(1, seen={"company": "owned again"}, at=150, since=110).seen
    merge(person, [owner, other], rules, 160)
    assert person.golden["company"] == "owned again"


def test_non_blank_takes_the_latest_value_and_never_a_blank() -> None:
    """Fault: it kept the first value for ever and took every later edit back."""
    world = agreed(World(rules=simple("company", policy="non_blank", blank="propagate")), email=MAIL, company="x")
    world.edit(2, company="y").sync()
    assert world.shows("company") == {1: "y", 2: "y"}
    world.edit(1, company=None).sync()
    assert world.shows("company") == {1: "y", 2: "y"}


# -- blanks


@pytest.mark.parametrize("blank", ["ignore", "propagate", "fill_only"])
def test_behaviour_6_a_blank_never_wins(blank: BlankRule) -> None:
    world = World(rules=simple("company", blank=blank)).edit(1, email=MAIL, company=None)
    world.edit(2, email=MAIL, company="Acme").sync()
    assert world.shows("company") == {1: "Acme", 2: "Acme"}, "what nobody filled in was not cleared"
    world.edit(2, company=None).sync()
    assert world.shows("company") == dict.fromkeys((1, 2), None if blank == "propagate" else "Acme")


def test_behaviour_7_a_clear_propagates_where_it_may_and_can_be_filled_again() -> None:
    world = agreed(World(rules=simple("company", blank="propagate")), email=MAIL, company="x")
    world.edit(1, company=None).sync()
    assert world.shows("company") == {1: None, 2: None}
    assert [(e.old, e.new) for e in world.journal if e.kind == "value"] == [("x", None)]
    world.edit(2, company="y").sync()
    assert world.shows("company") == {1: "y", 2: "y"}


def test_behaviour_8_absent_is_unknown() -> None:
    world = agreed(World(rules=simple("company", blank="propagate")), email=MAIL, company="x")
    world.hide(2, "company").edit(2, email="b@x.org")
    assert world.sync() == 1
    assert (world.value("company"), world.value("email")) == ("x", "b@x.org")


def test_fill_only_fills_and_never_replaces_nor_clears() -> None:
    world = World(rules=simple("company", blank="fill_only", apps=3))
    world.edit(1, email=MAIL, company="one").edit(2, email=MAIL, company="two").edit(3, email=MAIL)
    world.sync()
    assert world.shows("company") == {1: "one", 2: "two", 3: "one"}
    world.contact.golden["company"] = None
    assert world.plan() == []


@pytest.mark.parametrize("clean", [True, False])
def test_an_unreadable_value_has_no_say_and_is_left_alone(*, clean: bool) -> None:
    world = agreed(World(rules=simple("birthday")), email=MAIL, birthday="1980-02-01")
    world.edit(2, birthday="whenever").sync()
    assert world.shows("birthday") == {1: "1980-02-01", 2: "whenever"}
    world.edit(2, birthday="1980-02-02" if clean else "1980-02-01").sync()
    assert world.shows("birthday") == dict.fromkeys((1, 2), "1980-02-02" if clean else "1980-02-01")


@pytest.mark.parametrize(("old", "new"), [(1, True), (True, 1), ([1], [True])])
def test_values_that_are_equal_in_python_only_are_seen(old: Raw, new: Raw) -> None:
    rules = rules_of([app_rule(1, ("tags",))], [rule("tags")])
    link = linked(1, seen={"tags": new}, tags=old)
    merge(contact(), [link], rules, 200)
    assert type(link.base["tags"]) is type(new)
    assert repr(link.base["tags"]) == repr(new)


def test_a_cell_that_cannot_be_read_keeps_no_other_back() -> None:
    world = agreed(World(rules=simple("birthday", "company")), email=MAIL, birthday="1980-01-02", company="A")
    world.edit(1, birthday="soon", company="B").sync()
    assert world.shows("company") == {1: "B", 2: "B"}
    assert (world.links[1].unread, world.value("birthday")) == (frozenset({"birthday"}), "1980-01-02")
    world.edit(1, birthday="1980-01-03").sync()
    assert (world.links[1].unread, world.value("birthday")) == (frozenset(), "1980-01-03")


def test_what_an_owner_shows_is_stamped_as_its_own() -> None:
    person = contact(company="A")
    links = [linked(1, company="B", since=70), linked(2, seen={"company": "C"}, company="A", at=90)]
    merge(person, links, simple("company", policy="owner", owners=(1,)), 100)
    assert (person.golden["company"], person.stamps["company"]) == ("B", Stamp(1, 0, 70))


# -- what was assumed in reading


def phones(*, apps: int = 2, rank: int = 1) -> Rules:
    """Make rules of apps with phone numbers; numbers of the one at `rank` are completed by a German region."""
    made = [app_rule(number, ("email", "phone")) for number in range(1, apps + 1)]
    german = field_type("phone", region="DE")
    lens = make_lens("phone", FieldMap(path="phone"), german, flat=False)
    made[rank - 1] = replace(made[rank - 1], lenses={**made[rank - 1].lenses, "phone": lens})
    return rules_of(made, [rule("email"), rule("phone")])


@pytest.mark.parametrize(("raw", "wins"), [("0171 2345678", False), ("+49 171 2345678", True)])
def test_at_the_first_contact_a_country_that_was_assumed_loses_to_one_that_was_written(raw: str, *, wins: bool) -> None:
    world = World(rules=phones()).edit(1, email=MAIL, phone=raw).edit(2, email=MAIL, phone="+43 171 2345678")
    world.sync()
    assert world.value("phone") == ("+491712345678" if wins else "+431712345678")


def test_what_the_contact_has_already_was_assumed_or_written_as_well() -> None:
    world = World(rules=phones()).edit(1, email=MAIL, phone="0171 2345678")
    world.poll().decide()
    world.edit(2, email=MAIL, phone="+43 171 2345678").poll(2).decide()
    assert world.value("phone") == "+431712345678", "the record came later, and its number is written in full"


def test_what_somebody_was_seen_to_type_is_not_assumed() -> None:
    world = World(rules=phones(apps=3)).edit(1, email=MAIL, phone="030 123456").edit(2, email=MAIL)
    world.sync()
    world.edit(1, phone="0171 2345678").edit(3, phone="+43 171 2345678", email=MAIL)
    world.poll().decide()
    assert world.value("phone") == "+491712345678", "typed, so it competes by its time and its rank"


# -- values that have no say


def test_a_one_way_field_is_written_over_with_a_line_in_the_journal() -> None:
    world = World(rules=simple("company", maps={2: {"company": {"direction": "out"}}}))
    world.edit(1, email=MAIL, company="one").edit(2, email=MAIL, company="two").sync()
    assert world.shows("company") == {1: "one", 2: "one"}
    assert world.lost("company") == ["two"]


def test_an_untrusted_app_changes_no_match_key_elsewhere_but_names_its_own_people() -> None:
    rules = rules_of(
        [app_rule(1, ("email", "company")), app_rule(2, ("email", "company"), trusted=False)],
        [rule("email"), rule("company")],
    )
    alone = World(rules=rules).edit(2, company="A")
    alone.sync()
    alone.edit(2, email=MAIL)
    assert alone.sync() == 1, "its own person has a key, so it may have a record elsewhere"
    alone.edit(2, email="other@x.org", company="Acme").sync()
    assert alone.shows("email") == {1: MAIL, 2: MAIL}
    assert alone.lost("email") == ["other@x.org"]
    assert alone.stored[1]["company"] == "Acme"


def test_an_untrusted_app_owns_no_match_key() -> None:
    apps = [app_rule(1, ("email",)), app_rule(2, ("email",), trusted=False), app_rule(3, ("email",))]
    rules = rules_of(apps, [rule("email", "rank", apps=(2, 1))])
    person = contact(email="old@x.org")
    links = [linked(1, email="old@x.org"), linked(2, email="evil@x.org")]
    merge(person, [*links, linked(3, seen={"email": "new@x.org"}, email="old@x.org")], rules, 200)
    assert person.golden["email"] == "old@x.org"


def test_an_untrusted_app_owns_what_nobody_is_matched_by() -> None:
    fields = ("email", "company")
    apps = [app_rule(1, fields), app_rule(2, fields, trusted=False)]
    rules = rules_of(apps, [rule("email"), rule("company", "owner", apps=(2,))])
    person = contact(email=MAIL, company="A")
    merge(person, [linked(1, seen={"company": "C"}, company="A"), linked(2, company="B")], rules, 200)
    assert person.golden["company"] == "B"
