"""The page about reliability is what its figures make of it."""

from __future__ import annotations

import pytest

from tests import reliability


def test_the_page_is_made_of_the_figures() -> None:
    assert reliability.main(["--check"]) == 0, "run `python -m tests.reliability`"


@pytest.mark.parametrize("name", ["sim", "small", "crash", "mutants"])
def test_what_was_not_measured_is_said(name: str) -> None:
    found = (reliability.PROOF / f"{name}.json").exists()
    assert found or "Not measured yet." in reliability.page()


def test_the_figures_hold_no_failure() -> None:
    assert not reliability.figures_of("sim").get("failed")
    assert not any(one["failed"] for one in reliability.figures_of("small").values())
    assert not reliability.figures_of("crash").get("wrong")
