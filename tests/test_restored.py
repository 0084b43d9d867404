"""An app goes back in time (SYNC-MODEL 1.14, ROLLBACK-DETECTED): it was restored from a backup, and syncd knows it as it was later.

`desk` has no versions that are in order (CSV), `crm` has some; both are treated alike.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.engine.hub import PAGE
from syncd.errors import TransientError
from tests.hubs import Hub, person
from tests.story import Story, given, held, raising, written

PEOPLE = 30
LOOSE = {"updates": "max(1000, 100%)"}


def crowd(folder: Path, *, versions: bool, **sections: object) -> Story:
    """Thirty people in two apps; `desk` is the one that will go back."""
    story = given(folder, {"desk": "memory" if versions else "csv", "crm": "memory"}, **sections)
    for number in range(PEOPLE):
        story["desk"].put(str(number), email=f"p{number}@x.org", first_name="Ann", last_name=f"Old{number}")
    assert story.sync(approve=True).code == 0
    assert story.settle().code == 0
    return story


def live_on(story: Story, many: int = 20) -> None:
    """Let people type into both apps, as days go by."""
    for number in range(many):
        app = story["desk" if number % 2 else "crm"]
        app.put(app.id_of(f"p{number}@x.org"), last_name=f"New{number}")
    assert story.settle().code == 0


def names(story: Story, app: str) -> dict[str, str]:
    return {str(row["email"]): str(row["last_name"]) for row in story[app].rows().values()}


def restored(folder: Path, *, versions: bool, many: int = 20, **sections: object) -> tuple[Story, Callable[[], None]]:
    """Let `desk` go back to how it was before so many people were edited; give what brings the newer state back."""
    story = crowd(folder, versions=versions, **sections)
    backup = story["desk"].saved()
    live_on(story, many)
    later = story["desk"].saved()
    backup()
    return story, later


both = pytest.mark.parametrize("versions", [False, True], ids=["content", "versions"])


@both
def test_an_app_that_went_back_is_held_and_nothing_of_it_wins(tmp_path: Path, *, versions: bool) -> None:
    story, _ = restored(tmp_path, versions=versions)
    before = names(story, "crm")
    for _ in range(3):
        outcome = story.sync()
        assert (outcome.code, held(outcome), written(outcome)) == (4, {("desk", "restored")}, 0)
        assert [(each["count"], each["limit"]) for each in outcome.doc["held"]] == [(20, 6)]
    assert names(story, "crm") == before


@both
def test_an_approval_brings_it_up_to_date(tmp_path: Path, *, versions: bool) -> None:
    story, _ = restored(tmp_path, versions=versions)
    newest = names(story, "crm")
    story.approve(story.sync().doc["run"])
    outcome = story.sync()
    assert (held(outcome), outcome.doc["apps"]["desk"]["updated"], outcome.doc["apps"]["crm"]["updated"]) == (
        set(),
        20,
        0,
    )
    assert names(story, "desk") == names(story, "crm") == newest
    assert written(story.sync()) == 0
    reasons = story.journal(story.contact("desk", story["desk"].id_of("p3@x.org")))
    assert ("lost", "last_name", "Old3", "New3") in reasons


@both
def test_it_goes_on_by_itself_when_the_newer_state_is_back(tmp_path: Path, *, versions: bool) -> None:
    story, later = restored(tmp_path, versions=versions)
    assert held(story.sync()) == {("desk", "restored")}
    later()
    outcome = story.sync()
    assert (outcome.code, written(outcome)) == (0, 0)
    assert story.ask(lambda tx: tx.meta("restored")) == "{}"


@both
def test_what_was_typed_after_it_went_back_is_an_edit(tmp_path: Path, *, versions: bool) -> None:
    story, _ = restored(tmp_path, versions=versions)
    story.sync()
    story["desk"].put(story["desk"].id_of("p4@x.org"), first_name="Typed")
    story["desk"].put(story["desk"].id_of("p5@x.org"), last_name="Typed")
    story["desk"].put(story["desk"].id_of("p29@x.org"), last_name="Typed")
    outcome = story.sync()
    assert (held(outcome), written(outcome)) == ({("desk", "restored")}, 0)
    story.approve(outcome.doc["run"])
    story.settle()
    assert names(story, "desk") == names(story, "crm")
    assert story["crm"].one("p4@x.org")["first_name"] == "Typed"
    assert story["desk"].one("p4@x.org")["last_name"] == "New4"
    assert names(story, "crm")["p5@x.org"] == names(story, "crm")["p29@x.org"] == "Typed"


@both
def test_a_few_that_go_back_are_edits(tmp_path: Path, *, versions: bool) -> None:
    story, _ = restored(tmp_path, versions=versions, many=6)
    outcome = story.settle()
    assert (outcome.code, held(outcome)) == (0, set())
    assert names(story, "desk") == names(story, "crm")
    assert names(story, "crm")["p3@x.org"] == "Old3"


def test_people_who_type_old_values_again_are_believed_where_versions_say_so(tmp_path: Path) -> None:
    story = crowd(tmp_path, versions=True, guards=LOOSE)
    live_on(story)
    for number in range(20):
        story["desk"].put(story["desk"].id_of(f"p{number}@x.org"), last_name=f"Old{number}")
    assert held(story.settle()) == set()
    assert names(story, "crm")["p3@x.org"] == "Old3"


@both
def test_new_edits_in_numbers_are_edits(tmp_path: Path, *, versions: bool) -> None:
    story = crowd(tmp_path, versions=versions, guards=LOOSE)
    for number in range(20):
        story["desk"].put(story["desk"].id_of(f"p{number}@x.org"), last_name=f"Newer{number}")
    assert held(story.settle()) == set()
    assert names(story, "crm")["p3@x.org"] == "Newer3"


@both
def test_some_old_values_among_more_new_ones_are_edits(tmp_path: Path, *, versions: bool) -> None:
    """Somebody works through a list; nobody restores an app in which most of what has changed is new."""
    story = crowd(tmp_path, versions=versions, guards=LOOSE)
    live_on(story)
    for number in range(20):
        story["desk"].put(str(number), last_name=f"{'Old' if number < 8 else 'Newer'}{number}")
    assert held(story.settle()) == set()
    assert (names(story, "crm")["p3@x.org"], names(story, "crm")["p9@x.org"]) == ("Old3", "Newer9")


@both
def test_who_tidies_up_is_not_held(tmp_path: Path, *, versions: bool) -> None:
    """Shouted names are written as names are, and suffixes left out: less than what is agreed on now, not what was before."""
    story = crowd(tmp_path, versions=versions, guards=LOOSE)
    for number in range(20):
        story["crm"].put(story["crm"].id_of(f"p{number}@x.org"), last_name=f"LEE{number} OF ACME")
    story.settle()
    for number in range(20):
        short = f"Lee{number} of Acme" if number % 2 else f"LEE{number}"
        story["desk"].put(story["desk"].id_of(f"p{number}@x.org"), last_name=short)
    assert held(story.settle()) == set()
    assert (names(story, "crm")["p3@x.org"], names(story, "crm")["p4@x.org"]) == ("Lee3 of Acme", "LEE4")


@both
def test_who_is_not_in_the_backup_is_made_again(tmp_path: Path, *, versions: bool) -> None:
    story = crowd(tmp_path, versions=versions)
    backup = story["desk"].saved()
    for number in range(3):
        story["crm"].put(f"new{number}", email=f"q{number}@x.org", last_name="Later")
    live_on(story)
    backup()
    runs = [story.sync() for _ in range(3)]
    assert [held(outcome) for outcome in runs] == [{("desk", "restored")}] * 3
    story.approve(runs[-1].doc["run"])
    story.settle()
    assert names(story, "desk") == names(story, "crm")
    assert names(story, "desk")["q1@x.org"] == "Later"
    assert len(story["desk"].rows()) == PEOPLE + 3
    assert story.cases() == []


@both
def test_many_who_are_not_in_the_backup_take_one_approval(tmp_path: Path, *, versions: bool) -> None:
    story = crowd(tmp_path, versions=versions)
    backup = story["desk"].saved()
    for number in range(12):
        story["crm"].put(f"new{number}", email=f"q{number}@x.org", last_name="Later")
    live_on(story)
    backup()
    outcome = story.sync()
    assert held(outcome) == {("desk", "restored"), ("desk", "unlinks")}
    story.approve(outcome.doc["run"])
    assert story.settle().code == 0
    assert names(story, "desk") == names(story, "crm")
    assert len(story["desk"].rows()) == PEOPLE + 12


@both
def test_an_opt_out_is_heard_and_an_old_opt_in_is_none(tmp_path: Path, *, versions: bool) -> None:
    story = crowd(tmp_path, versions=versions)
    crm, desk = story["crm"], story["desk"]
    for number in range(3):
        proof = {"consent_at": "2025-06-01T00:00:00Z", "consent_source": "form"}
        desk.put(desk.id_of(f"p{number}@x.org"), email_consent="opted_in", **proof)
    desk.put(desk.id_of("p7@x.org"), email_consent="opted_out")
    story.settle()
    backup = desk.saved()
    live_on(story)
    crm.put(crm.id_of("p0@x.org"), email_consent="opted_out")
    story.settle()
    backup()
    desk.put(desk.id_of("p1@x.org"), email_consent="opted_out")
    outcome = story.sync()
    assert held(outcome) == {("desk", "restored")}
    assert [crm.one(f"p{n}@x.org")["email_consent"] for n in (0, 1, 2, 7)] == [
        "opted_out",
        "opted_out",
        "opted_in",
        "opted_out",
    ]
    story.approve(outcome.doc["run"])
    story.settle()
    for app in (crm, desk):
        assert [app.one(f"p{n}@x.org")["email_consent"] for n in (0, 1, 2)] == ["opted_out", "opted_out", "opted_in"]


@both
def test_it_stays_held_until_the_last_of_it_is_right(tmp_path: Path, *, versions: bool) -> None:
    """The last few old values are no more right than the many were."""
    story, _ = restored(tmp_path, versions=versions)
    story.sync()
    for number in range(17):
        story["desk"].put(story["desk"].id_of(f"p{number}@x.org"), last_name=f"New{number}")
    outcome = story.sync()
    assert [(each["verb"], each["count"]) for each in outcome.doc["held"]] == [("restored", 3)]
    assert names(story, "crm")["p18@x.org"] == "New18"


@both
@pytest.mark.parametrize("what", ["page", "past", "restored", "merge", "up to date", "sent", "result"])
def test_syncd_may_die_while_it_brings_it_up_to_date(tmp_path: Path, what: str, *, versions: bool) -> None:
    story, _ = restored(tmp_path, versions=versions)
    newest = names(story, "crm")
    story.approve(story.sync().doc["run"])

    class Dies(Exception):
        pass

    def hook(moment: object) -> None:
        if (moment.kind, moment.what, moment.after) == ("transact", what, True):  # type: ignore[attr-defined]
            raise Dies

    story.hooks.append(hook)
    with pytest.raises(Dies):
        story.sync()
    story.hooks.remove(hook)
    assert held(story.settle()) == set()
    assert names(story, "desk") == names(story, "crm") == newest


def test_the_word_of_who_names_the_app_counts(tmp_path: Path) -> None:
    story, _ = restored(tmp_path / "pull", versions=False, guards=LOOSE)
    story.sync()
    story.resync(apps=["desk"], direction="pull")
    assert held(story.settle()) == set()
    assert names(story, "crm") == names(story, "desk")
    assert names(story, "crm")["p3@x.org"] == "Old3"
    story, _ = restored(tmp_path / "push", versions=False)
    story.sync()
    story.resync(apps=["desk"], direction="push")
    assert held(story.settle()) == set()
    assert names(story, "crm") == names(story, "desk")
    assert names(story, "crm")["p3@x.org"] == "New3"


def test_an_operator_reads_what_happened_and_what_to_do(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(number) for number in range(12)])
    hub.csv("news", [])
    hub.synced()
    backup = [*hub.rows("crm").values()]
    hub.write("crm", [person(number, company="Acme") for number in range(12)])
    hub.run("sync", "--approve")
    hub.write("crm", [person(number, company="Acme", last_name=f"Married{number}") for number in range(12)])
    hub.run("sync", "--approve")
    hub.write("crm", backup)
    said = hub.run("sync")
    assert said.code == 4
    assert (
        "held: crm shows 12 records as they were before (5 are believed unasked): restored from a backup?" in said.out
    )
    assert "syncd resync --app crm --pull-only" in said.out
    assert "held: crm shows 12 records as they were before" in hub.run("plan").out
    status = hub.run("status").out
    run = hub.json("status")["held"][0]["run"]
    assert f"held: run {run} found: crm went back in time in 12 records (limit 5): syncd approve {run}" in status
    hub.run("approve", str(run))
    assert hub.run("sync").code == 0
    assert {(row["last_name"][:7], row["company"]) for row in hub.rows("crm").values()} == {("Married", "Acme")}


def test_what_is_read_to_a_part_is_not_judged_as_a_whole(tmp_path: Path) -> None:
    """Four of thirty are few; but the reading broke off, and they may be four of four."""
    story, _ = restored(tmp_path, versions=True)
    newest = names(story, "crm")
    breaks = story.when("desk", "read", raising(TransientError("desk: no answer")), nth=3)  # the first: its cursor
    story.configure(app_desk={"settings": {**story.doc["apps"]["desk"]["settings"], "page": 4}})
    with breaks:
        outcome = story.sync()
    assert (outcome.code, held(outcome), written(outcome)) == (3, set(), 0)
    assert story.ask(lambda tx: tx.waiting_counts()) == {story.ask(lambda tx: tx.apps())["desk"].id: 4}
    assert names(story, "crm") == newest
    assert held(story.sync()) == {("desk", "restored")}


def test_what_else_was_approved_stays_so_while_an_app_is_brought_up_to_date(tmp_path: Path) -> None:
    story = given(tmp_path, {"desk": "csv", "crm": "memory", "shop": "memory"}, guards={"updates": "2"})
    for number in range(PEOPLE):
        story["desk"].put(str(number), email=f"p{number}@x.org", first_name="Ann", last_name=f"Old{number}")
    story.sync(approve=True)
    story.settle()
    backup = story["desk"].saved()
    for number in range(20):
        story["desk"].put(str(number), last_name=f"New{number}")
    story.sync(approve=True)
    story.settle()
    backup()
    for number in range(20, 25):
        story["shop"].put(story["shop"].id_of(f"p{number}@x.org"), first_name="Anna")
    outcome = story.sync()
    assert held(outcome) == {("desk", "restored"), ("crm", "updates")}
    story.approve(outcome.doc["run"])
    with story.when("crm", "write", raising(TransientError("away"))):
        story.sync()
    assert ("crm", "updates") not in held(story.sync())
    assert story["crm"].one("p20@x.org")["first_name"] == "Anna"


def test_what_went_back_is_counted_over_all_pages(tmp_path: Path) -> None:
    story = given(tmp_path, {"desk": ("memory", {"feed": False}), "crm": "memory"}, guards=LOOSE)
    for number in range(PAGE + 1):
        story["desk"].put(f"{number:04}", email=f"p{number}@x.org", company="Old")
    story.sync(approve=True)
    story.settle()
    backup = story["desk"].saved()
    for number in range(PAGE + 1):
        story["desk"].put(f"{number:04}", company="New")
    story.sync(approve=True)
    story.settle()
    backup()
    outcome = story.sync()
    assert [(each["verb"], each["count"]) for each in outcome.doc["held"]] == [("restored", PAGE + 1)]


@both
def test_an_undecided_record_says_what_it_shows_where_its_person_has_no_value(
    tmp_path: Path, *, versions: bool
) -> None:
    """Seed 38516: nothing is brought up to date in a record that waits for a decision, so what it shows is all that there is."""
    story = crowd(tmp_path, versions=versions, guards=LOOSE)
    story["desk"].put("twin", email="p0@x.org", company="Old Ltd")
    story.settle()
    assert [case["kind"] for case in story.cases()] == ["match"]
    backup = story["desk"].saved()
    story["desk"].put("twin", company="New Ltd")
    for number in range(1, 20):
        story["desk"].put(str(number), last_name=f"New{number}")
    story.settle()
    backup()
    story["desk"].remove("0")
    story.approve(story.sync().doc["run"])
    story.settle()
    assert story.contact("desk", "twin") == story.contact("crm", story["crm"].id_of("p0@x.org"))
    assert story["crm"].one("p0@x.org")["company"] == story["desk"].rows()["twin"]["company"] == "Old Ltd"
    assert "New Ltd" in {new for _, _, _, new in story.journal(story.contact("desk", "twin"))}
