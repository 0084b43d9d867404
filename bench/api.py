"""Two accounts of a JSON API over HTTP: syncd beside the floor of `../shared/bench`, on its fakeapi.py, and the calls that it makes.

Phases of a two-way sync: first (n contacts in A, none in B), noop, changed (1 % on each side, not the same ones), noop again.
Needs `../shared/bench`. Hard rules: a sync after which A and B differ gets no figure; calls are counted by the server.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from books import HERE, PEER_PYTHON, SHARED, VENVS
from measure import Taken, once

PAGE, BATCH = 1000, 100
PHASES = ("first", "noop", "changed", "noop again")
DLT = VENVS / "venv-dlt" / "bin" / "python"
IMPORTS = [sys.executable, "-c", "import sqlalchemy, httpx"]


class Api:
    """One fakeapi.py in its own process."""

    def __init__(self, n: int, *options: str) -> None:
        command = [str(PEER_PYTHON), str(SHARED / "fakeapi.py"), "-n", str(n), "--port", "0", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def admin(self, what: str, **asked: Any) -> Any:
        body = json.dumps(asked).encode() if what in {"reset", "mutate"} else None
        with urllib.request.urlopen(f"{self.url}/_admin/{what}", body) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def serving(*sizes: int, options: tuple[str, ...] = ()) -> Iterator[list[Api]]:
    """Run so many servers while the block runs."""
    with ExitStack() as stack:
        apis = [Api(n, *options) for n in sizes]
        for api in apis:
            stack.callback(api.stop)
        yield apis


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def syncd(a: str, b: str, folder: Path, *, page: int = PAGE) -> list[str]:
    """Give the command of one sync; `b` "-": A alone, a one-way load into the store."""
    kind = "json-oneway" if b == "-" else "json"
    return [sys.executable, str(HERE / "once.py"), kind, a, b, str(folder), "--page", str(page)]


def floor(step: str, a: str, b: str, folder: Path) -> list[str]:
    return [str(PEER_PYTHON), str(SHARED / "floor.py"), step, a, b, str(folder / "map.db")]


def two_way(n: int, folder: Path, apis: list[Api], *, ours: bool) -> dict[str, Taken]:
    """Measure all phases of syncd (`ours`) or of the floor; each figure says in `out` how many calls it took."""
    a, b = apis
    emptied(folder)
    a.admin("reset", n=n)
    b.admin("reset", n=0)
    found = {}
    for phase in PHASES:
        if phase == "changed":
            a.admin("mutate", fraction=0.01)
            b.admin("mutate", fraction=0.01, offset=7, field="job_title", value="Boss")
        a.admin("reset")
        b.admin("reset")
        step = "copy" if phase == "first" else "delta"
        taken = once(syncd(a.url, b.url, folder) if ours else floor(step, a.url, b.url, folder), folder / "log")
        calls = sum(api.admin("counters")["requests"] for api in apis)
        if a.admin("digest") != b.admin("digest"):
            raise RuntimeError(f"after {phase} the two accounts differ; see {folder}")
        found[phase] = Taken(taken.cpu, taken.wall, taken.rss_mib, str(calls).encode())
    return found


def jobs(apis: list[Api]) -> dict[str, Callable[[int, Path], dict[str, Taken]]]:
    """Name what is measured; ratios are to the first."""
    return {"floor": partial(two_way, apis=apis, ours=False), "syncd": partial(two_way, apis=apis, ours=True)}


def least_calls(n: int) -> dict[str, int]:
    """Say how many calls arithmetic asks for. A read since a stamp shows the last change again: one more than there are."""
    changed = max(1, n // 100)
    changes = 2 * math.ceil((changed + 1) / PAGE) + 2 * math.ceil(changed / BATCH)
    return {"first": math.ceil(n / PAGE) + 1 + math.ceil(n / BATCH), "noop": 2, "changed": changes, "noop again": 2}


def idle(n: int, folder: Path, count: int) -> dict[str, list[Taken]]:
    """Measure a sync that finds nothing to do beside the import of two libraries that it stands on, in turn."""
    with serving(n, 0) as (a, b):
        command = syncd(a.url, b.url, emptied(folder))
        for _ in range(3):
            once(command, folder / "log")
        found: dict[str, list[Taken]] = {"imports": [], "noop": []}
        for _ in range(count):
            found["imports"].append(once(IMPORTS, folder / "log"))
            found["noop"].append(once(command, folder / "log"))
        return found


def inside(n: int, folder: Path, passes: int) -> dict[str, float]:
    """Measure passes of the daemon over two accounts: nothing to do, and 1 % changed in A."""
    with serving(n, 0) as (a, b):
        once(syncd(a.url, b.url, emptied(folder)), folder / "log")
        command = [sys.executable, str(HERE / "inside.py"), str(folder), str(passes), str(max(1, n // 100)), a.url]
        found: dict[str, float] = json.loads(once(command, folder / "log").out)
        return found


def load(n: int, folder: Path, count: int) -> dict[str, list[Taken]]:
    """Measure a one-way load: all of A into syncd's store, the floor's table, and dlt's where its environment is."""
    with serving(n) as (api,):
        found: dict[str, list[Taken]] = {}
        for _ in range(count):
            for name, command in _loaders(api.url, folder).items():
                emptied(folder / name)
                found.setdefault(name, []).append(once(command, folder / "log"))
        return found


def _loaders(url: str, folder: Path) -> dict[str, list[str]]:
    found = {
        "floor": [str(PEER_PYTHON), str(SHARED / "floor.py"), "pull", url, str(folder / "floor" / "db")],
        "syncd": syncd(url, "-", folder / "syncd"),
    }
    if DLT.is_file():
        found["dlt"] = [str(DLT), str(SHARED / "peers" / "dlt_load.py"), url, "sqlite", str(folder / "dlt"), str(PAGE)]
    return found


def limited(n: int, folder: Path, rate: int) -> dict[str, float]:
    """Load n contacts, a hundred a page, where so many requests a second are allowed and answers tell how many are left."""
    with serving(n, options=("--rate", str(rate), "--window", "1")) as (api,):
        once(syncd(api.url, "-", emptied(folder), page=100), folder / "log")
        found: dict[str, float] = api.admin("counters")["rate_limit"]
        return found
