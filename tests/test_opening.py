"""Opening a store: folder, key and place are right or said to be wrong; dry runs work on a copy that leaves no trace."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.state import Contact, Entry, Intent
from syncd.errors import ConfigError, TransientError
from syncd.kit.servers import identity
from syncd.store import schema
from syncd.store.copy import remove_leftovers, throwaway
from syncd.store.opening import _of_file, open_store
from syncd.store.store import Store

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder that is not there yet."""
    return tmp_path / "new" / "var"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    """Name a store that is not there yet."""
    return f"sqlite:///{folder}/syncd.db" if request.param == "sqlite" else request.getfixturevalue("pg_url")


def made(url: str, folder: Path) -> None:
    open_store(url, folder).close()


def complaint(url: str, folder: Path, kind: type[Exception] = ConfigError) -> str:
    with pytest.raises(kind) as caught:
        made(url, folder)
    return str(caught.value)


# -- folder and key


def test_a_store_that_is_not_there_is_made_for_this_user_only(url: str, folder: Path) -> None:
    made(url, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == dict.fromkeys(["syncd.key", *(["syncd.db"] if "sqlite" in url else [])], 0o600)
    assert (folder / "syncd.key").stat().st_size == 32


def test_a_store_keeps_its_key(url: str, folder: Path) -> None:
    made(url, folder)
    key = (folder / "syncd.key").read_bytes()
    made(url, folder)
    assert (folder / "syncd.key").read_bytes() == key
    assert len(set(key)) > 10


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_a_key_that_others_may_use_is_refused(url: str, folder: Path, mode: int) -> None:
    made(url, folder)
    (folder / "syncd.key").chmod(mode)
    assert complaint(url, folder) == (
        f"{folder}/syncd.key: others may read the key (mode {mode:04o}); run `chmod 600` on it"
    )


@pytest.mark.parametrize(("size", "said"), [(0, "0"), (31, "31"), (33, "more")])
def test_a_key_of_another_size_is_refused(url: str, folder: Path, size: int, said: str) -> None:
    made(url, folder)
    (folder / "syncd.key").write_bytes(b"k" * size)
    assert complaint(url, folder).startswith(f"{folder}/syncd.key: a key has 32 bytes, this file has {said}; put")


def test_a_store_without_its_key_gets_no_new_one(url: str, folder: Path) -> None:
    made(url, folder)
    (folder / "syncd.key").unlink()
    assert "syncd.key: the key of the store" in complaint(url, folder)
    assert not (folder / "syncd.key").exists()


def test_another_key_is_refused(url: str, folder: Path) -> None:
    made(url, folder)
    (folder / "syncd.key").write_bytes(os.urandom(32))
    assert "was sealed with another key; put the right one back" in complaint(url, folder)


def test_a_key_that_cannot_be_read_is_a_clear_error(url: str, folder: Path) -> None:
    (folder / "syncd.key").mkdir(parents=True)
    assert complaint(url, folder).startswith(f"{folder}/syncd.key: the key cannot be read: Is a directory;")


def test_a_key_that_a_crash_left_without_a_store_is_used(url: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "syncd.key").write_bytes(b"k" * 32)
    (folder / "syncd.key").chmod(0o600)
    made(url, folder)
    assert (folder / "syncd.key").read_bytes() == b"k" * 32


def test_many_may_open_a_new_store_at_once(url: str, folder: Path) -> None:
    barrier = threading.Barrier(6)

    def key_of_one(_number: int) -> str:
        barrier.wait()
        store = open_store(url, folder)
        store.close()
        return store.sealer.check

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(key_of_one, range(6)))) == 1
    assert {file.name for file in folder.iterdir()} <= {"syncd.key", "syncd.db", "syncd.db-wal", "syncd.db-shm"}


# -- a key that the configuration names


def opened_with(url: str, folder: Path, key: bytes) -> str:
    store = open_store(url, folder, key=key)
    store.close()
    return store.sealer.check


def test_a_named_key_needs_no_file(url: str, folder: Path) -> None:
    check = opened_with(url, folder, b"k" * 32)
    assert opened_with(url, folder, b"k" * 32) == check
    assert not (folder / "syncd.key").exists()


def test_a_store_with_a_named_key_is_not_opened_with_another_one_nor_with_none(url: str, folder: Path) -> None:
    opened_with(url, folder, b"k" * 32)
    with pytest.raises(ConfigError) as caught:
        opened_with(url, folder, b"x" * 32)
    text = str(caught.value)
    assert text.startswith("key: the store ")
    assert text.endswith(" was sealed with another key; give the one that it was made with")
    assert "or name it by `key:`" in complaint(url, folder)
    assert not (folder / "syncd.key").exists()


def test_the_key_of_the_file_may_be_named_instead_and_the_other_way_round(url: str, folder: Path) -> None:
    made(url, folder)
    file = folder / "syncd.key"
    key = file.read_bytes()
    with pytest.raises(
        ConfigError, match=rf"give the one that it was made with, which is in {file} \(`base64 < {file}`\)"
    ):
        opened_with(url, folder, b"x" * 32)
    opened_with(url, folder, key)  # beside the file
    file.unlink()
    opened_with(url, folder, key)
    file.write_bytes(key)
    file.chmod(0o600)
    made(url, folder)


# -- the place


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense", "", "oracle:"])
def test_an_address_that_is_none_is_refused(address: str, folder: Path) -> None:
    assert complaint(address, folder).startswith("store: ")
    assert not folder.exists()


def test_a_place_that_cannot_be_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "syncd.db", tmp_path / "file" / "below" / "syncd.db"):
        assert f"{tmp_path}/file: this is a file" in complaint(f"sqlite:///{place}", folder)
    (tmp_path / "taken.db").mkdir()
    assert f"{tmp_path}/taken.db: the store cannot be written" in complaint(f"sqlite:///{tmp_path}/taken.db", folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_place_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    made(f"sqlite:///{theirs}/syncd.db", theirs)
    os.seteuid(identity("nobody")[0] or 0)
    try:
        text = complaint(f"sqlite:///{theirs}/syncd.db", theirs)
    finally:
        os.seteuid(0)
    assert ": Permission denied; " in text
    assert "make its folder and file writable for this user" in text


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"To whom it may concern. " * 100)
    before = file.read_bytes()
    text = complaint(f"sqlite:///{file}", tmp_path)
    assert text == f"{file}: this file is not a syncd store; name another one in `store:`"
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    books = sqlite3.connect(file)
    books.execute("CREATE TABLE invoices (id)")
    books.close()
    assert "holds other tables already (invoices); give the store" in complaint(f"sqlite:///{file}", tmp_path)
    books = sqlite3.connect(file)
    assert books.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]
    books.close()


def test_a_shared_database_is_fine_unless_names_clash(pg_url: str, folder: Path) -> None:
    engine = sa.create_engine(pg_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoices (id integer)")
        connection.exec_driver_sql("CREATE TABLE contact (id integer)")
    assert "holds other tables already (contact); give" in complaint(pg_url, folder)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE contact")
    engine.dispose()
    made(pg_url, folder)


def test_a_server_that_refuses_says_what_to_do(pg_url: str, folder: Path) -> None:
    server, _, name = pg_url.rpartition("/")
    text = complaint(f"{server}/no_such_database", folder)
    assert 'database "no_such_database" does not exist; create it' in text
    text = complaint(f"{server.replace('syncd@', 'stranger:pw-7@')}/{name}", folder)
    assert 'role "stranger" does not exist; create it, or put it right in `store:`' in text
    assert "pw-7" not in text
    assert "the server does not answer" in complaint("postgresql://me:pw@127.0.0.1:1/x", folder, TransientError)


def test_a_full_disk_is_an_error_that_passes(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/syncd.db", folder)
    store.engine.dispose()
    sa.event.listen(store.engine, "connect", lambda driver, _: driver.execute("PRAGMA max_page_count=1"))
    with pytest.raises(TransientError) as caught:
        store.transact(lambda tx: tx.list_ids(1, [f"id {number}" for number in range(9000)]))
    assert str(caught.value) == (
        f"{folder}/syncd.db: the disk is full; nothing was lost, free some space and run it again"
    )
    assert store.read(lambda tx: tx.record_count(1)) == 0
    store.close()


# -- copies


def state(store: Store) -> Any:
    """Name everything that a store holds: its bytes, or its rows."""
    if store.path is not None:
        return [hashlib.sha256(Path(f"{store.path}{end}").read_bytes()).hexdigest() for end in ("", "-wal")]
    with store.engine.connect() as connection:
        rows = {t.name: connection.execute(sa.select(t)).fetchall() for t in schema.META.sorted_tables}
        return {name: sorted(map(repr, found)) for name, found in rows.items()}


def change_everything(store: Store) -> None:
    row = {"app": 1, "id": "new", "contact": 9, "version": None, "digest": b"", "at_ms": 1, "problem": None}
    plan = Intent(app=1, kind="update", contact=9, record="new", fields={})
    for step in (
        lambda tx: tx.set_meta("a", "of the copy"),
        lambda tx: tx.insert_records([{**row, "doc": None, "seen": None}]),
        lambda tx: tx.replace_intents([9], [plan]),
        lambda tx: tx.begin_run("plan", 9),
    ):
        store.transact(step)


JOURNALLED = sa.select(schema.journal.c.id).order_by(schema.journal.c.id)


def test_a_throw_away_copy_changes_nothing(url: str, folder: Path) -> None:
    store = open_store(url, folder)
    store.transact(lambda tx: tx.set_meta("a", "of the store"))
    before, files = state(store), sorted(folder.iterdir())
    with throwaway(store) as copy:
        change_everything(copy)
        assert copy.read(lambda tx: (tx.meta("a"), tx.record_count(1))) == ("of the copy", 1)
        assert store.read(lambda tx: (tx.meta("a"), tx.record_count(1))) == ("of the store", 0)
        assert {file.stat().st_mode & 0o777 for file in set(folder.iterdir()) - set(files)} <= {0o600}
    assert (state(store), sorted(folder.iterdir())) == (before, files)
    with suppress(KeyboardInterrupt), throwaway(store) as copy:
        change_everything(copy)
        raise KeyboardInterrupt
    assert (state(store), sorted(folder.iterdir())) == (before, files)
    store.close()


def test_a_step_that_fails_in_a_copy_takes_nothing_else_with_it(url: str, folder: Path) -> None:
    store = open_store(url, folder)

    def failing(tx: Any) -> None:
        tx.set_meta("a", "half")
        raise LookupError

    with throwaway(store) as copy:
        copy.transact(lambda tx: tx.set_meta("a", "first"))
        with pytest.raises(LookupError):
            copy.transact(failing)
        with pytest.raises(copy.errors):
            copy.transact(lambda tx: tx.connection.exec_driver_sql("SELECT * FROM no_such"))
        assert copy.read(lambda tx: (tx.meta("a"), tx.intent_counts())) == ("first", [])
    store.close()


def test_a_copy_is_of_one_moment(url: str, folder: Path) -> None:
    store = open_store(url, folder)
    with throwaway(store) as copy:
        copy.read(lambda tx: tx.meta("a"))
        store.transact(lambda tx: tx.set_meta("a", "later"))
        assert copy.read(lambda tx: tx.meta("a")) is None
    assert store.read(lambda tx: tx.meta("a")) == "later"
    store.close()


def test_a_dry_run_keeps_nobody_waiting(url: str, folder: Path) -> None:
    store = open_store(url, folder)
    entry = Entry(kind="note", app=None, record=None, field=None, old=None, new=None, reason="x")
    contact = Contact(id=9, secret=b"s" * 16)
    store.transact(lambda tx: tx.write_journal(1, 1, [(contact, [entry])]))
    for number in range(8):  # often enough for a server to have prepared every statement
        with throwaway(store) as copy:
            copy.transact(lambda tx: tx.write_journal(2, 2, [(contact, [entry])] * 3))
            if number == 0:
                change_everything(copy)
                change_everything(store)  # the same rows; PostgreSQL would wait for whoever holds them
            assert copy.read(lambda tx: tx.connection.execute(JOURNALLED).scalars().all()) == [1, 2, 3, 4]
    store.transact(lambda tx: tx.write_journal(2, 2, [(contact, [entry])]))
    assert store.read(lambda tx: tx.connection.execute(JOURNALLED).scalars().all()) == [1, 2]
    assert store.read(lambda tx: tx.meta("a")) == "of the copy"
    store.close()


def test_what_a_killed_process_left_is_removed_and_nothing_else(folder: Path) -> None:
    url = f"sqlite:///{folder}/syncd.db"
    store = open_store(url, folder)
    code = (
        "import os, sys; from pathlib import Path; from syncd.store.opening import open_store\n"
        "from syncd.store.copy import throwaway\n"
        "with throwaway(open_store(sys.argv[1], Path(sys.argv[2]))) as copy: os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, url, str(folder)], check=False, cwd=ROOT)
    left = set(folder.glob("syncd-dry-run-*"))
    assert left
    with throwaway(store) as copy:
        made(url, folder)
        assert left.isdisjoint(folder.iterdir())
        change_everything(copy)
        assert copy.path is not None
        assert copy.path.exists()
    remove_leftovers(folder)
    assert not list(folder.glob("syncd-dry-run-*"))
    store.close()


def test_a_copy_needs_a_place(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/syncd.db", folder)
    store.data_dir = folder / "gone"
    with pytest.raises(ConfigError, match="no temporary file can be made there: No such file"), throwaway(store):
        pytest.fail("where?")
    store.close()


def test_a_disk_that_is_full_when_the_key_is_made(folder: Path) -> None:
    assert isinstance(_of_file(folder, OSError(errno.ENOSPC, "No space left on device")), TransientError)
    assert isinstance(_of_file(folder, OSError(errno.EACCES, "Permission denied")), ConfigError)
