"""Every connector in YAML against the suite, over real HTTP."""

from __future__ import annotations

import pytest

from syncd.kit.suite import Check
from tests.conformance.putting import every_check, put
from tests.conformance.vendors import VENDORS


@every_check
@pytest.mark.parametrize("vendor", VENDORS)
def test_vendor(vendor: str, check: Check) -> None:
    put(vendor, VENDORS[vendor], check)
