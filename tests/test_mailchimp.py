"""What is peculiar to Mailchimp: consent that goes one way, members that are archived, batches that answer 200."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncd.connector import App
from syncd.kit.suite import caught_up, known, listing, new, news, one
from syncd.model import Applied, Rejected, Result, Write
from tests.conformance.vendors import MailchimpWorld


@pytest.fixture
def world() -> Iterator[MailchimpWorld]:
    with contextlib.closing(MailchimpWorld()) as made:
        yield made


def consent(app: App, id_: str, word: str) -> Result:
    return one(app, Write(kind="consent", id=id_, fields={"email_consent": word}))


def status(world: MailchimpWorld, id_: str) -> str:
    return world.sandbox.members[id_].status


def bodies(world: MailchimpWorld) -> str:
    return "\n".join(asked.body.decode() for asked in world.server.asked)


def test_a_new_member_is_subscribed_to_nothing(world: MailchimpWorld) -> None:
    app = world.open()
    single = one(app, new(app, 1, email="ada@example.org", first_name="Ada"))
    both = app.write(
        [new(app, 2, email="grace@example.org"), new(app, 3, email="hedy@example.org", email_consent=None)]
    )
    for result in (single, *both):
        assert isinstance(result, Applied)
        assert result.record is not None
        assert result.record.fields["email_consent"] == "transactional"
    assert '"subscribed"' not in bodies(world)


def test_a_new_member_carries_an_opt_out_and_an_opt_in_asks_the_person(world: MailchimpWorld) -> None:
    app = world.open()
    words = {"ada@example.org": "unsubscribed", "grace@example.org": "subscribed"}
    for email, word in words.items():
        result = one(app, new(app, 1, email=email, email_consent=word))
        assert isinstance(result, Applied)
        assert result.record is not None
        assert result.record.fields["email_consent"] == {"subscribed": "pending"}.get(word, word)
    assert '"subscribed"' not in bodies(world)


def test_who_unsubscribed_is_never_subscribed_by_force(world: MailchimpWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    assert isinstance(consent(app, id_, "unsubscribed"), Applied)
    assert status(world, id_) == "unsubscribed"
    result = consent(app, id_, "subscribed")
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields["email_consent"] == "pending" == status(world, id_)
    for word in ("cleaned", "pending", "transactional", "opted_in", ""):
        refused = consent(app, id_, word)
        assert isinstance(refused, Rejected)
        assert (refused.why, refused.field) == ("readonly", "email_consent")


def test_a_compliance_state_is_final(world: MailchimpWorld) -> None:
    world.settings = {**world.settings, "opt_in": "subscribed"}
    id_ = world.add(email="ada@example.org")
    app = world.open()
    assert isinstance(consent(app, id_, "unsubscribed"), Applied)
    result = consent(app, id_, "subscribed")
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("invalid", "email_consent")
    assert "by nobody but themselves" in result.message
    assert status(world, id_) == "unsubscribed"


def test_a_change_of_profile_never_touches_consent(world: MailchimpWorld) -> None:
    ids = [world.add(email=f"{word}@example.org") for word in ("subscribed", "unsubscribed", "pending", "cleaned")]
    for id_, word in zip(ids, ("subscribed", "unsubscribed", "pending", "cleaned"), strict=True):
        world.sandbox.edit(id_, status=word)
    app = world.open()
    before = [status(world, id_) for id_ in ids]
    results = app.write([Write(kind="update", id=id_, fields={"first_name": "Ada"}) for id_ in ids])
    assert all(isinstance(result, Applied) for result in results)
    assert [status(world, id_) for id_ in ids] == before
    assert "status" not in bodies(world)


def test_another_address_keeps_the_member(world: MailchimpWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    result = one(app, Write(kind="update", id=id_, fields={"email": "Ada@example.com"}))
    assert isinstance(result, Applied)
    assert known(app, id_).fields["email"] == "Ada@example.com"
    assert [record.id for record in app.find("email", "ada@example.com")] == [id_]
    assert listing(app).keys() == {id_}


def test_a_batch_tells_by_address_who_is_there_already(world: MailchimpWorld) -> None:
    there = world.add(email="ada@example.org")
    world.sandbox.delete_for_good(gone := world.add(email="gone@example.org"))
    app = world.open()
    emails = ("Grace@example.org", "ADA@example.org", "no address", "gone@example.org", "hedy@example.org")
    results = app.write([new(app, number, email=email) for number, email in enumerate(emails)])
    told = [result.why if isinstance(result, Rejected) else "made" for result in results]
    assert told == ["made", "exists", "invalid", "invalid", "made"]
    assert isinstance(results[1], Rejected)
    assert results[1].existing == there
    assert gone not in listing(app)


def test_who_was_archived_is_told_and_may_come_back(world: MailchimpWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    cursor = caught_up(app)
    assert isinstance(one(app, Write(kind="archive", id=id_, fields={})), Applied)
    told, gone, cursor = news(app, cursor)
    assert (told, gone) == ({}, {id_})
    world.sandbox.edit(id_, status="subscribed")
    told, _, _ = news(app, cursor)
    assert told.keys() == {id_}
