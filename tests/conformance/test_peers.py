"""The connectors to open systems against the suite, each on the running server."""

from __future__ import annotations

import contextlib

import pytest

from syncd.kit import checks
from syncd.kit.suite import Check
from syncd.kit.worlds import AppWorld
from syncd.model import Spec
from tests.conformance.peers import RoundupWorld
from tests.peers.roundup import Roundup

every_check = pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.name)

_specs: dict[str, Spec] = {}


def ask(name: str, world: AppWorld, check: Check) -> None:
    with contextlib.closing(world):
        spec = _specs.get(name) or _specs.setdefault(name, world.open().spec)
        if check.applies(spec):
            check.run(world)


@every_check
def test_roundup(check: Check, tracker: Roundup) -> None:
    ask("roundup", RoundupWorld(tracker), check)
