"""Write or find a page of rows with one statement, on either database: what SQLAlchemy Core says, without its price a value.

SQLite gets its tuples as they are. PostgreSQL gets each column as one array (or a COPY) and plans once a page, for the
tables as they are then. Values are int, str, bytes or None. Hard rule: the same result as row by row, in the order given;
so rows of one page never trade a unique value among themselves, which PostgreSQL refuses in one order and not in another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from syncd.store.asking import driver

Clash: TypeAlias = Literal["fails", "stays", "changes"]
"""What becomes of a row whose key is there already."""
_Take: TypeAlias = Callable[[Mapping[str, Any]], tuple[Any, ...]]

KEYS_MAX: Final = 10_000
"""SQLite: keys in one statement (it takes 32 766 values)."""


def inserting(table: sa.Table, names: str, *, clash: Clash = "fails") -> Rows:
    """Add rows with these columns."""
    return Rows(table, insert=clash, key=[], columns=names.split(), fixed={})


def updating(table: sa.Table, key: str, names: str = "", **fixed: int | None) -> Rows:
    """Change these columns of the rows with a key; the key's columns are named with `k_` before them in a row.

    `fixed`: columns that get the same number (or nothing) in every row.
    """
    return Rows(table, insert=None, key=key.split(), columns=names.split(), fixed=fixed)


def deleting(table: sa.Table, key: str) -> Rows:
    """Remove the rows with a key; the key's columns are named with `k_` before them in a row."""
    return Rows(table, insert=None, key=key.split(), columns=[], fixed={})


class Rows:
    """A statement for a page of rows; each row is a mapping with (at least) its names. Written when it is first used."""

    def __init__(
        self,
        table: sa.Table,
        *,
        insert: Clash | None,
        key: Sequence[str],
        columns: Sequence[str],
        fixed: Mapping[str, int | None],
    ) -> None:
        self._table, self._insert, self._key, self._columns, self._fixed = table, insert, key, columns, fixed
        self._names = {**{name: table.c[name] for name in columns}, **{f"k_{name}": table.c[name] for name in key}}

    def run(self, connection: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
        """Do it for these rows; nothing is fine."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            text, take = self._sqlite
            driver(connection).executemany(text, map(take, rows))
        elif self._insert == "fails":
            self._copy(connection, rows)
        else:
            text, one = self._postgresql
            if one is not None:
                rows = {one(row): row for row in rows}.values()  # as row by row: the last one of a key counts
            connection.exec_driver_sql(text, {name: [row[name] for row in rows] for name in self._names})

    def _copy(self, connection: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
        text, types, take = self._copied
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(text) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(take(row))

    @cached_property
    def _sqlite(self) -> tuple[str, _Take]:
        from sqlalchemy.dialects import sqlite

        compiled = self._written(sqlite.insert, None).compile(dialect=sqlite.dialect())
        return str(compiled), _taker(compiled.positiontup)

    @cached_property
    def _postgresql(self) -> tuple[str, _Take | None]:
        from sqlalchemy.dialects import postgresql

        arrays = [sa.bindparam(name, type_=postgresql.ARRAY(column.type)) for name, column in self._names.items()]
        page = sa.func.unnest(*arrays).table_valued(*self._names).render_derived(name="page")
        key = [f"k_{name}" for name in self._key]
        if self._insert == "changes":
            key = [column.name for column in self._table.primary_key]
        return _binary(self._written(postgresql.insert, page), self._names), _taker(key) if key else None

    @cached_property
    def _copied(self) -> tuple[str, list[str], _Take]:
        names, types = list(self._names), [_type(column) for column in self._names.values()]
        return f"COPY {self._table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)", types, _taker(names)

    def _written(self, insert: Any, page: Any) -> Any:
        """Write it for one row, or for a `page` of them."""
        table = self._table
        value: Callable[[str], Any] = sa.bindparam if page is None else page.c.__getitem__
        values = {name: value(name) for name in self._columns}
        if self._insert is None:
            where = [table.c[name] == value(f"k_{name}") for name in self._key]
            same = {k: sa.null() if v is None else sa.literal_column(str(v)) for k, v in self._fixed.items()}
            changed = {**values, **same}
            return sa.update(table).where(*where).values(changed) if changed else sa.delete(table).where(*where)
        made = insert(table)
        made = made.values(values) if page is None else made.from_select(list(values), sa.select(*values.values()))
        if self._insert == "stays":
            return made.on_conflict_do_nothing()
        if self._insert == "changes":
            key = [column.name for column in table.primary_key]
            changed = {name: made.excluded[name] for name in values if name not in key}
            return made.on_conflict_do_update(index_elements=key, set_=changed)
        return made


class Keyed:
    """A query, or a change, for all rows whose column is one of many keys; other parameters come before the keys."""

    def __init__(self, statement: Any, column: sa.Column[Any]) -> None:
        self._statement, self._column = statement, column

    def find(self, connection: sa.Connection, keys: Collection[Any], **others: Any) -> Iterator[Any]:
        """Give the rows found. With very many keys their order is by keys first."""
        for result in self._results(connection, list(keys), others):
            yield from result.fetchall()

    def change(self, connection: sa.Connection, keys: Collection[Any], **others: Any) -> None:
        """Change the rows found."""
        for _ in self._results(connection, list(keys), others):
            pass

    def _results(self, connection: sa.Connection, keys: list[Any], others: dict[str, Any]) -> Iterator[Any]:
        if connection.dialect.name != "sqlite":
            if keys:
                yield connection.exec_driver_sql(self._postgresql, {**others, "keys": keys})
            return
        text, names = self._sqlite
        before = tuple(others[name] for name in names)
        for start in range(0, len(keys), KEYS_MAX):
            chunk = keys[start : start + KEYS_MAX]
            yield driver(connection).execute(text.replace(_HOLE, "?" + ",?" * (len(chunk) - 1)), (*before, *chunk))

    @cached_property
    def _sqlite(self) -> tuple[str, list[str]]:
        from sqlalchemy.dialects import sqlite

        where = self._column.in_(sa.bindparam("keys", expanding=True))
        compiled = self._statement.where(where).compile(dialect=sqlite.dialect())
        *names, last = compiled.positiontup
        assert last == "keys", "the keys come last"
        return str(compiled), names

    @cached_property
    def _postgresql(self) -> str:
        from sqlalchemy.dialects import postgresql

        where = self._column == sa.any_(sa.bindparam("keys", type_=postgresql.ARRAY(self._column.type)))
        return _binary(self._statement.where(where), ["keys"])


_HOLE: Final = "__[POSTCOMPILE_keys]"


def _psycopg() -> sa.Dialect:
    from sqlalchemy.dialects.postgresql import psycopg

    return psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy does not say


def _binary(statement: Any, names: Collection[str]) -> str:
    """Write a statement whose parameters travel as they are, not as text."""
    text = str(statement.compile(dialect=_psycopg()))
    for name in names:
        text = text.replace(f"%({name})s", f"%({name})b")
    return text


def _type(column: sa.Column[Any]) -> str:
    return str(column.type.compile(dialect=_psycopg())).partition(" COLLATE")[0].lower()


def _taker(names: Sequence[str]) -> _Take:
    """Make what takes a tuple of these values out of a row."""
    if len(names) > 1:
        return itemgetter(*names)
    [name] = names
    return lambda row: (row[name],)
