"""What is peculiar to Roundup, on a running tracker: ETags, retired users, the account's time zone, refusals that are all 409."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from connectors.roundup.server import Roundup
from connectors.roundup.world import World as RoundupWorld
from syncd import registry
from syncd.errors import AccessError
from syncd.http.app import HttpApp, connector
from syncd.kit.suite import caught_up, known, listing, new, news, one
from syncd.model import Applied, Rejected, Write


@pytest.fixture
def world(tracker: Roundup) -> Iterator[RoundupWorld]:
    with contextlib.closing(RoundupWorld(tracker)) as made:
        yield made


@pytest.mark.parametrize("zone", ["-11", "0", "12"])
def test_the_time_zone_of_the_account_hides_no_change(zone: str, world: RoundupWorld) -> None:
    world.tracker.edit("1", timezone=zone)
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    cursor = caught_up(app)
    world.edit(id_, first_name="Ada")
    told, _, _ = news(app, cursor)
    assert told[id_].fields["first_name"] == "Ada"
    _, none = world.tracker.request("GET", "user?activity=2100-01-01T00:00:00%2B0000;")
    assert none["data"]["collection"] == [], "it does filter: what it does not understand would give everybody"
    assert other in listing(app)


def test_who_is_retired_is_gone_although_roundup_still_shows_and_would_take_it(world: RoundupWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    world.tracker.retire(id_)
    assert world.tracker.one(id_)["attributes"]["realname"] == "Ada", "it answers as if nothing had happened"
    assert app.get([id_]) == {}
    for write in (
        Write(kind="update", id=id_, fields={"first_name": "Augusta"}),
        Write(kind="archive", id=id_, fields={}),
    ):
        result = one(app, write)
        assert isinstance(result, Rejected)
        assert result.why == "gone"
    again = one(app, new(app, 1, email="ada@example.org"))
    assert isinstance(again, Applied), "the address of somebody retired is free"


class Raced(HttpApp):
    """An app in which somebody edits a record between our look at it and our write."""

    edit: Callable[[], None]

    def items(self, ids: Sequence[str]) -> dict[str, Any]:
        found = super().items(ids)
        self.edit()
        return found


def test_an_edit_in_the_last_moment_is_never_overwritten(tracker: Roundup) -> None:
    raced = connector(registry.find("roundup") / registry.MANIFEST, "roundup", Raced)
    with contextlib.closing(RoundupWorld(tracker, raced)) as world:
        id_ = world.add(email="ada@example.org", phone="+49 30 1")
        app = world.open()
        assert isinstance(app, Raced)
        numbers = itertools.count(2)
        app.edit = lambda: world.edit(id_, phone=f"+49 30 {next(numbers)}")
        for write in (
            Write(kind="update", id=id_, fields={"phone": "+49 30 9"}, expect={}),
            Write(kind="archive", id=id_, fields={}),
        ):
            result = one(app, write)
            assert isinstance(result, Rejected)
            assert result.why == "moved"
        assert tracker.one(id_)["attributes"]["phone"] == "+49 30 3", "the last of the two edits"


def test_who_has_more_than_the_role_of_a_user_is_nobody_of_ours(world: RoundupWorld) -> None:
    id_, staff = world.add(email="ada@example.org"), world.tracker.add(username="boss", roles="User,Admin")
    app = world.open()
    assert listing(app).keys() == {id_}
    assert app.get(["1", "2", staff]) == {}
    world.tracker.edit(id_, roles="User,Admin")
    assert app.get([id_]) == {}
    result = one(app, Write(kind="update", id=id_, fields={"phone": "1"}))
    assert isinstance(result, Rejected)
    assert result.why == "gone"


def test_an_address_is_there_once_in_whatever_letters_and_under_whatever_heading(world: RoundupWorld) -> None:
    there = world.tracker.add(username="ada", address="Ada@example.org", alternate_addresses="countess@example.org")
    app = world.open()
    for address, existing in (("ada@example.org", there), ("ADA@EXAMPLE.ORG", there), ("countess@example.org", None)):
        result = one(app, new(app, 1, email=address))
        assert isinstance(result, Rejected)
        assert (result.why, result.field, result.existing) == ("exists", "email", existing)
        assert address not in result.message
    result = one(app, new(app, 2, email="other@example.org", other_emails=["a@example.org", "b@example.org"]))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields["other_emails"] == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize("address", ["no@@address", "o'brien@example.org", "jürgen@example.org"])
def test_an_address_that_makes_no_user_is_invalid_though_roundup_says_conflict(
    address: str, world: RoundupWorld
) -> None:
    app = world.open()
    result = one(app, new(app, 1, email=address))
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("invalid", "email")
    assert address not in result.message
    assert listing(app) == {}


def test_a_wrong_password_is_told_as_such(world: RoundupWorld) -> None:
    class Stranger(RoundupWorld):
        secrets: Mapping[str, str] = {"password": "another"}

    with (
        contextlib.closing(Stranger(world.tracker, world.connector)) as stranger,
        pytest.raises(AccessError, match="401"),
    ):
        stranger.open().check()


def test_fifty_are_asked_for_at_once(world: RoundupWorld) -> None:
    ids = world.add_all({"email": f"p{n}@example.org"} for n in range(60))
    app = world.open()
    assert known(app, ids[0]).fields["email"] == "p0@example.org"
    assert list(app.get([*ids, "99999"])) == ids
