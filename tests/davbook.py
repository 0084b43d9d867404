"""CardDAV accounts for the tests: opened, read, written, and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncd import registry
from syncd.connector import Opening
from syncd.model import Page, Record, Write
from tests.radicale import PASSWORD, USER

CONNECTOR = registry.load("carddav")
FOLDER = CONNECTOR.open.__module__.rpartition(".")[0]
OPEN: list[Any] = []


def closing() -> Iterator[None]:
    """What a module's autouse fixture is made of: nothing stays open."""
    yield
    while OPEN:
        OPEN.pop().close()


def book(url: str, **more: Any) -> Any:
    secrets = more.pop("secrets", {"username": USER, "password": PASSWORD})
    given = {"app": "team", "settings": {"url": url}, "fields": {}, "known": {}, "network": "private", **more}
    OPEN.append(CONNECTOR.open(Opening(secrets=secrets, **given)))
    return OPEN[-1]


def everything(app: Any, cursor: str | None = None) -> tuple[dict[str, Record], set[str], str]:
    pages: list[Page] = list(app.read(cursor))
    assert not any(page.expired for page in pages)
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [cursor is None]
    records = {record.id: record for page in pages for record in page.records}
    return records, {id_ for page in pages for id_ in page.gone}, next(p.cursor for p in reversed(pages) if p.cursor)


def vcard(*lines: str, uid: str = "u1", version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", *lines, "END:VCARD", ""])


ADA = vcard("FN:Ada Lovelace", "N:Lovelace;Ada;;;", "EMAIL:ada@example.org", "X-ACCOUNT:A-1", "TEL;TYPE=cell:+44 1")


def update(record: Record, **fields: Any) -> Write:
    expect = {name: record.fields[name] for name in fields}
    return Write(kind="update", id=record.id, fields=fields, expect=expect, version=record.version)


def one(app: Any, write: Write) -> Any:
    [result] = app.write([write])
    return result


def tag() -> str:
    return '<D:getetag>"1"</D:getetag>'
