"""A Zendesk account, and its agents. What the kit calls first name and company are user fields of the account's own."""

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

    secrets = {"token": "token"}
    settings = {"agent": "agent@example.com"}
    mapped = {
        name: FieldMap(path=path)
        for name, path in {
            **{name: name for name in ("email", "phone", "notes")},
            **{name: f"user_fields.{name}" for name in ("first_name", "company")},
        }.items()
    }
    labels = {"company": "Company"}
    path = "/api/v2"
    people = 130
    fields = ("email", "first_name", "phone", "company")
    refused = {"email": "no address"}

    def __init__(self, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.sandbox.url = self.server.url
        self.sandbox.add({"name": "Somebody of ours", "role": "agent", "email": "us@example.com"})
        self.sandbox.clock.pass_seconds(3600)

    def make(self, number: int) -> Sandbox:
        return Sandbox(step_seconds=6)

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({"name": "Nobody", "external_id": "gold", **_user(fields)})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _user(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def merge(self, kept: str, lost: str) -> None:
        self.sandbox.merge(kept, lost)

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
