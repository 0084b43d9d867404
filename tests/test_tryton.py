"""What is peculiar to Tryton, on a running one: faults that are HTTP 200, what belongs to a party, dates that do not move."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping

import pytest

from connectors.tryton.server import Tryton
from connectors.tryton.world import World as TrytonWorld
from syncd import registry
from syncd.errors import AccessError
from syncd.http.sandbox import Asked
from syncd.kit.suite import caught_up, known, listing, new, news, one
from syncd.model import Applied, FieldMap, Rejected, Write


class Books(TrytonWorld):
    """One database, with the fields that the connector knows by itself."""

    mapped: Mapping[str, FieldMap] = {}


@pytest.fixture
def world(books: Tryton) -> Iterator[Books]:
    with contextlib.closing(Books(books, registry.load("tryton"))) as made:
        yield made


def ada(world: Books) -> str:
    """Make a party with two addresses and two e-mail addresses."""
    mechanisms = [
        {"type": "email", "value": "ada@example.org"},
        {"type": "email", "value": "countess@example.org"},
        {"type": "phone", "value": "+442079460000"},
    ]
    addresses = [{"street": "1 High Street", "city": "London", "postal_code": "N1"}, {"city": "Paris"}]
    made = {"contact_mechanisms": [["create", mechanisms]], "addresses": [["create", addresses]]}
    return world.books.create([{"name": "Ada Lovelace", **made}])[0]


def test_a_party_is_read_with_what_belongs_to_it(world: Books) -> None:
    record = known(world.open(), ada(world))
    code = record.fields["account_number"]
    assert record.fields == {
        "full_name": "Ada Lovelace", "email": "ada@example.org", "phone": "+44 20 7946 0000", "mobile": None,
        "website": None, "street": "1 High Street", "postal_code": "N1", "city": "London", "country": None,
        "language": None, "account_number": code,
    }  # fmt: skip
    assert code


def test_only_what_is_named_is_written_of_what_belongs_to_a_party(world: Books) -> None:
    id_ = ada(world)
    app, before = world.open(), world.books.parties()[id_]
    fields = {"email": "ada@example.com", "mobile": "+44 7911 123456", "phone": None, "city": None}
    result = one(app, Write(kind="update", id=id_, fields=fields, expect=known(app, id_).fields))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields.items() >= {**fields, "street": "1 High Street", "postal_code": "N1"}.items()
    after = world.books.parties()[id_]
    kept = [each["id"] for each in before["contact_mechanisms."] if each["type"] == "email"]
    assert [each["id"] for each in after["contact_mechanisms."] if each["type"] == "email"] == kept
    assert after["contact_mechanisms."][1] == before["contact_mechanisms."][1], (
        "the second address is nobody's business"
    )
    assert after["addresses."][1] == before["addresses."][1]


@pytest.mark.parametrize("model", ["party.contact_mechanism", "party.address"])
@pytest.mark.parametrize("change", ["changed", "put away", "added"])
def test_what_belongs_to_a_party_is_seen_though_its_own_date_stays(model: str, change: str, world: Books) -> None:
    id_ = ada(world)
    app = world.open()
    cursor, party = caught_up(app), world.books.parties()[id_]
    children = party["contact_mechanisms." if model == "party.contact_mechanism" else "addresses."]
    name, value = ("value", "new@example.org") if model == "party.contact_mechanism" else ("city", "Rome")
    if change == "added":
        more = (
            {"type": "mobile", "value": "+44 7911 123456"} if model == "party.contact_mechanism" else {"city": "Rome"}
        )
        world.books.call(f"model.{model}.create", [{"party": int(id_), **more}], {})
    else:
        world.books.write(model, children[0]["id"], **({name: value} if change == "changed" else {"active": False}))
    assert world.books.parties()[id_]["write_date"] == party["write_date"], "the party's date has not moved"
    version = listing(app)[id_].version
    told, _, _ = news(app, cursor)
    assert told[id_].version == version == known(app, id_).version
    shown = told[id_].fields["email" if model == "party.contact_mechanism" else "city"]
    if change == "changed":
        assert shown == value
    if change == "put away":
        assert shown == ("countess@example.org" if model == "party.contact_mechanism" else "Paris")


def test_an_edit_in_the_last_moment_is_never_overwritten(world: Books) -> None:
    """Somebody is faster than our write, which has left already: the server sees both."""
    id_ = ada(world)
    app = world.open()
    email, numbers = world.books.mechanism(id_, "email")["id"], itertools.count(1)

    def faster(asked: Asked) -> None:
        if b"party.party.write" in asked.body:
            world.books.write("party.contact_mechanism", email, value=f"faster{next(numbers)}@example.org")

    world.wire.before = faster
    result = one(app, Write(kind="update", id=id_, fields={"email": "ours@example.org"}))
    assert isinstance(result, Rejected)
    assert result.why == "moved"
    assert known(app, id_).fields["email"] == "faster1@example.org"


def test_a_version_that_is_no_longer_good_is_told_before_anything_is_written(world: Books) -> None:
    id_ = ada(world)
    app = world.open()
    seen = known(app, id_)
    world.books.write("party.contact_mechanism", world.books.mechanism(id_, "phone")["id"], value="+442079460001")
    for kind in ("update", "archive"):
        fields = {"full_name": "Ada"} if kind == "update" else {}
        result = one(app, Write(kind=kind, id=id_, fields=fields, version=seen.version))
        assert isinstance(result, Rejected)
        assert result.why == "moved"


@pytest.mark.parametrize("field", ["phone", "mobile"])
def test_a_number_that_is_none_is_invalid_though_the_answer_is_200(field: str, world: Books) -> None:
    id_ = ada(world)
    app, before = world.open(), world.everything()
    result = one(app, Write(kind="update", id=id_, fields={field: "12", "full_name": "Other"}))
    assert isinstance(result, Rejected)
    assert result.why == "invalid"
    assert "12" not in result.message
    assert world.everything() == before, "the whole of it was undone"


def test_who_is_inactive_is_gone_and_who_is_deleted_as_well(world: Books) -> None:
    inactive, deleted, kept = ada(world), ada(world), ada(world)
    app = world.open()
    cursor = caught_up(app)
    world.books.write("party.party", inactive, active=False)
    world.books.delete("party.party", deleted)
    _, gone, _ = news(app, cursor)
    assert gone == {inactive}, "nobody tells of who was deleted"
    assert app.get([inactive, deleted, kept]).keys() == {kept} == listing(app).keys()
    for id_ in (inactive, deleted):
        result = one(app, Write(kind="update", id=id_, fields={"full_name": "Augusta"}))
        assert isinstance(result, Rejected)
        assert result.why == "gone"


def test_two_may_have_one_address(world: Books) -> None:
    there = ada(world)
    app = world.open()
    result = one(app, new(app, 1, full_name="Ada", email="ada@example.org"))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert {record.id for record in app.find("email", "ADA@example.org")} == {there, result.record.id}


def test_a_session_that_has_ended_is_begun_again(world: Books) -> None:
    id_ = ada(world)
    app = world.open()
    assert known(app, id_).fields["email"] == "ada@example.org"
    world.books.end_sessions()
    assert isinstance(one(app, Write(kind="update", id=id_, fields={"full_name": "Ada"})), Applied)


def test_a_wrong_password_is_told_as_such(books: Tryton) -> None:
    class Stranger(Books):
        secrets: Mapping[str, str] = {"password": "another"}

    with (
        contextlib.closing(Stranger(books, registry.load("tryton"))) as stranger,
        pytest.raises(AccessError, match="401"),
    ):
        stranger.open().check()
