"""What is peculiar to Xero: tokens that are good once, telephone numbers in parts, names that are there once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from syncd.errors import AccessError, TransientError
from syncd.http.sandbox import Said
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Applied, FieldMap, Rejected, Write
from syncd.store.keeper import StoreKeeper
from tests.conformance.vendors import XeroWorld


@pytest.fixture
def world() -> Iterator[XeroWorld]:
    with contextlib.closing(XeroWorld()) as made:
        yield made


def paths(world: XeroWorld) -> list[str]:
    """List what was asked, and forget it."""
    found = [f"{asked.method} {asked.parts[-1]}" for asked in world.server.asked]
    world.server.asked.clear()
    return found


# Tokens -----------------------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_used_once_and_the_next_is_stored_before_it_is_used(world: XeroWorld) -> None:
    app = world.open()
    listing(app)
    listing(world.open())  # another process would do the same
    assert paths(world) == ["POST token", "GET Contacts", "GET Contacts"]
    sealed = world.store.read(lambda tx: tx.login("app"))
    assert sealed is not None
    assert b"refresh" not in sealed
    kept = StoreKeeper(lambda: world.store, "app").load()
    assert kept is not None
    assert kept["refresh"] == world.sandbox.login.refresh == "refresh-1"


def test_kept_tokens_that_cannot_be_opened_stop_the_app_and_spend_nothing(world: XeroWorld) -> None:
    listing(world.open())
    world.store.transact(lambda tx: tx.keep_login("app", b"damaged" * 10))
    with pytest.raises(AccessError, match="syncd auth app"):
        listing(world.open())
    assert world.sandbox.login.refresh == "refresh-1"


class Full(StoreKeeper):
    """A store whose disk is full."""

    def save(self, doc: Mapping[str, Any]) -> None:
        raise TransientError("the disk is full")


def test_a_store_that_cannot_be_written_spends_no_token(world: XeroWorld) -> None:
    app = world.opened(world.settings_at(world.server.url), keeper=Full(lambda: world.store, "app"))
    with pytest.raises(TransientError, match="the disk is full"):
        listing(app)
    assert paths(world) == []
    assert world.sandbox.login.refresh == "refresh-0"


def test_a_wrong_client_does_not_make_us_forget_the_login_of_the_right_one(world: XeroWorld) -> None:
    listing(world.open())
    right, world.secrets = world.secrets, {**world.secrets, "client_id": "mistyped", "refresh_token": ""}
    with pytest.raises(AccessError):
        listing(world.open())
    world.secrets = right
    paths(world)
    listing(world.open())
    assert paths(world) == ["GET Contacts"]


def test_another_refresh_token_in_the_configuration_begins_anew(world: XeroWorld) -> None:
    listing(world.open())
    world.sandbox.login.refresh = "refresh-given"
    world.secrets = {**world.secrets, "refresh_token": "refresh-given"}
    paths(world)
    listing(world.open())
    assert paths(world) == ["POST token", "GET Contacts"]
    world.secrets = {name: text for name, text in world.secrets.items() if name != "refresh_token"}
    listing(world.open())
    assert paths(world) == ["GET Contacts"]  # what is kept is good without the first one


def test_a_token_is_renewed_before_its_end(world: XeroWorld) -> None:
    app = world.open()
    listing(app)
    world.sandbox.clock.pass_seconds(1750)
    paths(world)
    listing(app)
    assert paths(world) == ["POST token", "GET Contacts"]


def test_a_token_that_is_refused_early_is_renewed_once(world: XeroWorld) -> None:
    app = world.open()
    listing(app)
    world.sandbox.login.tokens.clear()
    paths(world)
    assert isinstance(one(app, new(app, 1, email="ada@example.org")), Applied)
    assert paths(world) == ["PUT Contacts", "POST token", "PUT Contacts"]
    assert len(world.sandbox.contacts) == 1


def test_a_refresh_token_that_is_used_up_stops_the_app_and_is_not_shown(world: XeroWorld) -> None:
    world.sandbox.login.refresh = "somebody else has it"
    app = world.open()
    with pytest.raises(AccessError) as caught:
        app.check()
    assert "no longer good" in str(caught.value)
    assert "refresh-0" not in f"{caught.value} {caught.value.detail}"
    results = app.write([new(app, 1, email="ada@example.org")])
    assert [result.why for result in results if isinstance(result, Rejected)] == ["busy"]


def test_a_lost_answer_of_the_token_endpoint_is_not_asked_for_again(world: XeroWorld) -> None:
    app = world.open()
    world.server.after = lambda asked, said: Said(cut=True) if asked.parts[-1] == "token" else said
    with pytest.raises(TransientError):
        listing(app)
    assert paths(world) == ["POST token"]


# Writes -----------------------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_asked_for_again_by_its_key(world: XeroWorld) -> None:
    app = world.open()
    app.check()
    lost = iter([Said(cut=True)])
    world.server.after = lambda asked, said: next(lost, said) if asked.method == "PUT" else said
    results = app.write([new(app, number, **fields) for number, fields in enumerate(persons(3))])
    assert all(isinstance(result, Applied) for result in results)
    assert len(world.sandbox.contacts) == 3


def test_a_name_is_made_of_what_there_is(world: XeroWorld) -> None:
    app = world.open()
    people = (
        {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org"},
        {"last_name": "Hopper"},
        {"email": "hedy@example.org"},
    )
    app.write([new(app, number, **fields) for number, fields in enumerate(people)])
    assert [each["Name"] for each in world.sandbox.contacts.values()] == ["Ada Lovelace", "Hopper", "hedy@example.org"]
    results = app.write([new(app, 4, phone="1"), new(app, 5, first_name="ada", last_name="lovelace")])
    assert [result.why for result in results if isinstance(result, Rejected)] == ["invalid", "exists"]


def test_a_name_that_is_written_to_nobody_stays(world: XeroWorld) -> None:
    id_ = world.add(first_name="Ada", email="ada@example.org")
    app = world.open()
    name = world.sandbox.contacts[id_]["Name"]
    assert isinstance(one(app, Write(kind="update", id=id_, fields={"first_name": "Augusta"})), Applied)
    assert world.sandbox.contacts[id_]["Name"] == name


def test_a_telephone_number_in_three_parts_is_one_text(world: XeroWorld) -> None:
    id_ = world.add(first_name="Ada", phone="+49 30 1")
    app = world.open()
    assert known(app, id_).fields["mobile"] == "+49 171 1 234"
    result = one(app, Write(kind="update", id=id_, fields={"phone": "+44 20 2"}))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert (result.record.fields["phone"], result.record.fields["mobile"]) == ("+44 20 2", "+49 171 1 234")
    cleared = one(app, Write(kind="update", id=id_, fields={"mobile": None}))
    assert isinstance(cleared, Applied)
    assert known(app, id_).fields["mobile"] is None
    assert known(app, id_).fields["phone"] == "+44 20 2"


def test_who_was_merged_or_archived_is_gone(world: XeroWorld) -> None:
    winner, loser = world.add(first_name="Ada"), world.add(first_name="Augusta")
    app = world.open()
    cursor = caught_up(app)
    world.sandbox.merge(winner, loser)
    told, gone, _ = news(app, cursor)
    assert (gone, loser in told) == ({loser}, False)
    assert app.get([winner, loser]).keys() == {winner} == listing(app).keys()
    result = one(app, Write(kind="update", id=loser, fields={"first_name": "x"}))
    assert isinstance(result, Rejected)
    assert result.why == "gone"


def test_a_minute_that_is_used_up_is_waited_for(world: XeroWorld) -> None:
    app = world.open()
    world.sandbox.a_minute = 3
    for _ in range(3):
        listing(app)
    with pytest.raises(TransientError) as caught:
        listing(app)
    assert 30 < (caught.value.retry_after_seconds or 0) <= 60


def test_the_name_of_a_contact_can_be_the_companys(world: XeroWorld) -> None:
    """Found when its page was read again: what it told to write into the configuration was refused."""
    world.mapped = {"company": FieldMap(path="Name")}
    app = world.open()
    made = one(app, new(app, 1, email="ada@example.org", first_name="Ada", company="Analytical Engines"))
    assert isinstance(made, Applied)
    assert made.record is not None
    assert (made.record.fields["company"], made.record.fields["first_name"]) == ("Analytical Engines", "Ada")
    assert [each["Name"] for each in world.sandbox.contacts.values()] == ["Analytical Engines"]
