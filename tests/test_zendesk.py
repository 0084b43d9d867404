"""What is peculiar to Zendesk: addresses are identities, the export tells of everybody, the last minute is held back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncd.http.sandbox import Said
from syncd.kit.suite import caught_up, known, last_cursor, listing, new, news, one, persons
from syncd.model import Applied, Rejected, Unknown, Write
from tests.conformance.vendors import ZendeskWorld


@pytest.fixture
def world() -> Iterator[ZendeskWorld]:
    with contextlib.closing(ZendeskWorld()) as made:
        yield made


def addresses(world: ZendeskWorld, id_: str) -> dict[str, bool]:
    return {each["value"]: each["primary"] for each in world.sandbox.identities[int(id_)]}


def test_another_address_becomes_the_primary_one(world: ZendeskWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    fields = {"email": "ada@example.com", "first_name": "Ada"}
    result = one(app, Write(kind="update", id=id_, fields=fields, expect={"email": "ada@example.org"}))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields.items() >= fields.items()
    assert addresses(world, id_) == {"ada@example.org": False, "ada@example.com": True}
    back = one(app, Write(kind="update", id=id_, fields={"email": "ada@example.org"}))
    assert isinstance(back, Applied)
    assert addresses(world, id_) == {"ada@example.org": True, "ada@example.com": False}


def test_an_address_of_another_user_is_refused_and_nothing_else_is_written(world: ZendeskWorld) -> None:
    there, id_ = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    result = one(app, Write(kind="update", id=id_, fields={"email": "ADA@example.org", "first_name": "Grace"}))
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("exists", "email")
    assert known(app, id_).fields["first_name"] is None
    assert addresses(world, there) == {"ada@example.org": True}


def test_an_address_that_was_added_but_is_not_primary_is_in_doubt(world: ZendeskWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    world.server.before = lambda asked: Said(status=500) if asked.parts[-1] == "make_primary" else None
    result = one(app, Write(kind="update", id=id_, fields={"email": "ada@example.com"}))
    assert isinstance(result, Unknown)


def test_a_new_user_gets_no_mail_and_an_address_once(world: ZendeskWorld) -> None:
    there = world.add(email="ada@example.org")
    app = world.open()
    results = app.write([new(app, n, email=email) for n, email in enumerate(("ada@example.org", "grace@example.org"))])
    assert isinstance(results[0], Rejected)
    assert (results[0].why, results[0].existing) == ("exists", there)
    assert isinstance(results[1], Applied)
    bodies = [asked.body for asked in world.server.asked if asked.method == "POST"]
    assert all(b'"skip_verify_email":true' in body for body in bodies)


def test_a_new_user_is_named_by_the_names_that_lie_in_user_fields(world: ZendeskWorld) -> None:
    """Found by the demo: whoever syncd made in Zendesk was called by the address, whatever the other apps knew."""
    app = world.open()
    fields = ({"email": "ada@example.org", "first_name": "Ada"}, {"email": "grace@example.org"})
    made = app.write([new(app, n, **each) for n, each in enumerate(fields)])
    assert all(isinstance(each, Applied) for each in made)
    assert [user["name"] for user in world.sandbox.users.values()][-2:] == ["Ada", "grace@example.org"]


def test_the_language_of_the_account_is_nobodys(world: ZendeskWorld) -> None:
    """Found by the demo: 375 members of a newsletter were given the language of the helpdesk."""
    id_ = world.add(email="ada@example.org")
    assert not {"language", "timezone"} & known(world.open(), id_).fields.keys()


def test_the_export_goes_on_where_it_ended(world: ZendeskWorld) -> None:
    app = world.open()
    cursor = caught_up(app)
    ids = set(world.add_all(persons(5)))
    world.sandbox.clock.pass_seconds(120)
    told, _, cursor = news(app, cursor)
    assert told.keys() == ids
    world.server.asked.clear()
    pages = list(app.read(cursor))
    assert [page.records for page in pages] == [[]]
    [asked] = world.server.asked
    assert asked.query.keys() == {"cursor", "per_page"}
    assert last_cursor(pages) is not None


def test_the_last_minute_is_told_later_and_not_lost(world: ZendeskWorld) -> None:
    app = world.open()
    cursor = caught_up(app)
    id_ = world.add(email="ada@example.org")
    pages = list(app.read(cursor))
    assert not any(page.records for page in pages)
    world.sandbox.clock.pass_seconds(60)
    [page] = list(app.read(last_cursor(pages)))
    assert [record.id for record in page.records] == [id_]


def test_agents_are_nobody_and_who_becomes_one_is_gone(world: ZendeskWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    assert listing(app).keys() == {id_}
    cursor = caught_up(app)
    world.sandbox.edit(id_, {"role": "agent"})
    told, gone, _ = news(app, cursor)
    assert (told, gone) == ({}, {id_})
    assert app.get([id_]) == {}


def test_who_was_merged_is_gone(world: ZendeskWorld) -> None:
    winner, loser = world.add(email="ada@example.org"), world.add(email="ada@example.com")
    app = world.open()
    cursor = caught_up(app)
    world.sandbox.merge(winner, loser)
    told, gone, _ = news(app, cursor)
    assert (set(told), gone) == ({winner}, {loser})
    assert [record.id for record in app.find("email", "ada@example.com")] == []
