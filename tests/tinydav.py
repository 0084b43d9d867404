"""A tiny CardDAV server of one address book, with knobs for what real servers do differently.

It stores texts as they come. Knobs: how ETags look, whether sync-collection is known, how long an answer may be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.wire import Answer, Asked, Wire, reply, wire

BOOK = "/dav/ada/book/"
D, C, S = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}", "{http://calendarserver.org/ns/}"
SPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:S="http://calendarserver.org/ns/"'


def multistatus(*parts: str) -> bytes:
    body = f'<?xml version="1.0" encoding="utf-8"?><D:multistatus {SPACES}>{"".join(parts)}</D:multistatus>'
    return reply(207, body, content_type='application/xml; charset="utf-8"')


def row(href: str, props: str = "", status: str = "200 OK") -> str:
    inner = f"<D:propstat><D:prop>{props}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
    return f"<D:response><D:href>{escape(href)}</D:href>{inner if props else f'<D:status>HTTP/1.1 {status}</D:status>'}</D:response>"


@dataclass(slots=True, kw_only=True)
class TinyDav:
    """The address book. `before` and `after` see each request and may answer in the server's place."""

    cards: dict[str, str] = field(default_factory=dict)
    log: list[tuple[int, str]] = field(default_factory=list)
    etags: Literal["strong", "weak", "silent", "none"] = "strong"
    """silent: a PUT is not answered with one."""
    syncs: bool = True
    ctags: bool = True
    limit: int = 0
    oldest: int = 0
    """Tokens before this one are forgotten."""
    before: Callable[[Asked], Answer | None] = lambda _: None
    after: Callable[[Asked, Answer], Answer | None] = lambda _, __: None
    server: Wire | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}{BOOK}"

    @property
    def asked(self) -> list[Asked]:
        assert self.server is not None
        return self.server.asked

    def put(self, name: str, text: str | None) -> str:
        """Somebody else writes a card, or deletes it."""
        href = name if name.startswith("/") else BOOK + name
        self.log.append((len(self.log) + 1, href))
        if text is None:
            del self.cards[href]
        else:
            self.cards[href] = text
        return href

    def etag(self, href: str) -> str:
        mark = hashlib.sha256(self.cards[href].encode()).hexdigest()[:12]
        return {"strong": f'"{mark}"', "silent": f'"{mark}"', "weak": f'W/"{mark}"', "none": ""}[self.etags]

    def find(self, href: str) -> str | None:
        """Two spellings of a path are one, as for any server."""
        return next((known for known in self.cards if known == href or unquote(known) == unquote(href)), None)

    def answer(self, asked: Asked) -> Answer:
        answer = self.before(asked)
        if answer is not None:
            return answer
        answer = getattr(self, f"_{asked.method.lower()}", lambda _: reply(405))(asked)
        return self.after(asked, answer) or answer

    def _report(self, asked: Asked) -> Answer:
        document = ET.fromstring(asked.body)
        if document.tag == f"{C}addressbook-multiget":
            return multistatus(*[self._card(href.text or "") for href in document.iter(f"{D}href")])
        if document.tag != f"{D}sync-collection" or not self.syncs:
            return reply(403, f"<D:error {SPACES}><D:supported-report/></D:error>", content_type="application/xml")
        return self._sync(document.findtext(f"{D}sync-token") or "")

    def _card(self, asked: str) -> str:
        href = self.find(asked)
        if href is None:
            return row(asked, status="404 Not Found")
        etag = self.etag(href)
        tag = f"<D:getetag>{escape(etag)}</D:getetag>" if etag else ""
        return row(href, f"{tag}<C:address-data>{escape(self.cards[href])}</C:address-data>")

    def _sync(self, token: str) -> Answer:
        since = int(token.rpartition(":")[2] or 0)
        if token and since < self.oldest:
            return reply(403, f"<D:error {SPACES}><D:valid-sync-token/></D:error>", content_type="application/xml")
        changed = {href: number for number, href in self.log if number > since}
        todo = sorted(changed.items(), key=lambda pair: pair[1])
        cut = bool(self.limit) and len(todo) > self.limit
        todo = todo[: self.limit] if cut else todo
        rows = [self._listed(href) for href, _ in todo]
        if cut:
            rows.append(row(BOOK, status="507 Insufficient Storage"))
        last = todo[-1][1] if cut else len(self.log)
        return multistatus(*rows, f"<D:sync-token>urn:tiny:{last}</D:sync-token>")

    def _listed(self, href: str) -> str:
        if href not in self.cards:
            return row(href, status="404 Not Found")
        etag = self.etag(href)
        return row(href, f"<D:getetag>{escape(etag)}</D:getetag>" if etag else "<D:resourcetype/>")

    def _propfind(self, asked: Asked) -> Answer:
        if asked.target != BOOK:
            return reply(404)
        ctag = f"<S:getctag>tag-{len(self.log)}</S:getctag>" if self.ctags else ""
        known = ["addressbook-multiget", *(["sync-collection"] if self.syncs else [])]
        reports = "".join(
            f"<D:supported-report><D:report><D:{name}/></D:report></D:supported-report>" for name in known
        )
        kind = "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
        own = row(BOOK, f"{kind}{ctag}<D:supported-report-set>{reports}</D:supported-report-set>")
        members = [self._listed(href) for href in self.cards] if asked.headers["depth"] == "1" else []
        return multistatus(own, *members)

    def _get(self, asked: Asked) -> Answer:
        href = self.find(asked.target)
        if href is None:
            return reply(404)
        return reply(200, self.cards[href], content_type="text/vcard", etag=self.etag(href))

    def _put(self, asked: Asked) -> Answer:
        found = self.find(asked.target)
        href, there = found or asked.target, found is not None
        expected = asked.headers.get("if-match")
        if expected and (not there or expected != self.etag(href)):
            return reply(412)
        if asked.headers.get("if-none-match") == "*" and there:
            return reply(412)
        self.put(href, asked.body.decode())
        etag = {"etag": self.etag(href)} if self.etags not in {"silent", "none"} else {}
        return reply(204 if there else 201, **etag)


@contextmanager
def tiny_dav(**knobs: object) -> Iterator[TinyDav]:
    """Run one for the block."""
    dav = TinyDav(**knobs)  # type: ignore[arg-type]
    with wire(dav.answer) as server:
        dav.server = server
        yield dav
