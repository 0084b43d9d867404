"""A history before it happens: apps, people, rounds, what people do and what goes wrong, all of it plain data.

Drawn from a seed (drawing.py), shrunk by leaving parts out, kept as YAML. Hard rule: everything that a run depends on is in here;
chance that apps need while they run (which row is repeated, how long a change stays hidden) is hashed from the seed and a name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from tests.sim.quirks import Quirks, quirks_of

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
    what: str = ""
    """call: only calls of this name count."""


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
