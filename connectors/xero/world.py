"""An organisation, and the people who keep its books."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox

NAMES: Final = {"email": "EmailAddress", "first_name": "FirstName", "last_name": "LastName"}


class World(ApiWorld[Sandbox]):
    """One organisation; its connector has steps in Python."""

    secrets = {"client_id": "client", "client_secret": "secret", "refresh_token": "refresh-0"}
    settings = {"tenant": "4711"}
    path = "/api.xro/2.0"
    people = 230
    fields = ("email", "first_name", "phone", "last_name")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        return Sandbox(step_seconds=1)

    def settings_at(self, url: str) -> dict[str, Any]:
        return {**super().settings_at(url), "token_url": f"{url}/connect/token"}

    def add(self, **fields: Raw) -> str:
        name = f"{fields.get('first_name') or 'nobody'} {len(self.sandbox.contacts)}"
        return self.sandbox.add({"Name": name, "AccountNumber": "gold", **_xero(fields)})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _xero(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.edit(id_, {"ContactStatus": "ARCHIVED"})

    def merge(self, kept: str, lost: str) -> None:
        self.sandbox.merge(kept, lost)

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        mine = contacts.pop(id_)
        phones = [each for each in mine["Phones"] if each["PhoneType"] != "DEFAULT"]
        return mine["Name"], mine["AccountNumber"], mine["Addresses"], phones, contacts

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)


def _xero(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made: dict[str, Any] = {NAMES[name]: value or "" for name, value in fields.items() if name != "phone"}
    if "phone" in fields:
        made["Phones"] = [
            {"PhoneType": "DEFAULT", "PhoneNumber": fields["phone"] or ""},
            {"PhoneType": "MOBILE", "PhoneNumber": "1 234", "PhoneAreaCode": "171", "PhoneCountryCode": "49"},
        ]
    return made
