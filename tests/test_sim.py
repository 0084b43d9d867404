"""The simulator: a thousand histories hold, kept ones stay mended, and what is known to be bad is caught."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sim.cli import main, shrunken
from tests.sim.drawing import draw
from tests.sim.play import Play, play
from tests.sim.quirks import Quirks
from tests.sim.rare import RARE, SEEDS_ASKED, TIMES, too_rare
from tests.sim.scenario import Action, Round, Scenario, read_scenario
from tests.sim.spellings import Spellings
from tests.sim.stores import STORES
from tests.sim.tales import HERE, read_tale

ROOT = Path(__file__).parent.parent
SEEDS, CHUNK = 1_000, 25
OPEN: dict[int, str] = {}
"""Seeds of faults that are known and not mended yet (tests/sim/FAULTS.md): they must fail, with this and nothing else."""
STORIES = sorted(HERE.glob("*.yaml"))
TRACES = "from tests.sim.cli import play_seeds; print(sorted(play_seeds(40, 10, 'memory').traces.items()))"


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_histories_hold(first: int) -> None:
    failed = {}
    for seed in range(first, first + CHUNK):
        played = play(draw(seed), STORES["memory"])
        if seed in OPEN:
            assert {violation.name for violation in played.violations} == {OPEN[seed]}, "mended? take it out of OPEN"
        elif played.violations:
            failed[f".venv/bin/python -m tests.sim --seed {seed}"] = str(played.violations[0])
    assert failed == {}


@pytest.mark.parametrize("seed", range(0, SEEDS, 50))
def test_sqlite_tells_the_same_history(seed: int) -> None:
    """Every 50th history, on the real store: the same requests, answers and outcomes, line by line."""
    scenario = draw(seed)
    assert play(scenario, STORES["sqlite"]).story == play(scenario, STORES["memory"]).story


@pytest.mark.parametrize("path", STORIES, ids=[path.stem for path in STORIES])
def test_kept_histories_stay_mended(path: Path) -> None:
    assert play(read_tale(path).scenario, STORES["memory"]).violations == ()


def test_a_history_is_the_same_in_every_process() -> None:
    told = set()
    for hashing in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", TRACES], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.add(done.stdout)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("blunder", "quirks", "names"),
    [
        ("vendor default", Quirks(subscribes=True), {"NEVER-SUBSCRIBE"}),
        ("ahead", Quirks(lag_ms=60_000, unordered=True), {"COVERAGE"}),
        ("follows stamps", Quirks(stamped=True, future_ms=90_000_000), {"COVERAGE"}),
        (
            "wrong reply",
            Quirks(),
            {"READ-BACK", "COVERAGE", "CONVERGENCE", "NO-BLIND-OVERWRITE", "QUIESCENCE", "NO-NOOP-WRITE"},
        ),
        ("forgets people", Quirks(), {"NO-FALSE-DELETE"}),
    ],
)
def test_a_connector_that_is_known_to_be_bad_is_caught(blunder: str, quirks: Quirks, names: set[str]) -> None:
    caught = set()
    for seed in range(200):
        scenario = draw(seed)
        scenario = Scenario(
            seed=seed,
            apps=(Quirks(), quirks),
            persons=2,
            rounds=scenario.rounds,
            actions=tuple(a for a in scenario.actions if a.app < 2 and a.person < 2),
        )
        assert play(scenario, STORES["memory"]).violations == ()
        caught |= {violation.name for violation in play(scenario, STORES["memory"], frozenset({blunder})).violations}
        if caught & names:
            return
    raise AssertionError(f"not caught: {blunder} ({caught})")


def test_what_syncd_did_is_judged_in_the_end() -> None:
    """A write that the journal does not have, one too many, and a value in an error are noticed."""
    with STORES["memory"]() as kept:
        history = Play(draw(7), kept)
        assert not history.play().violations
        deeds, typed = history.deeds, next(d for v in history.vendors for d in v.deeds if d.field == "email")
        assert deeds.told
        deeds.judge()
        assert not history.monitors.violations
        deeds.told.append(deeds.told[0]._replace(record="somebody else's"))
        deeds.monitors.writes[typed.app, typed.person, "email"] += 1000
        deeds.judge()
        deeds.quiet([f"crm: {typed.raw} is no address"])
    assert {each.name for each in history.monitors.violations} == {"EXPLAINABLE", "BOUNDED-WRITES", "SECRET-SILENT"}


def test_a_failure_is_told_with_the_command_that_shows_it_again_and_shrunken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--seeds", "3", "--jobs", "1"]) == 0
    assert "3 histories" in capsys.readouterr().out
    assert main(["--seed", "2", "--store", "memory"]) == 0
    assert "syncd s" in capsys.readouterr().out
    kept = tmp_path / "two.yaml"
    scenario = draw(2)
    assert shrunken(scenario, "memory") is scenario  # nothing is wrong with it
    main(["--seed", "2", "--keep", str(kept)])
    assert read_tale(kept).scenario == scenario


def test_a_scenario_is_plain_data(tmp_path: Path) -> None:
    for seed in range(100):
        scenario = draw(seed)
        assert read_scenario(scenario.doc()) == scenario


def test_a_story_can_be_written_by_hand(tmp_path: Path) -> None:
    scenario = Scenario(
        seed=1,
        apps=(Quirks(), Quirks(own_ids=True)),
        rounds=(Round(), Round()),
        actions=(
            Action(round=0, at=-1, kind="create", app=0, person=0, number=1),
            Action(round=1, at=-1, kind="opt_out", app=0, person=0, number=2),
        ),
    )
    played = play(scenario, STORES["memory"])
    assert played.violations == ()
    assert any("email_consent='opted_out'" in line and "news <-" in line for line in played.story)
    assert played.seen["an opt-out was told"] == 1


def test_a_long_run_that_has_not_reached_everything_is_told() -> None:
    reached = Counter(dict.fromkeys(RARE, TIMES))
    assert too_rare(SEEDS_ASKED, reached) == {}
    assert too_rare(SEEDS_ASKED - 1, Counter()) == {}
    assert too_rare(SEEDS_ASKED, reached - Counter({RARE[0]: 1})) == {RARE[0]: TIMES - 1}


def test_what_an_app_makes_of_a_value_is_known_when_the_answer_is_stored() -> None:
    place, spelling = (0, "crm1", "company"), ("Robotics", "Robo")
    for doubts, known in ((set[tuple[int, str]](), True), ({(0, "crm1")}, False)):
        spelled = Spellings()
        spelled.sent(place, spelling)  # nothing changes
        assert spelled.is_known(place, spelling), "the same process has no reason to send it twice"
        spelled.stored(doubts)
        assert (spelled.is_known(place, spelling), spelled.is_lost(place, spelling)) == (known, not known)
    died = Spellings()
    died.sent(place, spelling)
    died.forgotten()
    assert died.is_lost(place, spelling)
    changed = Spellings()
    changed.answered(place, spelling)
    assert changed.is_known(place, spelling), "what was changed is seen, whatever became of the answer"
