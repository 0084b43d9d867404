"""Connectors in YAML for the suite: each on its sandbox, over real HTTP on loopback."""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.fakeapi.sandbox import Sandbox as FakeApi
from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from connectors.mautic.sandbox import Sandbox as Mautic
from connectors.xero.sandbox import Sandbox as XeroSandbox
from connectors.zendesk.sandbox import Sandbox as Zendesk
from syncd import registry
from syncd.connector import App, Opening
from syncd.core.fields import STANDARD
from syncd.http.app import HttpApp
from syncd.http.compiling import load_manifest
from syncd.http.sandbox import Said, Sandbox, Server, serving
from syncd.http.terms import Manifest
from syncd.model import FieldMap, Raw
from tests.conformance.worlds import FIELDS, opening


@functools.cache
def manifest(name: str) -> Manifest:
    return load_manifest(registry.find(name) / registry.MANIFEST, name)


class VendorWorld:
    """One account on a sandbox; people work in it behind the API's back."""

    people = 25
    exact = True
    overlaps = True
    fields: tuple[str, ...] = FIELDS
    refused: Mapping[str, Raw] = {"company": "half \ud800 a pair"}
    connector = ""
    secrets: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    path = ""

    def __init__(self, sandbox: Sandbox, other: Sandbox) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        (self._folder / "syncd.key").write_bytes(bytes(32))
        self.server = self._stack.enter_context(serving(sandbox))
        self._other: Server = self._stack.enter_context(serving(other))
        self._broken = False

    def open(self) -> App:
        """Open it. Opening sends nothing, so that it cannot fail where the server is gone: `check` is what tells."""
        app = self._opened(self.server)
        if self._broken:
            app.check()
        return app

    def open_other(self) -> App:
        return self._opened(self._other)

    def _opened(self, server: Server) -> App:
        connector, settings = registry.load(self.connector), self.settings_at(server.url)
        account = {"app": "app" if server is self.server else "other", "data_dir": self._folder}
        given = opening(connector, settings, secrets=dict(self.secrets), known=STANDARD, network="private", **account)
        clock = server.sandbox.clock
        app = self.made(given, sleep=clock.pass_seconds, now=clock.seconds, clock=clock.seconds)
        self._stack.callback(app.close)
        return app

    def made(self, given: Opening, **seams: Any) -> App:
        return HttpApp(manifest(self.connector), given, **seams)

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": f"{url}{self.path}", **self.settings}

    def add(self, **fields: Raw) -> str:
        raise NotImplementedError

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        return [self.add(**fields) for fields in people]

    def edit(self, id_: str, **fields: Raw) -> None:
        raise NotImplementedError

    def delete(self, id_: str) -> None:
        raise NotImplementedError

    def untouched(self, id_: str) -> object:
        raise NotImplementedError

    def everything(self) -> object:
        raise NotImplementedError

    def break_off(self) -> None:
        self._broken = True
        self.server.before = lambda _: Said(cut=True)

    def is_there(self) -> bool:
        return not self._broken

    def close(self) -> None:
        self._stack.close()


class FakeApiWorld(VendorWorld):
    """The API of the tutorial."""

    connector = "fakeapi"
    secrets: Mapping[str, str] = {"token": "token"}
    people = 1100

    def __init__(self) -> None:
        self.sandbox = FakeApi()
        super().__init__(self.sandbox, FakeApi())

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({**_contact(fields), "loyalty": "gold", "address": {"floor": "3"}})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _contact(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def untouched(self, id_: str) -> object:
        mine = self.sandbox.contacts[id_]
        others = {other: each for other, each in self.sandbox.contacts.items() if other != id_}
        return mine["loyalty"], mine["address"]["floor"], copy.deepcopy(others)

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)


def _contact(fields: Mapping[str, Raw]) -> dict[str, Any]:
    """Spell a person as the API does."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "email":
            made["emails"] = [{"label": "work", "value": value}] if value else []
        elif name == "phone":
            made["phones"] = [{"label": "mobile", "value": value, "verified": True}] if value else []
        else:
            made[name] = value
    return made


HUBSPOT = {"first_name": "firstname", "job_title": "jobtitle"}


class HubSpotWorld(VendorWorld):
    """HubSpot; search lags, and a second passes with each request."""

    connector = "hubspot"
    secrets: Mapping[str, str] = {"token": "token"}
    people = 250
    fields: tuple[str, ...] = ("email", "first_name", "phone", "company", "job_title")
    refused: Mapping[str, Raw] = {"email": "no address"}

    def __init__(self) -> None:
        self.sandbox = HubSpot(lag_seconds=9, step_seconds=1)
        super().__init__(self.sandbox, HubSpot(portal=815))

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({**_properties(fields), "loyalty": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _properties(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.archive(id_)
        self.sandbox.clock.pass_seconds(3600)  # what is deleted is asked once an hour

    def untouched(self, id_: str) -> object:
        contacts = self.sandbox.contacts
        others = {other: each for other, each in contacts.items() if other != int(id_)}
        return contacts[int(id_)].properties["loyalty"], copy.deepcopy(others)

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts), set(self.sandbox.opted_out)


def _properties(fields: Mapping[str, Raw]) -> dict[str, str]:
    return {HUBSPOT.get(name, name): value or "" for name, value in fields.items()}


MAILCHIMP = {"first_name": "FNAME", "last_name": "LNAME", "phone": "PHONE"}


class MailchimpWorld(VendorWorld):
    """One audience."""

    connector = "mailchimp"
    secrets: Mapping[str, str] = {"api_key": "key-us19"}
    settings: Mapping[str, Any] = {"audience": "a1b2c3"}
    path = "/3.0"
    people = 1100
    fields: tuple[str, ...] = ("email", "first_name", "phone", "last_name")
    refused: Mapping[str, Raw] = {"email": "no address"}

    def __init__(self) -> None:
        self.sandbox = Mailchimp(step_seconds=1)
        super().__init__(self.sandbox, Mailchimp())

    def add(self, **fields: Raw) -> str:
        merge = {MAILCHIMP[name]: value or "" for name, value in fields.items() if name != "email"}
        self.sandbox.clock.pass_seconds(0.1)
        return self.sandbox.add(fields["email"], {**merge, "LOYALTY": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, **{MAILCHIMP.get(name, name): value or "" for name, value in fields.items()})

    def delete(self, id_: str) -> None:
        self.sandbox.edit(id_, status="archived")

    def untouched(self, id_: str) -> object:
        members = self.sandbox.members
        others = {other: each for other, each in members.items() if other != id_}
        return members[id_].merge["LOYALTY"], members[id_].status, copy.deepcopy(others)

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.members)


XERO = {"email": "EmailAddress", "first_name": "FirstName", "last_name": "LastName"}


class XeroWorld(VendorWorld):
    """One organisation; its connector has steps in Python."""

    connector = "xero"
    secrets: Mapping[str, str] = {"client_id": "client", "client_secret": "secret", "refresh_token": "refresh-0"}
    settings: Mapping[str, Any] = {"tenant": "4711"}
    path = "/api.xro/2.0"
    people = 230
    fields: tuple[str, ...] = ("email", "first_name", "phone", "last_name")
    refused: Mapping[str, Raw] = {"email": "no address"}

    def __init__(self) -> None:
        self.sandbox = XeroSandbox(step_seconds=1)
        super().__init__(self.sandbox, XeroSandbox())

    def made(self, given: Opening, **seams: Any) -> App:
        registry.load(self.connector)
        app: App = vars(sys.modules["syncd_connectors.xero.connector"])["Xero"](manifest("xero"), given, **seams)
        return app

    def settings_at(self, url: str) -> dict[str, Any]:
        return {**super().settings_at(url), "token_url": f"{url}/connect/token"}

    def add(self, **fields: Raw) -> str:
        name = f"{fields.get('first_name') or 'nobody'} {len(self.sandbox.contacts)}"
        return self.sandbox.add({"Name": name, "AccountNumber": "gold", **_xero(fields)})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _xero(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.edit(id_, {"ContactStatus": "ARCHIVED"})

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        mine = contacts.pop(id_)
        phones = [each for each in mine["Phones"] if each["PhoneType"] != "DEFAULT"]
        return mine["Name"], mine["AccountNumber"], mine["Addresses"], phones, contacts

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)


def _xero(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made: dict[str, Any] = {XERO[name]: value or "" for name, value in fields.items() if name != "phone"}
    if "phone" in fields:
        made["Phones"] = [
            {"PhoneType": "DEFAULT", "PhoneNumber": fields["phone"] or ""},
            {"PhoneType": "MOBILE", "PhoneNumber": "1 234", "PhoneAreaCode": "171", "PhoneCountryCode": "49"},
        ]
    return made


class ZendeskWorld(VendorWorld):
    """One account; what the kit calls first name and company are user fields of the account's own."""

    connector = "zendesk"
    secrets: Mapping[str, str] = {"token": "token"}
    settings: Mapping[str, Any] = {"agent": "agent@example.com"}
    mapped: Mapping[str, FieldMap] = {
        name: FieldMap(path=path)
        for name, path in {
            **{name: name for name in ("email", "phone", "notes")},
            **{name: f"user_fields.{name}" for name in ("first_name", "company")},
        }.items()
    }
    path = "/api/v2"
    people = 130
    fields: tuple[str, ...] = ("email", "first_name", "phone", "company")
    refused: Mapping[str, Raw] = {"email": "no address"}

    def __init__(self) -> None:
        self.sandbox = Zendesk(step_seconds=6)
        super().__init__(self.sandbox, Zendesk())
        self.sandbox.url = self.server.url
        self.sandbox.add({"name": "Somebody of ours", "role": "agent", "email": "us@example.com"})
        self.sandbox.clock.pass_seconds(3600)

    def made(self, given: Opening, **seams: Any) -> App:
        registry.load(self.connector)
        app: App = vars(sys.modules["syncd_connectors.zendesk.connector"])["Zendesk"](
            manifest("zendesk"), replace(given, fields=self.mapped), **seams
        )
        return app

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({"name": "Nobody", "external_id": "gold", **_user(fields)})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _user(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def untouched(self, id_: str) -> object:
        users = copy.deepcopy(self.sandbox.users)
        mine = users.pop(int(id_))
        return mine["name"], mine["external_id"], mine["role"], users

    def everything(self) -> object:
        return copy.deepcopy((self.sandbox.users, self.sandbox.identities))


def _user(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made = {name: value for name, value in fields.items() if name not in {"first_name", "company"}}
    own = {name: value for name, value in fields.items() if name in {"first_name", "company"}}
    return {**made, **({"user_fields": own} if own else {})}


MAUTIC = {"first_name": "firstname", "job_title": "position"}


class MauticWorld(VendorWorld):
    """One Mautic, as its documents tell."""

    connector = "mautic"
    secrets: Mapping[str, str] = {"password": "secret"}
    settings: Mapping[str, Any] = {"username": "api"}
    path = "/api"
    people = 1010
    fields: tuple[str, ...] = ("email", "first_name", "phone", "company", "job_title")
    refused: Mapping[str, Raw] = {"email": "no address"}

    def __init__(self) -> None:
        self.sandbox = Mautic()
        super().__init__(self.sandbox, Mautic())
        self.sandbox.add({})  # somebody who looked at a page

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({**_mautic(fields), "loyalty": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _mautic(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        return contacts.pop(int(id_))["loyalty"], contacts

    def everything(self) -> object:
        return copy.deepcopy((self.sandbox.contacts, self.sandbox.marks))


def _mautic(fields: Mapping[str, Raw]) -> dict[str, str]:
    return {MAUTIC.get(name, name): value or "" for name, value in fields.items()}
