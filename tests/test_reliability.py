"""The page about reliability is what its figures make of it."""

from __future__ import annotations

import re

import pytest

from tests import reliability


def test_the_page_is_made_of_the_figures() -> None:
    assert reliability.main(["--check"]) == 0, "run `python -m tests.reliability`"


@pytest.mark.parametrize("name", ["sim", "small", "crash", "mutants", "generic"])
def test_what_was_not_measured_is_said(name: str) -> None:
    found = (reliability.PROOF / f"{name}.json").exists()
    assert found or "Not measured yet." in reliability.page()


def test_every_failure_among_the_figures_is_told_of() -> None:
    told = re.findall(r"\b\d+\b", (reliability.ROOT / "tests" / "sim" / "FAULTS.md").read_text("utf-8"))
    assert {str(seed) for seed in reliability.figures_of("sim").get("failed", ())} <= {*told}
    assert not any(one["failed"] for one in reliability.figures_of("small").values())
    assert not reliability.figures_of("crash").get("wrong")
