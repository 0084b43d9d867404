"""Batches that an app works off later: asked for until they end, each write told of for itself, and in doubt where nothing is."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.http.app import connector
from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import known, persons
from syncd.model import Applied, FieldMap, Rejected, Result, Unknown, Write
from tests.conformance.vendors import ZendeskWorld
from tests.hubs import Hub

ROOT = Path(__file__).parent.parent


@pytest.fixture
def desk() -> Iterator[ZendeskWorld]:
    with contextlib.closing(ZendeskWorld()) as made:
        yield made


def changes(ids: list[str], **fields: str) -> list[Write]:
    return [Write(kind="update", id=id_, fields=fields) for id_ in ids]


def asked(desk: ZendeskWorld) -> list[str]:
    return [f"{each.method} {each.path.removeprefix('/api/v2/').split('/')[0]}" for each in desk.server.asked]


def why(result: Result) -> str:
    return result.why if isinstance(result, Rejected) else type(result).__name__


def test_many_changes_are_one_job_that_is_asked_for_until_it_has_ended(desk: ZendeskWorld) -> None:
    ids = desk.add_all(persons(130))
    desk.sandbox.job_seconds = 10.0
    app = desk.open()
    desk.server.asked.clear()
    results = app.write(changes(ids, first_name="Ada"))
    assert {why(each) for each in results} == {"Applied"}
    assert all(
        isinstance(each, Applied) and each.record and each.record.fields["first_name"] == "Ada" for each in results
    )
    puts = [each for each in desk.server.asked if each.method == "PUT"]
    assert [len(each.json()["users"]) for each in puts] == [100, 30]
    assert asked(desk).count("GET job_statuses") <= 6
    assert sum(each.path.endswith("/identities") for each in desk.server.asked) == 0


def test_each_write_of_a_job_is_told_of_for_itself(desk: ZendeskWorld) -> None:
    there, refused, gone = desk.add_all(persons(3))
    desk.sandbox.define("Plan", "dropdown", ("Gold",))
    desk.mapped = {**desk.mapped, "industry": FieldMap(path="user_fields.plan")}
    app = desk.open()
    fine, bad = *changes([there], first_name="Ada"), *changes([refused], industry="Silver")

    def lost(each: Asked) -> Said | None:
        if each.path.endswith("update_many"):
            desk.sandbox.delete(gone)  # between our look and the job
        return None

    desk.server.before = lost
    results = app.write([fine, bad, *changes([gone], first_name="Ada")])
    assert [why(each) for each in results] == ["Applied", "invalid", "gone"]


def test_a_job_that_tells_of_too_few_writes_tells_of_none(desk: ZendeskWorld) -> None:
    ids = desk.add_all(persons(3))
    app = desk.open()

    def cut(_: Asked, said: Said) -> Said:
        job = said.doc.get("job_status") if isinstance(said.doc, dict) else None
        return Said(doc={"job_status": {**job, "results": job["results"][:2]}}) if job and job["results"] else said

    desk.server.after = cut
    assert {why(each) for each in app.write(changes(ids, first_name="Ada"))} == {"Unknown"}


@pytest.mark.parametrize("state", ["failed", "killed"])
def test_a_job_that_failed_proves_nothing_of_its_writes(desk: ZendeskWorld, state: str) -> None:
    ids = desk.add_all(persons(3))
    app = desk.open()
    job = {"id": "1", "status": state, "results": None, "message": "no", "total": 3, "progress": 1, "url": "x"}
    desk.server.before = lambda each: Said(doc={"job_status": job}) if "job_statuses" in each.path else None
    assert {why(each) for each in app.write(changes(ids, first_name="Ada"))} == {"Unknown"}


def test_a_job_that_does_not_end_is_in_doubt_and_nothing_more_is_sent(desk: ZendeskWorld) -> None:
    ids = desk.add_all(persons(130))
    desk.sandbox.job_seconds = 1e6
    app = desk.open()
    results = app.write(changes(ids, first_name="Ada"))
    assert {why(each) for each in results[:100]} == {"Unknown"}
    assert {why(each) for each in results[100:]} == {"busy"}, "the second batch was never sent"
    assert all("within 60 s" in each.message for each in results if isinstance(each, Unknown))
    desk.sandbox.clock.pass_seconds(2e6)
    assert known(app, ids[0]).fields["first_name"] == "Ada", "it happened after all, as Unknown says that it may"


@pytest.mark.parametrize("broken", [Said(cut=True), Said(status=404, doc={}), Said(doc=b"<html>")])
def test_a_job_of_which_nobody_answers_is_in_doubt(desk: ZendeskWorld, broken: Said) -> None:
    ids = desk.add_all(persons(3))
    app = desk.open()
    desk.server.before = lambda each: broken if "job_statuses" in each.path else None
    assert {why(each) for each in app.write(changes(ids, first_name="Ada"))} == {"Unknown"}


def test_too_many_jobs_are_told_to_wait_before_anything_is_done(desk: ZendeskWorld) -> None:
    ids = desk.add_all(persons(3))
    app = desk.open()
    desk.server.before = lambda each: (
        Said(status=429, doc={"error": "TooManyJobs"}) if each.path.endswith("update_many") else None
    )
    assert {why(each) for each in app.write(changes(ids, first_name="Ada"))} == {"busy"}


def test_what_a_job_refuses_that_was_asked_for_twice_may_have_been_done_by_the_first(tmp_path: Path) -> None:
    file = tmp_path / "zendesk" / "manifest.yaml"
    file.parent.mkdir()
    told = (ROOT / "connectors" / "zendesk" / "manifest.yaml").read_text("utf-8")
    file.write_text(told.replace("update:\n", "update:\n  repeatable: true\n", 1))
    with contextlib.closing(ZendeskWorld(connector(file, "zendesk"))) as desk:
        there, gone = desk.add_all(persons(2))
        app = desk.open()
        lost: list[str] = []

        def lose(each: Asked, said: Said) -> Said:
            if each.path.endswith("update_many") and not lost:
                lost.append(each.path)
                desk.sandbox.delete(gone)
                return Said(cut=True)
            return said

        desk.server.after = lose
        results = app.write(changes([there, gone], first_name="Ada"))
        assert [why(each) for each in results] == ["Applied", "Unknown"]
        assert len(desk.sandbox.jobs) == 2


@pytest.mark.parametrize("worked_off", [True, False])
def test_who_dies_while_a_job_runs_looks_what_has_become_of_it(
    tmp_path: Path, desk: ZendeskWorld, worked_off: bool
) -> None:
    hub = Hub(tmp_path)
    (tmp_path / "token").write_text("token")
    said = f"settings: {{url: '{desk.server.url}/api/v2', agent: agent@example.com}}, secrets: {{token: file:token}}"
    hub.app("desk", f"{{connector: zendesk, network: private, {said}}}")
    people = [{"id": str(n), "email": f"p{n}@example.org", "full_name": f"P{n}"} for n in range(3)]
    for each in people:
        desk.sandbox.add({"name": each["full_name"], "email": each["email"]})
    columns = ("id", "email", "full_name")
    hub.csv("crm", people, columns=columns)
    desk.sandbox.clock.pass_seconds(300)
    hub.synced()
    hub.write("crm", [{**each, "full_name": f"{each['full_name']} New"} for each in people], columns=columns)
    desk.sandbox.job_seconds = 1000.0
    victims: list[int] = []

    def kill(each: Asked) -> Said | None:
        if "job_statuses" in each.path and victims:
            os.kill(victims.pop(), signal.SIGKILL)
        return None

    desk.server.before = kill
    process = hub.start("sync")
    victims.append(process.pid)
    assert process.wait(60) == -signal.SIGKILL
    assert {user["name"] for user in desk.sandbox.users.values()} >= {"P0", "P1", "P2"}, (
        "the job has not been worked off"
    )
    desk.server.before = lambda _: None
    desk.sandbox.job_seconds = 1.0
    if worked_off:
        desk.sandbox.clock.pass_seconds(1000)
    desk.server.asked.clear()
    assert hub.run("sync").code in (0, 3)
    sent = [each for each in desk.server.asked if each.method == "PUT"]
    assert len(sent) == (0 if worked_off else 1), "what arrived is not sent again, what did not is"
    desk.sandbox.clock.pass_seconds(1000)  # the first job is worked off now, if it was not before
    hub.run("sync")
    names = {user["name"] for user in desk.sandbox.users.values() if user["role"] == "end-user"}
    assert names == {"P0 New", "P1 New", "P2 New"}
    assert {row["full_name"] for row in hub.rows("crm").values()} == names
    desk.server.asked.clear()
    assert hub.run("sync").code == 0
    assert [each for each in desk.server.asked if each.method != "GET"] == []
