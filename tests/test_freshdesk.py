"""What is peculiar to Freshdesk: lists without an envelope, deletions that answer, addresses that are somebody's second one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncd.errors import ConfigError, TransientError
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Applied, FieldMap, Rejected, Write
from tests.conformance.vendors import FreshdeskWorld, statuses_of
from tests.test_discovery import called, opened, wrote


@pytest.fixture
def world() -> Iterator[FreshdeskWorld]:
    with contextlib.closing(FreshdeskWorld()) as made:
        yield made


def test_pages_go_on_by_the_link_and_at_our_origin_only(world: FreshdeskWorld) -> None:
    ids = world.add_all(persons(250))
    app = world.open()
    assert set(listing(app)) == set(ids)
    assert [asked.query.get("page") for asked in world.server.asked if asked.parts[-1] == "contacts"] == [
        None,
        "2",
        "3",
    ]
    world.sandbox.url = "http://127.0.0.1:1"
    with pytest.raises(TransientError, match="another origin"):
        list(app.read(None))


def test_an_address_among_the_others_of_somebody_is_told_with_who_has_it(world: FreshdeskWorld) -> None:
    there = world.add(email="ada@example.org", other_emails=["ada@example.com"])
    app = world.open()
    result = one(app, new(app, 1, email="ADA@example.com", first_name="Ada"))
    assert isinstance(result, Rejected)
    assert (result.why, result.field, result.existing) == ("exists", "email", there)


def test_a_number_that_another_has_is_refused_by_its_field(world: FreshdeskWorld) -> None:
    world.add(email="ada@example.org", mobile="+49 171 1")
    id_ = world.add(email="grace@example.org")
    app = world.open()
    result = one(app, Write(kind="update", id=id_, fields={"mobile": "+49 171 1"}))
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("invalid", "mobile")
    assert "another contact" in result.message


def test_who_was_merged_is_told_to_be_gone_and_its_address_is_one_more(world: FreshdeskWorld) -> None:
    kept, lost = world.add(email="ada@example.org"), world.add(email="ada@example.com")
    app = world.open()
    cursor = caught_up(app)
    world.merge(kept, lost)
    told, gone, _ = news(app, cursor)
    assert (set(told), gone) == ({kept}, {lost})
    assert told[kept].fields["other_emails"] == ["ada@example.com"]


def test_a_deleted_contact_that_would_take_a_change_is_left_alone(world: FreshdeskWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    world.delete(id_)
    before = world.everything()
    result = one(app, Write(kind="update", id=id_, fields={"first_name": "Augusta"}))
    assert isinstance(result, Rejected)
    assert result.why == "gone"
    assert world.everything() == before
    assert not [asked for asked in world.server.asked if asked.method == "PUT"]


def test_who_is_blocked_is_in_no_listing_and_still_there(world: FreshdeskWorld) -> None:
    id_, other = world.add_all(persons(2))
    world.sandbox.blocked.add(int(id_))
    app = world.open()
    assert set(listing(app)) == {other}
    assert known(app, id_).id == id_


def test_a_contact_without_a_name_is_named_by_what_there_is(world: FreshdeskWorld) -> None:
    app = world.open()
    for number, fields in enumerate(({"email": "ada@example.org"}, {"phone": "+49 30 1"})):
        assert isinstance(one(app, new(app, number, **fields)), Applied)
    assert [each["name"] for each in world.sandbox.contacts.values()] == ["ada@example.org", "+49 30 1"]
    nobody = one(app, new(app, 3, first_name="Ada"))
    assert isinstance(nobody, Rejected)
    assert nobody.why == "invalid"


def test_a_minute_is_not_overdrawn_and_a_tenth_of_it_is_left_to_others(world: FreshdeskWorld) -> None:
    ids = world.add_all(persons(30))
    world.sandbox.a_minute = 20
    statuses = statuses_of(world)
    app = world.open()
    with pytest.raises(TransientError, match="limit of requests"):
        app.get(ids)
    assert statuses == [200] * 18
    world.sandbox.clock.pass_seconds(60)
    assert app.get(ids[:18]).keys() == set(ids[:18])
    assert statuses == [200] * 36


# Fields of the account's own -------------------------------------------------------------------------------------------


def test_contact_fields_lie_without_the_beginning_of_their_names(world: FreshdeskWorld) -> None:
    for label, type_ in (("VIP", "checkbox"), ("Points", "number")):
        world.sandbox.define(label, type_)
    world.sandbox.define("Plan", "dropdown", ("Gold", "Silver"))
    app = opened(
        world,
        role=FieldMap(path="", label="vip"),
        lead_score=FieldMap(path="custom_fields.points"),
        industry=FieldMap(path="", label="Plan"),
    )
    id_ = world.add(email="ada@example.org")
    assert wrote(app, id_, role="true", lead_score="12", industry="Gold") == {
        "role": True,
        "lead_score": 12,
        "industry": "Gold",
    }
    assert world.sandbox.contacts[int(id_)]["custom_fields"].items() >= {"vip": True, "points": 12}.items()
    assert called(app, "Plan").options == {"Gold": "Gold", "Silver": "Silver"}
    assert "Email" not in {each.label for each in app.offered()}, "what every account has is in the manifest"
    with pytest.raises(ConfigError, match=r"nothing lies at custom_fields\.cf_points"):
        opened(world, lead_score=FieldMap(path="custom_fields.cf_points"))


def test_an_account_that_keeps_the_beginning_says_so_by_a_setting(world: FreshdeskWorld) -> None:
    world.sandbox.bare = False
    name = world.sandbox.define("Points", "number")
    world.settings = {"custom_prefix": "-"}
    app = opened(
        world,
        first_name=FieldMap(path="", direction="none"),
        company=FieldMap(path="", direction="none"),
        lead_score=FieldMap(path="", label="Points"),
    )
    assert app.fields["lead_score"].path == f"custom_fields.{name}" == "custom_fields.cf_points"
    id_ = world.sandbox.add({"name": "Ada", "email": "ada@example.org"})
    assert wrote(app, id_, lead_score="12") == {"lead_score": 12}
