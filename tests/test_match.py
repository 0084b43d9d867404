"""Whose record is this? Stories, and every small world in every order of its apps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.match import ALIAS, Decision, Holder, address_hash, decide_match, key_hash, record_keys
from syncd.core.rules import Rules
from syncd.model import Raw
from tests.core_world import app_rule, rule, rules_of

FIELDS = ("email", "phone", "last_name", "account_number")
BOTH = (("email",), ("phone", "last_name"))
Records = Mapping[tuple[int, str], Mapping[str, Raw]]


def match_rules(match: tuple[tuple[str, ...], ...] = BOTH, *, apps: int = 3, untrusted: Iterable[int] = ()) -> Rules:
    return rules_of(
        [app_rule(i, FIELDS, trusted=i not in tuple(untrusted)) for i in range(1, apps + 1)],
        [rule(n) for n in FIELDS],
        match=match,
    )


@dataclass(slots=True)
class Matched:
    """Who belongs to whom after matching; contacts are numbered as they come."""

    contact_of: dict[tuple[int, str], int] = field(default_factory=dict)
    decisions: dict[tuple[int, str], Decision] = field(default_factory=dict)

    def groups(self) -> set[frozenset[tuple[int, str]]]:
        found: dict[int, set[tuple[int, str]]] = {}
        for record, number in self.contact_of.items():
            found.setdefault(number, set()).add(record)
        return {frozenset(group) for group in found.values()}

    def undecided(self) -> set[tuple[int, str]]:
        return {record for record, decision in self.decisions.items() if decision.kind == "review"}

    def told(self, *record: object) -> tuple[str, str]:
        """Give what was decided about a record, and why."""
        decision = self.decisions[record]  # type: ignore[index]
        return decision.kind, decision.reason

    def seen(self) -> tuple[frozenset[frozenset[tuple[int, str]]], frozenset[tuple[int, str]]]:
        return frozenset(self.groups()), frozenset(self.undecided())


def match(
    records: Records,
    rules: Rules,
    order: Sequence[int] = (1, 2, 3),
    *,
    known: Mapping[tuple[int, str], int] | None = None,
    aliases: Mapping[bytes, int] | None = None,
) -> Matched:
    """Match as the engine does: rule by rule, app by app in this order, records by id."""
    done = Matched(contact_of=dict(known or {}))
    keys = {r: record_keys(fields, rules.apps[r[0]], rules) for r, fields in records.items()}
    for place in range(len(rules.match)):
        for app in order:
            for record in sorted(r for r in records if r[0] == app and r not in done.contact_of):
                holders: dict[bytes, list[Holder]] = {}
                for other, mine in sorted(keys.items()):
                    for key in mine:
                        if key is not None:
                            holders.setdefault(key, []).append(Holder(*other, done.contact_of.get(other)))
                for key, contact in (aliases or {}).items():
                    holders.setdefault(key, []).append(Holder(ALIAS, str(contact), contact))
                taken: dict[int, set[int]] = {}
                for (where, _), number in done.contact_of.items():
                    taken.setdefault(number, set()).add(where)
                mine = keys[record]
                decision = decide_match(rules.apps[app], record[1], mine, holders, taken, keys, rules, place)
                if decision.kind == "wait":
                    continue
                done.decisions[record] = decision
                fresh = max(done.contact_of.values(), default=0) + 1
                done.contact_of[record] = decision.contact if decision.contact is not None else fresh
    assert done.contact_of.keys() >= records.keys(), "nobody waits for ever"
    return done


def person(email: Raw = None, phone: Raw = None, name: Raw = "Lee", number: Raw = None) -> dict[str, Raw]:
    return {"email": email, "phone": phone, "last_name": name, "account_number": number}


PHONE = "+491712345678"
A, B, C = (1, "a"), (2, "b"), (3, "c")


def test_behaviour_20_the_same_key_twice_in_one_app_is_one_person_and_one_question() -> None:
    found = match({(1, "a1"): person("x@x.org"), (1, "a2"): person("x@x.org")}, match_rules())
    assert [found.decisions[1, r].kind for r in ("a1", "a2")] == ["new", "review"]


def test_a_second_record_of_one_app_waits_whatever_its_id() -> None:
    found = match({(1, "b"): person("x@x.org"), (1, "a"): person("x@x.org")}, match_rules(), known={(1, "b"): 1})
    assert found.undecided() == {(1, "a")}


OWN_TWICE = "several records of this app have the same key"
CASES: list[tuple[str, Records, tuple[int, str], tuple[str, str]]] = [
    ("nobody else has a key", {A: person("x@x.org")}, A, ("new", "")),
    ("nobody has any", {A: person(), B: person()}, B, ("new", "")),
    ("who comes first", {A: person("x@x.org"), B: person("x@x.org")}, A, ("new", "")),
    ("who comes next", {A: person("x@x.org"), B: person("x@x.org")}, B, ("link", "")),
    (
        "twice, in one app alone",
        {A: person("x@x.org"), (1, "a2"): person("x@x.org")},
        (1, "a2"),
        ("review", "another record of this app has the same key"),
    ),
    ("twice, and elsewhere", {A: person("x@x.org"), (1, "a2"): person("x@x.org"), B: person("x@x.org")}, A, ("review", OWN_TWICE)),
    (
        "twice in another app",
        {A: person("x@x.org"), B: person("x@x.org"), (2, "b2"): person("x@x.org")},
        A,
        ("review", "several records of another app have this key"),
    ),
    (
        "an address says otherwise",
        {A: person("x@x.org", PHONE), B: person("y@x.org", PHONE)},
        B,
        ("review", "a stronger key says otherwise"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("records", "record", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_decided_is_told_with_its_reason(
    records: Records, record: tuple[int, str], told: tuple[str, str]
) -> None:
    assert match(records, match_rules()).told(*record) == told


def test_a_question_names_those_whom_it_is_about() -> None:
    found = match({A: person("x@x.org"), (1, "a2"): person("x@x.org"), B: person("x@x.org")}, match_rules())
    assert {(h.app, h.record) for h in found.decisions[A].candidates} == {(1, "a2"), B}
    found = match({A: person("x@x.org"), (1, "a2"): person("x@x.org")}, match_rules())
    assert [(h.app, h.record, h.contact) for h in found.decisions[1, "a2"].candidates] == [(1, "a", 1)]
    found = match({A: person("x@x.org", PHONE), B: person("y@x.org", PHONE)}, match_rules())
    assert [(h.app, h.record) for h in found.decisions[B].candidates] == [A]


def test_the_reasons_of_a_place_that_is_taken() -> None:
    records = {A: person("x@x.org"), B: person("x@x.org"), (1, "new"): person("x@x.org")}
    found = match(records, match_rules(), known={A: 1, B: 1})
    assert found.told(1, "new") == ("review", OWN_TWICE)
    aliases = {address_hash("old@x.org"): 1}
    known = {A: 1}
    found = match(
        {A: person("new@x.org"), (1, "new"): person("old@x.org")}, match_rules(), known=known, aliases=aliases
    )
    assert found.told(1, "new") == ("review", "that contact has a record in this app already")
    records = {A: person("new@x.org"), (1, "a2"): person("old@x.org"), B: person("old@x.org")}
    found = match(records, match_rules(), (2,), known={A: 1, (1, "a2"): 9}, aliases=aliases)
    assert found.told(*B) == ("review", "several contacts have this key")
    holders = {address_hash("x@x.org"): [Holder(2, "b", 1), Holder(3, "c", None)]}
    rules = match_rules()
    keys = record_keys(person("x@x.org"), rules.apps[1], rules)
    found_one = decide_match(rules.apps[1], "a", keys, holders, {1: {2, 3}}, {}, rules, 0)
    assert (found_one.kind, found_one.reason) == (
        "review",
        "another record with this key may be that contact's as well",
    )


def test_an_app_that_is_not_trusted_is_told_so() -> None:
    found = match({A: person("x@x.org"), B: person("x@x.org")}, match_rules(untrusted=[2]))
    assert found.told(*B) == ("review", "this app is not trusted to match by itself")
    assert found.told(*A) == ("new", "")


def test_who_has_only_a_weaker_key_waits_until_it_is_its_turn() -> None:
    rules, phone = match_rules(), person(phone=PHONE)
    keys = record_keys(phone, rules.apps[1], rules)
    assert keys[1] is not None
    holders = {keys[1]: [Holder(1, "a", None), Holder(2, "b", 7)]}
    first = decide_match(rules.apps[1], "a", keys, holders, {7: {2}}, {}, rules, 0)
    assert (first.kind, first.contact) == ("wait", None)
    then = decide_match(rules.apps[1], "a", keys, holders, {7: {2}}, {}, rules, 1)
    assert (then.kind, then.contact) == ("link", 7)


def test_behaviour_23_letter_case_of_an_address_is_one_identity() -> None:
    found = match({A: person("Bob@X.org"), B: person("bob@x.org"), C: person(" BOB@x.ORG ")}, match_rules())
    assert found.groups() == {frozenset([A, B, C])}


def test_behaviour_24_two_candidates_are_a_question_for_everyone() -> None:
    records = {A: person("x@x.org"), (2, "b1"): person("x@x.org"), (2, "b2"): person("x@x.org"), C: person("x@x.org")}
    for order in permutations((1, 2, 3)):
        found = match(records, match_rules(), order)
        assert found.undecided() == set(records)
        assert {h.record for h in found.decisions[A].candidates} >= {"b1", "b2"}


def test_behaviour_25_three_people_with_one_address_stay_three() -> None:
    rules = match_rules((("email", "last_name"),))
    records = {(a, n): person("family@x.org", name=n) for a in (1, 2) for n in ("Ann", "Bob", "Cleo")}
    assert match(records, rules).groups() == {frozenset([(1, n), (2, n)]) for n in ("Ann", "Bob", "Cleo")}
    assert len(match(records, match_rules()).undecided()) == 6, "by the address alone nobody can tell"


def test_behaviour_26_without_an_address_a_weaker_key_links() -> None:
    rules = match_rules((("email",), ("phone", "last_name"), ("account_number",)))
    records = {
        A: person(phone=PHONE, number="7"),
        B: person(phone="+49 171 2345678"),
        C: person(name=None, number="7"),
    }
    for order in permutations((1, 2, 3)):
        assert match(records, rules, order).groups() == {frozenset([A, B, C])}
    assert match({A: person(), B: person()}, rules).groups() == {frozenset([A]), frozenset([B])}


def test_an_unreadable_or_blank_part_is_no_key() -> None:
    rules = match_rules()
    assert record_keys(person("not an address", PHONE, name="-"), rules.apps[1], rules) == [None, None]
    assert record_keys({"email": "x@x.org"}, rules.apps[1], rules)[0] == address_hash("x@x.org")


def test_a_stronger_key_that_says_otherwise_is_a_question_for_both() -> None:
    """Fault: the one that was asked first became a contact, and got records elsewhere."""
    records = {A: person("x@x.org", PHONE), B: person("y@x.org", PHONE)}
    for order in permutations((1, 2, 3)):
        assert match(records, match_rules(), order).undecided() == {A, B}
    third = {**records, C: person(phone=PHONE)}
    for order in permutations((1, 2, 3)):
        assert match(third, match_rules(), order).undecided() == {A, B, C}, "also for who has no address at all"


def test_a_stronger_key_is_asked_everywhere_before_a_weaker_one() -> None:
    """Fault: with the app that has only phones first, every person became two."""
    records = {A: person(phone=PHONE), B: person("x@x.org"), C: person("x@x.org", PHONE)}
    for order in permutations((1, 2, 3)):
        found = match(records, match_rules(), order)
        assert (found.groups(), found.undecided()) == ({frozenset([A, B, C])}, set())


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_what_an_untrusted_app_shows_links_nobody_whoever_is_asked_first(order: tuple[int, ...]) -> None:
    """Fault: asked first, its record became the contact that the others were linked to."""
    records = {A: person("x@x.org"), B: person("x@x.org"), C: person("x@x.org")}
    found = match(records, match_rules(untrusted=[3]), order)
    assert (found.groups(), found.undecided()) == ({frozenset([A, B]), frozenset([C])}, {C})
    alone = match({C: person("x@x.org")}, match_rules(untrusted=[3]), order)
    assert alone.undecided() == set()


def test_a_taken_place_is_a_question() -> None:
    known = {A: 1, B: 1}
    records = {A: person("x@x.org"), B: person("x@x.org"), (1, "new"): person("x@x.org"), C: person("x@x.org")}
    for order in permutations((1, 2, 3)):
        found = match(records, match_rules(), order, known=known)
        assert found.undecided() == {(1, "new"), C}


def test_a_free_place_is_linked_and_an_old_address_still_finds_its_person() -> None:
    known = {A: 1}
    found = match({A: person("new@x.org"), B: person("new@x.org")}, match_rules(), known=known)
    assert found.contact_of[B] == 1
    aliases = {address_hash("old@x.org"): 1}
    found = match({A: person("new@x.org"), B: person("old@x.org")}, match_rules(), known=known, aliases=aliases)
    assert found.contact_of[B] == 1
    records = {A: person("new@x.org"), B: person("old@x.org"), C: person("old@x.org")}
    found = match(records, match_rules(), known={A: 1, C: 2}, aliases=aliases)
    assert found.undecided() == {B}, "two contacts have, or had, this key"


@pytest.mark.parametrize("untrusted", [(), (2,)], ids=["trusted", "one is not"])
def test_every_small_world_is_matched_alike_in_every_order(untrusted: tuple[int, ...]) -> None:
    """Three apps, up to four records, two rules: groups and questions do not depend on who is asked first."""
    rules = match_rules(untrusted=untrusted)
    shapes = [person(e, p) for e, p in product((None, "x@x.org", "y@x.org"), (None, PHONE))]
    worlds = [{A: a, B: b, C: c} for a, b, c in product(shapes, repeat=3)]
    worlds += [{A: a, (1, "a2"): a2, B: b, C: c} for a, a2, b, c in product(shapes[1:], repeat=4)]
    for records in worlds:
        seen = {match(records, rules, order).seen() for order in permutations((1, 2, 3))}
        assert len(seen) == 1, (records, seen)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_three_rules_and_many_records_in_every_order(data: st.DataObject) -> None:
    rules = match_rules((("email",), ("phone", "last_name"), ("account_number",)))
    shape = st.builds(
        person,
        st.sampled_from([None, "x@x.org", "y@x.org"]),
        st.sampled_from([None, PHONE, "+491712345679"]),
        st.just("Lee"),
        st.sampled_from([None, "1", "2"]),
    )
    places = data.draw(st.sets(st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from("pq")), min_size=2, max_size=5))
    records = {place: data.draw(shape) for place in sorted(places)}
    seen = {match(records, rules, order).seen() for order in permutations((1, 2, 3))}
    assert len(seen) == 1, (records, seen)


@given(st.lists(st.text(max_size=3), min_size=1, max_size=3), st.lists(st.text(max_size=3), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_keys_of_other_parts_are_other_keys(a: list[str], b: list[str]) -> None:
    assert (key_hash(("email",), a) == key_hash(("email",), b)) is (a == b)
    assert key_hash(("phone",), a) != key_hash(("email",), a)
