"""An audience, and the people who work on it."""

from __future__ import annotations

import copy
from typing import Final

from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import Sandbox

NAMES: Final = {"first_name": "FNAME", "last_name": "LNAME", "phone": "PHONE", "company": "COMPANY"}


class World(ApiWorld[Sandbox]):
    """One audience."""

    secrets = {"api_key": "key-us19"}
    settings = {"audience": "a1b2c3"}
    labels = {"company": "Company"}
    path = "/3.0"
    people = 1100
    fields = ("email", "first_name", "phone", "last_name")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        return Sandbox(step_seconds=1)

    def add(self, **fields: Raw) -> str:
        merge = {NAMES[name]: value or "" for name, value in fields.items() if name != "email"}
        self.sandbox.clock.pass_seconds(0.1)
        return self.sandbox.add(fields["email"], {**merge, "LOYALTY": "gold"})

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, **{NAMES.get(name, name): value or "" for name, value in fields.items()})

    def delete(self, id_: str) -> None:
        self.sandbox.edit(id_, status="archived")

    def opt_out(self, id_: str) -> None:
        self.sandbox.edit(id_, status="unsubscribed")

    def untouched(self, id_: str) -> object:
        members = self.sandbox.members
        others = {other: each for other, each in members.items() if other != id_}
        return members[id_].merge["LOYALTY"], members[id_].status, copy.deepcopy(others)

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.members)
