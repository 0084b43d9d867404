"""A branch of a running slapd, and whoever works in the directory."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from syncd.connector import Connector
from syncd.kit.worlds import PeerWorld
from syncd.model import Raw

from . import server
from .relay import door

PATHS: Final = {
    "email": "mail",
    "first_name": "givenName",
    "phone": "telephoneNumber",
    "company": "o",
    "notes": "description",
}


class World(PeerWorld):
    """One branch of a directory. Everybody has a second address, a photo and a type of which syncd knows nothing."""

    secrets: Mapping[str, str] = {"password": server.PASSWORD}
    people = 510

    def __init__(self, branch: server.Slapd, connector: Connector | None = None, **more: Any) -> None:
        super().__init__(connector)
        self.branch, self.more = branch, more
        self.passing: Callable[[bytes], None] = lambda data: None
        self.door = self.stack.enter_context(door(branch.port))
        self.door.passing = self._pass
        self._numbers = itertools.count(1)

    def settings(self) -> Mapping[str, Any]:
        url = f"ldap://127.0.0.1:{self.door.port}"
        said = {"url": url, "starttls": False, "base": self.branch.base, "bind_dn": server.ACCOUNT}
        return {**said, "archive_mark": "employeeType=former", **self.more}

    def _pass(self, data: bytes) -> None:
        """Let a test know what is on its way, also in connections that are there already."""
        self.passing(data)

    def other_settings(self) -> Mapping[str, Any]:
        return {**self.settings(), "base": server.SUFFIX}

    def add(self, **fields: Raw) -> str:
        held = {PATHS[name]: [value] for name, value in fields.items() if value}
        mail = [*held.pop("mail", []), "second@example.com"]
        more = {"mail": mail, "jpegPhoto": b"\xff\xd8\xff", "employeeType": ["staff"]}
        return self.branch.add(f"h{next(self._numbers)}", **held, **more)

    def edit(self, id_: str, **fields: Raw) -> None:
        made = {PATHS[name]: [value] if value else [] for name, value in fields.items()}
        if "mail" in made:
            made["mail"].append("second@example.com")
        self.branch.replace(self.branch.dn(id_), **made)

    def delete(self, id_: str) -> None:
        assert self.branch.root.delete(self.branch.dn(id_))

    def untouched(self, id_: str) -> object:
        everyone = self.branch.all()
        [mine] = [each for each in everyone if each["entryUUID"][0].decode() == id_]
        known = {"dn", "cn", "sn", "uid", "jpegPhoto", "employeeType", "objectClass"}
        return {name: mine[name] for name in known}, mine["mail"][1:], [each for each in everyone if each is not mine]

    def everything(self) -> object:
        return self.branch.all()

    def break_off(self) -> None:
        self.door.shut()

    def is_there(self) -> bool:
        return self.door.is_open


@contextlib.contextmanager
def serving() -> Iterator[Mapping[str, Callable[[Connector], World]]]:
    """Run the server while the block runs; give what makes an empty account on it."""
    with server.started() as running:
        yield {"": lambda connector: World(running.branch(), connector)}
