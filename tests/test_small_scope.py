"""Every script of a few edits in two or three small worlds: the monitors of SYNC-MODEL 1.4, watched after each of them.

A world is a contact with one field (or a group, or a set) in apps that keep what they are given, fold its case, or cut
it, with or without saying so. A script is rounds: in each, every app's person types one of a few values, clears the
field, or does nothing; then everything, or only one app, is read, until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from syncd.core.atoms import value_key
from syncd.core.fields import Invalid
from syncd.core.rules import BlankRule, PolicyKind
from tests.core_world import Answer, World, agreed, app_rule, cut, lower, rule, rules_of, same

FIELD = "job_title"
KEEP = "keep"
"""Nobody touches the field."""
NORMS = {"plain": same, "folding": lower, "cutting": cut(3), "declared": cut(3)}
DECLARED = {FIELD: {"max_length": 3, "options": {"overflow": "truncate"}}}


def world_of(kinds: Sequence[str], policy: PolicyKind, blank: BlankRule) -> World:
    apps = [
        app_rule(i, ("email", FIELD), maps=DECLARED if kind == "declared" else None) for i, kind in enumerate(kinds, 1)
    ]
    fields = [rule("email"), rule(FIELD, policy, blank=blank, apps=(1,))]
    norms = {i: NORMS[kind] for i, kind in enumerate(kinds, 1)}
    return World(rules=rules_of(apps, fields), norms=norms)


def scripts(
    world: World, edits: Sequence[str | None], rounds: int, polls: Sequence[tuple[int, ...]]
) -> Iterator[World]:
    """Give the world after every script; each round starts where the one before ended."""
    if not rounds:
        yield world
        return
    apps = sorted(world.rules.apps)
    for typed in product((KEEP, *edits), repeat=len(apps)):
        for poll in polls:
            after = world.copy()
            play(after, dict(zip(apps, typed, strict=True)), poll)
            yield from scripts(after, edits, rounds - 1, polls)


def play(world: World, typed: dict[int, str | None], poll: tuple[int, ...]) -> None:
    """Play one round under the monitors."""
    before, seen, rested = dict(world.contact.golden), len(world.written), at_rest(world)
    for app, value in typed.items():
        if value != KEEP:
            world.edit(app, **{FIELD: value})
    changed = {app: record[FIELD] for app, record in world.stored.items() if record != world.read.get(app)}
    world.sync(*poll)
    watch(world, world.written[seen:])
    if not poll and rested and len(changed) == 1 and world.rules.fields[FIELD].policy == "latest":
        lone_edit_wins(world, *next(iter(changed.items())), before=before.get(FIELD))


def at_rest(world: World) -> bool:
    return all(world.read.get(app) == record for app, record in world.stored.items())


def lone_edit_wins(world: World, app: int, raw: Any, *, before: Any) -> None:
    """An edit with no other beside it is what the contact has then; a blank is only where clearing propagates."""
    value = world.rules.apps[app].lenses[FIELD].parse(raw)
    if value is None and world.rules.fields[FIELD].blank != "propagate":
        value = before
    assert world.value(FIELD) == value, (world.value(FIELD), value)


def watch(world: World, written: Sequence[Any]) -> None:
    """Check what must hold whenever a pass has come to rest."""
    assert world.plan() == []  # QUIESCENCE
    golden = world.contact.golden
    blank = world.rules.fields[FIELD].blank
    typed = {key for app, name, raw in world.typed if (key := key_of(world, app, name, raw)) is not None}
    for name, value in golden.items():
        assert value is None or value_key(world.rules, name, value) in typed, "NO-ECHO: nobody typed this"
        if value is None:
            assert blank == "propagate", "a blank won"
    for intent in written:
        for change in intent.fields.values():
            assert change.new != change.old or intent.kind == "create", "NO-NOOP-WRITE"
            assert blank == "propagate" or change.new is not None, "a blank was written"
            assert blank != "fill_only" or change.old is None, "a value was replaced"
    assert not world.contact.held, "ordinary edits were taken for ping-pong"
    if blank != "fill_only":
        for app in world.links:
            assert world.in_step(app, FIELD) or not golden.get(FIELD), "CONVERGENCE"
    nothing_lost(world)


def nothing_lost(world: World) -> None:
    """Whatever a poll saw somebody type is still held somewhere, or in the journal (NO-LOST-UPDATE)."""
    kept = {repr(x) for e in world.journal for x in (e.old, *(e.old.values() if isinstance(e.old, dict) else ()))}
    held = {key_of(world, app, FIELD, record.get(FIELD)) for app, record in world.stored.items()}
    for app, name, raw in world.typed:
        if raw is None or name != FIELD:
            continue
        value = world.rules.apps[app].lenses[name].parse(raw)
        again = [r for a, n, r in world.typed if (a, n) == (app, name)]
        gone_over = again[-1] != raw  # the same person typed something else since
        assert gone_over or {repr(raw), repr(value)} & kept or key_of(world, app, name, raw) in held, (raw, world)


def key_of(world: World, app: int, name: str, raw: Any) -> Any:
    value = world.rules.apps[app].lenses[name].parse(raw)
    return None if type(value) is Invalid else value_key(world.rules, name, value)


ALL: tuple[tuple[int, ...], ...] = ((),)
PAIRS = [("plain", other) for other in NORMS] + [(other, "plain") for other in NORMS if other != "plain"]


@pytest.mark.parametrize("kinds", [*PAIRS, ("folding", "cutting")], ids="-".join)
def test_two_apps_from_nothing_three_rounds(kinds: tuple[str, str]) -> None:
    world = world_of(kinds, "latest", "ignore").edit(1, email="a@x.org").edit(2, email="a@x.org")
    assert sum(1 for _ in scripts(world, ("Abcd", "Xyzw", None), 3, ALL)) == 4096


@pytest.mark.parametrize("kinds", [("plain", "plain"), ("folding", "plain"), ("plain", "declared")], ids="-".join)
@pytest.mark.parametrize("blank", ["ignore", "propagate", "fill_only"])
@pytest.mark.parametrize("policy", ["latest", "owner", "rank", "non_blank", "lock"])
def test_two_apps_that_agreed_by_every_policy(policy: PolicyKind, blank: BlankRule, kinds: tuple[str, str]) -> None:
    world = agreed(world_of(kinds, policy, blank), email="a@x.org", **{FIELD: "Qrst"})
    assert sum(1 for _ in scripts(world, ("Abcd", "Xyzw", None), 2, ALL)) == 256


@pytest.mark.parametrize("blank", ["ignore", "propagate"])
@pytest.mark.parametrize("kinds", [("plain", "plain"), ("plain", "cutting"), ("folding", "plain")], ids="-".join)
def test_two_apps_that_are_polled_apart(kinds: tuple[str, str], blank: BlankRule) -> None:
    world = agreed(world_of(kinds, "latest", blank), email="a@x.org", **{FIELD: "Qrst"})
    assert sum(1 for _ in scripts(world, ("Abcd", None), 2, ((), (1,), (2,)))) == (9 * 3) ** 2


@pytest.mark.parametrize("policy", ["latest", "owner"])
@pytest.mark.parametrize("kinds", [("plain", "folding", "cutting"), ("cutting", "plain", "declared")], ids="-".join)
def test_three_apps_two_rounds(kinds: tuple[str, ...], policy: PolicyKind) -> None:
    world = world_of(kinds, policy, "ignore")
    for app in world.rules.apps:
        world.edit(app, email="a@x.org")
    assert sum(1 for _ in scripts(world, ("Abcd", "Xyzw"), 2, ALL)) == 27**2
    first = world.copy().edit(2, **{FIELD: "Qrst"})
    first.sync()
    assert sum(1 for _ in scripts(first, ("Abcd", None), 2, ((), (3,)))) == (27 * 2) ** 2


@pytest.mark.parametrize("kinds", [*PAIRS, ("folding", "cutting")], ids="-".join)
def test_replies_that_are_lost_while_people_type(kinds: tuple[str, str]) -> None:
    """SENT and then nobody knows: looked up, recognised by value, and what somebody typed meanwhile is an edit."""
    start = agreed(world_of(kinds, "latest", "ignore"), email="a@x.org", **{FIELD: "Qrst"})
    answers: list[Answer] = ["ok", "lost", "never"]
    for first, second in product(answers, repeat=2):
        for meanwhile, later in product((KEEP, "Uvwx", None), repeat=2):
            world = start.copy().edit(1, **{FIELD: "Abcd"})
            world.answers = [first, second]
            seen = len(world.written)
            for intent in world.poll().decide():
                world.write(intent)
            if meanwhile != KEEP:
                world.edit(2, **{FIELD: meanwhile})
            world.sync()
            if later != KEEP:
                world.edit(2, **{FIELD: later})
            world.sync()
            watch(world, world.written[seen:])
            typed = later if later not in (KEEP, None) else meanwhile if meanwhile not in (KEEP, None) else "Abcd"
            assert world.value(FIELD) == NORMS[kinds[0] if typed == "Abcd" else kinds[1]](typed)


# -- sets and groups

TAGS = ("a", "b")


def test_sets_three_ways_every_script_of_two_rounds() -> None:
    """What a person added is everywhere, what a person took away is nowhere, unless another just added it."""
    for flat in (False, True):
        apps = [app_rule(1, ("email", "tags")), app_rule(2, ("email", "tags"), flat=flat)]
        world = World(rules=rules_of(apps, [rule("email"), rule("tags", blank="propagate")]))
        spell = (lambda tags: "; ".join(tags) or None) if flat else (lambda tags: list(tags) or None)
        world.edit(1, email="a@x.org", tags=["a"]).edit(2, email="a@x.org", tags=spell(["a"]))
        world.sync()
        subsets = [(), ("a",), ("b",), ("a", "b")]
        for plan in product(subsets, repeat=4):
            one = world.copy()
            golden = {"a"}
            for mine, theirs in (plan[:2], plan[2:]):
                one.edit(1, tags=list(mine) or None).edit(2, tags=spell(theirs))
                added, removed = set[str](), set[str]()
                for now in (set(mine), set(theirs)):
                    added |= now - golden
                    removed |= golden - now
                one.sync()
                golden = (golden - removed) | added
                assert set(one.value("tags") or ()) == golden
                assert one.plan() == []


MEMBERS = ("street", "city")
LETTERS = {1: ("A", None), 2: ("B", None)}


@pytest.mark.parametrize("blank", ["ignore", "propagate"])
@pytest.mark.parametrize("narrow", [False, True], ids=["all-members", "no-city-in-one"])
def test_an_address_is_one_apps_address(blank: BlankRule, *, narrow: bool) -> None:
    """Every first contact and one edit after it: members of two addresses that contradict each other never mix."""
    for first in product((None, "A", "X"), (None, "A", "X"), (None, "B", "X"), (None, "B", "X")):
        for edit in [(1, n, v) for n in MEMBERS for v in ("C", None)] + [
            (2, n, v) for n in MEMBERS for v in ("C", None)
        ]:
            one = ("email", "street") if narrow else ("email", *MEMBERS)
            fields = [rule("email"), *(rule(n, blank=blank) for n in MEMBERS)]
            apps = [app_rule(1, one), app_rule(2, ("email", *MEMBERS))]
            world = World(rules=rules_of(apps, fields, group=MEMBERS))
            shown = {1: dict(zip(MEMBERS, first[:2], strict=True)), 2: dict(zip(MEMBERS, first[2:], strict=True))}
            if narrow:
                shown[1].pop("city")
            for app, fields_shown in shown.items():
                world.edit(app, email="a@x.org", **fields_shown)
            world.sync()
            check_address(world, shown)
            app, name, value = edit
            if name in world.stored[app]:
                before = dict(world.contact.golden)
                shown[3] = {n: world.stored[app].get(n) for n in MEMBERS if n in world.stored[app]} | {name: value}
                world.edit(app, **{name: value}).sync()
                check_address(world, shown)
                if value is None and blank == "ignore":
                    assert {n: before.get(n) for n in MEMBERS} == {n: world.value(n) for n in MEMBERS}


def check_address(world: World, shown: dict[int, dict[str, Any]]) -> None:
    """The contact's address is what one app showed, completed by those that agree with it, and nobody lost a cell."""
    golden = {n: world.value(n) for n in MEMBERS if world.value(n) is not None}
    assert world.plan() == []
    assert not world.contact.held
    if not golden:
        return
    contradicts = [
        a for a in shown.values() if any(a.get(n) not in (None, golden.get(n)) and n in golden for n in MEMBERS)
    ]
    agrees = [a for a in shown.values() if a not in contradicts]
    assert all(any(a.get(n) == v for a in agrees) for n, v in golden.items()), (golden, shown)
