"""How four apps spell the same people: other cases and formats, blanks, old values, people typed twice, opt-outs.

Knows fields and each app's words, not how an app is spoken to. Hard rule: no chance in it, so that the demo tells the same
story every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.demo.people import Person, ascii_name

Row = dict[str, str]
"""Field -> text. What is blank is not there."""

COUNTRY_NAMES: Final = {
    "DE": ("Germany", "Deutschland", "DE"),
    "GB": ("United Kingdom", "UK", "Great Britain"),
    "FR": ("France", "Frankreich", "FR"),
}
TYPED_TWICE: Final = (133, 252, 366)
"""People whom the CRM holds a second time, under a private address."""
BOOKED_TWICE: Final = (184, 385)
"""Customers whom the accountant has entered a second time."""
MARRIED: Final = {294: "Sommerfeld"}
"""New names, which only the accountant has heard of."""
NO_NUMBER: Final = 201
"""The CRM has "ask at reception" where a number should be."""


def crm(everyone: list[Person]) -> Iterator[Row]:
    """Spell the first 430 as sales does, some of them twice."""
    for person in everyone[:430]:
        number = person.number
        yield _row(
            first_name=person.first_name,
            last_name=person.last_name,
            email=_shouted(person.email, number % 9 == 0),
            phone="ask at reception" if number == NO_NUMBER else _crm_phone(person),
            company=person.company.rsplit(" ", 1)[0] if number % 12 == 5 else person.company,
            job_title="" if number % 8 == 2 else person.job_title,
            **_address(person, wanted=number % 4 != 1),
            email_consent="opted_out" if number % 41 == 7 and person.email else "",
        )
    for number in TYPED_TWICE:
        person = everyone[number]
        yield _row(
            first_name=person.first_name,
            last_name=person.last_name,
            email=private(person),
            phone=person.phone,
            job_title="met at the fair",
        )


def private(person: Person) -> str:
    """Give the address that somebody has at home."""
    return f"{ascii_name(person.first_name)}{person.number}@mail.example.org"


def news(everyone: list[Person]) -> Iterator[Row]:
    """Spell three of four as the newsletter's form did."""
    for person in everyone:
        number = person.number
        if number % 4 == 3 or person.email is None:
            continue
        yield _row(
            email=person.email.title() if number % 11 == 3 else person.email,
            first_name=person.first_name.upper() if number % 13 == 6 else person.first_name,
            last_name="" if number % 10 == 4 else person.last_name,
            phone="" if number % 3 else " ".join(person.phone_parts),
            email_consent=_news_consent(number),
        )


def books(everyone: list[Person]) -> Iterator[Row]:
    """Spell the last 350 as the accountant does: addresses in full, numbers in three parts, some of them old."""
    for person in everyone[150:]:
        number = person.number
        yield _row(
            first_name=person.first_name,
            last_name=MARRIED.get(number, person.last_name),
            email="" if number % 29 == 0 else person.email or "",
            phone="" if number % 7 == 1 else _old_phone(person) if number % 25 == 0 else "|".join(person.phone_parts),
            **_address(person, wanted=number % 6 != 1, old=number % 11 == 0),
        )
    for number in BOOKED_TWICE:
        person = everyone[number]
        yield _row(first_name=person.first_name, last_name=person.last_name, email=person.email or "")


def desk(everyone: list[Person]) -> Iterator[Row]:
    """Spell seven of eight as the helpdesk does, from the signatures of their mails."""
    for person in everyone:
        number = person.number
        if number % 8 == 1:
            continue
        yield _row(
            first_name=person.first_name,
            last_name="" if number % 50 == 12 else person.last_name,
            email=person.email or "",
            phone="" if number % 20 == 10 else _local(person) if number % 2 else person.phone,
            company=person.company,
            job_title="" if number % 30 == 16 else person.job_title,
            email_consent="no thanks" if number % 83 == 5 else "yes" if number % 5 == 0 else "",
        )


def _row(**fields: str) -> Row:
    return {name: text for name, text in fields.items() if text}


def _shouted(address: str | None, loud: bool) -> str:
    return (address.upper() if loud else address) if address else ""


def _news_consent(number: int) -> str:
    """In Mailchimp's words."""
    if number % 23 == 9:
        return "unsubscribed"
    return "cleaned" if number % 67 == 2 else "pending" if number % 71 == 5 else "subscribed"


def _crm_phone(person: Person) -> str:
    if person.number % 6 == 5:
        return "n/a" if person.number % 12 == 5 else ""
    code, area, number = person.phone_parts
    if person.number % 2:
        return _local(person)
    return f"{code} (0){area} {number}"


def _local(person: Person) -> str:
    """As somebody dials it who lives there; others need the country."""
    code, area, number = person.phone_parts
    return f"0{area} / {number[:5]}-{number[5:]}" if code == "+49" else f"{code} {area} {number[:4]} {number[4:]}"


def _old_phone(person: Person) -> str:
    code, area, number = person.phone_parts
    return f"{code}|{area}|{number[:-3]}{(person.number + 500) % 1000:03}"


def _address(person: Person, *, wanted: bool, old: bool = False) -> Row:
    if not wanted:
        return {}
    names = COUNTRY_NAMES[person.country]
    return {
        "street": f"Old Post Office {person.number}" if old else person.street,
        "postal_code": person.postal_code,
        "city": person.city.upper() if person.number % 13 == 5 else person.city,
        "country": names[person.number % len(names)],
    }
