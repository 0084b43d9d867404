"""CardDAV for the suite on a real server: an address book on Radicale."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

import vobject

from syncd import registry
from syncd.connector import App
from syncd.kit.worlds import AppWorld
from syncd.model import Raw
from tests.radicale import PASSWORD, USER, Server

UNMAPPED = ("X-LOYALTY;X-SINCE=1999:gold", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=")


def card(uid: str, fields: Mapping[str, Raw]) -> str:
    """Make a card as an app on somebody's phone would."""
    made = vobject.vCard()
    made.add("uid").value = uid
    made.add("fn").value = fields.get("first_name") or "nobody"
    made.add("n").value = vobject.vcard.Name()
    text = changed(made.serialize(), fields)
    return text.replace("END:VCARD", "\r\n".join([*UNMAPPED, "END:VCARD"]))


def changed(text: str, fields: Mapping[str, Raw]) -> str:
    """Change a card as such an app would: with another codec than ours."""
    read = vobject.readOne(text)
    for name, value in fields.items():
        if name == "first_name":
            read.n.value.given = value or ""
            continue
        line = {"email": "email", "phone": "tel", "company": "org", "notes": "note"}[name]
        read.contents.pop(line, None)
        if value:
            read.add(line).value = [value] if line == "org" else value
    return str(read.serialize())


class CardDavWorld(AppWorld):
    """One address book; people work in it with another client."""

    people = 260
    exact = False
    """A vCard knows one kind of line end; everything else is kept (there is a test of its own)."""
    secrets: Mapping[str, str] = {"username": USER, "password": PASSWORD}

    def __init__(self, url: str, path: str) -> None:
        super().__init__(registry.load("carddav"))
        self._url, self._path = url, path
        self._numbers = itertools.count(1)

    def open(self) -> App:
        """Open it. Opening sends nothing, so that it cannot fail where the server is gone: `check` is what tells."""
        app = self.opened({"url": self._url})
        if not self.is_there():
            app.check()
        return app

    def open_other(self) -> App:
        return self.opened({"url": f"{self._url}other/"})

    def add(self, **fields: Raw) -> str:
        id_ = f"{self._path}h{next(self._numbers)}.vcf"
        self.store(id_, card(id_.rpartition("/")[2], fields))
        return id_

    def edit(self, id_: str, **fields: Raw) -> None:
        self.store(id_, changed(self.held()[id_], fields))

    def edit_all(self, ids: Iterable[str], **fields: Raw) -> None:
        held = self.held()
        for id_ in ids:
            self.store(id_, changed(held[id_], fields))

    def untouched(self, id_: str) -> object:
        held = self.held()
        lines = held.pop(id_).replace("\r\n ", "").split("\r\n")
        return held, sorted(line for line in lines if line.startswith(("X-", "PHOTO", "UID")))

    def everything(self) -> object:
        return self.held()

    @abstractmethod
    def held(self) -> dict[str, str]:
        """Give all cards by their ids."""

    @abstractmethod
    def store(self, id_: str, text: str) -> None:
        """Put a card there."""


class RadicaleWorld(CardDavWorld):
    """A book of its own on the session's Radicale."""

    def __init__(self, server: Server, url: str) -> None:
        super().__init__(url, "/" + url.removeprefix(server.url))
        self._server = server
        self._root = server.url.rstrip("/")

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        """Many at once replace the whole book, which is empty then: one by one takes it minutes."""
        everyone = list(people)
        if len(everyone) < self.people:
            return super().add_all(everyone)
        book = "".join(card(f"h{next(self._numbers)}", fields) for fields in everyone)
        status, body = self._server.request("PUT", self._url, book.encode(), content_type="text/vcard")
        assert status == 201, body
        return self._ids()

    def delete(self, id_: str) -> None:
        assert self._server.request("DELETE", self._root + id_)[0] == 200

    def held(self) -> dict[str, str]:
        return {id_: self._server.request("GET", self._root + id_)[1].decode() for id_ in self._ids()}

    def store(self, id_: str, text: str) -> None:
        status, body = self._server.request("PUT", self._root + id_, text.encode(), content_type="text/vcard")
        assert status in {201, 204}, body

    def break_off(self) -> None:
        self._server.request("DELETE", self._url)

    def is_there(self) -> bool:
        return self._server.request("PROPFIND", self._url, depth="0")[0] == 207

    def _ids(self) -> list[str]:
        _, body = self._server.request("PROPFIND", self._url, depth="1")
        hrefs = [element.text or "" for element in ET.fromstring(body).iterfind("{DAV:}response/{DAV:}href")]
        return [href for href in hrefs if not href.endswith("/")]
