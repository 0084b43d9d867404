"""The same seed, the same history: in every process, whatever the salt of its hashes. And what could break it is not there.

Three watches: a history is played in processes with different PYTHONHASHSEED; the source is read for clocks, chance and
the order of sets; each SELECT that gives many rows says in which order, or is listed here with the reason why it need not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from syncd.store.codec import Damaged
from syncd.store.opening import open_store
from tests.order import findings
from tests.statements import hear
from tests.steps import Chance, steps

ROOT = Path(__file__).parent.parent
ROOMS: Final = ("syncd/core", "syncd/engine", "syncd/store")

# -- processes

SALTS: Final = ("0", "1", "4242")
SEEDS: Final = 25
TRACED: Final = """
import json, sys
from hashlib import blake2b
from tests.sim import stores
from tests.sim.listening import played
traces = {}
for seed in range(int(sys.argv[1])):
    found, calls, memory = played(seed, stores.memory)
    told = repr((found.story, calls, memory)).encode()
    traces[seed] = [found.trace, blake2b(told, digest_size=12).hexdigest()]
print(json.dumps(traces))
"""


def test_a_seed_tells_the_same_history_in_every_process() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TRACED, str(SEEDS)],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for salt in SALTS
    ]
    first, *others = [json.loads(process.communicate()[0]) for process in running]
    assert len({trace for trace, _ in first.values()}) > SEEDS // 2, "histories that are all the same prove nothing"
    for salt, other in zip(SALTS[1:], others, strict=True):
        assert other == first, f"PYTHONHASHSEED={salt} is another history than {SALTS[0]}"


# -- the source

ALLOWED: Final = {
    "syncd/core/match.py:_across iter(contacts)": "a set of one",
    "syncd/engine/crashpoints.py:_spring os.getpid": "the process kills itself",
    "syncd/engine/plans.py:_still owners.pop()": "a set of one",
    "syncd/engine/seam.py:<module> import time": "LiveWorld: the one source of time",
    "syncd/engine/seam.py:draw os.urandom": "LiveWorld: the one source of chance",
    "syncd/engine/undo.py:_contacts_of tx.journal_contacts(chosen.run, chosen.contacts, chosen.since_ms, after, PAGE)": (
        "`Selection.contacts` is a sequence; `Undone.contacts` of the same file is a set"
    ),
    "syncd/store/codec.py:seal os.urandom": "a nonce: two equal documents must not look equal",
    "syncd/store/copy.py:<module> import tempfile": "the file of a dry run",
    "syncd/store/keeper.py:<module> import time": "a login waits for the one of another process",
    "syncd/store/keeper.py:_wait os.getpid": "a login's lock tells people who has it",
    "syncd/store/lease.py:<module> import socket": "a lease tells people who has it",
    "syncd/store/store.py:<module> import threading": "threads of one process take turns to write",
    "syncd/store/lease.py:<module> import time": "a lease waits for its holder",
    "syncd/store/lease.py:__init__ os.urandom": "a lease tells its holders apart",
    "syncd/store/lease.py:name_of os.getpid": "a lease tells people who has it",
    "syncd/store/post.py:<module> import time": "a daemon that stands by says since when",
    "syncd/store/opening.py:<module> import tempfile": "the new key's file, before it has its name",
    "syncd/store/opening.py:_make_key os.urandom": "the key of a new store",
}
"""What is found in the source -> why it makes no two runs differ."""


def test_nothing_in_the_source_depends_on_clock_chance_or_salt() -> None:
    found = {f"{finding.where} {finding.text}": finding.line for finding in findings(ROOT, ROOMS)}
    assert sorted(found.keys() - ALLOWED.keys()) == [], "sort it, ask the seam, or say here why it does no harm"
    assert sorted(ALLOWED.keys() - found.keys()) == [], "listed, but needs it no more"


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from uuid import uuid4",
        "def f(): return datetime.now(UTC)",
        "def f(): return os.urandom(8)",
        "def f(x): return hash(x)",
        "for x in {1, 2}: pass",
        "def f(a):\n    b = set(a)\n    for x in b: pass",
        "def f(a: set[int]) -> list[int]: return [x for x in a]",
        "def f(a: frozenset[str] | None): return ','.join(a)",
        "def f(a, b): return list(a.keys() - b.keys())",
        "def f(a, b): return [*({*a} | b)]",
        "def f(a): return {x: 1 for x in frozenset(a)}",
        "def f(a): g(x for x in set(a))",
        "def g() -> set[str]: ...\ndef f(): return tuple(g())",
        "class C:\n    a: set[int]\ndef f(c): return dict.fromkeys(c.a)",
        "def f(a: dict[str, set[int]]):\n    for k, v in a.items():\n        for x in v: pass",
        "def f(a: dict[str, set[int]]): return list(a['k'])",
        "def f(tx, a: set[int]): tx.mark_dirty(a)",
        "def f(a: set[int]): return a.pop()",
        "def f(a: set[int]): g(*a)",
        "def f(a: set[int]): return lambda: list(a)",
    ],
)
def test_each_danger_is_found(tmp_path: Path, text: str) -> None:
    assert len(_read(tmp_path, text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f(a: set[int]): return [x for x in sorted(a)]",
        "def f(a: set[int]): return {x + 1 for x in a}",
        "def f(a: set[int]): return any(x > 1 for x in a) and len(a) and 1 in a",
        "def f(a: set[int], b: list[int]): return [x for x in b if x in a]",
        "def f(a: dict[str, int]): return list(a)",
        "def f(a):\n    b = {x: 1 for x in a}\n    return [*b]",
        "def f(a: set[int]): return a.pop",
        "import os, datetime\ndef f(x): return datetime.fromtimestamp(x)",
        "def f(tx, a: set[int]): tx.mark_dirty(sorted(a))",
    ],
)
def test_what_does_no_harm_is_not_found(tmp_path: Path, text: str) -> None:
    assert _read(tmp_path, text) == []


def _read(folder: Path, text: str) -> list[Any]:
    (folder / "core").mkdir()
    (folder / "core" / "a.py").write_text(text)
    return findings(folder, ["core"])


# -- the statements

UNORDERED: Final = {
    r"SELECT intent\.app, intent\.contact FROM intent WHERE": "replace_intents: a set, gone through in order",
    r"SELECT record\.id, record\.version FROM record WHERE": "versions: looked up by id",
    r"SELECT record\.id, record\.version, record\.digest, .* FROM record WHERE": "marks: looked up by id",
    r"SELECT record\.contact, record\.app FROM record WHERE": "link_apps: gives sets",
    r"SELECT dirty\.contact FROM dirty WHERE dirty\.contact IN": "dirty_of: gives a set",
    r"SELECT contact\.id, contact\.secret FROM contact WHERE": "seals: looked up by id",
}
"""A SELECT that gives many rows in no order -> why that does no harm."""
ONE_ROW: Final = (
    r"SELECT (coalesce\()?(count|max|sum)\((?!.*GROUP BY [^)]*$)",
    r".* LIMIT 1$",
    r"SELECT meta\.value FROM meta WHERE meta\.name = \?$",
    r"SELECT login\.doc FROM login WHERE login\.app = \?$",
    r"SELECT run\..* FROM run WHERE run\.id = \?$",
    r"SELECT record\..* FROM record WHERE record\.app = \? AND record\.id = \?$",
    r"SELECT hint\..* FROM hint WHERE hint\.app = \? AND hint\.id = \?",
)
"""A SELECT that gives one row at most, or asks only whether there is one."""


@pytest.fixture
def asked(tmp_path: Path) -> set[str]:
    """Use every method of a transaction; give every SELECT that this took."""
    store = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    told: set[str] = set()

    def note(_cursor: Any, text: str, values: Any) -> None:
        if text.lstrip().startswith(("SELECT", "WITH")):
            plain = " ".join(text.split())
            told.add(plain.replace("LIMIT ? OFFSET ?", f"LIMIT {values[-2]}") if "LIMIT" in plain else plain)

    hear(store, note)
    for seed in range(4):
        for ask in steps(Chance(seed)).values():
            try:
                store.transact(ask)
            except (*store.errors, Damaged):
                continue
    store.close()
    return told


def test_rows_come_in_an_order_wherever_it_could_matter(asked: set[str]) -> None:
    assert len(asked) > 30
    loose = {text for text in asked if "ORDER BY" not in text and not any(re.match(one, text) for one in ONE_ROW)}
    listed = {text: [form for form in UNORDERED if re.match(form, text)] for text in loose}
    assert sorted(text for text, forms in listed.items() if not forms) == []
    assert {form for forms in listed.values() for form in forms} == {*UNORDERED}, "listed, but needs it no more"


def test_the_engine_asks_in_the_words_of_a_transaction() -> None:
    """SQL of its own would have to be read for its order as well, and the model of the store could not answer it."""
    own = {
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "syncd" / "engine").glob("*.py"))
        if re.search(r"\.connection\b|sqlalchemy", path.read_text("utf-8"))
    }
    assert own == {"syncd/engine/crashpoints.py"}  # makes the errors that a driver would raise
