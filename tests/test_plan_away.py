"""Who is put away where: those who left an app's scope, or were removed elsewhere, as long as the cause holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncd.core.plan import is_to_go, left, stay
from syncd.core.rules import Rules
from syncd.model import OPERATOR, Spec
from tests.core_world import app_rule, contact, rule, rules_of

MAIL = "a@x.org"


def away(*, on_leave: Any = "archive", on_delete: Any = "archive", archive: bool = True, update: bool = True) -> Rules:
    """Make two apps that archive; the second holds who lives in Rome."""
    apps = [
        replace(
            app_rule(number, ("email", "city"), update=update),
            spec=Spec(name="sim", summary="", create=True, update=True, archive=archive),
            on_delete=on_delete,
            on_leave=on_leave,
            scope=(lambda golden: golden.get("city") == "Rome") if number == 2 else None,
        )
        for number in (1, 2)
    ]
    return rules_of(apps, [rule("email"), rule("city")])


def test_who_leaves_the_scope_of_an_app_is_put_away_there() -> None:
    rome, oslo = {"email": MAIL, "city": "Rome"}, {"email": MAIL, "city": "Oslo"}
    assert left(contact(**oslo), rome, (1, 2), away()) == [2]
    assert left(contact(**oslo), rome, (1,), away()) == [], "it has no record there"
    assert left(contact(**oslo), oslo, (1, 2), away()) == [], "it was never in the scope"
    assert left(contact(**rome), rome, (1, 2), away()) == [], "it is still there"
    for rules in (away(on_leave="keep"), away(archive=False), away(update=False)):
        assert left(contact(**oslo), rome, (1, 2), rules) == []
    undecided = contact(**oslo)
    undecided.review = True
    assert left(undecided, rome, (1, 2), away()) == []


def test_a_record_is_put_away_only_as_long_as_the_cause_holds() -> None:
    rules, person = away(), contact(email=MAIL, city="Oslo")
    app = rules.apps[2]
    assert not is_to_go(person, (1, 2), app, rules), "nobody said so"
    person.going = {2: OPERATOR}
    assert is_to_go(person, (1, 2), app, rules), "its creation is undone"
    person.going = {2: 2}
    assert is_to_go(person, (1, 2), app, rules), "it left the scope"
    assert not is_to_go(person, (1, 2), away(on_leave="keep").apps[2], rules)
    person.golden["city"] = "Rome"
    assert not is_to_go(person, (1, 2), app, rules), "it is back"
    person.going = {2: 1}
    assert not is_to_go(person, (2,), app, rules), "it was not removed in the first app"
    person.tombs = {1: 5}
    assert is_to_go(person, (2,), app, rules)
    assert not is_to_go(person, (1, 2), app, rules), "somebody made the record there again"
    assert not is_to_go(person, (2,), app, away(on_delete="unlink"))
    person.going, person.tombs = {2: 9}, {9: 5}
    assert not is_to_go(person, (2,), app, rules), "that app is not configured any more"


def test_who_is_back_stays() -> None:
    rules, person = away(), contact(email=MAIL, city="Rome")
    person.going, person.tombs = {1: OPERATOR, 2: 1, 9: OPERATOR}, {1: 5, 3: 6}
    assert stay(person, (2,), rules) == [9], "of an app that is gone nothing is put away"
    assert (person.going, person.tombs) == ({1: OPERATOR, 2: 1}, {1: 5, 3: 6})
    assert stay(person, (1, 2), rules) == [2], "the record in the first app was made again"
    assert (person.going, person.tombs) == ({1: OPERATOR}, {1: 5, 3: 6}), "it is still to be put away in the first"
    person.going = {}
    assert stay(person, (1, 2), rules) == []
    assert person.tombs == {3: 6}, "what was made again was not removed"
