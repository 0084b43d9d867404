"""What is written where, why not, and when a plan looks like a catastrophe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.consent import OUT
from syncd.core.plan import (
    Held,
    Limit,
    check_guards,
    create_intent,
    intents_for,
    may_create,
    new_record,
    update_intent,
    why_not_created,
)
from syncd.core.settle import refuse
from syncd.core.state import NOBODY, Change, Contact, Intent, Link, Stamp
from syncd.model import OPERATOR, Raw
from tests.core_world import CONSENT, World, agreed, app_rule, contact, linked, rule, rules_of, simple

MAIL = "a@x.org"
ONE_WORD = {1: {"company": {"values": {"IT": "COMPUTER"}}}}


def needed(rules: Any, person: Contact, link: Link) -> dict[str, tuple[Raw, Raw]]:
    intent = update_intent(person, link, rules.apps[link.app], rules)
    return {} if intent is None else {n: (c.old, c.new) for n, c in intent.fields.items()}


def test_a_field_is_written_where_the_app_is_known_to_hold_something_else() -> None:
    rules, person = simple("company"), contact(email=MAIL, company="New")
    assert needed(rules, person, linked(2, email=MAIL, company="Old")) == {"company": ("Old", "New")}
    assert needed(rules, person, linked(2, email=MAIL, company="New")) == {}
    assert needed(rules, person, linked(2, email=MAIL)) == {}, "absent is unknown"
    assert needed(rules, person, linked(2, email=MAIL.upper(), company="New")) == {}, "the same by its type"


@pytest.mark.parametrize("held", [True, False])
def test_a_held_field_is_not_written(*, held: bool) -> None:
    rules, person = simple("company"), contact(email=MAIL, company="New")
    person.held = {"company": "a person decides"} if held else {}
    assert bool(needed(rules, person, linked(2, company="Old"))) is not held


def test_a_quarantined_contact_is_written_nowhere() -> None:
    rules, person = simple("company"), contact(email=MAIL, company="New")
    links = {2: linked(2, email=MAIL, company="Old")}
    assert len(intents_for(person, links, rules)) == 2, "an update, and a record in the other app"
    person.review = True
    assert intents_for(person, links, rules) == []


def test_an_app_that_may_not_be_written_gets_nothing() -> None:
    fields = ("email", "company")
    for rules in (
        rules_of([app_rule(2, fields, update=False)], [rule(n) for n in fields]),
        rules_of([app_rule(2, fields, maps={"company": {"direction": "in"}})], [rule(n) for n in fields]),
    ):
        assert needed(rules, contact(company="New"), linked(2, company="Old")) == {}


def test_an_accepted_spelling_is_not_written_again_until_golden_or_it_changes() -> None:
    rules, person = simple("company"), contact(company="New")
    link = linked(2, company="NEW LTD")
    link.acks = {"company": ["'New'", "NEW LTD"]}
    assert needed(rules, person, link) == {}
    link.base["company"] = "other"
    assert needed(rules, person, link) == {"company": ("other", "New")}
    link.base["company"], person.golden["company"] = "NEW LTD", "Newer"
    assert needed(rules, person, link) == {"company": ("NEW LTD", "Newer")}


def refused(world: World, name: str) -> Intent:
    [intent] = world.plan()
    refuse(world.links[2], world._sent(intent), [name], "no such option")
    return intent


def test_a_refused_value_is_parked_and_the_next_one_is_tried() -> None:
    """Fault: once refused, a field of a record was never written again."""
    world = agreed(World(rules=simple("company", "job_title")), email=MAIL, company="a", job_title="b")
    world.edit(1, company="X", job_title="Y").poll()
    world.decide()
    refused(world, "company")
    [intent] = world.plan()
    assert list(intent.fields) == ["job_title"], "the rest of the same write goes on"
    world.write(intent)
    assert world.plan() == []
    assert world.links[2].flaws == {"company": "no such option"}
    assert world.sync() == 0
    world.edit(1, company="Z").poll(1)
    assert ([list(i.fields) for i in world.decide()], world.links[2].flaws) == ([["company"]], {})
    world.sync()
    assert (world.shows("company"), world.links[2].flaws) == ({1: "Z", 2: "Z"}, {})


def test_a_refused_value_that_comes_again_after_another_one_is_tried_again() -> None:
    """Seed 18870: nobody had got round to writing the other one, and the refusal counted still, untold."""
    world = agreed(World(rules=simple("company")), email=MAIL, company="a")
    world.edit(1, company="X").poll()
    world.decide()
    refused(world, "company")
    world.edit(1, company="Z").poll(1)
    world.decide()
    world.edit(1, company="X").poll(1)
    assert [list(intent.fields) for intent in world.decide()] == [["company"]]


def test_a_refused_value_is_tried_again_when_the_apps_own_value_changes() -> None:
    world = agreed(World(rules=simple("company", policy="owner", owners=(1,))), email=MAIL, company="a")
    world.edit(1, company="X").poll()
    world.decide()
    refused(world, "company")
    assert world.plan() == []
    world.edit(2, company="drift").sync()
    assert world.shows("company") == {1: "X", 2: "X"}


def test_too_long_a_value_is_parked_and_the_flaw_goes_with_its_cause() -> None:
    """Fault: the flaw stayed when the app's own value became equal."""
    rules, person = simple("company", maps={2: {"company": {"max_length": 3}}}), contact(company="Annabel")
    link = linked(2, company="Old")
    assert needed(rules, person, link) == {}
    assert "longer than the 3 characters" in link.flaws["company"]
    person.golden["company"] = "Old"
    assert needed(rules, person, link) == {}
    assert link.flaws == {}


def test_a_word_that_means_something_else_there_is_not_written() -> None:
    """Fault: COMPUTER, typed elsewhere, was written where COMPUTER stands for IT."""
    rules, person = simple("company", maps=ONE_WORD), contact(email=MAIL, company="COMPUTER")
    link = linked(1, company="Old")
    assert needed(rules, person, link) == {}
    assert "another value" in link.flaws["company"]
    assert new_record(person, rules.apps[1], rules) == {"email": MAIL}
    person.golden["company"] = "IT"
    assert needed(rules, person, link) == {"company": ("Old", "COMPUTER")}
    assert needed(rules, person, linked(1, company="computer")) == {}
    swapped = simple("company", maps={1: {"company": {"values": {"IT": "COMPUTER", "Trade": "IT"}}}})
    assert needed(swapped, person, linked(1, company="IT")) == {"company": ("IT", "COMPUTER")}


def test_what_would_be_no_value_any_more_is_not_written() -> None:
    maps = {2: {"tags": {"max_length": 3, "options": {"overflow": "truncate"}}}}
    rules = rules_of([app_rule(2, ("tags",), maps=maps[2], flat=True)], [rule("tags")])
    link = linked(2, tags=None)
    assert needed(rules, contact(tags=["alphabetical"]), link) == {}
    assert link.flaws != {}


def test_a_value_that_the_app_holds_as_far_as_it_can_is_not_written() -> None:
    maps = {2: {"company": {"max_length": 3, "options": {"overflow": "truncate"}}}}
    assert needed(simple("company", maps=maps), contact(company="Annabel"), linked(2, company="Ann")) == {}
    rules = rules_of([app_rule(2, ("tags",), flat=True)], [rule("tags")])
    assert needed(rules, contact(tags=["Smith, John"]), linked(2, tags="Smith, John")) == {}, "the same text again"


def test_clears_are_marked_and_a_required_field_is_not_cleared() -> None:
    rules, person = simple("company", blank="propagate"), contact(company=None)
    intent = update_intent(person, linked(2, company="Old"), rules.apps[2], rules)
    assert intent is not None
    assert (intent.clears, intent.fields["company"].new) == (True, None)
    required = simple("company", blank="propagate", maps={2: {"company": {"required": True}}})
    link = linked(2, company="Old")
    assert needed(required, person, link) == {}
    assert link.flaws == {"company": "required there; it cannot be cleared"}
    filler = {"required": True, "options": {"placeholder": "n.n."}}
    assert needed(simple("company", maps={2: {"company": filler}}), person, linked(2, company="Old")) == {
        "company": ("Old", "n.n.")
    }


def test_a_set_can_be_cleared() -> None:
    """Fault: it raised."""
    for flat in (True, False):
        rules = rules_of([app_rule(2, ("tags",), flat=flat)], [rule("tags", blank="propagate")])
        assert needed(rules, contact(tags=None), linked(2, tags="a")) == {"tags": ("a", None)}


def test_the_reason_names_the_source() -> None:
    rules = simple("company")
    person = contact(company="New")

    def reason(raw: str | None) -> str:
        intent = update_intent(person, linked(2, company=raw), rules.apps[2], rules)
        assert intent is not None
        return intent.fields["company"].reason

    for source, words in ((1, "app1"), (NOBODY, "an app that is gone")):
        person.stamps["company"] = Stamp(source, 0, 1)
        assert (reason("Old"), reason(None)) == (f"latest, from {words}", f"fills a blank, from {words}")
    person.stamps["company"] = Stamp(OPERATOR, 0, 1)
    assert {reason("Old"), reason(None)} == {"an operator decided it"}


def test_an_update_says_whose_record_it_is_and_which_state_of_it_was_seen() -> None:
    rules = rules_of([app_rule(2, ("company", "city"))], [rule("company", blank="propagate"), rule("city")])
    link = linked(2, company="Old", city="Rome")
    link.version = "v7"
    person = contact(company="New", city="Rome")
    assert update_intent(person, link, rules.apps[2], rules) == Intent(
        app=2,
        kind="update",
        contact=1,
        record="r2",
        fields={"company": Change(old="Old", new="New", reason="latest, from an app that is gone")},
        version="v7",
    )
    person.golden |= {"company": None, "city": "Oslo"}
    intent = update_intent(person, link, rules.apps[2], rules)
    assert intent is not None
    assert (intent.clears, intent.fields["company"].reason) == (True, "cleared")
    assert intent.fields["city"].new == "Oslo", "clearing one field keeps no other back"


def test_a_create_says_what_the_record_will_hold_and_why() -> None:
    filler = {"required": True, "options": {"placeholder": "n.n."}}
    rules = simple("company", "city", maps={2: {"company": filler}})
    assert create_intent(contact(email=MAIL, city="Rome"), rules.apps[2], rules) == Intent(
        app=2,
        kind="create",
        contact=1,
        record="",
        fields={
            "email": Change(old=None, new=MAIL, reason="fills a blank, from app1"),
            "company": Change(old=None, new="n.n.", reason="required; placeholder"),
            "city": Change(old=None, new="Rome", reason="fills a blank, from app1"),
        },
    )
    assert create_intent(contact(city="Rome"), rules.apps[2], rules) is None, "no match key"


# -- creates


def test_behaviour_16_a_required_field_that_is_missing_creates_nothing_there() -> None:
    rules = simple("company", maps={2: {"company": {"required": True}}})
    person = contact(email=MAIL)
    assert why_not_created(person, rules.apps[2], rules) == "required field missing: company"
    assert intents_for(person, {1: linked(1, email=MAIL, company=None)}, rules) == []
    person.golden["company"] = "Acme"
    assert why_not_created(person, rules.apps[2], rules) is None


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ({"required": True, "max_length": 3}, "Annabel", "longer than"),
        ({"required": True, "values": {"IT": "COMPUTER"}}, "COMPUTER", "another value"),
    ],
)
def test_a_required_field_that_cannot_be_spelled_there_creates_nothing(where: Any, value: str, why: str) -> None:
    """Fault: the record was sent without it, and refused."""
    rules = simple("company", maps={2: {"company": where}})
    said = why_not_created(contact(email=MAIL, company=value), rules.apps[2], rules)
    assert said is not None
    assert said.startswith("required field company: ")
    assert why in said
    assert value not in said


def test_what_waits_for_a_person_is_neither_key_nor_required_field_of_a_new_record() -> None:
    """Fault: a record was created without the address that people were asked about."""
    rules, person = simple("company", maps={2: {"company": {"required": True}}}), contact(email=MAIL, company="A")
    person.held = {"email": "a person decides"}
    assert "no match key" in str(why_not_created(person, rules.apps[2], rules))
    person.held = {"company": "a person decides"}
    assert why_not_created(person, rules.apps[2], rules) == "required field waits for a decision: company"


def test_a_placeholder_fills_a_required_field_of_a_new_record_only() -> None:
    filler = {"required": True, "options": {"placeholder": "n.n."}}
    rules = simple("company", maps={2: {"company": filler}})
    intent = create_intent(contact(email=MAIL), rules.apps[2], rules)
    assert intent is not None
    assert (intent.fields["company"].new, intent.fields["company"].reason) == ("n.n.", "required; placeholder")
    assert needed(rules, contact(email=MAIL), linked(2, email=MAIL, company=None)) == {}


def test_nothing_is_created_twice_after_a_removal_or_a_refusal_or_while_undecided() -> None:
    rules = simple()
    links = {1: linked(1, email=MAIL)}
    for person in (contact(email=MAIL), contact(email=MAIL), contact(email=MAIL)):
        assert may_create(person, links, rules.apps[2])
    gone, refuses, undecided = contact(email=MAIL), contact(email=MAIL), contact(email=MAIL)
    gone.tombs, refuses.refused, undecided.review = {2: 5}, {2: "no"}, True
    for person in (gone, refuses, undecided):
        assert not may_create(person, links, rules.apps[2])
        assert intents_for(person, links, rules) == []
    assert not may_create(contact(email=MAIL), {}, rules.apps[2])


def test_a_value_that_a_new_record_cannot_hold_is_left_out() -> None:
    rules = simple("company", maps={2: {"company": {"max_length": 3}}})
    assert new_record(contact(email=MAIL, company="Annabel"), rules.apps[2], rules) == {"email": MAIL}
    cut = {"tags": {"max_length": 3, "options": {"overflow": "truncate"}}}
    rules = rules_of([app_rule(2, ("email", "tags"), maps=cut, flat=True)], [rule("email"), rule("tags")])
    assert new_record(contact(email=MAIL, tags=["alphabetical"]), rules.apps[2], rules) == {"email": MAIL}
    assert new_record(contact(email=MAIL, tags=["a", "b"]), rules.apps[2], rules) == {"email": MAIL, "tags": "a"}


@pytest.mark.parametrize(
    ("fields", "golden", "why"),
    [
        (("email",), {"city": "Rome"}, "no match key: a second record could not be told from a first"),
        (("city",), {"email": MAIL}, "nothing that this app could hold"),
        (("email",), {"email": MAIL}, None),
    ],
)
def test_why_nothing_is_created(fields: tuple[str, ...], golden: dict[str, str], why: str | None) -> None:
    rules = rules_of([app_rule(2, fields)], [rule("email"), rule("city")])
    assert why_not_created(contact(**golden), rules.apps[2], rules) == why
    outside = replace(rules.apps[2], scope=lambda golden: golden.get("city") == "Oslo")
    assert why_not_created(contact(**golden), outside, rules) == (
        why if why and why.startswith("no match key") else "out of this app's scope"
    )


def test_an_app_that_only_shows_what_is_known_could_hold_nothing() -> None:
    rules = rules_of([app_rule(2, ("email",), maps={"email": {"direction": "in"}})], [rule("email")])
    assert why_not_created(contact(email=MAIL), rules.apps[2], rules) == "nothing that this app could hold"


# -- guards


@pytest.mark.parametrize(
    ("linked_records", "allowed"),
    [(0, 50), (1, 3), (6, 3), (20, 10), (100, 50), (1000, 50), (2000, 100)],
)
def test_a_limit_is_the_greater_part_and_small_in_a_small_app(linked_records: int, allowed: int) -> None:
    assert Limit(absolute=50, percent=5).of(linked_records) == allowed


@given(st.integers(0, 10**6), st.integers(0, 200), st.floats(0, 100))
def test_a_limit_never_falls_when_an_app_grows(linked_records: int, absolute: int, percent: float) -> None:
    limit = Limit(absolute=absolute, percent=percent)
    assert 0 < max(1, limit.of(linked_records)) <= max(1, limit.of(linked_records + 1)) or linked_records == 0


def test_guards_hold_what_is_more_than_allowed_or_approved() -> None:
    limits = {"updates": Limit(absolute=3, percent=0), "clears": Limit(absolute=1, percent=0)}
    counts = {("crm", "updates"): 4, ("crm", "clears"): 1, ("crm", "opt_outs"): 999, ("news", "updates"): 3}
    linked_records = {"crm": 1000, "news": 1000}
    held = [Held(app="crm", verb="updates", count=4, limit=3)]
    assert check_guards(counts, linked_records, limits, {}, {}) == held, "opt-outs have no limit of their own here"
    assert check_guards(counts, linked_records, limits, {("crm", "updates"): 4}, {}) == []
    assert check_guards(counts, linked_records, limits, {("crm", "updates"): 3}, {}) == held


@pytest.mark.parametrize(
    ("done", "approved", "count", "allowed"),
    [(0, 0, 3, 3), (2, 0, 1, 1), (2, 0, 2, 1), (3, 0, 1, 0), (9, 9, 3, 3), (9, 9, 4, 3), (12, 9, 1, 0), (0, 9, 9, 9)],
)
def test_all_passes_of_a_run_share_one_limit(done: int, approved: int, count: int, allowed: int) -> None:
    """What was approved goes beside what may go unasked."""
    key = ("crm", "updates")
    held = check_guards(
        {key: count}, {"crm": 99}, {"updates": Limit(absolute=3, percent=0)}, {key: approved}, {key: done}
    )
    assert held == ([Held(app="crm", verb="updates", count=count, limit=allowed)] if count > allowed else [])


def test_a_create_says_that_consent_goes_with_the_record() -> None:
    rules = rules_of([app_rule(i, ("email", CONSENT)) for i in (1, 2)], [rule("email")], consents=(CONSENT,))
    intent = create_intent(contact(email=MAIL, **{CONSENT: OUT}), rules.apps[2], rules)
    assert intent is not None
    assert intent.fields[CONSENT] == Change(old=None, new=OUT, reason="consent travels with the new record")
