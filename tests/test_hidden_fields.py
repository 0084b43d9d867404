"""Fields that an app does not show for a while: they hold up nothing but themselves, and no run calls that in sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.connector import App
from syncd.engine import runs
from syncd.engine.passes import CATCH_UP_MIN
from syncd.model import Result, Unknown, Write
from tests.story import MINUTE, Story, agreed
from tests.story_apps import MemoryKept


@pytest.fixture(name="hidden")
def hide(tmp_path: Path) -> tuple[Story, set[str]]:
    """Begin a story with an app that does not show the fields of this set."""
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"cas": False})})
    news = story["news"]
    assert isinstance(news, MemoryKept)
    return story, news.store.hidden


def test_a_hidden_field_is_left_out_and_the_others_are_written(hidden: tuple[Story, set[str]]) -> None:
    """Seed 542: it counted as changed, eight looks a run came to nothing, and the run said `in_sync`."""
    story, names = hidden
    names.add("company")
    story["crm"].put("101", first_name="Anna", company="Lee & Co")
    outcome = story.sync()
    assert story["news"].one("ann@x.org")["first_name"] == "Anna"
    assert "company" not in story["news"].one("ann@x.org")
    assert outcome.code == 3
    assert story.sync().doc["outcome"] == "partial"
    names.clear()
    story.resync()
    assert story["news"].one("ann@x.org")["company"] == "Lee & Co"
    assert story.sync().code == 0


def test_a_field_that_the_answer_does_not_show_is_in_doubt(hidden: tuple[Story, set[str]]) -> None:
    """Seed 2018: it counted as settled, and its spelling was taken for an edit when it was shown again."""
    story, names = hidden
    story["crm"].put("101", first_name="Anna", company="Lee & Co")
    with story.when("news", "write", lambda: names.add("company")):
        assert story.sync().code == 3
    assert story["news"].one("ann@x.org")["company"] == "Lee & Co"
    names.clear()
    story["news"].put(story["news"].id_of("ann@x.org"), company="LEE & CO")  # its spelling
    story.sync()
    assert story["crm"].one("ann@x.org")["company"] == "Lee & Co"
    assert story.sync().code == 0


def test_what_was_read_while_somebody_typed_is_not_lost_when_it_is_hidden(tmp_path: Path) -> None:
    """It waited for a quiet moment; the next reading, without it, took its place."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, settle="10m")
    news = story["news"]
    assert isinstance(news, MemoryKept)
    id_ = news.id_of("ann@x.org")
    news.put(id_, company="Lee & Co")
    story.sync()
    assert "company" not in story["crm"].one("ann@x.org")
    news.store.hidden.add("company")
    news.put(id_, first_name="Anna")
    story.sync()
    story.clock.now_ms += 10 * MINUTE
    story.settle()
    held = story["crm"].one("ann@x.org")
    assert (held["company"], held["first_name"]) == ("Lee & Co", "Anna")


def test_who_is_still_being_typed_holds_up_nobody_else(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, settle="10m")
    crm, news = story["crm"], story["news"]
    crm.put(crm.id_of("bob@x.org"), company="Settled")
    story.sync()
    story.clock.now_ms += 10 * MINUTE
    crm.put(crm.id_of("ann@x.org"), company="Typ")
    story.sync()
    assert news.one("bob@x.org")["company"] == "Settled"
    assert "company" not in news.one("ann@x.org")


class Passing:
    """An app that can tell the cursor behind our own writes. `unclear`: its last answer says nothing."""

    def __init__(self, app: App, *, unclear: bool = False) -> None:
        self.app, self.unclear = app, unclear

    def write(self, writes: Sequence[Write]) -> list[Result]:
        results = self.app.write(writes)
        return [*results[:-1], Unknown(message="what?")] if self.unclear else results

    def passed(self, cursor: str) -> str:
        return f"{cursor} passed"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


@pytest.mark.parametrize(
    ("names", "unclear"), [([], False), (["company"], False), ([], True)], ids=["shown", "hidden", "in doubt"]
)
def test_no_cursor_goes_behind_what_was_left_out_of_a_write(tmp_path: Path, names: list[str], unclear: bool) -> None:
    """It is looked at in full when it is read again: so it has to be read. So does what may still arrive."""
    columns = ("email", "first_name", "company")
    apps: dict[str, tuple[str, dict[str, Any]]] = {
        "crm": ("memory", {"columns": columns}),
        "news": ("memory", {"columns": columns, "cas": False, "batch": 2 * CATCH_UP_MIN}),
    }
    story = agreed(tmp_path, apps, guards={"updates": "max(1000, 100%)"})
    for number in range(CATCH_UP_MIN):
        story["crm"].put(f"{number}", email=f"p{number}@x.org")
    story.sync(approve=True)
    story.settle()
    assert isinstance(story["news"], MemoryKept)
    story["news"].store.hidden.update(names)
    for number in range(CATCH_UP_MIN):
        story["crm"].put(f"{number}", first_name="Ann")
    story["crm"].put("101", first_name="Anna", company="Lee & Co")
    with story.session() as session:

        def load(app: Any) -> Any:
            real = session.load(app)
            return replace(real, open=lambda opening: Passing(real.open(opening), unclear=unclear))

        runs.sync(replace(session, load=load))
    passed = story.ask(lambda tx: str(tx.apps()["news"].cursor)).endswith("passed")
    assert passed is not (bool(names) or unclear)
