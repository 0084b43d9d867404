"""One table as an app: what it can do, and its reads. Its writes are in batch.py."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal
from uuid import NAMESPACE_OID, uuid5

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from syncd.connector import Opening
from syncd.errors import AccessError
from syncd.model import FieldMap, Finding, Page, Record, Result, Spec, Unknown, Write

from .batch import transact
from .reach import engine_for, translated
from .rows import UNASKABLE, Rows, noted_keys, tuples
from .shape import Shape, fields_without_column, shape_of
from .stamps import Mark, Stamps, cursor_of, mark_of, rows_of
from .task import Preparing
from .values import writable

PAGE: Final = 1000
_ONLY_READ: Final = "the account may not change rows, or this is a view that cannot be changed: this app is only read"
_AUTOINCREMENT: Final = re.compile(r"\bAUTOINCREMENT\b", re.IGNORECASE)
_INSTEAD_OF: Final = re.compile(r"INSTEAD\s+OF\s+(INSERT|UPDATE)\b", re.IGNORECASE)


def open_table(spec: Spec, opening: Opening) -> SqlTable:
    """Look the table up and say what it can do."""
    engine, name = engine_for(opening)
    try:
        with translated(name), engine.connect() as connection:
            shape = shape_of(connection, opening)
            stamps = _stamps(connection, shape)
            may = _rights(connection, shape, name)
    except BaseException:
        engine.dispose()
        raise
    return SqlTable(engine, name, _narrowed(spec, shape, may), Rows(shape, stamps), opening)


class SqlTable:
    """One table, reached through one engine."""

    spec: Spec
    fields: Mapping[str, FieldMap]

    def __init__(self, engine: Engine, name: str, spec: Spec, rows: Rows, opening: Opening) -> None:
        self.spec, self.fields = spec, rows.shape.fields
        self._engine, self._name, self._rows, self._opening = engine, name, rows, opening
        self._preparing = Preparing(rows, spec)
        self._overlap = float(opening.settings.get("overlap") or 0)
        told = repr((self.fingerprint(), list(rows.shape.paths.items()), rows.shape.deleted))
        self._signature = hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

    def fingerprint(self) -> str:
        return f"{self._name}#{self._opening.settings['table']}#{self._rows.shape.key.name}"

    def check(self) -> list[Finding]:
        shape = self._rows.shape
        findings = [
            Finding(level="error", field=name, message=message)
            for name, message in fields_without_column(shape, self._opening)
        ]
        with self._connected() as connection:
            tuples(connection, self._rows.select.limit(1))
            findings += _key_findings(connection, self._rows)
            findings += _number_findings(connection, shape)
            findings += _stamp_findings(connection, self._rows)
        return [*findings, *_create_findings(shape, self.spec)]

    def read(self, cursor: str | None) -> Iterator[Page]:
        stamps = self._rows.stamps
        if cursor is None or stamps is None:
            yield from self._listing()
            return
        mark = mark_of(cursor, self._signature)
        if mark is None:
            yield Page(records=[], expired=True)
        else:
            yield from self._changes(stamps, mark, rows_of(cursor))

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        keys = [key for id_ in dict.fromkeys(ids) if (key := self._rows.key_value(id_)) is not None]
        with self._connected() as connection:
            return self._rows.records(self._rows.fetch(connection, keys))

    def write(self, writes: Sequence[Write]) -> list[Result]:
        tasks = [self._preparing.task(write) for write in writes]
        if any(task.result is None for task in tasks):
            transact(self._engine, self._name, self._rows, tasks)
        return [task.result or Unknown() for task in tasks]

    def new_id(self, token: str) -> str:
        if self.spec.rung != "A" or not self.spec.create:
            return ""
        match self._rows.shape.key.kind:
            case "integer":
                return str(int(token, 16) >> 1)
            case "uuid":
                return str(uuid5(NAMESPACE_OID, token))
            case _:
                return token

    def find(self, field: str, value: Any) -> list[Record]:
        column = self._rows.shape.paths.get(field)
        if column is None:
            return []
        try:
            wanted = writable(column, value)
        except ValueError:
            return []
        with self._connected() as connection:
            select = self._rows.select.where(self._rows.table.c[column.name] == sa.bindparam("wanted"))
            return list(self._rows.records(tuples(connection, select, {"wanted": wanted})).values())

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _connected(self, **options: Any) -> Iterator[Connection]:
        with translated(self._name), self._engine.connect() as connection:
            yield connection.execution_options(**options) if options else connection

    def _listing(self) -> Iterator[Page]:
        """List every row by key. Where a reader would hold up writers, each page is a transaction of its own.

        Also then every row is listed that was there all the time: its key does not move.
        """
        with self._connected(**self._snapshot_options()) as connection:
            page_wise = self._engine.dialect.name == "sqlite" and _journal(connection) != "wal"
            mark = self._first_mark(connection)
            select, after = self._rows.select.order_by(self._rows.key), self._rows.key > sa.bindparam("last")
            rows = tuples(connection, select.limit(PAGE))
            while len(rows) == PAGE:
                if page_wise:
                    connection.rollback()
                rows, last = _whole_keys(rows, self._rows)
                yield self._page(rows)
                rows = tuples(connection, select.where(after).limit(PAGE), {"last": last})
            total = int(connection.execute(self._rows.count).scalar_one())
            cursor = None if self._rows.stamps is None else cursor_of(mark, self._signature, total)
            yield replace(self._page(rows), cursor=cursor, complete=True)

    def _changes(self, stamps: Stamps, mark: Mark, total: int) -> Iterator[Page]:
        """Read what was stamped since the mark less the overlap, and count the rows: one query, unless it is more than a page.

        Then the keys are noted first and their rows fetched by key. Pages by stamp would cost a sort each, and a bulk
        load gives a million rows one stamp. `total`: how many rows there were at the last read. With fewer than these,
        changes do not tell it all.
        """
        width = len(self._rows.select.selected_columns)
        news = stamps.since(mark.at, self._overlap)
        select = self._rows.select.add_columns(stamps.column.label("stamp"), stamps.clock.label("clock"))
        with self._connected() as connection:
            rows = tuples(connection, _beside_count(self._rows, select.where(news).limit(PAGE)))
            now_total, rows = rows[0][width + 2], [row for row in rows if self._rows.key_of(row) is not None]
            if now_total < total:
                yield Page(records=[], expired=True)
                return
            if rows and (now := stamps.read(rows[0][width + 1])) is not None:
                seen = [stamp for row in rows if (stamp := stamps.read(row[width])) is not None and stamp <= now]
                mark = mark.moved_on(now, max(seen, default=None))
            if len(rows) == PAGE:
                told = {self._rows.key_of(row) for row in rows}
                yield self._page(rows)
                for keys in noted_keys(connection, self._rows.keys.where(news), PAGE):
                    rows = self._rows.fetch(connection, [key for key in keys if key not in told])
                    connection.rollback()
                    yield self._page(rows)
                rows = []
            yield replace(self._page(rows), cursor=cursor_of(mark, self._signature, now_total))

    def _page(self, rows: Sequence[Sequence[Any]]) -> Page:
        gone = tuple(str(self._rows.key_of(row)) for row in rows if self._rows.deleted(row))
        return Page(records=list(self._rows.records(rows).values()), gone=gone)

    def _first_mark(self, connection: Connection) -> Mark | None:
        """Note the two clocks before anything is read."""
        stamps = self._rows.stamps
        if stamps is None:
            return None
        newest = (
            sa.select(sa.func.max(stamps.column)).select_from(self._rows.table).where(stamps.column <= stamps.limit)
        )
        [(clock, stamp)] = tuples(connection, sa.select(stamps.clock, newest.scalar_subquery()))
        at, now = stamps.read(stamp), stamps.read(clock)
        return None if at is None or now is None else Mark(at=min(at, now), now=now)

    def _snapshot_options(self) -> dict[str, Any]:
        if self._engine.dialect.name != "postgresql":
            return {}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _beside_count(source: Rows, select: sa.Select[Any]) -> sa.Select[Any]:
    """Put the number of all rows behind each row of a query; where that has none, one row of nothing but the number."""
    counted, found = source.count.subquery(), select.subquery()
    return sa.select(*found.c, *counted.c).select_from(counted.outerjoin(found, sa.true()))


def _whole_keys(rows: list[Any], source: Rows) -> tuple[list[Any], Any]:
    """Leave a key at the end of a full page to the next one, where all of its rows may be seen at once."""
    last = source.key_of(rows[-1])
    if source.shape.key_unique:
        return rows, last
    whole = [row for row in rows if source.key_of(row) != last]
    return (whole, source.key_of(whole[-1])) if whole else (rows, last)


def _journal(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()).lower()


def _stamps(connection: Connection, shape: Shape) -> Stamps | None:
    if shape.updated_at is None:
        return None
    column: sa.ColumnElement[Any] = sa.column(shape.updated_at.name)
    table = sa.table(shape.name, schema=shape.schema)
    newest = sa.select(column).select_from(table).where(column.is_not(None)).order_by(column.desc()).limit(1)
    sample = connection.execute(newest).scalar()
    return Stamps(shape.updated_at, connection.dialect.name, sample)


def _rights(connection: Connection, shape: Shape, name: str) -> set[str]:
    """Tell what the account may do to the table; raise AccessError where it may not even read."""
    if connection.dialect.name == "sqlite":
        path = name.removeprefix("sqlite:///")
        return {"SELECT", *_sqlite_takes(connection, shape)} if os.access(path, os.W_OK) else {"SELECT"}
    if connection.dialect.name != "postgresql":
        return {"SELECT", "INSERT", "UPDATE"}
    quoted = connection.dialect.identifier_preparer.format_table(sa.table(shape.name, schema=shape.schema))
    # 8 and 4: the view takes inserts and updates, by itself or by a trigger; a table takes both.
    ask = sa.text("SELECT has_any_column_privilege(:t, 'SELECT'), "
                  "has_any_column_privilege(:t, 'INSERT') AND pg_relation_is_updatable(to_regclass(:t), true) & 8 > 0, "
                  "has_any_column_privilege(:t, 'UPDATE') AND pg_relation_is_updatable(to_regclass(:t), true) & 4 > 0")  # fmt: skip
    may = connection.execute(ask, {"t": quoted}).one()
    if not may[0]:
        raise AccessError(f"{name}: the account may not read table {shape.name!r}; grant it SELECT")
    return {right for right, held in zip(("SELECT", "INSERT", "UPDATE"), may, strict=True) if held}


def _sqlite_takes(connection: Connection, shape: Shape) -> set[str]:
    """Tell what may be done to a table; a view takes what a trigger does in its place."""
    told = _catalogued(connection, shape)
    if not any(kind == "view" for kind, _ in told):
        return {"INSERT", "UPDATE"}
    triggers = [_INSTEAD_OF.search(sql) for kind, sql in told if kind == "trigger"]
    return {match[1].upper() for match in triggers if match is not None}


def _catalogued(connection: Connection, shape: Shape) -> list[tuple[str, str]]:
    """List what SQLite keeps of a table: (kind, the statement that made it)."""
    catalogue = sa.table("sqlite_master", *map(sa.column, ("type", "sql", "tbl_name")), schema=shape.schema)
    mine = sa.func.lower(catalogue.c.tbl_name) == shape.name.lower()
    return [(kind, sql) for kind, sql in connection.execute(sa.select(catalogue.c.type, catalogue.c.sql).where(mine))]


def _narrowed(spec: Spec, shape: Shape, may: set[str]) -> Spec:
    deleted = shape.deleted is not None
    writes = "UPDATE" in may
    rung: Literal["A", "D", "E"]
    if shape.key_field is not None:
        rung = "D"
    elif shape.key_drawn:
        rung = "E"
    else:
        rung = "A"
    return replace(
        spec,
        create="INSERT" in may and (rung != "A" or shape.key_fits),
        update=writes,
        archive=deleted and writes,
        reports_gone=deleted,
        incremental=shape.updated_at is not None,
        rung=rung,
        unique=shape.unique,
    )


def _key_findings(connection: Connection, rows: Rows) -> Iterator[Finding]:
    shape, key = rows.shape, rows.key
    nameless = sa.select(sa.func.count()).select_from(rows.table).where(key.is_(None))
    if shape.key.nullable and (count := int(connection.execute(nameless).scalar_one())):
        message = (
            f"{count} row{' has' if count == 1 else 's have'} no {shape.key.name!r}: nobody in them is seen, "
            "and may be created a second time; give each a key"
        )
        yield Finding(level="warning", message=message)
    odd = rows.keys.limit(PAGE)
    if not shape.key.typed and shape.key.kind in {"text", "integer"}:
        odd = odd.where(sa.func.typeof(key) != shape.key.kind)
    if any(not rows.askable(row[0]) for row in tuples(connection, odd)):
        yield Finding(level="error", message=f"rows are set aside by column {shape.key.name!r}: {UNASKABLE}")
    if shape.key_unique:
        return
    twice = (
        sa.select(key)
        .select_from(rows.table)
        .where(key.is_not(None))
        .group_by(key)
        .having(sa.func.count() > 1)
        .limit(1)
    )
    if tuples(connection, twice):
        message = f"column {shape.key.name!r} has the same value in several rows; those rows are left alone"
        yield Finding(level="error", message=message)
    message = f"nothing keeps the values of key column {shape.key.name!r} unique; add a unique index"
    yield Finding(level="warning", message=message)


def _number_findings(connection: Connection, shape: Shape) -> Iterator[Finding]:
    """Tell of a key that SQLite gives again: the number of the last row is that of the next one once it is removed."""
    if connection.dialect.name != "sqlite" or not shape.key_drawn or shape.key.has_default:
        return
    told = [sql for kind, sql in _catalogued(connection, shape) if kind == "table"]
    if told and _AUTOINCREMENT.search(told[0]) is None:
        message = (
            f"whoever is inserted after the last row was removed gets its {shape.key.name!r}: if both happen between two "
            "reads, somebody is asked who it is, or it is taken for an edit where no name is mapped; declare the key AUTOINCREMENT"
        )
        yield Finding(level="note", message=message)


def _stamp_findings(connection: Connection, rows: Rows) -> Iterator[Finding]:
    stamp = rows.shape.updated_at
    if stamp is None:
        yield Finding(level="note", message="without `updated_at` every read lists the whole table")
        return
    if stamp.name not in rows.shape.indexed:
        message = f"column {stamp.name!r} has no index: each poll searches the whole table; add one"
        yield Finding(level="warning", message=message)
    column = rows.table.c[stamp.name]
    if tuples(connection, sa.select(rows.key).select_from(rows.table).where(column.is_(None)).limit(1)):
        message = f"some rows have no {stamp.name!r}: changes to them are seen at the next sweep only"
        yield Finding(level="warning", message=message)


def _create_findings(shape: Shape, spec: Spec) -> Iterator[Finding]:
    mapped = {column.name for column in shape.paths.values()} | {shape.key.name}
    mapped |= {column.name for column in (shape.updated_at,) if column is not None}
    missing = [name for name, column in shape.columns.items() if column.required and name not in mapped]
    if missing:
        message = f"no row can be created: {', '.join(missing)} may not be blank, have no default and are not mapped"
        yield Finding(level="warning", message=message)
    if not spec.update:
        yield Finding(level="warning", message=_ONLY_READ)
    if not spec.create and spec.update:
        message = (
            "no row can be created: the account may not insert, the view takes no new rows, "
            "or the key column is too small for a drawn key"
        )
        yield Finding(level="warning", message=message)
