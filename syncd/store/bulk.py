"""Write or find a page of rows with one statement, on either database: what SQLAlchemy Core says, without its price a value.

SQLite gets its tuples as they are. PostgreSQL gets each column as one array (or a COPY) and plans once a page, for the
tables as they are then. Values are int, str, bytes or None. Statements are made when they are first used, and nothing of a
database that is not there is imported. Hard rule: the same result as row by row, in the order given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

Clash: TypeAlias = Literal["fails", "stays", "changes"]
"""What becomes of a row whose key is there already."""

KEYS_MAX: Final = 10_000
"""SQLite: keys in one statement (it takes 32 766 values)."""


class Rows:
    """A statement for a page of rows; each row is a mapping with (at least) these names."""

    def __init__(
        self,
        names: Sequence[str],
        single: Callable[[], sa.UpdateBase],
        page: Callable[[], sa.UpdateBase] | None,
        key: Sequence[str] = (),
    ) -> None:
        """`single`: for one row; `page`: for arrays, None: a COPY into the table; `key`: two rows of one would meet."""
        self._names, self._single, self._page, self._key = tuple(names), single, page, tuple(key)

    def run(self, connection: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
        """Do it for these rows; nothing is fine."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            text, take = self._sqlite
            connection.exec_driver_sql(text, [take(row) for row in rows])
        elif self._page is None:
            self._copy(connection, rows)
        else:
            if self._key:
                take = _taker(self._key)
                rows = {take(row): row for row in rows}.values()  # as row by row: the last one counts
            connection.exec_driver_sql(self._postgresql, {name: [row[name] for row in rows] for name in self._names})

    def _copy(self, connection: sa.Connection, rows: Collection[Mapping[str, Any]]) -> None:
        text, types, take = self._copied
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(text) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(take(row))

    @cached_property
    def _sqlite(self) -> tuple[str, Any]:
        compiled: Any = self._single().compile(dialect=_sqlite())
        return str(compiled), _taker(compiled.positiontup)

    @cached_property
    def _postgresql(self) -> str:
        assert self._page is not None
        return _binary(self._page(), self._names)

    @cached_property
    def _copied(self) -> tuple[str, list[str], Any]:
        single = self._single()
        assert isinstance(single, sa.Insert)
        types = [_type(single.table.c[name]) for name in self._names]
        return (
            f"COPY {single.table.name} ({', '.join(self._names)}) FROM STDIN (FORMAT BINARY)",
            types,
            _taker(self._names),
        )


def inserting(table: sa.Table, names: str, *, clash: Clash = "fails") -> Rows:
    """Add rows with these columns."""
    columns = names.split()
    bound: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
    if clash == "fails":
        return Rows(columns, lambda: sa.insert(table).values(bound), None)
    key = [column.name for column in table.primary_key]
    others = [name for name in columns if name not in key]

    def settled(insert: Any) -> sa.UpdateBase:
        done: sa.UpdateBase = (
            insert.on_conflict_do_nothing()
            if clash == "stays"
            else insert.on_conflict_do_update(index_elements=key, set_={name: insert.excluded[name] for name in others})
        )
        return done

    def single() -> sa.UpdateBase:
        from sqlalchemy.dialects import sqlite

        return settled(sqlite.insert(table).values(bound))

    def many() -> sa.UpdateBase:
        from sqlalchemy.dialects import postgresql

        page = _page({name: table.c[name] for name in columns})
        return settled(postgresql.insert(table).from_select(columns, sa.select(*(page.c[name] for name in columns))))

    return Rows(columns, single, many, key if clash == "changes" else ())


def updating(table: sa.Table, key: str, names: str = "", **fixed: int | None) -> Rows:
    """Change these columns of the rows with a key; the key's columns are named with `k_` before them in a row.

    `fixed`: columns that get the same number (or nothing) in every row.
    """
    keys, columns = {f"k_{name}": table.c[name] for name in key.split()}, names.split()

    def same() -> dict[str, Any]:
        return {name: sa.null() if value is None else sa.literal_column(str(value)) for name, value in fixed.items()}

    def single() -> sa.UpdateBase:
        return sa.update(table).where(*_bound(keys)).values({name: sa.bindparam(name) for name in columns} | same())

    def many() -> sa.UpdateBase:
        page = _page({**{name: table.c[name] for name in columns}, **keys})
        return sa.update(table).where(*_equal(keys, page)).values({name: page.c[name] for name in columns} | same())

    return Rows([*columns, *keys], single, many, list(keys))


def deleting(table: sa.Table, key: str) -> Rows:
    """Remove the rows with a key; the key's columns are named with `k_` before them in a row."""
    keys = {f"k_{name}": table.c[name] for name in key.split()}
    return Rows(
        list(keys),
        lambda: sa.delete(table).where(*_bound(keys)),
        lambda: sa.delete(table).where(*_equal(keys, _page(keys))),
    )


class Keyed:
    """A query, or a change, for all rows whose column is one of many keys; other parameters come before the keys."""

    def __init__(self, statement: Any, column: sa.Column[Any]) -> None:
        self._statement, self._column = statement, column

    def find(self, connection: sa.Connection, keys: Collection[Any], **others: Any) -> Iterator[Any]:
        """Give the rows found. With very many keys their order is by keys first."""
        for result in self._results(connection, list(keys), others):
            yield from result

    def change(self, connection: sa.Connection, keys: Collection[Any], **others: Any) -> None:
        """Change the rows found."""
        for _ in self._results(connection, list(keys), others):
            pass

    def _results(
        self, connection: sa.Connection, keys: list[Any], others: dict[str, Any]
    ) -> Iterator[sa.CursorResult[Any]]:
        if connection.dialect.name != "sqlite":
            if keys:
                yield connection.exec_driver_sql(self._postgresql, {**others, "keys": keys})
            return
        text, names = self._sqlite
        before = tuple(others[name] for name in names)
        for start in range(0, len(keys), KEYS_MAX):
            chunk = keys[start : start + KEYS_MAX]
            yield connection.exec_driver_sql(text.replace(_HOLE, "?" + ",?" * (len(chunk) - 1)), (*before, *chunk))

    @cached_property
    def _sqlite(self) -> tuple[str, list[str]]:
        where = self._column.in_(sa.bindparam("keys", expanding=True))
        compiled: Any = self._statement.where(where).compile(dialect=_sqlite())
        *names, last = compiled.positiontup
        assert last == "keys", "the keys come last"
        return str(compiled), names

    @cached_property
    def _postgresql(self) -> str:
        from sqlalchemy.dialects.postgresql import ARRAY

        where = self._column == sa.any_(sa.bindparam("keys", type_=ARRAY(self._column.type)))
        return _binary(self._statement.where(where), ["keys"])


_HOLE: Final = "__[POSTCOMPILE_keys]"


@cache
def _sqlite() -> sa.Dialect:
    from sqlalchemy.dialects import sqlite

    return sqlite.dialect()


@cache
def _postgresql() -> sa.Dialect:
    from sqlalchemy.dialects.postgresql import psycopg

    dialect: sa.Dialect = psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy does not say
    return dialect


def _page(columns: Mapping[str, sa.Column[Any]]) -> Any:
    """Name a page of rows that PostgreSQL gets as one array a column."""
    from sqlalchemy.dialects.postgresql import ARRAY

    arrays = [sa.bindparam(name, type_=ARRAY(column.type)) for name, column in columns.items()]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="page")


def _bound(keys: Mapping[str, sa.Column[Any]]) -> list[Any]:
    return [column == sa.bindparam(name) for name, column in keys.items()]


def _equal(keys: Mapping[str, sa.Column[Any]], page: Any) -> list[Any]:
    return [column == page.c[name] for name, column in keys.items()]


def _binary(statement: Any, names: Sequence[str]) -> str:
    """Write a statement whose parameters travel as they are, not as text."""
    text = str(statement.compile(dialect=_postgresql()))
    for name in names:
        text = text.replace(f"%({name})s", f"%({name})b")
    return text


def _type(column: sa.ColumnClause[Any]) -> str:
    return str(column.type.compile(dialect=_postgresql())).partition(" COLLATE")[0].lower()


def _taker(names: Sequence[str]) -> Any:
    """Make what takes a tuple of these values out of a row."""
    if len(names) > 1:
        return itemgetter(*names)
    [name] = names
    return lambda row: (row[name],)
