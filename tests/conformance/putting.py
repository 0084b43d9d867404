"""One check put to one connector, as a test: what it raises is what pytest shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import pytest

from syncd.kit import checks
from syncd.kit.suite import Check
from syncd.kit.worlds import AppWorld
from syncd.model import Spec

every_check: Final = pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.name)

_specs: dict[str, Spec] = {}
"""What the app of a world claims: known once, asked by every check."""


def put(name: str, make: Callable[[], AppWorld], check: Check) -> None:
    """Run a check where it applies: what an app does not claim is asked by that check's twin."""
    if name in _specs and not check.applies(_specs[name]):
        return
    with contextlib.closing(make()) as world:
        if name not in _specs:
            _specs[name] = world.open().spec
        if not check.missing(_specs[name], world):
            check.run(world)
