"""Resyncs that are limited to fields, contacts or a direction: what was not chosen is neither written nor forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import TransientError
from tests.story import ANN, BOB, Moment, agreed, given, held, raising, written


def test_a_resync_of_some_fields_swallows_nothing(tmp_path: Path) -> None:
    for kind in ("memory", "csv", "sql", ("sql", {"stamped": True})):
        story = agreed(tmp_path / str(kind), {"shop": kind, "crm": "memory"})
        shop = story["shop"]
        shop.put(shop.id_of("ann@x.org"), company="Chosen", job_title="Not chosen", email_consent="opted_out")
        shop.put("new", email="new@x.org", company="New")

        outcome = story.resync(fields=["company"])

        assert outcome.doc["apps"]["crm"]["updated"] == 1
        assert story["crm"].one("ann@x.org") == ANN | {"company": "Chosen", "phone": "+491712345678"}
        assert len(story["crm"].rows()) == 2
        assert story.settle().code == 0
        fields = story["crm"].one("ann@x.org")
        assert (fields["job_title"], fields["email_consent"]) == ("Not chosen", "opted_out")
        assert story["crm"].one("new@x.org")["company"] == "New"
        assert len(story["crm"].rows()) == len(shop.rows()) == 3


def test_a_resync_of_some_fields_matches_and_creates_nobody(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["books"].put("b9", email="zoe@x.org", last_name="Zack")
    story["desk"].put("d9", email="zoe@x.org", company="Zoo")

    assert written(story.resync(fields=["company"])) == 0
    assert story.settle().code == 0
    for app in story.apps.values():
        assert len(app.rows()) == 3
        assert app.one("zoe@x.org") == {"email": "zoe@x.org", "last_name": "Zack", "company": "Zoo"}


def test_a_resync_of_some_fields_forgets_no_plan(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="One", job_title="Two", email_consent="opted_out")
    story["crm"].put("new", email="new@x.org")
    with story.when("books", "read", raising(TransientError("down"))):
        story.sync()

    story.resync(fields=["company"])
    assert story["books"].one("ann@x.org") == ANN | {"phone": "+491712345678", "company": "One"}

    assert story.settle().code == 0
    fields = story["books"].one("ann@x.org")
    assert (fields["job_title"], fields["email_consent"]) == ("Two", "opted_out")
    assert len(story["books"].rows()) == 3


def test_a_resync_of_a_group_or_one_of_its_fields_takes_all_of_it(tmp_path: Path) -> None:
    for chosen in ("address", "city"):
        story = agreed(tmp_path / chosen)
        story["crm"].put(story["crm"].id_of("ann@x.org"), street="High Street 1", city="Ely", company="Not now")
        story.resync(fields=[chosen])
        fields = story["desk"].one("ann@x.org")
        assert (fields["street"], fields["city"], fields.get("company")) == ("High Street 1", "Ely", None)
        assert story.settle().code == 0
        assert story["desk"].one("ann@x.org")["company"] == "Not now"


def test_no_limit_of_a_resync_takes_the_say_of_an_owner(tmp_path: Path) -> None:
    story = agreed(tmp_path, fields={"job_title": {"policy": {"owner": "books"}}})
    story["books"].put(story["books"].id_of("ann@x.org"), job_title="Owned")
    story.sync()
    story["desk"].put(story["desk"].id_of("ann@x.org"), job_title="Drift")
    for chosen in ({"apps": ["books"], "fields": ["company"]}, {"apps": ["books"], "direction": "push"}):
        story.resync(**chosen)
        assert story["books"].one("ann@x.org")["job_title"] == "Owned"
    story.settle()
    assert {fields["job_title"] for fields in story.everywhere("ann@x.org").values()} == {"Owned"}


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_no_direction_overrules_an_opt_out(tmp_path: Path, direction: str) -> None:
    story = agreed(tmp_path)
    for app in story.apps.values():
        app.put(app.id_of("ann@x.org"), email_consent="opted_in")
    story.sync()
    story["books"].put(story["books"].id_of("ann@x.org"), email_consent="opted_out")

    story.resync(apps=["books"], direction=direction)
    assert story["books"].one("ann@x.org")["email_consent"] == "opted_out"
    story.settle()
    assert {fields["email_consent"] for fields in story.everywhere("ann@x.org").values()} == {"opted_out"}


def test_a_resync_of_some_contacts_asks_for_these_only(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    for app in ("crm", "desk"):
        for email in ("ann@x.org", "bob@x.org"):
            story[app].put(story[app].id_of(email), **{"job_title" if app == "crm" else "company": f"{email} in {app}"})

    ann, looks = story.contact("crm", story["crm"].id_of("ann@x.org")), list[Moment]()
    story.hooks.append(looks.append)
    with story.calls() as calls:
        outcome = story.resync(contacts=[ann])
    story.hooks.clear()

    assert "read" not in {what for _, what in calls}
    assert sorted(app for app, what in calls if what == "get") == ["books", "crm", "desk"]
    assert looks.count(Moment("transact", "", "records", after=False)) == 3, "once for each app"
    assert {counts["read"] for counts in outcome.doc["apps"].values()} == {1}
    for fields in story.everywhere("ann@x.org").values():
        assert (fields["job_title"], fields["company"]) == ("ann@x.org in crm", "ann@x.org in desk")
    assert "job_title" not in story["books"].one("bob@x.org")
    with story.calls() as calls:
        story.resync(contacts=[ann, story.contact("desk", story["desk"].id_of("bob@x.org"))])
    assert sorted(app for app, what in calls if what == "get") == ["books", "crm", "desk"], "once for both"
    assert story.settle().code == 0
    for fields in story.everywhere("bob@x.org").values():
        assert (fields["job_title"], fields["company"]) == ("bob@x.org in crm", "bob@x.org in desk")


def test_a_pull_only_resync_writes_nothing_into_the_app(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    books, crm = story["books"], story["crm"]
    books.put(books.id_of("ann@x.org"), company="From books")
    crm.put(crm.id_of("ann@x.org"), job_title="From the CRM")

    outcome = story.resync(apps=["books"], direction="pull")

    assert outcome.doc["apps"]["books"]["updated"] == 0
    assert crm.one("ann@x.org")["company"] == "From books"
    assert "job_title" not in books.one("ann@x.org")
    assert story.settle().code == 0
    assert {fields["job_title"] for fields in story.everywhere("ann@x.org").values()} == {"From the CRM"}


def test_a_push_only_resync_lets_the_contacts_win(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    books = story["books"]
    books.put(books.id_of("bob@x.org"), company="Typed in books")

    outcome = story.resync(apps=["books"], direction="push")

    assert outcome.code == 0
    assert {fields["company"] for fields in story.everywhere("bob@x.org").values()} == {"Acme"}
    contact = story.contact("books", books.id_of("bob@x.org"))
    assert any("Typed in books" in (old, new) for _, field, old, new in story.journal(contact) if field == "company")
    assert written(story.sync()) == 0


@pytest.mark.parametrize("chosen", [{}, {"apps": ["crm"]}, {"direction": "push"}, {"fields": ["company"]}])
def test_the_first_resync_of_filled_apps_is_a_preview_as_the_first_sync_is(
    tmp_path: Path, chosen: dict[str, Any]
) -> None:
    """It wrote into every app what nobody had looked at, and the sync after it asked for the approval."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    story["news"].put("2", **BOB)
    before = story.holds()
    outcome = story.resync(**chosen)
    assert (outcome.code, held(outcome)) == (4, {("crm", "creates"), ("news", "creates")})
    assert story.holds() == before
    story.approve(outcome.doc["run"])
    assert written(story.sync()) == 2
    assert story.settle().code == 0


def test_a_first_resync_that_is_approved_covers_the_first_look(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    story["news"].put("2", **BOB)
    assert written(story.resync(approve=True)) == 2
    assert story.sync().code == 0


def test_who_has_no_say_by_its_direction_is_not_said_to_have_lost_to_a_push(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.configure(app_books={"fields": {"company": {"path": "company", "direction": "out"}}})
    story.settle()
    story["books"].put(story["books"].id_of("bob@x.org"), company="Typed")
    story.resync(apps=["books"])
    number = story.contact("books", story["books"].id_of("bob@x.org"))
    lost = [e for e in story.ask(lambda tx: tx.journal_entries([number], None, None))[number] if e.kind == "lost"]
    assert [(entry.old, entry.reason) for entry in lost] == [("Typed", "syncd only writes this field there")]


@pytest.mark.parametrize("who", ["ann@x.org", "bob@x.org"])
def test_a_resync_of_one_person_leaves_alone_what_waits_for_another(tmp_path: Path, who: str) -> None:
    """Whoever of the two comes first in the plan."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    crm, news = story["crm"], story["news"]
    for email in ("ann@x.org", "bob@x.org"):
        crm.put(crm.id_of(email), job_title="Clerk")
    with story.when("news", "read", raising(TransientError("down"))):
        story.sync()
    story.resync(contacts=[story.contact("crm", crm.id_of(who))])
    assert [row["email"] for row in news.rows().values() if row.get("job_title")] == [who]
    story.settle()
    assert [row.get("job_title") for row in news.rows().values()] == ["Clerk", "Clerk"]


def given_back(folder: Path, news: Any = "memory") -> Any:
    """What an owner had set back in `news`, and an undo gave back to it."""
    story = agreed(folder, {"crm": "memory", "news": news}, fields={"company": {"policy": {"owner": "crm"}}})
    crm = story["crm"].id_of("bob@x.org")
    story["crm"].put(crm, company="Acme")
    story.settle()
    story["news"].put(story["news"].id_of("bob@x.org"), company="Drift")
    run = story.sync().doc["run"]
    story.undo(run=run)
    assert story.settle().code == 0
    assert (story["crm"].one("bob@x.org")["company"], story["news"].one("bob@x.org")["company"]) == ("Acme", "Drift")
    return story


@pytest.mark.parametrize("how", ["contact", "app", "field", "all"])
def test_what_an_undo_gave_back_gives_way_to_what_the_contact_holds_where_that_is_pushed(
    tmp_path: Path, how: str
) -> None:
    story = given_back(tmp_path)
    bob = story.contact("crm", story["crm"].id_of("bob@x.org"))
    chosen: dict[str, Any] = {
        "contact": {"contacts": [bob]}, "app": {"apps": ["news"]}, "field": {"fields": ["company"]}, "all": {},
    }[how]  # fmt: skip
    assert written(story.resync(**chosen)) == 0, "what was given back is left alone"
    assert written(story.resync(apps=["crm"], direction="push")) == 0, "in another app"
    assert written(story.resync(direction="pull")) == 0
    outcome = story.resync(**chosen, direction="push")
    assert outcome.doc["apps"]["news"]["updated"] == written(outcome) == 1
    assert story["news"].one("bob@x.org")["company"] == story["crm"].one("bob@x.org")["company"] == "Acme"
    assert written(story.sync()) == 0
    story["news"].put(story["news"].id_of("bob@x.org"), company="Drift")
    assert written(story.sync()) == 1, "it is no longer its own"
    assert story["news"].one("bob@x.org")["company"] == "Acme"


def test_a_spelling_of_the_app_itself_is_not_pushed_against(tmp_path: Path) -> None:
    shouts = ("memory", {"upper": ["company"]})
    story = agreed(tmp_path, {"crm": "memory", "news": shouts})
    story["crm"].put(story["crm"].id_of("bob@x.org"), company="Other")
    story.settle()
    assert story["news"].one("bob@x.org")["company"] == "OTHER"
    for chosen in ({}, {"apps": ["news"]}, {"fields": ["company"]}):
        assert written(story.resync(direction="push", **chosen)) == 0


def test_what_is_pushed_to_an_app_out_of_reach_is_left_as_it_was(tmp_path: Path) -> None:
    story = given_back(tmp_path)
    with story.when("news", "write", raising(TransientError("down"))):
        story.resync(direction="push")
    story.settle()
    assert story["news"].one("bob@x.org")["company"] == "Drift"
