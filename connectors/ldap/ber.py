"""The few forms of BER that LDAP uses (RFC 4511, 5.1): definite lengths, small tags.

Knows bytes. Hard rule: what comes from the server is measured before it is taken; nothing here recurses.
"""

from __future__ import annotations

from typing import Final

LENGTH_OCTETS_MAX: Final = 4
NUMBER_OCTETS_MAX: Final = 8
SEQUENCE: Final = 0x30
SET: Final = 0x31


class BadAnswer(Exception):
    """What came is no LDAP."""


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write one element."""
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def integer(value: int, tag: int = 0x02) -> bytes:
    """Write a number; an ENUMERATED has the tag 0x0A."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: str | bytes, tag: int = 0x04) -> bytes:
    """Write a text in UTF-8, or bytes; UnicodeEncodeError where a text has none."""
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def parts(body: bytes) -> list[tuple[int, bytes]]:
    """Take a body apart into its elements: (tag, body)."""
    found, at = [], 0
    while at < len(body):
        size, start = length(body, at + 1)
        if start + size > len(body):
            raise BadAnswer("an element that is longer than what it is in")
        found.append((body[at], body[start : start + size]))
        at = start + size
    return found


def length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length: (the length, where the body begins)."""
    if at >= len(data):
        raise BadAnswer("an element without a length")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    if first == 0x80 or first > 0x80 | LENGTH_OCTETS_MAX or end > len(data):
        raise BadAnswer("a length that LDAP does not know")
    return int.from_bytes(data[at + 1 : end], "big"), end


def number(body: bytes) -> int:
    if not 0 < len(body) <= NUMBER_OCTETS_MAX:
        raise BadAnswer("a number that is none")
    return int.from_bytes(body, "big", signed=True)


def text(body: bytes) -> str:
    """Read a text of the protocol; what is no UTF-8 in it is marked."""
    return body.decode("utf-8", "replace")
