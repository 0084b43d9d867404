"""Five hundred customers who do not exist, always the same ones: what is true of them before four apps spell it.

Numbers of telephones are those that the countries keep free for films, addresses lie under example.com.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

PEOPLE: Final = 500
WITHOUT_ADDRESS: Final = (223, 263, 303)
"""Customers of whom nobody knows an e-mail address."""

LATIN: Final = {"ß": "ss", "ø": "o", "ä": "ae", "ö": "oe", "ü": "ue", " ": "-"}
FIRST: Final = (
    "Ada Björn Chloé Dieter Émilie Fiona Günther Hannah Ian Jürgen Karin Louis Marie Nadia Oliver Petra Quentin Renée"
    " Søren Theresa Ulrike Victor Wanda Xavier Yvonne Zoë Albert Birgit Callum Daniela Ewan François Greta Henry Inès"
    " Jasmin Kurt Léa Magnus Noor"
).split()
LAST: Final = (
    "Lindqvist O'Brien Müller Dupont Schäfer MacLeod Wójcik Novák Strauß Hughes Lefèvre Brandt van·Dyk Özdemir Keller"
    " Fischer Garnier Whitfield Jäger Petit Albrecht Sørensen de·la·Cruz Baumann Nightingale Roussel Köhler Abbott"
    " Hartmann Moreau Zimmermann Fraser Vogel Blanc Ainsworth Richter Chevalier Thompson-Reid Weiß Castell"
).split()
TITLES: Final = (
    "Managing Director",
    "Buyer",
    "Head of Purchasing",
    "Accountant",
    "Shop Manager",
    "Barista",
    "Restaurant Owner",
    "Office Manager",
)
COMPANIES: Final = (
    ("Teehaus Nord GmbH", "teehaus-nord", "DE"),
    ("Kaffee & Kluntje OHG", "kaffee-kluntje", "DE"),
    ("Hotel Abendrot AG", "hotel-abendrot", "DE"),
    ("Feinkost Lorenz KG", "feinkost-lorenz", "DE"),
    ("Café am Markt UG", "cafe-am-markt", "DE"),
    ("Brew & Bloom Ltd", "brew-and-bloom", "GB"),
    ("The Copper Kettle Ltd", "copper-kettle", "GB"),
    ("Harbour Tea Rooms Ltd", "harbour-tea", "GB"),
    ("Salon de Thé Mireille SARL", "the-mireille", "FR"),
    ("Épicerie du Port SARL", "epicerie-du-port", "FR"),
)
TOWNS: Final = {
    "DE": (("20095", "Hamburg"), ("04109", "Leipzig"), ("80331", "München"), ("50667", "Köln")),
    "GB": (("EH1 1YZ", "Edinburgh"), ("M1 1AE", "Manchester"), ("BS1 4DJ", "Bristol")),
    "FR": (("69002", "Lyon"), ("44000", "Nantes"), ("35000", "Rennes")),
}
BLOCKS: Final = {"DE": ("+49", "30", "23125"), "GB": ("+44", "20", "79460"), "FR": ("+33", "1", "99001")}
"""Country code, area code, and what a thousand numbers begin with."""
STREETS: Final = {
    "DE": ("Lange Gasse", "Mühlenweg", "Am Speicher", "Bahnhofstraße"),
    "GB": ("Castle Street", "Mill Lane", "Harbour Row"),
    "FR": ("rue des Lilas", "quai de la Fosse", "place du Marché"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer, as it would be written everywhere if people were tidy."""

    number: int
    first_name: str
    last_name: str
    email: str | None
    phone_parts: tuple[str, str, str]
    """Country code, area code, number."""
    company: str
    job_title: str
    street: str
    postal_code: str
    city: str
    country: str

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def phone(self) -> str:
        return "".join(self.phone_parts)


def people() -> list[Person]:
    """Make all of them."""
    return [_person(number) for number in range(PEOPLE)]


def _person(number: int) -> Person:
    first = FIRST[number % len(FIRST)]
    last = LAST[(number * 3 + number // len(FIRST)) % len(LAST)].replace("·", " ")
    company, domain, country = COMPANIES[(number * 7 + number // 10) % len(COMPANIES)]
    postal_code, city = TOWNS[country][number % len(TOWNS[country])]
    street = STREETS[country][number % len(STREETS[country])]
    house = 1 + number * 13 % 97
    code, area, block = BLOCKS[country]
    return Person(
        number=number,
        first_name=first,
        last_name=last,
        email=f"{ascii_name(first)}.{ascii_name(last)}@{domain}.example.com" if number not in WITHOUT_ADDRESS else None,
        phone_parts=(code, area, f"{block}{number:03}"),
        company=company,
        job_title=TITLES[(number // 3) % len(TITLES)],
        street=f"{house} {street}" if country != "DE" else f"{street} {house}",
        postal_code=postal_code,
        city=city,
        country=country,
    )


def ascii_name(name: str) -> str:
    """Spell a name as it stands in addresses."""
    latin = "".join(LATIN.get(ch, ch) for ch in name.lower())
    return "".join(ch for ch in unicodedata.normalize("NFD", latin) if ch.isascii() and (ch.isalnum() or ch == "-"))
