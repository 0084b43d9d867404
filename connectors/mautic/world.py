"""A Mautic, and the people who work with it. One contact is nobody yet: somebody who looked at a page."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox

NAMES: Final = {"first_name": "firstname", "job_title": "position"}


class World(ApiWorld[Sandbox]):
    """One Mautic."""

    secrets = {"password": "secret"}
    settings = {"username": "api"}
    path = "/api"
    people = 1010
    fields = ("email", "first_name", "phone", "company", "job_title")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        made = Sandbox()
        made.add({})
        return made

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({**_mautic(fields), "loyalty": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _mautic(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def opt_out(self, id_: str) -> None:
        self.sandbox.mark(id_, 1)

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        return contacts.pop(int(id_))["loyalty"], contacts

    def everything(self) -> object:
        return copy.deepcopy((self.sandbox.contacts, self.sandbox.marks))


def _mautic(fields: Mapping[str, Raw]) -> dict[str, str]:
    return {NAMES.get(name, name): value or "" for name, value in fields.items()}
