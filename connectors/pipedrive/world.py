"""A company, and its sellers. What the kit calls first name and company are custom fields of the company's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from syncd.kit.worlds import ApiWorld
from syncd.model import FieldMap, Raw

from .sandbox import COMPANY, FIRST_NAME, LOYALTY, Sandbox

CUSTOM: Final = {"first_name": FIRST_NAME, "company": COMPANY}
MORE: Final = {
    "emails": {"value": "more@example.net", "primary": False, "label": "home"},
    "phones": {"value": "+1 555", "primary": False, "label": "other"},
}
"""What everybody has besides."""


class World(ApiWorld[Sandbox]):
    """One company."""

    secrets = {"token": "token"}
    mapped = {name: FieldMap(path=f"custom_fields.{key}") for name, key in CUSTOM.items()}
    labels = {"company": "Company"}
    people = 1010
    fields = ("email", "first_name", "phone", "company")

    def make(self, number: int) -> Sandbox:
        return Sandbox(company=4711 + number, lag_seconds=9, step_seconds=1)

    def add(self, **fields: Raw) -> str:
        made = _person({"email": None, "phone": None, **fields})
        made["custom_fields"] = {**made.get("custom_fields", {}), LOYALTY: "gold"}
        return self.sandbox.add({"name": "Nobody", **made})

    def edit(self, id_: str, **fields: Raw) -> None:
        held = self.sandbox.persons[int(id_)].fields
        kept = {
            name: held[f"{name}s"][0]["value"]
            for name in ("email", "phone")
            if name not in fields and len(held[f"{name}s"]) > 1
        }
        self.sandbox.edit(id_, _person({**kept, **fields}))

    def delete(self, id_: str) -> None:
        self.sandbox.delete(id_)

    def merge(self, kept: str, lost: str) -> None:
        self.sandbox.merge(kept, lost)

    def opt_out(self, id_: str) -> None:
        self.sandbox.set_status(id_, "unsubscribed")

    def untouched(self, id_: str) -> object:
        persons = copy.deepcopy(self.sandbox.persons)
        mine = persons.pop(int(id_))
        more = [each for name in MORE for each in mine.fields[name] if each["label"] == MORE[name]["label"]]
        return mine.fields["name"], mine.fields["custom_fields"][LOYALTY], mine.status, more, persons

    def everything(self) -> object:
        return copy.deepcopy(self.sandbox.persons)


def _person(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made: dict[str, Any] = {name: value for name, value in fields.items() if name not in {"email", "phone", *CUSTOM}}
    for name in ("email", "phone"):
        if name in fields:
            first = {"value": fields[name], "primary": True, "label": "work"}
            made[f"{name}s"] = [*([first] if fields[name] else []), MORE[f"{name}s"]]
    own = {CUSTOM[name]: value for name, value in fields.items() if name in CUSTOM}
    return {**made, **({"custom_fields": own} if own else {})}
