"""Where the fields stand in a vCard: paths, the line that one means, and what is read there.

It must not know how a line is written. Its one hard rule: the reader and the writer of a field choose the same line,
so both ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from .lines import Card, Line, Traits, split, traits_of, unescaped

DEFAULT_PATHS: Final[Mapping[str, str]] = {
    "email": "EMAIL",
    "other_emails": "EMAIL[rest]",
    "first_name": "N.given",
    "last_name": "N.family",
    "prefix": "N.prefix",
    "job_title": "TITLE",
    "company": "ORG",
    "phone": "TEL[voice]",
    "mobile": "TEL[cell]",
    "website": "URL",
    "street": "ADR.street",
    "postal_code": "ADR.postal_code",
    "city": "ADR.city",
    "region": "ADR.region",
    "country": "ADR.country",
    "birthday": "BDAY",
    "gender": "GENDER",
    "language": "LANG",
    "timezone": "TZ",
    "notes": "NOTE",
    "tags": "CATEGORIES",
    "role": "ROLE",
}
"""A path is NAME, NAME[which], NAME.part or NAME[which].part. NAME alone is the preferred line of that name (PREF or
TYPE=pref; of ADR then TYPE=work; then the first); `which` is a TYPE, or `rest` (a list: all but the preferred one), or
`voice` (a TEL that is no cell phone, fax or pager). CATEGORIES is a list. A part of N and ADR must be named, that of ORG
and GENDER is the first if none is."""

PARTS = {
    "N": ("family", "given", "additional", "prefix", "suffix"),
    "ADR": ("pobox", "extended", "street", "city", "region", "postal_code", "country"),
    "ORG": ("name", "unit"),
    "GENDER": ("sex", "identity"),
}
FIRST_PART_WILL_DO = {"ORG", "GENDER"}
_ANY = {"", "rest"}
_CELL = frozenset({"cell", "mobile", "iphone"})
_NO_VOICE = _CELL | {"fax", "pager", "modem"}
DATES = {"BDAY", "ANNIVERSARY"}
_PATH = re.compile(r"([A-Za-z][\w-]*)(?:\[([\w-]+)\])?(?:\.(\w+))?")
DATE = re.compile(r"(\d{4}|-(?=-))-?(\d{2})-?(\d{2})")  # the year may be missing


class Target(NamedTuple):
    """What a path points at, but for the part."""

    name: str
    which: str = ""
    parted: bool = False


def target(path: str) -> tuple[Target, int]:
    """Say what a path points at, and at which part of it; ValueError where it is none."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("a path is NAME, NAME[which] or NAME.part, such as TITLE, TEL[work] or ADR.city")
    name, which, part = match[1].upper(), (match[2] or "").lower(), (match[3] or "").lower()
    if name in {"BEGIN", "END", "VERSION"}:
        raise ValueError(f"{name} is no field")
    parts = PARTS.get(name, ())
    if not part and name in FIRST_PART_WILL_DO:
        part = parts[0]
    if (part or parts) and part not in parts:
        known = ", ".join(f"{name}.{one}" for one in parts)
        raise ValueError(f"one of {known} is expected" if parts else f"{name} has no parts")
    if which and (name == "CATEGORIES" or (which == "rest" and parts)):
        raise ValueError(f"{name} is a list of its own" if not parts else f"{name} is no list")
    return Target(name, which, bool(parts)), parts.index(part) if part else 0


@lru_cache(maxsize=1024)  # a few settings, and the sets of fields that change together
def plan(paths: tuple[tuple[str, str], ...]) -> tuple[tuple[Target, tuple[tuple[str, int], ...]], ...]:
    """Fields by what they are read from. `rest` comes last: what is left over depends on the preferred one."""
    found: dict[Target, list[tuple[str, int]]] = {}
    for name, path in paths:
        wanted, part = target(path)
        found.setdefault(wanted, []).append((name, part))
    ordered = sorted(found, key=lambda wanted: wanted.which == "rest")
    return tuple((wanted, tuple(found[wanted])) for wanted in ordered)


# Reading ------------------------------------------------------------------------------------------------------------


def fields(card: Card, paths: Mapping[str, str]) -> dict[str, object]:
    """The raw value of each field: a text or a list of texts; None where the card is blank.

    A date is given as 1980-02-01 also where 19800201 stands, and as --02-01 where the year is missing or made up by
    Apple; a `tel:` address without its scheme; everything else as it stands.
    """
    found: dict[str, object] = dict.fromkeys(paths)
    for wanted, names in plan(tuple(paths.items())):
        if wanted.name not in card.index:
            continue
        if wanted.which == "rest" or wanted.name == "CATEGORIES":
            texts = _rest(card, wanted) if wanted.which == "rest" else categories(card, wanted)
            found.update((name, texts.copy() or None) for name, _ in names)
            continue
        at = chosen_line(card, wanted)
        if at is None:
            continue
        if wanted.parted:
            parts = split(card.lines[at].value, ";")
            for name, part in names:
                if part < len(parts) and parts[part]:
                    found[name] = unescaped(parts[part])
        else:
            for name, _ in names:
                found[name] = text_of(card.lines[at]) or None
    return found


def chosen_line(card: Card, wanted: Target) -> int | None:
    """The line that holds the field: not blank if possible, then preferred, then (ADR) of work, then the first."""
    positions = card.index.get(wanted.name)
    if not positions:
        return None
    if len(positions) == 1 and wanted.which in _ANY:
        return positions[0]
    best: tuple[bool, int, bool, int] | None = None
    for at, traits in candidates(card, wanted):
        rank = (is_blank(card.lines[at], wanted), traits.pref, wanted.name == "ADR" and "work" not in traits.types, at)
        best = rank if best is None or rank < best else best
    return best[3] if best else None


def candidates(card: Card, wanted: Target) -> Iterator[tuple[int, Traits]]:
    for at in card.index.get(wanted.name, []):
        traits = traits_of(card.lines[at].head)
        assert traits is not None, "a line of a card has a name"
        if wanted.which in _ANY or _fits(wanted.which, traits.types):
            yield at, traits


def is_blank(line: Line, wanted: Target) -> bool:
    return not line.value.strip("; \t" if wanted.parted else " \t")


def _fits(which: str, types: frozenset[str]) -> bool:
    if which == "voice":
        return _NO_VOICE.isdisjoint(types)
    return not _CELL.isdisjoint(types) if which == "cell" else which in types


def _rest(card: Card, wanted: Target) -> list[str]:
    """What stands in the other lines, in their order, once each and never what the preferred one holds."""
    positions = card.index.get(wanted.name, [])
    if len(positions) < 2:
        return []
    chosen = chosen_line(card, wanted)
    seen = set() if chosen is None else {key_of(card.lines[chosen])}
    texts: list[str] = []
    for at in positions:
        line = card.lines[at]
        key = key_of(line)
        if key not in seen and not is_blank(line, wanted):
            seen.add(key)
            texts.append(text_of(line))
    return texts


def categories(card: Card, wanted: Target) -> list[str]:
    lines = [card.lines[at].value for at in card.index.get(wanted.name, [])]
    return [text for text in dict.fromkeys(unescaped(part) for value in lines for part in split(value, ",")) if text]


def text_of(line: Line) -> str:
    text = unescaped(line.value)
    if line.name == "TEL":
        return text[4:] if text[:4].lower() == "tel:" else text
    return iso_date(text, line.head) if line.name in DATES else text


def key_of(line: Line) -> str:
    return same(line.name, text_of(line))


def same(name: str, text: str) -> str:
    return text.casefold() if name == "EMAIL" else text


def iso_date(text: str, head: str = "") -> str:
    date = DATE.fullmatch(text)
    if date is None:
        return text
    year, month, day = date.groups()
    traits = traits_of(head)
    return f"{'-' if traits and traits.omitted_year == year else year}-{month}-{day}"
