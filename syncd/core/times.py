"""Dates and times: a day is a day wherever one stands, a moment is a moment in UTC.

Must not know the clock or any zone but UTC. Hard rule: a date is never converted through a time zone, so a birthday
never moves; what can be read in two ways is not read at all.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final, Literal, TypeAlias

from syncd.core.values import BLANK_DAYS, FieldType, Invalid, read_line, same
from syncd.model import Raw

Order: TypeAlias = Literal["dmy", "mdy"]

NO_DATE: Final = Invalid(reason="not a date")
NO_SUCH_DAY: Final = Invalid(reason="a date that is not in the calendar")
AMBIGUOUS: Final = Invalid(reason="a date whose day and month cannot be told apart; say `order: dmy` or `order: mdy`")
NO_TIME: Final = Invalid(reason="not a date with time")
OUT_OF_RANGE: Final = Invalid(reason="a time outside the years 1 to 9999")

_TIME = r"(?:[T ]\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?\s?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?"
_DATE = re.compile(
    rf"""(?P<y>\d{{4}})(?P<sep>[-/]?)(?P<m>\d\d)(?P=sep)(?P<d>\d\d){_TIME}   # ISO 8601, vCard, with or without a time
    | --(?P<ym>\d\d)-?(?P<yd>\d\d)                                          # vCard: no year (RFC 6350 4.3.1)
    | (?P<gd>\d{{1,2}})\.\s?(?P<gm>\d{{1,2}})\.\s?(?P<gy>\d{{4}}){_TIME}    # DIN 5008: day, month, year
    | (?P<a>\d{{1,2}})(?P<sep2>[-/])(?P<b>\d{{1,2}})(?P=sep2)(?P<by>\d{{4}}){_TIME}
    """,
    re.ASCII | re.VERBOSE | re.IGNORECASE,
)
_MOMENT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_CANONICAL = re.compile(r"[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SECONDS = re.compile(r"-?\d{9,17}(?:\.\d{1,9})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds would be beyond the year 5000 there, milliseconds before 1974: vendors send no contact of either.
_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))


def date_type(order: Order | None = None) -> FieldType:
    """Make the type of days; `order` says how 01/02/1980 is meant."""
    return FieldType(name="date", parse=partial(parse_date, order=order), key=same, render=same)


def parse_date(raw: Raw, *, order: Order | None = None) -> str | Invalid | None:
    """Read a day as YYYY-MM-DD, or --MM-DD where the year is not told. A time beside it is ignored, with its zone."""
    if type(raw) is str and len(raw) == 10 and raw[4] == "-" == raw[7] and raw[0] != "0":
        return raw if _is_day(raw) else NO_SUCH_DAY if _DATE.fullmatch(raw) else NO_DATE
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    match = _DATE.fullmatch(text)
    if match is None:
        return NO_DATE
    part = match.groupdict()
    if part["ym"]:
        return f"--{part['ym']}-{part['yd']}" if _is_day(f"2000-{part['ym']}-{part['yd']}") else NO_SUCH_DAY
    if part["y"]:
        day = f"{part['y']}-{part['m']}-{part['d']}"
    elif part["gy"]:
        day = f"{part['gy']}-{part['gm']:0>2}-{part['gd']:0>2}"
    else:
        first, second = f"{part['a']:0>2}", f"{part['b']:0>2}"
        if order is None and first != second and first <= "12" and second <= "12":
            return AMBIGUOUS
        day_first = order == "dmy" or (order is None and first > "12")
        day = f"{part['by']}-{second}-{first}" if day_first else f"{part['by']}-{first}-{second}"
    if day in BLANK_DAYS:
        return None
    return day if _is_day(day) else NO_SUCH_DAY


def parse_datetime(raw: Raw) -> str | Invalid | None:
    """Read a moment as ISO 8601 in UTC. Without a zone it is UTC; a number counts seconds, milli- or microseconds."""
    if type(raw) is str and len(raw) == 20 and _CANONICAL.fullmatch(raw) and _is_moment(raw):
        return raw
    if type(raw) in (int, float):
        return _since_1970(raw)
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    if _SECONDS.fullmatch(text):
        return _since_1970(float(text) if "." in text else int(text))
    match = _MOMENT.fullmatch(text)
    if match is None:
        return NO_TIME
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if f"{year}-{month}-{day}" in BLANK_DAYS:
        return None
    zone = "+00:00" if zone is None or zone[0] not in "+-" else zone
    moment = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '')[:6]:0<6}{zone}"
    try:
        return _spell(datetime.fromisoformat(moment).astimezone(UTC))
    except OverflowError:
        return OUT_OF_RANGE
    except ValueError:
        return NO_TIME


def _since_1970(count: float) -> str | Invalid | None:
    for limit, microseconds in _UNITS:
        if abs(count) < limit:
            try:
                return _spell(_EPOCH + timedelta(microseconds=count * microseconds))
            except OverflowError:
                return OUT_OF_RANGE
    return OUT_OF_RANGE


def _spell(moment: datetime) -> str | None:
    text = moment.replace(tzinfo=None).isoformat()
    if text[:10] in BLANK_DAYS:
        return None
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False


DATETIME: Final = FieldType(name="datetime", parse=parse_datetime, key=same, render=same)
