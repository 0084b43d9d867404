"""Sweeps: when everything that an app holds is to be compared, for runs that no scheduler has begun.

Reads the same cron text as the daemon's scheduler, which is too dear to be loaded for a run that may find nothing to do.
Hard rule: no clock; whoever asks says what time it is.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from syncd.config.notations import cron_numbers

DAYS_MAX: Final = 366
"""Whoever was not compared for so long is due."""


def is_due(cron: str, since_ms: int, now_ms: int) -> bool:
    """Say whether a time of this cron text, on the clock of this host, came after one moment and has come by another."""
    minutes, hours, days, months, weekdays = cron_numbers(cron)
    since, now = _local(since_ms), _local(now_ms)
    if (now - since).days > DAYS_MAX:
        return True
    for ahead in range((now.date() - since.date()).days + 1):
        day = since.date() + timedelta(days=ahead)
        if day.day not in days or day.month not in months or day.isoweekday() % 7 not in weekdays:
            continue
        moments = (datetime.combine(day, time(hour, minute)) for hour in hours for minute in minutes)
        if any(since < moment <= now for moment in moments):
            return True
    return False


def _local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().replace(tzinfo=None)
