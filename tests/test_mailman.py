"""What is peculiar to Mailman, on a running one: nobody is subscribed by syncd, who leaves has opted out, a person is three things."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from connectors.mailman.server import Mailman
from connectors.mailman.world import World as MailmanWorld
from syncd import registry
from syncd.errors import AccessError, TransientError
from syncd.kit.suite import known, listing, new, one, persons
from syncd.model import Applied, Rejected, Write

CONSENT = "email_consent"


@pytest.fixture
def world(mailing_list: Mailman) -> Iterator[MailmanWorld]:
    with contextlib.closing(MailmanWorld(mailing_list)) as made:
        yield made


def consent(world: MailmanWorld, id_: str, word: str) -> object:
    return one(world.open(), Write(kind="consent", id=id_, fields={CONSENT: word}))


def test_a_new_member_is_on_the_list_and_gets_no_mails(world: MailmanWorld) -> None:
    app = world.open()
    result = one(app, new(app, 1, email="Ada@example.org", first_name="Ada"))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record == known(app, result.record.id) == listing(app)[result.record.id]
    assert result.record.fields.items() >= {"email": "ada@example.org", "first_name": "Ada", CONSENT: None}.items()
    assert world.list.delivery(result.record.id) == "by_moderator"


def test_a_new_member_who_opted_out_is_marked_as_such(world: MailmanWorld) -> None:
    app = world.open()
    for number, (word, delivery) in enumerate([("by_user", "by_user"), ("enabled", "enabled"), ("", "by_moderator")]):
        result = one(app, new(app, number, email=f"p{number}@example.org", **{CONSENT: word}))
        assert isinstance(result, Applied)
        assert result.record is not None
        assert world.list.delivery(result.record.id) == delivery


def test_somebody_whom_the_server_knows_gets_the_name_that_was_asked_for(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Countess")
    world.list.leave(id_)
    app = world.open()
    result = one(app, new(app, 1, email="ada@example.org", first_name="Ada"))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields["first_name"] == "Ada"


def test_a_name_is_changed_and_nothing_else(world: MailmanWorld) -> None:
    ids = world.add_all(persons(3))
    app = world.open()
    before, untouched = listing(app), world.untouched(ids[1])
    result = one(app, Write(kind="update", id=ids[1], fields={"first_name": "Ada"}, expect=before[ids[1]].fields))
    assert isinstance(result, Applied)
    assert result.record == known(app, ids[1]) == listing(app)[ids[1]]
    assert result.record is not None
    assert {**result.record.fields, "first_name": "Person 1"} == before[ids[1]].fields
    assert world.untouched(ids[1]) == untouched


def test_a_name_is_cleared_in_both_places(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    assert isinstance(one(app, Write(kind="update", id=id_, fields={"first_name": None})), Applied)
    assert known(app, id_).fields["first_name"] is None, "the user's name does not show in its place"


def test_a_full_batch_is_taken(world: MailmanWorld) -> None:
    app = world.open()
    results = app.write([new(app, n, email=f"p{n}@example.org", first_name=f"P {n}") for n in range(60)])
    assert all(isinstance(result, Applied) for result in results)
    assert len(listing(app)) == 60


@pytest.mark.parametrize(("delivery", "word"), [
    ("enabled", "enabled"), ("by_user", "by_user"), ("by_bounces", "by_bounces"), ("by_moderator", None), ("unknown", None),
])  # fmt: skip
def test_delivery_is_consent_in_listings_as_in_answers(delivery: str, word: str | None, world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.list.delivery(id_, delivery)
    app = world.open()
    assert listing(app)[id_].fields[CONSENT] == known(app, id_).fields[CONSENT] == word


def test_an_opt_out_pauses_and_an_opt_in_with_evidence_ends_that(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org")
    assert isinstance(consent(world, id_, "by_user"), Applied)
    assert isinstance(consent(world, id_, "by_user"), Applied), "may be told again"
    assert world.list.delivery(id_) == "by_user"
    assert isinstance(consent(world, id_, "enabled"), Applied)
    assert world.list.delivery(id_) == "enabled"
    for word in ("by_bounces", "by_moderator", "unknown", ""):
        result = consent(world, id_, word)
        assert isinstance(result, Rejected)
        assert result.why == "readonly"


def test_who_leaves_has_opted_out_and_is_never_subscribed_again(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    world.list.leave(id_)
    assert listing(app) == {}
    assert app.get([id_])[id_].fields == {CONSENT: "by_user"}, "the rest is not known any more, and not blank"
    assert isinstance(consent(world, id_, "by_user"), Applied)
    for write in (
        Write(kind="consent", id=id_, fields={CONSENT: "enabled"}),
        Write(kind="update", id=id_, fields={"first_name": "Augusta"}),
        Write(kind="update", id=id_, fields={"email": "augusta@example.org"}),
    ):
        result = one(app, write)
        assert isinstance(result, Rejected)
        assert result.why == "readonly"
    assert world.everything() == []
    world.list.forget(id_)
    assert app.get([id_]) == {}


def test_who_is_back_or_still_there_with_another_address_has_not_left(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.list.leave(id_)
    back = world.add(email="ada@example.org")
    app = world.open()
    assert back != id_
    assert app.get([id_, back]).keys() == {back}
    assert listing(app)[back].fields[CONSENT] == "enabled"


def test_a_list_that_was_deleted_has_not_been_left_by_everybody(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    world.list.done("DELETE", f"lists/{world.list.name}")
    with pytest.raises(TransientError, match="404"):
        app.get([id_])


@pytest.mark.parametrize("as_user", [False, True])
def test_another_address_is_made_the_members_and_the_name_stays(as_user: bool, world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    user = id_.partition(".")[2]
    if as_user:
        world.list.leave(id_)
        world.list.done("POST", f"users/{user}/preferred_address", {"email": "ada@example.org"})
        id_ = f"{world.list.subscribe(user)}.{user}"
    app = world.open()
    for address in ("Ada@example.com", "ada@example.org", "ada@example.com"):
        result = one(app, Write(kind="update", id=id_, fields={"email": address}))
        assert isinstance(result, Applied)
        assert result.record is not None
        assert result.record.id == id_
        assert result.record.fields.items() >= {"email": address.lower(), "first_name": "Ada"}.items()
    assert world.list.member(id_)["subscription_mode"] == ("as_user" if as_user else "as_address")
    assert len(world.list.entries(f"users/{user}/addresses")) == 2


def test_an_address_of_somebody_else_is_refused_and_nothing_is_written(world: MailmanWorld) -> None:
    there, id_ = world.add(email="ada@example.org"), world.add(email="grace@example.org", first_name="Grace")
    app, before = world.open(), world.everything()
    result = one(app, Write(kind="update", id=id_, fields={"email": "ada@example.org", "first_name": "Hopper"}))
    assert isinstance(result, Rejected)
    assert (result.why, result.field, result.existing) == ("exists", "email", there)
    assert world.everything() == before


def test_who_is_banned_is_not_made_a_member(world: MailmanWorld) -> None:
    world.list.done("POST", f"lists/{world.list.name}/bans", {"email": "ada@example.org"})
    app = world.open()
    result = one(app, new(app, 1, email="ada@example.org"))
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("readonly", "email")
    assert listing(app) == {}


def test_owners_and_other_lists_are_nobody_of_ours(world: MailmanWorld) -> None:
    id_ = world.add(email="ada@example.org")
    owner = world.list.subscribe("boss@example.org", role="owner")
    app = world.open()
    assert listing(app).keys() == {id_}
    assert app.get([owner]) == {}


def test_a_wrong_password_is_told_as_such(mailing_list: Mailman) -> None:
    class Stranger(MailmanWorld):
        secrets = {"password": "another"}  # noqa: RUF012

    with (
        contextlib.closing(Stranger(mailing_list, registry.load("mailman"))) as stranger,
        pytest.raises(AccessError, match="401"),
    ):
        stranger.open().check()
