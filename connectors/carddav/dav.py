"""The XML of WebDAV and CardDAV: bodies of requests, rows of multistatus answers, hrefs as ids.

Knows no server and sends nothing. Hard rule: an answer with a document type (entities) or of another shape is refused, and
two spellings of one href give one id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit
from xml.etree import ElementTree as ET

D: Final = "{DAV:}"
C: Final = "{urn:ietf:params:xml:ns:carddav}"
ETAG: Final = f"{D}getetag"
DATA: Final = f"{C}address-data"
CTAG: Final = "{http://calendarserver.org/ns/}getctag"

_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_SPACES: Final = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:S="http://calendarserver.org/ns/"'

PROPERTIES: Final = (
    f"{_HEAD}<propfind {_SPACES}><prop><resourcetype/><supported-report-set/><current-user-privilege-set/><S:getctag/>"
    "<sync-token/><current-user-principal/><C:addressbook-home-set/></prop></propfind>"
).encode()
LISTING: Final = f"{_HEAD}<propfind {_SPACES}><prop><resourcetype/><getetag/><S:getctag/></prop></propfind>".encode()

TAGS_MAX: Final = 3_000_000
TAG_BYTES_MIN: Final = 6
"""Elements cost a hundred times their letters: answers that are little else (an honest one has 10 to a tag) are refused."""
PROLOG_MAX: Final = 10_000
_WHITE: Final = frozenset({b" ", b"\t", b"\r", b"\n"})
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")


class BadAnswer(ValueError):
    """This is no multistatus answer; the message says why, without quoting it."""


class Row(NamedTuple):
    """One href of a multistatus answer."""

    id: str
    status: int
    etag: str | None
    data: str | None
    collection: bool


def sync_body(token: str) -> bytes:
    return (
        f"{_HEAD}<sync-collection {_SPACES}><sync-token>{escape(token)}</sync-token><sync-level>1</sync-level>"
        "<prop><getetag/></prop></sync-collection>"
    ).encode()


def multiget_body(ids: Iterable[str]) -> bytes:
    hrefs = "".join([f"<href>{escape(id_)}</href>" for id_ in ids])
    return (
        f"{_HEAD}<C:addressbook-multiget {_SPACES}><prop><getetag/><C:address-data/></prop>{hrefs}"
        "</C:addressbook-multiget>"
    ).encode()


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def tree(body: bytes) -> ET.Element:
    """Read XML of any kind; BadAnswer where it is none, or dangerous."""
    if not _is_plain(body):
        raise BadAnswer("no XML, or XML with a document type or in an unusual encoding, which is not accepted")
    if body.count(b"<") > min(TAGS_MAX, 10_000 + len(body) // TAG_BYTES_MIN):
        raise BadAnswer("XML of too many elements")
    try:
        return ET.fromstring(body)  # noqa: S314  no document type, no entities (see above)
    except (ET.ParseError, ValueError):
        raise BadAnswer("XML that is broken") from None


def _is_plain(body: bytes) -> bool:
    """Tell whether nothing but a declaration, comments and instructions stands before the root element.

    So there is no document type, hence no entity. The encoding must be one in which that can be told by looking.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    at = 0
    while at < PROLOG_MAX:
        while at < PROLOG_MAX and body[at : at + 1] in _WHITE:
            at += 1
        if body.startswith(b"<!--", at):
            end = body.find(b"-->", at) + 3
        elif body.startswith(b"<?", at):
            end = body.find(b"?>", at) + 2
            if body.startswith(b"<?xml", at) and _unusual_encoding(body[at:end]):
                return False
        else:
            return body[at : at + 1] == b"<" and body[at + 1 : at + 2] not in {b"!", b"", b"\0"}
        if end < at + 4:  # not found
            return False
        at = end
    return False


def _unusual_encoding(declaration: bytes) -> bool:
    _, named, rest = declaration.lower().partition(b"encoding")
    return bool(named) and not any(
        name in rest
        for name in (b'"utf-8"', b"'utf-8'", b'"us-ascii"', b'"iso-8859-1"', b"'us-ascii'", b"'iso-8859-1'")
    )


def multistatus(body: bytes) -> ET.Element:
    root = tree(body)
    if root.tag != f"{D}multistatus":
        raise BadAnswer("XML that is no multistatus")
    return root


def rows(root: ET.Element, origin: str) -> list[Row]:
    """List what a multistatus says, one row for each href; those of another origin are left out."""
    found: list[Row] = []
    for response in root:
        if response.tag != _RESPONSE:
            continue
        hrefs: list[str] = []
        status, failed, etag, data, collection = 0, 0, None, None, False
        for child in response:
            if child.tag == _HREF:
                hrefs.append(child.text or "")
            elif child.tag == _PROPSTAT:
                told = _status(child.findtext(_STATUS))
                if told != 200:
                    failed = failed if told == 404 else told  # 404: it has no such property
                    status = status or 200
                    continue
                status = 200
                for prop in [prop for group in child if group.tag == _PROP for prop in group]:
                    if prop.tag == ETAG:
                        etag = (prop.text or "").strip() or None
                    elif prop.tag == DATA:
                        data = prop.text or ""
                    elif prop.tag == _TYPE:
                        collection = prop.find(_COLLECTION) is not None
            elif child.tag == _STATUS:
                status = _status(child.text)
        status = failed if failed and data is None else status
        for href in hrefs:
            id_ = id_of(href, origin)
            if id_ is not None:
                found.append(Row(id_, status, etag, data, collection))
    return found


_RESPONSE: Final = f"{D}response"
_HREF: Final = f"{D}href"
_PROPSTAT: Final = f"{D}propstat"
_STATUS: Final = f"{D}status"
_PROP: Final = f"{D}prop"
_TYPE: Final = f"{D}resourcetype"
_COLLECTION: Final = f"{D}collection"


@lru_cache(maxsize=64)
def _status(line: str | None) -> int:
    """Read `HTTP/1.1 200 OK`; 0 where it says nothing."""
    parts = (line or "").split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isascii() and parts[1].isdecimal() and len(parts[1]) == 3 else 0


def id_of(href: str, origin: str) -> str | None:
    """Give the path of an href in one spelling; None where it lies on another origin or is none."""
    if _PLAIN.fullmatch(href):
        return href
    href = href.strip()
    try:
        parts = urlsplit(href)
        port = parts.port
    except ValueError:
        return None
    if parts.netloc:
        default = {"https": 443, "http": 80}.get(parts.scheme)
        named = f"{parts.hostname}:{port or default}"
        ours = urlsplit(origin)
        if (parts.scheme, named) != (
            ours.scheme,
            f"{ours.hostname}:{ours.port or {'https': 443}.get(ours.scheme, 80)}",
        ):
            return None
    elif parts.scheme:
        return None
    segments = [quote(unquote_to_bytes(segment), safe="!$&'()*+,;=:@") for segment in parts.path.split("/")]
    if segments[0] or any(segment in {".", ".."} for segment in segments):
        return None
    return "/".join(segments) or None
