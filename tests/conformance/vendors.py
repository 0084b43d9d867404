"""Connectors in YAML for the suite: each on its sandbox, over real HTTP on loopback."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.fakeapi.sandbox import Sandbox as FakeApi
from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from syncd import registry
from syncd.connector import App
from syncd.core.fields import STANDARD
from syncd.http.app import HttpApp
from syncd.http.compiling import load_manifest
from syncd.http.sandbox import Said, Sandbox, Server, serving
from syncd.http.terms import Manifest
from syncd.model import Raw
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
        connector, settings = registry.load(self.connector), {"url": f"{server.url}{self.path}", **self.settings}
        given = opening(connector, settings, secrets=dict(self.secrets), known=STANDARD, network="private")
        app = HttpApp(manifest(self.connector), given, sleep=lambda _: None, now=server.sandbox.clock.seconds)
        self._stack.callback(app.close)
        return app

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
