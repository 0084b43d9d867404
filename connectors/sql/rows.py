"""From the driver's rows to records, and the statements that fetch them.

Knows statements and tuples; decides nothing. Hard rule: two reads of an unchanged row give the same record, whichever
statement fetched it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from syncd.model import Record

from .shape import Shape
from .stamps import Stamps
from .values import plain, readable, writable

KEYS_MAX: Final = 500
"""Keys in one statement: SQLite allows 999 values in old versions."""
KEYS_BYTES_MAX: Final = 4 << 20
"""Keys in memory while their rows are fetched."""
UNASKABLE: Final = (
    "its key is of another type than the key column asks for, so the row cannot be found by it; "
    "use a TEXT or INTEGER key and store keys as such"
)
_KEY_TYPES: Final = {"text": str, "integer": int}
"""What a key of this kind is as the driver gives it; such a key is found again as it is."""
_NOT_DELETED: Final = {"", "0", "f", "false", "n", "no"}


class Rows:
    """Select rows of one table and turn them into records. Columns carry no types: values come as stored."""

    def __init__(self, shape: Shape, stamps: Stamps | None) -> None:
        self.shape, self.stamps = shape, stamps
        self.table = sa.table(shape.name, *map(sa.column, shape.columns), schema=shape.schema)
        self.key: ColumnElement[Any] = self.table.c[shape.key.name]
        self._names = tuple(shape.paths)
        self._width = len(self._names)
        self._readers = [
            (index, read) for index, column in enumerate(shape.paths.values()) if (read := readable(column)) is not None
        ]
        self._key_type = _KEY_TYPES.get(shape.key.kind)
        # The lengths that SQLite's columns declare bind nobody.
        self._key = shape.key if shape.key.typed else replace(shape.key, max_length=None)
        self._seed = hashlib.blake2b("\0".join(self._names).encode(), digest_size=8)
        columns = [self.table.c[column.name] for column in shape.paths.values()]
        deleted = [self.table.c[shape.deleted.name]] if shape.deleted is not None else []
        self._flag = self._width + 1 if deleted else None
        # Labels: one column may be a field, the key and the stamp at once.
        wanted = [column.label(f"f{index}") for index, column in enumerate([*columns, self.key, *deleted])]
        named = self.key.is_not(None)  # SQLite has rows without a key: nothing tells them apart
        self.select = sa.select(*wanted).select_from(self.table).where(named)
        self.keys = sa.select(self.key.label("key")).select_from(self.table).where(named)
        self.count = sa.select(sa.func.count().label("total")).select_from(self.table)
        self.by_keys = self.select.where(self.key.in_(sa.bindparam("keys", expanding=True)))

    @property
    def deletion(self) -> Any:
        """What is written into the column that marks a row as deleted."""
        flag = self.shape.deleted
        assert flag is not None
        if flag.kind == "boolean" and flag.typed:
            return sa.true()
        if flag.kind in {"boolean", "integer", "number"}:
            return sa.literal_column("1")
        return Stamps(flag, "postgresql" if flag.typed else "sqlite", None).now

    def key_of(self, row: Sequence[Any]) -> Any:
        """Give the key as the driver gave it."""
        return row[self._width]

    def deleted(self, row: Sequence[Any]) -> bool:
        if self._flag is None:
            return False
        flag = row[self._flag]
        return str(flag).strip().lower() not in _NOT_DELETED if isinstance(flag, str | int) else flag is not None

    def record(self, row: Sequence[Any]) -> Record:
        """Make the record; on the hot path nothing but these lines runs for a row."""
        key = row[self._width]
        if type(key) is not self._key_type and not self.askable(key):
            return Record(id=str(key), fields={}, problem=UNASKABLE)
        values: Sequence[Any] = row[: self._width]
        if self._readers:
            values = list(values)
            for index, read in self._readers:
                if values[index] is not None:
                    values[index] = read(values[index])
        try:
            told = orjson.dumps(values)
        except TypeError:
            return self._odd_record(row)
        fields = dict(zip(self._names, values, strict=True))
        if b'""' in told:
            fields = {name: None if value == "" else value for name, value in fields.items()}
        digest = self._seed.copy()
        digest.update(told)
        return Record(id=str(row[self._width]), fields=fields, version=digest.hexdigest())

    def records(self, rows: Iterable[Sequence[Any]]) -> dict[str, Record]:
        """Make records by id, without deleted rows; a key that two rows have names neither."""
        found: dict[str, Record] = {}
        for row in rows:
            if self.deleted(row):
                continue
            record = self.record(row)
            if record.id in found:
                record = Record(id=record.id, fields={}, problem="two rows have this key; make the column unique")
            found[record.id] = record
        return found

    def fetch(self, connection: Connection, keys: Sequence[Any], *, lock: bool = False) -> list[Sequence[Any]]:
        """Select the rows with these keys, deleted ones too."""
        select = self.by_keys.with_for_update() if lock else self.by_keys
        rows: list[Sequence[Any]] = []
        for start in range(0, len(keys), KEYS_MAX):
            rows += tuples(connection, select, {"keys": keys[start : start + KEYS_MAX]})
        return rows

    def key_value(self, id_: str) -> Any:
        """Turn an id into what the key column takes; None for an id that no row here can have."""
        key = self._key
        if key.kind == "text" and len(id_) <= (key.max_length or len(id_)) and id_.isprintable():
            return id_
        try:
            value = writable(key, id_)
        except ValueError:
            return None
        return value if str(value) == id_ else None

    def askable(self, key: Any) -> bool:
        """Say whether a key as the driver gave it leads back to its row: SQLite holds anything in any column."""
        value = self.key_value(str(key))
        return value is not None and (self._key.typed or (type(value), value) == (type(key), key))

    def _odd_record(self, row: Sequence[Any]) -> Record:
        """What is no plain data: bytes leave their field unknown; text that is not text spoils the row."""
        fields: dict[str, Any] = {}
        readers = dict(self._readers)
        for index, (name, value) in enumerate(zip(self._names, row[: self._width], strict=True)):
            try:
                if isinstance(value, str):
                    value.encode()
                read = readers.get(index)
                fields[name] = plain(read(value) if read is not None and value is not None else value)
            except UnicodeEncodeError:
                return Record(id=str(row[self._width]), fields={}, problem=f"field {name} is not Unicode text")
            except ValueError:
                continue
        fields = {name: None if value == "" else value for name, value in fields.items()}
        digest = self._seed.copy()
        digest.update(repr(sorted(fields.items())).encode())
        return Record(id=str(row[self._width]), fields=fields, version=digest.hexdigest())


def tuples(connection: Connection, statement: sa.Executable, values: dict[str, Any] | None = None) -> list[Any]:
    """Run a select and give plain tuples."""
    try:
        return list(map(tuple, connection.execute(statement, values or {}).fetchall()))
    except exc.OperationalError as error:
        if "decode to UTF-8" not in str(error.orig):
            raise
    # One cell of this SQLite file is no text. Read again, so that it costs its own row only.
    driver: Any = connection.connection.dbapi_connection
    driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return list(map(tuple, connection.execute(statement, values or {}).fetchall()))


def noted_keys(connection: Connection, statement: sa.Executable, size: int) -> Iterator[list[Any]]:
    """Run a select of keys to its end, then give them in lists; many of them wait in a file, not in memory."""
    with tempfile.SpooledTemporaryFile(max_size=KEYS_BYTES_MAX) as notes:
        for part in connection.execute(statement, execution_options={"stream_results": True}).partitions(size):
            notes.write(orjson.dumps([row[0] for row in part], default=str) + b"\n")
        connection.rollback()
        notes.seek(0)
        for line in notes:
            yield orjson.loads(line)
