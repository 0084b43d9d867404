"""From a seed to a history: apps, people, rounds, what people do and what goes wrong, by chance.

Hard rule: what is drawn is drawn by a chance of its own where it came later, so that the histories that are known stay so.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final, Literal

from tests.sim.quirks import draw_enabled, draw_quirks
from tests.sim.scenario import EDITABLE, Action, ActionKind, Fault, Round, Scenario
from tests.sim.scenes import with_scene

ACTIONS: Final[dict[ActionKind, int]] = {
    "edit": 10, "create": 3, "blank": 2, "opt_out": 4, "opt_in": 3, "opt_in_bare": 2, "delete": 2, "undelete": 1,
    "merge": 1, "move": 2, "hide": 1, "show": 1,
}  # fmt: skip
"""What people do, and how often. move: another e-mail address. opt_in_bare: without evidence. hide and show take a record out
of sight of syncd's account, as if it were deleted, and back.
"""
RESTORES: Final = 0.1
"""How many histories have an app that is restored from a backup."""
BOUNDARIES: Final = 130
"""About as many as a run has; what is drawn beyond the last one happens after the run."""
PAUSES_MS: Final = (2_000, 60_000, 60_000, 600_000, 90_000_000)
STEPS_LAGGING: Final = ("-3600000", "-120000")
"""How the hub's clock is set where an app lags: one that is set forward beyond the lag makes us believe a listing too early,
and nobody can know better.
"""
CRASHES: Final = ("", "write", "sent", "result", "page", "merge")
"""Where a crash may strike: anywhere, or right before or after a call or transaction of this name."""


def draw(seed: int) -> Scenario:
    """Draw a history."""
    chance = random.Random(f"syncd {seed}")
    later = random.Random(f"syncd {seed}, later")
    enabled = draw_enabled(chance, later)
    apps = tuple(draw_quirks(chance, later, enabled) for _ in range(chance.choice((2, 2, 3, 3, 4))))
    persons = chance.choice((1, 2, 2, 3, 5))
    rounds = tuple(
        Round(kind=chance.choices(("sync", "sweep", "plan"), (80, 15, 5))[0], pause_ms=chance.choice(PAUSES_MS))
        for _ in range(chance.randint(2, 5))
    )
    mode: Literal["safety", "liveness"] = "liveness" if chance.random() < 0.2 else "safety"
    drawn = Scenario(
        seed=seed,
        mode=mode,
        apps=apps,
        persons=persons,
        blank="propagate" if chance.random() < 0.3 else "ignore",
        policy="owner" if chance.random() < 0.15 else "latest",
        rounds=rounds,
        actions=tuple(_actions(chance, len(apps), persons, len(rounds))),
        faults=tuple(_faults(chance, len(apps), len(rounds), lags=any(quirks.lag_ms for quirks in apps))),
        broken=(chance.randrange(len(apps)),) if mode == "liveness" else (),
    )
    return with_scene(_with_restore(random.Random(f"syncd {seed}, restored"), drawn))


def _with_restore(chance: random.Random, drawn: Scenario) -> Scenario:
    """Let an app of some histories be restored from a backup, with more people and more edits, so that enough goes back."""
    if chance.random() >= RESTORES or drawn.mode == "liveness":
        return drawn
    place, back = chance.randrange(len(drawn.apps)), chance.choice((1, 2))
    persons, begin = max(drawn.persons, chance.choice((1, 5, 6))), len(drawn.rounds)
    made = [Action(round=0, at=-1, kind="create", app=place, person=p) for p in range(drawn.persons, persons)]
    edits = [
        Action(round=begin, at=-1, kind="edit", app=app, person=p, field=chance.choice(EDITABLE))
        for p in range(persons)
        if (app := chance.choice((place, place, chance.randrange(len(drawn.apps))))) >= 0 and chance.random() < 0.85
    ]
    late = [
        Action(round=begin + back, at=-1, kind="edit", app=place, person=p, field=chance.choice(EDITABLE))
        for p in range(persons)
        if chance.random() < 0.1
    ]
    mine = [replace(action, number=100 + number) for number, action in enumerate([*made, *edits, *late])]
    rounds = [Round(kind=chance.choice(("sync", "sweep")), pause_ms=chance.choice(PAUSES_MS)) for _ in range(back + 1)]
    crashes = [
        Fault(round=begin + place, kind="crash", at=chance.randrange(BOUNDARIES))
        for place in range(back + 1)
        if chance.random() < 0.2
    ]
    apps = tuple(replace(quirks, restored=back * (number == place)) for number, quirks in enumerate(drawn.apps))
    return replace(
        drawn,
        apps=apps,
        persons=persons,
        rounds=(*drawn.rounds, *rounds),
        actions=(*drawn.actions, *mine),
        faults=(*drawn.faults, *crashes),
    )


def _actions(chance: random.Random, apps: int, persons: int, rounds: int) -> list[Action]:
    number = 0
    actions: list[Action] = []
    for person in range(persons):
        for app in chance.sample(range(apps), chance.randint(1, min(apps, 3))):
            number += 1
            actions.append(Action(round=0, at=-1, kind="create", app=app, person=person, number=number))
    kinds, weights = list(ACTIONS), list(ACTIONS.values())
    for round_ in range(rounds):
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            number += 1
            at = -1 if chance.random() < 0.5 else chance.randrange(BOUNDARIES)
            kind = chance.choices(kinds, weights)[0]
            app, person, name = chance.randrange(apps), chance.randrange(persons), chance.choice(EDITABLE)
            actions.append(Action(round=round_, at=at, kind=kind, app=app, person=person, field=name, number=number))
    return actions


def _faults(chance: random.Random, apps: int, rounds: int, *, lags: bool) -> list[Fault]:
    faults: list[Fault] = []
    for round_ in range(rounds):
        if chance.random() < 0.35:
            how = chance.choice(CRASHES)
            at = chance.randrange(8 if how else BOUNDARIES)
            faults.append(Fault(round=round_, kind="crash", at=at, how=how))
        if chance.random() < 0.35:
            how = chance.choice(("lost", "lost", "never", "late", "busy", "short", "invalid"))
            faults.append(
                Fault(round=round_, kind="write", at=chance.randrange(3), app=chance.randrange(apps), how=how)
            )
        if chance.random() < 0.2:
            how = chance.choice(("transient", "access", "lost"))
            faults.append(
                Fault(round=round_, kind="call", at=chance.randrange(10), app=chance.randrange(apps), how=how)
            )
        if chance.random() < 0.05:
            faults.append(Fault(round=round_, kind="takeover", at=chance.randrange(BOUNDARIES)))
        if round_ and chance.random() < 0.05:
            faults.append(Fault(round=round_, kind="tenant", at=0, app=chance.randrange(apps)))
        if chance.random() < 0.05:
            how = chance.choice(STEPS_LAGGING if lags else ("3600000", *STEPS_LAGGING))
            faults.append(Fault(round=round_, kind="clock", at=chance.randrange(BOUNDARIES), how=how))
    return faults
