"""Real open systems for the suite: the servers of `tests.peers`, and the people who work in them without syncd."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from syncd import registry
from syncd.connector import App, Connector, Time
from syncd.kit.worlds import AppWorld
from syncd.model import FieldMap, Raw
from tests.peers import mailman, roundup, slapd, tryton
from tests.peers.relay import door

AT_ONCE: Final = Time(sleep=lambda _: None)
"""Nobody waits before trying again: what is broken off here stays so."""


class PeerWorld(AppWorld):
    """One account on a real server."""

    overlaps = True
    name = ""

    def __init__(self, connector: Connector | None = None) -> None:
        super().__init__(connector or registry.load(self.name))

    def open(self) -> App:
        """Open it. Opening sends nothing, so that it cannot fail where the server is gone: `check` is what tells."""
        app = self.opened(self.settings(), time=AT_ONCE)
        if not self.is_there():
            app.check()
        return app

    def open_other(self) -> App:
        return self.opened(self.other_settings(), time=AT_ONCE)

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Give the settings of the account."""

    @abstractmethod
    def other_settings(self) -> Mapping[str, Any]:
        """Give those of another one."""


ROUNDUP = {"email": "address", "first_name": "realname", "phone": "phone", "company": "organisation"}


class RoundupWorld(PeerWorld):
    """One tracker; what the kit calls first name is the whole name there."""

    name = "roundup"
    secrets: Mapping[str, str] = {"password": roundup.PASSWORD}
    people = 110
    exact = False
    """Blanks around a text go, and there is one kind of line end; everything else is kept."""
    fields = ("email", "first_name", "phone", "company")
    refused: Mapping[str, Raw] = {"email": "no@@address"}
    mapped: Mapping[str, FieldMap] = {
        **{name: FieldMap(path=path) for name, path in ROUNDUP.items()},
        "email": FieldMap(path="address", required=True),
    }

    def __init__(self, tracker: roundup.Roundup, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.tracker = tracker

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.tracker.url, "username": roundup.USER}

    def other_settings(self) -> Mapping[str, Any]:
        return {"url": f"{self.tracker.url.rstrip('/')}2/", "username": roundup.USER}

    def add(self, **fields: Raw) -> str:
        return self.tracker.add(**_user(fields))

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        return self.tracker.add_all([_user(fields) for fields in people])

    def edit(self, id_: str, **fields: Raw) -> None:
        self.tracker.edit(id_, **{ROUNDUP[name]: value or "" for name, value in fields.items()})

    def delete(self, id_: str) -> None:
        self.tracker.retire(id_)

    def untouched(self, id_: str) -> object:
        everyone = self.tracker.everything()
        [mine] = [each for each in everyone if each["id"] == id_]
        return mine["username"], mine["roles"], mine["timezone"], [each for each in everyone if each is not mine]

    def everything(self) -> object:
        return self.tracker.everything()

    def break_off(self) -> None:
        self.tracker.break_off()

    def is_there(self) -> bool:
        return self.tracker.request("GET", "user/1")[0] == 200


def _user(fields: Mapping[str, Raw]) -> dict[str, Any]:
    made = {ROUNDUP[name]: value for name, value in fields.items() if value}
    return {"username": made["address"], "timezone": "2", **made}


MAILMAN: Final = {"email": "email", "first_name": "display_name"}


class MailmanWorld(PeerWorld):
    """One list; what the kit calls first name is the whole name there."""

    name = "mailman"
    secrets: Mapping[str, str] = {"password": mailman.PASSWORD}
    people = 110
    exact = False
    """Addresses are in small letters."""
    fields = ("email", "first_name")
    refused: Mapping[str, Raw] = {"email": "no address"}
    mapped: Mapping[str, FieldMap] = {
        "email": FieldMap(path="email", required=True),
        "first_name": FieldMap(path="display_name"),
    }

    def __init__(self, mailing_list: mailman.Mailman, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.list = mailing_list

    def settings(self) -> Mapping[str, Any]:
        return {"url": self.list.url, "list": self.list.name}

    def other_settings(self) -> Mapping[str, Any]:
        self.list.request("POST", "lists", {"fqdn_listname": f"other@{mailman.HOST}"})
        return {"url": self.list.url, "list": f"other.{mailman.HOST}"}

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        made = [self.list.subscribe(each["email"], each.get("first_name") or "") for each in people]
        there = {each["member_id"]: each["user"].rpartition("/")[2] for each in self.everything()}
        return [f"{member}.{there[member]}" for member in made]

    def edit(self, id_: str, **fields: Raw) -> None:
        assert fields.keys() == {"first_name"}
        self.list.done("PATCH", f"addresses/{self.list.member(id_)['email']}", {"display_name": fields["first_name"]})

    def delete(self, id_: str) -> None:
        self.list.forget(id_)

    def untouched(self, id_: str) -> object:
        mine = self.list.member(id_)
        others = [each for each in self.everything() if each["member_id"] != mine["member_id"]]
        return mine["delivery_mode"], self.list.delivery(id_), others

    def everything(self) -> Any:
        found = self.list.entries(f"lists/{self.list.name}/roster/member")
        return sorted(found, key=lambda each: str(each["email"]))

    def break_off(self) -> None:
        self.list.done("DELETE", f"lists/{self.list.name}")

    def is_there(self) -> bool:
        return self.list.request("GET", f"lists/{self.list.name}")[0] == 200


TRYTON: Final = {
    "first_name": "name",
    "email": "contact_mechanisms[type=email].value",
    "phone": "contact_mechanisms[type=website].value",
    "company": "addresses[place=first].city",
}
KINDS: Final = {"email": "email", "phone": "website"}


class TrytonWorld(PeerWorld):
    """One database. Numbers are looked at there, so that what the kit calls a telephone is a web site, and a company a city."""

    name = "tryton"
    secrets: Mapping[str, str] = {"password": tryton.PASSWORD}
    people = 210
    exact = False
    """Blanks at both ends of a text go."""
    fields = ("email", "first_name", "phone", "company")
    refused: Mapping[str, Raw] = {"mobile": "12"}
    mapped: Mapping[str, FieldMap] = {
        **{name: FieldMap(path=path) for name, path in TRYTON.items()},
        "mobile": FieldMap(path="contact_mechanisms[type=mobile].value"),
    }

    def __init__(self, books: tryton.Tryton, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.books = books
        self.door = self.stack.enter_context(door(books.port))

    def settings(self) -> Mapping[str, Any]:
        return {"url": f"http://127.0.0.1:{self.door.port}", "database": tryton.DATABASE, "username": tryton.USER}

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

    def break_off(self) -> None:
        self.door.shut()

    def is_there(self) -> bool:
        return self.door.is_open


def _party(fields: Mapping[str, Raw]) -> dict[str, Any]:
    said = [{"type": kind, "value": fields[name]} for name, kind in KINDS.items() if fields.get(name)]
    unmapped = {"type": "fax", "value": "+44 20 7946 0000"}
    made: dict[str, Any] = {"name": fields.get("first_name"), "contact_mechanisms": [["create", [*said, unmapped]]]}
    if fields.get("company"):
        made["addresses"] = [["create", [{"city": fields["company"], "street": "1 High Street"}]]]
    return made


LDAP: Final = {
    "email": "mail",
    "first_name": "givenName",
    "phone": "telephoneNumber",
    "company": "o",
    "notes": "description",
}


class LdapWorld(PeerWorld):
    """One branch of a directory. Everybody has a second address, a photo and a type of which syncd knows nothing."""

    name = "ldap"
    secrets: Mapping[str, str] = {"password": slapd.PASSWORD}
    people = 510

    def __init__(self, branch: slapd.Slapd, connector: Connector | None = None, **more: Any) -> None:
        super().__init__(connector)
        self.branch, self.more = branch, more
        self.passing: Callable[[bytes], None] = lambda data: None
        self.door = self.stack.enter_context(door(branch.port))
        self.door.passing = self._pass
        self._numbers = itertools.count(1)

    def settings(self) -> Mapping[str, Any]:
        url = f"ldap://127.0.0.1:{self.door.port}"
        said = {"url": url, "starttls": False, "base": self.branch.base, "bind_dn": slapd.ACCOUNT}
        return {**said, "archive_mark": "employeeType=former", **self.more}

    def _pass(self, data: bytes) -> None:
        """Let a test know what is on its way, also in connections that are there already."""
        self.passing(data)

    def other_settings(self) -> Mapping[str, Any]:
        return {**self.settings(), "base": slapd.SUFFIX}

    def add(self, **fields: Raw) -> str:
        held = {LDAP[name]: [value] for name, value in fields.items() if value}
        mail = [*held.pop("mail", []), "second@example.com"]
        more = {"mail": mail, "jpegPhoto": b"\xff\xd8\xff", "employeeType": ["staff"]}
        return self.branch.add(f"h{next(self._numbers)}", **held, **more)

    def edit(self, id_: str, **fields: Raw) -> None:
        made = {LDAP[name]: [value] if value else [] for name, value in fields.items()}
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
