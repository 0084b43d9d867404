"""An address book in memory, for benchmarks where `../shared/bench` is absent: `dav.py N PORT`. Any login passes.

REPORT sync-collection, addressbook-multiget and -query, PUT under conditions, GET; GET /_admin/counters and POST
/_admin/reset as fakedav.py has them there. It forgets who was deleted, for nobody deletes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from people import vcard

BOOK = "/u/c/"
DAV, CARD = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
HEAD = '<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'


class Book(BaseHTTPRequestHandler):
    """One address book; `cards`: href -> (ETag, text, number of its last change)."""

    protocol_version = "HTTP/1.1"
    cards: ClassVar[dict[str, tuple[str, str, int]]] = {}
    last: ClassVar[int] = 0
    requests: ClassVar[int] = 0

    @classmethod
    def put(cls, href: str, text: str) -> str:
        Book.last += 1
        etag = f'"{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}-{cls.last}"'
        cls.cards.pop(href, None)
        cls.cards[href] = (etag, text, cls.last)
        return etag

    def do_REPORT(self) -> None:
        asked = ET.fromstring(self._body())
        kind, since, end = asked.tag.rpartition("}")[2], 0, ""
        if kind == "sync-collection":
            token = (asked.findtext(f"{DAV}sync-token") or "").strip()
            since, end = int(token.rpartition(":")[2] or 0), f"<D:sync-token>urn:book:{self.last}</D:sync-token>"
        wanted: Any = self.cards
        if kind == "addressbook-multiget":
            wanted = [href.text for href in asked.iter(f"{DAV}href")]
        elif since == self.last:
            wanted = []
        rows = [self._row(href, kind) for href in wanted if href in self.cards and self.cards[href][2] > since]
        self._answer(207, f"{HEAD}{''.join(rows)}{end}</D:multistatus>".encode())

    def _row(self, href: str, kind: str) -> str:
        etag, text, _ = self.cards[href]
        card = "" if kind == "sync-collection" else f"<C:address-data>{escape(text)}</C:address-data>"
        prop = f"<D:propstat><D:prop><D:getetag>{etag}</D:getetag>{card}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        return f"<D:response><D:href>{escape(href)}</D:href>{prop}</D:response>"

    def do_PUT(self) -> None:
        text, have = self._body().decode(), self.cards.get(self.path)
        match, none = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if (match and (have is None or have[0] != match)) or (none == "*" and have):
            self._answer(412, b"")
            return
        self._answer(204 if have else 201, b"", etag=self.put(self.path, text))

    def do_GET(self) -> None:
        if self.path == "/_admin/counters":
            self._answer(200, json.dumps({"contacts": len(self.cards), "requests": self.requests}).encode(), ours=True)
            return
        etag, text, _ = self.cards.get(self.path, ("", "", 0))
        self._answer(200 if etag else 404, text.encode(), etag=etag)

    def do_POST(self) -> None:
        self._body()
        Book.requests = 0
        self._answer(200, b"{}", ours=True)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes, *, etag: str = "", ours: bool = False) -> None:
        Book.requests += not ours
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)


def main(n: int, port: int) -> None:
    for i in range(n):
        Book.put(f"{BOOK}uid-{i}.vcf", vcard(i))
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), Book).serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
