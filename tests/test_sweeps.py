"""When a sweep is due, moment by moment; what the daemon's scheduler says of it is compared in test_found_by_reviewers.py."""

from __future__ import annotations

from datetime import datetime

import pytest

from syncd.engine.sweeps import is_due


def ms(moment: str) -> int:
    """Give the moment at which the clock of this host shows this."""
    return int(datetime.fromisoformat(moment).astimezone().timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "since", "now", "due"),
    [
        ("30 4 * * *", "2026-06-10 04:29:59", "2026-06-10 04:30:00", True),  # it has come
        ("30 4 * * *", "2026-06-10 04:30:00", "2026-06-11 04:29:59", False),  # what was swept at that time is swept
        ("30 4 * * *", "2026-06-10 04:30:01", "2026-06-11 04:29:59", False),
        ("30 4 * * *", "2026-06-10 04:31:00", "2026-06-11 04:30:00", True),  # the next day
        ("0 3 1 * *", "2026-06-10 12:00:00", "2026-07-01 03:00:00", True),  # days between are passed over
        ("0 3 1 * *", "2026-06-10 12:00:00", "2026-07-01 02:59:59", False),
        ("0 3 1 9 *", "2026-06-10 12:00:00", "2026-08-31 12:00:00", False),
        ("0 3 1 9 *", "2026-06-10 12:00:00", "2026-09-01 12:00:00", True),
        ("0 3 * * 0", "2026-06-08 12:00:00", "2026-06-13 23:00:00", False),  # from Monday to Saturday
        ("0 3 * * 0", "2026-06-08 12:00:00", "2026-06-14 03:00:00", True),  # Sunday
        ("0 3 * * 1", "2026-06-08 12:00:00", "2026-06-14 23:00:00", False),
        ("0 3 * * 1", "2026-06-08 12:00:00", "2026-06-15 03:00:00", True),
        ("0 3 30 2 *", "2026-06-10 12:00:00", "2027-06-11 12:00:00", False),  # a day that there is not
        ("0 3 30 2 *", "2026-06-10 12:00:00", "2027-06-12 12:00:00", True),  # after a year and a day it is swept all the same
    ],
)  # fmt: skip
def test_a_sweep_is_due_once_its_time_has_come(cron: str, since: str, now: str, *, due: bool) -> None:
    assert is_due(cron, ms(since), ms(now)) is due
