"""Histories, one by one: what generic mutants have to get past (judge.py). Drawn ones, and those that once showed a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.sim.drawing import draw
from tests.sim.play import play
from tests.sim.stores import memory
from tests.sim.tales import read_tale

HERE: Final = Path(__file__).parent
KEPT: Final = sorted([*(HERE / "stories").glob("*.yaml"), *(HERE.parent / "sim" / "stories").glob("*.yaml")])


@pytest.mark.parametrize("seed", range(20))
def test_histories(seed: int) -> None:
    assert play(draw(seed), memory).violations == ()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_histories(path: Path) -> None:
    assert play(read_tale(path).scenario, memory).violations == ()
