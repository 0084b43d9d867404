"""SQL to SQL: n people in one SQLite file, none in the other; syncd beside two floors.

Phases: first; noop; changed (1 % of the rows of A get another title). Hard rule: a sync that is not right gets no figure:
after each phase both tables hold the same people.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from books import HERE, PEER_PYTHON, SHARED, has_shared
from measure import Taken, once
from people import COLUMNS, change, fill, settle


def syncd(n: int, folder: Path, *, phases: tuple[str, ...] = ("first", "noop", "changed")) -> dict[str, Taken]:
    """Measure our own phases; what they leave stays in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, str(HERE / "once.py"), "sql", str(n), str(folder)]
    subprocess.run([*command[:2], "prepare", str(n), str(folder)], check=True)
    found: dict[str, Taken] = {}
    for phase in phases:
        if phase == "changed":
            change(folder / "a.db", max(1, n // 100))
        found[phase] = once(command, folder / "log")
        _demand_equal(folder)
        if phase == "first" and len(phases) > 1:
            for name in ("a.db", "b.db"):
                settle(folder / name)
            once(command, folder / "log")  # the stamps that were set back are read once more
    return found


def floor(n: int, folder: Path) -> dict[str, Taken]:
    """Measure our own floor: the same two tables, copied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [str(folder / name) for name in ("a.db", "b.db", "map.db")]
    fill(files[0], n)
    fill(files[1], 0)
    command = [sys.executable, str(HERE / "floor.py")]
    first = once([*command, "sql", *files], folder / "log")
    _demand_equal(folder)
    return {"first": first, "noop": once([*command, "sql-noop", *files], folder / "log")}


def shared_floor(n: int, folder: Path) -> dict[str, Taken]:
    """Measure the two-way first sync of ../shared/bench/floor.py, between two JSON APIs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _api(n) as a, _api(0) as b:
        return {
            "first": once(
                [str(PEER_PYTHON), str(SHARED / "floor.py"), "copy", a, b, str(folder / "map.db")], folder / "log"
            )
        }


def jobs() -> dict[str, Callable[[int, Path], dict[str, Taken]]]:
    """Name what can be measured here; ratios are to the first."""
    return {**({"shared-floor": shared_floor} if has_shared() else {}), "floor": floor, "syncd": syncd}


@contextmanager
def _api(n: int) -> Iterator[str]:
    command = [str(PEER_PYTHON), str(SHARED / "fakeapi.py"), "-n", str(n), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def state(folder: Path) -> dict[str, int]:
    """Give the bytes that each table and index of the store takes; `syncd.db` is the whole file."""
    file = folder / "var" / "syncd.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        found = dict(db.execute("select name, sum(pgsize) from dbstat group by name order by 2 desc"))
    return {"syncd.db": file.stat().st_size, **found}


def _demand_equal(folder: Path) -> None:
    """Raise RuntimeError unless both tables hold the same people, by everything but their keys."""
    names = ", ".join(COLUMNS[1:])
    with closing(sqlite3.connect(folder / "a.db")) as db:
        db.execute("attach ? as other", (str(folder / "b.db"),))
        counts = db.execute("select (select count(*) from people), (select count(*) from other.people)").fetchone()
        query = f"select count(*) from (select {names} from people except select {names} from other.people)"
        if counts[0] != counts[1] or db.execute(query).fetchone()[0]:
            raise RuntimeError(f"the two tables differ; see {folder}")
