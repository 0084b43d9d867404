"""A table as an SQL app and as people use it: what the tests of the sql connector share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

from syncd import registry
from syncd.connector import App, Opening
from syncd.model import Applied, FieldMap, Record, Result, Write

SQL = registry.load("sql")
KNOWN = dict.fromkeys(("email", "first_name", "phone", "birthday", "lead_score", "tags", "notes", "website"), "text")


@contextmanager
def opened(
    url: str, fields: dict[str, FieldMap] | None = None, *, secrets: Any = None, **settings: Any
) -> Iterator[App]:
    told = {setting.name: setting.default for setting in SQL.spec.settings}
    told |= {"url": url, "table": "people", **settings}
    app = SQL.open(Opening(app="shop", settings=told, secrets=secrets or {}, fields=fields or {}, known=KNOWN))
    with closing(app):
        yield app


def file_of(url: str) -> str:
    """Give the file of an SQLite database."""
    return url.removeprefix("sqlite:///").partition("?")[0]


def run(url: str, *statements: str) -> list[Any]:
    """Do as a human with a prompt does; give the rows of the last statement."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(file_of(url))) as lite, lite:
            return [lite.execute(statement).fetchall() for statement in statements][-1]
    with psycopg.connect(url.replace("+psycopg", "")) as server:
        cursors = [server.execute(statement.encode()) for statement in statements]
        return cursors[-1].fetchall() if cursors[-1].description else []


def listed(app: App) -> dict[str, Record]:
    return {record.id: record for page in app.read(None) for record in page.records}


def cursor_of(app: App) -> str:
    cursor = list(app.read(None))[-1].cursor
    assert cursor is not None
    return cursor


def changes(app: App, cursor: str) -> tuple[set[str], str]:
    pages = list(app.read(cursor))
    assert not any(page.expired or page.complete for page in pages)
    assert pages[-1].cursor is not None
    return {record.id for page in pages for record in page.records}, pages[-1].cursor


def update(id_: str, **fields: Any) -> Write:
    return Write(kind="update", id=id_, fields=fields)


def create(id_: str, **fields: Any) -> Write:
    return Write(kind="create", id=id_, fields=fields)


def applied(results: list[Result]) -> list[Record]:
    assert all(isinstance(result, Applied) and result.record for result in results), results
    return [result.record for result in results if isinstance(result, Applied) and result.record]


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note every statement that SQLAlchemy sends."""
    told: list[str] = []

    def note(*args: Any) -> None:
        told.append(args[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
