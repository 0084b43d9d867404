"""How a field travels: what the wire holds <-> plain JSON data as the hub's lenses read it.

Pure. Hard rules: blank is None and nothing else; a value that the wire cannot hold is refused (UnfitError).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from syncd.http.stamps import SECOND, iso_text, read_iso, read_stamp
from syncd.model import Raw

Read: TypeAlias = Callable[[Any], Raw]
Make: TypeAlias = Callable[[Raw], Any]


class UnfitError(ValueError):
    """The wire cannot hold this value; the text says what it can, and does not repeat the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value on the wire. `read` never fails: what is of another kind is given as it is, for the lens to flag."""

    read: Read
    make: Make


def _read_text(value: Any) -> Raw:
    if type(value) is str:
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _sound(value: Any) -> str:
    if not isinstance(value, str):
        raise UnfitError("the app holds a text here")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnfitError("half of a character (a lone surrogate)") from None
    return value


def _line(value: Any) -> str:
    text = _sound(value)
    if any(letter in text for letter in "\t\n\r\v\f"):
        raise UnfitError("the app holds a single line without tabs here")
    return text


def _read_texts(value: Any) -> Raw:
    if isinstance(value, list):
        return [each for each in value if each not in (None, "")] or None
    return value if value != "" else None


def _make_texts(value: Raw) -> Any:
    items = value if isinstance(value, list | tuple) else [value]
    return [_sound(each) for each in items]


def _read_number(value: Any) -> Raw:
    return value if value != "" else None


def _make_number(value: Raw) -> Any:
    if isinstance(value, str):
        try:
            value = float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            raise UnfitError("the app holds a number here") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitError("the app holds a number here")
    if not math.isfinite(value) or abs(value) >= 1 << 53:
        raise UnfitError("a number that JSON does not carry exactly")
    return value


def _make_numbers(value: Raw) -> Any:
    return [_make_number(each) for each in (value if isinstance(value, list | tuple) else [value])]


def _make_flag(value: Raw) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise UnfitError("the app holds true or false here")


def _read_object(value: Any) -> Raw:
    return value or None


def _make_object(value: Raw) -> Any:
    if not isinstance(value, dict):
        raise UnfitError("the app holds named texts here")
    return {_sound(key): _sound(each) for key, each in value.items()}


def _time(spelled: str) -> Kind:
    def read(value: Any) -> Raw:
        us = read_stamp(value, spelled)
        return (value if value != "" else None) if us is None else iso_text(us)

    def make(value: Raw) -> Any:
        us = read_iso(value) if isinstance(value, str) else None
        if us is None:
            raise UnfitError("the app holds a point in time here")
        return us // SECOND if spelled == "unix" else us // 1000

    return Kind(read=read, make=make)


def _read_digits(value: Any) -> Raw:
    text = _read_text(value)
    return f"+{text}" if isinstance(text, str) and text.isascii() and text.isdecimal() else text


TIME: Final = _time("rfc3339")
"""A point in time as ISO 8601, or as some vendors spell one in JSON."""
KINDS: Final[dict[str, Kind]] = {
    "text": Kind(read=_read_text, make=_sound),
    "line": Kind(read=_read_text, make=_line),
    "digits": Kind(read=_read_digits, make=_sound),
    "number": Kind(read=_read_number, make=_make_number),
    "boolean": Kind(read=_read_number, make=_make_flag),
    "texts": Kind(read=_read_texts, make=_make_texts),
    "numbers": Kind(read=_read_texts, make=_make_numbers),
    "object": Kind(read=_read_object, make=_make_object),
    "unix": _time("unix"),
    "unix_ms": _time("unix_ms"),
}
"""joined is made of texts: see `joined`."""


def joined(separator: str) -> Kind:
    """A list in one text."""

    def read(value: Any) -> Raw:
        if not isinstance(value, str):
            return _read_texts(value)
        return [part.strip() for part in value.split(separator) if part.strip()] or None

    def make(value: Raw) -> Any:
        if isinstance(value, str):  # of an app that holds single texts, where lists come joined
            value = [part.strip() for part in value.split(separator) if part.strip()]
        parts = _make_texts(value)
        if any(separator in part for part in parts):
            raise UnfitError("a part holds the character that stands between parts")
        return separator.join(parts)

    return Kind(read=read, make=make)


def chosen(kind: Kind, words: Collection[Raw]) -> Kind:
    """One of several options, or several of them, that travel as `kind`; what is no option is refused as that.

    One that was made since is a mere number to us: it is shown as nothing that could be taken for a value.
    """

    def read(value: Any) -> Raw:
        raw = kind.read(value)
        known = raw is None or all(each in words for each in (raw if isinstance(raw, list) else [raw]))
        return raw if known else {"no option that we know": raw}

    def make(value: Raw) -> Any:
        try:
            return kind.make(value)
        except UnfitError:
            raise UnfitError("no option that this field has there") from None

    return Kind(read=read, make=make)


KINDS["joined"] = joined(";")
