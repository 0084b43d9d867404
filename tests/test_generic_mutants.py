"""Generic mutants: what judges them, what counts them, and that no explanation is about code of the past."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutants import explained, generic, made, typed
from tests.mutants.explained import Reason
from tests.mutants.made import Change

COPY = """
from mutmut.mutation.trampoline import wrap_in_trampoline as _mutmut_mutated, MutantDict
mutants_x_one__mutmut: MutantDict = {}
mutants_x_two__mutmut: MutantDict = {}
@_mutmut_mutated(mutants_x_one__mutmut)
def one(number=1): return number
def x_one__mutmut_orig(number=1): return number
def x_one__mutmut_1(number=1): return number + 1
def x_one__mutmut_2(number=1):
    while True: pass
def x_one__mutmut_3(number=3): return number
@_mutmut_mutated(mutants_x_two__mutmut)
def two(): return [one()]
def x_two__mutmut_orig(): return [one()]
def x_two__mutmut_1(): return []
for mutants, name, count in ((mutants_x_one__mutmut, "x_one", 3), (mutants_x_two__mutmut, "x_two", 1)):
    for number in ["orig", *range(1, count + 1)]:
        mutants[f"{'_mutmut_' if number == 'orig' else name + '__mutmut_'}{number}"] = globals()[f"{name}__mutmut_{number}"]
"""
TESTS = """
import os
from copied import one, two
def test_quick(): assert one() != 2
def test_slow(): assert one() != 3
def test_of_nothing(): pass
def test_elsewhere():
    child = os.fork()
    if not child:
        two()
        os._exit(0)
    os.waitpid(child, 0)
"""
"""What mutmut makes of a module with two functions; its tests, the last of which reaches them in a process of its own."""


def judged(
    folder: Path, *, seconds: float, minutes: float = 9, measured: bool = True, of_one: Sequence[int] = (1, 2, 3)
) -> dict[str, dict[str, str]]:
    file = folder / "test_it.py"
    file.write_text(TESTS, "utf-8")
    (folder / "copied.py").write_text(COPY, "utf-8")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    took = {"test_quick": 0.1, "test_slow": 9.0, "test_of_nothing": 0.0, "test_elsewhere": 0.0}
    if measured:
        reach = {test: ["copied.x_one"] if test in ("test_quick", "test_slow") else [] for test in took}
        known = {"digest": digest, "failed": False}
        docs = [
            {"test": f"test_it.py::{test}", "seconds": spent, "functions": reach[test], **known}
            for test, spent in took.items()
        ]
        (folder / "reached.jsonl").write_text("\n".join(map(json.dumps, docs)), "utf-8")
    names = {f"copied.x_one__mutmut_{number}": "d" for number in of_one} | {"copied.x_two__mutmut_1": "d"}
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
    return {doc["name"].removeprefix("copied.x_"): doc for doc in map(json.loads, lines)}


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


def test_what_a_test_reaches_is_measured_also_in_its_processes(tmp_path: Path) -> None:
    found = judged(tmp_path, seconds=20, measured=False, of_one=())
    docs = map(json.loads, (tmp_path / "reached.jsonl").read_text("utf-8").splitlines())
    assert {doc["test"].removeprefix("test_it.py::"): doc["functions"] for doc in docs} == {
        "test_quick": ["copied.x_one"],
        "test_slow": ["copied.x_one"],
        "test_of_nothing": [],
        "test_elsewhere": ["copied.x_one", "copied.x_two"],
    }
    assert found["two__mutmut_1"]["verdict"] == "alive", "a test reaches it, and does not look"


def test_what_killed_one_is_asked_first_about_its_siblings(tmp_path: Path) -> None:
    killed = {"name": "copied.x_one__mutmut_9", "digest": "d", "verdict": "killed", "test": "test_it.py::test_slow"}
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(killed) + "\n", "utf-8")
    found = judged(tmp_path, seconds=5, of_one=(1, 3))
    assert found["one__mutmut_3"]["verdict"] == "killed"
    assert found["one__mutmut_1"]["verdict"] == "alive", "no time was left for the quick one"


ERRORS = [(2, "operator", "of the original"), (4, "operator", "of the original"), (6, "operator", "its own")]


def test_the_type_checker_accuses_a_mutant_of_what_is_wrong_in_it_only() -> None:
    source = "".join(f"def x_one__mutmut_{name}():\n    return 1\n" for name in ("orig", "1", "2", "3"))
    errors: list[dict[str, Any]] = [
        {"line": line, "code": code, "message": message, "severity": "error"} for line, code, message in ERRORS
    ]
    errors.append({"line": 8, "code": "no-redef", "message": "of the copy", "severity": "error"})
    errors.append({"line": 8, "code": "operator", "message": "a hint", "severity": "note"})
    assert typed.accused("syncd/core/a.py", source, errors) == {"syncd.core.a.x_one__mutmut_2"}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0, 100), (0, 10, 0, 27.8), (10, 10, 72.2, 100), (90, 100, 82.6, 94.5), (900, 1000, 88.0, 91.7)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert generic.interval(hits, of) == pytest.approx((low, high), abs=0.06)


def test_what_is_explained_counts_as_alive_in_the_score() -> None:
    found = generic.score([{"noticed": 80, "refused": 50, "explained": 10}, {"noticed": 10}])
    assert {name: found[name] for name in ("judged", "noticed", "refused", "explained", "alive", "percent")} == {
        "judged": 100,
        "noticed": 90,
        "refused": 50,
        "explained": 10,
        "alive": 0,
        "percent": 90.0,
    }
    assert found["by_tests"] == 80.0, "40 of the 50 that the type checker lets through"
    assert found["low"] < 90 < found["high"]


def merge_change(was: str, now: str, function: str = "_Merge.take") -> Change:
    return Change(file="core/merge.py", function=function, was=was, now=now)


def test_what_lived_is_found_again_by_its_place_and_what_it_changes() -> None:
    before = {"in": "core/merge.py: _Merge.take", "was": "x + 1", "now": "x - 1", "how": ""}
    changes = [merge_change("x + 1", "x + 2"), merge_change("x + 1", "x - 1"), merge_change("x + 1", "x - 1", "take")]
    assert generic.lived([before], zip("abc", changes, strict=True)) == ["b"]


def test_a_survivor_is_explained_by_its_place_and_what_it_changes() -> None:
    one = Reason(at="core/merge.py: _Merge.*", was=r'note\("([^"]*)"', kind="words", why="nobody reads it")
    was = 'self.note("a text", link)'
    assert explained.told(merge_change(was, 'self.note("XXa textXX", link)'), [one]) is one
    assert explained.told(merge_change(was, 'self.note("A TEXT", link)'), [one]) is one
    assert explained.told(merge_change(was, 'self.note("a text", None)'), [one]) is None, "something beside it"
    assert explained.told(merge_change(was, "self.note(None, link)"), [one]) is None, "more than it"
    assert explained.told(merge_change(was, 'self.note("A TEXT", link)', "take"), [one]) is None, "another place"


def test_an_explanation_may_be_about_one_change_only() -> None:
    one = Reason(at="*", was="count (>)= 0", now="", kind="same", why="it is never 0")
    assert explained.told(merge_change("count >= 0", "count = 0"), [one]) is one
    one = Reason(at="*", was="count >= 0", now="", kind="same", why="it is never 0")
    assert explained.told(merge_change("count >= 0", "count > 0"), [one]) is one
    assert explained.told(merge_change("count >= 0", "count >= 1"), [one]) is None


def test_no_explanation_is_about_code_that_is_gone() -> None:
    assert explained.stale(explained.reasons()) == []
    gone = Reason(at="core/merge.py: merge", was="no such line", kind="words", why="")
    assert explained.stale([gone]) == [gone]
    gone = Reason(at="core/merge.py: no_such_function", was="", kind="words", why="")
    assert explained.stale([gone]) == [gone]


def test_every_explanation_gives_a_reason() -> None:
    assert all(reason.was and len(reason.why) > 10 and reason.kind in explained.KINDS for reason in explained.reasons())
