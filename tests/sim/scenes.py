"""Scenes: what chance alone brings about too seldom, played behind the rounds of some histories by somebody who was not there.

Each leads to one rare branch (tests/sim/rare.py), as far as the apps that were drawn go along with it. Hard rule: a chance of
its own decides, so that the histories without a scene stay what they were.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.sim.scenario import EDITABLE, Action, ActionKind, Fault, FaultKind, Round, Scenario

SCENES: Final = 0.24
"""How many histories have one."""
FIRST: Final = 500
"""The first number of what is typed in a scene."""
HOWS: Final = ("transient", "access", "lost")


@dataclass(slots=True)
class Scene:
    """Rounds that are added to a history, and what people do in them."""

    drawn: Scenario
    chance: random.Random
    rounds: list[Round] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    knobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    blank: str = ""
    persons: int = 1

    @property
    def apps(self) -> int:
        return len(self.drawn.apps)

    @property
    def who(self) -> int:
        """The first person of this scene."""
        return self.drawn.persons

    def round(self, pause_ms: int = 60_000) -> None:
        """Begin another run of syncd; what follows happens before it."""
        self.rounds.append(Round(pause_ms=pause_ms))

    def act(self, kind: ActionKind, app: int, name: str = "", person: int = 0, *, at: int = -1) -> None:
        number = FIRST + len(self.actions)
        now = len(self.drawn.rounds) + len(self.rounds) - 1
        self.actions.append(
            Action(round=now, at=at, kind=kind, app=app, person=self.who + person, field=name, number=number)
        )

    def fault(self, kind: FaultKind, app: int, how: str, what: str = "") -> None:
        now = len(self.drawn.rounds) + len(self.rounds) - 1
        self.faults.append(Fault(round=now, kind=kind, at=0, app=app, how=how, what=what))

    def quirk(self, app: int, **knobs: Any) -> None:
        """Let an app be so from the beginning, lest it does not go along."""
        self.knobs.setdefault(app, {}).update(knobs)

    def pair(self) -> list[int]:
        """Draw two apps."""
        return self.chance.sample(range(self.apps), 2)

    def known(self, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[int, int]:
        """Let somebody come to one of two apps that are so, and be known in both; gives the two."""
        app, other = self.pair()
        self.quirk(app, **mine)
        self.quirk(other, **theirs)
        self.round()
        self.act("create", app)
        self.round()
        self.round()
        return app, other

    def played(self) -> Scenario:
        drawn = self.drawn
        apps = tuple(replace(quirks, **self.knobs.get(place, {})) for place, quirks in enumerate(drawn.apps))
        return replace(
            drawn,
            apps=apps,
            persons=drawn.persons + self.persons,
            rounds=(*drawn.rounds, *self.rounds),
            actions=(*drawn.actions, *self.actions),
            faults=(*drawn.faults, *self.faults),
            blank="propagate" if self.blank else drawn.blank,
        )


OPEN: Final = {"create": True, "update": True, "required": ()}
EASY: Final = {
    **OPEN,
    "unique_email": False,
    "id_from_email": False,
    "lag_ms": 0,
    "drift": False,
    "on_delete": "unlink",
}


def _asked_in_vain(scene: Scene) -> None:
    """Calls that ask for records fail in every round, and some that write."""
    for round_ in range(len(scene.drawn.rounds)):
        for app in range(scene.apps):
            how, what = scene.chance.choice(HOWS), scene.chance.choice(("get", "get", "write"))
            scene.faults.append(Fault(round=round_, kind="call", at=0, app=app, how=how, what=what))
    scene.round()


def _doubt(scene: Scene) -> None:
    """An app that counts its own ids does not answer to a create, and fails when it is asked what became of it."""
    app, other = scene.pair()
    scene.quirk(app, **OPEN, own_ids=True)
    scene.round()
    scene.act("create", other)
    scene.fault("write", app, scene.chance.choice(("lost", "never")))
    for pause_ms in (2_000, 60_000):
        scene.round(pause_ms)
        scene.fault("call", app, scene.chance.choice(HOWS), "find")


def _clears(scene: Scene) -> None:
    """So much is cleared at once that a person is asked."""
    app, other = scene.pair()
    scene.blank, scene.persons = "propagate", 6
    scene.quirk(app, **OPEN)
    scene.quirk(other, **OPEN)
    name = scene.chance.choice(EDITABLE)
    for kind in ("create", "blank"):
        scene.round()
        for person in range(scene.persons):
            scene.act(kind, app, name, person)
        scene.round()


def _another_address(scene: Scene) -> None:
    """A record that was removed comes back with another address."""
    app, _ = scene.known(EASY, EASY)
    scene.act("delete", app)
    scene.round()
    scene.round(2_000)
    scene.act("undelete", app)
    scene.act("move", app)


def _meeting(scene: Scene) -> None:
    """Somebody gets another address in one app, and a second record with it in the other one before that is read."""
    app, other = scene.known({**EASY, "hooks": False}, {**EASY, "hooks": False})
    scene.act("move", app)
    scene.act("create", other)
    scene.fault("call", app, "transient", "read")
    scene.round()


def _stranger(scene: Scene) -> None:
    """Somebody's new address turns up in two apps at once, in one of them beside the record that has the old one still."""
    if scene.apps < 3:
        return  # nobody comes
    first, second, third = sorted(scene.chance.sample(range(scene.apps), 3))
    scene.quirk(first, **EASY)
    scene.quirk(second, **{**EASY, "create": False})
    scene.quirk(third, **{**EASY, "update": False})
    scene.round()
    scene.act("create", first)
    scene.round()
    scene.round()
    scene.act("move", first)
    scene.round()
    scene.act("create", second)
    scene.act("create", third)


def _crowd(scene: Scene) -> None:
    """Two contacts have one address, and it turns up in a third app."""
    if scene.apps < 3:
        return  # nobody comes
    first, second, third = scene.chance.sample(range(scene.apps), 3)
    scene.quirk(first, **EASY, hooks=False)
    scene.quirk(second, **{**EASY, "create": False})
    scene.quirk(third, **{**EASY, "update": False}, hooks=False)
    scene.round()
    scene.act("create", first)
    scene.round()
    scene.round()
    scene.act("move", first)
    scene.act("create", third)
    scene.fault("call", first, "transient", "read")
    scene.round()
    scene.round()
    scene.act("create", second)


def _hidden(scene: Scene) -> None:
    """A field is not shown at the moment at which it is to be written."""
    app, other = scene.pair()
    scene.quirk(app, **OPEN, hidden=("company",), guard="blind")
    scene.quirk(other, **OPEN)
    scene.round()
    scene.act("create", app, "company")
    for _ in range(4):
        scene.round()
        scene.act("edit", other, "company")


def _not_gone(scene: Scene) -> None:
    """A record is removed and brought back, and the app tells of the first alone for a while."""
    app, other = scene.pair()
    scene.quirk(app, **{**EASY, "lag_ms": 60_000}, feed=True, stamped=False, unordered=False, hooks=False, bin_ms=0)
    scene.quirk(other, **OPEN)
    scene.round()
    scene.act("create", app)
    scene.round(661_000)
    scene.round(661_000)
    scene.act("delete", app)
    scene.round(58_000)
    scene.act("undelete", app)
    for _ in range(4):
        scene.round(2_000)


def _again(scene: Scene) -> None:
    """Somebody who was removed is entered anew; then the first record comes back, with another address."""
    app, _ = scene.known({**EASY, "deletes": "told"}, EASY)
    scene.act("delete", app)
    scene.round()
    scene.round(2_000)
    scene.act("create", app)
    scene.round()
    scene.act("undelete", app)
    scene.act("move", app)
    scene.round()


def _archives(scene: Scene) -> None:
    """So many are removed at once that a person is asked, first about that and then about the records elsewhere."""
    app, other = scene.pair()
    scene.persons = 6
    scene.quirk(app, **{**EASY, "on_delete": "archive"}, deletes="told")
    scene.quirk(other, **EASY)
    for kind in ("create", "delete"):
        scene.round()
        for person in range(scene.persons):
            scene.act(kind, app, person=person)
        scene.round()
        scene.round()


def _meanwhile(scene: Scene) -> None:
    """Somebody is removed in one app, and edited in the other one while syncd is about to put that record away."""
    app, other = scene.known({**EASY, "on_delete": "archive", "deletes": "told"}, EASY)
    scene.act("delete", app)
    kinds: tuple[ActionKind, ...] = ("edit", "opt_out")
    scene.act(scene.chance.choice(kinds), other, scene.chance.choice(EDITABLE), at=scene.chance.randrange(60))


def _anew(scene: Scene) -> None:
    """Somebody who was removed in every app comes to one of them again."""
    _, other = scene.known({**EASY, "deletes": "told"}, EASY)
    for each in range(scene.apps):
        scene.act("delete", each)
    scene.round()
    scene.round(2_000)
    scene.act("create", other)
    scene.round()


def _between(scene: Scene) -> None:
    """Somebody comes to two apps, is read and matched, and gets another address in one of them before the two are merged."""
    app, other = scene.pair()
    scene.quirk(app, **EASY)
    scene.quirk(other, **EASY)
    scene.round()
    scene.act("create", app)
    scene.act("create", other)
    scene.fault("crash", app, "match")
    scene.round()
    scene.act("move", other)
    scene.round()


def _two_at_once(scene: Scene) -> None:
    """Somebody gets another address in an app in which nobody is created, and which cannot be read then; in another app there is
    a new record with it.
    """
    app, other = scene.known({**EASY, "create": False, "hooks": False}, {**EASY, "hooks": False})
    scene.act("move", app)
    scene.act("create", other)
    scene.fault("call", app, "transient", "open")
    scene.round()


TABLE: Final[tuple[tuple[Callable[[Scene], None], int], ...]] = (
    (_asked_in_vain, 5), (_doubt, 6), (_clears, 2), (_another_address, 2), (_meeting, 2), (_stranger, 3), (_crowd, 3),
    (_hidden, 2), (_not_gone, 2), (_again, 2), (_archives, 2), (_anew, 1), (_meanwhile, 2), (_two_at_once, 2),
    (_between, 4),
)  # fmt: skip
"""Each scene, and how often it is drawn."""


def with_scene(drawn: Scenario) -> Scenario:
    """Add a scene to some histories; not where an app goes back in time or down, which is counted from the last round."""
    chance = random.Random(f"syncd {drawn.seed}, scene")
    if chance.random() >= SCENES or drawn.mode == "liveness" or any(quirks.restored for quirks in drawn.apps):
        return drawn
    [make] = chance.choices([make for make, _ in TABLE], [weight for _, weight in TABLE])
    scene = Scene(drawn, chance)
    make(scene)
    return scene.played()
