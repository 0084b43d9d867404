"""Hear every statement that reaches a store's SQLite file, whoever sends it.

SQLAlchemy's own events tell only of what goes through SQLAlchemy, and the store asks the driver itself (`store/asking.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeAlias

import sqlalchemy as sa

from syncd.store.store import Store

Note: TypeAlias = Callable[[sqlite3.Cursor, str, Any], None]
"""Takes the cursor, the statement, and its values (of many rows: those of the first)."""


def hear(store: Store, note: Note) -> None:
    """Let `note` hear of each statement right before it runs; the store begins afresh with its connections."""
    assert store.sqlite

    class Cursor(sqlite3.Cursor):
        def execute(self, text: str, values: Any = (), /) -> Any:
            note(self, text, values)
            return super().execute(text, values)

        def executemany(self, text: str, rows: Any, /) -> Any:
            rows = list(rows)
            note(self, text, rows[0])
            return super().executemany(text, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, _: Any = None) -> Any:
            return super().cursor(Cursor)

        def execute(self, text: str, values: Any = (), /) -> Any:
            return self.cursor().execute(text, values)

        def executemany(self, text: str, rows: Any, /) -> Any:
            return self.cursor().executemany(text, rows)

    def connect(_dialect: Any, _record: Any, words: Any, options: Any) -> sqlite3.Connection:
        return sqlite3.connect(*words, factory=Connection, **options)

    store.close()
    sa.event.listen(store.engine, "do_connect", connect)
