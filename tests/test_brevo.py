"""What is peculiar to Brevo: an address that moves among the attributes, a blocklist that could be undone, what is ignored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from connectors.brevo.sandbox import Sandbox
from syncd.connector import App, Heard, Refused
from syncd.errors import ConfigError
from syncd.http.app import HttpApp
from syncd.http.sandbox import Said
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Applied, FieldMap, Raw, Rejected, Unknown, Write
from tests.conformance.vendors import BrevoWorld, statuses_of
from tests.openapi import Document
from tests.test_contracts import loaded
from tests.test_hook_ears import SECRET, URL, arrived, clock, ear


@pytest.fixture
def world() -> Iterator[BrevoWorld]:
    with contextlib.closing(BrevoWorld()) as made:
        yield made


def sent(world: BrevoWorld, method: str) -> list[object]:
    return [asked.json() for asked in world.server.asked if asked.method == method]


def changed(app: App, id_: str, **fields: Raw) -> Applied:
    result = one(app, Write(kind="update", id=id_, fields=fields))
    assert isinstance(result, Applied)
    return result


def test_another_address_is_an_attribute_and_a_new_record_has_it_outside(world: BrevoWorld) -> None:
    app = world.open()
    made = one(app, new(app, 1, email="Ada@example.org", first_name="Ada"))
    assert isinstance(made, Applied)
    assert made.record is not None
    assert made.record.fields["email"] == "ada@example.org"
    moved = changed(app, made.record.id, email="ada@example.com")
    assert moved.record is not None
    assert moved.record.fields["email"] == "ada@example.com"
    changed(app, made.record.id, first_name="Augusta")
    assert sent(world, "POST") == [
        {"updateEnabled": False, "email": "Ada@example.org", "attributes": {"FIRSTNAME": "Ada"}}
    ]
    assert sent(world, "PUT") == [
        {"attributes": {"EMAIL": "ada@example.com"}},
        {"attributes": {"FIRSTNAME": "Augusta"}},
    ]


def test_the_only_address_of_somebody_is_not_taken_away(world: BrevoWorld) -> None:
    id_ = world.add(email="ada@example.org")
    other = world.add(email="grace@example.org", mobile="+491701234567")
    app = world.open()
    refused = one(app, Write(kind="update", id=id_, fields={"email": None}))
    assert isinstance(refused, Rejected)
    assert refused.why == "invalid"
    cleared = changed(app, other, email=None)
    assert cleared.record is not None
    assert cleared.record.fields["email"] is None


def test_the_blocklist_is_written_by_an_opt_out_and_never_undone(world: BrevoWorld) -> None:
    ids = world.add_all(persons(2))
    app = world.open()
    out = one(app, Write(kind="consent", id=ids[0], fields={"email_consent": True}))
    assert isinstance(out, Applied)
    assert out.record is not None
    assert out.record.fields["email_consent"] is True
    assert sent(world, "PUT") == [{"emailBlacklisted": True}]
    for word in (False, "opted_in", None):
        for kind in ("consent", "update"):
            back = one(app, Write(kind=kind, id=ids[0], fields={"email_consent": word}))
            assert isinstance(back, Rejected)
    assert len(sent(world, "PUT")) == 1
    assert [each.blocked for each in world.sandbox.contacts.values()] == [True, False]


def test_a_new_record_carries_an_opt_out_and_nothing_else_of_consent(world: BrevoWorld) -> None:
    app = world.open()
    for number, word in enumerate((True, False, None)):
        one(app, new(app, number, email=f"new{number}@example.org", email_consent=word))
    assert [each.get("emailBlacklisted") for each in sent(world, "POST") if isinstance(each, dict)] == [
        True,
        None,
        None,
    ]
    assert [each.blocked for each in world.sandbox.contacts.values()] == [True, False, False]


def test_whose_address_or_number_it_is_already_is_told(world: BrevoWorld) -> None:
    there = world.add(email="ada@example.org", mobile="+491701234567")
    app = world.open()
    address = one(app, new(app, 1, email="ADA@example.org", first_name="Ada"))
    assert isinstance(address, Rejected)
    assert (address.why, address.field, address.existing) == ("exists", "email", there)
    number = one(app, new(app, 2, email="grace@example.org", mobile="+491701234567"))
    assert isinstance(number, Rejected)
    assert (number.why, number.field, number.existing) == ("invalid", "mobile", None)
    assert len(world.sandbox.contacts) == 1


def test_what_is_ignored_without_a_word_shows_in_what_is_read_back(world: BrevoWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.define("TITLE")
    mapped = {**world.mapped, "job_title": FieldMap(path="TITLE"), "notes": FieldMap(path="POINTS")}
    app = world.opened(world.settings_at(world.server.url), fields=mapped)
    del world.sandbox.own["TITLE"]
    result = changed(app, id_, job_title="Countess", first_name="Ada")
    assert result.record is not None
    assert {name: result.record.fields[name] for name in ("job_title", "notes", "first_name")} == {
        "job_title": None,
        "notes": 12,
        "first_name": "Ada",
    }
    refused = one(app, Write(kind="update", id=id_, fields={"notes": "many"}))
    assert isinstance(refused, Rejected), "an attribute that is a number is told so before anything is sent"
    with pytest.raises(ConfigError, match="nothing lies at TITLE"):
        world.opened(world.settings_at(world.server.url), fields=mapped)


def test_an_answer_without_an_id_to_a_create_is_in_doubt(world: BrevoWorld) -> None:
    app = world.open()
    world.server.before = lambda asked: Said(status=204) if asked.method == "POST" else None
    assert isinstance(one(app, new(app, 1, email="ada@example.org")), Unknown)


def test_changes_that_move_others_back_lose_nobody(world: BrevoWorld) -> None:
    ids = world.add_all(persons(1500))
    world.sandbox.clock.pass_seconds(3600)
    app = world.open()
    cursor = caught_up(app)
    world.edit_all(ids[200:1400], first_name="Changed")
    reading = app.read(cursor)
    pages = [next(reading)]
    world.edit_all(ids[:100], first_name="Meanwhile")
    pages += reading
    told = {record.id for page in pages for record in page.records}
    assert told.issuperset(ids[200:1400])
    later, _, _ = news(app, pages[-1].cursor)
    assert later.keys() >= set(ids[:100])


def test_an_unsubscription_that_is_no_change_is_found_by_the_sweep(world: BrevoWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    world.sandbox.clock.pass_seconds(3600)
    cursor = caught_up(app)
    world.sandbox.blocking_counts = False
    world.opt_out(id_)
    told, _, _ = news(app, cursor)
    assert told == {}
    assert listing(app)[id_].fields["email_consent"] is True


def test_ten_requests_a_second_are_asked_and_no_more(world: BrevoWorld) -> None:
    ids = world.add_all(persons(40))
    world.sandbox.a_second = 10
    app = world.open()
    statuses = statuses_of(world)
    for id_ in ids:
        known(app, id_)
    assert statuses == [200] * 40


def test_accounts_are_told_apart(world: BrevoWorld) -> None:
    name = world.open().fingerprint()
    assert name != world.open_other().fingerprint()
    assert "@" not in name, "it stands in messages"
    assert world.sandbox.owner not in name


def test_webhooks_are_asked_for_once_and_only_make_us_look(world: BrevoWorld) -> None:
    app = world.open()
    assert isinstance(app, HttpApp)
    address = f"{URL}/{SECRET}"
    assert not app.subscribed(address)
    app.subscribe(address)
    assert app.subscribed(address)
    assert not app.subscribed(URL)
    world.add(email="ada@example.org")
    [letter] = world.sandbox.letters()
    hears = ear("brevo")
    assert hears.hear(arrived(letter, secret=SECRET)) == Heard(something=True)
    for secret in ("", SECRET[:-1]):
        said = hears.hear(arrived(letter, secret=secret))
        assert isinstance(said, Refused)
        assert said.unknown


def test_webhooks_are_asked_for_as_the_document_says() -> None:
    document = Document(loaded("brevo/brevo.json"), prefix="/v3")
    with contextlib.closing(BrevoWorld()) as world:
        app = world.open()
        assert isinstance(app, HttpApp)
        problems = document.watch(world.server)
        app.subscribe(URL)
        assert app.subscribed(URL)
    assert problems == []
    assert document.asked == {"GET /webhooks", "POST /webhooks"}


def test_a_webhook_that_is_not_batched_is_heard_too() -> None:
    news_ = Sandbox(clock=clock())
    news_.webhooks.append({"url": URL})
    news_.add("ada@example.org", {})
    [letter] = news_.letters()
    [event] = orjson.loads(letter.body)
    single = replace(letter, body=orjson.dumps(event))
    assert ear("brevo").hear(arrived(single, secret=SECRET)) == Heard(something=True)
