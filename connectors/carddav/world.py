"""An address book on the stand-in, and people who work in it with another app: with a codec of its own, of a few lines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from syncd.connector import Connector
from syncd.kit.worlds import ApiWorld
from syncd.model import Raw

from .sandbox import BOOK, Sandbox

LINES: Final = {"email": "EMAIL", "first_name": "N", "phone": "TEL", "company": "ORG", "notes": "NOTE"}
UNMAPPED: Final = ("X-LOYALTY;X-SINCE=1999:gold", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=")


class World(ApiWorld[Sandbox]):
    """One address book."""

    people = 260
    exact = False  # a vCard knows one kind of line end
    overlaps = False
    resends = True  # a card is written whole, with its ETag
    path = BOOK
    secrets = {"username": "ada", "password": "secret"}

    def __init__(self, connector: Connector | None = None, **knobs: Any) -> None:
        self._knobs = knobs
        self._numbers = itertools.count(1)
        super().__init__(connector)

    def make(self, number: int) -> Sandbox:
        return Sandbox(user="ada", password="secret", **self._knobs)  # noqa: S106 - a stand-in's

    def add(self, **fields: Raw) -> str:
        name = f"h{next(self._numbers)}.vcf"
        card = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{name}", "FN:Somebody", "N:;;;;", *UNMAPPED, "END:VCARD"]
        return self.sandbox.put(name, written(card, fields))

    def edit(self, id_: str, **fields: Raw) -> None:
        self.sandbox.put(id_, written(lines(self.sandbox.cards[id_]), fields))

    def delete(self, id_: str) -> None:
        self.sandbox.put(id_, None)

    def untouched(self, id_: str) -> object:
        held = dict(self.sandbox.cards)
        mine = lines(held.pop(id_))
        return held, sorted(line for line in mine if line.startswith(("X-", "PHOTO", "UID")))

    def everything(self) -> object:
        return dict(self.sandbox.cards)


def lines(card: str) -> list[str]:
    return card.replace("\r\n ", "").strip().split("\r\n")


def written(card: Iterable[str], fields: Mapping[str, Raw]) -> str:
    """Write a card anew with other values in these fields; None leaves the line out."""
    gone = tuple(LINES[name] for name in fields)
    kept = [
        line for line in card if not line.upper().startswith(tuple(f"{name}{end}" for name in gone for end in ":;"))
    ]
    made = [f"{LINES[name]}:{spelled(name, value)}" for name, value in fields.items() if value or name == "first_name"]
    return "\r\n".join([*kept[:-1], *made, kept[-1], ""])


def spelled(name: str, value: Raw) -> str:
    text = str(value or "").replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")
    return f";{text};;;" if name == "first_name" else text


WORLDS: Final[Mapping[str, Callable[..., World]]] = {"plain": World, "cut answers": partial(World, limit=100)}
