"""A store that was put back from a backup: it is noticed, everything is read anew, and nothing is written before somebody has
looked (SYNC-MODEL 1.14, ROLLBACK-DETECTED).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from syncd.engine.first import look_again, was_looked_at
from syncd.store import mark
from syncd.store.lease import Lease
from syncd.store.opening import open_store
from syncd.store.tx import Tx
from tests.hubs import Hub, person

STORE = "var/syncd.db"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Two files and a table of three people, in sync, and a backup of the store from then."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n, company="Acme", email_consent="") for n in (1, 2, 3)])
    hub.csv("news", [])
    hub.table("books", [])
    hub.synced()
    assert hub.run("db", "upgrade").code == 0  # leaves nothing in the log beside the file
    keep(hub)
    return hub


def keep(hub: Hub) -> None:
    shutil.copy(hub.folder / STORE, hub.folder / "backup.db")


def put_back(hub: Hub) -> None:
    for more in ("-wal", "-shm"):
        (hub.folder / f"{STORE}{more}").unlink(missing_ok=True)
    shutil.copy(hub.folder / "backup.db", hub.folder / STORE)


def test_a_store_from_a_backup_is_looked_at_before_anything_is_written(hub: Hub) -> None:
    hub.sql("books", "UPDATE people SET company = 'Beta' WHERE email = 'p1@example.com'")
    assert hub.json("sync")["outcome"] == "in_sync"
    hub.sql("books", "UPDATE people SET company = 'Gamma' WHERE email = 'p2@example.com'")
    put_back(hub)

    said = hub.run("sync")

    assert said.code == 4
    assert "syncd: the store is older than what syncd did with it: restored from a backup?" in said.err
    assert "First look: nothing has been written to any app." in said.out
    assert hub.rows("crm")["p2@example.com"]["company"] == "Acme"
    said = hub.run("sync")
    assert (said.code, said.err) == (4, "")
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    companies = {email: row["company"] for email, row in hub.rows("crm").items()}
    assert companies == {"p1@example.com": "Beta", "p2@example.com": "Gamma", "p3@example.com": "Acme"}
    assert hub.rows("news")["p1@example.com"]["company"] == "Beta"
    assert hub.json("status")["apps"]["crm"]["in_sync"] == 3


def test_what_happened_since_the_backup_is_known_again_from_the_apps(hub: Hub) -> None:
    """Nobody is made twice, an opt-out stands, and who was removed everywhere stays so."""
    hub.write("crm", [person(n, company="Acme", email_consent="opted_out" if n == 1 else "") for n in (1, 2, 3, 4)])
    for app in ("news", "books"):
        assert hub.json("sync")["outcome"] == "in_sync", app
    put_back(hub)
    before = {app: hub.rows(app) for app in ("crm", "news")}
    assert hub.run("sync").code == 4
    assert hub.json("sync", "--approve")["outcome"] == "in_sync"
    assert {app: hub.rows(app) for app in ("crm", "news")} == before
    assert len(hub.sql("books", "SELECT id FROM people")) == 4
    assert hub.rows("news")["p1@example.com"]["email_consent"] == "opted_out"


@pytest.mark.parametrize("command", [["sync"], ["resync"], ["undo", "--run", "1", "--approve"]])
def test_every_command_that_writes_looks_first(hub: Hub, command: list[str]) -> None:
    assert hub.json("sync")["outcome"] == "in_sync"
    hub.sql("books", "UPDATE people SET company = 'Beta' WHERE email = 'p1@example.com'")
    put_back(hub)
    for _ in range(2):
        assert hub.run(*command).code == 4
    assert hub.rows("crm")["p1@example.com"]["company"] == "Acme"


def test_a_store_that_is_as_it_was_left_is_believed(hub: Hub) -> None:
    for _ in range(3):
        assert hub.json("sync")["outcome"] == "in_sync"
    keep(hub)
    put_back(hub)
    assert hub.json("sync")["outcome"] == "in_sync"


def test_another_store_in_its_place_is_no_older_one(hub: Hub) -> None:
    """A new store knows nobody: it looks first anyway, and says nothing of a backup."""
    for more in ("", "-wal", "-shm"):
        (hub.folder / f"{STORE}{more}").unlink(missing_ok=True)
    said = hub.run("sync")
    assert (said.code, said.err) == (4, "")


@pytest.mark.parametrize("text", ["", "nonsense", "a 1", "\xff" * 9, "a b c"])
def test_a_mark_that_cannot_be_read_is_none(hub: Hub, text: str) -> None:
    (hub.folder / f"{STORE}.mark").write_text(text, "latin-1")
    assert hub.json("sync")["outcome"] == "in_sync"
    assert mark.read(hub.folder / f"{STORE}.mark") is not None


def test_a_daemon_that_takes_the_lease_again_and_again_writes_its_mark_when_something_happened(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    lease = Lease(store, wait_seconds=0, went_back=look_again)
    file = tmp_path / "syncd.db.mark"
    seen = []
    for _ in range(3):
        with lease:
            seen.append(file.stat().st_ino)
    with lease:
        store.transact(lambda tx: tx.begin_run("sync", 1), epoch=lease.epoch)
    with lease:
        seen.append(file.stat().st_ino)
    assert (len(set(seen)), seen[0] == seen[2]) == (2, True)
    store.close()


def test_on_postgresql_the_mark_lies_beside_the_key(pg_url: str, tmp_path: Path) -> None:
    """Another holder, or a run, that the mark knows and the store does not."""
    store = open_store(pg_url, tmp_path)

    def first(tx: Tx) -> None:
        tx.set_meta("first", "1")

    with Lease(store, wait_seconds=0) as lease:
        store.transact(first, epoch=lease.epoch)
    there = mark.read(tmp_path / "syncd.mark")
    assert there is not None
    for ahead in (there._replace(epoch=there.epoch + 7), there._replace(run=there.run + 1)):
        mark.write(tmp_path / "syncd.mark", ahead)
        with Lease(store, wait_seconds=0, went_back=look_again) as lease:
            assert lease.store_went_back
            assert lease.epoch == 1 + max(there.epoch, ahead.epoch)
            assert not store.read(was_looked_at)
            there = mark.read(tmp_path / "syncd.mark")
            assert there is not None
    with Lease(store, wait_seconds=0) as lease:
        assert not lease.store_went_back
    store.close()


def test_without_a_file_of_ours_there_is_no_mark(pg_url: str, tmp_path: Path) -> None:
    store = open_store(pg_url, tmp_path, key=bytes(32))
    with Lease(store, wait_seconds=0):
        pass
    assert list(tmp_path.iterdir()) == []
    store.close()
