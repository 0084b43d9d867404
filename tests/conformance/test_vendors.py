"""Every connector in YAML against the suite, over real HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from syncd.model import Spec
from tests.conformance import checks
from tests.conformance.accounts import QuickBooksWorld
from tests.conformance.suite import Check
from tests.conformance.vendors import (
    FakeApiWorld,
    HubSpotWorld,
    MailchimpWorld,
    MauticWorld,
    VendorWorld,
    XeroWorld,
    ZendeskWorld,
)

VENDORS: dict[str, Callable[[], VendorWorld]] = {
    "fakeapi": FakeApiWorld,
    "hubspot": HubSpotWorld,
    "mailchimp": MailchimpWorld,
    "mautic": MauticWorld,
    "quickbooks": QuickBooksWorld,
    "xero": XeroWorld,
    "zendesk": ZendeskWorld,
}

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
