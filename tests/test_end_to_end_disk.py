"""A disk that is really full, a release that changes the store, and death in the middle of it: through the command line."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.hubs import Hub, person

PEOPLE = 60
MORE = """
import os
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("run", sa.Column("host", sa.Text()))
    if "DIE" in os.environ:
        os.kill(os.getpid(), 9)
    op.execute("UPDATE run SET host = 'here'")
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of its own, of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if sys.platform != "linux" or mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root on Linux only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, *, left: int = 0) -> Path:
    """Fill the disk but for some bytes."""
    waste = folder / "waste"
    with waste.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with waste.open("rb+") as file:
        file.truncate(max(0, waste.stat().st_size - left))
    return waste


def trio(folder: Path) -> Hub:
    hub = Hub(folder)
    hub.csv("desk", [person(n) for n in range(PEOPLE)])
    hub.table("books", [])
    hub.csv("team", [])
    hub.configure("guards: {updates: 100%}\n")
    return hub


def everybody(hub: Hub) -> bool:
    names = {f"p{n}@example.com" for n in range(PEOPLE)}
    table = [email for (email,) in hub.sql("books", "SELECT email FROM people")]
    return sorted(table) == sorted(names) and hub.rows("desk").keys() == hub.rows("team").keys() == names


@pytest.mark.parametrize("left", [0, 16, 120, 200, 300])
def test_the_disk_of_the_store_is_full(small: Path, tmp_path: Path, left: int) -> None:
    hub = trio(tmp_path)
    hub.store = f"sqlite:///{small}/syncd.db"
    hub.configure()
    waste = fill(small, left=left * 1024)
    said = hub.run("sync", "--approve", "--json")
    if said.code:
        assert said.code == 3
        assert f"{small}/" in said.err
        assert "the disk is full; nothing was lost, free some space and run it again" in said.err
        assert said.doc["outcome"] == "partial"
    elif left < 200:
        pytest.fail("it is not that small")
    waste.unlink()
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    assert everybody(hub)
    assert {app["created"] + app["updated"] for app in hub.json("resync")["apps"].values()} == {0}


def test_the_disk_of_one_app_is_full_and_the_others_go_on(small: Path, tmp_path: Path) -> None:
    hub = trio(tmp_path)
    shutil.move(tmp_path / "team.csv", small / "team.csv")
    hub.app("team", f"{{connector: csv, settings: {{path: {small}/team.csv, key: id}}}}")
    waste = fill(small)
    said = hub.run("sync", "--approve", "--json")
    assert said.code == 3
    assert f"team: {small}/team.csv: No space left on device; nothing was written" in said.err
    assert said.doc["apps"]["books"]["created"] == PEOPLE
    assert len((small / "team.csv").read_text("utf-8").splitlines()) == 1
    waste.unlink()
    assert hub.json("sync")["outcome"] == "in_sync"
    shutil.copy(small / "team.csv", tmp_path / "team.csv")
    assert everybody(hub)
    assert {app["created"] + app["updated"] for app in hub.json("sync")["apps"].values()} == {0}


# -- a later release


@pytest.fixture
def later(tmp_path: Path) -> dict[str, str]:
    """Give the environment of the release after this one: the same program, with one more migration."""
    house = tmp_path / "later"
    for folder in ("syncd", "connectors", "config"):
        shutil.copytree(ROOT / folder, house / folder, ignore=shutil.ignore_patterns("__pycache__"))
    schema = house / "syncd" / "store" / "schema.py"
    text = schema.read_text("utf-8")
    assert 'HEAD: Final = "0001"' in text
    schema.write_text(text.replace('HEAD: Final = "0001"', 'HEAD: Final = "0002"'), "utf-8")
    (house / "syncd" / "store" / "migrations" / "versions" / "0002_more.py").write_text(MORE, "utf-8")
    return {"PYTHONPATH": str(house)}


def test_an_sqlite_store_upgrades_itself_after_a_copy_even_if_it_dies_half_way(
    tmp_path: Path, later: dict[str, str]
) -> None:
    hub = trio(tmp_path).synced()
    hub.write("desk", [person(n, phone="+493023125001") for n in range(PEOPLE)])
    assert hub.run("sync", env={**later, "DIE": "1"}).code == -signal.SIGKILL
    assert hub.json("status")["contacts"] == PEOPLE  # the store is what it was, for this release too
    assert hub.run("sync", env=later).code == 0
    copy = tmp_path / "var" / "syncd.db.before-0002"
    for file, version in ((copy, "0001"), (tmp_path / "var" / "syncd.db", "0002")):
        with contextlib.closing(sqlite3.connect(file)) as store:
            assert store.execute("SELECT version_num FROM syncd_version").fetchall() == [(version,)]
            assert store.execute("SELECT count(*) FROM contact").fetchall() == [(PEOPLE,)]
    assert {row["phone"] for row in hub.rows("team").values()} == {"+493023125001"}
    said = hub.run("sync")
    assert (said.code, "install the newer one again, or go back to the backup" in said.err) == (2, True)
    for name in ("syncd.db", "syncd.db-wal", "syncd.db-shm"):
        (tmp_path / "var" / name).unlink(missing_ok=True)
    copy.rename(tmp_path / "var" / "syncd.db")
    said = hub.run("sync")
    assert (said.code, "the store is older than what syncd did with it" in said.err) == (4, True)
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    assert everybody(hub)


def test_a_postgresql_store_waits_for_the_operator(tmp_path: Path, pg_url: str, later: dict[str, str]) -> None:
    hub = trio(tmp_path)
    hub.store = pg_url
    hub.configure()
    hub.synced()
    said = hub.run("sync", env=later)
    assert (said.code, "run `syncd db upgrade`" in said.err) == (2, True)
    assert hub.run("db", "upgrade", env={**later, "DIE": "1"}).code == -signal.SIGKILL
    assert hub.json("status")["contacts"] == PEOPLE
    assert hub.run("db", "upgrade", "--json", env=later).doc == {"from": "0001", "to": "0002"}
    assert hub.run("sync", env=later).code == 0
    assert everybody(hub)
    assert hub.run("sync").code == 2
