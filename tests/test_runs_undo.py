"""Undo: an operator's edit that takes back what a run did, and leaves alone what somebody did since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.connector import App
from syncd.engine import runs
from syncd.engine.finish import approvals_of
from syncd.engine.undo import Selection
from syncd.errors import TransientError
from tests.story import ANN, BOB, MINUTE, TRIO, Story, agreed, given, raising, written


def companies(story: Story, email: str = "bob@x.org") -> dict[str, Any]:
    return {app: fields.get("company") for app, fields in story.everywhere(email).items()}


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_an_undone_run_is_undone_everywhere(tmp_path: Path, source: str) -> None:
    story = agreed(tmp_path)
    before = story.holds()
    story[source].put(story[source].id_of("bob@x.org"), company="Wrong", last_name="Wrong too")
    run = story.sync().doc["run"]
    assert companies(story) == dict.fromkeys(TRIO, "Wrong")

    outcome = story.undo(run=run)

    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert story.holds() == before
    assert written(story.sync()) == 0
    assert story.holds() == before


@pytest.mark.parametrize("typed", [{"city": "Leeds"}, {"city": "Leeds", "street": "High St 1"}, {"postal_code": "LS1"}])
def test_what_was_typed_into_an_address_is_undone_everywhere(tmp_path: Path, typed: dict[str, str]) -> None:
    """Blank members of it were left as they were, and the undo said that there was nothing to take back."""
    story = agreed(tmp_path)
    story["crm"].put("101", postal_code="W1")
    assert story.settle().code == 0
    before = story.holds()
    story["desk"].put(story["desk"].id_of("ann@x.org"), **typed)
    run = story.sync().doc["run"]
    assert all(fields.items() >= typed.items() for fields in story.everywhere("ann@x.org").values())

    outcome = story.undo(run=run)

    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert story.holds() == before
    assert written(story.sync()) == 0
    assert story.undo(run=outcome.doc["run"]).code == 0
    assert all(fields.items() >= typed.items() for fields in story.everywhere("ann@x.org").values())


def test_an_undo_without_approval_only_shows(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Wrong")
    run = story.sync().doc["run"]
    before, asked = story.holds(), len(story.log("crm"))

    preview = story.undo(run=run, approve=False)

    assert (preview.code, story.holds(), len(story.log("crm"))) == (4, before, asked)
    shown = {intent["app"]: intent["fields"]["company"]["to"] for intent in preview.doc["intents"]}
    assert shown == dict.fromkeys(TRIO, "Acme")
    assert written(story.sync()) == 0


def test_what_has_changed_since_is_skipped_and_listed(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Wrong", last_name="Wrong too")
    run = story.sync().doc["run"]
    story["desk"].put(story["desk"].id_of("bob@x.org"), company="Corrected by hand")

    outcome = story.undo(run=run)

    assert [(skip["field"], skip["reason"]) for skip in outcome.doc["skipped"]] == [("company", "it has changed since")]
    assert companies(story) == dict.fromkeys(TRIO, "Corrected by hand")
    assert {fields["last_name"] for fields in story.everywhere("bob@x.org").values()} == {"Ray"}
    assert written(story.sync()) == 0


def test_one_field_or_one_contact_can_be_undone(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    crm = story["crm"]
    for email in ("ann@x.org", "bob@x.org"):
        crm.put(crm.id_of(email), company="Wrong", first_name="Kept")
    run = story.sync().doc["run"]

    story.undo(run=run, contacts=[story.contact("crm", crm.id_of("bob@x.org"))], field="company")

    assert companies(story) == dict.fromkeys(TRIO, "Acme")
    assert companies(story, "ann@x.org") == dict.fromkeys(TRIO, "Wrong")
    assert {fields["first_name"] for fields in story.everywhere("bob@x.org").values()} == {"Kept"}
    assert written(story.sync()) == 0


def test_several_runs_are_undone_at_once(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    since = story.clock.now_ms
    for app, company in zip(TRIO, ("One", "Two", "Three"), strict=True):
        story[app].put(story[app].id_of("bob@x.org"), company=company)
        story.sync()

    assert story.undo(since_ms=since).doc["skipped"] == []

    assert companies(story) == dict.fromkeys(TRIO, "Acme")
    assert written(story.sync()) == 0


def test_a_first_contact_can_be_undone(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", **ANN, company="From the CRM", job_title="Clerk")
    story["books"].put("2", email="ann@x.org", company="From books", birthday="1980-02-29")
    story["desk"].put("3", email="ann@x.org", company="From the desk")
    before = story.holds()
    run = story.sync(approve=True).doc["run"]
    assert set(companies(story, "ann@x.org").values()) == {"From the CRM"}

    outcome = story.undo(run=run)

    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert story.holds() == before
    assert written(story.sync()) == 0
    story["crm"].put("1", company="A new one")  # from here on it goes as always
    story.sync()
    assert set(companies(story, "ann@x.org").values()) == {"A new one"}


def test_a_created_record_is_archived_where_that_is_possible(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": ("sql", {"stamped": True}), "desk": "csv"})
    story["crm"].put("new", email="new@x.org", first_name="New")
    run = story.sync().doc["run"]

    outcome = story.undo(run=run)

    assert [(skip["app"], "by hand" in skip["reason"]) for skip in outcome.doc["skipped"]] == [("desk", True)]
    assert [len(app.rows()) for app in story.apps.values()] == [3, 2, 3]
    for _ in range(2):
        assert written(story.sync()) == 0
    assert [len(app.rows()) for app in story.apps.values()] == [3, 2, 3]


@pytest.mark.parametrize("word", [{"company": "Acme"}, {"email_consent": "opted_out"}])
def test_a_created_record_that_somebody_has_edited_stays(tmp_path: Path, word: dict[str, str]) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": ("sql", {"stamped": True}), "desk": "memory"})
    story["crm"].put("new", email="new@x.org", first_name="New")
    run = story.sync().doc["run"]
    story["books"].put(story["books"].id_of("new@x.org"), **word)
    story.sync()

    outcome = story.undo(run=run)

    assert [(skip["app"], "edited it since" in skip["reason"]) for skip in outcome.doc["skipped"]] == [("books", True)]
    assert [len(app.rows()) for app in story.apps.values()] == [3, 3, 2]
    assert word.items() <= story["books"].one("new@x.org").items()
    assert written(story.sync()) == 0


def test_an_edit_that_is_undone_as_well_keeps_no_record(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "books": ("sql", {"stamped": True}), "desk": "memory"})
    since = story.clock.now_ms
    story["crm"].put("new", email="new@x.org", first_name="New")
    story.sync()
    story["books"].put(story["books"].id_of("new@x.org"), company="Acme")
    story.sync()
    story.undo(since_ms=since, contacts=[story.contact("crm", "new")])
    assert [len(app.rows()) for app in story.apps.values()] == [3, 2, 2]


@pytest.mark.parametrize("raised", [True, False])
def test_no_undo_raises_consent(tmp_path: Path, raised: bool) -> None:
    story = agreed(tmp_path)
    for app in story.apps.values():
        app.put(app.id_of("bob@x.org"), email_consent="opted_in")
    story.sync()
    word = {"email_consent": "opted_out"}
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Wrong", **word if raised else {})
    run = story.sync().doc["run"]

    outcome = story.undo(run=run)
    story.settle()

    listed = [(skip["field"], skip["reason"]) for skip in outcome.doc["skipped"]]
    assert listed == ([("email_consent", "an opt-out is never undone")] if raised else [])
    consents = {fields["email_consent"] for fields in story.everywhere("bob@x.org").values()}
    assert consents == ({"opted_out"} if raised else {"opted_in"})
    assert companies(story) == dict.fromkeys(TRIO, "Acme")


def test_an_undo_can_be_undone(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Right after all")
    run = story.sync().doc["run"]
    undone = story.undo(run=run).doc["run"]
    assert companies(story) == dict.fromkeys(TRIO, "Acme")

    story.undo(run=undone)

    assert companies(story) == dict.fromkeys(TRIO, "Right after all")
    assert written(story.sync()) == 0


@pytest.mark.parametrize("news", [("memory", {"truncate": ["company:4"]}), ("memory", {"upper": ["company"]})], ids=str)
def test_an_undo_reaches_apps_with_a_spelling_of_their_own(tmp_path: Path, news: Any) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": news})
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Before")
    story.sync()
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Afterwards")
    run = story.sync().doc["run"]
    story.undo(run=run)
    assert story["crm"].one("ann@x.org")["company"] == "Before"
    assert story["news"].one("ann@x.org")["company"] in ("Befo", "BEFORE")
    assert written(story.sync()) == 0
    assert BOB["last_name"] == story["crm"].one("bob@x.org")["last_name"]


@pytest.mark.parametrize("approve", [False, True])
def test_an_undo_with_nothing_to_take_back_is_done_at_once(tmp_path: Path, approve: bool) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Wrong")
    run = story.sync().doc["run"]
    outcome = story.undo(run=run)
    assert (outcome.code, outcome.undone) == (0, 1)
    outcome = story.undo(run=run, approve=approve)
    assert (outcome.code, outcome.doc["outcome"], written(outcome)) == (0, "in_sync", 0)
    assert outcome.undone == (0 if approve else None)


def rivals(folder: Path) -> tuple[Story, int, int]:
    """Two apps said different things about Bob in one pass; the first won. Also the contact and the run."""
    story = agreed(folder, {"crm": "memory", "news": "memory"})
    for app, company in (("crm", "One"), ("news", "Two")):
        story[app].put(story[app].id_of("bob@x.org"), company=company)
    run = story.sync().doc["run"]
    assert companies(story) == {"crm": "One", "news": "One"}
    return story, story.contact("crm", story["crm"].id_of("bob@x.org")), run


def test_what_lost_can_be_brought_back(tmp_path: Path) -> None:
    story, number, _ = rivals(tmp_path)
    outcome = story.undo(contacts=[number], field="company", loser=True)
    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert companies(story) == {"crm": "Two", "news": "Two"}
    assert ("undo", "company", "One", "Two") in story.journal(number)
    assert written(story.sync()) == 0


def test_what_lost_is_not_brought_back_over_a_later_word(tmp_path: Path) -> None:
    story, number, _ = rivals(tmp_path)
    story["news"].put(story["news"].id_of("bob@x.org"), company="Three")
    outcome = story.undo(contacts=[number], field="company", loser=True)
    assert [(skip["field"], skip["reason"]) for skip in outcome.doc["skipped"]] == [("company", "it has changed since")]
    story.settle()
    assert companies(story) == {"crm": "Three", "news": "Three"}


def test_an_undo_of_what_won_brings_back_what_was_before_and_not_what_lost(tmp_path: Path) -> None:
    story, number, run = rivals(tmp_path)
    story.undo(run=run)
    assert companies(story) == {"crm": "Acme", "news": "Acme"}
    assert ("undo", "company", "One", "Acme") in story.journal(number)


@pytest.mark.parametrize("news", [{"archive": False}, {}], ids=["cannot", "may not"])
def test_what_an_undo_leaves_is_named_with_its_record(tmp_path: Path, news: dict[str, Any]) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", news)})
    story["crm"].put("new", email="new@x.org", first_name="New")
    run = story.sync().doc["run"]
    record = story["news"].id_of("new@x.org")
    outcome = story.undo(run=run)
    skipped = [(skip["app"], skip["record"], skip["field"]) for skip in outcome.doc["skipped"]]
    assert skipped == ([("news", record, None)] if news else [])


def test_what_an_earlier_run_saw_is_taken_back_with_the_write_that_carried_it(tmp_path: Path) -> None:
    """The newsletter was paused when it was typed: the run that is undone did no more than write it there."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    story.pause("news")
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Wrong")
    story.sync()
    story.pause("news", paused=False)
    outcome = story.sync()
    assert story["news"].one("bob@x.org")["company"] == "Wrong"
    assert story.undo(run=outcome.doc["run"]).code == 0
    assert companies(story) == {"crm": "Acme", "news": "Acme"}


@pytest.mark.parametrize("beside", ["consent", "an undo"])
def test_what_an_earlier_run_saw_is_taken_back_whatever_was_written_beside_it(tmp_path: Path, beside: str) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    crm, news = story["crm"], story["news"]
    bob = crm.id_of("bob@x.org")
    crm.put(bob, first_name="Rob")
    renamed = story.sync().doc["run"]
    story.pause("news")
    if beside == "consent":
        crm.put(bob, email_consent="opted_out")
    else:
        story.undo(run=renamed)
    crm.put(bob, company="Wrong")
    story.sync()
    story.pause("news", paused=False)
    run = story.sync().doc["run"]
    shown = news.one("bob@x.org")
    assert (shown["company"], shown["first_name"], shown.get("email_consent")) == (
        ("Wrong", "Rob", "opted_out") if beside == "consent" else ("Wrong", "Bob", None)
    )
    story.undo(run=run)
    assert companies(story) == {"crm": "Acme", "news": "Acme"}


def test_an_undo_approves_nothing_beyond_itself(tmp_path: Path) -> None:
    """An app was busy while it was undone: what is still to be written there needs a person as ever."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, guards={"updates": "2"})
    story["crm"].put("101", company="Wrong")
    run = story.sync().doc["run"]
    with story.when("news", "write", raising(TransientError("busy"))):
        assert story.undo(run=run).code == 3
    assert story.ask(approvals_of) == {}


def test_what_an_app_held_before_is_left_where_it_may_not_be_written_any_more(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN, company="From the CRM")
    story["news"].put("2", **ANN, company="From the newsletter")
    run = story.sync(approve=True).doc["run"]
    with story.session() as session:

        def load(app: Any) -> Any:
            real = session.load(app)
            if app.name == "crm":
                return real
            return replace(real, open=lambda opening: ReadOnly(real.open(opening)))

        outcome = runs.undo(replace(session, load=load), Selection(run=run), approve=True)
    [skipped] = outcome.doc["skipped"]
    assert (skipped["app"], skipped["record"], skipped["reason"]) == ("news", "2", "this app may not be written")
    assert story["news"].one("ann@x.org")["company"] == "From the CRM"


class ReadOnly:
    """An app in which nothing may be changed any more."""

    def __init__(self, app: App) -> None:
        self.app, self.fields = app, app.fields
        self.spec = replace(app.spec, create=False, update=False, archive=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


def test_what_was_brought_back_is_not_taken_away_by_bringing_it_back_again(tmp_path: Path) -> None:
    story, number, _ = rivals(tmp_path)
    for skipped in ([], ["it has changed since"]):
        outcome = story.undo(contacts=[number], field="company", loser=True)
        assert [skip["reason"] for skip in outcome.doc["skipped"]] == skipped
        assert companies(story) == {"crm": "Two", "news": "Two"}


def test_what_is_undone_already_is_as_it_was_and_nothing_is_skipped(tmp_path: Path) -> None:
    story, number, run = rivals(tmp_path)
    story.undo(run=run)
    outcome = story.undo(contacts=[number], field="company")
    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert companies(story) == {"crm": "Acme", "news": "Acme"}


def shown_as_done(story: Story, run: int) -> None:
    """Look at an undo, and do it: both leave alone what has changed since."""
    for approve in (False, True):
        skipped = story.undo(run=run, approve=approve).doc["skipped"]
        assert [(each["field"], each["reason"]) for each in skipped] == [("company", "it has changed since")]
    story.settle()
    assert companies(story) == {"crm": "Two", "shop": "Two"}


def test_an_undo_shows_that_what_was_in_its_quiet_time_has_changed_since(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"}, fields={"company": {"settle": "300s"}})
    run = 0
    for app, company in (("crm", "One"), ("shop", "Two")):
        story[app].put(story[app].id_of("bob@x.org"), company=company)
        story.sync()
        story.clock.now_ms += 10 * MINUTE
        run = run or story.sync().doc["run"]
    shown_as_done(story, run)


def test_an_undo_shows_that_what_was_read_by_a_run_that_died_has_changed_since(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory"})
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="One")
    run = story.sync().doc["run"]
    story["shop"].put(story["shop"].id_of("bob@x.org"), company="Two")
    with story.when("shop", "read", raising(KeyboardInterrupt()), nth=2), pytest.raises(KeyboardInterrupt):
        story.sync()
    shown_as_done(story, run)
