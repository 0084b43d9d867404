"""How three apps spell the same people: other cases and formats, blanks, old values, people typed twice, an opt-out.

Knows fields, not files. Hard rule: no chance in it, so that the demo tells the same story every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.demo.people import BLOCKS, Person

Row = dict[str, str]

COUNTRY_NAMES: Final = {
    "DE": ("Germany", "Deutschland", "DE"),
    "GB": ("United Kingdom", "UK", "Great Britain"),
    "FR": ("France", "Frankreich", "FR"),
}
TYPED_TWICE: Final = (33, 52, 66)
"""People whom the CRM holds a second time, with the address in other letter case."""
MARRIED: Final = {94: "Sommerfeld"}
"""New names, which only the accountant has heard of."""
OPTED_OUT: Final = (84, 96, 117)
"""They told the accountant; the CRM still has them as subscribers."""
NO_NUMBER_EITHER: Final = 23
"""Neither address nor number: nothing by which this person could be found again."""
BY_NUMBER_ONLY: Final = (74, 111, 124)
"""Their cards have no e-mail address, but the number that the other apps have too."""


def crm(everyone: list[Person]) -> Iterator[Row]:
    """Spell the first 150 as the CRM does, some of them twice."""
    for person in everyone[:150]:
        number = person.number
        yield {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": _shouted(person.email, number % 9 == 0),
            "phone": _crm_phone(person),
            "company": person.company.rsplit(" ", 1)[0] if number % 4 == 2 else person.company,
            "job_title": "" if number % 8 == 2 else person.job_title,
            **_address(person, wanted=number % 4 != 1),
            "email_consent": "no" if number % 31 == 7 else "" if number % 5 == 0 else "yes",
        }
    for number in TYPED_TWICE:
        person = everyone[number]
        yield {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": _shouted(person.email, True),
            "job_title": "met at the fair",
        }


def books(everyone: list[Person]) -> Iterator[Row]:
    """Spell the last 130 as the accountant does: codes, capitals, old numbers, addresses in full."""
    for person in everyone[70:]:
        number = person.number
        yield {
            "first_name": person.first_name,
            "last_name": MARRIED.get(number, person.last_name),
            "email": "" if number % 29 == 0 else person.email or "",
            "phone": "" if number % 7 == 1 else _old_phone(person) if number % 12 == 0 else person.phone or "",
            "company": person.company,
            **_address(person, wanted=number % 6 != 1, old=number % 11 == 0),
            "email_consent": "no" if number in OPTED_OUT else "yes" if number % 3 == 0 else "",
        }


def phonebook(everyone: list[Person]) -> Iterator[Row]:
    """Spell every third as the phones in the shop do: names, a number, sometimes a company."""
    for person in everyone:
        number = person.number
        if number % 10 not in (1, 4, 7):
            continue
        yield {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": "" if number in BY_NUMBER_ONLY else person.email or "",
            "phone": _spaced(person.phone or ""),
            "company": person.company if number % 4 else "",
            "job_title": "Buyer" if number % 20 == 14 else person.job_title if number % 2 else "",
            "nickname": f"{person.first_name[:3]}{number}",
        }


def _shouted(address: str | None, loud: bool) -> str:
    return (address.upper() if loud else address) if address else ""


def _crm_phone(person: Person) -> str:
    if person.number == 101:
        return "ask at reception"
    if person.number == NO_NUMBER_EITHER or person.number % 6 == 5:
        return "n/a" if person.number % 4 == 1 else ""
    number = person.phone or ""
    if number.startswith("+49") and person.number % 2:
        return f"0{number[3:5]} / {number[5:]}" if number[3] == "3" else f"0{number[3:6]} {number[6:]}"
    return f"{number[:3]} (0){number[3:]}" if person.number % 2 else number


def _old_phone(person: Person) -> str:
    return BLOCKS[person.country][1] + f"{(person.number + 55) % 100:02}"


def _spaced(number: str) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:9]} {number[9:]}".strip()


def _address(person: Person, *, wanted: bool, old: bool = False) -> Row:
    if not wanted:
        return {"street": "", "postal_code": "", "city": "", "country": ""}
    names = COUNTRY_NAMES[person.country]
    return {
        "street": f"Old Post Office {person.number}" if old else person.street,
        "postal_code": person.postal_code,
        "city": person.city.upper() if person.number % 13 == 5 else person.city,
        "country": names[person.number % len(names)],
    }
