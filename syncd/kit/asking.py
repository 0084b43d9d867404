"""Every check put to a connector, one world after the other: what came of each, and why.

Runs code of others, so whatever a check raises is its answer. Hard rule: a check that was not asked is never counted as green.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, TypeAlias

from syncd import registry
from syncd.config.near import shown
from syncd.connector import Connector
from syncd.errors import ConfigError, TransientError
from syncd.kit import checks
from syncd.kit.reasons import Reason, reason_of
from syncd.kit.servers import ServerDiedError
from syncd.kit.suite import NOT_CLAIMED, Check
from syncd.kit.worlds import AppWorld
from syncd.model import Spec

MODULE: Final = "world"
Worlds: TypeAlias = Mapping[str, Callable[[Connector], AppWorld]]
Tell: TypeAlias = Callable[[str, int, int], None]
"""Told before each check: what is asked, how many were asked, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one check in one world."""

    check: str
    world: str
    verdict: Literal["green", "failed", "not asked"]
    why: Reason | None = None
    """Of a check that failed, or was not asked."""

    @property
    def question(self) -> str:
        return self.check.replace("_", " ")


@contextlib.contextmanager
def worlds_of(folder: Path) -> Iterator[Worlds]:
    """Give the worlds that lie beside a connector, by name; where they are on a real server, it runs while the block runs.

    ConfigError where there are none, or they cannot be loaded, or that server is not here; TransientError where it does not start.
    """
    if not (folder / f"{MODULE}.py").is_file():
        raise ConfigError(
            f"{folder} has no {MODULE}.py, the stand-in to test on. On an account of yours: --against live. "
            "docs/writing-a-connector.md shows how to write one"
        )
    module = registry.module(folder, MODULE)
    served = getattr(module, "serving", None)
    with contextlib.ExitStack() as stack:
        try:
            found = _said(module) if served is None else stack.enter_context(served())
        except ServerDiedError as error:
            why = str(error).strip().rpartition("\n")[2]
            raise TransientError(f"{folder.name}: the real server does not start; what it said last: {why}") from error
        if not isinstance(found, Mapping) or not all(callable(each) for each in found.values()):
            raise ConfigError(f"{folder / MODULE}.py has no class World (and no WORLDS: name -> what makes one)")
        yield found


def _said(module: ModuleType) -> object:
    return getattr(module, "WORLDS", None) or {"": getattr(module, "World", None)}


def ask_all(folder: Path, tell: Tell, only: str = "") -> Iterator[Outcome]:
    """Put every check to the connector in this folder, in each of its worlds. Raises ConfigError where it cannot be loaded."""
    if not __debug__:
        raise ConfigError("the kit's checks are assertions, and this Python leaves them out: start it without -O")
    connector = registry.load(str(folder))
    chosen = [each for each in checks.ALL if only in each.name]
    if not chosen:
        raise ConfigError(f'no check has "{shown(only)}" in its name')
    specs: dict[str, Spec] = {}
    with worlds_of(folder) as worlds:
        asked, of = 0, len(worlds) * len(chosen)
        for name, make in worlds.items():
            for check in chosen:
                tell(f"{name}: {check.name}" if name else check.name, asked, of)
                asked += 1
                yield ask(check, name, partial(make, connector), specs, folder)


def ask(
    check: Check, name: str, make: Callable[[], AppWorld], specs: dict[str, Spec], folder: Path | None = None
) -> Outcome:
    """Put one check; `specs` remembers what the app of a world claims, so that not every check needs a world."""
    if name in specs and not check.applies(specs[name]):
        return Outcome(check=check.name, world=name, verdict="not asked", why=Reason(message=NOT_CLAIMED))
    try:
        with contextlib.closing(make()) as world:
            if name not in specs:
                specs[name] = world.open().spec
            missing = check.missing(specs[name], world)
            if missing:
                return Outcome(check=check.name, world=name, verdict="not asked", why=Reason(message=missing))
            check.run(world)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - what it raises is its answer
        return Outcome(check=check.name, world=name, verdict="failed", why=reason_of(error, folder))
    return Outcome(check=check.name, world=name, verdict="green")
