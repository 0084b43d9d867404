"""The algebra of each merge policy (SYNC-MODEL 2.3), and that it is honest about what it does not promise.

A case is what two or three apps came to show after they had agreed with the contact, or not. Joint: all of them in one
merge. Split: one app after the other, in some order, each seeing the golden value that the one before left.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from syncd.core.policies import ORDER_DEPENDENT, POLICIES, Candidate, decide, incumbent, later
from syncd.core.rules import Atom, PolicyKind
from syncd.core.state import Stamp
from syncd.core.values import Certainty
from syncd.model import OPERATOR
from tests.core_world import rule

KINDS: tuple[PolicyKind, ...] = ("latest", "owner", "rank", "set", "non_blank", "ask", "lock")
OWNERS = (1, 2, 3)
VALUES = ("x", "y", "z")
SETS = (None, ["a"], ["b"], ["a", "b"], ["a", "c"])

Case = tuple[Candidate | None, tuple[Candidate, ...]]


def atom_of(kind: PolicyKind) -> Atom:
    owners = OWNERS if kind in ("owner", "rank") else ()
    name = "tags" if kind == "set" else "company"
    return Atom(name=name, fields=(name,), rule=rule(name, kind, apps=owners))


def key_of(atom: Atom, value: Any) -> Any:
    return None if value is None else atom.rule.type.key(value)


@st.composite
def stamps(draw: Any, app: int) -> Stamp:
    lo = draw(st.integers(0, 6))
    return Stamp(app, lo, draw(st.integers(lo, 8)))


@st.composite
def cases(draw: Any, kind: PolicyKind, *, apps_max: int = 3) -> Case:
    """A golden value (or none), and what changed in some apps since they last showed theirs."""
    atom = atom_of(kind)
    values = st.sampled_from(SETS if kind == "set" else VALUES)
    golden = None
    if draw(st.booleans()):
        value, source = draw(values), draw(st.sampled_from([*OWNERS, OPERATOR]))
        golden = incumbent(value, key_of(atom, value), draw(stamps(source)), 9)
    candidates = []
    for app in draw(st.sets(st.sampled_from(OWNERS), min_size=1, max_size=apps_max)):
        value = draw(values.filter(lambda v: kind == "set" or v is not None))
        base = golden.value if golden and draw(st.booleans()) else draw(st.none() | values)
        candidate = Candidate(
            app=app,
            rank=app,
            value=value,
            key=key_of(atom, value),
            stamp=draw(stamps(app)),
            base=base,
            has_base=base is not None,
            certainty=draw(st.sampled_from(("plain", "written") if base is not None else get_args(Certainty))),
        )
        candidates.append(seen_by(atom, golden, candidate))
    return golden, tuple(candidates)


def seen_by(atom: Atom, golden: Candidate | None, candidate: Candidate) -> Candidate:
    """Mark a candidate as causal if it was typed over the golden value."""
    causal = golden is not None and candidate.has_base and key_of(atom, candidate.base) == golden.key
    return replace(candidate, causal=causal)


def joint(atom: Atom, case: Case) -> Any:
    """Decide at once; the key of what is golden then, or "held"."""
    golden, candidates = case
    verdict = decide(atom, golden, candidates, {c.app: c for c in candidates if c.key is not None})
    winner = golden if verdict.winner is None else verdict.winner
    return "held" if verdict.hold else winner and winner.key


def split(atom: Atom, case: Case, order: tuple[Candidate, ...]) -> Any:
    """Decide poll by poll."""
    golden, _ = case
    shown: dict[int, Candidate] = {}
    for candidate in order:
        if candidate.key is not None:
            shown[candidate.app] = candidate
        verdict = decide(atom, golden, [seen_by(atom, golden, candidate)], shown)
        if verdict.hold:
            return "held"
        golden = verdict.winner or golden
        if verdict.winner is not None:
            golden = incumbent(golden.value, golden.key, golden.stamp, golden.rank) if golden else None
    return golden and golden.key


def wins(atom: Atom, case: Case) -> bool:
    return all(split(atom, case, order) == joint(atom, case) for order in permutations(case[1]))


def undisputed(case: Case) -> bool:
    """No app adds an element that another takes away."""
    added, removed = set[str](), set[str]()
    for c in case[1]:
        now, before = set(c.value or ()), set(c.base or ()) if c.has_base else set()
        added, removed = added | now - before, removed | before - now
    return not added & removed


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_candidates_never_matters(kind: PolicyKind) -> None:
    atom = atom_of(kind)

    @given(cases(kind), st.randoms())
    @settings(max_examples=100, deadline=None)
    def law(case: Case, random: Any) -> None:
        shuffled = list(case[1])
        random.shuffle(shuffled)
        assert joint(atom, case) == joint(atom, (case[0], tuple(shuffled)))

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_observation_twice_changes_nothing(kind: PolicyKind) -> None:
    atom = atom_of(kind)

    @given(cases(kind))
    @settings(max_examples=100, deadline=None)
    def law(case: Case) -> None:
        golden, candidates = case
        once = joint(atom, case)
        assert joint(atom, (golden, candidates + candidates[:1])) == once
        if once not in ("held", None):
            same = next(c for c in (*candidates, golden) if c is not None) if kind == "set" else None
            again = [c for c in candidates if c.key == once]
            if same is None and again:
                settled = incumbent(again[0].value, once, again[0].stamp, again[0].rank)
                assert joint(atom, (settled, tuple(again))) == once

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_that_does_not_win_is_a_loss(kind: PolicyKind) -> None:
    atom = atom_of(kind)

    @given(cases(kind))
    @settings(max_examples=100, deadline=None)
    def law(case: Case) -> None:
        golden, candidates = case
        verdict = decide(atom, golden, candidates, {c.app: c for c in candidates if c.key is not None})
        winner = verdict.winner or golden
        losers = {loss.candidate.key for loss in verdict.lost}
        if verdict.hold or kind == "set":
            return
        assert winner is not None
        assert losers == {c.key for c in candidates} - {winner.key}

    law()


@pytest.mark.parametrize("kind", sorted(ORDER_DEPENDENT))
def test_what_is_called_order_dependent_is(kind: PolicyKind) -> None:
    atom = atom_of(kind)
    options = settings(max_examples=3_000, deadline=None, phases=[Phase.generate])
    golden, candidates = find(cases(kind), lambda case: not wins(atom, case), settings=options)
    assert len(candidates) > 1, (golden, candidates)


@pytest.mark.parametrize("kind", sorted({*KINDS} - ORDER_DEPENDENT))
def test_what_is_not_called_order_dependent_is_not(kind: PolicyKind) -> None:
    """While an owner shows a value: every app of these cases is one, and none shows a blank."""
    atom = atom_of(kind)

    @given(cases(kind).filter(lambda case: case[0] is None or case[0].app != OPERATOR))
    @settings(max_examples=150, deadline=None)
    def law(case: Case) -> None:
        assert wins(atom, case)

    law()


def test_a_set_depends_on_order_only_where_one_adds_what_another_takes_away() -> None:
    atom = atom_of("set")

    @given(cases("set").filter(undisputed))
    @settings(max_examples=100, deadline=None)
    def law(case: Case) -> None:
        assert wins(atom, case)

    law()


def test_an_element_that_one_adds_and_another_takes_away_stays() -> None:
    atom = atom_of("set")
    golden = incumbent(["a"], key_of(atom, ["a"]), Stamp(1, 0, 1), 1)
    adds, takes = (
        Candidate(app=i, rank=i, value=v, key=key_of(atom, v), stamp=Stamp(i, 1, 2), base=base, has_base=True)
        for i, v, base in ((1, ["a"], None), (2, None, ["a"]))
    )
    for order in ((adds, takes), (takes, adds)):
        verdict = decide(atom, golden, order, {})
        assert verdict.winner is not None
        assert verdict.winner.value == ["a"]


def test_two_apps_in_sight_of_golden_are_decided_alike_at_once_or_apart_when_their_times_are_apart() -> None:
    """What `latest` does promise: where all intervals are disjoint, the order of polls decides nothing."""
    atom = atom_of("latest")

    def apart(case: Case) -> bool:
        everyone = [c.stamp for c in (*case[1], case[0]) if c is not None]
        return all(later(a, b) or later(b, a) for a in everyone for b in everyone if a is not b)

    def honest(case: Case) -> bool:
        golden, candidates = case
        if len({c.certainty for c in candidates} | {golden.certainty if golden else "plain"}) > 1:
            return False  # what was assumed loses at the first contact, whenever it was typed
        if golden is None:
            return True
        return all(c.key != golden.key for c in candidates)

    @given(cases("latest", apps_max=2).filter(lambda case: apart(case) and honest(case)))
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def law(case: Case) -> None:
        assert wins(atom, case)

    law()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_later_is_a_strict_order_even_of_empty_intervals(data: Any) -> None:
    """Fault: two values typed in the same millisecond each ruled the other out, and an older one won."""
    a, b, c = (data.draw(stamps(1)) for _ in range(3))
    assert not (later(a, b) and later(b, a))
    assert not later(a, a)
    assert not (later(a, b) and later(b, c)) or later(a, c)


def test_values_of_the_same_instant_are_concurrent() -> None:
    atom = atom_of("latest")
    one, two, old = (
        Candidate(app=i, rank=i, value=v, key=v, stamp=Stamp(i, lo, hi))
        for i, v, lo, hi in ((2, "y", 9, 9), (3, "z", 9, 9), (1, "x", 0, 5))
    )
    verdict = decide(atom, None, [old, two, one], {})
    assert verdict.winner is one


def test_a_set_compares_elements_as_its_type_does() -> None:
    """Fault: elements that differ by an invisible joiner were two, and the set changed at every pass."""
    atom = atom_of("set")
    joiner = "\u06cc\u200c\u06a9"
    golden = incumbent(["\u06cc\u06a9"], key_of(atom, ["\u06cc\u06a9"]), Stamp(1, 0, 1), 1)
    shown = Candidate(app=2, rank=2, value=[joiner], key=key_of(atom, [joiner]), stamp=Stamp(2, 1, 2))
    verdict = decide(atom, golden, [shown], {})
    assert verdict.winner is not None
    assert (verdict.winner.key, verdict.winner.value) == (golden.key, golden.value)


def one(app: int, value: Any, *, lo: int = 0, hi: int = 0, **more: Any) -> Candidate:
    return Candidate(app=app, rank=app, value=value, key=value, stamp=Stamp(app, lo, hi), **more)


def told(kind: PolicyKind, golden: Candidate | None, *candidates: Candidate, shown: bool = True) -> tuple[Any, ...]:
    """Give what wins (None: golden stays), why, and what is lost and why, in the order of the apps."""
    standing = {c.app: c for c in candidates if c.key is not None} if shown else {}
    verdict = decide(atom_of(kind), golden, candidates, standing)
    losses = {(loss.candidate.app, loss.reason) for loss in verdict.lost}
    return verdict.winner and verdict.winner.value, verdict.reason, losses


def test_latest_says_why() -> None:
    order = "concurrent with another app's value; order of the apps"
    assert told("latest", None, one(1, "x")) == ("x", "changed", set())
    assert told("latest", None, one(1, "x"), one(2, "x")) == ("x", "changed", set())
    assert told("latest", None, one(2, "y"), one(1, "x")) == ("x", order, {(2, order)})
    late = "later than the other app's value"
    assert told("latest", None, one(1, "x", hi=5), one(2, "y", lo=5, hi=9)) == ("y", late, {(1, late)})
    assumed = "its country is not written; the other app's is"
    parts = one(1, "x", certainty="assumed"), one(2, "y", certainty="written")
    assert told("latest", None, *parts) == ("y", assumed, {(1, assumed)})
    assert told("latest", None, *parts, one(3, "z")) == ("y", order, {(1, assumed), (3, order)})


def test_a_blank_that_lost_is_no_loss() -> None:
    assert told("latest", None, one(1, "x"), one(2, None))[2] == set()


def test_an_owner_says_why() -> None:
    owned = "what its owner says"
    golden = incumbent("g", "g", Stamp(9, 0, 1), 9)
    assert told("owner", golden, one(1, "x"), one(7, "y")) == ("x", owned, {(7, owned)})
    nobody = told("owner", golden, one(7, "y", hi=1), shown=False)
    assert nobody == ("y", "concurrent with another app's value; order of the apps", set()), "no owner has an opinion"
    cleared, other = one(1, None, has_base=True), one(7, None, has_base=True)
    assert told("owner", golden, other, cleared) == (None, owned, set())
    verdict = decide(atom_of("owner"), golden, [other, cleared], {})
    assert verdict.winner is cleared, "an owner cleared it, not whoever cleared it first"


def test_what_an_operator_decided_stands_until_an_owner_changes_it() -> None:
    golden = incumbent("g", "g", Stamp(OPERATOR, 5, 5), 9)
    assert told("owner", golden, one(7, "y")) == (None, "decided by an operator", {(7, "decided by an operator")})
    later_owner = one(2, "x", lo=6, hi=9)
    assert told("owner", golden, later_owner, one(7, "y")) == ("x", "what its owner says", {(7, "what its owner says")})
    earlier = one(2, "x", lo=1, hi=4)
    assert told("owner", golden, earlier) == (None, "decided by an operator", {(2, "decided by an operator")})


def test_the_other_policies_say_why() -> None:
    golden = incumbent("g", "g", Stamp(9, 0, 1), 9)
    assert told("lock", golden, one(1, "x")) == (None, "locked", {(1, "locked")})
    assert told("lock", None, one(1, "x")) == ("x", "changed", set())
    assert told("non_blank", golden, one(1, None)) == (None, "a blank never wins", set())
    seen = one(1, "x", lo=2, hi=3, causal=True)
    assert told("non_blank", golden, one(2, None), seen) == ("x", "changed", set())
    assert told("non_blank", incumbent(None, None, Stamp(9, 0, 1), 9), one(1, "x")) == ("x", "changed", set())
    assert told("ask", golden, one(1, "x")) == (None, "apps disagree; a person decides", set())
    assert told("ask", golden, seen) == ("x", "changed", set())
    assert told("ask", None, one(2, "x"), one(1, "x")) == ("x", "changed", set())


def test_a_set_says_who_changed_it_and_when() -> None:
    atom = atom_of("set")
    golden = incumbent(["a"], key_of(atom, ["a"]), Stamp(9, 0, 1), 9)
    changed = [
        replace(one(app, value, lo=2, hi=3, base=["a"], has_base=True, record=f"r{app}"), key=key_of(atom, value))
        for app, value in ((2, ["a", "b"]), (1, ["a", "c"]))
    ]
    verdict = decide(atom, golden, changed, {})
    winner = verdict.winner
    assert winner is not None
    assert (winner.value, winner.key) == (["a", "b", "c"], key_of(atom, ["a", "b", "c"]))
    assert (winner.app, winner.rank, winner.record, winner.stamp) == (1, 1, "r1", Stamp(1, 2, 3))
    assert (verdict.reason, verdict.lost) == ("added and removed elements of all apps", ())
    emptied = decide(atom, golden, [replace(changed[0], value=None, key=None)], {}).winner
    assert emptied is not None
    assert (emptied.value, emptied.key) == (None, None)


def test_what_an_operator_set_outranks_every_app() -> None:
    assert incumbent("g", "g", Stamp(OPERATOR, 0, 1), 9).rank == -1
    golden = incumbent("g", "k", Stamp(3, 0, 1), 9)
    assert (golden.app, golden.rank, golden.value, golden.key, golden.stamp) == (3, 9, "g", "k", Stamp(3, 0, 1))


def test_restrictive_is_no_policy_of_ordinary_fields() -> None:
    assert set(POLICIES) == set(KINDS)
