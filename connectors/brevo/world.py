"""An account of Brevo, and the people who write newsletters with it. PHONE and COMPANY are attributes of its own."""

from __future__ import annotations

import copy
from typing import Final

from syncd.kit.worlds import ApiWorld
from syncd.model import FieldMap, Raw

from .sandbox import Sandbox

NAMES: Final = {"email": "EMAIL", "first_name": "FIRSTNAME", "phone": "PHONE", "company": "COMPANY", "mobile": "SMS"}


class World(ApiWorld[Sandbox]):
    """One account."""

    secrets = {"api_key": "xkeysib"}
    mapped = {"phone": FieldMap(path="PHONE"), "company": FieldMap(path="COMPANY")}
    labels = {"company": "COMPANY"}
    path = "/v3"
    people = 1010
    fields = ("email", "first_name", "phone", "company")
    refused = {"email": "no address"}

    def make(self, number: int) -> Sandbox:
        return Sandbox(owner=f"owner{number}@example.com")

    def add(self, **fields: Raw) -> str:
        attributes = {NAMES[name]: value for name, value in fields.items() if name != "email"}
        id_ = self.sandbox.add(fields["email"], {**attributes, "LOYALTY": "gold", "POINTS": 12})
        self.sandbox.contacts[int(id_)].lists = [3]
        return id_

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.edit(id_, {NAMES[name]: value for name, value in fields.items()})

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def opt_out(self, id_: str) -> None:
        self.sandbox.block(id_)

    def untouched(self, id_: str) -> object:
        contacts = copy.deepcopy(self.sandbox.contacts)
        mine = contacts.pop(int(id_))
        return mine.attributes["LOYALTY"], mine.attributes["POINTS"], mine.lists, mine.blocked, contacts

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.contacts)
