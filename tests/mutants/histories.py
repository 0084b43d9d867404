"""Drawn histories, in small parts: what generic mutants (mutmut) have to get past."""

from __future__ import annotations

import pytest

from tests.sim.play import play
from tests.sim.scenario import draw
from tests.sim.stores import memory


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_histories(first: int) -> None:
    for seed in range(first, first + 10):
        assert play(draw(seed), memory).violations == ()
