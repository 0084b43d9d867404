"""Every connector in YAML against the suite, over real HTTP."""

from __future__ import annotations

import contextlib

import pytest

from syncd.kit import checks
from syncd.kit.suite import Check
from syncd.model import Spec
from tests.conformance.vendors import VENDORS

_specs: dict[str, Spec] = {}


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.name)
@pytest.mark.parametrize("vendor", VENDORS)
def test_vendor(vendor: str, check: Check) -> None:
    if vendor in _specs and not check.applies(_specs[vendor]):
        return
    with contextlib.closing(VENDORS[vendor]()) as world:
        _specs.setdefault(vendor, world.open().spec)
        if check.applies(_specs[vendor]):
            check.run(world)
