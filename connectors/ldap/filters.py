"""Search filters: what an operator writes (RFC 4515) and what is asked here, as the bytes of RFC 4511.

Knows no attribute. Hard rule: a value becomes an octet string of its own; none is ever pasted into a text that is parsed.
"""

from __future__ import annotations

import re
from typing import Final

from .ber import boolean, octets, tlv

DEPTH_MAX: Final = 30
_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_COMPARE: Final = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
_SUBSTRINGS, _PRESENT, _EXTENSIBLE = 0xA4, 0x87, 0xA9
_ATTRIBUTE: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9-]+)*"
DESCRIPTION: Final = re.compile(_ATTRIBUTE)
_SIMPLE: Final = re.compile(rf"({_ATTRIBUTE})(=|>=|<=|~=)")
_RULED: Final = re.compile(rf"({_ATTRIBUTE})?(:dn)?(?::({_ATTRIBUTE}))?:=")
_ESCAPE: Final = re.compile(rb"\\([0-9A-Fa-f]{2})")


def equal(attribute: str, value: str | bytes) -> bytes:
    return tlv(_COMPARE["="], octets(attribute), octets(value))


def present(attribute: str) -> bytes:
    return octets(attribute, _PRESENT)


def at_least(attribute: str, value: str) -> bytes:
    return tlv(_COMPARE[">="], octets(attribute), octets(value))


def all_of(*filters: bytes) -> bytes:
    return tlv(_AND, *filters)


def any_of(*filters: bytes) -> bytes:
    return tlv(_OR, *filters)


def none_of(filter_: bytes) -> bytes:
    return tlv(_NOT, filter_)


ANYTHING: Final = present("objectClass")


def parsed(text: str) -> bytes:
    """Read a filter as people write it; ValueError says what is wrong and where."""
    found, at = _filter(text.strip(), 0, 0)
    if at != len(text.strip()):
        raise ValueError(f"character {at + 1}: the filter ends before this")
    return found


def _filter(text: str, at: int, depth: int) -> tuple[bytes, int]:
    if depth > DEPTH_MAX:
        raise ValueError("too many brackets inside each other")
    if text[at : at + 1] != "(":
        raise ValueError(f"character {at + 1}: a ( is expected")
    sign = text[at + 1 : at + 2]
    if sign in {"&", "|", "!"} and sign:
        inside, at = [], at + 2
        while text[at : at + 1] == "(":
            one, at = _filter(text, at, depth + 1)
            inside.append(one)
        if sign == "!" and len(inside) != 1:
            raise ValueError(f"character {at + 1}: a ! takes one filter")
        found = tlv({"&": _AND, "|": _OR, "!": _NOT}[sign], *inside)
    else:
        end = text.find(")", at)
        found, at = _comparison(text[at + 1 : end if end >= 0 else None], at + 2), end
    if at < 0 or text[at : at + 1] != ")":
        raise ValueError("a ) is missing" if at < 0 or at >= len(text) else f"character {at + 1}: a ) is expected")
    return found, at + 1


def _comparison(text: str, place: int) -> bytes:
    match = _SIMPLE.match(text)
    if match is not None:
        attribute, sign, value = match[1], match[2], text[match.end() :]
        if sign == "=" and value == "*":
            return present(attribute)
        if sign == "=" and "*" in value:
            return tlv(_SUBSTRINGS, octets(attribute), tlv(0x30, *_pieces(value.split("*"), place)))
        return tlv(_COMPARE[sign], octets(attribute), octets(_value(value, place)))
    ruled = _RULED.match(text)
    if ruled is None or not (ruled[1] or ruled[3]):
        raise ValueError(f"character {place}: a comparison such as (employeeType=staff) is expected")
    rule = [octets(ruled[3], 0x81)] if ruled[3] else []
    kind = [octets(ruled[1], 0x82)] if ruled[1] else []
    whole = [tlv(0x84, boolean(True)[2:])] if ruled[2] else []
    return tlv(_EXTENSIBLE, *rule, *kind, octets(_value(text[ruled.end() :], place), 0x83), *whole)


def _pieces(pieces: list[str], place: int) -> list[bytes]:
    """Write what stands between the stars: the first, those in the middle, the last."""
    tags = [0x80, *[0x81] * (len(pieces) - 2), 0x82]
    found = [octets(_value(piece, place), tag) for tag, piece in zip(tags, pieces, strict=True) if piece]
    if not found:
        raise ValueError(f"character {place}: there is nothing between the stars")
    return found


def _value(text: str, place: int) -> bytes:
    plain = _ESCAPE.sub(b"", text.encode())
    if b"\\" in plain or b"(" in plain or b"*" in plain or b"\0" in plain:
        raise ValueError(rf"character {place}: in a value, write \28 \29 \2a \5c \00 for ( ) * \ and NUL")
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
