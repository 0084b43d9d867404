"""A HubSpot account, and the people in it. Search lags, and a second passes with each request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox

NAMES: Final = {"first_name": "firstname", "job_title": "jobtitle"}


class World(ApiWorld[Sandbox]):
    """One account."""

    secrets = {"token": "token"}
    people = 250
    labels = {"industry": "Industry"}
    fields = ("email", "first_name", "phone", "company", "job_title")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        return Sandbox(portal=4711 + number, lag_seconds=9, step_seconds=1)

    def add(self, **fields: Raw) -> str:
        return self.sandbox.add({**_properties(fields), "loyalty": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, _properties(fields))

    def delete(self, id_: str) -> None:
        self.sandbox.archive(id_)
        self.sandbox.clock.pass_seconds(3600)  # what is deleted is asked once an hour

    def merge(self, kept: str, lost: str) -> None:
        self.sandbox.merge(kept, lost)
        self.sandbox.clock.pass_seconds(3600)

    def opt_out(self, id_: str) -> None:
        self.sandbox.opt_out(self.sandbox.contacts[int(id_)].properties["email"])

    def untouched(self, id_: str) -> object:
        contacts = self.sandbox.contacts
        others = {other: each for other, each in contacts.items() if other != int(id_)}
        return contacts[int(id_)].properties["loyalty"], copy.deepcopy(others)

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts), set(self.sandbox.opted_out)


def _properties(fields: Mapping[str, Raw]) -> dict[str, str]:
    return {NAMES.get(name, name): value or "" for name, value in fields.items()}
