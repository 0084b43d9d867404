"""Crashes (SYNC-MODEL 1.6): whatever the moment at which a run dies, the next runs come to the same end."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import AccessError, SyncdError, TransientError
from tests.crashes import Act, Crash, boundaries, dying, lost, picture
from tests.story import ANN, BOB, Story, agreed, given

KINDS: dict[str, Any] = {
    "memory": "memory",
    "memory that draws ids": ("memory", {"own_ids": True}),
    "memory without conditions": ("memory", {"cas": False, "gone": False, "truncate": ["company:4"]}),
    "csv": "csv",
    "sql": "sql",
    "sql that draws keys": ("sql", {"drawn": True}),
    "sql with stamps": ("sql", {"stamped": True}),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory, where there is such a thing: thousands of runs wait for a disk otherwise."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="syncd-crash-") as folder:
        yield Path(folder)


def first(folder: Path, kind: Any) -> Story:
    story = given(folder, {"news": kind, "crm": "memory", "desk": "csv"})
    story["crm"].put("1", **ANN, company="From the CRM")
    story["news"].put("11", email="Ann@x.org", company="Newest", job_title="Clerk", email_consent="opted_in")
    story["desk"].put("3", email="ann@x.org", city="Ely", email_consent="opted_out")
    story["news"].put("12", **BOB)
    story["desk"].put("4", email="zoe@x.org")
    return story


def creates(folder: Path, kind: Any) -> Story:
    story = agreed(folder, {"news": kind, "crm": "memory", "desk": "csv"})
    story["crm"].put("new", email="new@x.org", first_name="New", email_consent="opted_out")
    story["news"].put("77", email="late@x.org", company="Late Ltd")
    return story


def updates(folder: Path, kind: Any) -> Story:
    story = agreed(folder, {"news": kind, "crm": "memory", "desk": "csv"})
    news, crm, desk = (story[app] for app in ("news", "crm", "desk"))
    crm.put(crm.id_of("ann@x.org"), company="Side by side", last_name="Leigh")
    news.put(news.id_of("ann@x.org"), company="Other", job_title="Clerk")
    desk.put(desk.id_of("bob@x.org"), email="bob@new.org")
    return story


def consents(folder: Path, kind: Any) -> Story:
    story = agreed(folder, {"news": kind, "crm": "memory", "desk": "csv"})
    for app in story.apps.values():
        app.put(app.id_of("ann@x.org"), email_consent="opted_in")
    story["news"].put("88", email="ann@x.org", first_name="Twin", email_consent="opted_in")
    story.sync()
    story["desk"].put(story["desk"].id_of("ann@x.org"), email_consent="opted_out")
    story["crm"].put(story["crm"].id_of("bob@x.org"), email="ann2@x.org", email_consent="pending")
    return story


def deletions(folder: Path, kind: Any) -> Story:
    story = agreed(folder, {"news": kind, "crm": "memory", "desk": "csv"}, guards={"archives": 10})
    story.configure(app_desk={"on_delete": "archive"})
    story["news"].remove(story["news"].id_of("ann@x.org"))
    story["desk"].remove(story["desk"].id_of("bob@x.org"))
    return story


def sync(story: Story) -> None:
    story.sync(approve=True)


def sync_twice(story: Story) -> None:
    story.sync()
    story.sync()


def at_rest(story: Story) -> dict[str, Any]:
    """Let runs follow until nothing moves any more."""
    story.sync(approve=True)
    story.clock.now_ms += 600_000
    story.settle()
    return picture(story)


SCENES: dict[str, tuple[Any, Act]] = {
    "first sync": (first, sync),
    "creates": (creates, sync),
    "updates": (updates, sync),
    "consents": (consents, sync),
    "deletions": (deletions, sync_twice),
}


CHOSEN = {
    "first sync": ("memory that draws ids", "csv"),
    "creates": ("memory that draws ids", "memory without conditions", "csv", "sql that draws keys", "sql with stamps"),
    "updates": ("memory without conditions", "csv", "sql"),
    "consents": ("memory", "sql"),
    "deletions": ("csv", "sql with stamps"),
}


@pytest.mark.parametrize(("scene", "kind"), [(scene, kind) for scene, kinds in CHOSEN.items() for kind in kinds])
def test_a_crash_at_any_moment_changes_nothing_in_the_end(place: Path, scene: str, kind: str) -> None:
    begin, act = SCENES[scene]
    story = begin(place, KINDS[kind])
    back = story.saved()
    moments, changing = boundaries(story, act)
    end, kept = at_rest(story), lost(story)
    assert end["in doubt"] == 0
    assert len(changing) > 5

    for number in changing:
        back()
        with dying(story, number, Crash):
            act(story)
        assert at_rest(story) == end, f"crash after boundary {number}: {moments[number]}"
        assert lost(story) >= kept, f"crash after boundary {number}: {moments[number]}"


def test_the_moments_that_were_left_out_are_no_different(place: Path) -> None:
    story = first(place, "sql")
    back = story.saved()
    moments, changing = boundaries(story, sync)
    end = at_rest(story)
    for number in sorted({*range(len(moments))} - {*changing})[::6]:
        back()
        with dying(story, number, Crash):
            sync(story)
        assert at_rest(story) == end, f"crash at boundary {number}: {moments[number]}"


@pytest.mark.parametrize(
    ("scene", "kind", "error"),
    [("first sync", "memory that draws ids", TransientError), ("first sync", "sql that draws keys", AccessError),
     ("updates", "sql", TransientError), ("updates", "csv", AccessError), ("creates", "csv", TransientError),
     ("consents", "memory", TransientError), ("deletions", "sql with stamps", TransientError)],
)  # fmt: skip
def test_an_app_that_fails_at_any_call_changes_nothing_in_the_end(
    place: Path, scene: str, kind: str, error: type[SyncdError]
) -> None:
    begin, act = SCENES[scene]
    story = begin(place, KINDS[kind])
    back = story.saved()
    moments, _ = boundaries(story, act)
    end = at_rest(story)
    told = ("write", "get", "find")  # of these it makes a difference whether the question or the answer is lost
    calls = [
        n for n, moment in enumerate(moments) if moment.kind == "call" and (moment.what in told or not moment.after)
    ]
    for number in calls:
        back()
        with dying(story, number, lambda: error("no answer")):
            act(story)
        assert at_rest(story) == end, f"error at boundary {number}: {moments[number]}"


@pytest.mark.parametrize("scene", SCENES)
def test_a_second_crash_while_picking_up_the_pieces(place: Path, scene: str) -> None:
    chance = random.Random(scene)
    begin, act = SCENES[scene]
    story = begin(place, chance.choice([KINDS["memory that draws ids"], KINDS["sql"], KINDS["csv"]]))
    back = story.saved()
    moments, changing = boundaries(story, act)
    end = at_rest(story)
    for _ in range(10):
        one, two, three = chance.choice(changing), chance.randrange(len(moments)), chance.randrange(len(moments))
        back()
        for number in (one, two, three):
            with dying(story, number, Crash):
                act(story)
        assert at_rest(story) == end, f"crashes at {one}, {two}, {three}"


@pytest.mark.parametrize(("begun", "kind"), [(first, "csv"), (updates, "memory"), (updates, "sql"), (creates, "sql")])
def test_a_crash_in_an_undo_leaves_an_undo_that_can_be_finished(place: Path, begun: Any, kind: str) -> None:
    story = begun(place, kind)
    run = story.sync(approve=True).doc["run"]
    done, back = at_rest(story), story.saved()

    def undo(story: Story) -> None:
        story.undo(run=run)

    moments, changing = boundaries(story, undo)
    undone = at_rest(story)
    assert undone != done or begun is creates
    for number in changing:
        back()
        with dying(story, number, Crash):
            undo(story)
        undo(story)
        assert at_rest(story) == undone, f"crash after boundary {number}: {moments[number]}"


@pytest.mark.parametrize("kind", ["memory that draws ids", "sql"])
def test_a_crash_while_a_plan_is_applied(place: Path, kind: str) -> None:
    story = updates(place, KINDS[kind])
    planned = story.plan().doc
    back = story.saved()

    def apply(story: Story) -> None:
        story.apply(planned)

    moments, changing = boundaries(story, apply)
    end = at_rest(story)
    for number in changing:
        back()
        with dying(story, number, Crash):
            apply(story)
        assert at_rest(story) == end, f"crash after boundary {number}: {moments[number]}"
