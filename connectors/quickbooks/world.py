"""A company, and the people who keep its books."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox

NAMES: Final = {"first_name": "GivenName", "last_name": "FamilyName", "company": "CompanyName", "notes": "Notes"}


class World(ApiWorld[Sandbox]):
    """One company."""

    secrets = {"client_id": "client", "client_secret": "secret", "refresh_token": "refresh-0"}
    settings = {"realm": "4711", "minorversion": "75"}
    people = 1010
    fields = ("email", "first_name", "phone", "company", "notes")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        return Sandbox()

    def settings_at(self, url: str) -> dict[str, Any]:
        return {**super().settings_at(url), "token_url": f"{url}/oauth2/v1/tokens/bearer"}

    def add(self, **fields: Raw) -> str:
        name = f"{fields.get('first_name') or 'nobody'} {self.sandbox.last}"
        return self.sandbox.add({"DisplayName": name, "Balance": 12.5, **_customer(fields)})

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        ids = super().add_all(people)
        self.sandbox.clock.pass_seconds(300)  # more than is captured at once, unless it is a while ago
        return ids

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _customer(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.edit(id_, {"Active": False})

    def untouched(self, id_: str) -> object:
        customers = copy.deepcopy(self.sandbox.customers)
        mine = customers.pop(int(id_))
        return mine["DisplayName"], mine["Balance"], mine.get("Mobile"), customers

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.customers)


def _customer(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "email":
            made["PrimaryEmailAddr"] = {"Address": value or ""}
        elif name == "phone":
            made["PrimaryPhone"] = {"FreeFormNumber": value or ""}
            made["Mobile"] = {"FreeFormNumber": "1"}
        else:
            made[NAMES[name]] = value or ""
    return made
