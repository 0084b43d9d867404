"""What every field type is made of: `FieldType`, `Invalid`, and text read into one clean spelling.

Must not know which types there are, nor apps or settings. Hard rule: reading never raises, whatever JSON holds,
and never guesses: what cannot be read is `Invalid`, with a reason that shows nothing of the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Literal, TypeAlias
from unicodedata import is_normalized, normalize

from syncd.model import Raw, Value

Key: TypeAlias = str | tuple[object, ...]
Certainty: TypeAlias = Literal["written", "plain", "assumed"]
"""What a raw value says of its meaning: all of it; nothing in particular; or part of it was assumed in reading."""

VALUE_BYTES_MAX: Final = 64 * 1024
SHORT_CHARS: Final = VALUE_BYTES_MAX // 4
"""A text of so many characters is never too long: UTF-8 takes four bytes at most."""

BLANK_WORDS: Final = frozenset({"", "n/a", "n.a.", "#n/a", "-", "--", ".", "?", "null", "none"})
"""What people and exports write into a cell that is empty, lower case. Used where no name or tag can look like it."""
BLANK_NAMES: Final = frozenset({"", "n/a", "-", ".", "?"})
"""The same for names: there are people called None and Null."""
BLANK_DAYS: Final = frozenset({"0000-00-00", "0001-01-01"})
"""MySQL's zero date and the day of .NET's DateTime.MinValue: what stands for "no date", besides BLANK_WORDS."""
EMPTY_ONLY: Final = frozenset({""})
_BLANK_CHARS_MAX: Final = max(map(len, BLANK_WORDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """A raw value that its type cannot read. It is flagged and kept where it is, never spread, never a blank."""

    reason: str
    """For people; says nothing of the value itself."""


def never(raw: Raw, value: Any) -> bool:
    """Complete nothing: a value of most types says all of itself."""
    return False


def nothing_assumed(raw: Raw) -> Certainty:
    """Say nothing in particular: most types have nothing to assume."""
    return "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """A kind of value: its canonical form and when two values are the same.

    `parse(render(value))` is `value`; parsing what was parsed changes nothing; neither raises.
    """

    name: str
    parse: Callable[[Raw], Value | Invalid]
    """Read what an app holds: a value, `None` if it is blank, or `Invalid`."""
    key: Callable[[Any], Key]
    """Two values of this type are the same exactly if their keys are equal. Not asked about blanks."""
    render: Callable[[Any], Raw]
    """Write a value for an app that says nothing of its own about it."""
    certainty: Callable[[Raw], Certainty] = nothing_assumed
    """Say whether part of the value that was read from this is assumed."""
    completes: Callable[[Raw, Any], bool] = never
    """Say whether a value is what a raw one says, and more: the same number, with its country."""


TOO_LONG: Final = Invalid(reason="longer than 64 KiB")
BROKEN_UNICODE: Final = Invalid(reason="holds half of a character (a lone surrogate)")
NOT_TEXT: Final = Invalid(reason="a list or an object where one value belongs")
NOT_FINITE: Final = Invalid(reason="not a finite number")

# Invisible characters that only confuse comparison, search and display: controls except white space, soft hyphen,
# zero-width spaces, byte order marks, direction marks and overrides, and their deprecated kin (Unicode 23.2-23.8).
_INVISIBLE = dict.fromkeys(
    [
        *(code for code in range(0x20) if not chr(code).isspace()),
        *(code for code in range(0x7F, 0xA0) if not chr(code).isspace()),
        *(0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFFF9, 0xFFFC),
    ]
)
_JOINERS = dict.fromkeys([0x200C, 0x200D])
_LATIN = "\x00-\u036f"
# Zero-width joiners spell words in Persian and the scripts of India, and families in emoji: those stay. Their neighbours
# stand above Latin and its accents, where composing (NFC) never leads below.
_STRAY_JOINER = re.compile(rf"(?<![^{_LATIN}\u200c\u200d\s])[\u200c\u200d]|[\u200c\u200d](?![^{_LATIN}\u200c\u200d\s])")


def read_line(raw: Raw, blanks: frozenset[str] = BLANK_WORDS) -> str | Invalid | None:
    """Read one line of text: composed (NFC), trimmed, single spaces, nothing invisible; `None` if it is blank.

    Numbers are read as they are written, so that an app which stores a postal code as a number loses nothing here.
    """
    if type(raw) is str:
        if (
            0 < len(raw) <= SHORT_CHARS
            and raw.isprintable()  # so the only white space in it is U+0020, and no surrogates, controls, joiners
            and (raw.isascii() or is_normalized("NFC", raw))
            and raw[0] != " " != raw[-1]
            and "  " not in raw
        ):
            return None if len(raw) <= _BLANK_CHARS_MAX and raw.lower() in blanks else raw
    elif raw is None:
        return None
    text = as_text(raw)
    return text if isinstance(text, Invalid) else _settled(one_line(text), blanks)


def read_lines(raw: Raw, blanks: frozenset[str] = BLANK_WORDS) -> str | Invalid | None:
    r"""Read text of several lines: as `read_line`, but lines end with `\n` and keep the spaces within them."""
    plain = type(raw) is str and 0 < len(raw) <= SHORT_CHARS and raw.isascii() and raw.isprintable()
    if plain and raw[0] != " " != raw[-1]:
        return None if len(raw) <= _BLANK_CHARS_MAX and raw.lower() in blanks else raw
    text = as_text(raw)
    if isinstance(text, Invalid) or text == "":
        return text or None
    if not (text.isascii() and text.isprintable()):
        lines = visible(text).splitlines()
        text = "\n".join([re.sub(r"[^\S\t]", " ", line).rstrip() for line in lines])
    return _settled(text.strip(), blanks)


def as_text(raw: Raw) -> str | Invalid:
    """Spell any single JSON value as the text that people would type; a blank is the empty text."""
    spell = _SPELLINGS.get(type(raw))
    return NOT_TEXT if spell is None else spell(raw)


def too_long(text: str) -> bool:
    return len(text) > SHORT_CHARS and len(text.encode("utf-8", "surrogatepass")) > VALUE_BYTES_MAX


def visible(text: str) -> str:
    """Compose a text and take out what nobody can see."""
    if text.isascii():
        return text if text.isprintable() else text.translate(_INVISIBLE)
    text = normalize("NFC", text.translate(_INVISIBLE))
    return normalize("NFC", _STRAY_JOINER.sub("", text))


def one_line(text: str) -> str:
    """Make a text visible, and each run of white space in it one space."""
    return " ".join(visible(text).split())


def fold(text: str) -> str:
    """Give the form under which texts that differ by letter case, or by invisible joiners, are equal."""
    folded = text.casefold()
    return folded if folded.isascii() else without_joiners(folded)


def without_joiners(text: str) -> str:
    """Take out zero-width joiners: what apps lose first, so never the only difference between two values."""
    return text if text.isprintable() else normalize("NFC", text.translate(_JOINERS))


def same(value: Any) -> Any:
    return value


def _settled(text: str, blanks: frozenset[str]) -> str | Invalid | None:
    if len(text) <= _BLANK_CHARS_MAX and text.lower() in blanks:
        return None
    return TOO_LONG if too_long(text) else text


def _of_str(raw: str) -> str | Invalid:
    if raw.isascii():
        return raw if len(raw) <= VALUE_BYTES_MAX else TOO_LONG
    try:
        return TOO_LONG if len(raw.encode()) > VALUE_BYTES_MAX else raw
    except UnicodeEncodeError:
        return BROKEN_UNICODE


def _of_int(raw: int) -> str | Invalid:
    return str(raw) if raw.bit_length() <= 4096 else Invalid(reason="a number of more than a thousand digits")


def _of_float(raw: float) -> str | Invalid:
    if not isfinite(raw):
        return NOT_FINITE
    text = repr(raw) if "e" not in repr(raw) else format(Decimal(repr(raw)), "f")
    return text.removesuffix(".0") if raw else "0"


def _of_bool(raw: bool) -> str:
    return "true" if raw else "false"


def _of_none(raw: None) -> str:
    return ""


_SPELLINGS: Final[dict[type, Callable[[Any], str | Invalid]]] = {
    str: _of_str,
    int: _of_int,
    float: _of_float,
    bool: _of_bool,
    type(None): _of_none,
}
