"""Webhooks are hints: what they name is fetched fresh, once, and nothing is lost wherever a run dies; misses are counted.

The webhook itself is what it leaves behind: a row in the store (tests/test_hooks.py sends real ones).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.engine import passes
from syncd.engine.finish import finish
from syncd.engine.setup import make_hub
from syncd.errors import TransientError
from syncd.store.hints import HINTS_MAX, HookState
from tests.crash.lab import in_memory
from tests.crashes import Crash, boundaries, dying, first_boundary, picture
from tests.story import ANN, BOB, MINUTE, Story, agreed, raising

LATE_MS = 600_000
APPS = {"crm": "memory", "news": "memory"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    folder = in_memory(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def story(place: Path) -> Story:
    return agreed(place, APPS, app_crm={"hooks": True})


def hook(story: Story, *ids: str, due_ms: int = 0) -> None:
    """Leave what a webhook of the CRM leaves."""
    due_ms = due_ms or story.clock.now_ms
    story.ask(lambda tx: tx.hear(1, ids, story.clock.now_ms, due_ms))


def woken(story: Story) -> Any:
    """Run a pass that follows the hints of the CRM, as the daemon does when a webhook wakes it; give the CRM in it."""
    story.clock.now_ms += 10
    with story.session() as session:
        hub = make_hub(session.world, session.config, session.load)
        hub.run = session.world.transact("run", lambda tx: tx.begin_run("sync", session.world.now_ms()))
        chosen = list(hub.apps.values())  # the newsletter is polled, the CRM is not
        passes.read_all(hub, chosen, hinted={"crm"})
        passes.settle_down(hub, chosen)
        finish(hub)
        return hub.apps[1]


def bob(story: Story) -> str:
    return story["crm"].id_of(BOB["email"])


def waiting(story: Story) -> list[str]:
    return [hint.id for hint in story.ask(lambda tx: tx.hints(1, 10_000))]


def state(story: Story) -> HookState:
    return story.ask(lambda tx: tx.hooks()[1])


def test_what_is_named_is_fetched_by_its_id_and_travels(story: Story) -> None:
    story["crm"].put("101", company="Acme")
    story["crm"].put(bob(story), company="Nobody told of this")
    hook(story, "101")
    with story.calls() as calls:
        woken(story)
    assert [what for app, what in calls if app == "crm" and what in ("read", "get", "write")] == ["get"]
    assert story["news"].one(ANN["email"])["company"] == "Acme"
    assert story["news"].one(BOB["email"])["company"] == "Acme"  # as it was
    assert waiting(story) == []


def test_a_storm_about_one_record_is_one_question(story: Story) -> None:
    """BEHAVIOURS 65 and 19: copies, out of order; what the app says now is what counts."""
    for company in ("First", "Third", "Second"):
        story["crm"].put("101", company=company)
        hook(story, "101")
    with story.calls() as calls:
        woken(story)
    assert calls.count(("crm", "get")) == 1
    assert story["news"].one(ANN["email"])["company"] == "Second"
    assert state(story).seen == 3


def test_somebody_new_is_created_and_an_unknown_id_is_nothing(story: Story) -> None:
    story["crm"].put("103", email="cyd@x.org", first_name="Cyd")
    hook(story, "103", "4711")
    with story.calls() as calls:
        crm = woken(story)
    assert (calls.count(("crm", "get")), crm.counts["read"]) == (1, 1), "both are asked for at once; one is there"
    assert story["news"].one("cyd@x.org")["first_name"] == "Cyd"
    assert waiting(story) == []
    assert len(story["news"].rows()) == 3


def test_a_removal_is_asked_for_twice_and_guarded_as_ever(story: Story) -> None:
    story["crm"].remove("101")
    hook(story, "101")
    with story.calls() as calls:
        crm = woken(story)
    assert [what for app, what in calls if app == "crm" and what == "get"] == ["get", "get"]
    assert crm.counts["unlinked"] == 1
    assert story["news"].one(ANN["email"])


def test_our_own_write_comes_back_as_a_hint_and_ends_there(story: Story) -> None:
    """BEHAVIOURS 1."""
    story["news"].put(story["news"].id_of(ANN["email"]), company="Acme")
    story.sync()
    written = len(story.log("crm")) + len(story.log("news"))
    hook(story, "101")
    woken(story)
    assert len(story.log("crm")) + len(story.log("news")) == written
    assert waiting(story) == []


def test_a_hint_that_comes_again_while_it_is_followed_stays(story: Story) -> None:
    story["crm"].put("101", company="Before")
    hook(story, "101")

    def edited() -> None:
        story["crm"].put("101", company="After")
        with story.session() as session:
            session.store.transact(lambda tx: tx.hear(1, ["101"], story.clock.now_ms, 0))

    with story.when("crm", "get", edited, after=True):
        woken(story)
    assert waiting(story) == ["101"]
    woken(story)
    assert waiting(story) == []
    assert story["news"].one(ANN["email"])["company"] == "After"


def test_hints_outlive_an_app_that_is_away_paused_or_not_listed_yet(story: Story) -> None:
    hook(story, "101")
    with story.when("crm", "get", raising(TransientError("crm: no answer"))):
        woken(story)
    assert waiting(story) == ["101"]
    story.pause("crm")
    woken(story)
    assert waiting(story) == ["101"]
    story.pause("crm", paused=False)
    story.ask(lambda tx: tx.save_app(1, covered=0))
    with story.calls() as calls:
        woken(story)
    assert ("crm", "get") not in calls
    story.sync()  # a run of its own reads and follows
    assert waiting(story) == []


def test_without_ids_the_app_is_read_when_the_change_can_be_seen(story: Story) -> None:
    story["crm"].put("101", company="Acme")
    hook(story, due_ms=story.clock.now_ms + 1000)
    with story.calls() as calls:
        crm = woken(story)
    assert ("crm", "read") not in calls
    assert crm.hint_ms is not None
    story.clock.now_ms = crm.hint_ms
    assert woken(story).hint_ms is None
    assert story["news"].one(ANN["email"])["company"] == "Acme"
    assert waiting(story) == []
    hook(story, due_ms=story.clock.now_ms)  # due at once, but a change of just now may not be visible yet: read again
    first = woken(story)
    assert first.hint_ms is not None
    assert waiting(story) == [""]


def test_too_many_hints_become_one(story: Story) -> None:
    for n in range(HINTS_MAX + 1):
        story["crm"].put(f"n{n}", email=f"n{n}@x.org")
    hook(story, *(f"n{n}" for n in range(HINTS_MAX + 1)))
    assert waiting(story) == [""]
    with story.calls() as calls:
        woken(story)
    assert calls.count(("crm", "get")) == 0
    assert ("crm", "read") in calls


def test_changes_that_no_webhook_named_are_counted_when_it_is_too_late(story: Story) -> None:
    """BEHAVIOURS 51."""
    for record in ("101", bob(story)):
        story["crm"].put(record, city="Ely")
    hook(story, bob(story))
    story.sync()
    story["crm"].put("101", city="York")
    story.sync()
    assert state(story) == HookState(state(story).last_ms, 1, 0, 0)
    story.clock.now_ms += LATE_MS
    story.sync()
    assert state(story)[1:] == (1, 1, 1)
    hook(story, "101")
    assert state(story)[1:] == (2, 1, 0)  # it is not silent any more


@pytest.mark.parametrize("named", [("101",), ()])
def test_a_webhook_that_is_late_is_no_miss(story: Story, named: tuple[str, ...]) -> None:
    story["crm"].put("101", city="Ely")
    story.sync()
    hook(story, *named)
    story.clock.now_ms += LATE_MS
    story.sync()
    story.clock.now_ms += LATE_MS
    story.sync()
    assert state(story).missed == 0


def test_what_another_account_holds_from_its_beginning_is_no_miss(story: Story) -> None:
    story.ask(lambda tx: tx.save_app(1, fingerprint="memory:elsewhere"))
    hook(story, bob(story))
    held = story.sync()
    story["crm"].put("101", city="Ely")
    story.approve(held.doc["run"])
    assert story.sync().code == 0
    story.clock.now_ms += LATE_MS
    story.sync()
    assert state(story).missed == 0


def test_an_app_without_webhooks_misses_none(place: Path) -> None:
    story = agreed(place, APPS)
    story["crm"].put("101", city="Ely")
    story.sync()
    story.clock.now_ms += LATE_MS
    story.sync()
    assert story.ask(lambda tx: tx.hooks()) == {}


def everything(story: Story) -> None:
    woken(story)


def vaguely(story: Story) -> None:
    story.clock.now_ms += 2 * MINUTE
    woken(story)


@pytest.mark.parametrize(("named", "act"), [(True, everything), (False, vaguely)])
def test_a_crash_at_any_moment_loses_no_hint(place: Path, named: bool, act: Callable[[Story], None]) -> None:
    story = agreed(place, APPS, app_crm={"hooks": True})
    story["crm"].put("101", company="Acme", email_consent="opted_out")
    ids = ("101", bob(story), "103", "104") if named else ()
    story["crm"].remove(bob(story))
    story["crm"].put("103", email="cyd@x.org", first_name="Cyd")
    hook(story, *ids, due_ms=story.clock.now_ms)
    back = story.saved()
    moments, changing = boundaries(story, act)
    for _ in range(3):
        act(story)
    end = picture(story)
    assert {moment.what for moment in moments} >= ({"hints", "hinted"} if ids else {"hints", "followed"})
    assert len(changing) > 5
    for number in changing:
        back()
        with dying(story, number, Crash):
            act(story)
        for _ in range(3):
            act(story)  # no poll: what webhooks named must be enough
        assert picture(story) == end, f"crash after boundary {number}: {moments[number]}"
        assert waiting(story) == []


def test_an_opt_out_is_heard_although_what_a_webhook_named_takes_its_place(story: Story) -> None:
    """Read and not matched, syncd dies; typed over before a webhook lets it be fetched again."""
    story["crm"].put("77", email="eva@x.org", email_consent="opted_out")
    with dying(story, first_boundary(story, "match"), Crash):
        story.sync()
    story["crm"].put("77", email_consent="opted_in")
    hook(story, "77")
    woken(story)
    story.settle()
    assert {fields["email_consent"] for fields in story.everywhere("eva@x.org").values()} == {"opted_out"}


def test_a_hint_without_an_id_stays_until_the_app_was_read(story: Story) -> None:
    story["crm"].put("101", company="Acme")
    hook(story)
    story.clock.now_ms += MINUTE
    with story.when("crm", "read", raising(TransientError("crm: no answer"))):
        woken(story)
    assert waiting(story) == [""]
    woken(story)
    assert waiting(story) == []
    assert story["news"].one(ANN["email"])["company"] == "Acme"
