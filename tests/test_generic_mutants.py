"""Generic mutants: what judges them, what counts them, and that no explanation is about code of the past."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import explained, generic, made
from tests.mutants.explained import Reason
from tests.mutants.made import Change

TESTS = """
import os, time
MUTANT = os.environ.get
def test_quick(): assert MUTANT("MUTANT_UNDER_TEST") != "syncd.core.a.x_one__mutmut_1"
def test_that_waits_for_ever():
    while MUTANT("MUTANT_UNDER_TEST") == "syncd.core.a.x_one__mutmut_2": pass
def test_slow(): assert MUTANT("MUTANT_UNDER_TEST") != "syncd.core.a.x_one__mutmut_3"
"""


def judged(folder: Path, *, seconds: float, minutes: float = 9) -> dict[str, dict[str, str]]:
    file = folder / "test_it.py"
    file.write_text(TESTS, "utf-8")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    took = {"test_it.py::test_quick": 0.1, "test_it.py::test_that_waits_for_ever": 0.2, "test_it.py::test_slow": 9.0}
    known = {"digest": digest, "functions": ["syncd.core.a.x_one"], "failed": False}
    lines = [json.dumps({"test": test, "seconds": spent, **known}) for test, spent in took.items()]
    (folder / "reached.jsonl").write_text("\n".join(lines), "utf-8")
    names = {f"syncd.core.a.x_one__mutmut_{number}": "d" for number in (1, 2, 3)} | {
        "syncd.core.a.x_two__mutmut_1": "d"
    }
    asked = {
        "names": names,
        "seconds": seconds,
        "minutes": minutes,
        "reached": "reached.jsonl",
        "verdicts": "verdicts.jsonl",
    }
    (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.judge"]
    subprocess.run(
        [*command, "--rootdir", str(folder), "--judge", "asked.json", "test_it.py"],
        cwd=folder,
        env={"PYTHONPATH": str(made.ROOT), "PATH": ""},
        check=True,
        capture_output=True,
    )
    lines = (folder / "verdicts.jsonl").read_text("utf-8").splitlines()
    return {doc["name"].removeprefix("syncd.core.a.x_"): doc for doc in map(json.loads, lines)}


def test_a_mutant_is_killed_or_hangs_or_lives(tmp_path: Path) -> None:
    found = judged(tmp_path, seconds=20)
    assert {name: doc["verdict"] for name, doc in found.items()} == {
        "one__mutmut_1": "killed",
        "one__mutmut_2": "hung",
        "one__mutmut_3": "killed",
        "two__mutmut_1": "untested",
    }
    assert found["one__mutmut_3"]["test"] == "test_it.py::test_slow"


def test_what_there_was_no_time_for_counts_as_alive(tmp_path: Path) -> None:
    assert judged(tmp_path, seconds=5)["one__mutmut_3"]["verdict"] == "alive"


def test_when_time_is_up_no_other_is_begun(tmp_path: Path) -> None:
    assert judged(tmp_path, seconds=20, minutes=0) == {}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0, 100), (0, 10, 0, 27.8), (10, 10, 72.2, 100), (90, 100, 82.6, 94.5), (900, 1000, 88.0, 91.7)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert generic.interval(hits, of) == pytest.approx((low, high), abs=0.06)


def test_what_is_explained_counts_as_alive_in_the_score() -> None:
    found = generic.score([{"noticed": 80, "explained": 10}, {"noticed": 10}])
    assert {name: found[name] for name in ("judged", "noticed", "explained", "alive", "percent")} == {
        "judged": 100,
        "noticed": 90,
        "explained": 10,
        "alive": 0,
        "percent": 90.0,
    }
    assert found["low"] < 90 < found["high"]


def merge_change(was: str, now: str, function: str = "_Merge.take") -> Change:
    return Change(file="core/merge.py", function=function, was=was, now=now)


def test_a_survivor_is_explained_by_its_place_and_what_it_changes() -> None:
    one = Reason(at="core/merge.py: _Merge.*", was=r'note\("([^"]*)"', why="nobody reads it")
    was = 'self.note("a text", link)'
    assert explained.told(merge_change(was, 'self.note("XXa textXX", link)'), [one]) is one
    assert explained.told(merge_change(was, 'self.note("A TEXT", link)'), [one]) is one
    assert explained.told(merge_change(was, 'self.note("a text", None)'), [one]) is None, "something beside it"
    assert explained.told(merge_change(was, "self.note(None, link)"), [one]) is None, "more than it"
    assert explained.told(merge_change(was, 'self.note("A TEXT", link)', "take"), [one]) is None, "another place"


def test_an_explanation_may_be_about_one_change_only() -> None:
    one = Reason(at="*", was="count (>)= 0", now="", why="it is never 0")
    assert explained.told(merge_change("count >= 0", "count = 0"), [one]) is one
    one = Reason(at="*", was="count >= 0", now="", why="it is never 0")
    assert explained.told(merge_change("count >= 0", "count > 0"), [one]) is one
    assert explained.told(merge_change("count >= 0", "count >= 1"), [one]) is None


def test_no_explanation_is_about_code_that_is_gone() -> None:
    assert explained.stale(explained.reasons()) == []
    gone = Reason(at="core/merge.py: merge", was="no such line", why="")
    assert explained.stale([gone]) == [gone]
    gone = Reason(at="core/merge.py: no_such_function", was="", why="")
    assert explained.stale([gone]) == [gone]


def test_every_explanation_gives_a_reason() -> None:
    assert all(reason.was and len(reason.why) > 10 for reason in explained.reasons())
