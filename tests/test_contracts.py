"""What our connectors ask, and what our sandboxes answer, looks as the vendors' own OpenAPI documents say.

The documents are not ours and are not in the repository; where their folder is not there, this is skipped.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Write
from tests.conformance.vendors import (
    BrevoWorld,
    FreshdeskWorld,
    HubSpotWorld,
    MailchimpWorld,
    PipedriveWorld,
    QuickBooksWorld,
    VendorWorld,
    XeroWorld,
    ZendeskWorld,
)
from tests.openapi import Document

FOLDER = Path(__file__).parent.parent.parent / "shared" / "vendor-apis"

TEXTS_IN_MERGE_FIELDS = r"merge_fields\.[A-Z]+: expected \['object'\], found str"
"""Mailchimp's document says that merge fields are objects; its own examples, and everybody's code, have texts."""

QUICKBOOKS = (
    r"(cdc|batch): no such operation",  # the community's document leaves them out
    r"query (minorversion|requestid) is not in the document",
    r"the status 400 is not in the document",
)
ZENDESK = (
    r"query page\[(size|after)\] is not in the document",  # told beside the document, not in it
    r"incremental/users/cursor: query start_time is missing",  # of the first request only, says its own text
    r"identities: a body where the document has none",
    r"the status 422 is not in the document",  # no document of theirs lists what is refused
)
PIPEDRIVE = (r"the status (400|404) is not in the document",)  # it lists successes only
FRESHDESK = (  # a third party's sketch: four paths, no parameters, no refusals, no null
    r"(POST|PUT) /api/v2/contacts.*: no such operation",
    r"query .* is not in the document",
    r"the status 4\d\d is not in the document",
    r"answer(\[\d+\])?\.email: expected \['string'\], found NoneType",
)

VENDORS: dict[str, tuple[Callable[[], VendorWorld], str, dict[str, Any]]] = {
    "hubspot": (HubSpotWorld, "hubspot/hubspot-handwritten.json", {}),
    "mailchimp": (MailchimpWorld, "mailchimp/marketing.json", {"prefix": "/3.0", "wrong": (TEXTS_IN_MERGE_FIELDS,)}),
    "pipedrive": (PipedriveWorld, "pipedrive/pipedrive-v2.json", {"prefix": "/api/v2", "wrong": PIPEDRIVE}),
    "xero": (XeroWorld, "xero/accounting.json", {"prefix": "/api.xro/2.0"}),
    "quickbooks": (QuickBooksWorld, "quickbooks/quickbooks-community.json", {"wrong": QUICKBOOKS}),
    "brevo": (BrevoWorld, "brevo/brevo.json", {"prefix": "/v3"}),
    "freshdesk": (FreshdeskWorld, "freshdesk/freshdesk-community.json", {"wrong": FRESHDESK}),
    "zendesk": (ZendeskWorld, "zendesk/support.json", {"wrong": ZENDESK}),
}
OUTSIDE = {
    "/account-info/v3/details",
    "/v1/users/me",
    "/connect/token",
    "/oauth2/v1/tokens/bearer",
    "/api.xro/2.0/Organisation",
    "/api/v2/contact_fields",
}
"""Operations that the documents leave out."""


@functools.cache
def loaded(name: str) -> Any:
    file = FOLDER / name
    if not file.exists():
        pytest.skip(f"no {name} beside the repository: the vendors' documents are not ours to keep")
    return orjson.loads(file.read_bytes())


@pytest.mark.parametrize("vendor", VENDORS)
def test_requests_and_answers_look_as_the_document_says(vendor: str) -> None:
    make, name, more = VENDORS[vendor]
    document = Document(loaded(name), **more)
    with contextlib.closing(make()) as world:
        problems = document.watch(world.server, OUTSIDE)
        everything(world)
    assert sorted(set(problems)) == []
    assert len(document.asked) > 2


def everything(world: VendorWorld) -> None:
    """Do one of each: read, look up, make, change, opt out, put away, alone and together, with and without success."""
    ids = world.add_all(persons(5))
    app = world.open()
    app.check()
    app.fingerprint()
    listing(app)
    cursor = caught_up(app)
    world.edit(ids[0], first_name="Changed")
    world.delete(ids[4])
    news(app, cursor)
    app.get([*ids, "999999999"])
    app.get([ids[1]])
    if app.spec.rung != "F":
        app.find("email", "person1@example.org")
        app.find("email", "nobody@example.org")
    refused = Write(kind="update", id=ids[1], fields=world.refused)
    update = [Write(kind="update", id=id_, fields={"first_name": "Updated"}) for id_ in ids[:3]]
    gone = Write(kind="update", id="999999998", fields={"first_name": "Updated"})
    app.write([*update, gone])
    app.write([refused, update[0]])
    one(app, update[1])
    one(app, Write(kind="update", id=ids[2], fields={"phone": None}))
    app.write([new(app, number, **fields) for number, fields in enumerate(persons(8))])
    one(app, new(app, 9, email="grace@example.org", first_name="Grace", phone="+49 30 1"))
    if "email_consent" in app.fields:
        words = app.fields["email_consent"].values or {}
        out = {"email_consent": words.get("opted_out", "opted_out")}
        one(app, Write(kind="consent", id=ids[0], fields=out))
        one(app, new(app, 10, email="hedy@example.org", first_name="Hedy", **out))
        known(app, ids[0])
    if app.spec.archive:
        one(app, Write(kind="archive", id=ids[3], fields={}))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"properties": {"email": "ada@example.org"}}', None),
        (b'{"properties": {"email": null}}', "expected ['string'], found NoneType"),
        (b'{"fields": {}}', "body: needs properties"),
        (b"[]", "expected ['object'], found list"),
    ],
)
def test_what_does_not_look_so_is_told(body: bytes, problem: str | None) -> None:
    schema = {"required": ["properties"], "properties": {"properties": {"additionalProperties": {"type": "string"}}}}
    operation = {
        "requestBody": {"content": {"application/json": {"schema": {"type": "object", **schema}}}},
        "responses": {"201": {}},
    }
    document = Document({"paths": {"/people": {"post": operation}}})
    asked = Asked(method="POST", path="/people", query={}, headers={}, body=body)
    told = document.problems(asked, Said(status=201))
    assert (told == []) if problem is None else (problem in told[0])
    assert document.problems(asked, Said(status=500)) != []
