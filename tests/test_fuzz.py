"""Each fuzz target with its seeds, and with what hypothesis makes of them. `make soak` goes on where this stops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import SEEDS, TARGETS


def test_every_target_is_searched() -> None:
    assert set(NAMES) == set(TARGETS) == set(SEEDS)


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in SEEDS.items() for seed in seeds])
def test_seeds(name: str, seed: bytes) -> None:
    TARGETS[name](seed)


@st.composite
def mangled(draw: Any, name: str) -> bytes:
    """Cut a seed somewhere, put something in, and go on with another."""
    first, second = draw(st.sampled_from(SEEDS[name])), draw(st.sampled_from(SEEDS[name]))
    begin, end = draw(st.integers(0, len(first))), draw(st.integers(0, len(second)))
    some: bytes = first[:begin] + draw(st.binary(max_size=8)) + second[end:]
    return some


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_anything(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(st.binary(max_size=200) | mangled(name)))
