"""A database on a running Tryton, and whoever keeps its books."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from syncd.connector import Connector
from syncd.kit.worlds import PeerApiWorld
from syncd.model import FieldMap, Raw

from . import server

PATHS: Final = {
    "first_name": "name",
    "email": "contact_mechanisms[type=email].value",
    "phone": "contact_mechanisms[type=website].value",
    "company": "addresses[place=first].city",
}
KINDS: Final = {"email": "email", "phone": "website"}


class World(PeerApiWorld):
    """One database. Numbers are looked at there, so that what the kit calls a telephone is a web site, and a company a city."""

    secrets: Mapping[str, str] = {"password": server.PASSWORD}
    people = 210
    exact = False
    """Blanks at both ends of a text go."""
    fields = ("email", "first_name", "phone", "company")
    refused: Mapping[str, Raw] = {"mobile": "12"}
    mapped: Mapping[str, FieldMap] = {
        **{name: FieldMap(path=path) for name, path in PATHS.items()},
        "mobile": FieldMap(path="contact_mechanisms[type=mobile].value"),
    }

    def __init__(self, books: server.Tryton, connector: Connector | None = None) -> None:
        super().__init__(books.port, connector)
        self.books = books

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.server.url, "database": server.DATABASE, "username": server.USER}

    def other_settings(self) -> Mapping[str, Any]:
        return {**self.settings(), "database": "other"}

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        return self.books.create([_party(each) for each in people])

    def edit(self, id_: str, **fields: Raw) -> None:
        for name, value in fields.items():
            if name == "first_name":
                self.books.write("party.party", id_, name=value)
                continue
            held = self.books.mechanism(id_, KINDS[name])
            if held is not None:
                self.books.write("party.contact_mechanism", held["id"], value=value)
            else:
                made = {"party": int(id_), "type": KINDS[name], "value": value}
                self.books.call("model.party.contact_mechanism.create", [made], {})

    def delete(self, id_: str) -> None:
        self.books.write("party.party", id_, active=False)

    def untouched(self, id_: str) -> object:
        everyone = self.books.parties()
        mine = everyone.pop(id_)
        kinds = KINDS.values()
        return mine["code"], [each for each in mine["contact_mechanisms."] if each["type"] not in kinds], everyone

    def everything(self) -> object:
        return self.books.parties()


def _party(fields: Mapping[str, Raw]) -> dict[str, Any]:
    said = [{"type": kind, "value": fields[name]} for name, kind in KINDS.items() if fields.get(name)]
    unmapped = {"type": "fax", "value": "+44 20 7946 0000"}
    made: dict[str, Any] = {"name": fields.get("first_name"), "contact_mechanisms": [["create", [*said, unmapped]]]}
    if fields.get("company"):
        made["addresses"] = [["create", [{"city": fields["company"], "street": "1 High Street"}]]]
    return made


@contextlib.contextmanager
def serving() -> Iterator[Mapping[str, Callable[[Connector], World]]]:
    """Run the server while the block runs; give what makes an empty account on it."""
    with server.started() as running:
        yield {"": lambda connector: World(running.empty(), connector)}
