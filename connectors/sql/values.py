"""What a column holds as plain JSON data, and back.

Knows types; knows no rows and no SQL. Hard rule: a value that the column cannot hold as it is is refused, not bent.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "date", "moment", "time", "uuid", "plain", "binary"]
"""plain: arrays, JSON and what else the driver reads by itself; only read. binary: not offered."""

_KINDS: Final[tuple[tuple[type[sa.types.TypeEngine[Any]], Kind], ...]] = (
    (sa.types.Boolean, "boolean"),
    (sa.types.DateTime, "moment"),
    (sa.types.Date, "date"),
    (sa.types.Time, "time"),
    (sa.types.Integer, "integer"),
    (sa.types.Numeric, "number"),
    (sa.types.Float, "number"),
    (sa.types.Uuid, "uuid"),
    (sa.types._Binary, "binary"),  # noqa: SLF001  the only common base of BLOB and BYTEA
    (sa.types.String, "text"),
    (sa.types.NullType, "text"),
)
_BITS: Final = ((sa.types.BigInteger, 63), (sa.types.SmallInteger, 15))
_WORDS: Final = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, as far as reading and writing it depends on it."""

    name: str
    kind: Kind
    nullable: bool
    has_default: bool
    generated: bool = False
    max_length: int | None = None
    bits: int = 63
    aware: bool = False
    """A moment with a time zone."""
    typed: bool = True
    """The driver takes dates, numbers and booleans as such (SQLite takes text and numbers only)."""

    @property
    def required(self) -> bool:
        return not self.nullable and not self.has_default


def kind_of(type_: sa.types.TypeEngine[Any]) -> Kind:
    return next((kind for known, kind in _KINDS if isinstance(type_, known)), "plain")


def bits_of(type_: sa.types.TypeEngine[Any], *, loose: bool) -> int:
    """Tell how large a whole number may be; SQLite's are all of 64 bits."""
    return 63 if loose else next((bits for known, bits in _BITS if isinstance(type_, known)), 31)


def readable(column: Column) -> Callable[[Any], Any] | None:
    """Give what turns a value of the driver into plain data; None where it is plain already."""
    if column.kind == "boolean" and not column.typed:
        return lambda value: bool(value) if value in {0, 1} else value
    return plain if column.typed and column.kind not in {"text", "integer", "boolean"} else None


def plain(value: Any) -> Any:
    """Turn what a driver gives into plain data, whatever it is; raise ValueError for bytes."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple() | set():
            return [plain(part) for part in value]
        case dict():
            return {str(name): plain(part) for name, part in value.items()}
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            raise ValueError("bytes")
        case _:
            return str(value)


def writable(column: Column, value: Any) -> Any:
    """Turn plain data into what the column takes; raise ValueError with the reason, without the value."""
    if value is None:
        if column.nullable:
            return None
        if column.kind == "text" and column.has_default:
            return ""
        raise ValueError("may not be blank")
    if isinstance(value, list | dict) or column.kind not in _WRITERS:
        raise ValueError("does not take this kind of value")
    try:
        return _WRITERS[column.kind](column, value)
    except (InvalidOperation, OverflowError):
        raise ValueError("is not a number this column takes") from None


def _text(column: Column, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if column.max_length is not None and len(text) > column.max_length:
        raise ValueError(f"is longer than {column.max_length} characters")
    if "\0" in text:
        raise ValueError("holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not Unicode text") from None
    return text


def _integer(column: Column, value: Any) -> int:
    number = Decimal(str(int(value) if isinstance(value, bool) else value).strip())
    if not number.is_finite() or number != number.to_integral_value():
        raise ValueError("is not a whole number")
    if not -(1 << column.bits) <= number < 1 << column.bits:
        raise ValueError("is too large a number")
    return int(number)


def _number(column: Column, value: Any) -> Any:
    number = Decimal(str(int(value) if isinstance(value, bool) else value).strip())
    if not number.is_finite():
        raise ValueError("is not a number")
    return number if column.typed else str(number)


def _boolean(column: Column, value: Any) -> Any:
    word = _WORDS.get(str(value).strip().lower())
    if word is None:
        raise ValueError("is neither yes nor no")
    return word if column.typed else int(word)


def _date(column: Column, value: Any) -> Any:
    moment = _moment_of(value)
    if moment.time() != time():
        raise ValueError("has a time of day")
    return moment.date() if column.typed else moment.date().isoformat()


def _moment(column: Column, value: Any) -> Any:
    moment = _moment_of(value)
    if column.aware:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment if column.typed else moment.isoformat(" ")


def _moment_of(value: Any) -> datetime:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("is not a date as ISO 8601 writes it")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date as ISO 8601 writes it") from None


def _time(column: Column, value: Any) -> Any:
    try:
        clock = time.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is not a time as ISO 8601 writes it") from None
    return clock if column.typed else clock.isoformat()


def _uuid(column: Column, value: Any) -> Any:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise ValueError("is not a UUID") from None


_WRITERS: Final[dict[Kind, Callable[[Column, Any], Any]]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "moment": _moment,
    "time": _time,
    "uuid": _uuid,
}
