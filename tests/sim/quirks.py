"""What may be peculiar about one app: the knobs of SYNC-MODEL 3.1, as far as they exist at the contract of a connector.

What belongs to HTTP (429 in all its forms, 5xx, truncated JSON, redirects) reaches the engine as what a connector makes of
it: a reaction on reading (`TransientError`, `AccessError`), `busy` or `Unknown` on writing. Those are faults
(tests/sim/scenario.py), not knobs, but for quotas and page tokens, which are the app's own. Hard rule: a knob that is off changes nothing, so that shrinking means turning knobs off.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

Guard = Literal["cas", "jump", "blind"]
Versions = Literal["ordered", "opaque", "none"]
Delete = Literal["told", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """One app's peculiarities; the defaults are an honest app."""

    own_ids: bool = False
    """The app counts its own ids: an in-doubt create is looked up (rung E), not repeated (rung A)."""
    guard: Guard = "cas"
    versions: Versions = "ordered"
    feed: bool = True
    """It tells what changed since a cursor; else every read is a full listing."""
    deletes: Delete = "told"
    """silent: a deleted record is just missing."""
    stamped: bool = False
    """The cursor is the app's clock, in whole seconds and wrong by `skew_ms`, with an overlap; else a counter."""
    skew_ms: int = 0
    lag_ms: int = 0
    """A change may stay invisible to listings, feeds and searches for so long."""
    unordered: bool = False
    """Changes become visible in another order than they were made."""
    repeats: bool = False
    """Feeds bring rows again that were told before."""
    stale: bool = False
    """Feeds bring older states of a record as well, behind the newer ones."""
    twice: bool = False
    """One page names the same record twice."""
    page: int = 100
    drift: bool = False
    """A listing is cut by position while records move: rows are skipped (no listing proves anything by itself)."""
    expires: bool = False
    """Cursors are forgotten now and then."""
    window: int = 0
    """A feed names at most so many changes, and goes on from there at the next read."""
    unbumped: tuple[str, ...] = ()
    """Fields whose change the feed does not tell; only a full listing shows them."""
    bumped: bool = False
    """Records are touched without a change, now and then."""
    upper: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    escape: tuple[str, ...] = ()
    decompose: tuple[str, ...] = ()
    """Fields that are stored in NFD."""
    cut: int = 0
    """The company is stored in so many characters."""
    declared: bool = False
    """The cut is declared (`max_length`, `overflow: truncate`)."""
    subscribes: bool = False
    """Whoever is created without a word about consent is subscribed."""
    unique_email: bool = False
    id_from_email: bool = False
    """A record's id is made of its address: another address, another id."""
    robot: str = ""
    """A workflow that sets the company to this word, some time after every change of it."""
    replaces: bool = False
    """A write takes away whatever it does not name: the connector sends the rest as it is."""
    merges_new: bool = False
    """Two records that people merge become a third one."""
    batch: int = 100
    hidden: tuple[str, ...] = ()
    """Fields that the app does not show at times."""
    on_delete: Literal["unlink", "archive"] = "unlink"
    create: bool = True
    update: bool = True
    future_ms: int = 0
    """Some changes are stamped so far in the future (imports, a clock)."""
    quota: int = 0
    """So many calls a minute; what is beyond is refused until the next one."""
    loses_place: bool = False
    """Page tokens are forgotten now and then, in the middle of a listing or of a feed."""
    bin_ms: int = 0
    """What is deleted lies in a bin for so long and can be brought back, and its address is taken; then its end is told again."""
    required: tuple[str, ...] = ()
    """Fields without which syncd gets no record stored, and that it cannot clear."""
    restored: int = 0
    """Before the last round it goes back to how it was so many rounds ago (`backups`); by 2, cursors are no longer good."""
    hooks: bool = False
    """Webhooks name what has changed: some are lost, some come twice or late, some before a listing shows it."""

    def named(self) -> list[str]:
        """Name the knobs that are on."""
        return [f.name for f in fields(self) if getattr(self, f.name) != f.default]

    def without(self, name: str) -> Quirks:
        """Turn one knob off."""
        changes: dict[str, Any] = {f.name: f.default for f in fields(self) if f.name == name}
        return replace(self, **changes)

    def doc(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.named()}


def quirks_of(doc: dict[str, Any]) -> Quirks:
    """Read what `doc` wrote."""
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in doc.items()}
    return Quirks(**read)


CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "own_ids": (True,),
    "guard": ("jump", "blind"),
    "versions": ("opaque", "none"),
    "feed": (False,),
    "deletes": ("silent",),
    "stamped": (True,),
    "skew_ms": (-90_000, 45_000),
    "lag_ms": (5_000, 60_000),
    "unordered": (True,),
    "repeats": (True,),
    "stale": (True,),
    "twice": (True,),
    "page": (1, 2),
    "drift": (True,),
    "expires": (True,),
    "window": (1, 3),
    "unbumped": (("company",),),
    "bumped": (True,),
    "upper": (("company",), ("first_name",)),
    "lower": (("first_name",), ("email",)),
    "escape": (("company",),),
    "decompose": (("first_name",),),
    "cut": (4, 6),
    "declared": (True,),
    "subscribes": (True,),
    "unique_email": (True,),
    "id_from_email": (True,),
    "replaces": (True,),
    "merges_new": (True,),
    "robot": ("Robotics", "Automata"),
    "batch": (1,),
    "hidden": (("company",), ("email_consent",)),
    "on_delete": ("archive",),
    "create": (False,),
    "update": (False,),
}
"""Knob -> the settings that are tried."""
LATER: Final[dict[str, tuple[Any, ...]]] = {
    "future_ms": (3_600_000, 90_000_000),
    "quota": (3, 8),
    "loses_place": (True,),
    "bin_ms": (60_000, 700_000),
    "required": (("company",),),
    "hooks": (True,),
}
"""Knobs that came later: drawn by a chance of their own, so that the histories of the others stay what they were."""
RARE: Final = {
    "robot": 0.1,
    "create": 0.1,
    "update": 0.06,
    "on_delete": 0.25,
    "hidden": 0.25,
    "unbumped": 0.3,
    "id_from_email": 0.2,
    "required": 0.15,
    "quota": 0.2,
}
"""Knobs that take much away from a history: how often they are on where they are enabled at all."""


def draw_quirks(chance: random.Random, later: random.Random, enabled: frozenset[str]) -> Quirks:
    """Draw one app's knobs out of those that are enabled for this history."""
    chosen: dict[str, Any] = {}
    for drawn, choices in ((chance, CHOICES), (later, LATER)):
        for name, settings in choices.items():
            draw, setting = drawn.random(), drawn.choice(settings)
            if name in enabled and draw < RARE.get(name, 0.4):
                chosen[name] = setting
    return mended(Quirks(**chosen))


def mended(quirks: Quirks) -> Quirks:
    """Take back what makes no sense together."""
    changes: dict[str, Any] = {}
    if not quirks.feed:
        changes |= {
            "future_ms": 0,
            "stamped": False,
            "repeats": False,
            "stale": False,
            "twice": False,
            "window": 0,
            "unbumped": (),
        }
    if quirks.versions == "none" or not quirks.feed:
        changes |= {"stale": False, "twice": False}  # no connector can tell which row is the newer: it must ask
    if quirks.versions == "opaque":
        changes |= {"stale": False, "twice": False}
    if quirks.id_from_email:
        changes |= {"own_ids": True, "unique_email": True, "lower": (), "subscribes": False}
        changes |= {"bin_ms": 0, "merges_new": False}  # the id of the third record would be that of one of the two
    if not quirks.cut:
        changes |= {"declared": False}
    if quirks.upper == quirks.lower:
        changes |= {"lower": ()}
    return replace(quirks, **changes)


def draw_enabled(chance: random.Random, later: random.Random) -> frozenset[str]:
    """Swarm: half of all knobs, drawn."""
    mine = [name for name in CHOICES if chance.random() < 0.5]
    return frozenset([*mine, *(name for name in LATER if later.random() < 0.5)])
