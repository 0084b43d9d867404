"""Runs as an operator meets them: the first one, guards, plan and apply, apps that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.config import AppConfig
from syncd.connector import App, Connector, Opening
from syncd.engine import runs
from syncd.errors import AccessError, ConfigError, TransientError
from tests.story import ANN, BOB, TRIO, Story, agreed, fields_of, given, held, raising, written


def crowd(story: Story, app: str, count: int, **fields: Any) -> None:
    """Let an app hold so many people."""
    for number in range(count):
        story[app].put(f"{app}{number:03}", email=f"p{number}@x.org", **fields)


# -- the first run


@pytest.mark.parametrize("how", ["run", "flag"])
def test_the_first_run_waits_for_one_approval(tmp_path: Path, how: str) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", **ANN)
    story["books"].put("2", email="ann@x.org", company="Acme")
    story["desk"].put("3", **BOB)
    before = story.holds()

    outcome = story.sync()
    for _ in range(2):
        assert (outcome.code, outcome.doc["outcome"], written(outcome)) == (4, "held", 0)
        assert held(outcome) >= {("crm", "creates"), ("books", "creates"), ("desk", "creates"), ("crm", "updates")}
        assert story.holds() == before
        assert story.plan().code == 4
        outcome = story.sync()

    if how == "run":
        story.approve(outcome.doc["run"])
        assert story.holds() == before
        assert story.sync().code == 0
    else:
        assert story.sync(approve=True).code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [2, 2, 2]
    assert written(story.sync()) == 0
    story["crm"].put("1", job_title="Clerk")
    assert story.sync().code == 0


def test_a_first_run_with_one_filled_app_just_runs(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO)
    story["books"].put("1", **ANN)
    assert story.sync().code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1]


@pytest.mark.parametrize("error", [TransientError("down"), AccessError("refused")])
def test_a_first_run_in_which_an_app_cannot_be_asked_decides_nothing(tmp_path: Path, error: Exception) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", **ANN)
    story["books"].put("2", email="ann@x.org", company="Acme")

    with story.when("books", "read", raising(error)):
        outcome = story.sync()
    assert outcome.code == (5 if isinstance(error, AccessError) else 4 if outcome.doc["held"] else 3)
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 0]

    assert story.sync().code == 4
    assert story.sync(approve=True).code == 0
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1]


def test_nothing_is_created_before_every_app_was_read(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO)
    story["crm"].put("1", **ANN)
    story["desk"].put("3", **ANN)
    with story.when("desk", "open", raising(TransientError("down"))):
        story.sync(approve=True)
    assert [len(app.rows()) for app in story.apps.values()] == [1, 0, 1]
    story.sync(approve=True)
    assert [len(app.rows()) for app in story.apps.values()] == [1, 1, 1]


# -- guards


@pytest.mark.parametrize("verb", ["creates", "updates", "clears"])
def test_a_guard_holds_the_app_before_its_first_write(tmp_path: Path, verb: str) -> None:
    story = given(tmp_path, TRIO, fields={"company": {"blank": "propagate"}}, guards={"creates": 40})
    crowd(story, "crm", 40, company="Acme")
    assert story.sync().code == 0
    story.configure(guards={verb: 5})
    if verb == "creates":
        crowd(story, "crm", 46)
    else:
        for number in range(6):
            story["crm"].put(f"crm{number:03}", company="Renamed" if verb == "updates" else None)
    story["books"].put(story["books"].id_of("p30@x.org"), job_title="Clerk")  # goes to the CRM, which is not held
    before = story.holds()

    outcome = story.sync()
    for _ in range(2):
        assert (outcome.code, outcome.doc["outcome"]) == (4, "held")
        assert held(outcome) == {("books", verb), ("desk", verb)}
        assert {h["count"] for h in outcome.doc["held"]} == ({6} if verb != "updates" else {6, 7})
        assert [story.holds()[app] for app in ("books", "desk")] == [before[app] for app in ("books", "desk")]
        assert story["crm"].one("p30@x.org")["job_title"] == "Clerk"
        outcome = story.sync()

    if verb == "clears":  # --approve does not cover these
        assert held(story.sync(approve=True)) == {("books", verb), ("desk", verb)}
        assert [story.holds()[app] for app in ("books", "desk")] == [before[app] for app in ("books", "desk")]
        story.approve(outcome.doc["run"])
        assert story.sync().code == 0
    else:
        assert story.sync(approve=True).code == 0
    assert written(story.sync()) == 0
    assert len({repr(sorted((r["email"], r.get("company")) for r in rows)) for rows in story.holds().values()}) == 1


def test_an_approval_covers_what_was_shown_and_once(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql"}, guards={"creates": 40})
    crowd(story, "crm", 40)
    story.sync()
    story.configure(guards={"updates": 5})
    for number in range(8):
        story["crm"].put(f"crm{number:03}", company="One")
    outcome = story.sync()
    story.approve(outcome.doc["run"])
    story["crm"].put("crm030", company="One more")
    outcome = story.sync()
    assert (outcome.code, outcome.doc["held"]) == (4, [{"app": "books", "verb": "updates", "count": 9, "limit": 8}])

    story.approve(outcome.doc["run"])
    assert story.sync().code == 0
    for number in range(8):
        story["crm"].put(f"crm{number:03}", company="Two")
    assert story.sync().code == 4


def test_opt_outs_are_never_held_with_the_rest(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql"}, guards={"creates": 40})
    crowd(story, "crm", 40)
    story.sync()
    for number in range(30):
        story["crm"].put(f"crm{number:03}", email_consent="opted_out")
    assert story.sync().code == 0
    assert sum(row.get("email_consent") == "opted_out" for row in story["books"].rows().values()) == 30


# -- plan and apply


def test_a_plan_that_is_held_says_so(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "books": "sql"}, guards={"creates": 40})
    crowd(story, "crm", 40)
    story.sync()
    story.configure(guards={"updates": 5})
    for number in range(6):
        story["crm"].put(f"crm{number:03}", company="One")
    planned = story.plan()
    assert (planned.code, planned.doc["held"]) == (4, [{"app": "books", "verb": "updates", "count": 6, "limit": 5}])
    assert story.plan(apps=["crm"]).doc["held"] == []


def test_apply_does_exactly_the_plan_and_skips_what_moved(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    crm, books = story["crm"], story["books"]
    crm.put(crm.id_of("ann@x.org"), company="Planned")
    crm.put(crm.id_of("bob@x.org"), company="Planned")
    planned = story.plan().doc
    assert fields_of(planned["intents"], "books") == {"company": "Planned"}

    crm.put(crm.id_of("bob@x.org"), company="Changed since")
    crm.put(crm.id_of("ann@x.org"), job_title="Typed since")
    books.put("new", email="new@x.org")
    done = story.apply(planned)

    assert (done.code, done.doc["outcome"], written(done)) == (3, "partial", 0)
    assert sorted(skip["app"] for skip in done.doc["skipped"]) == ["books", "books", "desk", "desk"]
    assert all("since" in skip["skipped"] for skip in done.doc["skipped"])
    assert len(crm.rows()) == 2
    assert story.sync().code == 0
    assert {fields["company"] for fields in story.everywhere("bob@x.org").values()} == {"Changed since"}


def test_apply_twice_does_nothing_the_second_time(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put("new", email="new@x.org")
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Planned")
    planned = story.plan().doc
    assert written(story.apply(planned)) == len(planned["intents"]) == 4
    again = story.apply(planned)
    assert (written(again), len(again.doc["skipped"])) == (0, 4)
    assert [len(app.rows()) for app in story.apps.values()] == [3, 3, 3]


def test_apply_says_what_it_could_not_do(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Planned")
    planned = story.plan().doc
    story.pause("books")
    with story.when("desk", "read", raising(TransientError("down"))):
        done = story.apply(planned)
    assert (done.code, written(done)) == (3, 0)
    assert sorted(skip["app"] for skip in done.doc["skipped"]) == ["books", "desk"]
    with pytest.raises(ConfigError, match="not a plan"):
        story.apply({"intents": None})


# -- apps that are not there


def test_a_paused_app_is_left_alone_and_catches_up(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.pause("books")
    crm, books = story["crm"], story["books"]
    crm.put(crm.id_of("ann@x.org"), company="While paused")
    books.put(books.id_of("bob@x.org"), job_title="While paused")
    crm.put("new", email="new@x.org")

    with story.calls() as calls:
        outcome = story.sync()
    assert (outcome.code, outcome.paused) == (0, {"books": 2}), "an edit and somebody new wait for it"
    assert "books" not in {app for app, _ in calls}
    assert story["desk"].one("ann@x.org")["company"] == "While paused"
    assert "job_title" not in story["desk"].one("bob@x.org")
    assert len(story["desk"].rows()) == 3

    story.pause("books", paused=False)
    assert story.settle().code == 0
    assert books.one("ann@x.org")["company"] == "While paused"
    assert story["desk"].one("bob@x.org")["job_title"] == "While paused"
    assert len(books.rows()) == 3


@pytest.mark.parametrize("what", ["open", "fingerprint", "read", "write"])
@pytest.mark.parametrize(("error", "code"), [(TransientError("down"), 3), (AccessError("refused"), 5)], ids=str)
def test_an_app_that_fails_stops_only_itself(tmp_path: Path, what: str, error: Exception, code: int) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("ann@x.org"), company="Goes on")

    with story.when("books", what, raising(error)):
        outcome = story.sync()

    assert (outcome.code, outcome.doc["outcome"], outcome.errors["books"]) == (code, "partial", str(error))
    assert story["desk"].one("ann@x.org")["company"] == "Goes on"
    assert story.settle().code == 0
    assert {fields["company"] for fields in story.everywhere("ann@x.org").values()} == {"Goes on"}


def test_a_file_that_is_missing_is_no_empty_app(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    aside = tmp_path / "aside.csv"
    story.path("desk").rename(aside)
    for _ in range(2):
        outcome = story.sync()
        assert (outcome.code, written(outcome)) == (3, 0)
        assert not story.path("desk").exists()
    aside.rename(story.path("desk"))
    assert story.sync().code == 0


def test_an_owner_who_is_away_keeps_its_say(tmp_path: Path) -> None:
    story = agreed(tmp_path, fields={"company": {"policy": {"owner": "books"}}})
    story["desk"].put(story["desk"].id_of("bob@x.org"), company="Usurper")
    with story.when("books", "open", raising(TransientError("down"))):
        assert story.sync().code == 3
    assert {story[app].one("bob@x.org")["company"] for app in TRIO} == {"Acme"}
    assert story.settle().code == 0
    assert {fields["company"] for fields in story.everywhere("bob@x.org").values()} == {"Acme"}


def test_another_file_under_the_same_name_is_not_read(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.configure(app_desk={"settings": {"path": "other.csv", "key": "id"}})
    (tmp_path / "other.csv").write_text("id,email,company\nx,ann@x.org,Stranger\n")
    outcome = story.sync()
    assert (outcome.code, written(outcome)) == (4, 0)
    assert "another account" in outcome.errors["desk"]
    assert "company" not in story["crm"].one("ann@x.org")


# -- what an app is opened with


def test_an_app_is_opened_with_what_the_configuration_says_of_it(tmp_path: Path) -> None:
    story = given(tmp_path, TRIO)
    story.configure(app_crm={"network": "private"})
    given_to: dict[str, Opening] = {}
    with story.session() as session:

        def load(app: AppConfig) -> Connector:
            real = session.load(app)

            def opened(opening: Opening) -> App:
                given_to[app.name] = opening
                return real.open(opening)

            return replace(real, open=opened)

        runs.sync(replace(session, load=load))
    assert {name: opening.network for name, opening in given_to.items()} == {
        "crm": "private",
        "books": "public",
        "desk": "public",
    }
    assert {opening.app for opening in given_to.values()} == {*TRIO}
    for name, opening in given_to.items():
        assert opening.keeper is not None
        opening.keeper.save({"token": f"of {name}"})
    assert [opening.keeper.load() for opening in given_to.values() if opening.keeper] == [
        {"token": f"of {name}"} for name in given_to
    ], "what a login has to remember has a place of its own"


def test_an_app_in_which_nothing_is_at_a_path_says_which(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.configure(app_desk={"fields": {"company": {"path": "nowhere"}}})
    outcome = story.sync()
    assert (outcome.code, [*outcome.errors]) == (2, ["desk"])
    assert "company (path nowhere)" in outcome.errors["desk"]


def test_of_runs_that_find_nothing_the_last_one_is_kept(tmp_path: Path) -> None:
    """A hub that is synced from cron would fill its store with them."""
    story = agreed(tmp_path)
    story["crm"].put("101", company="Acme")
    edited = story.sync().doc["run"]
    *idle, last = (story.sync().doc["run"] for _ in range(3))
    assert story.ask(lambda tx: [tx.run(run) is not None for run in (edited, *idle, last)]) == [
        True,
        False,
        False,
        True,
    ]
