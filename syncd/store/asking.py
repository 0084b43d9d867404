"""Ask with a statement that is written once: what SQLAlchemy Core says, without its price a call.

SQLite's driver is asked directly, in a tenth of the time; PostgreSQL through SQLAlchemy. A row is a tuple, or as good as one.
Hard rule: the same rows, and an error of `Store.errors`, either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa


def driver(connection: sa.Connection) -> Any:
    """Give SQLite's own connection, within the transaction that is under way."""
    return connection.connection.driver_connection


class Query:
    """A query, or a change, whose parameters are named; written when it is first used."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement: Any = statement

    def rows(self, connection: sa.Connection, **values: Any) -> Sequence[Any]:
        """Give all rows."""
        return self._run(connection, values).fetchall()  # type: ignore[no-any-return]  # the driver does not say

    def row(self, connection: sa.Connection, **values: Any) -> Any:
        """Give the first row; None where there is none."""
        return self._run(connection, values).fetchone()

    def value(self, connection: sa.Connection, **values: Any) -> Any:
        """Give the first column of the first row; None where there is none."""
        row = self._run(connection, values).fetchone()
        return None if row is None else row[0]

    def change(self, connection: sa.Connection, **values: Any) -> int:
        """Do it; say how many rows that changed."""
        return int(self._run(connection, values).rowcount)

    def _run(self, connection: sa.Connection, values: dict[str, Any]) -> Any:
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values)
        text, names, fixed = self._sqlite
        given = {**fixed, **values}
        return driver(connection).execute(text, [given[name] for name in names])

    @cached_property
    def _sqlite(self) -> tuple[str, list[str], dict[str, Any]]:
        """Give the text, its parameters in order, and those that are always the same."""
        from sqlalchemy.dialects import sqlite

        compiled = self._statement.compile(dialect=sqlite.dialect())
        fixed = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
        return str(compiled), list(compiled.positiontup), fixed
