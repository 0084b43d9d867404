"""An account of yourapp on its sandbox, and what people do in it: all that the kit has to know of your app.

Fields go by syncd's names here, so this file says once more, in code of its own, where they lie.
"""

from __future__ import annotations

import copy

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox


class World(ApiWorld[Sandbox]):
    """One account."""

    secrets = {"token": "token"}
    people = 210  # so many records make more than two pages
    fields = ("email", "first_name", "phone", "company", "notes")  # texts that can be read and written
    refused = {"phone": "1" * 51}  # values that the app refuses

    def make(self, number: int) -> Sandbox:
        return Sandbox(account=f"a{number}")

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add(fields)

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, fields)

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def untouched(self, id_: str) -> object:
        """What no write to this record may change: here `source`, which no field is mapped to, and all the others."""
        contacts = copy.deepcopy(self.sandbox.contacts)
        return contacts.pop(int(id_))["source"], contacts

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)
