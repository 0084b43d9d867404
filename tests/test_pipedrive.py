"""What is peculiar to Pipedrive: lists that are replaced whole, two persons of one address, a status that changes once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.pipedrive.sandbox import COMPANY, Sandbox
from syncd.connector import App, Heard
from syncd.errors import TransientError
from syncd.http.app import HttpApp
from syncd.http.sandbox import Said
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Applied, Raw, Rejected, Write
from tests.conformance.vendors import PipedriveWorld, statuses_of
from tests.openapi import Document
from tests.test_contracts import loaded
from tests.test_hook_ears import SECRET, URL, arrived, clock, ear


@pytest.fixture
def world() -> Iterator[PipedriveWorld]:
    with contextlib.closing(PipedriveWorld()) as made:
        yield made


def sent(world: PipedriveWorld, method: str) -> list[Any]:
    return [asked.json() for asked in world.server.asked if asked.method == method]


def changed(app: App, id_: str, **fields: Raw) -> Applied:
    result = one(app, Write(kind="update", id=id_, fields=fields))
    assert isinstance(result, Applied)
    assert result.record is not None
    return result


WORK = {"value": "ada@example.org", "primary": False, "label": "work"}
HOME = {"value": "ada@example.net", "primary": True, "label": "home"}
FAX = {"value": "+49 30 2", "primary": True, "label": "other"}


def test_lists_are_sent_whole_and_one_item_of_them_changes(world: PipedriveWorld) -> None:
    id_ = world.sandbox.add({"name": "Ada", "emails": [WORK, HOME], "phones": [FAX]})
    app = world.open()
    record = known(app, id_)
    assert (record.fields["email"], record.fields["other_emails"]) == ("ada@example.net", ["ada@example.org"])
    assert (record.fields["phone"], record.fields["mobile"]) == (None, None)
    changed(app, id_, email="ada@example.com", mobile="+49 171 1", phone="+49 30 1")
    changed(app, id_, phone=None)
    changed(app, id_, email=None)
    mobile = {"value": "+49 171 1", "label": "mobile"}
    assert sent(world, "PATCH") == [
        {
            "emails": [WORK, {**HOME, "value": "ada@example.com"}],
            "phones": [FAX, mobile, {"value": "+49 30 1", "label": "work"}],
        },
        {"phones": [FAX, {**mobile, "primary": False}]},
        {"emails": [WORK]},
    ]
    record = known(app, id_)
    assert record.fields["email"] == "ada@example.org", "Pipedrive takes the next one for the primary one"
    assert (record.fields["phone"], record.fields["mobile"]) == (None, "+49 171 1")


def test_a_new_address_is_the_primary_one_as_json_says_it(world: PipedriveWorld) -> None:
    id_ = world.sandbox.add({"name": "Ada"})
    app = world.open()
    changed(app, id_, email="ada@example.org")
    assert sent(world, "PATCH") == [{"emails": [{"primary": True, "label": "work", "value": "ada@example.org"}]}]


def test_who_is_there_already_is_not_made_once_more(world: PipedriveWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.clock.pass_seconds(60)
    app = world.open()
    result = one(app, new(app, 1, email="ADA@example.org", first_name="Ada"))
    assert isinstance(result, Rejected)
    assert (result.why, result.field, result.existing) == ("exists", "email", id_)
    assert sent(world, "POST") == []


def test_two_of_one_address_are_two(world: PipedriveWorld) -> None:
    ids = {world.add(email="info@example.org") for _ in range(2)}
    app = world.open()
    assert set(listing(app)) == ids
    assert {record.id for record in app.find("email", "info@example.org")} == ids


def test_nobody_is_subscribed_and_an_opt_out_is_all_that_is_sent(world: PipedriveWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    for kind in ("consent", "update"):
        for word in ("subscribed", "archived", "no_consent", "opted_in"):
            result = one(app, Write(kind=kind, id=id_, fields={"email_consent": word}))
            assert isinstance(result, Rejected)
    assert sent(world, "PATCH") == []
    out = one(app, Write(kind="consent", id=id_, fields={"email_consent": "unsubscribed"}))
    assert isinstance(out, Applied)
    assert out.record is not None
    assert out.record.fields["email_consent"] == "unsubscribed"
    assert sent(world, "PATCH") == [{"marketing_status": "unsubscribed"}]


def test_an_opt_out_that_is_ignored_without_a_word_is_read_back_as_it_is(world: PipedriveWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.set_status(id_, "subscribed")
    app = world.open()
    out = one(app, Write(kind="consent", id=id_, fields={"email_consent": "unsubscribed"}))
    assert isinstance(out, Applied)
    assert out.record is not None
    assert out.record.fields["email_consent"] == "subscribed", "what is not so is not told"


def test_a_consent_that_is_kept_and_not_paid_for_is_one(world: PipedriveWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.set_status(id_, "archived")
    assert known(world.open(), id_).fields["email_consent"] == "subscribed"


def test_a_new_person_carries_an_opt_out_and_nothing_else_of_consent(world: PipedriveWorld) -> None:
    app = world.open()
    for number, word in enumerate(("unsubscribed", "subscribed", None)):
        one(app, new(app, number, email=f"new{number}@example.org", email_consent=word))
    assert [each.get("marketing_status") for each in sent(world, "POST")] == ["unsubscribed", None, None]
    assert [each.status for each in world.sandbox.persons.values()] == ["unsubscribed", "no_consent", "no_consent"]


def test_without_campaigns_the_status_is_not_asked_for(world: PipedriveWorld) -> None:
    world.add(email="ada@example.org")
    settings = {**world.settings_at(world.server.url), "include": "files_count"}
    app = world.opened(settings)
    world.server.asked.clear()
    assert [record.fields["email_consent"] for record in listing(app).values()] == [None]
    assert {asked.query.get("include_fields") for asked in world.server.asked} == {"files_count"}


@pytest.mark.parametrize("answers", [True, False])
def test_who_is_deleted_is_gone_and_is_told_by_nothing_but_webhooks(world: PipedriveWorld, answers: bool) -> None:
    world.sandbox.deleted_answer = answers
    ids = world.add_all(persons(3))
    app = world.open()
    cursor = caught_up(app)
    world.delete(ids[0])
    told, gone, _ = news(app, cursor)
    assert (ids[0] in told, gone) == (False, set())
    assert app.get(ids).keys() == app.get([ids[1], ids[2]]).keys() == set(ids[1:])
    before = world.everything()
    result = one(app, Write(kind="update", id=ids[0], fields={"first_name": "Ada"}))
    assert isinstance(result, Rejected)
    assert result.why == "gone"
    assert world.everything() == before


def test_the_burst_is_not_overdrawn(world: PipedriveWorld) -> None:
    ids = world.add_all(persons(30))
    world.sandbox.step_seconds, world.sandbox.burst = 0.0, 10
    app = world.open()
    statuses = statuses_of(world)
    for id_ in ids:
        known(app, id_)
    assert statuses == [200] * 30


def read_on(app: App) -> None:
    for _ in range(30):
        list(app.read(None))


def test_a_tenth_of_the_tokens_of_the_day_is_left_to_others(world: PipedriveWorld) -> None:
    world.add_all(persons(3))
    world.sandbox.tokens = 200
    app = world.open()
    with pytest.raises(TransientError, match="limit"):
        read_on(app)
    assert 150 <= world.sandbox.spent <= 180


def test_webhooks_name_persons_and_are_asked_for_once(world: PipedriveWorld) -> None:
    app = world.open()
    assert isinstance(app, HttpApp)
    address = f"{URL}/{SECRET}"
    assert not app.subscribed(address)
    app.subscribe(address)
    assert app.subscribed(address)
    id_ = world.add(email="ada@example.org")
    hears = ear("pipedrive")
    for change in (lambda: None, lambda: world.edit(id_, first_name="Ada"), lambda: world.delete(id_)):
        change()
        [letter] = world.sandbox.letters()
        heard = hears.hear(arrived(letter, secret=SECRET))
        assert isinstance(heard, Heard)
        assert (heard.ids, heard.something, heard.note) == ((id_,), False, "")
    world.add(email="grace@example.org")
    [letter] = world.sandbox.letters()
    other = letter.body.replace(b'"entity":"person"', b'"entity":"deal"')
    assert hears.hear(arrived(letter, secret=SECRET, body=other)) == Heard()


def test_who_was_merged_is_gone_and_the_other_has_both_addresses(world: PipedriveWorld) -> None:
    kept, lost = (
        world.sandbox.add({"name": each["value"], "emails": [each]}) for each in (HOME, {**WORK, "primary": True})
    )
    app = world.open()
    world.merge(kept, lost)
    assert app.get([kept, lost]).keys() == {kept}
    assert known(app, kept).fields["other_emails"] == ["ada@example.org"]


# -- against the vendor's own documents, where they lie beside the repository


def test_the_documents_sample_is_read_as_it_is_meant() -> None:
    document = loaded("pipedrive/pipedrive-v2.json")
    said = document["paths"]["/persons"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    said["additional_data"]["next_cursor"] = None
    with contextlib.closing(PipedriveWorld()) as world:
        app = world.open()
        world.server.before = lambda _: Said(doc=said)
        [record] = [record for page in app.read(None) for record in page.records]
    fields = {name: raw for name, raw in record.fields.items() if raw is not None}
    assert (record.id, fields) == (
        "1",
        {
            "full_name": "Person Name",
            "last_name": "Name",
            "email": "email1@email.com",
            "other_emails": ["email2@email.com"],
            "phone": "12345",
            "job_title": "Manager",
            "notes": "Notes from contact sync",
            "birthday": "2000-12-31",
        },
    )


def test_webhooks_are_asked_for_as_the_older_document_says() -> None:
    document = Document(loaded("pipedrive/pipedrive-v1.json"), prefix="/v1")
    with contextlib.closing(PipedriveWorld()) as world:
        app = world.open()
        assert isinstance(app, HttpApp)
        problems = document.watch(world.server)
        app.fingerprint()
        app.subscribe(URL)
        assert app.subscribed(URL)
    assert problems == []
    assert document.asked == {"GET /users/me", "GET /webhooks", "POST /webhooks"}


def test_custom_fields_are_cleared_by_null() -> None:
    with contextlib.closing(PipedriveWorld()) as world:
        id_ = world.add(email="ada@example.org", company="Engines")
        app = world.open()
        assert changed(app, id_, company=None).record is not None
        assert sent(world, "PATCH") == [{"custom_fields": {COMPANY: None}}]
        assert known(app, id_).fields["company"] is None
    assert Sandbox(clock=clock()).letters() == []
