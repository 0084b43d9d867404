"""A CardDAV server of one address book, with knobs for what real servers do differently.

It stores texts as they come. Knobs: how ETags look, whether sync-collection is known, how long an answer may be.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from syncd.http.sandbox import Asked, Clock, Said

BOOK = "/dav/ada/book/"
D, C, S = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}", "{http://calendarserver.org/ns/}"
SPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:S="http://calendarserver.org/ns/"'
XML = {"Content-Type": 'application/xml; charset="utf-8"'}


def multistatus(*parts: str) -> Said:
    body = f'<?xml version="1.0" encoding="utf-8"?><D:multistatus {SPACES}>{"".join(parts)}</D:multistatus>'
    return Said(status=207, doc=body.encode(), headers=dict(XML))


def refused(why: str) -> Said:
    return Said(status=403, doc=f"<D:error {SPACES}><D:{why}/></D:error>".encode(), headers=dict(XML))


def row(href: str, props: str = "", status: str = "200 OK") -> str:
    inner = f"<D:propstat><D:prop>{props}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
    return f"<D:response><D:href>{escape(href)}</D:href>{inner if props else f'<D:status>HTTP/1.1 {status}</D:status>'}</D:response>"


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """The address book."""

    clock: Clock = field(default_factory=Clock)
    user: str = ""
    password: str = ""
    """Without one everybody is let in."""
    cards: dict[str, str] = field(default_factory=dict)
    log: list[tuple[int, str]] = field(default_factory=list)
    etags: Literal["strong", "weak", "silent", "none"] = "strong"
    """silent: a PUT is not answered with one."""
    syncs: bool = True
    ctags: bool = True
    limit: int = 0
    oldest: int = 0
    """Tokens before this one are forgotten."""

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

    def answer(self, asked: Asked) -> Said:
        if self.password and asked.headers.get("authorization") != self._credentials():
            return Said(status=401)
        known = {"REPORT": self._report, "PROPFIND": self._propfind, "GET": self._get, "PUT": self._put}
        return known.get(asked.method, lambda _: Said(status=405))(asked)

    def _credentials(self) -> str:
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"

    def _report(self, asked: Asked) -> Said:
        document = ET.fromstring(asked.body)  # noqa: S314 - what our own connector sends
        if document.tag == f"{C}addressbook-multiget":
            return multistatus(*[self._card(href.text or "") for href in document.iter(f"{D}href")])
        if document.tag != f"{D}sync-collection" or not self.syncs:
            return refused("supported-report")
        return self._sync(document.findtext(f"{D}sync-token") or "")

    def _card(self, asked: str) -> str:
        href = self.find(asked)
        if href is None:
            return row(asked, status="404 Not Found")
        etag = self.etag(href)
        tag = f"<D:getetag>{escape(etag)}</D:getetag>" if etag else ""
        return row(href, f"{tag}<C:address-data>{escape(self.cards[href])}</C:address-data>")

    def _sync(self, token: str) -> Said:
        since = int(token.rpartition(":")[2] or 0)
        if token and since < self.oldest:
            return refused("valid-sync-token")
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

    def _propfind(self, asked: Asked) -> Said:
        if asked.path != BOOK:
            return Said(status=404)
        ctag = f"<S:getctag>tag-{len(self.log)}</S:getctag>" if self.ctags else ""
        known = ["addressbook-multiget", *(["sync-collection"] if self.syncs else [])]
        reports = "".join(
            f"<D:supported-report><D:report><D:{name}/></D:report></D:supported-report>" for name in known
        )
        kind = "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
        own = row(BOOK, f"{kind}{ctag}<D:supported-report-set>{reports}</D:supported-report-set>")
        members = [self._listed(href) for href in self.cards] if asked.headers["depth"] == "1" else []
        return multistatus(own, *members)

    def _get(self, asked: Asked) -> Said:
        href = self.find(asked.path)
        if href is None:
            return Said(status=404)
        headers = {"Content-Type": "text/vcard", "ETag": self.etag(href)}
        return Said(doc=self.cards[href].encode(), headers=headers)

    def _put(self, asked: Asked) -> Said:
        found = self.find(asked.path)
        href, there = found or asked.path, found is not None
        expected = asked.headers.get("if-match")
        if expected and (not there or expected != self.etag(href)):
            return Said(status=412)
        if asked.headers.get("if-none-match") == "*" and there:
            return Said(status=412)
        self.put(href, asked.body.decode())
        etag = {"ETag": self.etag(href)} if self.etags not in {"silent", "none"} else {}
        return Said(status=204 if there else 201, headers=etag)
