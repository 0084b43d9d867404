"""Fields that an app does not show for a while: they hold up nothing but themselves, and no run calls that in sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import Story, agreed
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
