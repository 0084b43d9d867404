"""Consent (BEHAVIOURS 38-41): an opt-out reaches everybody, and nothing but proof ever lifts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.story import ANN, TRIO, Story, agreed, given, written

PROOF = {"email_consent": "opted_in", "consent_at": "2025-06-20T10:00:00Z", "consent_source": "form"}
"""After START_MS, the first days of a story."""
DAY = 86_400_000


def consents(story: Story, email: str = "ann@x.org") -> dict[str, Any]:
    return {app: fields.get("email_consent") for app, fields in story.everywhere(email).items()}


@pytest.mark.parametrize("word", [None, "unknown", "pending", "opted_in"])
@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_behaviour_38_creating_and_resyncing_never_subscribe(tmp_path: Path, word: str | None, source: str) -> None:
    story = given(tmp_path, TRIO)
    story[source].put("1", **ANN, email_consent=word)
    story.sync()
    story.resync()
    story.settle()

    assert consents(story) == {app: word if app == source else None for app in TRIO}
    assert story.journal(1) != []


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_behaviour_38_no_resync_brings_an_archived_subscription_back(tmp_path: Path, source: str) -> None:
    story = agreed(tmp_path)
    for app in TRIO:
        story[app].put(story[app].id_of("ann@x.org"), email_consent="opted_in")
    story.sync()
    story[source].put(story[source].id_of("ann@x.org"), email_consent="opted_out")
    story.sync()
    for _ in range(2):
        assert written(story.resync()) == 0
        assert written(story.resync(direction="push")) == 0
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")


def test_behaviour_39_an_opt_out_travels_with_the_create(tmp_path: Path) -> None:
    story = given(tmp_path, {"desk": "csv", "crm": "memory", "books": "sql"})
    story["desk"].put("1", **ANN, email_consent="opted_out")

    assert story.sync().code == 0

    assert consents(story) == {"desk": "opted_out", "crm": "opted_out", "books": "opted_out"}
    [create] = story.log("crm")
    assert (create.kind, create.fields["email_consent"]) == ("create", "opted_out")
    assert written(story.sync()) == 0


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
def test_behaviour_40_proof_that_is_later_lifts_an_opt_out(tmp_path: Path, source: str) -> None:
    story = agreed(tmp_path)
    out, back = story["books"], story[source]
    out.put(out.id_of("ann@x.org"), email_consent="opted_out")
    story.sync()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")

    back.put(back.id_of("ann@x.org"), email_consent="opted_in")  # typed over, without proof
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")

    back.put(back.id_of("ann@x.org"), **PROOF | {"consent_at": "2020-01-01T00:00:00Z"})  # an old form
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")

    story.clock.now_ms += 30 * DAY
    back.put(back.id_of("ann@x.org"), **PROOF)
    story.settle()
    for fields in story.everywhere("ann@x.org").values():
        assert {name: fields[name] for name in PROOF} == PROOF
    told = [
        new
        for kind, _, _, new in story.journal(story.contact("crm", story["crm"].id_of("ann@x.org")))
        if kind == "consent"
    ]
    assert told == ["opted_out", "opted_in"]


def test_behaviour_40_an_opt_out_after_the_proof_wins_again(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.clock.now_ms += 30 * DAY
    story["crm"].put(story["crm"].id_of("ann@x.org"), **PROOF)
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_in")

    story["desk"].put(story["desk"].id_of("ann@x.org"), email_consent="opted_out")
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")


@pytest.mark.parametrize("word", ["bounced", "pending"])
def test_behaviour_41_a_bounce_stays_where_it_was_found(tmp_path: Path, word: str) -> None:
    story = agreed(tmp_path)
    for app in TRIO:
        story[app].put(story[app].id_of("ann@x.org"), email_consent="opted_in")
    story.sync()

    story["books"].put(story["books"].id_of("ann@x.org"), email_consent=word)
    outcome = story.sync()

    assert (outcome.code, written(outcome)) == (0, 0)
    assert consents(story) == {"crm": "opted_in", "books": word, "desk": "opted_in"}
    assert {len(app.rows()) for app in story.apps.values()} == {2}


@pytest.mark.parametrize("source", ["crm", "books", "desk"])
@pytest.mark.parametrize("typed", ["opted_in", "bounced", None])
def test_an_opt_out_in_the_same_pass_beats_everything(tmp_path: Path, source: str, typed: str | None) -> None:
    story = agreed(tmp_path)
    for app in TRIO:
        word = "opted_out" if app == source else typed
        story[app].put(story[app].id_of("ann@x.org"), email_consent=word)
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")


@pytest.mark.parametrize("twins", [1, 2])
def test_an_opt_out_reaches_ambiguous_duplicates(tmp_path: Path, twins: int) -> None:
    story = agreed(tmp_path)
    for twin in range(twins):
        story["books"].put(f"twin{twin}", email="Ann@X.org", first_name=f"Twin{twin}", email_consent="opted_in")
    story.sync()
    assert {case["kind"] for case in story.cases()} == {"match"}

    story["desk"].put(story["desk"].id_of("ann@x.org"), email_consent="opted_out")
    story.settle()

    anns = [row for app in story.apps.values() for row in app.rows().values() if row["email"].lower() == "ann@x.org"]
    assert len(anns) == 3 + twins
    assert {row["email_consent"] for row in anns} == {"opted_out"}
    assert sorted(row["first_name"] for row in story["books"].rows().values() if row["email"] == "Ann@X.org") == [
        f"Twin{twin}" for twin in range(twins)
    ]


def test_an_opt_out_of_a_duplicate_reaches_the_others(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["books"].put("twin", email="ann@x.org", first_name="Twin")
    story.sync()
    story["books"].put("twin", email_consent="opted_out")
    story.settle()
    assert {row.get("email_consent") for app in story.apps.values() for row in app.rows().values()} == {
        None,
        "opted_out",
    }
    for app in story.apps.values():
        assert all(r["email_consent"] == "opted_out" for r in app.rows().values() if r["email"] == "ann@x.org")


def test_an_opt_out_follows_the_person_to_a_new_address(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("ann@x.org"), email_consent="opted_out")
    story.sync()
    story["books"].put(story["books"].id_of("ann@x.org"), email="ann@new.org", email_consent="opted_in")
    story.settle()
    assert consents(story, "ann@new.org") == dict.fromkeys(TRIO, "opted_out")

    late = story.add_app("late", "csv")  # and whoever comes with that address later
    late.put("l1", email="ann@new.org", email_consent="opted_in")
    story.settle()
    assert late.one("ann@new.org")["email_consent"] == "opted_out"


def test_an_opt_out_outlives_every_record_of_the_address(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story["crm"].put(story["crm"].id_of("ann@x.org"), email_consent="opted_out")
    story.sync()
    for app in story.apps.values():
        app.remove(app.id_of("ann@x.org"))
    story.sync()
    story.settle()

    story["desk"].put("new", email="ANN@x.org", first_name="Ann", email_consent="opted_in")
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")


def test_a_held_app_still_hears_of_an_opt_out_elsewhere_later(tmp_path: Path) -> None:
    story = agreed(tmp_path)
    story.pause("books")
    story["crm"].put(story["crm"].id_of("ann@x.org"), email_consent="opted_out")
    story.sync()
    assert consents(story) == {"crm": "opted_out", "books": None, "desk": "opted_out"}
    story.pause("books", paused=False)
    story.settle()
    assert consents(story) == dict.fromkeys(TRIO, "opted_out")
