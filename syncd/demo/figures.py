"""Count, without syncd, on how much the apps agree: what they hold, read in the simplest way that tells the same apart.

People are told apart by address, else by number and last name. Hard rule: asks the apps themselves, and nothing of syncd.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from syncd.demo.apps import App
from syncd.demo.mess import COUNTRY_NAMES, Row

COMPARED: Final = (
    *("first_name", "last_name", "email", "phone", "company", "job_title"),
    *("street", "postal_code", "city", "country"),
)
COUNTRIES: Final = {name.casefold(): code for code, names in COUNTRY_NAMES.items() for name in (code, *names)}


@dataclass(slots=True, kw_only=True)
class Figures:
    """How far the apps agree."""

    records: int = 0
    """Records in all apps together."""
    everywhere: int = 0
    """People whom every app knows."""
    disagreeing: int = 0
    """Fields of one person for which two apps say different things."""
    spelled: int = 0
    """Fields that two apps spell differently and mean the same."""
    missing: int = 0
    """Fields that are blank in one app and known in another."""
    unheard: int = 0
    """People who opted out in one app and not in another that keeps consent."""


def count(apps: Mapping[str, App]) -> Figures:
    """Look into every app and count."""
    people: dict[object, dict[str, Row]] = {}
    waiting: list[tuple[str, Row]] = []
    found = Figures()
    for name, app in apps.items():
        for row in app.rows():
            found.records += 1
            if "email" in row:
                people.setdefault(row["email"].casefold(), {}).setdefault(name, row)
            else:
                waiting.append((name, row))
    numbers = {_number(row): person for person in people.values() for row in person.values() if "phone" in row}
    for name, row in waiting:
        person = numbers.get(_number(row)) if meaning("phone", row.get("phone", "")) else None
        if person is None:
            person = people.setdefault((name, len(people)), {})
            numbers[_number(row)] = person
        person.setdefault(name, row)
    for person in people.values():
        _compare(person, apps, found)
    return found


def _number(row: Row) -> tuple[str, str]:
    return meaning("phone", row.get("phone", "")), row.get("last_name", "").casefold()


def meaning(field: str, text: str) -> str:
    """Spell a value so that what means the same is the same; "" where it means nothing."""
    if field == "phone":
        digits = re.sub(r"\(0\)|[^+\d]", "", text)
        return f"+49{digits[1:]}" if digits.startswith("0") else digits
    if field == "email":
        return text.casefold()
    if field == "country":
        return COUNTRIES.get(text.casefold(), text)
    return " ".join(text.split())


def _compare(person: Mapping[str, Row], apps: Mapping[str, App], found: Figures) -> None:
    found.everywhere += len(person) == len(apps)
    for name in COMPARED:
        texts = [row.get(name, "") for app, row in person.items() if name in apps[app].holds]
        meant = {means for text in texts if (means := meaning(name, text))}
        found.disagreeing += len(meant) > 1
        found.missing += bool(meant) and any(not meaning(name, text) for text in texts)
        found.spelled += len(meant) == 1 and len({text for text in texts if meaning(name, text)}) > 1
    out = {
        app: row.get("email_consent", "") in apps[app].opted_out for app, row in person.items() if apps[app].opted_out
    }
    found.unheard += any(out.values()) and not all(out.values())
