"""A Freshdesk account, and its agents. What the kit calls first name and company are fields of the account's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from syncd.connector import Connector
from syncd.kit.worlds import ApiWorld
from syncd.model import FieldMap, Raw

from .sandbox import Sandbox


class World(ApiWorld[Sandbox]):
    """One account."""

    secrets = {"api_key": "key"}
    mapped = {
        name: FieldMap(path=path)
        for name, path in {
            **{name: name for name in ("email", "phone", "mobile")},
            **{name: f"custom_fields.{name}" for name in ("first_name", "company")},
        }.items()
    }
    labels = {"company": "Company"}
    path = "/api/v2"
    people = 210
    fields = ("email", "first_name", "phone", "company")
    refused = {"email": "no address"}

    def __init__(self, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.sandbox.url = self.server.url

    def make(self, number: int) -> Sandbox:
        return Sandbox()

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({"name": "Nobody", "tags": ["gold"], **_contact({"loyalty": "gold", **fields})})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _contact(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def merge(self, kept: str, lost: str) -> None:
        self.sandbox.merge(kept, lost)

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        mine = contacts.pop(int(id_))
        return mine["name"], mine["tags"], mine["custom_fields"]["loyalty"], contacts

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)


def _contact(fields: Mapping[str, Raw]) -> dict[str, Any]:
    own = {name: value for name, value in fields.items() if name in {"first_name", "company", "loyalty"}}
    made = {name: value for name, value in fields.items() if name not in own}
    return {**made, **({"custom_fields": own} if own else {})}
