"""Is this an address book, and may it be written? Else: what is it, and where are the address books?

Knows properties of WebDAV collections. Hard rule: a handful of requests, and only places on the same origin are named.
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from syncd.errors import ConfigError, SyncdError
from syncd.model import Finding

from .book import Book
from .dav import C, D, id_of

_SHOWN_MAX: Final = 5


def findings(book: Book) -> list[Finding]:
    """Ask for the collection's properties; raise ConfigError where it is no address book."""
    root = book.properties(book.path)
    kinds = _kinds(root)
    if f"{C}addressbook" not in kinds:
        raise ConfigError(f"{book.place}: {_named(root, kinds)}, not an address book{_hint(book, root)}")
    found = []
    rights = {element.tag for element in root.iterfind(f".//{D}current-user-privilege-set/{D}privilege/*")}
    if rights and not rights & {f"{D}all", f"{D}write", f"{D}write-content"}:
        message = f"{book.place}: this account may only read here; say `writes: {{create: false, update: false}}`"
        found.append(Finding(level="warning", message=message))
    reports = {element.tag for element in root.iterfind(f".//{D}supported-report/{D}report/*")}
    if reports and f"{D}sync-collection" not in reports:
        message = f"{book.place}: the server knows no sync-collection; every change means a complete listing"
        found.append(Finding(level="note", message=message))
    if book.origin.startswith("http://") and not book.is_local:
        message = f"{book.place}: plain http, everybody on the way can read password and contacts"
        found.append(Finding(level="warning", message=message))
    return found


def _kinds(root: ET.Element) -> set[str]:
    return {element.tag for element in root.iterfind(f".//{D}resourcetype/*")}


def _named(root: ET.Element, kinds: set[str]) -> str:
    if "{urn:ietf:params:xml:ns:caldav}calendar" in kinds:
        return "this is a calendar"
    if f"{D}principal" in kinds or root.find(f".//{C}addressbook-home-set/{D}href") is not None:
        return "this is an account"
    return "this is a folder" if f"{D}collection" in kinds else "this is a single resource"


def _hint(book: Book, root: ET.Element) -> str:
    """Follow the trail from here to the address books: principal, home, children."""
    try:
        return _books(book, root)
    except SyncdError:  # what is wrong was said already; this was only to be helpful
        return ""


def _books(book: Book, root: ET.Element) -> str:
    home = _href(book, root, f"{C}addressbook-home-set")
    if home is None:
        principal = _href(book, root, f"{D}current-user-principal")
        if principal is not None and principal != book.path:
            home = _href(book, book.properties(principal), f"{C}addressbook-home-set")
    found: list[str] = []
    for response in book.properties(home or book.path, depth=b"1"):
        path = id_of(response.findtext(f"{D}href") or "", book.origin)
        if path and f"{C}addressbook" in _kinds(response):
            found.append(f"{book.origin}{path}")
    if not found:
        return ""
    more = " ..." if len(found) > _SHOWN_MAX else ""
    return f"; set `url` to {' or '.join(found[:_SHOWN_MAX])}{more}"


def _href(book: Book, root: ET.Element, name: str) -> str | None:
    text = root.findtext(f".//{name}/{D}href")
    return id_of(text, book.origin) if text else None
