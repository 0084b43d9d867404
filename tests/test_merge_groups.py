"""Groups (an address is one value) and fights (ping-pong), told as stories."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from syncd.core.atoms import put
from syncd.core.merge import merge
from syncd.core.plan import update_intent
from syncd.core.rules import Rules
from syncd.core.settle import settle
from syncd.core.state import Link, Sent, Stamp
from syncd.model import OPERATOR
from tests.core_world import ADDRESS, World, agreed, app_rule, contact, cut, linked, rule, rules_of, simple

MAIL = "a@x.org"
DAY_MS = 24 * 3600 * 1000


def address_rules(*, narrow: int | None = None, blank: Any = "ignore", owner: int | None = None) -> Rules:
    """Two or three apps with an address; `narrow` does not offer the region."""
    apps = [app_rule(i, ("email", *(n for n in ADDRESS if (i, n) != (narrow, "region")))) for i in (1, 2)]
    policy: Any = "owner" if owner else "latest"
    fields = [rule("email"), *(rule(n, policy, blank=blank, apps=(owner,) if owner else ()) for n in ADDRESS)]
    return rules_of(apps, fields, group=ADDRESS)


def address(world: World) -> dict[str, Any]:
    return {n: world.value(n) for n in ADDRESS if n in world.contact.golden}


# -- groups


def test_a_member_that_an_app_does_not_offer_is_not_cleared_elsewhere() -> None:
    """Fault: B's region was cleared because A has no region."""
    for b in (
        {"street": "Main 1", "city": "Bonn", "region": "NRW"},
        {"street": "Oak 2", "city": "Ulm", "region": "BW"},
    ):
        world = World(rules=address_rules(narrow=1))
        world.edit(1, email=MAIL, street="Main 1", city="Bonn").edit(2, email=MAIL, **b).sync()
        assert world.stored[2] == {"email": MAIL, "street": "Main 1", "city": "Bonn", "region": b["region"]}
        assert ("region" in world.contact.golden) is (b["city"] == "Bonn")


def test_an_app_that_lacks_the_first_member_of_an_address_may_change_the_others() -> None:
    apps = [app_rule(1, ("email", *ADDRESS)), app_rule(2, ("email", *ADDRESS[1:]))]
    rules = rules_of(apps, [rule("email"), *map(rule, ADDRESS)], group=ADDRESS)
    world = agreed(World(rules=rules), email=MAIL, street="Main 1", city="Bonn", region="NRW")
    world.edit(2, city="Ulm").sync()
    assert (world.shows("city"), world.shows("street")[1]) == ({1: "Ulm", 2: "Ulm"}, "Main 1")


def test_what_is_typed_beside_an_address_travels_with_it() -> None:
    fields = ("email", *ADDRESS, "company")
    rules = rules_of([app_rule(1, fields), app_rule(2, fields)], [*map(rule, fields)], group=ADDRESS)
    world = agreed(World(rules=rules), email=MAIL, street="Main 1", city="Bonn", company="Acme")
    world.edit(2, street="Oak 2", city="Ulm", company="Other").sync()
    assert [world.shows(name)[1] for name in ("street", "city", "company")] == ["Oak 2", "Ulm", "Other"]


def test_one_cleared_cell_of_an_address_is_filled_again() -> None:
    """Fault: under `ignore` it was cleared everywhere."""
    world = agreed(World(rules=address_rules()), email=MAIL, street="Main 1", city="Bonn", region="NRW")
    world.edit(2, city=None).sync()
    assert world.shows("city") == {1: "Bonn", 2: "Bonn"}
    world = agreed(World(rules=address_rules(blank="propagate")), email=MAIL, street="Main 1", city="Bonn")
    world.edit(2, city=None).sync()
    assert world.shows("city") == {1: None, 2: None}


def test_who_moves_takes_the_old_region_along_only_if_it_is_still_typed() -> None:
    world = agreed(World(rules=address_rules()), email=MAIL, street="Main 1", city="Dallas", region="TX")
    world.edit(1, street="Ring 2", city="Bonn", region=None).sync()
    assert world.shows("region") == {1: None, 2: None}
    assert world.shows("city") == {1: "Bonn", 2: "Bonn"}


def test_addresses_that_agree_complete_each_other() -> None:
    for owner in (None, 1):
        world = World(rules=address_rules(owner=owner)).edit(1, email=MAIL, street="Main 1", city="Bonn")
        world.edit(2, email=MAIL, city="Bonn", region="NRW").sync()
        assert address(world) == {"street": "Main 1", "city": "Bonn", "region": "NRW"}
        assert world.lost("address") == []
        assert world.sync() == 0


def sources_are_true(world: World) -> bool:
    """Say whether every app that is named as a source was seen to show that value."""
    stamps, golden = world.contact.stamps, world.contact.golden
    return all((stamps[name].app, name, value) in world.typed for name, value in golden.items() if value is not None)


def test_who_filled_a_blank_of_an_address_is_named_for_it() -> None:
    """Fault: crm's city was blank and books had London; "fills a blank, from crm" was said of what crm got."""
    world = World(rules=address_rules()).edit(1, email=MAIL, street="Main 1").edit(2, email=MAIL, city="London")
    world.sync()
    fields = {name: change.reason for intent in world.written for name, change in intent.fields.items()}
    assert fields == {"city": "fills a blank, from app2", "street": "fills a blank, from app1"}


@pytest.mark.parametrize(("blank", "owner"), [("ignore", None), ("propagate", None), ("ignore", 1), ("ignore", 2)])
def test_an_app_that_is_named_as_the_source_of_a_member_did_show_it(blank: Any, owner: int | None) -> None:
    cells, rules = (None, "A", "B"), address_rules(blank=blank, owner=owner)
    for one, two, three, four in product(cells, repeat=4):
        first = (
            World(rules=rules).edit(1, email=MAIL, street=one, city=two).edit(2, email=MAIL, street=three, city=four)
        )
        first.sync()
        assert sources_are_true(first)
        for app, name, raw in product((1, 2), ("street", "city"), cells):
            world = first.copy().edit(app, **{name: raw}).edit(3 - app, region="R")
            world.sync()
            assert sources_are_true(world), (one, two, three, four, app, name, raw)


def test_a_gap_that_is_filled_later_leaves_the_other_members_as_they_are() -> None:
    world = World(rules=address_rules(narrow=1)).edit(2, email=MAIL, city="Bonn", region="NRW").edit(1, email=MAIL)
    world.sync()
    world.edit(1, street="Main 1").sync()
    assert address(world) == {"street": "Main 1", "city": "Bonn", "region": "NRW"}


def test_an_address_that_an_undo_gave_back_is_that_apps_own() -> None:
    """Fault: it was taken for a spelling of the contact's, and an edit of the city mixed the two."""
    rules, person = address_rules(), group_of("Main 1", stamp=Stamp(1, 0, 50))
    back = {"street": "Oak 2", "city": "Ulm"}
    link = linked(2, seen=back, street="Main 1", city="Bonn")
    golden = {"street": repr("Main 1"), "city": repr("Bonn")}
    sent = Sent(app=2, contact=1, kind="update", record="r2", fields=back, golden=golden, version=None, at_ms=90)
    settle(link, sent, rules.apps[2], rules, authored=True)
    link.seen = None
    assert update_intent(person, link, rules.apps[2], rules) is None, "it keeps that"
    link.seen = linked(2, seen={**back, "city": "Rom"}, at=120, since=110).seen
    merge(person, [linked(1, street="Main 1", city="Bonn"), link], rules, 130)
    assert person.golden == {"street": "Oak 2", "city": "Rom"}


def test_the_stamp_of_a_group_is_its_latest() -> None:
    rules, person = address_rules(), contact(street="Main 1", city="Bonn")
    person.stamps |= {"street": Stamp(2, 0, 10), "city": Stamp(1, 80, 90)}
    old = linked(2, seen={"street": "Oak 2", "city": "Ulm"}, street="Elm 3", city="Rom", at=100, since=50)
    merge(person, [linked(1, street="Main 1", city="Bonn"), old], rules, 110)
    assert person.golden["city"] == "Bonn"


def group_of(street: str, *, stamp: Stamp) -> Any:
    person = contact(street=street, city="Bonn")
    person.stamps |= dict.fromkeys(("street", "city"), stamp)
    return person


def test_a_member_without_an_opinion_does_not_make_an_edit_less_causal() -> None:
    person, rules = group_of("Main 1", stamp=Stamp(1, 0, 100)), address_rules(narrow=1)
    shown = {"street": "Oak 2", "city": "Bonn", "region": "NRW"}
    link = linked(2, seen=shown, street="Main 1", city="Bonn", region="NRW", at=120, since=60)
    merge(person, [linked(1, street="Main 1", city="Bonn"), link], rules, 130)
    assert person.golden == {**shown, "region": "NRW"}


def test_a_record_that_is_new_to_the_contact_has_no_golden_address_in_front_of_it() -> None:
    person = group_of("Main 1", stamp=Stamp(1, 0, 100))
    link = linked(2, seen={"street": "Oak 2", "city": "Ulm"}, at=120)
    merge(person, [linked(1, street="Main 1", city="Bonn"), link], address_rules(), 130)
    assert person.golden == {"street": "Main 1", "city": "Bonn"}


def test_a_member_that_is_only_written_has_no_say_in_the_group() -> None:
    apps = [app_rule(1, ADDRESS), app_rule(2, ADDRESS, maps={"region": {"direction": "out"}})]
    rules = rules_of(apps, [rule(n) for n in ADDRESS], group=ADDRESS)
    person = group_of("Main 1", stamp=Stamp(1, 0, 100))
    old = {"street": "Main 1", "city": "Bonn", "region": "NRW"}
    link = linked(2, seen={**old, "street": "Oak 2"}, at=120)
    link.base = dict(old)
    merge(person, [linked(1, street="Main 1", city="Bonn", region=None), link], rules, 130)
    assert person.golden == {"street": "Oak 2", "city": "Bonn"}


def test_undoing_a_group_forgets_members_that_had_no_value() -> None:
    person = contact(street="New", region="TX")
    put(person, address_rules().atoms["address"], {"street": "Old"}, Stamp(OPERATOR, 5, 5))
    assert person.golden == {"street": "Old"}


def test_a_members_cut_spelling_does_not_come_back_with_an_edit_of_another() -> None:
    world = World(rules=address_rules(), norms={2: cut(5)})
    world.edit(1, email="a@b.c", street="Long Street 1", city="Bonn").sync()
    assert world.stored[2]["street"] == "Long "
    world.edit(2, city="Köln").sync()
    assert address(world) == {"street": "Long Street 1", "city": "Köln"}
    assert world.shows("street") == {1: "Long Street 1", 2: "Long "}


def test_the_only_record_of_a_new_contact_is_merged_in_one_go_as_any_other() -> None:
    rules = address_rules()
    shown = {"email": MAIL, "street": "Main 1", "city": None, "region": "-"}
    quick, slow = contact(), contact()
    one = Link(app=1, id="r1", contact=1, seen=linked(1, seen=shown).seen)
    two = Link(app=1, id="r1", contact=1, seen=linked(1, seen=shown).seen)
    merge(quick, [one], rules, 200)
    merge(slow, [two, linked(2)], rules, 200)
    assert (quick.golden, quick.stamps, one) == (slow.golden, slow.stamps, two)


# -- ping-pong


def rewriting(policy: Any, other: Callable[[World, int], None], rounds: int, pause_ms: int = 10) -> World:
    owners = (1,) if policy == "owner" else ()
    world = agreed(World(rules=simple("company", "job_title", policy=policy, owners=owners)), email=MAIL, company="x")
    for number in range(rounds):
        world.now_ms += pause_ms
        other(world, number)
        world.sync()
    return world


def two_actors(world: World, number: int) -> None:
    world.edit(2 - number % 2, company="x" if number % 2 else "y")


@pytest.mark.parametrize(
    ("policy", "other"),
    [
        ("latest", two_actors),
        ("owner", lambda world, _: world.edit(2, company="y")),
        ("lock", lambda world, _: world.edit(2, company="y")),
        ("latest", lambda world, _: world.edit(2, company=None)),
    ],
    ids=["two apps", "owner", "lock", "blanked again and again"],
)
def test_behaviour_2_ping_pong_freezes_after_three_times(policy: Any, other: Callable[[World, int], None]) -> None:
    """Faults: fights that policy wins, and blanks that are filled each time, went on for ever."""
    world = rewriting(policy, other, 10)
    assert "company" in world.contact.held
    assert len([i for i in world.written if "company" in i.fields]) <= 4
    assert world.sync() == 0
    world.edit(1, job_title="still travels").sync()
    assert world.stored[2]["job_title"] == "still travels"


def test_ping_pong_names_both_apps_and_values_and_journals_no_change_that_was_not_made() -> None:
    world = rewriting("latest", two_actors, 4)
    [conflict] = world.conflicts
    assert conflict.values in ({1: "x", 2: "y"}, {1: "y", 2: "x"})
    changes = [e for e in world.journal if e.kind == "value" and e.field == "company"]
    assert changes[-1].new == world.value("company")


def test_after_a_persons_decision_counting_starts_afresh() -> None:
    world = rewriting("latest", two_actors, 4)
    assert "company" in world.contact.held
    world.contact.held.clear()
    put(world.contact, world.rules.atoms["company"], "x", Stamp(OPERATOR, world.now_ms, world.now_ms))
    world.sync()
    for number in range(2):
        two_actors(world, number)
        world.sync()
    assert not world.contact.held


def test_reverting_another_value_each_time_is_no_ping_pong() -> None:
    world = agreed(World(rules=simple("company", policy="owner", owners=(1,))), email=MAIL, company="x")
    for number in range(5):
        world.edit(2, company=f"drift {number}").sync()
    assert not world.contact.held


def test_losing_to_a_new_value_each_time_is_no_ping_pong() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="x")
    for number in range(5):
        world.edit(2, company="y").edit(1, company=f"new {number}").sync()
    assert not world.contact.held


def test_slow_alternation_and_one_apps_own_edits_are_no_ping_pong() -> None:
    assert not rewriting("latest", two_actors, 12, pause_ms=DAY_MS // 2).contact.held
    for app in (1, 2):
        one = rewriting("latest", lambda w, n, a=app: w.edit(a, company="xy"[n % 2]), 12)  # type: ignore[misc]
        assert not one.contact.held


def test_what_is_counted_keeps_no_values_and_is_forgotten_after_a_day() -> None:
    world = rewriting("latest", two_actors, 3)
    assert world.contact.flips.keys() == {"company"}
    assert "'x'" not in str(world.contact.flips)
    world.now_ms += 2 * DAY_MS
    world.edit(1, job_title="later").sync()
    world.edit(1, job_title="again").sync()
    assert world.contact.flips.keys() == {"job_title"}


def test_a_persons_choice_of_an_address_shows_all_of_it_that_each_app_shows() -> None:
    apps = [app_rule(i, ("email", *ADDRESS)) for i in (1, 2)]
    world = agreed(
        World(rules=rules_of(apps, [rule(n, "ask") for n in ("email", *ADDRESS)], group=ADDRESS)), email=MAIL
    )
    world.edit(1, street="A 1", city="Rome").edit(2, city="Oslo", region="X").sync()
    [conflict] = world.conflicts
    assert conflict.field == "address"
    assert conflict.values == {1: {"street": "A 1", "city": "Rome"}, 2: {"city": "Oslo", "region": "X"}}
