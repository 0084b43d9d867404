"""The column with the time of the last change: compared, set, and turned into a cursor that loses nothing.

A row is visible at the latest `overlap` seconds after it was stamped. The clock that stamps need not be the database's:
it may be local time or an application's, so it is never asked what time it is. A cursor holds a time that the stamping
clock had reached (`at`), and the database's time of that moment (`now`): later it has moved on by as much as the
database's has. Stamps in the future say nothing about either.
Hard rule: a cursor is never ahead of the clock that stamps.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from .values import Column

Shape: TypeAlias = Literal["aware", "naive", "date", "number", "text"]

_DIGITS: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  all times here are the digits that stand in the column


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far changes were read."""

    at: datetime
    now: datetime

    def moved_on(self, now: datetime, newest: datetime | None) -> Mark:
        """Give the mark after a read at `now` whose newest stamp, of those not in the future, was `newest`."""
        at = self.at + max(now - self.now, timedelta())
        return Mark(at=min(max(at, newest or at), now), now=now)


def cursor_of(mark: Mark | None, signature: str, rows: int) -> str:
    """Spell a cursor. `rows`: how many the table had at this read."""
    told: dict[str, Any] = {"v": 1, "table": signature, "at": None, "now": None, "rows": rows}
    if mark is not None:
        told |= {"at": mark.at.isoformat(), "now": mark.now.isoformat()}
    return json.dumps(told)


def mark_of(cursor: str, signature: str) -> Mark | None:
    """Read a cursor; None where it tells of no stamp, or is none of this table as it is read now."""
    try:
        told = json.loads(cursor)
        if (told["v"], told["table"]) != (1, signature) or told["at"] is None:
            return None
        return Mark(at=datetime.fromisoformat(told["at"]), now=datetime.fromisoformat(told["now"]))
    except (ValueError, LookupError, TypeError):
        return None


def rows_of(cursor: str) -> int:
    """Tell how many rows the table had when they were last counted; 0 where the cursor does not say."""
    return int(json.loads(cursor).get("rows") or 0)


class Stamps:
    """How one such column is read, bounded and set in one dialect."""

    def __init__(self, column: Column, dialect: str, sample: Any) -> None:
        self.column: ColumnElement[Any] = sa.column(column.name)
        self._dialect, self._whole = dialect, column.kind == "integer"
        self._shape = _shape_of(column, dialect, sample)
        self._unit = _unit_of(_number(sample) or 0)
        self._text = _text_format(sample)
        self.clock = self._clock()
        self.now = self._now()
        self.limit = self._limit()

    def read(self, value: Any) -> datetime | None:
        """Give the digits of a stamp as a time; None for what is none."""
        if value is None:
            return None
        if self._shape == "number" and (number := _number(value)) is not None:
            try:
                return _EPOCH + timedelta(seconds=number / _unit_of(number))
            except OverflowError:
                return None
        match = _DIGITS.match(str(value))
        if match is None:
            return None
        year, month, day, hour, minute, second, fraction = match.groups(default="0")
        try:
            return datetime(  # noqa: DTZ001
                int(year),
                int(month),
                int(day),
                int(hour),
                int(minute),
                min(int(second), 59),
                int(fraction.ljust(6, "0")),
            )
        except ValueError:
            return None

    def since(self, at: datetime, overlap_seconds: float) -> ColumnElement[bool]:
        """Give the condition of having been stamped so long before that time, or later."""
        at = (at - timedelta(seconds=overlap_seconds)).replace(microsecond=0)
        match self._shape:
            case "aware":
                return self.column >= sa.literal(at.isoformat(" ") + "+00:00", sa.types.NullType())
            case "naive":
                return self.column >= sa.literal(at.isoformat(" "), sa.types.NullType())
            case "date":
                return self.column >= sa.literal(at.date().isoformat(), sa.types.NullType())
            case "number":
                return self.column >= int((at - _EPOCH).total_seconds()) * self._unit
            case "text":
                # Some write `T` between date and time and some a space, which sorts before it, perhaps in one column.
                day = at.date().isoformat()
                low, t_low, t_high = (_literal(text) for text in (at.isoformat(" "), f"{day}T", at.isoformat("T")))
                return sa.and_(self.column >= low, sa.not_(sa.and_(self.column >= t_low, self.column < t_high)))

    def _clock(self) -> ColumnElement[Any]:
        """The database's clock, in the frame of the column where it has one."""
        if self._dialect == "sqlite":
            return sa.literal_column("strftime('%Y-%m-%d %H:%M:%f', 'now')")
        if self._dialect == "postgresql" and self._shape in {"aware", "number", "text"}:
            return sa.literal_column("CURRENT_TIMESTAMP")
        return sa.literal_column("LOCALTIMESTAMP" if self._dialect == "postgresql" else "CURRENT_TIMESTAMP")

    def _limit(self) -> ColumnElement[Any]:
        """Above what is stamped right now, whatever part of a second the column counts."""
        match self._shape:
            case "number":
                return self.now + self._unit
            case "text":
                return self.now.op("||")(sa.literal_column("'~'"))
        return self.now

    def _now(self) -> ColumnElement[Any]:
        """What is written into the column: the database's clock, spelled as the column is."""
        sqlite, unit = self._dialect == "sqlite", self._unit
        match self._shape:
            case "number" if sqlite:
                return sa.literal_column(f"CAST((julianday('now') - 2440587.5) * {86400 * unit} AS INTEGER)")
            case "number" if self._whole:
                return sa.literal_column(f"CAST(extract(epoch FROM clock_timestamp()) * {unit} AS bigint)")
            case "number":
                return sa.literal_column(f"extract(epoch FROM clock_timestamp()) * {unit}")
            case "text" if sqlite:
                return sa.literal_column(f"strftime('{self._text}', 'now')")
            case "text":
                return sa.literal_column(f"to_char(clock_timestamp() AT TIME ZONE 'UTC', '{_for_to_char(self._text)}')")
            case "date":
                return sa.literal_column("CURRENT_DATE")
        return sa.literal_column("clock_timestamp()" if self._dialect == "postgresql" else "CURRENT_TIMESTAMP")


def _literal(text: str) -> ColumnElement[Any]:
    return sa.literal(text, sa.types.NullType())


def _shape_of(column: Column, dialect: str, sample: Any) -> Shape:
    """SQLite takes anything anywhere: there the values say what they are."""
    if isinstance(sample, int | float) or column.kind in {"integer", "number"}:
        return "number"
    if dialect == "sqlite" or column.kind == "text":
        return "text"
    if column.kind == "date":
        return "date"
    return "aware" if column.aware else "naive"


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _unit_of(value: float) -> int:
    """Tell seconds from milli- and microseconds since 1970 by their size (11 digits of seconds are the year 5138)."""
    if abs(value) < 1e11:
        return 1
    return 1_000 if abs(value) < 1e14 else 1_000_000


def _text_format(sample: Any) -> str:
    """Spell new stamps like the newest one, as strftime of SQLite knows it: `2024-05-01 10:00:00` by default."""
    text = sample if isinstance(sample, str) and _DIGITS.match(sample) else "2024-05-01 10:00:00"
    if len(text) == 10:
        return "%Y-%m-%d"
    ending = "Z" if text.endswith("Z") else "+00:00" if re.search(r"[+-]\d\d:\d\d$", text) else ""
    return f"%Y-%m-%d{text[10]}%H:%M:{'%f' if '.' in text else '%S'}{ending}"


def _for_to_char(text: str) -> str:
    words = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%S": "SS", "%f": "SS.MS", "T": '"T"'}
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text
