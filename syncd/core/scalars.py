"""Numbers, yes or no, and consent: types whose values have exactly one spelling each.

Must not know apps or latches. Hard rule: an unreadable consent is `Invalid`, never consent; a number keeps every digit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from syncd.core.values import FieldType, Invalid, Key, read_line, same
from syncd.model import Raw

NO_NUMBER: Final = Invalid(reason="not a plain number (digits, a decimal point, no thousands separators)")
NO_BOOLEAN: Final = Invalid(reason="neither yes nor no")
NO_CONSENT: Final = Invalid(reason="not a word for consent; map it with `values`")

DIGITS_MAX: Final = 400

_PLAIN_NUMBER = re.compile(r"-?[1-9]\d{0,17}|0", re.ASCII)
_PLAIN_MAX: Final = 10**18
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)

# Looked up by the raw value itself; True == 1 == 1.0 are one entry.
_BOOLEANS: Final[dict[object, bool]] = {
    **dict.fromkeys([True, "true", "yes", "1", "on", "y", "t", "ja"], True),
    **dict.fromkeys([False, "false", "no", "0", "off", "n", "f", "nein"], False),
}

CONSENT_WORDS: Final = ("unknown", "opted_in", "opted_out", "pending", "bounced")
# Words for "yes" are few on purpose: "active" or "confirmed" may speak of the account. Spaces and hyphens count as "_".
_CONSENTS: Final[dict[str, str]] = {
    **{word: "opted_in" if answer else "opted_out" for word, answer in _BOOLEANS.items() if isinstance(word, str)},
    **dict.fromkeys(["opted_in", "opt_in", "optin", "optedin", "subscribed", "granted"], "opted_in"),
    **dict.fromkeys(["opted_out", "opt_out", "optout", "optedout", "unsubscribed", "unsubscribe"], "opted_out"),
    **dict.fromkeys(["denied", "refused", "revoked", "withdrawn", "do_not_contact", "dnc"], "opted_out"),
    **dict.fromkeys(["suppressed", "complained", "complaint", "spam"], "opted_out"),
    **dict.fromkeys(["pending", "unconfirmed", "awaiting_confirmation", "double_opt_in_pending"], "pending"),
    **dict.fromkeys(["bounced", "bounce", "hard_bounce", "hard_bounced", "cleaned"], "bounced"),
    **dict.fromkeys(["unknown", "not_specified", "unspecified", "never_subscribed", "undefined"], "unknown"),
}


def parse_number(raw: Raw) -> str | Invalid | None:
    """Read a number as decimal text, exact at any size: "12.5", "-3"; no exponent, no digits that say nothing."""
    if type(raw) is int and -_PLAIN_MAX < raw < _PLAIN_MAX:
        return str(raw)
    if type(raw) is bool:
        return NO_NUMBER
    if type(raw) is str and _PLAIN_NUMBER.fullmatch(raw):
        return raw
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    if len(text) > 3 * DIGITS_MAX or not _NUMBER.fullmatch(text):
        return NO_NUMBER
    number = Decimal(text)
    digits = format(number, "f") if number else "0"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits if len(digits) <= DIGITS_MAX else NO_NUMBER


def parse_boolean(raw: Raw) -> bool | Invalid | None:
    """Read yes or no, in the spellings of YAML, JSON and forms."""
    try:
        return _BOOLEANS[raw]
    except (KeyError, TypeError):  # lists and objects cannot be looked up
        text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    return _BOOLEANS.get(text.lower(), NO_BOOLEAN)


def boolean_key(value: bool) -> Key:
    return "true" if value else "false"


def parse_consent(raw: Raw) -> str | Invalid | None:
    """Read what somebody agreed to as one of CONSENT_WORDS; yes is opted_in, no is opted_out."""
    if type(raw) is str and raw in CONSENT_WORDS:
        return raw
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    return _CONSENTS.get(re.sub(r"[\s-]+", "_", text.lower()), NO_CONSENT)


NUMBER: Final = FieldType(name="number", parse=parse_number, key=same, render=same)
BOOLEAN: Final = FieldType(name="boolean", parse=parse_boolean, key=boolean_key, render=same)
CONSENT: Final = FieldType(name="consent", parse=parse_consent, key=same, render=same)
