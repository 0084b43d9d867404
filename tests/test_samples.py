"""Sample answers of vendors, made up by us: they mean what they say, and look as the vendors' documents say.

The kit reads them with every other question; here is asked that they are there, that a wrong one is noticed, and that each
answer is one that the vendor could give.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from syncd.kit.samples import prove
from tests.conformance.vendors import VENDORS as WORLDS
from tests.conformance.vendors import ZendeskWorld
from tests.openapi import Document
from tests.test_contracts import OUTSIDE, VENDORS, loaded

NULL_ADDRESS = r"GET /api/v2/users: answer\.users\[\d\]: fits none of anyOf"
"""Zendesk's schema wants a text there; its own words say that a deleted user's address is null."""
ROOT = Path(__file__).parent.parent
FLAGSHIPS = ("hubspot", "mailchimp", "xero", "zendesk")
FILES = sorted((ROOT / "connectors").glob("*/samples/*.json"))


def name_of(file: Path) -> str:
    return f"{file.parent.parent.name}-{file.stem}"


def test_every_vendor_has_a_listing_and_every_flagship_a_refusal_too() -> None:
    there = {name_of(file) for file in FILES}
    assert {f"{vendor}-list" for vendor in VENDORS} <= there
    assert {f"{vendor}-exists" for vendor in FLAGSHIPS} <= there


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_sample_means_what_it_says_and_is_an_answer_that_the_vendor_could_give(file: Path) -> None:
    vendor = file.parent.parent.name
    sample = orjson.loads(file.read_bytes())
    assert sample["tells"].endswith(".")
    _, document, more = VENDORS[vendor]
    with contextlib.closing(WORLDS[vendor]()) as world:
        world.mapped = {}
        problems = Document(loaded(document), **more).watch(world.server, OUTSIDE)
        prove(world, sample, file)
    assert {each for each in problems if not re.search(NULL_ADDRESS, each)} == set()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"contacts": {}}, "contacts are read as others"),
        ({"asked": "GET /api/v2/nobody"}, "contacts are read as others"),
        (
            {"write": {"kind": "create", "id": "", "fields": {"email": "x@example.org"}}, "means": {"why": "gone"}},
            "not refused",
        ),
    ],
)
def test_a_sample_that_says_something_else_is_noticed(change: dict[str, Any], complaint: str) -> None:
    file = ROOT / "connectors" / "zendesk" / "samples" / "list.json"
    sample = orjson.loads(file.read_bytes()) | change
    with contextlib.closing(ZendeskWorld()) as world:
        world.mapped = {}
        with pytest.raises(AssertionError, match=complaint):
            prove(world, sample, file)
