"""Names of entries (RFC 4514): one made out of a value, one taken apart for comparison.

Knows no directory. Hard rule: whatever is in a value, the name that is made of it has exactly one part more.
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = frozenset('",+;<>\\=#')
_PART: Final = re.compile(r"((?:[^,;\\\"]|\\.|\"(?:[^\"\\]|\\.)*\")*)(?:[,;]|\Z)", re.DOTALL)
_PAIR: Final = re.compile(r" *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *=(.*)", re.DOTALL)
_BLANKS: Final = re.compile(r"\A +|(?<!\\) +\Z")
_HEX: Final = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)


def below(branch: str, attribute: str, value: str) -> str:
    """Name an entry below a branch."""
    return f"{attribute}={escaped(value)},{branch}"


def escaped(value: str) -> str:
    """Escape a value: special characters, control characters, and blanks at both ends, by their bytes."""
    last = len(value) - 1
    return "".join(
        "".join(f"\\{octet:02x}" for octet in char.encode())
        if char in _SPECIAL or char < " " or char == "\x7f" or (char == " " and at in {0, last})
        else char
        for at, char in enumerate(value)
    )


def split(dn: str) -> list[str]:
    """Take a name apart, the entry's own part first; ValueError where it is none. The empty name has no parts."""
    found, at = [], 0
    while at < len(dn):
        match = _PART.match(dn, at)
        if match is None or not _PAIR.fullmatch(match[1]):
            raise ValueError("this is no name of an entry, such as ou=people,dc=example,dc=org")
        found.append(_BLANKS.sub("", match[1]))
        at = match.end()
        if at == len(dn) and dn[-1] in ",;" and not dn.endswith(("\\,", "\\;")):
            raise ValueError("the name ends with a comma")
    return found


def folded(dn: str) -> tuple[str, ...]:
    """Give a form in which equal names are equal, whatever their spelling (capitals, blanks, escapes)."""
    return tuple("+".join(sorted(map(_folded_pair, _pairs(part)))) for part in split(dn))


def is_below(dn: str, branch: str) -> bool:
    """Say whether an entry is the branch, or below it."""
    inner, outer = folded(dn), folded(branch)
    return not outer or inner[-len(outer) :] == outer


def _pairs(part: str) -> list[str]:
    return re.split(r"(?<!\\)\+", part)


def _folded_pair(pair: str) -> str:
    attribute, value = _taken_apart(pair)
    return f"{attribute}={' '.join(value.decode('utf-8', 'replace').casefold().split())}"


def own(dn: str) -> list[tuple[str, bytes]]:
    """Give the values that name the entry: (attribute in lower case, value)."""
    return [_taken_apart(pair) for pair in _pairs(split(dn)[0])]


def _taken_apart(pair: str) -> tuple[str, bytes]:
    match = _PAIR.fullmatch(pair)
    if match is None:
        return "", pair.encode()
    bare = _BLANKS.sub("", match[2])
    return match[1].lower(), _HEX.sub(_byte, bare.encode())


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else found[2]
