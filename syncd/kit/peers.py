"""Real servers for the kit, where a connector is proven against one: each in a virtual environment of its own, as what it needs
does not go together with what we need.

`python -m syncd.kit.install [NAME...]` installs them; `connectors/NAME/server.py` says how, and `server.txt` beside it what: locked
with hashes, no index address. Hard rule: asking installs nothing; who has no server is told the line that does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from syncd import registry
from syncd.errors import ConfigError

MODULE: Final = "server"
INSTALL_SECONDS: Final = 600


class NotInstalledError(ConfigError):
    """The server is not here; the text says why, and what installs it."""


def folder() -> Path:
    """Name the folder of all of them: beside the code in a checkout, among what may be made anew in an installation."""
    root = registry.built_in_folder().parent
    if (root / "pyproject.toml").is_file():
        return root / ".venv-peers"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "syncd" / "peers"


def programs(name: str) -> Path:
    """Give the folder with a server's programs; NotInstalledError where it was not installed, or for another lock."""
    place = folder() / name
    stamp = place / "stamp"
    if not (stamp.exists() and stamp.read_text() == _wanted(name)):
        raise NotInstalledError(
            f"{name} is proven against the real server, and there is none here; install it with: {command(name)}"
        )
    return place / "bin"


def command(name: str) -> str:
    """Spell the line that installs a server."""
    return f"{sys.executable} -m syncd.kit.install {name}"


def install(name: str) -> Path:
    """Make the environment unless it is there; give the folder with its programs. Raises NotInstalledError."""
    place, wanted = folder() / name, _wanted(name)
    with alone(name):
        stamp = place / "stamp"
        if not (stamp.exists() and stamp.read_text() == wanted):
            shutil.rmtree(place, ignore_errors=True)
            run([sys.executable, "-m", "venv", str(place)])
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run([*pip, "--require-hashes", "-r", str(_locked(name))])
            if not any(place.glob(f"lib/python*/site-packages/{name}*")):
                raise NotInstalledError(f"it has no release for Python {sys.version_info[0]}.{sys.version_info[1]}")
            stamp.write_text(wanted)
    return place / "bin"


def _locked(name: str) -> Path:
    return registry.find(name) / f"{MODULE}.txt"


def _wanted(name: str) -> str:
    return hashlib.sha256(_locked(name).read_bytes() + sys.version.encode()).hexdigest()


def template(name: str, recipe: Path, make: Callable[[Path, Path], None]) -> Path:
    """Give a folder with the server's empty data, made once: `make(programs, folder)` fills it, as `recipe` says.

    Those of other recipes stay: another process may be using them.
    """
    found, all_of_them = programs(name), folder()
    stamp = hashlib.sha256((all_of_them / name / "stamp").read_bytes() + recipe.read_bytes()).hexdigest()[:16]
    made = all_of_them / f"{name}-data-{stamp}"
    with alone(name):
        if not made.exists():
            unfinished = all_of_them / f"{name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(found, unfinished)
            unfinished.rename(made)
    return made


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only process that installs this: the others wait."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(line: list[str], *, cwd: Path | None = None) -> str:
    """Run a program that installs something; give what it said. Raises NotInstalledError where it fails."""
    try:
        done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise NotInstalledError(f"{Path(line[0]).name}: {type(error).__name__}") from None
    if done.returncode != 0:
        said = [each for each in done.stderr.splitlines() if each.startswith("ERROR")]
        raise NotInstalledError((said or done.stderr.splitlines() or [f"{Path(line[0]).name} failed"])[-1])
    return done.stdout
