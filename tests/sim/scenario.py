"""A history before it happens: apps, people, rounds, what people do and what goes wrong, all of it plain data.

Drawn from a seed, shrunk by leaving parts out, kept as YAML. Hard rule: everything that a run depends on is in here; chance
that apps need while they run (which row is repeated, how long a change stays hidden) is hashed from the seed and a name.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from tests.sim.quirks import Quirks, draw_enabled, draw_quirks, quirks_of

ActionKind = Literal[
    "create",
    "edit",
    "blank",
    "opt_out",
    "opt_in",
    "opt_in_bare",
    "delete",
    "undelete",
    "merge",
    "move",
    "hide",
    "show",
]
ACTIONS: Final[dict[ActionKind, int]] = {
    "edit": 10, "create": 3, "blank": 2, "opt_out": 4, "opt_in": 3, "opt_in_bare": 2, "delete": 2, "undelete": 1,
    "merge": 1, "move": 2, "hide": 1, "show": 1,
}  # fmt: skip
"""What people do, and how often. move: another e-mail address. opt_in_bare: without evidence. hide and show take a record out
of sight of syncd's account, as if it were deleted, and back.
"""
EDITABLE: Final = ("first_name", "company")
APPS: Final = ("crm", "news", "desk", "shop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A person at a screen, before a round (`at` -1) or at a numbered boundary of its run."""

    round: int
    at: int
    kind: ActionKind
    app: int
    person: int
    field: str = ""
    number: int = 0
    """Makes the typed value unlike any other."""


FaultKind = Literal["crash", "call", "write", "takeover", "clock", "tenant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong in a round: at a boundary (crash, takeover, clock), at the nth call of an app, at its nth write, or all
    the time (tenant: somebody gave syncd the key of another account).
    """

    round: int
    kind: FaultKind
    at: int
    app: int = 0
    how: str = ""
    """call: transient, access, or lost (the answer). write: lost, never, late, busy, short. crash: near this boundary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of syncd, after a pause."""

    kind: Literal["sync", "sweep", "plan"] = "sync"
    pause_ms: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything a history depends on."""

    seed: int
    mode: Literal["safety", "liveness"] = "safety"
    apps: tuple[Quirks, ...] = ()
    persons: int = 1
    blank: Literal["ignore", "propagate"] = "ignore"
    policy: Literal["latest", "owner"] = "latest"
    rounds: tuple[Round, ...] = (Round(),)
    actions: tuple[Action, ...] = ()
    faults: tuple[Fault, ...] = ()
    broken: tuple[int, ...] = ()
    """Liveness: apps that go down for good after the first round."""
    notes: tuple[str, ...] = field(default=(), compare=False)

    def doc(self) -> dict[str, Any]:
        """Write as plain data, defaults left out."""
        doc: dict[str, Any] = {"seed": self.seed, "mode": self.mode, "persons": self.persons}
        doc |= {
            name: value for name in ("blank", "policy") if (value := getattr(self, name)) not in ("ignore", "latest")
        }
        doc["apps"] = [{APPS[place]: quirks.doc()} for place, quirks in enumerate(self.apps)]
        doc["rounds"] = [f"{r.kind} after {r.pause_ms} ms" for r in self.rounds]
        doc["actions"] = [
            {k: v for k, v in asdict(a).items() if v not in ("", 0) or k in ("round", "at")} for a in self.actions
        ]
        doc["faults"] = [{k: v for k, v in asdict(f).items() if v != ""} for f in self.faults]
        return doc | ({"broken": list(self.broken)} if self.broken else {})


def read_scenario(doc: dict[str, Any]) -> Scenario:
    """Read what `Scenario.doc` wrote."""
    rounds = [text.split() for text in doc["rounds"]]
    return Scenario(
        seed=doc["seed"],
        mode=doc.get("mode", "safety"),
        persons=doc["persons"],
        blank=doc.get("blank", "ignore"),
        policy=doc.get("policy", "latest"),
        apps=tuple(quirks_of(knobs) for app in doc["apps"] for knobs in app.values()),
        rounds=tuple(Round(kind=words[0], pause_ms=int(words[2])) for words in rounds),
        actions=tuple(Action(**{"app": 0, "person": 0, **a}) for a in doc.get("actions", ())),
        faults=tuple(Fault(**f) for f in doc.get("faults", ())),
        broken=tuple(doc.get("broken", ())),
    )


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
    return _with_restore(random.Random(f"syncd {seed}, restored"), drawn)


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
