"""LDAP's messages (RFC 4511): requests to bytes, bytes to answers, and the controls that are used.

Knows no socket and no settings. Hard rule: an answer of another shape than the RFC's raises BadAnswer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from .ber import SEQUENCE, SET, BadAnswer, boolean, integer, number, octets, parts, text, tlv

PAGED: Final = "1.2.840.113556.1.4.319"  # RFC 2696
ASSERTION: Final = "1.3.6.1.1.12"  # RFC 4528
POST_READ: Final = "1.3.6.1.1.13.2"  # RFC 4527
START_TLS: Final = tlv(0x77, octets("1.3.6.1.4.1.1466.20037", 0x80))
UNBIND: Final = tlv(0x42)

ENTRY, DONE, REFERENCE, EXTENDED = 0x64, 0x65, 0x73, 0x78
ANSWERS: Final = frozenset({0x61, DONE, 0x67, 0x69, 0x6B, 0x6D, EXTENDED})
"""What ends an exchange: the answers to bind, search, modify, add, delete, rename, and extended ones."""
SCOPES: Final = {"base": 0, "one": 1, "sub": 2}
_CHANGES: Final = {"add": 0, "delete": 1, "replace": 2}
_ENUMERATED: Final = 0x0A

Change = tuple[Literal["add", "delete", "replace"], str, Sequence[bytes]]
Control = tuple[str, bytes]


class Entry(NamedTuple):
    """What a directory shows of one entry."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]
    """Description in lower case -> values."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """The end of an exchange, and the entries before it."""

    code: int
    diagnostic: str
    """The server's words: they may hold values, so that they are never shown."""
    controls: Mapping[str, bytes] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def bind(dn: str, password: str) -> bytes:
    return tlv(0x60, integer(3), octets(dn), octets(password, 0x80))


def search(base: str, scope: str, wanted: bytes, attributes: Iterable[str], seconds: int) -> bytes:
    """Aliases are never followed; the number of entries is bounded by pages."""
    limits = (integer(0), integer(seconds), boolean(False))
    asked = tlv(SEQUENCE, *map(octets, attributes))
    how = (integer(SCOPES[scope], _ENUMERATED), integer(0, _ENUMERATED))
    return tlv(0x63, octets(base), *how, *limits, wanted, asked)


def modify(dn: str, changes: Iterable[Change]) -> bytes:
    each = (
        tlv(SEQUENCE, integer(_CHANGES[what], _ENUMERATED), _attribute(name, values)) for what, name, values in changes
    )
    return tlv(0x66, octets(dn), tlv(SEQUENCE, *each))


def add(dn: str, attributes: Mapping[str, Sequence[bytes]]) -> bytes:
    return tlv(0x68, octets(dn), tlv(SEQUENCE, *(_attribute(*each) for each in attributes.items())))


def move(dn: str, rdn: str, branch: str) -> bytes:
    """Put an entry below another one, under the name that it has."""
    return tlv(0x6C, octets(dn), octets(rdn), boolean(False), octets(branch, 0x80))


def delete(dn: str) -> bytes:
    return octets(dn, 0x4A)


def _attribute(name: str, values: Iterable[bytes]) -> bytes:
    return tlv(SEQUENCE, octets(name), tlv(SET, *map(octets, values)))


def message(id_: int, operation: bytes, controls: Iterable[Control]) -> bytes:
    """All of our controls are critical: without them the request means something else."""
    each = [tlv(SEQUENCE, octets(oid), boolean(True), octets(value)) for oid, value in controls]
    return tlv(SEQUENCE, integer(id_), operation, *([tlv(0xA0, *each)] if each else []))


def page_of(size: int, cookie: bytes) -> Control:
    return PAGED, tlv(SEQUENCE, integer(size), octets(cookie))


def only_if(holds: bytes) -> Control:
    return ASSERTION, holds


def read_after(attributes: Iterable[str]) -> Control:
    return POST_READ, tlv(SEQUENCE, *map(octets, attributes))


# Answers ------------------------------------------------------------------------------------------------------------


def taken_apart(body: bytes) -> tuple[int, int, bytes, Mapping[str, bytes]]:
    """Read the body of one message: its id, what it is, that one's body, its controls."""
    found = parts(body)
    if len(found) < 2 or found[0][0] != 0x02:
        raise BadAnswer("a message without an id")
    controls = found[2][1] if len(found) > 2 and found[2][0] == 0xA0 else b""
    return number(found[0][1]), *found[1], _controls(controls)


def _controls(body: bytes) -> Mapping[str, bytes]:
    told = {}
    for _, one in parts(body):
        inside = parts(one)
        value = inside[-1] if len(inside) > 1 else (0, b"")
        if inside:
            told[text(inside[0][1])] = value[1] if value[0] == 0x04 else b""
    return told


def answer_of(body: bytes, controls: Mapping[str, bytes]) -> Answer:
    found = parts(body)
    if len(found) < 3 or found[0][0] != _ENUMERATED:
        raise BadAnswer("an answer without a result")
    return Answer(code=number(found[0][1]), diagnostic=text(found[2][1]), controls=controls)


def entry_of(body: bytes) -> Entry:
    found = parts(body)
    if len(found) != 2:
        raise BadAnswer("an entry of another shape")
    attributes = {}
    for _, one in parts(found[1][1]):
        inside = parts(one)
        if len(inside) != 2:
            raise BadAnswer("an attribute of another shape")
        attributes[text(inside[0][1]).lower()] = [value for _, value in parts(inside[1][1])]
    return Entry(text(found[0][1]), attributes)


def next_page(controls: Mapping[str, bytes]) -> bytes:
    """Give the cookie of the next page; empty: there is none."""
    value = controls.get(PAGED)
    if value is None:
        return b""
    inside = parts(_only(value))
    if len(inside) != 2:
        raise BadAnswer("a page without a cookie")
    return inside[1][1]


def entry_after(controls: Mapping[str, bytes]) -> Entry | None:
    """Give what the entry held right after the write, where the server tells."""
    value = controls.get(POST_READ)
    return None if value is None else entry_of(_only(value))


def _only(value: bytes) -> bytes:
    found = parts(value)
    if len(found) != 1:
        raise BadAnswer("a control of another shape")
    return found[0][1]
