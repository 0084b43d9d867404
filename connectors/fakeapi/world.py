"""The account of the tutorial, and the people in it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox


class World(ApiWorld[Sandbox]):
    """The API of the tutorial."""

    secrets = {"token": "token"}
    people = 1100

    def make(self, number: int) -> Sandbox:
        return Sandbox()

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
