"""Atoms: what is one value, when two are the same, and when what an app shows is the contact's value in its spelling."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.core.atoms import (
    DIGEST_CHARS_MAX,
    agree,
    answered,
    atom_key,
    atom_value,
    digest_key,
    fits,
    holds,
    put,
    read_group,
    same_raw,
    value_key,
)
from syncd.core.fields import Invalid
from syncd.core.fights import alternates, forget, insists
from syncd.core.groups import complete, fill
from syncd.core.policies import Candidate
from syncd.core.rules import Atom, Rules
from syncd.core.state import Link, Stamp
from syncd.model import Raw
from tests.core_world import ADDRESS, app_rule, contact, linked, rule, rules_of, simple

ONE, TWO = Stamp(1, 0, 10), Stamp(2, 0, 20)


def address_rules(**options: Any) -> Rules:
    fields = ("email", *ADDRESS)
    return rules_of([app_rule(1, fields, **options)], [rule(n) for n in fields], group=ADDRESS)


def whole(rules: Rules) -> Atom:
    return rules.atoms["address"]


def test_a_value_is_compared_by_the_key_of_its_type() -> None:
    rules = address_rules()
    assert value_key(rules, "email", "Bob@X.org") == value_key(rules, "email", "bob@x.org") == "bob@x.org"
    assert value_key(rules, "no_such_field", "Bob") == "Bob", "without a rule the value is its own key"
    assert value_key(rules, "email", None) is None
    assert value_key(rules, "email", Invalid(reason="no")) is None
    assert atom_key(rules, rules.atoms["email"], "Bob@X.org") == "bob@x.org"
    assert atom_key(rules, rules.atoms["email"], None) is None


def test_the_key_of_a_group_is_that_of_its_members_in_order() -> None:
    rules = address_rules()
    key = atom_key(rules, whole(rules), {"city": "Rome", "street": "A 1,\n2"})
    assert key == (value_key(rules, "street", "A 1 2"), "Rome", None)
    assert atom_key(rules, whole(rules), {"city": None, "region": None}) is None, "blank altogether"
    assert atom_key(rules, whole(rules), {}) is None


def test_a_key_is_stored_as_it_is_while_it_is_short() -> None:
    short, long = "x" * (DIGEST_CHARS_MAX - 2), "x" * (DIGEST_CHARS_MAX - 1)
    assert digest_key(short) == repr(short)
    assert len(digest_key(long)) == 24, "twelve bytes"
    assert digest_key(long) != digest_key(long + "x")


def test_what_is_put_is_read_back_and_names_its_source() -> None:
    rules = address_rules()
    person = contact(email="a@x.org", street="Old 1", region="Lazio")
    put(person, rules.atoms["email"], "b@x.org", TWO)
    assert (person.golden["email"], person.stamps["email"]) == ("b@x.org", TWO)
    put(person, whole(rules), {"street": "A 1", "city": "Rome"}, TWO, {"city": ONE})
    assert atom_value(person, whole(rules)) == {"street": "A 1", "city": "Rome"}
    assert (person.stamps["street"], person.stamps["city"]) == (TWO, ONE)
    assert "region" not in person.golden.keys() | person.stamps.keys(), "what the new address does not name is unknown"
    assert atom_value(person, rules.atoms["email"]) == "b@x.org"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        ([1], [1], True),
        ([1], [True], False),
        ({"a": 1}, {"a": 1.0}, False),
        ("a", "b", False),
        (None, None, True),
    ],
)
def test_one_and_true_are_two_things_that_an_app_can_show(a: Raw, b: Raw, *, same: bool) -> None:
    assert same_raw(a, b) is same


def test_an_answer_counts_for_the_very_value_and_the_very_question() -> None:
    link = linked(1)
    link.acks = {"company": ["'Acme'", "ACME LTD"]}
    assert answered(link, "company", "'Acme'", "ACME LTD")
    assert not answered(link, "company", "'Other'", "ACME LTD")
    assert not answered(link, "company", "'Acme'", "Acme")
    assert not answered(link, "city", "'Acme'", "ACME LTD")


def test_an_app_holds_the_value_in_its_own_letter_case_or_in_a_spelling_that_was_accepted() -> None:
    rules = simple("company")
    person, link = contact(email="Bob@X.org", company="Acme"), linked(1)
    app = rules.apps[1]
    assert holds(person, link, "email", "BOB@x.org", app, rules)
    assert not holds(person, link, "email", "tom@x.org", app, rules)
    assert holds(person, link, "phone", "anything", app, rules), "the contact has no opinion"
    assert not holds(person, link, "company", "ACME LTD", app, rules)
    link.acks = {"company": ["'Acme'", "ACME LTD"]}
    assert holds(person, link, "company", "ACME LTD", app, rules)
    link.acks = {"company": ["'Acme'", "ACME LTD", "refused"]}
    assert not holds(person, link, "company", "ACME LTD", app, rules), "a refusal is no spelling"


def test_an_app_that_cuts_holds_the_value_when_it_holds_its_part() -> None:
    maps = {1: {"notes": {"max_length": 9, "options": {"overflow": "truncate"}}}}
    rules = simple("notes", maps=maps)
    app, link = rules.apps[1], linked(1)
    person = contact(notes="one two  three")
    assert holds(person, link, "notes", "one two", app, rules), "the part that it holds, by its type's key"
    assert holds(person, link, "notes", "one  two", app, rules)
    assert not holds(person, link, "notes", "one", app, rules)
    assert not holds(person, link, "notes", None, app, rules)
    assert not holds(contact(notes=None), link, "notes", "one", app, rules)
    whole_ = simple("notes")
    assert not holds(person, link, "notes", "one two", whole_.apps[1], whole_), "this one does not cut"


def test_an_app_that_can_hold_nothing_of_a_value_does_not_hold_it() -> None:
    maps = {"tags": {"max_length": 5, "options": {"overflow": "truncate"}}}
    rules = rules_of([app_rule(1, ("tags",), maps=maps, flat=True)], [rule("tags")])
    person = contact(tags=["alphabetical order"])
    assert not holds(person, linked(1), "tags", None, rules.apps[1], rules)
    assert not holds(person, linked(1), "tags", "", rules.apps[1], rules)


def test_addresses_agree_where_no_member_says_otherwise() -> None:
    rules = address_rules()
    assert agree(rules, whole(rules), {"street": "A 1\nB", "city": None}, {"street": "A 1, B", "region": "Lazio"})
    assert not agree(rules, whole(rules), {"city": "Rome"}, {"city": "Oslo"})


def read(before: dict[str, Raw], now: dict[str, Raw], **golden: Any) -> tuple[Any, ...]:
    rules = address_rules()
    shown = read_group(contact(**golden), linked(1), whole(rules), before, now, rules.apps[1], rules)
    return shown.value, shown.base, shown.opinion, (shown.has_base, shown.causal)


def test_what_a_group_says_is_what_changed_and_what_stands_beside_it() -> None:
    before: dict[str, Raw] = {"street": "Old 1", "city": "Rome", "region": None}
    now: dict[str, Raw] = {"street": "New 2", "city": "Rome", "region": None}
    value, base, opinion, (has_base, causal) = read(before, now, street="Old 1", city="Rome")
    assert (value, opinion) == ({"street": "New 2", "city": "Rome"}, {"street"})
    assert (base, has_base, causal) == ({"street": "Old 1", "city": "Rome", "region": None}, True, True)
    assert read(before, now, street="Another 3")[3] == (True, False), "it did not hold the contact's street"


def test_a_member_that_is_spelled_otherwise_is_no_change_of_it() -> None:
    value, _, opinion, _ = read({"street": "A 1\nB", "city": "x"}, {"street": "A 1, B", "city": "y"}, street="A 1\nB")
    assert (value, opinion) == ({"street": "A 1\nB", "city": "y"}, {"city"})


def test_a_member_that_is_cleared_is_an_opinion_and_one_that_was_blank_is_none() -> None:
    value, base, opinion, _ = read({"street": "A 1", "city": None}, {"street": None, "city": None}, street="A 1")
    assert (value, base, opinion) == ({"street": None}, {"street": "A 1", "city": None}, {"street"})


def test_of_a_new_record_every_member_that_is_filled_is_an_opinion() -> None:
    value, base, opinion, flags = read({}, {"street": "A 1", "city": None, "region": [1]})
    assert (value, base, opinion, flags) == ({"street": "A 1"}, {}, {"street"}, (False, False))


def candidate(app: int, **value: Any) -> Candidate:
    return Candidate(app=app, rank=app, value=value, key=None, stamp=Stamp(app, 0, app))


def test_gaps_are_filled_and_name_who_filled_them() -> None:
    mine = candidate(1, street="A 1")
    fill(mine, {"street": "Other 9", "city": "Rome", "region": None}, {"street": TWO, "city": TWO})
    assert (mine.value, mine.filled) == ({"street": "A 1", "city": "Rome"}, {"city": TWO})
    rules = address_rules()
    both = candidate(1, street="A 1"), candidate(2, street="A 1", city="Rome")
    complete(both, whole(rules), rules)
    assert both[0].value == both[1].value == {"street": "A 1", "city": "Rome"}
    assert both[0].key == both[1].key == atom_key(rules, whole(rules), both[0].value)
    assert (both[0].filled, both[1].filled) == ({"city": Stamp(2, 0, 2)}, {})


def test_who_waits_for_a_person_is_counted_afresh_and_nobody_else_is() -> None:
    rules, person = simple("company", "city"), contact()
    person.flips = {"company": [1], "company@2": [2], "city": [3], "city@1": [4]}
    forget(person, rules.atoms["company"])
    assert person.flips == {"city": [3], "city@1": [4]}


def test_an_app_that_leaves_the_contacts_value_for_the_same_one_again_and_again_fights() -> None:
    rules, person = simple("company"), contact()
    atom = rules.atoms["company"]
    assert [insists(person, atom, {"company": "x"}, 2, rules, now_ms) for now_ms in (1, 2, 3)] == [False, False, True]
    assert not insists(person, atom, {"company": "x"}, 1, rules, 4), "another app is counted apart"
    assert not insists(person, atom, {"company": "y"}, 2, rules, 5), "another value is a first one"
    assert not insists(person, atom, {"company": "y"}, 2, rules, 6)
    assert not insists(person, atom, {"company": "y"}, 2, rules, 6 + rules.flips_window_ms), "long ago is forgotten"


def test_a_value_that_goes_to_and_fro_between_two_apps_is_a_fight() -> None:
    rules, person = simple("company"), contact()
    atom, there, back = rules.atoms["company"], ("a", "b", 1), ("b", "a", 2)
    turns = [alternates(person, atom, *turn, rules, 10) for turn in (there, back, there, back)]
    assert turns == [False, False, False, True]
    assert not alternates(person, atom, "a", "b", 2, rules, 10), "by one app alone it is none"
    person.flips.clear()
    late = rules.flips_window_ms
    for turn in (there, back, there):
        alternates(person, atom, *turn, rules, 10)
    assert alternates(person, atom, *back, rules, 10 + late), "at the very end of the time it still counts"
    for turn in (there, back, there):
        alternates(person, atom, *turn, rules, 10)
    assert not alternates(person, atom, *back, rules, 10 + 2 * late)


def test_a_link_without_answers_answers_nothing() -> None:
    assert not answered(Link(app=1, id="r", contact=1), "company", "None", None)


def test_of_a_group_a_value_fits_that_names_members_by_their_types_or_is_blank() -> None:
    """What the journal kept of a time when the field was no address fits no more."""
    rules = rules_of([app_rule(1, ADDRESS)], [rule(name) for name in ADDRESS], group=ADDRESS)
    address = rules.atoms["address"]
    assert fits(rules, address, None)
    assert fits(rules, address, {"street": "High Street 1", "city": None})
    assert not fits(rules, address, "High Street 1")
    assert not fits(rules, address, {"colour": "red"})
