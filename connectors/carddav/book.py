"""One address book on its server: what changed, these cards, this card written. The conversation, not its meaning.

Knows requests and answers; knows nothing of fields or records. Hard rule: an answer that is not whole, or not about this
book, is a reaction, never a shorter list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, TransientError
from syncd.http.client import Client, Reply, TooLarge

from .dav import (
    CTAG,
    LISTING,
    PROPERTIES,
    BadAnswer,
    D,
    Row,
    id_of,
    multiget_body,
    multistatus,
    rows,
    sync_body,
    tree,
)

MULTIGET: Final = 250
"""Cards of one request."""
MULTIGET_BYTES: Final = 16 << 20
"""Photos make cards large: an answer over this is asked for in halves."""

NO_CARD: Final = "it is no vCard"
"""The problem of a member that is something else; a listing leaves those out."""

_XML: Final = ((b"Content-Type", b"application/xml; charset=utf-8"),)
_NO_REPORT: Final = frozenset({400, 403, 405, 412, 415, 501})
"""How servers say that they do not know sync-collection (RFC 3253 wants 403)."""
_NO_TOKEN: Final = frozenset({400, 403, 409, 410, 412})


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What sync-collection (RFC 6578) or a listing says."""

    members: list[tuple[str, str | None]]
    """(id, ETag), each id once."""
    gone: tuple[str, ...] = ()
    token: str | None = None
    more: bool = False
    """The server cut its answer; it goes on from the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card as the server gives it. Without a text it cannot be read, and `problem` says why."""

    etag: str | None
    text: str | None
    problem: str = ""


class Book:
    """The address book at one URL."""

    def __init__(self, opening: Opening) -> None:
        secrets = opening.secrets
        self.client = Client(
            opening.app,
            opening.settings["url"],
            network=opening.network,
            sleep=opening.time.sleep,
            now=opening.time.now,
            username=secrets.get("username") or "",
            password=secrets.get("password") or "",
        )
        self.origin = str(self.client.origin)
        path = id_of(self.client.path.rstrip("/") + "/", self.origin)
        if path is None:
            raise ConfigError(f"{opening.app}: the url's path is none of an address book")
        self.path = path

    def sync(self, token: str) -> Changes | None:
        """Ask what changed since the token ("": everything). None: the token is no longer good, or there is no such report."""
        accept = {207} | (_NO_TOKEN if token else _NO_REPORT)
        reply = self._ask("REPORT", self.path, sync_body(token), accept, depth=b"0")
        if reply.status != 207:
            if token and reply.status == 403 and "valid-sync-token" not in _condition(reply):
                raise AccessError(f"{self.place}: not allowed for this account (403); check its rights there")
            return None
        root = self._multistatus(reply)
        found = self._members(rows(root, self.origin))
        text = root.findtext(f"{D}sync-token")
        if not text:
            raise TransientError(f"{self.place}: an answer to sync-collection without a sync-token")
        return Changes(members=found.members, gone=found.gone, token=text, more=found.more)

    def listing(self) -> Changes:
        """List everything by PROPFIND; the token is the book's ctag, if it has one."""
        root = self._multistatus(self._ask("PROPFIND", self.path, LISTING, {207}, depth=b"1"))
        found = self._members(rows(root, self.origin))
        if found.more:
            raise TransientError(f"{self.place}: the server cuts its listing short")
        return Changes(members=found.members, token=root.findtext(f".//{CTAG}"))

    def ctag(self) -> str | None:
        return self.properties(self.path).findtext(f".//{CTAG}")

    def properties(self, path: str, depth: bytes = b"0") -> ET.Element:
        return self._multistatus(self._ask("PROPFIND", path, PROPERTIES, {207}, depth=depth))

    def cards(self, ids: Sequence[str]) -> Iterator[Mapping[str, Card]]:
        """Give these cards, so many at a time; those that are not there are left out."""
        for start in range(0, len(ids), MULTIGET):
            yield self._multiget(ids[start : start + MULTIGET])

    def put(self, id_: str, text: bytes, condition: tuple[bytes, bytes]) -> Reply:
        """Write one card under a condition. Raises as Client.write does."""
        return self.client.write("PUT", id_, body=text, headers=(condition, *_CARD))

    @property
    def is_local(self) -> bool:
        return self.client.origin.host in {"localhost", "127.0.0.1", "::1"}

    @property
    def place(self) -> str:
        return self.client.place(self.path)

    def _multiget(self, ids: Sequence[str]) -> dict[str, Card]:
        try:
            reply = self._ask("REPORT", self.path, multiget_body(ids), {207}, body_max=MULTIGET_BYTES)
        except TooLarge:
            half = len(ids) // 2
            if half:
                return {**self._multiget(ids[:half]), **self._multiget(ids[half:])}
            return {ids[0]: Card(etag=None, text=None, problem=f"the card is larger than {MULTIGET_BYTES >> 20} MiB")}
        found: dict[str, Card] = {}
        absent: set[str] = set()
        for row in rows(self._multistatus(reply), self.origin):
            if row.status == 200:
                why = "" if row.data is not None else NO_CARD
                found[row.id] = Card(etag=row.etag, text=row.data, problem=why)
            elif row.status in {404, 410}:
                absent.add(row.id)
            elif row.status in {401, 403}:
                found[row.id] = Card(etag=None, text=None, problem=f"this account may not read it ({row.status})")
            else:
                raise TransientError(f"{self.place}: a card could not be read ({row.status})")
        # Absence must be said. Where nothing was said of an id, it is asked for by itself.
        for id_ in ids:
            if id_ not in found and id_ not in absent:
                card = self._get(id_)
                if card is not None:
                    found[id_] = card
        return found

    def _get(self, id_: str) -> Card | None:
        reply = self.client.read("GET", id_, accept={200, 404, 410}, kind="vcard", body_max=MULTIGET_BYTES)
        if reply.status != 200:
            return None
        try:
            return Card(etag=reply.header(b"etag") or None, text=reply.body.decode())
        except UnicodeDecodeError:
            return Card(etag=reply.header(b"etag") or None, text=None, problem="it is not UTF-8")

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        accept: Iterable[int],
        *,
        depth: bytes = b"",
        body_max: int = 64 << 20,
    ) -> Reply:
        headers = (*_XML, (b"Depth", depth)) if depth else _XML
        return self.client.read(method, path, body=body, headers=headers, accept=accept, kind="xml", body_max=body_max)

    def _multistatus(self, reply: Reply) -> ET.Element:
        try:
            return multistatus(reply.body)
        except BadAnswer as error:
            raise TransientError(f"{self.place}: the server answered {error}") from None

    def _members(self, found: Iterable[Row]) -> Changes:
        """Keep the direct members of this book that are no collections themselves."""
        members: dict[str, str | None] = {}
        gone: dict[str, None] = {}
        more = False
        start, own = len(self.path), self.path.rstrip("/")
        for row in found:
            if row.status == 507:
                more = True
            elif row.id.rstrip("/") == own:
                continue
            elif not row.id.startswith(self.path):
                raise ConfigError(
                    f"{self.place}: the server names its cards elsewhere, under {row.id.rpartition('/')[0]}/; "
                    "put that path into `url`"
                )
            elif "/" in row.id[start:] or row.collection:
                continue
            elif row.status in {404, 410}:
                gone[row.id] = None
                members.pop(row.id, None)
            elif row.status in {200, 401, 403}:  # what may not be read is there
                members[row.id] = row.etag
                gone.pop(row.id, None)
            else:
                raise TransientError(f"{self.place}: the server could not list a card ({row.status})")
        return Changes(members=list(members.items()), gone=tuple(gone), more=more)


_CARD: Final = ((b"Content-Type", b"text/vcard; charset=utf-8"),)


def _condition(reply: Reply) -> str:
    """Name the preconditions that an error body tells (RFC 4918, 16)."""
    try:
        return " ".join(element.tag for element in tree(reply.body).iter())
    except BadAnswer:
        return ""
