"""What hostile readers found, each as they told it: edits that nobody saw, listings that were believed, looks that were
skipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import settings
from hypothesis import strategies as st

from syncd.config.notations import cron
from syncd.engine.sweeps import is_due
from tests.story import ANN, BOB, MINUTE, Story, agreed, fields_of, given, held, written


@pytest.mark.parametrize("back", ["what was overwritten", "an opt-in beside old evidence"])
def test_an_edit_back_to_what_was_read_last_is_an_edit(tmp_path: Path, back: str) -> None:
    """The cursor of a file was its digest when it was read; our own write did not move it, so the old bytes looked read."""
    story = given(tmp_path, {"crm": "memory", "desk": "csv"})
    story["crm"].put("1", **ANN)
    evidence = {"consent_at": "2099-01-01T00:00:00Z", "consent_source": "form"} if back.startswith("an opt-in") else {}
    story["desk"].put("7", **ANN, email_consent="opted_in", **evidence)
    story.sync(approve=True)
    story.settle()
    read = story.path("desk").read_bytes()
    story["crm"].put("1", company="Acme", email_consent="opted_out")
    story.sync()
    assert story["desk"].one("ann@x.org")["email_consent"] == "opted_out"

    story.path("desk").write_bytes(read)  # the tool exports again what it held, or somebody takes our write back
    story.settle()

    ann = story.everywhere("ann@x.org")
    assert {app: row["email_consent"] for app, row in ann.items()} == {"crm": "opted_out", "desk": "opted_out"}
    assert ann["desk"].get("company") == "Acme"


def test_a_file_that_was_written_to_is_read_in_full_once_and_costs_nothing_after_that(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "desk": "csv"})
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Acme")
    runs = [story.sync() for _ in range(4)]
    assert [outcome.doc["apps"]["desk"]["read"] for outcome in runs] == [0, 2, 0, 0]
    assert [written(outcome) for outcome in runs] == [1, 0, 0, 0]


def linked(folder: Path, count: int) -> Story:
    """Begin a story in which a file and another app hold the same people."""
    story = given(folder, {"desk": "csv", "crm": "memory"}, guards={"creates": 1000})
    for number in range(count):
        for app in story.apps.values():
            app.put(f"r{number}", email=f"p{number}@x.org", company="Acme")
    story.sync(approve=True)
    assert story.settle().code == 0
    return story


@pytest.mark.parametrize("strangers", [0, 10, 200])
@pytest.mark.parametrize("count", [3, 5, 20])
def test_strangers_in_a_listing_do_not_speak_for_those_that_are_missing(
    tmp_path: Path, count: int, strangers: int
) -> None:
    """Another file was put in place: the guard counted what this very listing had brought among the known records."""
    story = linked(tmp_path, count)
    everybody, back = story.holds(), story.path("desk").read_bytes()
    story["desk"].remove(*story["desk"].rows())
    for number in range(strangers):
        story["desk"].put(f"s{number}", email=f"s{number}@x.org")
    for _ in range(3):
        outcome = story.sync()
        assert (outcome.code, held(outcome)) == (4, {("desk", "unlinks")})
        assert story.holds()["crm"] == everybody["crm"]
    story.path("desk").write_bytes(back)
    assert story.sync().code == 0
    assert story.holds() == everybody


@pytest.mark.parametrize("who", ["renumbered", "others"])
def test_what_a_listing_brought_that_was_not_believed_is_not_missed_later(tmp_path: Path, who: str) -> None:
    """It had been stored, and was missing from the right file: held again, or matched and spread."""
    story = linked(tmp_path, 20)
    everybody, back = story.holds(), story.path("desk").read_bytes()
    story["desk"].remove(*story["desk"].rows())
    for number in range(20):
        story["desk"].put(f"n{number}", email=f"{'p' if who == 'renumbered' else 'o'}{number}@x.org")
    assert held(story.sync()) == {("desk", "unlinks")}
    story.path("desk").write_bytes(back)
    for _ in range(2):
        outcome = story.sync()
        assert (outcome.code, outcome.doc["outcome"], written(outcome)) == (0, "in_sync", 0)
    assert story.holds() == everybody
    assert story.cases() == []


def test_a_row_without_a_key_is_parked_as_long_as_it_is_there(tmp_path: Path) -> None:
    """It stayed parked for ever: it has no contact, so nobody missed it."""
    story = linked(tmp_path, 3)
    good = story.path("desk").read_bytes()
    story.path("desk").write_bytes(good + b",x@x.org" + b"," * (good.splitlines()[0].count(b",") - 1) + b"\n")
    outcome = story.sync()
    assert (outcome.code, [*outcome.parked]) == (3, ["desk"])
    story.path("desk").write_bytes(good)
    assert (story.sync().code, story.sync().code) == (0, 0)


def test_all_that_holds_an_app_is_told_at_once_and_one_approval_is_enough(tmp_path: Path) -> None:
    story = linked(tmp_path, 8)
    story.configure(guards={"updates": 2, "creates": 2})
    for number in range(14):
        story["desk"].put(f"r{number}", email=f"p{number}@x.org", company="Other")
    outcome = story.sync()
    assert held(outcome) == {("crm", "updates"), ("crm", "creates")}
    assert [each["count"] for each in outcome.doc["held"]] == [6, 8]
    story.approve(outcome.doc["run"])
    outcome = story.sync()
    assert (outcome.code, written(outcome), len(story["crm"].rows())) == (0, 14, 14)


@pytest.mark.parametrize("run", ["sync", "plan"])
def test_a_one_shot_run_compares_everything_when_a_sweep_is_due(tmp_path: Path, run: str) -> None:
    """Nobody swept where `sync` runs from cron: a change without a stamp was never seen."""
    story = agreed(tmp_path, {"books": ("sql", {"stamped": True}), "desk": "csv"})
    story.configure(app_books={"sweep": "30 4 * * *"})
    with closing(sqlite3.connect(story.path("books"))) as books, books:
        books.execute("UPDATE people SET updated_at = '2020-01-01 00:00:00' WHERE email = 'ann@x.org'")
    story.settle()
    with closing(sqlite3.connect(story.path("books"))) as books, books:
        books.execute("UPDATE people SET company = 'Unstamped' WHERE email = 'ann@x.org'")
    assert written(story.sync()) == 0
    story.clock.now_ms += 25 * 60 * MINUTE
    if run == "plan":
        assert fields_of(story.plan().doc["intents"], "desk") == {"company": "Unstamped"}
    read = [story.sync().doc["apps"]["books"]["read"] for _ in range(2)]
    assert story["desk"].one("ann@x.org")["company"] == "Unstamped"
    assert read == [2, 1]  # the latest stamps are always read again


def wall(moment: datetime) -> datetime:
    """Give the moment at which the clock of this host shows what that of UTC shows then."""
    return moment.replace(tzinfo=None).astimezone()


@settings(max_examples=100, deadline=None)
@hypothesis.given(data=st.data())
def test_a_sweep_is_due_when_the_daemons_scheduler_says_so(data: st.DataObject) -> None:
    numbers = [data.draw(st.sampled_from(["*", f"*/{step}", f"{low}", f"{low}-{high}", f"{low},{high}"])) for low, high, step in
               ((0, 30, 7), (3, 21, 5), (1, 28, 9), (2, 11, 4))]  # fmt: skip
    weekday = data.draw(st.sampled_from(["*", "0", "1-5", "sun", "6,7"])) if numbers[2] == "*" else "*"
    text = cron(" ".join([*numbers, weekday]))
    since = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=data.draw(st.integers(0, 365 * 86_400)))
    until = since + timedelta(minutes=data.draw(st.integers(0, 90 * 24 * 60)))
    fired = CronTrigger.from_crontab(text, timezone=UTC).get_next_fire_time(None, since)
    since_ms, until_ms = (int(wall(moment).timestamp() * 1000) for moment in (since, until))
    hypothesis.assume(fired != since)
    assert is_due(text, since_ms, until_ms) == (fired is not None and fired <= until)


def away(story: Story) -> Callable[[], None]:
    """Take the desk's file away; give what brings it back."""
    path = story.path("desk")
    data = path.read_bytes()
    path.unlink()

    def back() -> None:
        path.write_bytes(data)

    return back


@pytest.mark.parametrize("approved", ["by the flag", "by the run", "by a plan"])
def test_an_approval_is_not_spent_for_an_app_that_was_out_of_reach(tmp_path: Path, approved: str) -> None:
    """It came back filled, and its people were created everywhere although nobody had looked at them."""
    story = given(tmp_path, {"crm": "memory", "news": "memory", "desk": "csv"})
    for name in ("crm", "news"):
        story[name].put("1", **ANN)
    story["desk"].put("7", **BOB)
    back = away(story)
    if approved == "by the flag":
        assert story.sync(approve=True).code == 3
    elif approved == "by the run":
        story.approve(story.sync().doc["run"])
    else:
        planned = story.plan().doc
        assert planned["unread"] == ["desk"]
        back()
        assert held(story.apply(planned)) == {("desk", "first_look")}
    back()

    for _ in range(2):
        outcome = story.sync()
        assert (outcome.code, held(outcome), written(outcome)) == (4, {("desk", "first_look")}, 0)
        assert [each["count"] for each in outcome.doc["held"]] == [1]
    story["crm"].put("1", company="Acme")
    outcome = story.sync()
    assert story["news"].one("ann@x.org")["company"] == "Acme"  # the others go on
    shown = story.plan()
    assert {intent["app"] for intent in shown.doc["intents"]} == {"crm", "news", "desk"}
    assert [each["verb"] for each in shown.doc["held"]] == ["first_look"]

    story.approve(outcome.doc["run"])
    assert story.settle().code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [2, 2, 2]
    assert story.sync().doc["held"] == []


def test_an_app_that_comes_back_empty_has_nothing_to_look_at(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "desk": "csv"})
    story["crm"].put("1", **ANN)
    back = away(story)
    story.sync(approve=True)
    back()
    assert story.settle().code == 0
    assert len(story["desk"].rows()) == 1


def test_the_journal_of_an_undecided_record_outlives_a_listing_that_is_not_believed(tmp_path: Path) -> None:
    """What an opt-out had written into it was forgotten with the strangers of that listing, or when the rules changed meanwhile."""
    story = given(tmp_path, {"crm": "memory", "books": "csv"})
    crowd = [f"p{number}" for number in range(10)]
    for name in crowd:
        story["crm"].put(name, email=f"{name}@x.org")
    story["crm"].put("1", email="ann@x.org")
    story.sync(approve=True)
    story.settle()
    story["crm"].put("2", email="ann@x.org")
    story.sync()
    story["books"].put(story["books"].id_of("ann@x.org"), email_consent="opted_out")
    story.settle()
    told = ("write", "email_consent", None, "opted_out")
    assert told in story.journal(story.contact("crm", "2"))

    back = story["crm"].saved()
    story["crm"].remove(*crowd)
    story["books"].put(story["books"].id_of("ann@x.org"), email="annie@x.org")
    assert held(story.sync()) == {("crm", "unlinks")}
    story.configure(fields={"company": {"policy": "ask"}})
    story["books"].put(story["books"].id_of("annie@x.org"), email="anna@x.org")
    assert held(story.sync()) == {("crm", "unlinks")}
    back()
    story.sync()
    assert told in story.journal(story.contact("crm", "2"))


def test_what_an_undo_put_away_is_not_made_again_by_the_next_edit(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"})
    story["crm"].put("9", email="new@x.org", first_name="New")
    story.undo(run=story.sync().doc["run"])
    story.settle()
    assert len(story["shop"].rows()) == 2
    story["crm"].put("9", first_name="Newer")
    story.settle()
    assert len(story["shop"].rows()) == 2


def test_an_undo_gives_nothing_back_where_something_else_was_typed_that_is_not_merged_yet(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"}, fields={"company": {"settle": "300s"}})
    story["crm"].put("1", **ANN, company="From the CRM")
    story["news"].put("2", **ANN, company="From the newsletter")
    run = story.sync(approve=True).doc["run"]
    assert story["news"].one("ann@x.org")["company"] == "From the CRM"
    story["news"].put("2", company="Typed")
    story.sync()
    for approve in (False, True):
        outcome = story.undo(run=run, approve=approve)
        skipped = [(skip["app"], skip["field"], skip["reason"]) for skip in outcome.doc["skipped"]]
        assert ("news", "company", "it has changed since") in skipped
    assert story["news"].one("ann@x.org")["company"] == "Typed"


def test_a_refused_create_is_tried_again_once_its_values_are_others(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": ("memory", {"unique": ["company"]})})
    for number in "12":
        story["crm"].put(number, email=f"p{number}@x.org", company="Acme")
    story.sync(approve=True)
    story.sync()
    [row] = story["news"].rows().values()
    story["crm"].put("2" if row["email"] == "p1@x.org" else "1", company="Beta")
    story.settle()
    assert sorted(row["company"] for row in story["news"].rows().values()) == ["Acme", "Beta"]


def test_a_guard_of_removals_counts_what_a_run_has_believed_before(tmp_path: Path) -> None:
    """Some are read, others are found by the writes of the same run: each alone would be within the limit."""
    story = given(tmp_path, {"crm": "memory", "shop": "memory"}, guards={"unlinks": 3, "creates": 100})
    for number in range(20):
        story["crm"].put(f"{number}", email=f"p{number}@x.org")
    story.sync(approve=True)
    story.settle()
    ids = [story["shop"].id_of(f"p{number}@x.org") for number in range(4)]
    story["shop"].remove(*ids[:2])
    for number in (2, 3):
        story["crm"].put(f"{number}", company="New")
    with story.when("shop", "write", lambda: story["shop"].remove(*ids[2:])):
        outcome = story.sync()
    assert (outcome.doc["apps"]["shop"].get("unlinked", 0), held(outcome)) == (2, {("shop", "unlinks")})


def test_who_was_removed_in_an_app_stands_there_in_the_way_of_another_with_the_same_key(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"}, match=[["email"], ["phone", "last_name"]])
    story["crm"].put("1", email="p1@x.org", phone="+49 30 23125051", last_name="Lee")
    story["crm"].put("3", email="p3@x.org", last_name="Ray")
    story.sync(approve=True)
    story.settle()
    story["news"].remove(story["news"].id_of("p1@x.org"))
    story.sync()
    story.settle()
    story.pause("news")
    story["crm"].put("2", email="p2@x.org", phone="+49 30 23125052", last_name="Lee")
    story.sync()
    story["crm"].put("2", phone="+49 30 23125051")
    story.sync()
    story.pause("news", paused=False)
    story.settle()
    assert [row["email"] for row in story["news"].rows().values()] == ["p3@x.org"]
    assert len(story.cases()) == 1


def test_a_record_whose_contact_is_gone_does_not_keep_a_run_going(tmp_path: Path) -> None:
    """Two faults left such a record, and the merge went on for ever; a store that was damaged may have one as well."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    for number in "12":
        story["crm"].put(number, email=f"p{number}@x.org")
    story.sync(approve=True)
    story.settle()
    lost = story.contact("crm", "1")
    story.ask(lambda tx: tx.delete_contact(lost))
    for number in "12":
        story["crm"].put(number, first_name="Ada")
    story.sync()
    assert story["news"].one("p2@x.org")["first_name"] == "Ada"
