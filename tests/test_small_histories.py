"""Depth 1 of the exhaustive search (SYNC-MODEL 3.2), complete on the two-app worlds; more is `make sim`."""

from __future__ import annotations

import pytest

from tests.sim.small import FIRST, KINDS, Judged, deviations, play_small, search, worlds

WORLDS = {(kind, name): scenario for kind in KINDS for name, scenario in worlds(2, kind)}


@pytest.mark.parametrize(("kind", "name"), WORLDS)
def test_no_single_deviation_breaks_an_invariant(kind: str, name: str) -> None:
    found = search(name, WORLDS[kind, name], 1)
    assert not [(str(played.violations[0]), played.scenario.doc()) for played in found.failed]
    assert found.histories > 900


@pytest.mark.parametrize("name", ["one side", "linked and a tombstone"])
def test_a_state_that_was_judged_before_has_the_same_end(name: str) -> None:
    """What is left out for its name would have ended as well as what was played: a sample is played to the end."""
    scenario, judged = WORLDS["exact", name], Judged()
    _, small = play_small(scenario, judged)
    sample = list(deviations(small, FIRST.get(name, 0), 2))[::23]
    for deviation in sample:
        played, _ = play_small(deviation.of(scenario), judged)
        whole, _ = play_small(deviation.of(scenario), Judged())
        assert bool(played.violations) == bool(whole.violations)
    assert judged.again > len(sample) // 8


def test_every_boundary_of_a_run_is_a_place_to_die() -> None:
    scenario = WORLDS["exact", "linked"]
    _, small = play_small(scenario, Judged())
    crashes = {d.fault.at for d in deviations(small, 2, 2) if d.fault and d.fault.kind == "crash" and d.mark.round == 2}
    assert crashes == {0, *(mark.at for mark in small.marks if mark.round == 2 and mark.after)}
    story = play_small(next(deviations(small, 2, 2)).of(scenario), Judged())[0].story
    assert "   the process dies" in story
