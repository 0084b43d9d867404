"""What hostile readers found, each as they told it: edits that nobody saw, listings that were believed, looks that were
skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import ANN, Story, agreed, given, held, written


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
