"""Writes without an answer: looked up before anything else is sent, adopted when they arrived, made again when they did not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.core.state import Entry, Sent
from syncd.engine import runs
from syncd.engine.decide import Outcome as Merging
from syncd.engine.decide import merge_contact, observed
from syncd.engine.setup import make_hub
from syncd.errors import TransientError
from syncd.store.tx import Tx
from tests.story import ANN, MINUTE, Story, agreed, given, raising, written

EVE = {"email": "eve@x.org", "first_name": "Eve"}
LOST = TransientError("the reply was lost")


def apart(folder: Path, **settings: Any) -> Story:
    """Ann and Bob are in both apps; the second one counts its ids itself, and shows a change at the second look."""
    return agreed(folder, {"crm": "memory", "news": ("memory", {"own_ids": True, "lag": 1, **settings})})


def lost(story: Story, app: str = "news") -> Any:
    """Run once; what is written into an app arrives there, and its answer gets lost."""
    with story.when(app, "write", raising(LOST), after=True):
        return story.sync()


def unsent(story: Story, app: str = "news") -> Any:
    """Run once; what is written into an app never arrives there."""
    with story.when(app, "write", raising(LOST)):
        return story.sync()


def test_a_record_whose_answer_got_lost_is_found_and_not_made_twice(tmp_path: Path) -> None:
    story = apart(tmp_path)
    story["crm"].put("103", **EVE)
    outcome = lost(story)
    assert (outcome.code, outcome.errors) == (3, {"news": "the reply was lost"})
    [(count, until_ms)] = outcome.doubt.values()
    assert (count, until_ms > story.clock.now_ms) == (1, True)
    with story.calls() as calls:
        outcome = story.sync()
    assert calls.count(("news", "find")) == 1
    assert (outcome.code, outcome.doubt) == (0, {})
    assert story.contact("news", story["news"].id_of("eve@x.org")) == story.contact("crm", "103")
    assert [write.kind for write in story.log("news") if write.fields.get("email") == "eve@x.org"] == ["create"]
    assert written(story.settle()) == 0


def test_a_record_that_never_arrived_is_made_again_once_it_cannot_arrive_any_more(tmp_path: Path) -> None:
    story = apart(tmp_path)
    story["crm"].put("103", **EVE)
    outcome = unsent(story)
    [(_, until_ms)] = outcome.doubt.values()
    story.clock.now_ms = until_ms - 2 * MINUTE
    outcome = story.sync()
    assert (outcome.code, len(story["news"].rows())) == (3, 2), "it may still arrive"
    assert outcome.doubt == {"news": (1, until_ms)}
    story.clock.now_ms = until_ms
    assert story.sync().code == 0
    assert story["news"].one("eve@x.org") == EVE


def test_of_two_records_that_it_may_be_none_is_taken(tmp_path: Path) -> None:
    story = apart(tmp_path)
    story["crm"].put("103", **EVE)
    lost(story)
    story["news"].put("by hand", **EVE)
    story.clock.now_ms += 24 * 60 * MINUTE
    with story.when("news", "read", raising(TransientError("down"))):
        outcome = story.sync()
    assert outcome.doubt["news"][0] == 1, "a person has to say which"
    assert [write.kind for write in story.log("news")].count("create") == 1 + 1  # Ann, and Eve once


@pytest.mark.parametrize("arrived", [True, False])
def test_a_record_with_an_id_of_ours_is_asked_for_by_it(tmp_path: Path, *, arrived: bool) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("103", **EVE)
    (lost if arrived else unsent)(story)
    with story.calls() as calls:
        outcome = story.sync()
    assert ("news", "find") not in calls
    assert (outcome.code, outcome.doubt) == (0, {}), "nobody has to wait"
    assert story["news"].one("eve@x.org") == EVE
    assert [write.fields["email"] for write in story.log("news") if write.kind == "create"] == [
        "ann@x.org",
        "eve@x.org",
    ]


@pytest.mark.parametrize(
    "meanwhile", [{}, {"job_title": "Clerk"}, {"company": "Typed"}], ids=["nothing", "another field", "the same"]
)
@pytest.mark.parametrize("how", [lost, unsent])
def test_an_update_without_an_answer_is_decided_by_what_the_record_shows(
    tmp_path: Path, how: Callable[[Story], Any], meanwhile: dict[str, str]
) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    id_ = story["news"].id_of("ann@x.org")
    story["crm"].put("101", company="Acme")
    outcome = how(story)
    assert outcome.doubt["news"][0] == 1
    story["news"].put(id_, **meanwhile)
    story.settle()
    number = story.contact("crm", "101")
    for row in story.everywhere("ann@x.org").values():
        assert row["company"] == "Acme", "nobody knows which came last, and the CRM comes first"
        assert row.get("job_title") == meanwhile.get("job_title")
    losers = [entry[2:] for entry in story.journal(number) if entry[:2] == ("lost", "company")]
    assert losers == ([("Typed", "Acme")] if "company" in meanwhile else []), "its own write is no edit"
    writes = [entry[2:] for entry in story.journal(number) if entry[:2] == ("write", "company")]
    assert writes == [(meanwhile.get("company"), "Acme")], "told once, by what was seen to be overwritten"
    again = "company" in meanwhile or how is unsent
    assert len([w for w in story.log("news") if "company" in w.fields and w.kind == "update"]) == (how is lost) + again


def test_an_update_of_a_record_that_is_gone_is_given_up(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    id_ = story["news"].id_of("ann@x.org")
    story["crm"].put("101", company="Acme")
    unsent(story)
    story["news"].remove(id_)
    outcome = story.sync()
    assert outcome.doubt == {}
    story.settle()
    assert "ann@x.org" not in {row["email"] for row in story["news"].rows().values()}
    assert story["crm"].one("ann@x.org")["company"] == "Acme"


@pytest.mark.parametrize("how", [lost, unsent])
def test_an_archive_without_an_answer_is_sent_again_only_where_the_record_is_still_there(
    tmp_path: Path, how: Callable[[Story], Any]
) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, app_crm={"on_delete": "archive"})
    ann = story.contact("crm", "101")
    story["crm"].remove("101")
    runs = (how(story) for _ in range(4))  # a removal is believed at the second look
    assert next(outcome.doubt for outcome in runs if outcome.doubt)["news"][0] == 1
    assert story.settle().doubt == {}
    assert [row["email"] for row in story["news"].rows().values()] == ["bob@x.org"]
    assert [write.kind for write in story.log("news")].count("archive") == 1
    kinds = [kind for kind, *_ in story.journal(ann)]
    assert (kinds.count("archive"), kinds.count("unlink")) == (1, 1), "put away by us, and removed in the crm only"


def test_where_nothing_is_in_doubt_nobody_is_asked(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    story.sync(approve=True)
    with story.calls() as calls:
        story.settle()
    assert {what for _, what in calls} <= {"open", "fingerprint", "read"}


def test_what_two_apps_made_of_writes_that_arrive_late_is_noted_of_both(tmp_path: Path) -> None:
    """Neither had them when it was asked, nothing was sent again, and then both show all that they can hold."""
    cutting = ("memory", {"truncate": ["company:4"]})
    story = agreed(tmp_path, {"crm": "memory", "news": cutting, "desk": cutting})
    number = story.contact("crm", "101")
    sent = {"company": "Acme Limited"}
    with story.session() as session:
        hub = make_hub(session.world, session.config, session.load)

        def late(tx: Tx) -> list[Entry]:
            [contact], links = tx.contacts([number]).values(), tx.links_of([number])[number]
            contact.golden |= sent
            for link in links[1:]:
                write = Sent(
                    app=link.app,
                    contact=number,
                    kind="update",
                    record=link.id,
                    fields=sent,
                    golden={},
                    version=None,
                    at_ms=0,
                )
                link.late = [write]
                observed(link, {**link.base, "company": "Acme"}, link.version, story.clock.now_ms)
            out = Merging(now_ms=story.clock.now_ms)
            merge_contact(contact, links, (), {}, hub, out)
            [(_, entries)] = out.journal
            return entries

        entries = session.store.transact(late)
        runs.close(hub)
    assert [(entry.kind, entry.app, entry.old, entry.new) for entry in entries] == [
        ("note", 2, "Acme Limited", "Acme"),
        ("note", 3, "Acme Limited", "Acme"),
    ]


def test_what_a_feed_tells_under_a_new_version_is_believed_without_another_question(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("101", company="Acme")
    with story.calls() as calls:
        story.sync()
    assert story["news"].one("ann@x.org")["company"] == "Acme"
    assert "get" not in {what for _, what in calls}
