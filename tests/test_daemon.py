"""The daemon as a process: it polls, waits for approval, survives what fails, and drains when it is told to stop."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.hubs import Hub, odd, person, until
from tests.radicale import Server

CANARY = "Canary-4242"


@contextmanager
def running(hub: Hub, *words: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon; whatever happens in the block, nothing is left running."""
    process = hub.start("run", *words, env=env)
    try:
        yield process
    except BaseException as error:
        error.add_note("the daemon said:\n" + (hub.folder / "err").read_text()[-4000:])
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def stopped(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    """Tell it to stop; return its exit code."""
    process.send_signal(number)
    return process.wait(60)


def events(hub: Hub, **wanted: Any) -> list[dict[str, Any]]:
    """Read the log: the events that have these values."""
    lines = (hub.folder / "err").read_bytes().split(b"\n")[:-1]
    found: list[dict[str, Any]] = [orjson.loads(line) for line in lines]
    return [event for event in found if wanted.items() <= event.items()]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Two files in sync, polled every second."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(2, company=CANARY)], more=", poll: 1s")
    hub.csv("news", [], more=", poll: 1s")
    return hub


def test_an_edit_travels_and_a_stop_is_clean(hub: Hub) -> None:
    hub.synced()
    with running(hub) as daemon:
        until(lambda: events(hub, event="pass"), "the first pass", alive=daemon)
        assert hub.json("status", "--alive")["alive"] is True
        hub.write("crm", [person(1, first_name="Zoe"), person(2, company=CANARY)])
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Zoe", "the edit arrives", alive=daemon)
        until(lambda: events(hub, event="pass", app="news", updated=1), "it is told", alive=daemon)
        assert stopped(daemon) == 0
    log = (hub.folder / "err").read_text()
    assert CANARY not in log
    assert "Zoe" not in log
    assert "p1@example.com" not in log
    told = events(hub, event="pass", app="news", updated=1)[0]
    assert {"at", "level", "run", "kind", "outcome", "hub", "read", "created", "app_ms", "pass_ms"} <= set(told)
    assert (told["outcome"], told["level"]) == ("ok", "info")
    assert events(hub, event="stopped")
    alive = hub.run("status", "--alive")
    assert (alive.code, alive.out) == (3, "not alive: the daemon never ran, or was stopped\n")


def test_a_quiet_hub_leaves_no_trace_of_its_polls(hub: Hub) -> None:
    hub.synced()
    before = hub.json("history")["runs"]
    with running(hub, env={"SYNCD_LOG_LEVEL": "warning"}) as daemon:
        until(lambda: hub.json("status", "--alive", code=0) if _alive(hub) else None, "it is alive", alive=daemon)
        age = hub.json("status")["apps"]["crm"]["cursor_age_seconds"]
        until(lambda: hub.json("status")["apps"]["crm"]["cursor_age_seconds"] < age, "another poll", alive=daemon)
        assert stopped(daemon, signal.SIGINT) == 0
    runs = hub.json("history")["runs"]
    assert runs[-len(before) :] == before
    assert len(runs) <= len(before) + 1  # of several polls: the one that was cut short by the signal, if any
    assert (hub.folder / "err").read_text() == ""  # a healthy day at warning level is an empty page


def _alive(hub: Hub) -> bool:
    return hub.run("status", "--alive").code == 0


def test_filled_apps_wait_for_one_approval(hub: Hub) -> None:
    hub.write("news", [person(3)])
    with running(hub) as daemon:
        until(lambda: events(hub, event="first pass"), "it looked once", alive=daemon)
        [first] = events(hub, event="first pass")
        assert (first["level"], first["outcome"]) == ("warning", "held")
        assert first["remedy"] == f"syncd approve {first['run']}"
        assert set(hub.rows("news")) == {"p3@example.com"}
        hub.json("approve", str(first["run"]))
        until(lambda: len(hub.rows("news")) == 3, "it goes on", alive=daemon)
        assert len(events(hub, event="first pass")) == 1
        assert stopped(daemon) == 0


def test_an_app_that_fails_is_told_and_tried_again_while_the_others_go_on(hub: Hub) -> None:
    hub.table("books", [person(1)], more=", poll: 1s")
    hub.synced()
    with running(hub) as daemon:
        until(lambda: events(hub, event="pass", app="news"), "the first pass", alive=daemon)
        (hub.folder / "news.csv").rename(hub.folder / "away.csv")
        until(lambda: events(hub, app="news", outcome="failed"), "it is told", alive=daemon)
        failed = events(hub, app="news", outcome="failed")[0]
        assert (failed["level"], failed["error"]) == ("warning", "TransientError")
        hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE email = 'p1@example.com'")
        until(lambda: hub.rows("crm")["p1@example.com"]["first_name"] == "Zoe", "the others go on", alive=daemon)
        (hub.folder / "away.csv").rename(hub.folder / "news.csv")
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Zoe", "it catches up", alive=daemon)
        assert stopped(daemon) == 0


def test_a_column_that_is_back_ends_its_hold_by_itself(hub: Hub) -> None:
    hub.synced()
    with running(hub) as daemon:
        until(lambda: events(hub, event="pass", app="news"), "the first pass", alive=daemon)
        before = (hub.folder / "crm.csv").read_text("utf-8")
        (hub.folder / "crm.csv").write_text(before.replace("phone", "telephone", 1), "utf-8")
        until(lambda: events(hub, app="crm", outcome="held"), "it is held", alive=daemon)
        assert "no longer there: phone" in hub.run("status").out
        (hub.folder / "crm.csv").write_text(before.replace("First1", "Zoe"), "utf-8")
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Zoe", "it goes on", alive=daemon)
        until(lambda: hub.run("status").code == 0, "nothing is held any more", alive=daemon)
        assert stopped(daemon) == 0


def test_a_refused_password_is_tried_again_when_it_was_put_right(
    tmp_path: Path, radicale_server: Server, address_book: str
) -> None:
    """BEHAVIOURS 57: no restart is needed, and the backlog is applied."""
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)], more=", poll: 1s")
    (tmp_path / "password").write_text("wrong")
    secrets = f"secrets: {{username: env:CARD_USER, password: 'file:{tmp_path}/password'}}"
    settings = f"settings: {{url: '{address_book}'}}, network: private, poll: 1s"
    hub.app("book", f"{{connector: carddav, {settings}, {secrets}}}")
    with running(hub, env={"CARD_USER": radicale_server.user}) as daemon:
        until(
            lambda: events(hub, app="book", error="AccessError") or events(hub, event="first pass"),
            "refused",
            alive=daemon,
        )
        assert "wrong" not in (tmp_path / "err").read_text()
        (tmp_path / "password").write_text(radicale_server.password)
        until(lambda: events(hub, event="pass", app="book", outcome="ok"), "it is let in", alive=daemon)
        assert stopped(daemon) == 0
    said = hub.run("status", "--json", env={"CARD_USER": radicale_server.user})
    assert said.doc["apps"]["book"]["linked"] == 1


def test_a_fault_of_ours_ends_the_pass_and_not_the_daemon(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [person(1)], more=", poll: 1s")
    hub.csv("news", [], more=", poll: 1s")
    hub.synced()
    (folder / "open").write_text("ZeroDivisionError")
    with running(hub) as daemon:
        until(lambda: events(hub, level="error"), "it is told", alive=daemon)
        fault = events(hub, level="error")[0]
        assert fault["error"] == "ZeroDivisionError"
        assert any("connector.py" in frame for frame in fault["stack"])
        assert "odd: open" not in (folder / "err").read_text()  # an error's text may hold anything
        (folder / "open").unlink()
        until(lambda: events(hub, event="pass", app="crm", outcome="ok"), "it goes on", alive=daemon)
        assert stopped(daemon) == 0


def test_told_to_stop_it_finishes_the_batch_and_begins_no_other(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [], more=", poll: 1s")
    hub.csv("news", [person(n) for n in range(1, 6)], more=", poll: 1s")
    (folder / "write").touch()
    with running(hub) as daemon:
        until((folder / "write.reached").exists, "the first batch leaves", alive=daemon)
        daemon.send_signal(signal.SIGTERM)
        (folder / "write").unlink()
        assert daemon.wait(60) == 0
    assert len(hub.rows("crm")) == 2  # the odd connector takes two writes at a time
    assert events(hub, event="drained") or events(hub, event="stopped")
    doc = hub.json("sync", "--approve")
    assert doc["apps"]["crm"]["created"] == 3
    assert len(hub.rows("crm")) == 5


def test_told_twice_it_stops_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [], more=", poll: 1s")
    hub.csv("news", [person(n) for n in range(1, 4)], more=", poll: 1s")
    (folder / "write").touch()
    with running(hub) as daemon:
        until((folder / "write.reached").exists, "the first batch leaves", alive=daemon)
        daemon.send_signal(signal.SIGTERM)
        until(lambda: _stops(daemon), "it stops at once")
        assert daemon.wait(30) == 143
    (folder / "write").unlink()
    assert hub.run("sync").code == 0
    assert len(hub.rows("crm")) == 3


def _stops(daemon: subprocess.Popen[bytes]) -> bool:
    daemon.send_signal(signal.SIGTERM)
    return daemon.poll() is not None


def test_commands_work_beside_it_and_a_pause_is_honoured(hub: Hub) -> None:
    hub.synced()
    with running(hub) as daemon:
        until(lambda: events(hub, event="pass", app="news"), "the first pass", alive=daemon)
        assert hub.json("sync")["outcome"] == "in_sync"
        assert hub.json("resync", "--app", "news")["outcome"] == "in_sync"
        hub.json("pause", "news")
        until(lambda: events(hub, event="pass", app="news", outcome="paused"), "it is paused", alive=daemon)
        hub.write("crm", [person(1, first_name="Zoe"), person(2)])
        until(lambda: events(hub, event="pass", app="crm", read=2), "the edit is read", alive=daemon)
        assert hub.rows("news")["p1@example.com"]["first_name"] == "First1"
        hub.json("resume", "news")
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Zoe", "it goes on", alive=daemon)
        assert stopped(daemon) == 0


def test_a_changed_configuration_waits_until_somebody_puts_it_in_force(hub: Hub) -> None:
    hub.synced()
    with running(hub) as daemon:
        until(lambda: events(hub, event="pass", app="news"), "the first pass", alive=daemon)
        sound = hub.config.read_text()
        hub.config.write_text("version: 1\napps: [\n")
        hub.write("crm", [person(1, first_name="Zoe"), person(2)])
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Zoe", "it goes on as before", alive=daemon)
        hub.config.write_text(sound)
        hub.csv("more", [], more=", poll: 1s")
        hub.configure("fields: {company: {policy: {owner: crm}}}\n")
        hub.write("crm", [person(1, first_name="Zoe", company="Acme"), person(2)])
        until(lambda: hub.rows("news")["p1@example.com"]["company"] == "Acme", "also now", alive=daemon)
        assert hub.rows("more") == {}
        hub.json("sync")
        assert len(hub.rows("more")) == 2
        until(lambda: events(hub, event="follows"), "it follows", alive=daemon)
        rows = hub.rows("more")
        rows["p1@example.com"] |= {"first_name": "Ada", "company": "Drift"}
        hub.write("more", rows.values())
        until(lambda: hub.rows("news")["p1@example.com"]["first_name"] == "Ada", "the new app is polled", alive=daemon)
        until(lambda: hub.rows("more")["p1@example.com"]["company"] == "Acme", "by the new rule", alive=daemon)
        assert stopped(daemon) == 0
    assert len(events(hub, event="follows")) == 1


def test_polls_and_sweeps_are_scheduled_as_configured(tmp_path: Path) -> None:
    from syncd import registry
    from syncd.config import load_config, process_settings
    from syncd.daemon import Daemon

    hub = Hub(tmp_path)
    hub.csv("crm", [], more=", poll: 5m, sweep: '15 4 * * 0'")
    daemon = Daemon(load_config(hub.config, registry.spec), process_settings())
    scheduler = daemon._schedule()
    scheduler.start(paused=True)
    try:
        jobs = {job.id: job for job in scheduler.get_jobs()}
        assert set(jobs) == {"crm: poll", "crm: sweep"}
        assert jobs["crm: poll"].trigger.interval.total_seconds() == 300
        assert jobs["crm: poll"].trigger.jitter == 15
        fields = {field.name: str(field) for field in jobs["crm: sweep"].trigger.fields if not field.is_default}
        assert (fields["minute"], fields["hour"], fields["day_of_week"]) == ("15", "4", "sun")
        for job in jobs.values():
            assert (job.max_instances, job.coalesce, job.misfire_grace_time) == (1, True, None)
    finally:
        scheduler.shutdown()
        daemon._store.close()


def test_a_log_shows_no_address_even_where_somebody_puts_one(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    import structlog

    from syncd import logs

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up("info")
        odd = object()
        logs.logger().info("told", message="mail to ann.lee@example.com bounced", more={"who": ["bob@x.org"]}, odd=odd)
    finally:  # they are the process's, and other tests run in it
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    err = capsys.readouterr().err
    assert "ann.lee" not in err
    assert "bob" not in err
    assert orjson.loads(err)["odd"] == "object"
