"""What a property of a HubSpot contact is: how the account describes it, what it takes, how search compares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from syncd.http.sandbox import Refusal, Said

WRITABLE: Final = frozenset(
    "email firstname lastname salutation company jobtitle phone mobilephone website address city state zip country "
    "industry lifecyclestage".split()
)
READ_ONLY: Final = frozenset("createdate lastmodifieddate hs_object_id hs_email_optout hs_additional_emails".split())
ALWAYS: Final = ("createdate", "hs_object_id", "lastmodifieddate")
DEFAULT: Final = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
VALUE_MAX: Final = 65_536


class Refused(Refusal):
    def __init__(self, status: int, category: str, message: str = "", **more: Any) -> None:
        super().__init__(category)
        doc = {"status": "error", "message": message or category, "correlationId": "0-0", "category": category, **more}
        self.said = Said(status=status, doc=doc)


@dataclass(slots=True)
class Contact:
    """One contact. `shown` is what search knows of it: (from when, properties or None where it is archived)."""

    id: int
    properties: dict[str, str]
    created_us: int
    updated_us: int
    archived_us: int = 0


def iso(us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return f"{at.isoformat(timespec='milliseconds')[:-6]}Z"


def property_of(
    name: str,
    label: str,
    type_: str,
    shown_as: str,
    *,
    options: Mapping[str, str] | None = None,
    read_only: bool = False,
    calculated: bool = False,
) -> dict[str, Any]:
    there = [
        {"value": value, "label": word, "hidden": False, "displayOrder": n}
        for n, (value, word) in enumerate((options or {}).items())
    ]
    fixed = read_only or calculated
    meta = {"readOnlyValue": fixed, "readOnlyDefinition": True, "archivable": False}
    return {"name": name, "label": label, "type": type_, "fieldType": shown_as, "groupName": "contactinformation",
            "options": there, "calculated": calculated, "hasUniqueValue": False, "hidden": False, "archived": False,
            "modificationMetadata": meta}  # fmt: skip


def usual() -> list[dict[str, Any]]:
    """Describe the properties that every account has."""
    open_ = [property_of(name, name.title(), "string", "text") for name in sorted(WRITABLE)]
    fixed = [property_of(name, name.title(), "string", "text", read_only=True) for name in sorted(READ_ONLY)]
    return [*open_, *fixed]


def check(name: str, value: Any, own: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Refused where a property does not take a value. `own`: the properties that the account made, by name."""
    if not isinstance(value, str):
        raise invalid(name, "INVALID_TYPE")
    if name not in WRITABLE | READ_ONLY | own.keys():
        raise invalid(name, "PROPERTY_DOESNT_EXIST")
    if name in READ_ONLY or (name in own and own[name]["modificationMetadata"]["readOnlyValue"]):
        raise invalid(name, "READ_ONLY_VALUE")
    if name in own and value and not held_by(own[name], value):
        raise invalid(name, "INVALID_OPTION" if own[name]["options"] else "INVALID_TYPE")
    if len(value) > VALUE_MAX or (name == "email" and value and not ADDRESS.fullmatch(value)):
        raise invalid(name, "INVALID_EMAIL" if name == "email" else "INVALID_LENGTH")


def held_by(own: Mapping[str, Any], value: str) -> bool:
    """Say whether a property takes this text: numbers are told apart, and options are those that there are."""
    if own["type"] == "number":
        return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None
    if own["type"] == "bool":
        return value in {"true", "false"}
    if not own["options"]:
        return True
    parts = value.split(";") if own["fieldType"] == "checkbox" else [value]
    return {each["value"] for each in own["options"]}.issuperset(parts)


def named(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def invalid(name: str, code: str) -> Refused:
    error = {"message": f"{name} was not valid", "code": code, "context": {"propertyName": [name]}}
    return Refused(400, "VALIDATION_ERROR", "Property values were not valid", errors=[error])


def fits(properties: dict[str, str], wanted: dict[str, Any]) -> bool:
    """Compare as search does: numbers as numbers, times as milliseconds."""
    held, value = properties.get(wanted["propertyName"]), str(wanted["value"])
    if held is None:
        return False
    if wanted["operator"] == "EQ":
        return held.lower() == str(value).lower()
    if wanted["propertyName"] == "lastmodifieddate":
        left, right = datetime.fromisoformat(held).timestamp() * 1000, float(value)
    else:
        left, right = float(held), float(value)
    return left >= right if wanted["operator"] == "GTE" else left > right
