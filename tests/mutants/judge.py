"""A pytest plugin that judges generic mutants: the tests are collected once, and each mutant is tried in a fork of that process.

A mutant gets the tests that reach its function until one fails or `seconds` of them (CPU, as they take with the sound code) are
over: what lives on is counted as alive, so a small number makes the score worse, never better. First come those that have killed
one in the same function, or module, before; then quick ones, of many files. Which test reaches what is measured
beforehand, in a fork as well, so that nothing is in a cache when a mutant is tried; a test that has killed one must pass in a
fork of the sound code. One test may take three times what it took, and a little more; then the mutant hangs, and is noticed.
Stories run on the model of the store, which is as good as the others (tests/test_differential.py) and takes a third of the time.

`python -m pytest -p tests.mutants.judge --judge FILE TEST...` in the folder of the mutants; generic.py writes FILE.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from hypothesis import Phase, settings

from tests.mutants.made import function_of
from tests.mutants.switch import install, reaching, switch

ROOM_BYTES: Final = 6 * 1024**3
"""A mutant that fills the memory is stopped here."""

MEMORY: Final = Path("/dev/shm")  # nobody guesses the names in it
"""Folders of tests are in memory where there is such a place: stores wait for no disk."""

settings.register_profile(
    "judge", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate, Phase.target]
)
settings.load_profile("judge")
install()
os.environ["STORY_STORE"] = "model"
os.environ["COMMANDS_START"] = "fork"  # of this process, with its mutant, not of one that is sound


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--judge", metavar="FILE", help="what generic.py asks for")


def pytest_configure(config: pytest.Config) -> None:
    asked = config.getoption("judge")
    if asked and not config.option.collectonly:
        config.pluginmanager.register(Judge(json.loads(Path(asked).read_text("utf-8"))))


class Judge:
    """Runs the loop of the session: measures, tries each mutant, writes a line for each."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = asked["names"]
        self._seconds: float = asked["seconds"]
        self._minutes: float = asked["minutes"]
        self._reached, self._verdicts = Path(asked["reached"]), Path(asked["verdicts"])
        self._failed: list[str] = []
        self._sound: dict[str, bool] = {}
        """Which tests that killed one pass in a fork without any."""

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("what is broken cannot judge")
        items = {item.nodeid: item for item in session.items}
        reached = self._measured(items)
        self._warm([item for test, item in items.items() if test in reached])
        by_function: dict[str, list[str]] = {}
        for test in sorted(reached):
            for function in reached[test]["functions"]:
                by_function.setdefault(function, []).append(test)
        kills = self._kills()
        begun = time.monotonic()
        with self._verdicts.open("a", encoding="utf-8") as file:
            for name, digest in self._names.items():
                if time.monotonic() - begun > 60 * self._minutes:
                    break
                function = function_of(name)
                before = [kills[function], kills[function.rpartition(".")[0]]]
                able = _mixed(by_function.get(function, ()), reached)
                able.sort(key=lambda test: [-each[test] for each in before])
                tests = list(self._affordable(able, reached))
                verdict = self._tried(name, [items[test] for test in tests if self._sound.get(test, True)], reached)
                while not self._is_sound(items.get(verdict["test"]), reached):
                    verdict = self._tried(name, [items[test] for test in tests if self._sound.get(test, True)], reached)
                for each in before:
                    each[verdict["test"]] += 1
                file.write(json.dumps({"name": name, "digest": digest, "tests": len(tests), **verdict}) + "\n")
                file.flush()
        return True

    def _kills(self) -> dict[str, Counter[str]]:
        """How often each test killed a mutant of each function, and of each module."""
        kills: dict[str, Counter[str]] = defaultdict(Counter)
        for line in self._verdicts.read_text("utf-8").splitlines() if self._verdicts.exists() else ():
            function, test = function_of((doc := json.loads(line))["name"]), doc["test"]
            kills[function][test] += 1
            kills[function.rpartition(".")[0]][test] += 1
        return kills

    def _warm(self, items: Sequence[pytest.Item]) -> None:
        """Run a test of each file here once, so that no fork has to import, compile and read again; forget what ours have kept.

        What stays behind is of the sound code, and can only hide a mutant.
        """
        firsts = [next(file) for _, file in groupby(items, key=lambda item: item.path)]
        for item, following in zip(firsts, [*firsts[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        assert not self._failed, f"measured well, and now {self._failed} fails"
        for name, module in [*sys.modules.items()]:
            if name.startswith(("syncd.core.", "syncd.engine.")):
                for kept in vars(module).values():
                    getattr(kept, "cache_clear", int)()
        gc.collect()
        gc.freeze()

    def _affordable(self, tests: Sequence[str], reached: Mapping[str, Any]) -> Iterator[str]:
        spent = 0.0
        for test in tests:
            spent += reached[test]["seconds"]
            if spent > self._seconds and test != tests[0]:
                return
            yield test

    def _tried(self, name: str, items: Sequence[pytest.Item], reached: Mapping[str, Any]) -> dict[str, Any]:
        if not items:
            return {"verdict": "untested", "test": "", "seconds": 0.0}

        begun = time.monotonic()
        status, said = _forked(name, partial(self._passed, items, reached))
        spent = round(time.monotonic() - begun, 2)
        if os.WIFSIGNALED(status):
            hung = os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
            return {"verdict": "hung" if hung else "killed", "test": "", "seconds": spent}
        alive = os.waitstatus_to_exitcode(status) == 0
        return {"verdict": "alive" if alive else "killed", "test": said.strip(), "seconds": spent}

    def _passed(self, items: Sequence[pytest.Item], reached: Mapping[str, Any], say: Callable[[str], None]) -> bool:
        for item, following in zip(items, [*items[1:], None], strict=True):
            _at_most(3 * reached[item.nodeid]["seconds"] + 2)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                say(self._failed[0])
                return False
        return True

    def _is_sound(self, item: pytest.Item | None, reached: Mapping[str, Any]) -> bool:
        """See, once, that a test which has killed one passes in a fork where there is none; if not, it judges no more."""
        if item is None:
            return True
        if item.nodeid not in self._sound:
            status, _ = _forked("", partial(self._passed, [item], reached))
            self._sound[item.nodeid] = status == 0
            if status:
                sys.stderr.write(f"{item.nodeid} fails in a fork of sound code: it judges nothing\n")
        return self._sound[item.nodeid]

    def _measured(self, items: Mapping[str, pytest.Item]) -> dict[str, Any]:
        """Which functions each test reaches, and how long it takes; a test is measured again when its file changed. What it did
        not reach then and reaches now, it does not judge: without the folder of the mutants all are measured afresh.
        """
        digests = {test: _digest(item.path) for test, item in items.items()}
        known = self._known(digests)
        missing = [item for test, item in items.items() if test not in known]
        if missing:
            sys.stderr.write(f"measuring {len(missing)} of {len(items)} tests\n")
            status, _ = _forked("", lambda _: self._measure(missing, digests))
            known = self._known(digests)
            assert status == 0, f"measuring ended with {status}, after {len(known)} of {len(items)} tests"
        for test in sorted(known):
            if known[test]["failed"]:
                sys.stderr.write(f"{test} fails with the sound code, in the copy: it judges nothing\n")
        return {test: doc for test, doc in known.items() if not doc["failed"]}

    def _known(self, digests: Mapping[str, str]) -> dict[str, Any]:
        lines = self._reached.read_text("utf-8").splitlines() if self._reached.exists() else []
        docs = {doc["test"]: doc for doc in map(json.loads, lines)}
        return {test: docs[test] for test in digests if test in docs and docs[test]["digest"] == digests[test]}

    def _measure(self, items: Sequence[pytest.Item], digests: Mapping[str, str]) -> bool:
        """Run tests one by one and write down at once what was found: whoever is stopped goes on there."""
        with self._reached.open("a", encoding="utf-8") as file, reaching() as reached:
            for item, following in zip(items, [*items[1:], None], strict=True):
                reached()
                self._failed.clear()
                begun = _spent()
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
                seconds, functions = round(_spent() - begun, 4), sorted(reached())
                doc = {"test": item.nodeid, "digest": digests[item.nodeid], "seconds": seconds, "functions": functions}
                file.write(json.dumps({**doc, "failed": bool(self._failed)}) + "\n")
                file.flush()
        return True


def _mixed(tests: Sequence[str], reached: Mapping[str, Any]) -> list[str]:
    """Put quick tests first, and those of other files before the neighbours of one that is there: they look at much the same."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in sorted(tests, key=lambda test: (reached[test]["seconds"], test)):
        files[test.partition("::")[0]].append(test)
    costs = {
        test: (turn * reached[test]["seconds"], test) for file in files.values() for turn, test in enumerate(file, 1)
    }
    return sorted(costs, key=costs.__getitem__)


def _forked(mutant: str, trial: Callable[[Callable[[str], None]], bool]) -> tuple[int, str]:
    """Run a trial in a fork with that mutant in force; its status, and what it said."""
    room = tempfile.mkdtemp(prefix="mutant-", dir=MEMORY if MEMORY.is_dir() else None)
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        _live_as(mutant, trial, room, into)
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    shutil.rmtree(room, ignore_errors=True)
    return status, said


def _live_as(mutant: str, trial: Callable[[Callable[[str], None]], bool], room: str, into: int) -> NoReturn:
    """Be the fork: silent, with that mutant in force, and gone after the trial, whatever came of it."""
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = room  # where `tmp_path` of this fork lies
        if mutant:
            switch(mutant)
        resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = 0 if trial(lambda text: _say(into, text)) else 1
    finally:
        os._exit(status)


def _say(into: int, text: str) -> None:
    rest = (text + "\n").encode()
    while rest:
        rest = rest[os.write(into, rest) :]


def _at_most(seconds: float) -> None:
    """Stop this process after so many seconds of CPU, or, where it sleeps, after very many by the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(math.ceil(60 * seconds))


def _spent() -> float:
    """The CPU of this process and of those that it has seen end."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
