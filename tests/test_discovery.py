"""Fields of an account's own: told by the account, named as people there name them, typed, and refused where they are not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.connector import App
from syncd.core.fields import field_type
from syncd.core.transforms import make_lens
from syncd.core.values import Invalid
from syncd.errors import AccessError, ConfigError
from syncd.http.app import HttpApp
from syncd.http.sandbox import Said
from syncd.kit.suite import known, one
from syncd.model import Applied, FieldMap, Offered, Raw, Rejected, Write
from tests.conformance.vendors import (
    BrevoWorld,
    HubSpotWorld,
    MailchimpWorld,
    PipedriveWorld,
    VendorWorld,
    ZendeskWorld,
)
from tests.hubs import Hub

WORLDS: dict[str, Callable[[], VendorWorld]] = {
    "brevo": BrevoWorld,
    "hubspot": HubSpotWorld,
    "mailchimp": MailchimpWorld,
    "pipedrive": PipedriveWorld,
    "zendesk": ZendeskWorld,
}


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[VendorWorld]:
    with contextlib.closing(WORLDS[request.param]()) as made:
        yield made


def vendor(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("world", names, indirect=True)


def opened(world: VendorWorld, **fields: FieldMap) -> HttpApp:
    world.mapped = {**world.mapped, **fields}
    app = world.open()
    assert isinstance(app, HttpApp)
    return app


def wrote(app: App, id_: str, **fields: Raw) -> dict[str, Raw]:
    """Change fields; give what the app shows of them afterwards."""
    result = one(app, Write(kind="update", id=id_, fields=fields))
    assert isinstance(result, Applied), result
    return {name: known(app, id_).fields[name] for name in fields}


def called(app: HttpApp, label: str) -> Offered:
    [found] = [each for each in app.offered() if each.label == label]
    return found


def asked(world: VendorWorld, word: str) -> int:
    return sum(word in each.path for each in world.server.asked)


@vendor("hubspot", "mailchimp")
def test_nothing_is_asked_where_the_manifest_knows_every_field(world: VendorWorld) -> None:
    world.mapped = {}
    world.open()
    assert world.server.asked == []


@vendor("pipedrive")
def test_a_company_has_fields_with_keys_that_nobody_can_read(world: VendorWorld) -> None:
    key = world.sandbox.define("Favourite colour", "enum", ("Red", "Blue"))
    tags = world.sandbox.define("Interests", "set", ("Chess", "Tennis", "Whist"))
    score = world.sandbox.define("Score", "double")
    app = opened(
        world,
        industry=FieldMap(path="", label="favourite COLOUR"),
        tags=FieldMap(path="", label="Interests"),
        lead_score=FieldMap(path="", label="Score"),
    )
    assert asked(world, "personFields") == 1
    assert app.fields["industry"].path == f"custom_fields.{key}"
    assert app.fields["industry"].values == {"Red": [1], "Blue": [2]}
    assert app.fields["tags"].values == {"Chess": [3], "Tennis": [4], "Whist": [5]}
    id_ = world.add(email="ada@example.org")
    assert wrote(app, id_, industry=2, tags=[3, 5], lead_score="4.5") == {
        "industry": 2,
        "tags": [3, 5],
        "lead_score": 4.5,
    }
    assert world.sandbox.persons[int(id_)].fields["custom_fields"].items() >= {key: 2, tags: [3, 5], score: 4.5}.items()
    assert wrote(app, id_, industry=None, tags=None) == {"industry": None, "tags": None}
    assert called(app, "Favourite colour").options == {"Red": 1, "Blue": 2}


@vendor("pipedrive")
def test_an_option_that_was_made_since_is_no_value_for_anybody(world: VendorWorld) -> None:
    """A mere number would be spread to every app as if it was the word."""
    key = world.sandbox.define("Branch", "enum", ("Trade",))
    several = world.sandbox.define("Interests", "set", ("Chess",))
    app = opened(world, industry=FieldMap(path="", label="Branch"), tags=FieldMap(path="", label="Interests"))
    id_ = world.add(email="ada@example.org")
    for own, number in ((key, 7), (several, 8)):
        world.sandbox.own[own]["options"].append({"id": number, "label": "New", "color": None})
    world.sandbox.edit(id_, {"custom_fields": {key: 7, several: [2, 8]}})
    fields = known(app, id_).fields
    for name, kind in (("industry", "text"), ("tags", "set")):
        lens = make_lens(name, app.fields[name], field_type(kind), flat=False)
        assert isinstance(lens.parse(fields[name]), Invalid), "it waits, flagged, until the app is opened again"
    again = known(world.open(), id_).fields
    assert (again["industry"], again["tags"]) == (7, [2, 8])


@vendor("pipedrive")
def test_two_fields_of_one_label_are_never_guessed(world: VendorWorld) -> None:
    keys = [world.sandbox.define("Size"), world.sandbox.define("Size", "double")]
    with pytest.raises(
        ConfigError, match="app: field company_size: 2 fields there have this label; give the path of one"
    ) as raised:
        opened(world, company_size=FieldMap(path="", label="Size"))
    assert all(key in str(raised.value) for key in keys)
    app = opened(world, company_size=FieldMap(path=f"custom_fields.{keys[1]}"))
    assert app.known["company_size"].field.kind.make("12") == 12


@vendor("pipedrive")
def test_a_part_of_what_is_written_whole_is_only_read(world: VendorWorld) -> None:
    key = world.sandbox.define("Budget", "monetary")
    app = opened(world, lead_score=FieldMap(path=f"custom_fields.{key}.value"))
    id_ = world.add(email="ada@example.org")
    world.sandbox.edit(id_, {"custom_fields": {key: {"value": 12, "currency": "EUR"}}})
    assert known(app, id_).fields["lead_score"] == "12"
    refused = one(app, Write(kind="update", id=id_, fields={"lead_score": "13"}))
    assert isinstance(refused, Rejected)
    assert refused.why == "readonly"
    with pytest.raises(ConfigError, match="a part of what is written whole; it cannot be `direction: out`"):
        opened(world, lead_score=FieldMap(path=f"custom_fields.{key}.value", direction="out"))


@vendor("hubspot")
def test_properties_are_texts_and_several_words_are_joined_as_hubspot_joins_them(world: VendorWorld) -> None:
    sandbox = world.sandbox
    sandbox.define("likes", "Likes", "enumeration", "checkbox", options={"a1": "Chess", "b2": "Whist"})
    sandbox.define("score", "Score", "number", "number")
    app = opened(world, tags=FieldMap(path="likes"), lead_score=FieldMap(path="", label="Score"))
    id_ = world.add(email="ada@example.org")
    assert wrote(app, id_, tags="a1; b2", lead_score="7") == {"tags": ["a1", "b2"], "lead_score": "7"}
    assert sandbox.contacts[int(id_)].properties["likes"] == "a1;b2"
    assert app.fields["tags"].values is None, "internal names travel, as in HubSpot's own documents"
    refused = one(app, Write(kind="update", id=id_, fields={"tags": "c3"}))
    assert isinstance(refused, Rejected)
    assert (refused.why, refused.field) == ("invalid", "tags")


@vendor("hubspot")
def test_what_is_only_read_there_is_never_written(world: VendorWorld) -> None:
    world.sandbox.define("sum", "Sum", "number", "calculation_equation", calculated=True)
    app = opened(world, lead_score=FieldMap(path="", label="Sum"))
    assert app.fields["lead_score"].direction == "in"
    assert called(app, "Sum").read_only
    with pytest.raises(ConfigError, match="sum is only read there; it cannot be `direction: out`"):
        opened(world, lead_score=FieldMap(path="sum", direction="out"))


@vendor("hubspot")
def test_consent_that_the_app_calculates_is_written_where_it_has_requests_of_its_own(world: VendorWorld) -> None:
    def optout(app: HttpApp) -> Offered:
        [found] = [each for each in app.offered() if each.path == "hs_email_optout"]
        return found

    written = {"opted_out": "true", "unknown": "false"}
    assert not optout(opened(world)).read_only
    assert not optout(opened(world, email_consent=FieldMap(path="hs_email_optout", values=written))).read_only
    assert optout(opened(world, email_consent=FieldMap(path="hs_email_optout", direction="in"))).read_only
    assert optout(opened(world, email_consent=FieldMap(path="", direction="none"))).read_only


@vendor("zendesk")
def test_user_fields_keep_their_types(world: VendorWorld) -> None:
    for title, type_ in (("VIP", "checkbox"), ("Points", "integer"), ("Old", "text")):
        world.sandbox.define(title, type_, active=title != "Old")
    world.sandbox.define("Plan", "dropdown", ("Gold", "Silver"))
    app = opened(
        world,
        role=FieldMap(path="", label="VIP"),
        lead_score=FieldMap(path="user_fields.points"),
        industry=FieldMap(path="", label="Plan"),
    )
    id_ = world.add(email="ada@example.org")
    assert wrote(app, id_, role="true", lead_score="12", industry="plan_gold") == {
        "role": True,
        "lead_score": 12,
        "industry": "plan_gold",
    }
    with pytest.raises(ConfigError, match='field notes: no field there is called "Old"'):
        opened(world, notes=FieldMap(path="", label="Old"))


@vendor("zendesk")
def test_what_lies_beside_the_accounts_own_fields_is_mapped_as_before(world: VendorWorld) -> None:
    app = opened(world, language=FieldMap(path="locale"))
    assert known(app, world.add(email="ada@example.org")).fields["language"] == "en-US"


@vendor("mailchimp")
def test_merge_fields_keep_their_types_and_an_address_is_read_in_parts(world: VendorWorld) -> None:
    world.sandbox.define("POINTS", "Points", "number")
    world.sandbox.define("ADDR", "Address", "address")
    world.sandbox.define("PLAN", "Plan", "dropdown", ("Gold", "Silver"))
    app = opened(
        world,
        lead_score=FieldMap(path="", label="Points"),
        city=FieldMap(path="merge_fields.ADDR.city"),
        industry=FieldMap(path="merge_fields.PLAN"),
    )
    id_ = world.add(email="ada@example.org")
    world.sandbox.edit(id_, ADDR={"addr1": "1 St James", "city": "London", "state": "", "zip": "SW1"})
    assert wrote(app, id_, lead_score="12", industry="Gold") == {"lead_score": 12, "industry": "Gold"}
    assert known(app, id_).fields["city"] == "London"
    assert called(app, "Plan").options == {"Gold": "Gold", "Silver": "Silver"}
    assert wrote(app, id_, lead_score=None) == {"lead_score": None}


@vendor("brevo")
def test_a_category_goes_by_its_label_and_what_is_missing_is_told(world: VendorWorld) -> None:
    world.sandbox.define("PLAN", labels=("Gold", "Silver"))
    world.sandbox.define("TOTAL", category="calculated")
    del world.sandbox.own["LASTNAME"]  # as in an account whose language is not English
    app = opened(world, industry=FieldMap(path="PLAN"), lead_score=FieldMap(path="TOTAL"))
    assert app.fields["industry"].values == {"Gold": [1], "Silver": [2]}
    assert app.fields["lead_score"].direction == "in"
    id_ = world.add(email="ada@example.org")
    assert wrote(app, id_, industry=2) == {"industry": 2}
    [finding] = app.check()
    assert (finding.level, finding.field) == ("warning", "last_name")
    assert "there is nothing at LASTNAME in this account" in finding.message


@vendor("hubspot")
def test_a_token_that_may_not_see_the_fields_may_still_read_contacts(world: VendorWorld) -> None:
    def refuse(asked: Any) -> Said | None:
        doc = {
            "status": "error",
            "category": "MISSING_SCOPES",
            "message": "This app hasn't been granted all required scopes",
        }
        return Said(status=403, doc=doc) if "properties" in asked.path else None

    world.server.before = refuse
    [finding] = world.open().check()
    assert finding.level == "warning"
    assert "fields of its own cannot be mapped" in finding.message
    with pytest.raises(AccessError, match="lacks a scope"):
        opened(world, industry=FieldMap(path="industry"))


@vendor("pipedrive")
def test_a_label_of_a_field_that_is_mapped_already_is_told(world: VendorWorld) -> None:
    with pytest.raises(ConfigError, match="company and industry both lie at custom_fields"):
        opened(world, industry=FieldMap(path="", label="Company"))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Hub, PipedriveWorld]]:
    """Give a CRM whose company has fields of its own, a file, and the real command line."""
    with contextlib.closing(PipedriveWorld()) as world:
        world.sandbox.define("Branch", "enum", ("Trade", "Craft"))
        (tmp_path / "token").write_text("token")
        hub = Hub(tmp_path)
        hub.csv(
            "news", [{"id": "1", "email": "ada@example.org", "industry": "Craft"}], columns=("id", "email", "industry")
        )
        world.sandbox.clock.pass_seconds(3600)
        yield hub, world


def mapped(hub: Hub, world: PipedriveWorld, fields: str) -> None:
    crm = (
        f"connector: pipedrive, network: private, secrets: {{token: file:token}}, settings: {{url: {world.server.url}}}"
    )
    hub.app("crm", f"{{{crm}, fields: {fields}}}")


def test_a_word_that_people_see_travels_by_its_label(hub: tuple[Hub, PipedriveWorld]) -> None:
    there, world = hub
    mapped(there, world, "{industry: {label: Branch}}")
    person = world.sandbox.add(
        {"name": "Ada", "emails": [{"value": "ada@example.org", "primary": True, "label": "work"}]}
    )
    there.synced()
    [value] = world.sandbox.persons[int(person)].fields["custom_fields"].values()
    assert value == 2, "the file says Craft, the company's key of it is 2"
    [key] = world.sandbox.persons[int(person)].fields["custom_fields"]
    world.sandbox.edit(person, {"custom_fields": {key: 1}})
    world.sandbox.clock.pass_seconds(300)
    assert there.run("sync").code == 0
    assert there.rows("news")["ada@example.org"]["industry"] == "Trade"


def test_check_and_fields_tell_what_the_account_has(hub: tuple[Hub, PipedriveWorld]) -> None:
    there, world = hub
    there.configure("fields: {industry: {type: choice, choices: [Trade, Craft, Science]}}\n")
    mapped(there, world, "{industry: {label: Branch}}")
    found = there.json("check")["apps"]["crm"]["findings"]
    assert [each["message"] for each in found if each["field"] == "industry"] == [
        '"Branch" has no option Science; it has Craft, Trade: add it there, or say `values:`',
    ]
    rows = {each["label"]: each for each in there.json("fields", "crm")["fields"]}
    assert rows["Branch"] == {
        "label": "Branch",
        "path": f"custom_fields.{next(key for key, own in world.sandbox.own.items() if own['field_name'] == 'Branch')}",
        "type": "enum",
        "read_only": False,
        "options": ["Trade", "Craft"],
        "field": "industry",
    }
    assert rows["Loyalty"]["field"] is None
    assert "Trade, Craft" in there.run("fields", "crm").out
    assert "does not tell of other fields" in there.run("fields", "news").out


def test_a_label_that_is_wrong_is_told_and_fields_still_lists_what_there_is(hub: tuple[Hub, PipedriveWorld]) -> None:
    there, world = hub
    mapped(there, world, "{industry: {label: Brnch}}")
    said = there.run("check")
    assert said.code == 2
    assert (
        'crm: field industry: no field there is called "Brnch", did you mean "Branch"?; `syncd fields crm` lists'
        in said.err
    )
    assert "Branch" in there.run("fields", "crm").out


def test_a_label_goes_where_labels_are_known_and_instead_of_a_path(hub: tuple[Hub, PipedriveWorld]) -> None:
    there, world = hub
    mapped(there, world, "{industry: {label: Branch, path: name}, notes: {label: Branch}, company: {label: Branch}}")
    there.app("news", "{connector: csv, settings: {path: news.csv, key: id}, fields: {company: {label: Firm}}}")
    said = there.run("check", "--offline").err
    assert "apps.crm.fields.industry.label: says the same as `path`: give one of both" in said
    assert 'apps.crm.fields.company.label: the same label as that of the field "notes"' in said
    assert "apps.news.fields.company.label: csv does not tell what its fields are called: give the path" in said


def test_check_and_fields_do_not_say_of_an_opt_out_that_nothing_is_written_to_it(tmp_path: Path) -> None:
    with contextlib.closing(HubSpotWorld()) as world:
        (tmp_path / "token").write_text("token")
        there = Hub(tmp_path)
        app = f"connector: hubspot, network: private, secrets: {{token: file:token}}, settings: {{url: {world.server.url}}}"
        mapped_to = "{email_consent: {path: hs_email_optout, values: {opted_out: 'true', unknown: 'false'}}}"
        there.app("crm", f"{{{app}, fields: {mapped_to}}}")
        assert "only read there" not in there.run("check").out
        [row] = [each for each in there.json("fields", "crm")["fields"] if each["path"] == "hs_email_optout"]
        assert (row["field"], row["read_only"]) == ("email_consent", False)
