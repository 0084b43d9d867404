"""Faults that a simulated history found, as stories; tests/sim/FAULTS.md lists their seeds."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

from syncd.core.settle import degraded
from tests.story import given

ADA = {"email": "ada@x.org", "first_name": "Ada"}


def test_an_undecided_record_gets_another_address_and_is_decided(tmp_path: Path) -> None:
    """Seed 218: the old address still led to the contact that had been taken apart, and the run never ended."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ADA)
    story["news"].put("11", **ADA)
    story["news"].put("12", **ADA)
    story.sync(approve=True)
    assert {case["kind"] for case in story.cases()} == {"match"}
    story["news"].put("11", email="other@x.org")
    story.settle()
    assert story.cases() == []
    assert story.contact("crm", "1") == story.contact("news", "12") != story.contact("news", "11") != 0


def test_capitals_whose_accents_are_apart_are_no_edit() -> None:
    """Seed 410: the answer to "Zoë" was late, the app showed "ZOE" and a combining mark, and that went everywhere."""
    assert degraded("Zoë", normalize("NFD", "ZOË"))
    assert not degraded("Zoë", "ZOE")
