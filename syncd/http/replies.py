"""What an HTTP reply is, and which reaction an unwelcome one asks for.

Knows status codes and headers; sends nothing. Hard rule: no message holds a query string, a body or a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from syncd.errors import AccessError, ConfigError, SyncdError, TransientError

RETRY_AFTER_MAX: Final = 300.0
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")


class Overloaded(TransientError):
    """It may work at once or within seconds: too many requests, a broken connection, an internal error."""


class TooLarge(TransientError):
    """The answer is larger than allowed; ask for less."""


@dataclass(slots=True)
class Reply:
    """One answer, body decoded. Not frozen: one is made for each request."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        """Give a header by its lower-case name; "" where it is not there."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1").strip()
        return ""

    @property
    def media_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()


def retry_after_seconds(reply: Reply, now: float) -> float | None:
    """Read Retry-After, seconds or an HTTP date, as 0 to 300 seconds from now; None where it says nothing."""
    text = reply.header(b"retry-after")
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_MAX)
    if text.isdecimal():  # more digits than anybody means
        return RETRY_AFTER_MAX
    at = _date(text)
    if at is None:
        return None
    base = _date(reply.header(b"date"))  # the sender's own clock, where it tells
    return min(max(at - (now if base is None else base), 0.0), RETRY_AFTER_MAX)


def _date(text: str) -> float | None:
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def refused(place: str, reply: Reply, now: float) -> SyncdError:
    """Make the reaction for a reply that is none of those expected. `place`: app and address, for the operator."""
    status = reply.status
    if status == 401:
        return AccessError(f"{place}: {_login(reply)} (401); check the app's secrets")
    if status == 403:
        return AccessError(f"{place}: not allowed for this account (403); check its rights there")
    if 300 <= status < 400:
        return _moved(place, reply)
    if status in {408, 425, 429} or status >= 500:
        wait = retry_after_seconds(reply, now)
        said = "too many requests" if status == 429 else "not available now"
        return Overloaded(f"{place}: {said} ({status})", retry_after_seconds=wait)
    if status in {404, 410}:
        return TransientError(f"{place}: nothing is there ({status}); check the url")
    hint = "; a login page or a proxy in between?" if "html" in reply.media_type else ""
    return TransientError(f"{place}: an answer that was not expected ({status}){hint}")


def _login(reply: Reply) -> str:
    wanted = [
        value.decode("latin-1").split(" ")[0] for name, value in reply.headers if name.lower() == b"www-authenticate"
    ]
    if not wanted or any(scheme.lower() in {"basic", "bearer"} for scheme in wanted):
        return "user name or password refused"
    return f"user name or password refused; the server wants a {shown(wanted[0])} login, which is not supported"


def _moved(place: str, reply: Reply) -> SyncdError:
    """Redirects are never followed: the credentials are for one origin, and the operator decides which."""
    target = reply.header(b"location")
    where = f" to {shown_url(target)}" if target else ""
    text = f"{place}: redirected ({reply.status}){where}"
    if reply.status in {301, 308}:
        return ConfigError(f"{text}; if that is right, put it into `url`")
    return TransientError(f"{text}; redirects are not followed, put the final address into `url`")


def shown_url(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return shown(f"{parts.scheme}://{host}{port}{parts.path}" if host else parts.path)


def shown(text: str) -> str:
    return _UNPRINTABLE.sub("?", text[:200])
