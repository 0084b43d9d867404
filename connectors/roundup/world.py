"""A tracker on a running Roundup, and whoever works in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from syncd.connector import Connector
from syncd.kit.worlds import PeerApiWorld
from syncd.model import FieldMap, Raw

from . import server

PATHS: Final = {"email": "address", "first_name": "realname", "phone": "phone", "company": "organisation"}


class World(PeerApiWorld):
    """One tracker; what the kit calls first name is the whole name there."""

    secrets: Mapping[str, str] = {"password": server.PASSWORD}
    people = 110
    exact = False
    """Blanks around a text go, and there is one kind of line end; everything else is kept."""
    fields = ("email", "first_name", "phone", "company")
    refused: Mapping[str, Raw] = {"email": "no@@address"}
    mapped: Mapping[str, FieldMap] = {
        **{name: FieldMap(path=path) for name, path in PATHS.items()},
        "email": FieldMap(path="address", required=True),
    }

    def __init__(self, tracker: server.Roundup, connector: Connector | None = None) -> None:
        super().__init__(tracker.port, connector)
        self.tracker = tracker

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.tracker.url_at(self.server.port), "username": server.USER}

    def other_settings(self) -> Mapping[str, Any]:
        return {"url": f"{self.settings()['url'].rstrip('/')}2/", "username": server.USER}

    def add(self, **fields: Raw) -> str:
        return self.tracker.add(**_user(fields))

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        return self.tracker.add_all([_user(fields) for fields in people])

    def edit(self, id_: str, **fields: Raw) -> None:
        self.tracker.edit(id_, **{PATHS[name]: value or "" for name, value in fields.items()})

    def delete(self, id_: str) -> None:
        self.tracker.retire(id_)

    def untouched(self, id_: str) -> object:
        everyone = self.tracker.everything()
        [mine] = [each for each in everyone if each["id"] == id_]
        return mine["username"], mine["roles"], mine["timezone"], [each for each in everyone if each is not mine]

    def everything(self) -> object:
        return self.tracker.everything()


def _user(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made = {PATHS[name]: value for name, value in fields.items() if value}
    return {"username": made["address"], "timezone": "2", **made}


@contextlib.contextmanager
def serving() -> Iterator[Mapping[str, Callable[[Connector], World]]]:
    """Run the server while the block runs; give what makes an empty account on it."""
    with server.started() as running:
        yield {"": lambda connector: World(running.empty(), connector)}
