"""What a mutant is, and where it may be looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.mutants.edits import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """So many drawn histories of the simulator."""

    first: int = 0
    count: int = 3_000
    store: Literal["memory", "sqlite"] = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """Every history of a small world with so many deviations."""

    world: str
    kind: str = "exact"
    apps: int = 2
    depth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Directed:
    """One history, made for this mutant or shortened until it told nothing else: stories/<name>.yaml."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests of the parts that no simulated app has: real connectors, the lease, the wire."""

    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The power is cut at every write of a scene of tests/crash, in the real process."""

    scene: str = "day"
    places: int = 4


Way: TypeAlias = Seeds | Small | Directed | Suite | Power


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A fault that somebody shipped."""

    id: str
    bug: str
    edits: tuple[Edit, ...]
    killers: frozenset[str]
    """The invariants of which any must notice it."""
    known: Way
    """Where it is noticed soon: what `make test` plays."""
    ways: tuple[Way, ...] = ()
    """The full search, one after the other; none of them: the known one is all there is."""
    beside: tuple[str, ...] = ()
    """Mutants of the defences that cover this one: alone it lives, and with these it must die."""
    note: str = ""
