"""A list on a running Mailman, and whoever manages it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from syncd.connector import Connector
from syncd.kit.worlds import PeerApiWorld
from syncd.model import FieldMap, Raw

from . import server


class World(PeerApiWorld):
    """One list; what the kit calls first name is the whole name there."""

    secrets: Mapping[str, str] = {"password": server.PASSWORD}
    people = 110
    exact = False
    """Addresses are in small letters."""
    fields = ("email", "first_name")
    changed = "first_name"
    refused: Mapping[str, Raw] = {"email": "no address"}
    mapped: Mapping[str, FieldMap] = {
        "email": FieldMap(path="email", required=True),
        "first_name": FieldMap(path="display_name"),
    }

    def __init__(self, mailing_list: server.Mailman, connector: Connector | None = None) -> None:
        super().__init__(mailing_list.port, connector)
        self.list = mailing_list

    def settings(self) -> Mapping[str, Any]:
        return {"url": self._url, "list": self.list.name}

    def other_settings(self) -> Mapping[str, Any]:
        self.list.request("POST", "lists", {"fqdn_listname": f"other@{server.HOST}"})
        return {"url": self._url, "list": f"other.{server.HOST}"}

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        made = [self.list.subscribe(each["email"], each.get("first_name") or "") for each in people]
        there = {each["member_id"]: each["user"].rpartition("/")[2] for each in self.everything()}
        return [f"{member}.{there[member]}" for member in made]

    def edit(self, id_: str, **fields: Raw) -> None:
        assert fields.keys() == {"first_name"}
        self.list.done("PATCH", f"addresses/{self.list.member(id_)['email']}", {"display_name": fields["first_name"]})

    def delete(self, id_: str) -> None:
        self.list.forget(id_)

    def opt_out(self, id_: str) -> None:
        self.list.delivery(id_, "by_user")

    def untouched(self, id_: str) -> object:
        mine = self.list.member(id_)
        others = [each for each in self.everything() if each["member_id"] != mine["member_id"]]
        return mine["delivery_mode"], self.list.delivery(id_), others

    def everything(self) -> Any:
        found = self.list.entries(f"lists/{self.list.name}/roster/member")
        return sorted(found, key=lambda each: str(each["email"]))

    @property
    def _url(self) -> str:
        return f"{self.server.url}/{server.VERSION}"


@contextlib.contextmanager
def serving() -> Iterator[Mapping[str, Callable[[Connector], World]]]:
    """Run the server while the block runs; give what makes an empty account on it."""
    with server.started() as running:
        yield {"": lambda connector: World(running.empty(), connector)}
