"""A manifest at work when things go wrong: limits, lost answers, strange answers, merges, opt-outs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from syncd.connector import App
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.http.app import HttpApp
from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import caught_up, known, last_cursor, listing, new, news, one, persons
from syncd.model import Applied, Rejected, Result, Unknown, Write
from tests.conformance.vendors import FakeApiWorld, HubSpotWorld, VendorWorld


@pytest.fixture
def fake() -> Iterator[FakeApiWorld]:
    with contextlib.closing(FakeApiWorld()) as world:
        yield world


@pytest.fixture
def hub() -> Iterator[HubSpotWorld]:
    with contextlib.closing(HubSpotWorld()) as world:
        yield world


def asked(world: VendorWorld, method: str = "") -> list[str]:
    """List what was asked, and forget it."""
    found = [f"{each.method} {each.path}" for each in world.server.asked if each.method.startswith(method)]
    world.server.asked.clear()
    return found


def first_only(said: Said) -> Callable[[Asked], Said | None]:
    """Say this once, in the vendor's place."""
    script = iter([said])
    return lambda _: next(script, None)


def why(result: Result) -> str:
    return result.why if isinstance(result, Rejected) else type(result).__name__


def create(app: App, *emails: str) -> list[Result]:
    return app.write([new(app, number, email=email) for number, email in enumerate(emails)])


# Limits -----------------------------------------------------------------------------------------------------------------


def test_too_many_requests_are_asked_again_and_nothing_is_done_twice(fake: FakeApiWorld) -> None:
    app = fake.open()
    fake.server.before = first_only(Said(status=429, headers={"Retry-After": "2"}))
    assert [why(result) for result in create(app, "ada@example.org")] == ["Applied"]
    assert len(fake.sandbox.contacts) == 1


def test_too_many_requests_for_longer_than_we_wait_end_the_pass(fake: FakeApiWorld) -> None:
    app = fake.open()
    fake.server.before = lambda _: Said(status=429, headers={"Retry-After": "120"})
    with pytest.raises(TransientError) as caught:
        listing(app)
    assert caught.value.retry_after_seconds == 120
    assert [why(each) for each in create(app, "ada@example.org", "grace@example.org")] == ["busy", "busy"]
    assert fake.sandbox.contacts == {}


def test_what_is_left_is_kept_to_so_that_nothing_is_refused(fake: FakeApiWorld) -> None:
    fake.add_all(persons(5))
    fake.sandbox.rate = 3
    app = fake.open()
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        fake.sandbox.clock.pass_seconds(seconds)

    app.session._pace._sleep = nap  # type: ignore[attr-defined]
    app.session._pace._clock = fake.sandbox.clock.seconds  # type: ignore[attr-defined]
    for _ in range(10):
        listing(app)
    assert len(naps) == 3
    assert all(0 < seconds <= 1 for seconds in naps)


def test_a_limit_that_headers_tell_is_used_to_the_full_and_nothing_is_refused(hub: HubSpotWorld) -> None:
    hub.sandbox.step_seconds, hub.sandbox.burst = 0.05, 20  # a window of ten seconds that slides
    app = hub.open()
    refused: list[Asked] = []

    def look(asked: Asked, said: Said) -> Said:
        if said.status == 429:
            refused.append(asked)
        return said

    hub.server.after = look
    begun = hub.sandbox.clock.seconds()
    for _ in range(400):
        app.check()
    assert refused == []
    assert 400 / (hub.sandbox.clock.seconds() - begun) >= 0.95 * 20 / 10


# Lost and strange answers ----------------------------------------------------------------------------------------------


def test_a_lost_answer_with_a_key_is_asked_for_again(fake: FakeApiWorld) -> None:
    app = fake.open()
    lost = iter([Said(cut=True)])
    fake.server.after = lambda _, said: next(lost, said)
    assert [why(each) for each in create(app, "ada@example.org", "grace@example.org")] == ["Applied", "Applied"]
    assert len(fake.sandbox.contacts) == 2


def test_answers_that_are_lost_again_and_again_are_unknown_even_with_a_key(fake: FakeApiWorld) -> None:
    app = fake.open()
    fake.server.after = lambda _, said: Said(cut=True)
    assert [why(each) for each in create(app, "ada@example.org")] == ["Unknown"]
    assert len(asked(fake, "POST")) == 3
    assert len(fake.sandbox.contacts) == 1


@pytest.mark.parametrize("then", [Said(status=429), Said(status=401), Said(status=403)])
def test_what_is_refused_after_a_lost_answer_is_unknown(then: Said, fake: FakeApiWorld) -> None:
    app = fake.open()
    lost = iter([Said(cut=True)])
    fake.server.after = lambda _, said: next(lost, then)
    [result] = create(app, "ada@example.org")
    assert isinstance(result, Unknown)
    assert len(fake.sandbox.contacts) == 1


@pytest.mark.parametrize("then", [Said(status=429), Said(status=403), Said(cut=True)])
def test_what_is_refused_after_a_server_error_is_unknown(then: Said, fake: FakeApiWorld) -> None:
    app = fake.open()
    answers = iter([Said(status=503, headers={"Retry-After": "1"})])
    fake.server.after = lambda _, said: next(answers, then)
    assert [why(each) for each in create(app, "ada@example.org")] == ["Unknown"]


def test_a_lost_answer_without_a_key_is_unknown_and_nothing_more_is_sent(hub: HubSpotWorld) -> None:
    app = hub.open()
    hub.server.after = lambda _, said: Said(cut=True)
    assert [why(each) for each in create(app, "ada@example.org", "grace@example.org")] == ["Unknown", "Unknown"]
    assert asked(hub) == ["POST /crm/v3/objects/contacts/batch/create"]
    assert len(hub.sandbox.contacts) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_after_a_write_is_unknown(status: int, hub: HubSpotWorld) -> None:
    app = hub.open()
    hub.server.after = lambda _, said: Said(status=status, doc={"message": "private text"})
    [result] = create(app, "ada@example.org")
    assert isinstance(result, Unknown)
    assert "private" not in result.message


def test_a_server_error_is_read_again(fake: FakeApiWorld) -> None:
    fake.add(email="ada@example.org")
    fake.server.before = first_only(Said(status=503))
    assert len(listing(fake.open())) == 1


STRANGE: dict[str, Said] = {
    "html": Said(doc=b"<html>please log in</html>", headers={"Content-Type": "text/html"}),
    "cut json": Said(doc=b'{"data": [{"id": "1"'),
    "no list": Said(doc={"items": []}),
    "a list of texts": Said(doc={"data": ["a"], "has_more": False}),
    "items without id": Said(doc={"data": [{"version": 1}], "has_more": False}),
    "null": Said(doc=b"null"),
    "deep": Said(doc=b"[" * 5000 + b"]" * 5000),
    "nothing": Said(doc=b""),
    "a redirect": Said(status=302, headers={"Location": "https://example.org/"}),
}


@pytest.mark.parametrize("answer", STRANGE)
def test_a_strange_answer_is_never_an_empty_app(answer: str, fake: FakeApiWorld) -> None:
    fake.add(email="ada@example.org")
    app = fake.open()
    cursor = caught_up(app)
    fake.server.before = lambda _: STRANGE[answer]
    for ask in (lambda: listing(app), lambda: list(app.read(cursor)), lambda: app.get(["1", "2"])):
        with pytest.raises(TransientError) as caught:
            ask()
        assert "log in" not in str(caught.value)


@pytest.mark.parametrize("answer", STRANGE)
def test_a_strange_answer_to_a_write_is_unknown(answer: str, fake: FakeApiWorld) -> None:
    app = fake.open()
    fake.server.before = lambda _: STRANGE[answer]
    assert {why(result) for result in create(app, "ada@example.org")} == {"Unknown"}
    assert {why(result) for result in create(app, "ada@example.org", "grace@example.org")} <= {"Unknown", "busy"}


def test_an_endless_list_is_noticed(fake: FakeApiWorld) -> None:
    app = fake.open()
    page = {"data": [], "has_more": True, "next_cursor": "again"}
    fake.server.before = lambda _: Said(doc=page)
    with pytest.raises(TransientError, match="stands still"):
        listing(app)


def test_refused_credentials_stop_the_app_and_name_no_secret(fake: FakeApiWorld) -> None:
    id_ = fake.add(email="ada@example.org")
    app = fake.open()
    fake.sandbox.token = "another"
    with pytest.raises(AccessError) as caught:
        app.check()
    assert "check the app's secrets" in str(caught.value)
    results = app.write([Write(kind="update", id=id_, fields={"first_name": str(n)}, version="1") for n in range(3)])
    assert [why(each) for each in results] == ["busy"] * 3


def test_an_address_that_may_not_be_asked_opens_nothing() -> None:
    from syncd import registry
    from syncd.kit.worlds import opening

    connector = registry.load("fakeapi")
    for url, wrong in (("http://example.com", "plain text"), ("ftp://example.com", "https://")):
        given = opening(connector, {"url": url}, secrets={"token": "t"})
        with pytest.raises(ConfigError, match=wrong):
            connector.open(given)
    with (
        contextlib.closing(
            connector.open(opening(connector, {"url": "https://127.0.0.1"}, secrets={"token": "t"}))
        ) as app,
        pytest.raises(ConfigError, match="private"),
    ):
        app.check()


# Batches ----------------------------------------------------------------------------------------------------------------


def test_so_many_calls_as_are_needed(fake: FakeApiWorld) -> None:
    app = fake.open()
    results = app.write([new(app, n, **fields) for n, fields in enumerate(persons(100))])
    assert len(asked(fake)) == 1
    cursor = caught_up(app)
    asked(fake)
    list(app.read(cursor))
    assert len(asked(fake)) == 1
    records = [each.record for each in results if isinstance(each, Applied) and each.record is not None]
    updates = [
        Write(kind="update", id=each.id, fields={"notes": "x"}, expect={"notes": None}, version=each.version)
        for each in records
    ]
    assert {why(each) for each in app.write(updates)} == {"Applied"}
    assert asked(fake) == ["POST /v1/contacts/batch"]


def test_a_list_keeps_what_nobody_named(fake: FakeApiWorld) -> None:
    emails = [
        {"label": "work", "value": "ada@example.org", "verified": True},
        {"label": "home", "value": "home@example.org", "since": 1999},
    ]
    id_ = fake.sandbox.add({"emails": emails, "phones": [{"label": "fax", "value": "+49 30 1"}]})
    app = fake.open()
    record = known(app, id_)
    assert (record.fields["email"], record.fields["other_emails"]) == ("ada@example.org", ["home@example.org"])
    for fields in (
        {"email": "ada@example.com"},
        {"other_emails": ["new@example.org", "home@example.org"]},
        {"phone": None},
    ):
        assert isinstance(one(app, Write(kind="update", id=id_, fields=fields)), Applied)
    assert fake.sandbox.contacts[id_]["emails"] == [
        {"label": "work", "value": "ada@example.com", "verified": True},
        {"label": "home", "value": "new@example.org"},
        {"label": "home", "value": "home@example.org", "since": 1999},
    ]
    assert fake.sandbox.contacts[id_]["phones"] == []


def test_one_wrong_input_that_refuses_all_is_found_and_the_others_go(hub: HubSpotWorld) -> None:
    there = hub.add(email="ada@example.org")
    app = hub.open()
    results = create(app, "grace@example.org", "ada@example.org", "no address", "hedy@example.org")
    assert [why(each) for each in results] == ["Applied", "exists", "invalid", "Applied"]
    assert isinstance(results[1], Rejected)
    assert (results[1].field, results[1].existing) == ("email", there)
    assert isinstance(results[2], Rejected)
    assert results[2].field == "email"


def test_errors_beside_results_find_their_writes(hub: HubSpotWorld) -> None:
    ids = hub.add_all(persons(3))
    app = hub.open()
    app.get(ids)
    hub.sandbox.archive(ids[1])  # between our look and our write
    asked(hub)
    results = app.write([Write(kind="update", id=id_, fields={"company": "x"}) for id_ in ids])
    assert [why(each) for each in results] == ["Applied", "gone", "Applied"]
    assert asked(hub) == ["POST /crm/v3/objects/contacts/batch/update", "POST /crm/v3/objects/contacts/batch/read"]


# What HubSpot does ------------------------------------------------------------------------------------------------------


def test_more_changes_with_one_stamp_than_search_gives(hub: HubSpotWorld) -> None:
    app = hub.open()
    cursor = caught_up(app)
    hub.sandbox.clock.step_us = 0
    ids = set(hub.add_all(persons(450)))
    hub.sandbox.clock.pass_seconds(60)
    told = {record.id for page in app.read(cursor) for record in page.records}
    assert told == ids


def test_what_search_does_not_know_yet_is_told_later(hub: HubSpotWorld) -> None:
    app = hub.open()
    cursor = caught_up(app)
    id_ = hub.add(email="ada@example.org")
    pages = list(app.read(cursor))
    assert not any(page.records for page in pages)
    told, _, _ = news(app, last_cursor(pages))
    assert id_ in told


def test_who_was_merged_is_gone_and_the_other_is_told(hub: HubSpotWorld) -> None:
    winner, loser = hub.add(email="ada@example.org"), hub.add(email="ada@example.com", first_name="Ada")
    app = hub.open()
    cursor = caught_up(app)
    hub.sandbox.merge(winner, loser)
    assert app.get([winner, loser]).keys() == app.get([winner]).keys() == {winner}
    assert app.get([loser]) == {}
    told, _, _ = news(app, cursor)
    assert told[winner].fields["other_emails"] == ["ada@example.com"]
    assert [record.id for record in app.find("email", "ada@example.com")] == []


def test_an_opt_out_is_told_by_its_own_request_and_nobody_is_opted_in(hub: HubSpotWorld) -> None:
    id_ = hub.add(email="ada@example.org")
    app = hub.open()
    assert known(app, id_).fields["email_consent"] is None
    asked(hub)
    for word, told in (("false", "readonly"), ("opted_in", "readonly"), ("true", "Applied")):
        assert why(one(app, Write(kind="consent", id=id_, fields={"email_consent": word}))) == told
        assert bool(hub.sandbox.opted_out) == (word == "true")
    assert known(app, id_).fields["email_consent"] == "true"
    assert why(one(app, Write(kind="update", id=id_, fields={"email_consent": "true"}))) == "readonly"


def test_a_new_record_is_opted_out_before_it_is_there(hub: HubSpotWorld) -> None:
    app = hub.open()
    asked(hub)
    result = one(app, new(app, 1, email="ada@example.org", first_name="Ada", email_consent="true"))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields["email_consent"] == "true"
    assert [each.rpartition("/")[2] for each in asked(hub)] == ["unsubscribe-all", "contacts", result.record.id]
    hub.server.before = lambda request: Said(status=500) if "unsubscribe" in request.path else None
    assert why(one(app, new(app, 2, email="grace@example.org", email_consent="true"))) == "Unknown"
    assert len(hub.sandbox.contacts) == 1


def test_a_new_record_without_consent_asks_for_none(hub: HubSpotWorld) -> None:
    app = hub.open()
    asked(hub)
    for fields in ({}, {"email_consent": None}, {"email_consent": "false"}, {"email_consent": "opted_in"}):
        app.write([new(app, 1, email=f"ada{len(hub.sandbox.contacts)}@example.org", **fields)])
    assert len(hub.sandbox.contacts) == 4
    assert not any("communication" in each for each in asked(hub))


def failure(ask: Callable[[], Any]) -> str:
    with pytest.raises(SyncdError) as caught:
        ask()
    return str(caught.value)


def test_a_missing_scope_says_what_to_do(hub: HubSpotWorld) -> None:
    hub.server.before = lambda _: Said(status=403, doc={"category": "MISSING_SCOPES", "message": "x"})
    assert "the token lacks a scope (403, MISSING_SCOPES)" in failure(hub.open().check)


def test_a_member_that_is_missing_is_not_shown_where_records_name_every_field(hub: HubSpotWorld) -> None:
    """A property that a token may not read must not count as cleared; elsewhere what is missing is blank."""
    app, item = cast(HttpApp, hub.open()), {"id": "1", "properties": {"email": "ada@example.org", "phone": None}}
    assert app.record(item).fields == {"email": "ada@example.org", "phone": None}
    with contextlib.closing(FakeApiWorld()) as fake:
        fields = cast(HttpApp, fake.open()).record({"id": "1", "first_name": "Ada"}).fields
    assert fields.pop("first_name") == "Ada"
    assert len(fields) > 1
    assert set(fields.values()) == {None}
