"""Where fields stand in an entry: paths, which of several values a field is, and what an entry has to hold after a write.

Knows attributes and values; nothing of the wire. Hard rule: a value that no field of a write stands for stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .filters import DESCRIPTION
from .schema import Schema

DEFAULT_PATHS: Final[Mapping[str, str]] = {
    "email": "mail",
    "other_emails": "mail[rest]",
    "first_name": "givenName",
    "last_name": "sn",
    "full_name": "cn",
    "job_title": "title",
    "company": "o",
    "phone": "telephoneNumber",
    "mobile": "mobile",
    "website": "labeledURI",
    "street": "street",
    "postal_code": "postalCode",
    "city": "l",
    "region": "st",
    "country": "c",
    "language": "preferredLanguage",
    "notes": "description",
}
"""A path is NAME (the first value), NAME[rest] (a list: all but the first) or NAME[all] (a list). Those that the entries' object
classes do not allow (inetOrgPerson has no `c`) are not offered."""
BLANK: Final = b"-"
"""Stands in sn and cn where nobody knows the name: an entry must have both. It is read as blank."""
LABELED: Final = "labeleduri"
VALUE_MAX: Final = 64 << 10
_PATH: Final = re.compile(rf"({DESCRIPTION.pattern})(?:\[(rest|all)\])?")
_OWN: Final = frozenset({"objectclass", "entryuuid", "entrycsn", "modifytimestamp", "userpassword"})

Values = Mapping[str, Sequence[bytes]]


class Place(NamedTuple):
    """What a path points at."""

    attribute: str
    """As answers show it: in lower case."""
    which: str = ""
    """"" (the first value), "rest" or "all"."""


class BadValue(Exception):
    """The attribute cannot hold this."""


def place_of(path: str, schema: Schema) -> Place:
    """Say what a path points at; ValueError where it is none."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("a path is an attribute such as title, mail[rest] or businessCategory[all]")
    name = schema.name(match[1])
    if name in _OWN:
        raise ValueError(f"{match[1]} is no field")
    if match[2] and schema.is_single(name):
        raise ValueError(f"{match[1]} has one value only")
    return Place(name, match[2] or "")


def read(entry: Values, places: Mapping[str, Place], named: frozenset[str]) -> dict[str, Any]:
    """Give the raw values; `named` are the attributes in which `-` is blank. BadValue where one is no text."""
    return {name: _read(entry.get(place.attribute, ()), place, named) for name, place in places.items()}


def _read(values: Sequence[bytes], place: Place, named: frozenset[str]) -> Any:
    if place.which:
        texts = [_text(value, place) for value in (values[1:] if place.which == "rest" else values)]
        return [text for text in texts if text] or None
    if not values or (values[0] == BLANK and place.attribute in named):
        return None
    return _text(values[0], place) or None


def _text(value: bytes, place: Place) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BadValue(f"{place.attribute} holds bytes that are no text") from None
    return text.partition(" ")[0] if place.attribute == LABELED else text


def changed(
    entry: Values, fields: Mapping[str, Any], places: Mapping[str, Place], schema: Schema, named: frozenset[str]
) -> dict[str, list[bytes]]:
    """Give the attributes that change, each with all of its values afterwards. BadValue names the field: `field: why`."""
    found: dict[str, list[bytes]] = {}
    for attribute in {places[name].attribute: None for name in fields}:
        mine = {places[name].which: name for name in fields if places[name].attribute == attribute}
        held = list(entry.get(attribute, ()))
        wanted = _wanted(held, mine, fields, attribute, schema)
        if not wanted and attribute in named:
            wanted = [BLANK]
        if wanted != held:
            found[attribute] = wanted
    return found


def _wanted(
    held: list[bytes], mine: Mapping[str, str], fields: Mapping[str, Any], attribute: str, schema: Schema
) -> list[bytes]:
    """Lay what is written over what is there: first value and rest each stay where nothing is said of them."""
    if "all" in mine:
        first, rest = [], _list(fields[mine["all"]], mine["all"])
        rest = [each for each in held if each in rest] + [each for each in rest if each not in held]
    else:
        first = _first(fields[mine[""]], mine[""], held, attribute) if "" in mine else held[:1]
        rest = _list(fields[mine["rest"]], mine["rest"]) if "rest" in mine else held[1:]
    seen: set[bytes] = set()
    wanted = []
    for value in [*first, *rest]:
        key = schema.key(attribute, value)
        if key not in seen:
            seen.add(key)
            wanted.append(value)
    return wanted


def _first(value: Any, name: str, held: list[bytes], attribute: str) -> list[bytes]:
    made = written(value, name)
    if made and attribute == LABELED and held:
        label = held[0].partition(b" ")[1:]  # what stands behind the address is the label of somebody
        return [b"".join((made[0], *label))]
    return made


def _list(value: Any, name: str) -> list[bytes]:
    if value is None or isinstance(value, str):
        return written(value, name)
    if not isinstance(value, list):
        raise BadValue(f"{name}: is no list")
    return [each for one in value for each in written(one, name)]


def written(value: Any, name: str) -> list[bytes]:
    """Spell one value; blank is none at all. BadValue: `field: why`."""
    if value is None or value == "":
        return []
    if isinstance(value, bool):
        return [b"TRUE" if value else b"FALSE"]
    try:
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            value = str(value)
        if not isinstance(value, str):
            raise BadValue(f"{name}: is no text")
        made = value.encode()
    except ValueError:  # half a pair of surrogates; a number of thousands of digits
        raise BadValue(f"{name}: cannot be written as text") from None
    if len(made) > VALUE_MAX:
        raise BadValue(f"{name}: is longer than {VALUE_MAX >> 10} KiB")
    return [made]
