"""From a history that fails to the shortest one that fails in the same way: leave out one part after the other.

In this order: faults, what people do, apps, knobs, persons, rounds, pauses. Each part that is not needed goes, until none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from tests.sim.scenario import Scenario

Fails = Callable[[Scenario], bool]
TRIES_MAX = 600


def shrink(scenario: Scenario, fails: Fails, tries_max: int = TRIES_MAX) -> Scenario:
    """Give the smallest scenario that was found which still fails. `fails` is asked so many times at most."""
    tries, shorter = 0, True
    while shorter:
        shorter = False
        for candidate in _smaller(scenario):
            if tries >= tries_max:
                return scenario
            tries += 1
            if fails(candidate):
                scenario, shorter = candidate, True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Give everything that is one part less, big parts first within each kind."""
    return chain(_fewer(scenario), _fewer_apps(scenario), _tamer(scenario), _fewer_people(scenario), _shorter(scenario))


def _fewer(scenario: Scenario) -> Iterator[Scenario]:
    if len(scenario.faults) > 1:
        yield replace(scenario, faults=())
    for place in range(len(scenario.faults)):
        yield replace(scenario, faults=scenario.faults[:place] + scenario.faults[place + 1 :])
    half = len(scenario.actions) // 2
    if half > 1:
        yield replace(scenario, actions=scenario.actions[:half])
        yield replace(scenario, actions=scenario.actions[half:])
    for place in reversed(range(len(scenario.actions))):
        yield replace(scenario, actions=scenario.actions[:place] + scenario.actions[place + 1 :])
    if scenario.broken:
        yield replace(scenario, broken=())


def _fewer_apps(scenario: Scenario) -> Iterator[Scenario]:
    if len(scenario.apps) < 2:
        return
    for gone in range(len(scenario.apps)):
        yield replace(
            scenario,
            apps=scenario.apps[:gone] + scenario.apps[gone + 1 :],
            actions=tuple(replace(a, app=a.app - (a.app > gone)) for a in scenario.actions if a.app != gone),
            faults=tuple(replace(f, app=f.app - (f.app > gone)) for f in scenario.faults if f.app != gone),
            broken=tuple(place - (place > gone) for place in scenario.broken if place != gone),
        )


def _tamer(scenario: Scenario) -> Iterator[Scenario]:
    for place, quirks in enumerate(scenario.apps):
        for name in quirks.named():
            yield replace(scenario, apps=(*scenario.apps[:place], quirks.without(name), *scenario.apps[place + 1 :]))
    if scenario.blank != "ignore":
        yield replace(scenario, blank="ignore")
    if scenario.policy != "latest":
        yield replace(scenario, policy="latest")


def _fewer_people(scenario: Scenario) -> Iterator[Scenario]:
    for gone in range(scenario.persons if scenario.persons > 1 else 0):
        yield replace(
            scenario,
            persons=scenario.persons - 1,
            actions=tuple(
                replace(a, person=a.person - (a.person > gone)) for a in scenario.actions if a.person != gone
            ),
        )


def _shorter(scenario: Scenario) -> Iterator[Scenario]:
    for gone in range(len(scenario.rounds) if len(scenario.rounds) > 1 else 0):
        yield replace(
            scenario,
            rounds=scenario.rounds[:gone] + scenario.rounds[gone + 1 :],
            actions=tuple(replace(a, round=a.round - (a.round > gone)) for a in scenario.actions if a.round != gone),
            faults=tuple(replace(f, round=f.round - (f.round > gone)) for f in scenario.faults if f.round != gone),
        )
    for place, round_ in enumerate(scenario.rounds):
        for calmer in (replace(round_, kind="sync"), replace(round_, pause_ms=60_000)):
            if calmer != round_:
                yield replace(scenario, rounds=(*scenario.rounds[:place], calmer, *scenario.rounds[place + 1 :]))
    for place, action in enumerate(scenario.actions):
        if action.at >= 0:
            before = replace(action, at=-1)
            yield replace(scenario, actions=(*scenario.actions[:place], before, *scenario.actions[place + 1 :]))
