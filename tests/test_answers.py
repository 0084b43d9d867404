"""What an app answers to a write, answer by answer: what the run says of it, and what the next one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from syncd import registry
from syncd.cli.everyday import rules_of
from syncd.connector import App
from syncd.core.state import Contact
from syncd.engine import runs
from syncd.engine.finish import Outcome
from syncd.errors import TransientError
from syncd.model import Applied, Record, Rejected, Result, Unknown, Write
from syncd.ops.listed import listed
from syncd.ops.status import status
from syncd.store.tx import Tx
from tests.story import MINUTE, Story, agreed, raising

Answers = Callable[[Sequence[Write], list[Result]], list[Result]]


@dataclass(slots=True)
class Answering:
    """An app that answers to its first call as it is told to. `done`: what it was asked for has happened."""

    app: App
    answers: Answers
    done: bool = True
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def write(self, writes: Sequence[Write]) -> list[Result]:
        self.calls += 1
        if self.calls > 1:
            return self.app.write(writes)
        return self.answers(writes, self.app.write(writes) if self.done else [])


def answered(story: Story, answers: Answers, *, done: bool = True) -> Outcome:
    """Sync with a newsletter that answers like this."""
    story.clock.now_ms += MINUTE
    with story.session() as session:

        def load(app: Any) -> Any:
            real = session.load(app)
            one = lambda opening: Answering(real.open(opening), answers, done)  # noqa: E731
            return replace(real, open=one) if app.name == "news" else real

        return runs.sync(replace(session, load=load), approve=True)


def always(result: Result) -> Answers:
    return lambda writes, _: [result for _ in writes]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Ann gets a company in the CRM, which the newsletter does not know of yet."""
    registry.load("memory")
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("101", company="Acme")
    return story


def company(story: Story) -> Any:
    return story["news"].one("ann@x.org").get("company")


def notes(story: Story) -> list[tuple[Any, ...]]:
    number = story.contact("crm", "101")
    log = story.ask(lambda tx: tx.journal_entries([number], None, None))[number]
    return [(entry.app, entry.record, entry.field, entry.reason) for entry in log if entry.kind == "note"]


def counts(outcome: Outcome) -> dict[str, int]:
    return {name: outcome.doc["apps"]["news"][name] for name in ("updated", "parked", "failed")}


def test_an_answer_that_shows_no_record_is_completed_by_reading_it(story: Story) -> None:
    with story.calls() as calls:
        outcome = answered(story, always(Applied(record=None)))
    assert (outcome.code, outcome.doubt, counts(outcome)["updated"]) == (0, {}, 1)
    assert calls.count(("news", "get")) == 1
    assert ("write", "company", None, "Acme") in story.journal(story.contact("crm", "101"))
    assert story.sync().doc["apps"]["news"]["updated"] == 0


def test_an_answer_that_shows_another_value_is_an_observation(story: Story) -> None:
    def shortened(_: Sequence[Write], results: list[Result]) -> list[Result]:
        [result] = results
        assert isinstance(result, Applied)
        assert result.record is not None
        record: Record = replace(result.record, fields={**result.record.fields, "job_title": "Clerk"})
        return [Applied(record=record)]

    answered(story, shortened)
    assert story["crm"].one("ann@x.org")["job_title"] == "Clerk"


@pytest.mark.parametrize(
    ("field", "message", "why"),
    [("company", "too long", "too long"), (None, "", "the app refuses this"), ("phone", "no", "no")],
)
@pytest.mark.parametrize("kind", ["invalid", "readonly"])
def test_what_an_app_refuses_is_parked_until_it_changes(
    story: Story, kind: Any, field: str | None, message: str, why: str
) -> None:
    outcome = answered(story, always(Rejected(why=kind, field=field, message=message)), done=False)
    assert (outcome.code, counts(outcome), outcome.errors) == (3, {"updated": 0, "parked": 1, "failed": 0}, {})
    assert notes(story) == [(2, story["news"].id_of("ann@x.org"), field, why)]
    before = len(story.log("news"))
    assert story.sync().code == 3, "it is still not there"
    assert len(story.log("news")) == before, "and not asked for again"
    story["crm"].put("101", company="Beta")
    assert story.settle().code == 0
    assert company(story) == "Beta"


@pytest.mark.parametrize("message", ["", "come back later"])
def test_a_busy_app_is_left_alone_and_gets_it_in_the_next_run(story: Story, message: str) -> None:
    outcome = answered(story, always(Rejected(why="busy", message=message)), done=False)
    assert outcome.errors == {"news": message or "the app is busy; nothing was executed"}
    assert (outcome.code, outcome.doubt, company(story)) == (3, {}, None)
    assert story.sync().doc["apps"]["news"]["updated"] == 1
    assert company(story) == "Acme"


def test_a_cell_that_an_answer_shows_cleared_was_cleared_by_somebody(tmp_path: Path) -> None:
    apps = {"crm": "memory", "news": "memory"}
    story = agreed(tmp_path, apps, fields={"job_title": {"blank": "propagate"}})
    story["crm"].put("101", job_title="Clerk")
    story.settle()
    id_ = story["news"].id_of("ann@x.org")
    story["crm"].put("101", company="Acme")
    with story.when("news", "write", lambda: story["news"].put(id_, job_title=None)):
        story.sync()
    story.settle()
    assert "job_title" not in story["crm"].one("ann@x.org")
    assert story["news"].one("ann@x.org")["company"] == "Acme"


@pytest.mark.parametrize("typed", ["", "Typed"])
def test_a_record_that_has_moved_is_read_and_planned_again_in_the_same_run(story: Story, typed: str) -> None:
    def moved(writes: Sequence[Write], _: list[Result]) -> list[Result]:
        if typed:
            story["news"].put(writes[0].id, job_title=typed)
        return [Rejected(why="moved")]

    with story.calls() as calls:
        outcome = answered(story, moved, done=False)
    assert calls.count(("news", "get")) == 1
    assert (outcome.code, outcome.errors, company(story)) == (0, {}, "Acme")
    assert counts(outcome) == {"updated": 1, "parked": 0, "failed": 0}
    assert story["crm"].one("ann@x.org").get("job_title", "") == typed


def test_what_is_seen_right_before_a_write_is_taken_up_in_the_same_run(tmp_path: Path) -> None:
    """The app does not compare by itself."""
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"cas": False})})
    id_ = story["news"].id_of("ann@x.org")
    story["crm"].put("101", company="Acme", job_title="Clerk")
    with story.when("news", "get", lambda: story["news"].put(id_, company="Typed", city="York")):
        outcome = story.sync()
    assert (outcome.code, outcome.doubt, outcome.errors) == (0, {}, {})
    crm, news = story["crm"].one("ann@x.org"), story["news"].one("ann@x.org")
    assert (crm["company"], crm["job_title"], crm["city"]) == (news["company"], news["job_title"], news["city"])
    assert (news["job_title"], crm["city"]) == ("Clerk", "York")


def test_a_value_that_another_record_has_is_refused_once_the_record_is_as_it_was(story: Story) -> None:
    outcome = answered(story, always(Rejected(why="exists", message="taken")), done=False)
    assert (outcome.code, company(story), [why for *_, why in notes(story)]) == (3, None, ["taken"])


def test_a_record_that_is_said_to_be_gone_is_asked_for_and_stays_where_it_is_there(story: Story) -> None:
    outcome = answered(story, always(Rejected(why="gone")), done=False)
    story.settle()
    assert "unlinked" not in outcome.doc["apps"]["news"]
    assert company(story) == "Acme"
    assert story.contact("news", story["news"].id_of("ann@x.org")) == story.contact("crm", "101")


@pytest.mark.parametrize(("people", "error"), [(3, {}), (4, {"news": "several writes got no clear answer; they are looked up at the next run"})])  # fmt: skip
def test_several_answers_that_nobody_understands_stop_the_app_for_a_run(
    story: Story, people: int, error: dict[str, str]
) -> None:
    others = [f"c{number}" for number in range(4)]
    for name in others:
        story["crm"].put(name, email=f"{name}@x.org")
    story.sync(approve=True)
    for name in ("101", *others[1:people]):
        story["crm"].put(name, company="Beta")

    def first(writes: Sequence[Write], _: list[Result]) -> list[Result]:
        return [Unknown(message="what?") for _ in writes]

    outcome = answered(story, first)
    assert outcome.errors == error
    assert counts(outcome)["updated"] == 0
    assert story.settle().code == 0
    assert company(story) == "Beta"


def test_answers_of_another_number_than_the_writes_are_no_answers(story: Story) -> None:
    outcome = answered(story, lambda _writes, results: [*results, *results])
    assert counts(outcome)["updated"] == 0
    assert story.settle().code == 0
    assert company(story) == "Acme"
    assert len([write for write in story.log("news") if write.kind == "update"]) == 1, "found, and not sent twice"


@pytest.mark.parametrize("message", ["", "not without a double opt-in"])
def test_an_opt_in_that_an_app_refuses_is_not_asked_for_again_and_an_opt_out_is(story: Story, message: str) -> None:
    story["crm"].put("101", email_consent="opted_in", consent_at="2025-06-01T10:00:00Z", consent_source="form")
    story.settle()
    story["crm"].put("102", email="eve@x.org")
    story.settle()
    refused = always(Rejected(why="invalid", message=message))
    story["crm"].put("102", email_consent="opted_in", consent_at="2025-06-01T10:00:00Z", consent_source="form")
    assert answered(story, refused, done=False).code == 3
    before = len(story.log("news"))
    assert story.sync().code == 3
    assert len(story.log("news")) == before
    story["crm"].put("102", email_consent="opted_out")
    assert answered(story, refused, done=False).code == 3
    assert story.sync().doc["apps"]["news"]["consents"] == 1
    assert story["news"].one("eve@x.org")["email_consent"] == "opted_out"


def opted_in_elsewhere(story: Story, word: str) -> Outcome:
    """Let Eve come to crm, opted in, and news make another word of it in her new record."""
    story["crm"].put(
        "102", email="eve@x.org", email_consent="opted_in", consent_at="2025-06-01T10:00:00Z", consent_source="form"
    )

    def another(_: Sequence[Write], results: list[Result]) -> list[Result]:
        [result] = results
        assert isinstance(result, Applied)
        assert result.record is not None
        story["news"].put(result.record.id, email_consent=word)
        return [Applied(record=replace(result.record, fields={**result.record.fields, "email_consent": word}))]

    story["crm"].put("101", company=None)
    return answered(story, another)


def test_another_word_for_consent_that_a_new_record_shows_is_no_opt_in(story: Story) -> None:
    """It asks the person first: nobody is told twice, and nobody is taken for opted in there."""
    opted_in_elsewhere(story, "pending")
    before = len(story.log("news"))
    story.settle()
    assert len(story.log("news")) == before
    assert ("note", "email_consent", "opted_in", "pending") in story.journal(story.contact("crm", "102"))
    assert [app.one("eve@x.org")["email_consent"] for app in story.apps.values()] == ["opted_in", "pending"]


def test_a_new_record_that_shows_another_word_for_consent_is_counted_as_it_is_listed(story: Story) -> None:
    outcome = opted_in_elsewhere(story, "unknown")
    assert (outcome.code, outcome.doc["apps"]["news"]["parked"]) == (3, 1)
    assert story.ask(lambda tx: len(tx.parked(tx.apps()["news"].id, 9))) == 1


@pytest.mark.parametrize("was", ["removed everywhere", "removed before anybody counted that"])
def test_who_has_no_record_any_more_is_refused_by_nobody(story: Story, was: str) -> None:
    """Fault: every run said for ever that one contact is refused, and no command ended that."""
    story["crm"].put("101", company=None)
    story["crm"].put("103", email="eve@x.org")
    assert answered(story, always(Rejected(why="invalid", message="409")), done=False).left
    number = story.contact("crm", "103")
    assert failed(story) == (1, [f"c{number}"])
    story["crm"].remove("103")
    story.sync()
    story.sync()
    if was != "removed everywhere":  # what an earlier version left in a store
        with story.session() as session:
            session.store.transact(lambda tx: tx.save_contacts([refused_in_news(tx, number)]))
    outcome = story.sync()
    assert (outcome.code, outcome.left) == (0, [])
    assert failed(story) == (0, [])


def test_a_key_that_another_record_has_is_told_as_such(story: Story) -> None:
    story["crm"].put("101", company=None)
    story["crm"].put("103", email="eve@x.org")
    answered(story, always(Rejected(why="exists", message="409, CONFLICT")), done=False)
    assert failed(story)[0] == 1
    number = story.contact("crm", "103")
    said = story.ask(lambda tx: tx.contacts([number])[number].refused)
    assert [*said.values()] == ["409, CONFLICT: another record there has this key"]


def refused_in_news(tx: Tx, number: int) -> Contact:
    contact = tx.contacts([number])[number]
    contact.refused[tx.apps()["news"].id] = "409"
    return contact


def failed(story: Story) -> tuple[int, list[str | None]]:
    """Count and list who is refused by the newsletter."""
    with story.session() as session:
        rules, names = rules_of(session), ["crm", "news"]
        found = session.store.read(lambda tx: status(tx, names, rules, story.clock.now_ms))
        return found.apps[1].failed, [
            each.contact for each in session.store.read(lambda tx: [*listed(tx, "failed", names, rules)])
        ]


@pytest.mark.parametrize(
    "said", [Unknown(message="what?"), Applied(record=None), Rejected(why="busy")], ids=["unclear", "blank", "busy"]
)
def test_one_answer_says_nothing_of_the_next_one(story: Story, said: Result) -> None:
    """What was sent with it is written down as what it was answered."""
    crm, news = story["crm"], story["news"]
    crm.put(crm.id_of("bob@x.org"), company="Beta")
    with story.when("news", "get", raising(TransientError("away"))):
        outcome = answered(story, lambda _, results: [said, *results[1:]])
    assert outcome.doubt.get("news", (0,))[0] == (0 if isinstance(said, Rejected) else 1)
    writes = [
        line for line in story.journal(story.contact("crm", crm.id_of("bob@x.org"))) if line[:2] == ("write", "company")
    ]
    assert writes == [("write", "company", "Acme", "Beta")]
    assert story.settle().code == 0
    assert news.one("ann@x.org")["company"] == "Acme"


def test_each_of_several_who_are_put_away_at_once_is_gone_there(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, app_crm={"on_delete": "archive"})
    story["crm"].put("103", email="eve@x.org")
    story.settle()
    whose = [story.contact("crm", id_) for id_ in ("101", "103")]
    story["crm"].remove("101", "103")
    outcome = [
        outcome for outcome in (story.sync(approve=True) for _ in range(3)) if outcome.doc["apps"]["news"]["archived"]
    ]
    assert [(each.doc["apps"]["news"]["archived"], each.doubt) for each in outcome] == [(2, {})]
    for number in whose:
        assert "archive" in {line[0] for line in story.journal(number)}


def test_what_a_new_record_shows_of_its_own_is_in_the_next_new_record_already(tmp_path: Path) -> None:
    """The newsletter fills it in: the desk gets it with the record, not behind it."""
    news = ("memory", {"on_create": ["job_title=Reader"]})
    story = agreed(tmp_path, {"crm": "memory", "news": news, "desk": "memory"})
    story["crm"].put("103", email="eve@x.org")
    story.sync()
    desk = story["desk"]
    writes = [write for write in story.log("desk") if write.id == desk.id_of("eve@x.org")]
    assert [(write.kind, write.fields.get("job_title")) for write in writes] == [("create", "Reader")]


def test_a_write_without_an_answer_is_looked_up_in_the_same_run_where_there_is_more_to_do(story: Story) -> None:
    crm, news = story["crm"], story["news"]
    crm.put(crm.id_of("bob@x.org"), company="Beta")

    def half(_: Sequence[Write], results: list[Result]) -> list[Result]:
        news.put(news.id_of("bob@x.org"), job_title="Clerk")
        return [Unknown(message="what?"), Rejected(why="moved")]

    outcome = answered(story, half)
    assert (outcome.code, outcome.doubt) == (0, {})
    assert (company(story), crm.one("bob@x.org")["job_title"]) == ("Acme", "Clerk")
    assert [write.fields for write in story.log("news") if write.fields.get("company") == "Acme"] == [
        {"company": "Acme"}
    ]
