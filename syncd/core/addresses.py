"""Addresses on the net: e-mail addresses, lists of them, and web addresses.

Must not know people, apps or settings. Hard rule: two addresses are the same only where every mail server and browser
agrees (letter case, the spelling of an international domain); plus-tags, dots and look-alikes are never folded.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from unicodedata import normalize

from syncd.core.values import BLANK_WORDS, TOO_LONG, FieldType, Invalid, as_text, read_line, same, too_long, visible
from syncd.model import Raw

NO_EMAIL: Final = Invalid(reason="not an e-mail address")
NO_EMAIL_INSIDE: Final = Invalid(reason="one of the entries is not an e-mail address")
CONTROLS: Final = Invalid(reason="an e-mail address with a line break or another control character")
SPACES: Final = Invalid(reason="a web address has no spaces")
NO_WEB: Final = Invalid(reason="not a web address: only http and https lead to a page")

EMAIL_CHARS_MAX: Final = 254  # RFC 5321 4.5.3.1.3 with RFC 3696 erratum 1690

# A subset of what email-validator accepts and leaves as it is (tests prove that): RFC 5322 3.2.3 dot-atom, host names
# of ASCII letters, a top-level domain of letters. Without "--", which begins Punycode.
_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LIST_BREAK = re.compile(r"[;,\r\n]")
# RFC 6761 and its kin: reserved, so email-validator refuses them, and yet good addresses inside a company's network.
_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
_URL = re.compile(r"(?:(?:([A-Za-z][A-Za-z0-9+.-]*):)?//)?([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_OTHER_SCHEME = re.compile(
    r"(?!https?:)(?:[a-z][a-z0-9+.-]*://|(?:javascript|data|vbscript|file|mailto|tel|about|blob):)", re.IGNORECASE
)


def parse_email(raw: Raw) -> str | Invalid | None:
    """Read an e-mail address: trimmed and composed, letter case as typed, without the dot that ends a full domain."""
    if type(raw) is str and len(raw) <= EMAIL_CHARS_MAX and _is_plain(raw):
        return raw
    text = as_text(raw)
    if isinstance(text, Invalid):
        return text
    text = text.strip(" \t\u00a0")
    seen = visible(text).strip()
    if seen.lower() in BLANK_WORDS:
        return None
    if _CONTROL.search(text):
        return CONTROLS
    return _parse_unusual(seen) if len(seen) <= 2 * EMAIL_CHARS_MAX else NO_EMAIL


@lru_cache(maxsize=4096)
def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and "--" not in text


def email_key(value: str) -> str:
    """Give the form that decides identity: lower case, the domain in ASCII."""
    if value.isascii():
        return value.lower()
    local, _, domain = value.rpartition("@")
    return f"{normalize('NFC', local.lower())}@{_ascii_domain(domain)}"


@lru_cache(maxsize=65536)
def _parse_unusual(text: str) -> str | Invalid:
    local, _, domain = text.rpartition("@")
    if not local or not domain:
        return NO_EMAIL
    domain = domain.removesuffix(".")
    if _PLAIN.fullmatch(text := f"{local}@{domain}") and len(text) <= EMAIL_CHARS_MAX and "--" not in text:
        return text
    checked = _check(text)
    if checked is None:
        return NO_EMAIL
    checked_local, checked_domain, _ = checked
    if checked_local.lower() != local.lower():  # quoted without need
        local = checked_local
    if not domain.isascii() and normalize("NFC", domain.lower()) != checked_domain:  # for example full-width letters
        domain = checked_domain
    value = f"{local}@{domain}"
    return value if value == text or _parse_unusual(value) == value else NO_EMAIL


@lru_cache(maxsize=65536)
def _ascii_domain(domain: str) -> str:
    checked = None if domain.isascii() else _check(f"x@{domain}")
    return domain.lower() if checked is None else checked[2]


def _check(text: str) -> tuple[str, str, str] | None:
    """Ask email-validator for the local part, the domain, and the domain in ASCII; None if it is no address."""
    from email_validator import EmailNotValidError, validate_email

    stem, dot, top = text.rpartition(".")
    reserved = top.lower() in _RESERVED
    if reserved:
        text = stem + dot + "x" * len(top)  # judged by its form alone
    try:
        found = validate_email(text, allow_quoted_local=True, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):  # idna's errors are UnicodeErrors
        return None
    domain, ascii_domain = found.domain, found.ascii_domain
    if reserved:
        domain, ascii_domain = (name[: -len(top)] + top.lower() for name in (domain, ascii_domain))
    return found.local_part, domain, ascii_domain


def parse_emails(raw: Raw) -> list[str] | Invalid | None:
    """Read a list of addresses, or text with `;`, `,` or line breaks between them: sorted, each once."""
    if raw is None:
        return None
    if type(raw) is str:
        text = as_text(raw)
        if isinstance(text, Invalid):
            return text
        raw = _LIST_BREAK.split(text)
    elif type(raw) is not list:
        return NO_EMAIL_INSIDE
    found: dict[str, str] = {}
    for part in raw:
        address = parse_email(part)
        if isinstance(address, Invalid):
            return NO_EMAIL_INSIDE
        if address is not None:
            found.setdefault(email_key(address), address)
    if too_long("\n".join(found)):
        return TOO_LONG
    return [found[key] for key in sorted(found)] or None


def emails_key(value: list[str]) -> tuple[str, ...]:
    return tuple([email_key(address) for address in value])


def parse_url(raw: Raw) -> str | Invalid | None:
    """Read a web address as it was typed, with or without its scheme."""
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    if " " in text:
        return SPACES
    return NO_WEB if _OTHER_SCHEME.match(text) else text


def url_key(value: str) -> str:
    """Give a form without accidents: https unless it says otherwise, host in lower case, no slash at the end."""
    match = _URL.fullmatch(value)
    assert match is not None, "the pattern takes any text"
    scheme, host, path, rest = match.groups("https")
    return f"{scheme.lower()}://{host.lower()}{path.rstrip('/')}{rest}"


EMAIL: Final = FieldType(name="email", parse=parse_email, key=email_key, render=same)
EMAILS: Final = FieldType(name="emails", parse=parse_emails, key=emails_key, render=list)
URL: Final = FieldType(name="url", parse=parse_url, key=url_key, render=same)
