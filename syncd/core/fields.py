"""The types of field: how each reads what an app holds into one canonical form, and when two values are the same.

Knows the standard fields of DESIGN 4 by name; must not know apps, connectors or merging. Hard rule: `parse` is total
and settled: it never raises, and to read what was rendered gives the same value again.

A value is plain JSON data. `None` is blank; a field that an app did not offer never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from syncd.core.addresses import EMAIL, EMAILS, URL
from syncd.core.phones import phone_type
from syncd.core.places import COUNTRIES, COUNTRY, LANGUAGE
from syncd.core.scalars import BOOLEAN, CONSENT, NUMBER
from syncd.core.times import DATETIME, date_type
from syncd.core.values import (
    BLANK_NAMES,
    BLANK_WORDS,
    EMPTY_ONLY,
    TOO_LONG,
    VALUE_BYTES_MAX,
    FieldType,
    Invalid,
    as_text,
    fold,
    read_line,
    read_lines,
    same,
    too_long,
    visible,
    without_joiners,
)
from syncd.model import Raw

NO_CHOICE: Final = Invalid(reason="not one of the configured choices")
NO_MAP: Final = Invalid(reason="not an object of texts")
TWO_VALUES: Final = Invalid(reason="an object with two values under one name")

SEPARATORS: Final = ";,"
_TEXTS: Final = {str}
WORDS_CHARS: Final = 200
"""A set's text up to this length is remembered."""


# text, in its kinds


def parse_postal_code(raw: Raw) -> str | Invalid | None:
    """Read a postal code: capitals, single spaces; leading zeros stay."""
    text = read_line(raw)
    return visible(text.upper()) if isinstance(text, str) else text


def postal_code_key(value: str) -> str:
    """Give the code without its spaces and hyphens, which apps put and leave out: SW1A 1AA, 00-950."""
    return value.replace(" ", "").replace("-", "")


def lines_key(value: str) -> str:
    """Give the lines with single spaces, which is what editors of vendors leave of indentation."""
    if "\n" in value or "  " in value or "\t" in value:
        value = "\n".join([" ".join(line.split()) for line in value.split("\n")])
    return without_joiners(value)


def street_key(value: str) -> str:
    """Give the address on one line: apps join its lines by a line break, a comma or a space."""
    return without_joiners(" ".join(re.split(r"[\s,]+", value)).strip())


def text_type(*, multiline: bool = False) -> FieldType:
    """Make the type of text; of several lines it is that of notes."""
    return NOTES if multiline else TEXT


TEXT: Final = FieldType(name="text", parse=read_line, key=without_joiners, render=same)
NOTES: Final = FieldType(name="notes", parse=read_lines, key=lines_key, render=same)
NAME: Final = FieldType(name="name", parse=partial(read_line, blanks=BLANK_NAMES), key=without_joiners, render=same)
STREET: Final = FieldType(name="street", parse=read_lines, key=street_key, render=same)
POSTAL_CODE: Final = FieldType(name="postal_code", parse=parse_postal_code, key=postal_code_key, render=same)


# one of several, several of many


def choice_type(choices: Sequence[str] = ()) -> FieldType:
    """Make the type of one word of a list (or of any word, without one), whatever its letter case."""
    if not choices:
        return FieldType(name="choice", parse=read_line, key=fold, render=same)
    spellings: dict[str, str] = {}
    for choice in choices:
        text = read_line(choice, EMPTY_ONLY)
        if not isinstance(text, str):
            raise ValueError("a choice is a text that is not empty")  # noqa: TRY004 - one kind of error for options
        if spellings.setdefault(fold(text), text) != text:
            raise ValueError(f"two choices differ by letter case only: {spellings[fold(text)]!r}, {text!r}")

    def parse(raw: Raw) -> str | Invalid | None:
        text = read_line(raw, EMPTY_ONLY)
        if not isinstance(text, str):
            return text
        choice = spellings.get(fold(text))
        return choice or (None if text.lower() in BLANK_WORDS else NO_CHOICE)

    return FieldType(name="choice", parse=parse, key=fold, render=same)


def set_type(separator: str = SEPARATORS) -> FieldType:
    """Make the type of sets of text; `separator` holds the characters that part them where an app has only text."""
    if not separator or any(map(str.isalnum, separator)):
        raise ValueError("separator: one or more characters that are neither letters nor digits")
    split = re.compile(f"[{re.escape(separator)}]").split
    return FieldType(name="set", parse=partial(parse_set, split=split), key=set_key, render=list)


def parse_set(raw: Raw, *, split: Callable[[str], list[str]]) -> list[str] | Invalid | None:
    """Read a list, or a text with separators: each element once, where and as it is first spelled; `None` if empty."""
    if raw is None:
        return None
    if type(raw) is str and len(raw) <= WORDS_CHARS:
        words = _parse_words(raw, split)
        return list(words) if isinstance(words, tuple) else words
    if type(raw) is list and {*map(type, raw)} == _TEXTS and sum(map(len, raw)) <= WORDS_CHARS:
        words = _parse_list(tuple(raw), split)
        return list(words) if isinstance(words, tuple) else words
    return _parse_elements(raw, split)


@lru_cache(maxsize=4096)
def _parse_list(texts: tuple[str, ...], split: Callable[[str], list[str]]) -> tuple[str, ...] | Invalid | None:
    """Read a short list of texts."""
    found = _parse_elements(list(texts), split)
    return tuple(found) if isinstance(found, list) else found


@lru_cache(maxsize=4096)
def _parse_words(text: str, split: Callable[[str], list[str]]) -> tuple[str, ...] | Invalid | None:
    """Read a short text; the same few combinations of words come again and again."""
    found = _parse_elements(text, split)
    return tuple(found) if isinstance(found, list) else found


def _parse_elements(raw: Raw, split: Callable[[str], list[str]]) -> list[str] | Invalid | None:
    if type(raw) is not list:
        text = read_line(raw)
        if not isinstance(text, str):
            return text
        raw = split(text)
    elif len(raw) > VALUE_BYTES_MAX:
        return TOO_LONG
    found: dict[str, str] = {}
    for part in raw:
        element = read_line(part, EMPTY_ONLY)
        if isinstance(element, Invalid):
            return element
        if element is not None:
            found.setdefault(fold(element), element)
    if too_long("\n".join(found.values())):
        return TOO_LONG
    return list(found.values()) or None


def set_key(value: list[str]) -> tuple[str, ...]:
    """Give the elements whatever their letter case and order: an app that is given a set shows it in the order it got."""
    return tuple(sorted([fold(element) for element in value]))


def parse_map(raw: Raw) -> dict[str, str] | Invalid | None:
    """Read an object of texts, or its JSON; names without a value are left out."""
    if type(raw) is not dict:
        text = as_text(raw)
        if isinstance(text, Invalid):
            return text
        text = visible(text).strip()
        if text.lower() in BLANK_WORDS:
            return None
        raw = _json_object(text)
        if raw is None:
            return NO_MAP
    found: dict[str, str] = {}
    for name, entry in raw.items():
        key, value = read_line(name, EMPTY_ONLY), read_line(entry)
        if isinstance(value, Invalid):
            return value
        if value is None:
            continue
        if not isinstance(key, str):
            return NO_MAP
        if found.setdefault(key, value) != value:
            return TWO_VALUES
    if too_long("\n".join([*found, *found.values()])):
        return TOO_LONG
    return {key: found[key] for key in sorted(found)} or None


def _json_object(text: str) -> dict[str, Any] | None:
    import json

    if not text.startswith("{"):
        return None
    try:
        found: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def map_key(value: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple([(name, without_joiners(value[name])) for name in sorted(value)])


MAP: Final = FieldType(name="map", parse=parse_map, key=map_key, render=dict)


# all of them, by name

_FIXED: Final = {
    kind.name: kind
    for kind in (
        *(BOOLEAN, CONSENT, COUNTRY, DATETIME, EMAIL, EMAILS, LANGUAGE, MAP, NAME, NOTES, NUMBER, POSTAL_CODE),
        *(STREET, URL),
    )
}


def _is_text(option: object) -> bool:
    return isinstance(option, str)


def _is_texts(option: object) -> bool:
    return isinstance(option, (list, tuple)) and all(map(_is_text, option))


# Type -> its maker, and for each option what it must be, in words and as a test.
_MADE: Final[dict[str, tuple[Callable[..., FieldType], dict[str, tuple[str, Callable[[Any], bool]]]]]] = {
    "choice": (choice_type, {"choices": ("a list of texts", _is_texts)}),
    "date": (date_type, {"order": ("dmy or mdy", lambda option: option in ("dmy", "mdy"))}),
    "phone": (
        phone_type,
        {"region": ("a country code such as DE", lambda option: isinstance(option, str) and option in COUNTRIES)},
    ),
    "set": (set_type, {"separator": ("a text such as ';,'", _is_text)}),
    "text": (text_type, {"multiline": ("true or false", lambda option: isinstance(option, bool))}),
}

TYPES: Final = tuple(sorted({*_FIXED, *_MADE}))

STANDARD: Final = {
    "email": "email",
    "other_emails": "emails",
    "first_name": "name",
    "last_name": "name",
    "full_name": "name",
    "prefix": "text",
    "job_title": "text",
    "company": "text",
    "phone": "phone",
    "mobile": "phone",
    "website": "url",
    "street": "street",
    "postal_code": "postal_code",
    "city": "text",
    "region": "text",
    "country": "country",
    "language": "language",
    "timezone": "text",
    "birthday": "date",
    "gender": "choice",
    "social": "map",
    "account_number": "text",
    "lifecycle": "choice",
    "industry": "choice",
    "company_size": "text",
    "role": "text",
    "lead_score": "number",
    "owner": "text",
    "tags": "set",
    "email_consent": "consent",
    "consent_source": "text",
    "consent_at": "datetime",
    "notes": "notes",
    "external_ids": "map",
}
"""The standard fields (DESIGN 4) -> the names of their types."""


def field_type(name: str, **options: object) -> FieldType:
    """Make the type of that name; ValueError, with the near miss, if there is no such type or option."""
    if name not in TYPES:
        raise ValueError(f"unknown field type {name!r}{_near_miss(name, TYPES)}")
    maker, allowed = _MADE.get(name, (None, {}))
    for option, given in options.items():
        if option not in allowed:
            raise ValueError(f"the field type {name} has no option {option!r}{_near_miss(option, allowed)}")
        wanted, fits = allowed[option]
        if not fits(given):
            raise ValueError(f"{option}: {wanted} is wanted")
    return _FIXED[name] if maker is None else maker(**options)


def _near_miss(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, [*known], n=1)
    return f", did you mean {near[0]!r}?" if near else ""


__all__ = ["STANDARD", "TYPES", "FieldType", "Invalid", "field_type"]
