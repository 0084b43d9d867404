"""What a result code means (RFC 4511, 4.1.9 and appendix A): for a read a reaction, for a write a refusal or a doubt.

Knows numbers. Hard rule: what is not in the table is Unknown to a write; the server's own words are never shown, as they may
hold values.
"""

from __future__ import annotations

import re
from typing import Final

from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.model import Refusal

SUCCESS: Final = 0
NO_SUCH_OBJECT: Final = 32
EXISTS: Final = 68
ASSERTION_FAILED: Final = 122

_REFUSED: Final = {
    4: "it gives this account only so many entries, of all pages together (sizeLimitExceeded); raise that limit there "
    "(OpenLDAP: limits dn.exact=... size.prtotal=unlimited)",
    7: "it does not take this kind of login (authMethodNotSupported)",
    8: "it asks for a stronger login (strongerAuthRequired)",
    13: "it asks for encryption (confidentialityRequired); use ldaps:// or StartTLS",
    11: "it gives this account only so much of its time (adminLimitExceeded); raise that limit there",
    48: "it does not take this kind of login (inappropriateAuthentication); set `bind_dn` and the secret `password`",
    49: "it refuses the account (invalidCredentials); check `bind_dn` and the secret `password`",
    50: "the account may not do this (insufficientAccessRights); grant it the right to read `base`",
    53: "it is unwilling to do this (unwillingToPerform); is the account locked, or its password out of date?",
}
_WRONG: Final = {
    10: "this server does not hold `base` and refers to another one, which is not followed; name that one in `url`",
    NO_SUCH_OBJECT: "there is no entry `base`, or the account may not see it (noSuchObject)",
    34: "`base` is no name of an entry (invalidDNSyntax)",
    12: "it does not know what a complete listing needs: pages, RFC 2696 (unavailableCriticalExtension)",
}
_LATER: Final = {
    3: "the search took longer than the server allows (timeLimitExceeded); is modifyTimestamp indexed?",
    51: "it is busy",
    52: "it is shutting down, or not available",
}

_WRITES: Final[dict[int, tuple[Refusal, str]]] = {
    3: ("busy", "the server ran out of time (timeLimitExceeded)"),
    8: ("busy", "the server asks for a stronger login"),
    10: ("readonly", "this server is a copy and refers to another one; name that one in `url`"),
    11: ("busy", "over a limit of the server (adminLimitExceeded)"),
    12: ("busy", "the server no longer knows a control that it offered"),
    13: ("busy", "the server asks for encryption"),
    16: ("moved", "a value that was there is not there any more"),
    17: ("invalid", "the directory knows no such attribute"),
    18: (
        "invalid",
        "the directory cannot compare values of this attribute, so that one of them cannot be replaced alone",
    ),
    19: ("invalid", "against a rule of the directory (constraintViolation)"),
    20: ("invalid", "twice the same value, as the directory compares them"),
    21: ("invalid", "the attribute's syntax does not allow this value"),
    NO_SUCH_OBJECT: ("moved", "the entry was renamed or removed just now"),
    34: ("invalid", "the directory takes the name of the entry for none"),
    49: ("busy", "the server refuses the account"),
    50: ("readonly", "the account may not write this (insufficientAccessRights)"),
    51: ("busy", "the server is busy"),
    52: ("busy", "the server is not available"),
    53: ("readonly", "the server is unwilling to do this: is it a copy, or read only?"),
    64: ("invalid", "against the directory's rules for names (namingViolation)"),
    65: ("invalid", "against the directory's rules for these object classes (objectClassViolation)"),
    66: ("invalid", "the entry has others below it"),
    67: ("readonly", "this value is part of the entry's name; rename it in the directory"),
    EXISTS: ("exists", "an entry of this name is there already"),
    69: ("readonly", "object classes cannot be changed"),
    71: ("invalid", "the branch is held by another server"),
    ASSERTION_FAILED: ("moved", "the entry has changed"),
}
_CREATES: Final[dict[int, tuple[Refusal, str]]] = {
    NO_SUCH_OBJECT: ("busy", "the branch for new entries is not there; check `new_entries`"),
}
STOPS: Final = frozenset({8, 13, 49, 51, 52})
"""What holds for one write holds for the next: nothing more is sent in this batch."""
_NOT_UNIQUE: Final = re.compile(r"unique", re.IGNORECASE)
_NAMED: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*): ")
"""How OpenLDAP begins what it says of a value: with the attribute."""


def reaction(place: str, code: int) -> SyncdError:
    """Say what a failed bind or search means for the app as a whole."""
    if code in _REFUSED:
        return AccessError(f"{place}: {_REFUSED[code]}")
    if code in _WRONG:
        return ConfigError(f"{place}: {_WRONG[code]}")
    return TransientError(f"{place}: {_LATER.get(code, f'an answer that was not expected (result {code})')}")


def refusal(code: int, diagnostic: str, *, create: bool) -> tuple[Refusal, str] | None:
    """Say why a write had no effect; None where nobody knows."""
    if code == 19 and _NOT_UNIQUE.search(diagnostic):
        return "exists", "another entry has a value that may be there only once"
    return (_CREATES | _WRITES if not create else _WRITES | _CREATES).get(code)


def attribute_in(diagnostic: str) -> str:
    """Give the attribute that a refusal names, in lower case; "" where it names none."""
    match = _NAMED.match(diagnostic)
    return match[1].lower() if match else ""
