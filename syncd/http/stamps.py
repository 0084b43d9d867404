"""Points in time as vendors write them, as whole microseconds since 1970 UTC, and back.

Pure; sees no clock. Finer than the rest of syncd (milliseconds), because a cursor that is rounded loses changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

SECOND: Final = 1_000_000
LATEST_US: Final = 253_402_300_800 * SECOND
"""The year 10000."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DATE: Final = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")


def moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _iso(us: int, spec: str) -> str:
    return moment(us).isoformat(timespec=spec)[:-6]


def _http_date(us: int) -> str:
    from email.utils import format_datetime

    return format_datetime(moment(us).replace(microsecond=0), usegmt=True)


FORMATS: Final[Mapping[str, Callable[[int], str]]] = {
    "rfc3339": lambda us: f"{_iso(us, 'microseconds')}Z",
    "rfc3339_ms": lambda us: f"{_iso(us, 'milliseconds')}Z",
    "rfc3339_s": lambda us: f"{_iso(us, 'seconds')}Z",
    "offset_s": lambda us: f"{_iso(us, 'seconds')}+00:00",
    "naive_s": lambda us: _iso(us, "seconds"),
    "unix": lambda us: str(us // SECOND),
    "unix_ms": lambda us: str(us // 1000),
    "date": lambda us: _iso(us, "seconds")[:10],
    "http_date": _http_date,
}
"""How a point in time is spelled in a request; it is always cut, never rounded up."""


def read_stamp(value: Any, spelled: str) -> int | None:
    """Read a stamp of a record, spelled as in requests or in ISO 8601; None where it is none, or out of all reason."""
    us = _stamp(value, spelled)
    return us if us is not None and 0 <= us < LATEST_US else None


def _stamp(value: Any, spelled: str) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value * (1000 if spelled == "unix_ms" else SECOND)) if abs(value) < LATEST_US else None
    if not isinstance(value, str):
        return None
    if value.startswith("/") and (match := _MS_DATE.fullmatch(value)):
        return int(match[1]) * 1000
    if spelled in {"unix", "unix_ms"} and value.isdecimal() and value.isascii() and len(value) < 18:
        return int(value) * (1000 if spelled == "unix_ms" else SECOND)
    return read_iso(value)


def read_iso(text: str) -> int | None:
    """Read ISO 8601; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text.strip())  # cuts what is finer than a microsecond
    except ValueError:
        return None
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def iso_text(us: int) -> str:
    """Spell a point in time as syncd's fields do."""
    return f"{_iso(us, 'seconds')}Z" if us % SECOND == 0 else f"{_iso(us, 'milliseconds')}Z"
