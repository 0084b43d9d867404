"""The time, as commands tell it to the rest."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Tell the time, in milliseconds UTC."""
    return time.time_ns() // 1_000_000
