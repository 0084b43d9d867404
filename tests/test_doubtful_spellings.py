"""An app's spelling of our own value is no edit, whatever became of the record in which syncd was to see it (NO-ECHO).

`news` writes first names in capitals; it is the first of the apps, so that its word counts where nobody knows who was later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.crashes import Crash, dying, first_boundary
from tests.story import Story, agreed
from tests.story_apps import Kept

BOB = "bob@x.org"
SHOUTS = ("memory", {"upper": ["first_name"]})


def unheard(folder: Path, **sections: Any) -> tuple[Story, Kept, str]:
    """Let syncd write Robert into `news`, and die before it is told what the app made of it."""
    story = agreed(folder, {"news": SHOUTS, "crm": "memory"}, **sections)
    crm, news = story["crm"], story["news"]
    bob = news.id_of(BOB)
    crm.put(crm.id_of(BOB), first_name="Robert")
    with dying(story, first_boundary(story, "result"), Crash):
        story.sync()
    assert news.rows()[bob]["first_name"] == "ROBERT"
    return story, news, bob


def nothing_spread(story: Story) -> None:
    story.settle()
    assert story["crm"].one(BOB)["first_name"] == "Robert"
    assert story["news"].one(BOB)["first_name"] == "ROBERT"
    assert story.contact("crm", story["crm"].id_of(BOB)) == story.contact("news", story["news"].id_of(BOB))


def test_a_record_that_was_out_of_sight_when_it_was_looked_up(tmp_path: Path) -> None:
    """Seed 97353: the write was forgotten, and the record shown again an hour later."""
    story, news, bob = unheard(tmp_path, guards={"unlinks": 0})
    held = news.rows()[bob]
    news.remove(bob)
    assert story.sync().code == 4
    story.clock.now_ms += 3_600_000
    news.put(bob, **held)
    nothing_spread(story)


def test_a_record_that_was_believed_gone(tmp_path: Path) -> None:
    """Beside seed 97353: nobody knew any more what had been written into it when it came back."""
    story, news, bob = unheard(tmp_path)
    held = news.rows()[bob]
    news.remove(bob)
    for _ in range(3):
        story.sync(approve=True)
    assert not story.contact("news", bob)
    news.put(bob, **held, phone="+493012345")
    nothing_spread(story)
    assert story["crm"].one(BOB)["phone"] == "+493012345"


def test_a_record_that_was_merged_into_another_one(tmp_path: Path) -> None:
    """Seed 94290: the other one copied the capitals."""
    story, news, bob = unheard(tmp_path)
    held = news.rows()[bob]
    news.remove(bob)
    news.put("third", **held)
    nothing_spread(story)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "a run later"])
def test_a_record_of_which_the_end_is_told_first(tmp_path: Path, *, late: bool) -> None:
    """Seed 47225: merged into a third one, which turned up a run later. The same where nobody knew what the app had made of it."""
    story, news, bob = unheard(tmp_path)
    if not late:
        story.settle()
    held = news.rows()[bob]
    news.remove(bob)
    for _ in range(3):
        story.sync(approve=True)
    assert not story.contact("news", bob)
    news.put("third", **held)
    nothing_spread(story)


def test_who_is_added_again_says_what_is_new_and_consents_anew(tmp_path: Path) -> None:
    """What the record before it showed as well has been agreed on: it is older than what was typed elsewhere since."""
    story, news, bob = unheard(tmp_path)
    story.settle()
    news.put(bob, email_consent="opted_out")
    story.settle()
    held = news.rows()[bob]
    news.remove(bob)
    for _ in range(3):
        story.sync(approve=True)
    crm = story["crm"]
    crm.put(crm.id_of(BOB), first_name="Bo")
    story.settle()
    news.put("third", **{**held, "phone": "+493012345"})
    story.settle()
    assert (crm.one(BOB)["first_name"], news.one(BOB)["first_name"]) == ("Bo", "BO")
    assert crm.one(BOB)["phone"] == "+493012345"
    assert crm.one(BOB)["email_consent"] == "opted_out"
