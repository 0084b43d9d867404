"""How times, schedules, limits and addresses are written. Pure functions from a text to its meaning.

Each raises ValueError that says what was expected, and never repeats the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from syncd.config.secrets import Reference, has_password, reference
from syncd.config.stores import KNOWN, SCHEME
from syncd.core.plan import Limit

DURATION: Final = "[0-9]{1,9}(?:ms|s|m|h|d)"
_PERCENT: Final = r"[0-9]{1,3}(?:\.[0-9]{1,4})?\s*%"
LIMIT: Final = rf"max\(\s*[0-9]{{1,9}}\s*,\s*{_PERCENT}\s*\)|[0-9]{{1,9}}|{_PERCENT}"
CRON: Final = "[0-9A-Za-z*,/ -]{1,200}"

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Read a duration such as 60s (DURATION)."""
    number = text.rstrip("msdh")
    return float(int(number) * _SECONDS[text[len(number) :]])


def interval(text: str) -> float:
    """Read a duration of at least a second."""
    if (length := seconds(text)) < 1:
        raise ValueError("expected at least 1s")
    return length


def limit(text: str) -> Limit | None:
    """Read a guard such as `max(50, 5%)` (LIMIT), or `none`."""
    if text == "none":
        return None
    absolute = re.search(r"(?:^|\()\s*([0-9]+)\s*(?:,|$)", text)
    percent = re.search(r"([0-9.]+)\s*%", text)
    if percent and float(percent[1]) > 100:
        raise ValueError("expected at most 100%")
    return Limit(absolute=int(absolute[1]) if absolute else 0, percent=float(percent[1]) if percent else 0.0)


_CRON_FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())),
    ("weekday", 0, 7, tuple("sun mon tue wed thu fri sat".split())),
)


def cron(text: str) -> str:
    """Read five cron fields (CRON). Weekdays come back by name: 0 is Sunday for cron and Monday for APScheduler."""
    parts, numbers = text.lower().split(), cron_numbers(text)
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError("give a day of the month or a weekday, not both: schedulers disagree on what both mean")
    if parts[4] != "*":
        days = _CRON_FIELDS[4][3]
        parts[4] = ",".join(days[day] for day in sorted(numbers[4]))
    return " ".join(parts)


@lru_cache(maxsize=256)
def cron_numbers(text: str) -> tuple[frozenset[int], ...]:
    """Return the numbers that each of the five cron fields stands for; 0 is Sunday. Raises ValueError.

    Kept, because every pass asks whether a sweep is due.
    """
    parts = text.lower().split()
    if len(parts) != len(_CRON_FIELDS):
        raise ValueError('expected five cron fields: minute hour day month weekday, such as "0 3 * * *"')
    numbers: list[frozenset[int]] = []
    for part, (name, least, most, words) in zip(parts, _CRON_FIELDS, strict=True):
        found = [_cron_item(item, least, most, words) for item in part.split(",")]
        if not all(found):
            raise ValueError(
                f"the {name} of the cron text is not *, a number from {least} to {most}, a range or a list of them"
            )
        numbers.append(frozenset(number for item in found for number in item))
    return *numbers[:4], frozenset(number % 7 for number in numbers[4])


def _cron_item(item: str, least: int, most: int, words: tuple[str, ...]) -> range:
    """Return the numbers that one item of a cron field stands for; none if it is wrong."""
    span, slash, step = item.partition("/")
    ends = [str(least), str(most)] if span == "*" else span.split("-")
    ends = [str(words.index(end) + least) if end in words else end for end in ends]
    if len(ends) > 2 or not all(re.fullmatch("[0-9]{1,2}", part) for part in (*ends, step if slash else "1")):
        return range(0)
    first, last = int(ends[0]), most if slash and len(ends) == 1 else int(ends[-1])
    if first < least or last > most or (slash and int(step) == 0):
        return range(0)
    return range(first, last + 1, int(step) if slash else 1)


def url(text: str) -> str:
    """Read an address without a password in it."""
    if not re.match(r"[a-z][a-z0-9+.-]*://", text):
        raise ValueError("expected an address such as https://host/path or sqlite:///file.db")
    if has_password(text):
        raise ValueError("a password or token never stands in an address here; give it under secrets:, by reference")
    return text


def store(text: str) -> Reference:
    """Read the address of a store, or a reference to it."""
    if text.startswith(("env:", "file:", "cmd:")):
        return reference(text)
    if has_password(text):
        raise ValueError("a password never stands in an address here; write env:NAME and put the whole address there")
    if not SCHEME.match(text):
        raise ValueError(f"expected {KNOWN}, or env:NAME")
    return Reference(kind="plain", target=text)
