"""Real open systems for the tests, each in a virtual environment of its own below `.venv-peers`: what they need does not go
together with what we need.

`environment(name)` makes it from `tests/peers/NAME.txt` (locked with hashes, no index address) on first use, and again when
that file changes. Where it cannot be made, the tests that need it are skipped and say how to make it. Servers are started by
`tests.servers`, one a test process; `make clean` removes everything.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parent.parent / ".venv-peers"
NAMES: Final = ("mailman", "roundup", "tryton")
INSTALL_SECONDS: Final = 600


class NotInstalledError(Exception):
    """The system cannot be had here; the text says why."""


def environment(name: str) -> Path:
    """Give the folder with the system's programs; skip the test where there is none."""
    try:
        return install(name)
    except NotInstalledError as error:
        pytest.skip(f"{name} is not installed: {error}; install it with: make peers")


def install(name: str) -> Path:
    """Make the environment unless it is there; give the folder with its programs."""
    locked = HERE / f"{name}.txt"
    wanted = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()
    folder = FOLDER / name
    with alone(name):
        stamp = folder / "stamp"
        if not (stamp.exists() and stamp.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--require-hashes", "-r", str(locked)])
            if not any(folder.glob(f"lib/python*/site-packages/{name}*")):
                raise NotInstalledError(f"it has no release for Python {sys.version_info[0]}.{sys.version_info[1]}")
            stamp.write_text(wanted)
    return folder / "bin"


def template(name: str, recipe: Path, make: Callable[[Path, Path], None]) -> Path:
    """Give a folder with the system's empty data, made once: `make(programs, folder)` fills it, as `recipe` says."""
    programs = environment(name)
    stamp = hashlib.sha256((FOLDER / name / "stamp").read_bytes() + recipe.read_bytes()).hexdigest()[:16]
    folder = FOLDER / f"{name}-data-{stamp}"
    with alone(name):
        if not folder.exists():
            for old in FOLDER.glob(f"{name}-data-*"):
                shutil.rmtree(old)
            unfinished = FOLDER / f"{name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(programs, unfinished)
            unfinished.rename(folder)
    return folder


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only test process that installs this: the others wait."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"no end after {INSTALL_SECONDS} seconds") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstalledError((said or done.stderr.splitlines() or ["it failed"])[-1])
