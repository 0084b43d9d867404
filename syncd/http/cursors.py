"""Cursors of reads as text: what was read up to when. Pure; a cursor that we did not make is None, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

VERSION: Final = 1
_LONGEST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Up to where one stream was read: a point in time (microseconds), or the vendor's own token."""

    since_us: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where the next read begins."""

    changes: Mark
    deleted: Mark = Mark()
    deleted_at_us: int = 0
    at_us: int = 0
    """The vendor's clock when it was made."""
    streams: Mapping[str, Mark] = field(default_factory=dict)

    def text(self) -> str:
        doc: dict[str, Any] = {
            "v": VERSION,
            "c": [self.changes.since_us, self.changes.token],
            "d": [self.deleted.since_us, self.deleted.token, self.deleted_at_us],
            "at": self.at_us,
        }
        if self.streams:
            doc["s"] = {name: [mark.since_us, mark.token] for name, mark in self.streams.items()}
        return orjson.dumps(doc).decode()


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor; None where it is none of ours."""
    if len(text) > _LONGEST:
        return None
    try:
        doc = orjson.loads(text)
    except ValueError:
        return None
    if not isinstance(doc, dict) or doc.get("v") != VERSION or not _is_time(doc.get("at")):
        return None
    changes: Any = doc.get("c")
    deleted: Any = doc.get("d")
    if not (_is_mark(changes, 2) and _is_mark(deleted, 3) and _is_time(deleted[2])):
        return None
    streams = doc.get("s", {})
    if not isinstance(streams, dict) or not all(_is_mark(each, 2) for each in streams.values()):
        return None
    return Cursor(
        streams={name: Mark(since_us=each[0], token=each[1]) for name, each in streams.items()},
        changes=Mark(since_us=changes[0], token=changes[1]),
        deleted=Mark(since_us=deleted[0], token=deleted[1]),
        deleted_at_us=deleted[2],
        at_us=doc["at"],
    )


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 60


def _is_mark(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length and _is_time(value[0]) and isinstance(value[1], str)
