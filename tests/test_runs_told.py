"""What runs tell: their document in full, the state of an app that failed, and the journal with its reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.core.state import Entry
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from tests.story import ANN, BOB, Moment, Story, agreed, given, raising, written

NOTHING = dict.fromkeys(("read", "created", "updated", "cleared", "archived", "consents", "parked", "failed"), 0)


def pair(folder: Path, **sections: Any) -> Story:
    """Two apps with Ann and Bob in both; Ann was typed into the first, Bob into the second."""
    return agreed(folder, {"crm": "memory", "news": "memory"}, **sections)


def entries(story: Story, record: str) -> list[Entry]:
    """Read the journal of the contact that has this record in the CRM."""
    number = story.contact("crm", record)
    return story.ask(lambda tx: tx.journal_entries([number], None, None)).get(number, [])


def told(entry: Entry) -> tuple[Any, ...]:
    return entry.kind, entry.field, entry.old, entry.new, entry.reason


def test_a_run_counts_what_it_did_in_each_app(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    first = story.sync(approve=True)
    assert first.doc == {
        "paused": [],
        "run": 1,
        "outcome": "in_sync",
        "apps": {"crm": {**NOTHING, "read": 1}, "news": {**NOTHING, "created": 1, "read": first.doc["apps"]["news"]["read"]}},
        "held": [],
        "inbox": 0,
    }  # fmt: skip
    story.settle()
    story["crm"].put("1", company="Acme", email_consent="opted_out")
    second = story.sync()
    assert second.doc["apps"]["crm"] == {**NOTHING, "read": 1}
    news = second.doc["apps"]["news"]
    assert {name: news[name] for name in ("updated", "consents", "created", "failed")} == {
        "updated": 1, "consents": 1, "created": 0, "failed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [(AccessError("no"), "access", 5), (ConfigError("no"), "config", 2), (TransientError("no"), "transient", 3)],
)
def test_of_an_app_that_fails_it_is_known_why_and_since_when(
    tmp_path: Path, error: SyncdError, kind: str, code: int
) -> None:
    story = pair(tmp_path)
    story["news"].put(story["news"].id_of("bob@x.org"), company="Beta")
    with story.when("crm", "read", raising(error)):
        outcome = story.sync()
    assert (outcome.code, outcome.doc["outcome"], outcome.errors) == (code, "partial", {"crm": "no"})
    state = story.ask(lambda tx: tx.apps())
    assert (state["crm"].error, state["crm"].error_kind) == ("no", kind)
    assert state["crm"].failed_ms is not None
    assert state["crm"].failed_ms > 0
    assert state["news"].error is None, "the others go on"
    story.settle()
    state = story.ask(lambda tx: tx.apps())
    assert (state["crm"].error, story["crm"].one("bob@x.org")["company"]) == (None, "Beta")


def test_the_journal_tells_who_changed_what_and_where_it_was_written(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["news"].put(story["news"].id_of("ann@x.org"), company="Acme")
    story.sync()
    change, write = entries(story, "101")[-2:]
    apps = story.ask(lambda tx: {state.id: name for name, state in tx.apps().items()})
    assert told(change) == ("value", "company", None, "Acme", "changed")
    assert (apps[change.app or 0], change.record) == ("news", story["news"].id_of("ann@x.org"))
    assert told(write) == ("write", "company", None, "Acme", "fills a blank, from news")
    assert (apps[write.app or 0], write.record) == ("crm", "101")


def test_the_journal_tells_of_a_record_that_was_created(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["crm"].put("103", email="eve@x.org", company="Acme")
    story.sync()
    created = [entry for entry in entries(story, "103") if entry.kind == "create"]
    assert [(entry.record, entry.field) for entry in created] == [(story["news"].id_of("eve@x.org"), None)]


def test_the_journal_tells_of_a_record_that_is_gone_and_what_it_held(tmp_path: Path) -> None:
    story = pair(tmp_path)
    number = story.contact("crm", "101")
    story["news"].remove(story["news"].id_of("ann@x.org"))
    for _ in range(3):
        story.sync()
    log = story.ask(lambda tx: tx.journal_entries([number], None, None))[number]
    [gone] = [entry for entry in log if entry.kind == "unlink"]
    assert gone.reason == "removed in the app; unlinked, never created there again by itself"
    assert gone.old["email"] == "ann@x.org"
    contact = story.ask(lambda tx: tx.contacts([number]))[number]
    assert len(contact.tombs) == 1
    assert story["crm"].one("ann@x.org")["first_name"] == "Ann", "never cascaded"


def test_a_paused_app_is_neither_read_nor_written(tmp_path: Path) -> None:
    story = pair(tmp_path)
    assert story.pause("news") == {"apps": ["news"], "paused": True}
    story["crm"].put("101", company="Acme")
    with story.calls() as calls:
        outcome = story.sync()
    assert "news" not in {app for app, _ in calls}
    assert (outcome.doc["paused"], [*outcome.paused]) == (["news"], ["news"])
    assert story["news"].one("ann@x.org").get("company") is None
    assert story.pause(paused=False) == {"apps": ["crm", "news"], "paused": False}
    story.settle()
    assert story["news"].one("ann@x.org")["company"] == "Acme"


def test_an_approval_of_what_never_was_is_refused(tmp_path: Path) -> None:
    story = pair(tmp_path)
    with pytest.raises(ConfigError, match=r"^there is no run 999; `syncd history` lists them$"):
        story.approve(999)
    run = story.sync().doc["run"]
    with pytest.raises(ConfigError, match=rf"^run {run} held nothing: there is nothing to approve$"):
        story.approve(run)


def test_what_was_approved_and_done_is_approved_no_second_time_whatever_came_after_it(tmp_path: Path) -> None:
    story = pair(tmp_path, guards={"creates": "2"})
    people(story, "crm", 4)
    run = story.sync().doc["run"]
    story["crm"].remove(*[f"c{number}" for number in range(1, 4)])
    undone = story.sync().doc["run"]
    story.undo(run=undone)
    with pytest.raises(ConfigError, match=rf"^run {run} waits no more"):
        story.approve(run)


def test_a_plan_lists_what_would_be_written_and_writes_nothing(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["crm"].put("101", company="Acme")
    story["crm"].put("103", email="eve@x.org")
    plan = story.plan()
    assert plan.code == 0
    doc = plan.doc
    assert doc["counts"] == {"crm": {}, "news": {"update": 1, "create": 1}}
    assert (doc["held"], doc["inbox"], doc["paused"]) == ([], [], [])
    assert "unread" not in doc
    kinds = {(intent["app"], intent["kind"]) for intent in doc["intents"]}
    assert kinds == {("news", "update"), ("news", "create")}
    [update] = [intent for intent in doc["intents"] if intent["kind"] == "update"]
    assert update["fields"]["company"]["from"] is None
    assert update["fields"]["company"]["to"] == "Acme"
    assert update["fields"]["company"]["reason"] == "fills a blank, from crm"
    assert story["news"].one("ann@x.org").get("company") is None
    only = story.plan(apps=["crm"])
    assert (only.doc["counts"], only.doc["intents"]) == ({"crm": {}}, [])


def test_what_bob_had_lost_is_in_his_journal_only(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="One")
    story["news"].put(story["news"].id_of("bob@x.org"), company="Two")
    story.sync()
    [loss] = [entry for entry in entries(story, story["crm"].id_of("bob@x.org")) if entry.kind == "lost"]
    assert told(loss) == ("lost", "company", "Two", "One", "concurrent with another app's value; order of the apps")
    assert not [entry for entry in entries(story, "101") if entry.kind == "lost"]


def people(story: Story, app: str, count: int, **fields: Any) -> None:
    for number in range(count):
        story[app].put(f"c{number}", email=f"c{number}@x.org", **fields)


def test_a_listing_that_lost_too_many_holds_that_app_and_says_how_many(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"feed": False})})
    people(story, "crm", 10)
    story.sync(approve=True)
    story.settle()
    story["news"].remove(*[story["news"].id_of(f"c{number}@x.org") for number in range(10)])
    outcome = story.sync()
    assert (outcome.code, outcome.doc["outcome"]) == (4, "held")
    assert outcome.doc["held"] == [{"app": "news", "verb": "unlinks", "count": 10, "limit": 5}]
    assert story["crm"].one("c1@x.org")["email"] == "c1@x.org"


def test_an_approval_counts_once_and_for_what_was_held(tmp_path: Path) -> None:
    story = pair(tmp_path, guards={"updates": "2"})
    people(story, "crm", 8, company="Old")
    story.sync(approve=True)
    story.settle()
    people(story, "crm", 8, company="New")
    first = story.sync()
    assert first.doc["held"] == [{"app": "news", "verb": "updates", "count": 8, "limit": 2}]
    assert story.approve(first.doc["run"]) == {"run": first.doc["run"], "approved": first.doc["held"]}
    assert story.approve(first.doc["run"]) == {"run": first.doc["run"], "approved": []}, "twice is once"
    assert story.sync().doc["apps"]["news"]["updated"] == 8
    story.settle()
    people(story, "crm", 8, company="Newer")
    assert story.sync().doc["held"] == [{"app": "news", "verb": "updates", "count": 8, "limit": 2}], "it is used up"
    with pytest.raises(ConfigError, match="waits no more"):
        story.approve(first.doc["run"])


def test_a_first_run_counts_the_people_about_whom_apps_disagree(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    for app in ("crm", "news"):
        story[app].put("1", **ANN, company=f"From {app}")
        story[app].put("2", **BOB)
    assert story.sync().preview == {"matched": 2, "unmatched": 0, "ambiguous": 0, "disagreeing": 1}


def test_a_first_run_shows_how_records_were_matched(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    story["news"].put("2", **ANN)
    story["news"].put("3", **BOB)
    wanted = {"matched": 1, "unmatched": 1, "ambiguous": 0, "disagreeing": 0}
    assert story.plan().preview == wanted
    outcome = story.sync()
    assert (outcome.code, outcome.preview, outcome.doc["preview"]) == (4, wanted, wanted)
    assert outcome.doc["held"] == [{"app": "crm", "verb": "creates", "count": 1, "limit": 0}]
    assert len(story["crm"].rows()) == 1, "nothing leaves before somebody looked at it"
    story.approve(outcome.doc["run"])
    assert story.sync().doc["apps"]["crm"]["created"] == 1
    assert story.settle().preview == {}
    assert story.plan().preview == {}, "the first run is over"


@pytest.mark.parametrize(
    ("direction", "wins", "why"),
    [
        ("push", "Old", "the contact's value wins in this run (push only)"),
        ("both", "Typed", "changed"),
        ("pull", "Typed", "changed"),
    ],
)
def test_a_resync_in_one_direction_says_so_in_the_journal(tmp_path: Path, direction: Any, wins: str, why: str) -> None:
    story = pair(tmp_path)
    story["crm"].put("101", company="Old")
    story.settle()
    story["news"].put(story["news"].id_of("ann@x.org"), company="Typed")
    story.resync(apps=["news"], direction=direction)
    story.settle()
    assert story["crm"].one("ann@x.org")["company"] == story["news"].one("ann@x.org")["company"] == wins
    assert why in {entry.reason for entry in entries(story, "101") if entry.old in ("Typed", "Old")}


def test_what_an_undo_writes_goes_to_the_record_itself(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["crm"].put("101", company="Wrong")
    run = story.sync().doc["run"]
    story.undo(run=run)
    assert [story[app].one("ann@x.org").get("company") for app in ("crm", "news")] == [None, None]
    log = [told(entry) for entry in entries(story, "101") if entry.kind in ("undo", "value")]
    assert ("undo", "company", "Wrong", None) in [each[:4] for each in log]
    assert written(story.undo(run=run)) == 0, "it is undone"


def test_a_consent_that_nobody_can_read_is_counted_and_the_run_is_not_in_sync(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["news"].put(story["news"].id_of("ann@x.org"), email_consent="what?")
    outcome = story.sync()
    assert (outcome.code, outcome.doc["outcome"]) == (3, "partial")
    assert outcome.doc["apps"]["news"]["unreadable_consents"] == 1
    assert "unreadable_consents" not in outcome.doc["apps"]["crm"], "the rare things are there only where they are"
    story["news"].put(story["news"].id_of("ann@x.org"), email_consent="opted_out")
    assert "unreadable_consents" not in story.settle().doc["apps"]["news"]
    assert story["crm"].one("ann@x.org")["email_consent"] == "opted_out"


def test_what_an_undo_left_alone_is_named_with_its_reason(tmp_path: Path) -> None:
    story = pair(tmp_path, fields={"company": {"policy": {"owner": "crm"}}})
    news = story["news"].id_of("bob@x.org")
    story["news"].put(news, company="Drift")
    run = story.sync().doc["run"]
    assert story["news"].one("bob@x.org")["company"] == "Acme"
    story["news"].put(news, company="Again")
    outcome = story.undo(run=run)
    number = story.contact("crm", story["crm"].id_of("bob@x.org"))
    assert outcome.doc["skipped"] == [
        {"contact": f"c{number}", "app": "news", "record": news, "field": "company", "reason": "it has changed since"}
    ]
    back = pair(tmp_path / "back", fields={"company": {"policy": {"owner": "crm"}}})
    back["news"].put(back["news"].id_of("bob@x.org"), company="Drift")
    run = back.sync().doc["run"]
    preview = back.undo(run=run, approve=False)
    [intent] = preview.doc["intents"]
    assert (intent["app"], intent["kind"], intent["record"]) == ("news", "update", back["news"].id_of("bob@x.org"))
    assert {name: (each["from"], each["to"]) for name, each in intent["fields"].items()} == {
        "company": ("Acme", "Drift")
    }
    assert back.undo(run=run).doc["skipped"] == []
    assert back["news"].one("bob@x.org")["company"] == "Drift"
    assert back["crm"].one("bob@x.org")["company"] == "Acme"
    assert written(back.sync()) == 0, "what was given back is left alone"


def test_more_opt_outs_than_allowed_are_held_and_counted(tmp_path: Path) -> None:
    story = pair(tmp_path, guards={"opt_outs": "2"})
    people(story, "crm", 8)
    story.sync(approve=True)
    story.settle()
    people(story, "crm", 8, email_consent="opted_out")
    outcome = story.sync()
    assert outcome.doc["held"] == [{"app": "news", "verb": "opt_outs", "count": 8, "limit": 2}]
    assert outcome.doc["apps"]["news"]["consents"] == 0
    story.approve(outcome.doc["run"])
    assert story.sync().doc["apps"]["news"]["consents"] == 8


def test_a_resync_of_one_person_writes_nobody_else(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story["crm"].put("101", company="Acme")
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Beta")
    outcome = story.resync(contacts=[story.contact("crm", "101")])
    assert outcome.doc["apps"]["news"]["updated"] == 1
    assert story["news"].one("ann@x.org")["company"] == "Acme"
    assert story["news"].one("bob@x.org")["company"] == "Acme", "it was Acme before as well"
    story.settle()
    assert story["news"].one("bob@x.org")["company"] == "Beta"


@pytest.mark.parametrize("flat", [False, True], ids=["null", "empty text"])
def test_clears_are_counted_apart(tmp_path: Path, flat: bool) -> None:
    apps = {"crm": ("memory", {}), "news": ("memory", {"flat": flat})}
    story = agreed(tmp_path, apps, fields={"company": {"blank": "propagate"}}, guards={"clears": "2", "updates": "3"})
    people(story, "crm", 8, company="Old")
    story.sync(approve=True)
    story.settle()
    people(story, "crm", 8, company=None)
    outcome = story.sync()
    limits = {each["verb"]: (each["count"], each["limit"]) for each in outcome.doc["held"]}
    assert limits == {"clears": (8, 2), "updates": (8, 3)}, "a clear is an update as well"
    story.approve(outcome.doc["run"])
    done = story.sync().doc["apps"]["news"]
    assert (done["updated"], done["cleared"]) == (8, 8)


def test_what_was_approved_on_the_command_line_and_could_not_be_written_stays_approved(tmp_path: Path) -> None:
    story = pair(tmp_path, guards={"updates": "2"})
    people(story, "crm", 8, company="Old")
    story.sync(approve=True)
    story.settle()
    people(story, "crm", 8, company="New")
    with story.when("news", "write", raising(TransientError("away"))):
        assert story.sync(approve=True).doc["apps"]["news"]["updated"] == 0
    later = story.sync()
    assert (later.doc["held"], later.doc["apps"]["news"]["updated"]) == ([], 8)


@pytest.mark.parametrize("where", ["open", "read", "write"])
def test_an_approval_waits_for_an_app_that_is_out_of_reach(tmp_path: Path, where: str) -> None:
    story = pair(tmp_path, guards={"updates": "2"})
    people(story, "crm", 8, company="Old")
    story.sync(approve=True)
    story.settle()
    people(story, "crm", 8, company="New")
    story.approve(story.sync().doc["run"])
    with story.when("news", where, raising(TransientError("away"))):
        assert story.sync().doc["apps"]["news"]["updated"] == 0
    later = story.sync()
    assert (later.doc["held"], later.doc["apps"]["news"]["updated"]) == ([], 8)


def test_an_approval_is_for_the_apps_that_got_nothing_since(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory", "desk": "memory"}, guards={"creates": "2"})
    people(story, "crm", 4)
    first = story.sync()
    assert {each["app"] for each in first.doc["held"]} == {"news", "desk"}
    story["crm"].remove(*[f"c{number}" for number in range(1, 4)])
    with story.when("desk", "read", raising(TransientError("away"))):
        later = story.sync()
    assert (later.doc["outcome"], later.doc["apps"]["news"]["created"]) == ("partial", 1)
    assert [each["app"] for each in story.approve(first.doc["run"])["approved"]] == ["desk"]


def test_what_never_comes_to_rest_is_not_called_in_sync(tmp_path: Path) -> None:
    """Two robots type something new whenever their record is written. Approved: all passes of a run share one limit."""
    story = pair(tmp_path)
    robots = {"crm": "job_title", "news": "company"}
    typed = iter(range(1_000))

    def type_something(moment: Moment) -> None:
        if moment.what == "write" and not moment.after:
            app = story[moment.app]
            app.put(app.id_of("ann@x.org"), **{robots[moment.app]: f"{next(typed)}"})

    story.hooks.append(type_something)
    story["crm"].put("101", first_name="Anna")
    outcome = story.sync(approve=True)
    assert (outcome.code, outcome.doc["outcome"], outcome.errors) == (3, "partial", {})
