"""At most one process works on a store; its lease dies with it; who lost it writes nothing more. On both databases."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent
from typing import Any, NoReturn

import pytest

from syncd.errors import ConfigError, TransientError
from syncd.store.lease import POLL_SECONDS, Lease
from syncd.store.opening import open_store
from syncd.store.store import LeaseLost, Store
from syncd.store.tx import Tx

ROOT = Path(__file__).parent.parent
NOON_MS = 1_767_268_800_000
HOLDER = """
import sys
from pathlib import Path
from syncd.store.lease import Lease
from syncd.store.opening import open_store
store = open_store(sys.argv[1], Path(sys.argv[2]))
with Lease(store, wait_seconds=0, command="sync") as lease:
    print(lease.epoch, flush=True)
"""
WITH_A_CHILD = """
import subprocess
sleeper = "import time; print('up', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", sleeper], close_fds=False, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
WITH_A_FORK = """
import os, time
child = os.fork()
if not child:
    time.sleep(60)
print(child, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a store that is not there yet."""
    return f"sqlite:///{tmp_path}/syncd.db" if request.param == "sqlite" else request.getfixturevalue("pg_url")


@pytest.fixture
def stores(url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Give stores on the same database, as another process each would have."""
    opened: list[Store] = []

    def another() -> Store:
        opened.append(open_store(url, tmp_path))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


def never(_seconds: float) -> NoReturn:
    pytest.fail("nobody should wait")


def lease(store: Store, **given: Any) -> Lease:
    return Lease(store, **{"wait_seconds": 0.0, "sleep": never, "now_ms": lambda: NOON_MS, **given})


def held_by_another_process(
    url: str, tmp_path: Path, while_it_has_it: str = "sys.stdin.read()"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER + indent(while_it_has_it.strip(), " " * 4), url, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def child_of(process: subprocess.Popen[str]) -> int:
    """Wait until a holder has a child."""
    assert process.stdout is not None
    return int(process.stdout.readline())


# -- one at a time


def test_one_process_has_it_and_the_other_hears_who(stores: Callable[[], Store]) -> None:
    first, second = stores(), stores()
    with lease(first, command="resync") as mine:
        assert mine.still_mine()
        with (
            pytest.raises(TransientError, match="another syncd is at work") as caught,
            lease(second),
        ):
            pytest.fail("there are two")
        assert re.search(rf"\(resync pid={os.getpid()} since=2026-01-01T12:00:00Z host=\S+\); wait", str(caught.value))
    assert not mine.still_mine()
    with lease(second):
        pass


def test_a_lease_is_waited_for_so_long_and_no_longer(stores: Callable[[], Store]) -> None:
    slept: list[float] = []
    with lease(stores()), pytest.raises(TransientError), lease(stores(), wait_seconds=2.0, sleep=slept.append):
        pytest.fail("there are two")
    assert sum(slept) == 2.0
    assert set(slept) == {POLL_SECONDS}


def test_who_waits_gets_it_when_it_is_given_back(stores: Callable[[], Store]) -> None:
    first = lease(stores())
    first.__enter__()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.__exit__(None, None, None)

    with lease(stores(), wait_seconds=60.0, sleep=sleep) as second:
        assert second.still_mine()
    assert len(slept) == 3


def test_who_is_interrupted_while_waiting_leaves_nothing(stores: Callable[[], Store]) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    waiting = lease(stores(), wait_seconds=60.0, sleep=interrupt)
    with lease(stores()), pytest.raises(KeyboardInterrupt):
        waiting.__enter__()
    with waiting:
        assert waiting.still_mine()


def test_threads_of_one_process_do_not_share_it(stores: Callable[[], Store]) -> None:
    store = stores()
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with Lease(store, wait_seconds=60.0):
                with lock:
                    inside, most = inside + 1, max(most, inside + 1)
                store.read(lambda tx: tx.meta("x"))
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


# -- it dies with its holder


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_holder(stores: Callable[[], Store], url: str, tmp_path: Path, end: signal.Signals) -> None:
    store = stores()
    with held_by_another_process(url, tmp_path) as process:
        with pytest.raises(TransientError, match=rf"sync pid={process.pid} since="), lease(store):
            pytest.fail("there are two")
        process.send_signal(end)
        process.wait()
    with Lease(store, wait_seconds=10.0) as mine:  # a server notices a moment later
        assert mine.epoch == 2


def test_a_holder_that_is_stopped_keeps_it(stores: Callable[[], Store], url: str, tmp_path: Path) -> None:
    store = stores()
    with held_by_another_process(url, tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(TransientError), lease(store):
            pytest.fail("there are two")
        process.kill()


def test_children_of_a_holder_do_not_inherit_it(tmp_path: Path) -> None:
    """The holder is killed, its child lives on with every handle that a child gets."""
    url = f"sqlite:///{tmp_path}/syncd.db"
    with held_by_another_process(url, tmp_path, WITH_A_CHILD) as process:
        child = child_of(process)
        process.kill()
    try:
        store = open_store(url, tmp_path)
        with lease(store) as mine:
            assert mine.epoch == 2
        store.close()
        os.kill(child, 0)  # it is there
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_gives_it_back_has_it_no_more_whatever_a_fork_still_holds(tmp_path: Path) -> None:
    """Between fork and exec a child has every handle."""
    url = f"sqlite:///{tmp_path}/syncd.db"
    with held_by_another_process(url, tmp_path, WITH_A_FORK) as process:
        child = child_of(process)
        process.wait()
        try:
            store = open_store(url, tmp_path)
            with lease(store):
                os.kill(child, 0)
            store.close()
        finally:
            os.kill(child, signal.SIGKILL)


# -- epochs and fences


def test_the_epoch_grows_with_every_new_holder(stores: Callable[[], Store]) -> None:
    store = stores()
    daemon, command = lease(store), lease(stores())
    epochs = []
    for each in (daemon, daemon, command, daemon, daemon):
        with each:
            epochs.append(each.epoch)
    assert epochs == [1, 1, 2, 3, 3]
    assert store.read(lambda tx: tx.meta("epoch")) == "3"


def test_who_lost_the_lease_cannot_write(stores: Callable[[], Store]) -> None:
    old, new = stores(), stores()
    with lease(old) as first:
        epoch = first.epoch
        old.transact(lambda tx: tx.set_meta("a", "mine"), epoch=epoch)
    with lease(new) as second:
        with pytest.raises(LeaseLost, match="another syncd has taken over"):
            old.transact(lambda tx: tx.set_meta("a", "stale"), epoch=epoch)
        new.transact(lambda tx: tx.set_meta("b", "theirs"), epoch=second.epoch)
    assert new.read(lambda tx: (tx.meta("a"), tx.meta("b"))) == ("mine", "theirs")


def test_a_transaction_that_began_before_the_take_over_cannot_end_after_it(pg_url: str, tmp_path: Path) -> None:
    """It would change what the new holder has read already; there is no order in which both are right."""
    old, new = open_store(pg_url, tmp_path), open_store(pg_url, tmp_path)
    with lease(old) as first:
        epoch = first.epoch
    seen: list[str | None] = []

    def step(tx: Tx) -> None:
        tx.set_meta("plan", "of the old one")
        if not seen:
            with lease(new) as second:
                seen.append(new.transact(lambda other: other.meta("plan"), epoch=second.epoch))

    with pytest.raises(LeaseLost):
        old.transact(step, epoch=epoch)
    assert (seen, new.read(lambda tx: tx.meta("plan"))) == ([None], None)
    old.close()
    new.close()


# -- asking before each send


def test_a_lock_file_that_is_gone_is_a_lease_that_is_lost(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    with lease(store) as mine:
        mine.demand()
        file = tmp_path / "syncd.db.lock"
        file.rename(tmp_path / "aside")
        assert not mine.still_mine()
        file.touch()
        assert not mine.still_mine()
        with pytest.raises(LeaseLost, match="sends nothing more"):
            mine.demand()
    store.close()


def test_a_session_that_is_gone_is_a_lease_that_is_lost(pg_url: str, tmp_path: Path) -> None:
    store = open_store(pg_url, tmp_path)
    with lease(store) as mine:
        mine.demand()
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'syncd syncd pid=%'"
        assert store.read(lambda tx: tx.connection.exec_driver_sql(ended.replace("%", "%%")).scalars().all()) == [True]
        assert not mine.still_mine()
        with Lease(store, wait_seconds=10.0) as other:
            assert (other.epoch, mine.still_mine()) == (2, False)
            with pytest.raises(LeaseLost):
                store.transact(lambda tx: tx.set_meta("a", "b"), epoch=mine.epoch)
    store.close()


def test_stores_in_one_database_have_a_lease_each(pg_url: str, tmp_path: Path) -> None:
    first = open_store(pg_url, tmp_path)
    first.transact(lambda tx: tx.connection.exec_driver_sql("CREATE SCHEMA other"))
    second = open_store(f"{pg_url}?options=-csearch_path%3Dother", tmp_path)
    with lease(first), lease(second):
        assert (first.version(), second.version()) == ("0001", "0001")
    first.close()
    second.close()


def test_a_store_has_one_lease_whatever_it_is_called(tmp_path: Path) -> None:
    real = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    (tmp_path / "alias.db").symlink_to(tmp_path / "syncd.db")
    alias = open_store(f"sqlite:///{tmp_path}/alias.db", tmp_path)
    with lease(real), pytest.raises(TransientError), lease(alias):
        pytest.fail("there are two")
    real.close()
    alias.close()


# -- after a crash


def test_a_store_is_checked_after_its_holder_died_at_work_and_only_then(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/syncd.db"
    store = open_store(url, tmp_path)
    checked = []

    class Watched(Store):
        def quick_check(self) -> None:
            checked.append(1)
            super().quick_check()

    watched = Watched(url, store.sealer, tmp_path)
    for _ in range(2):
        with lease(watched):
            pass
    assert checked == []
    with held_by_another_process(url, tmp_path) as process:
        process.kill()
    with lease(watched):
        assert len(checked) == 1
    with lease(watched):
        assert len(checked) == 1
    store.close()
    watched.close()


def test_a_store_that_was_damaged_in_a_crash_is_refused_every_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/syncd.db"
    store = open_store(url, tmp_path)
    store.transact(lambda tx: tx.list_ids(1, [f"id {n}" for n in range(2000)]))
    store.close()
    with held_by_another_process(url, tmp_path) as process:
        process.kill()
    file = tmp_path / "syncd.db"
    (tmp_path / "syncd.db-wal").unlink(missing_ok=True)
    with file.open("r+b") as opened:  # its last page: a part of the 2000 ids
        opened.seek(-4096, os.SEEK_END)
        opened.write(bytes(4096))
    store = open_store(url, tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"syncd\.db: the store is damaged; .*backup"), lease(store):
            pytest.fail("it is broken")
    store.close()
