"""Drawn histories, one by one: what generic mutants have to get past (judge.py)."""

from __future__ import annotations

import pytest

from tests.sim.play import play
from tests.sim.scenario import draw
from tests.sim.stores import memory


@pytest.mark.parametrize("seed", range(20))
def test_histories(seed: int) -> None:
    assert play(draw(seed), memory).violations == ()
