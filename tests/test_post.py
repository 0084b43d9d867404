"""Of all daemons of one store one is on duty; the others say so at once, stand by, and take over when it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from syncd.store.opening import open_store
from syncd.store.post import FORGOTTEN_MS, Post, duty, is_vacant
from syncd.store.store import Store
from tests.hubs import Hub, person, until
from tests.test_daemon import running, stopped

NOON_MS = 1_767_268_800_000


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Give stores on one database, as each process would have its own."""
    url = f"sqlite:///{tmp_path}/syncd.db" if request.param == "sqlite" else request.getfixturevalue("pg_url")
    opened: list[Store] = []

    def another() -> Store:
        opened.append(open_store(url, tmp_path))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


def test_the_post_has_one_holder_until_it_leaves(stores: Callable[[], Store]) -> None:
    store, other = stores(), stores()
    first, second = Post(store, now_ms=lambda: NOON_MS), Post(other, now_ms=lambda: NOON_MS)
    assert first.taken_by() is None
    assert first.taken_by() is None  # it may ask as often as it likes
    assert "run pid=" in (second.taken_by() or "")
    second.stand_by()
    assert len(store.read(lambda tx: duty(tx, NOON_MS)).standing_by) == 1
    first.leave()
    assert second.taken_by() is None
    assert store.read(lambda tx: duty(tx, NOON_MS)).standing_by == []
    assert first.taken_by() is not None
    second.leave()
    first.leave()


def test_whether_anybody_has_the_post_is_seen_without_taking_it(stores: Callable[[], Store]) -> None:
    store, other = stores(), stores()
    first = Post(store, now_ms=lambda: NOON_MS)
    assert is_vacant(other)
    assert first.taken_by() is None
    assert not is_vacant(other)
    assert first.taken_by() is None
    first.leave()
    assert is_vacant(other)


def test_who_was_killed_is_not_alive(hub: Hub) -> None:
    with running(hub) as daemon:
        until(lambda: told(hub, "", "pass"), "it works", alive=daemon)
        assert hub.run("status", "--alive").code == 0
        daemon.kill()
        daemon.wait(30)
        alive = hub.run("status", "--alive")
        assert (alive.code, "its process has ended" in alive.out) == (3, True)
        assert hub.json("status")["daemon"]["on_duty"] is None
        assert "\ndaemon: its process has ended, last heard of" in hub.run("status").out


def test_who_stood_by_and_was_killed_is_forgotten(stores: Callable[[], Store]) -> None:
    store = stores()
    killed = Post(store, now_ms=lambda: NOON_MS)
    killed.stand_by()
    assert len(store.read(lambda tx: duty(tx, NOON_MS + FORGOTTEN_MS - 1)).standing_by) == 1
    assert store.read(lambda tx: duty(tx, NOON_MS + FORGOTTEN_MS)).standing_by == []


def test_a_session_that_ended_is_begun_anew_unless_another_was_faster(pg_url: str, tmp_path: Path) -> None:
    """A server that was restarted: the daemon stays one, or stands by."""
    store, other = open_store(pg_url, tmp_path), open_store(pg_url, tmp_path)
    first, second = Post(store), Post(other)
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'syncd run pid=%'"

    def end() -> None:
        assert other.read(lambda tx: tx.connection.exec_driver_sql(ended.replace("%", "%%")).scalars().all()) == [True]

    assert first.taken_by() is None
    end()
    assert first.taken_by() is None
    assert second.taken_by() is not None
    end()
    assert second.taken_by() is None
    assert "run pid=" in (first.taken_by() or "")
    second.leave()
    first.leave()
    store.close()
    other.close()


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)], more=", poll: 1s")
    hub.csv("news", [], more=", poll: 1s")
    return hub.synced()


def told(hub: Hub, name: str, event: str) -> list[dict[str, object]]:
    lines = (hub.folder / f"{name}err").read_bytes().split(b"\n")[:-1]
    return [found for found in map(orjson.loads, lines) if found["event"] == event]


def test_a_second_daemon_stands_by_and_takes_over_when_the_first_is_killed(hub: Hub) -> None:
    with running(hub) as first:
        until(lambda: told(hub, "", "pass"), "the first one works", alive=first)
        second = hub.start("run", name="second.")
        try:
            until(lambda: told(hub, "second.", "stands by"), "the second one says so", alive=second)
            [event] = told(hub, "second.", "stands by")
            assert event["level"] == "warning"
            assert str(event["daemon"]).startswith(f"run pid={first.pid} since=")
            until(lambda: hub.json("status")["daemon"]["standing_by"], "status shows it")
            found = hub.json("status")["daemon"]
            assert found["on_duty"].startswith(f"run pid={first.pid} ")
            assert found["standing_by"][0].startswith(f"run pid={second.pid} ")
            text = hub.run("status").out
            assert f"\ndaemon: run pid={first.pid} " in text
            assert f"\nstands by: run pid={second.pid} " in text
            assert not told(hub, "second.", "pass")
            first.kill()
            first.wait(30)
            until(lambda: told(hub, "second.", "pass"), "the second one works", alive=second)
            found = hub.json("status")["daemon"]
            assert found["on_duty"].startswith(f"run pid={second.pid} ")
            assert found["standing_by"] == []
            assert stopped(second) == 0
        finally:
            second.kill()
            second.wait(30)
    assert hub.json("status")["daemon"] == {"on_duty": None, "age_seconds": None, "standing_by": []}


def test_who_stands_by_may_be_stopped_and_the_first_one_is_still_alive(hub: Hub) -> None:
    with running(hub) as first:
        until(lambda: told(hub, "", "pass"), "the first one works", alive=first)
        second = hub.start("run", name="second.")
        try:
            until(lambda: hub.json("status")["daemon"]["standing_by"], "it stands by", alive=second)
            assert stopped(second, signal.SIGINT) == 0
        finally:
            second.kill()
            second.wait(30)
        found = hub.json("status")["daemon"]
        assert found["standing_by"] == []
        assert found["on_duty"].startswith(f"run pid={first.pid} ")
        assert hub.run("status", "--alive").code == 0
        assert stopped(first) == 0


def test_a_store_that_cannot_be_written_is_no_other_command_at_work(hub: Hub) -> None:
    """It was taken for one, and the daemon did nothing without a word."""
    lock = hub.folder / "var" / "syncd.db.lock"
    lock.unlink()
    lock.symlink_to("/dev/full")
    with running(hub) as daemon:
        until(lambda: told(hub, "", "pass failed"), "it is told", alive=daemon)
        failed = told(hub, "", "pass failed")[0]
        assert (failed["kind"], failed["level"]) == ("TransientError", "warning")
        assert "syncd.db.lock: No space left on device; the disk is full" in str(failed["message"])
        lock.unlink()
        until(lambda: told(hub, "", "pass"), "it goes on", alive=daemon)
        assert stopped(daemon) == 0
