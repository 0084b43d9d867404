"""What the answer to a PUT means for the write.

Knows status codes; sends nothing. Hard rule: what is not in the table is Unknown.
"""

from __future__ import annotations

from typing import Final

from syncd.http.client import Reply
from syncd.model import Refusal, Rejected, Unknown

from .dav import BadAnswer, D, id_of, tree

_REFUSALS: Final[dict[int, tuple[Refusal, str]]] = {
    400: ("invalid", "the server takes it for no good card"),
    401: ("busy", "user name or password refused; check the app's secrets"),
    403: ("readonly", "this account may not write it"),
    405: ("readonly", "the server does not let it be written"),
    409: ("invalid", "the server sees a conflict with another card"),
    413: ("invalid", "the card is too large for the server"),
    415: ("invalid", "the server takes no such card"),
    422: ("invalid", "the server takes it for no good card"),
    423: ("busy", "somebody has locked it"),
    429: ("busy", "too many requests"),
    507: ("busy", "the server has no room left"),
}
_UPDATE: Final[dict[int, tuple[Refusal, str]]] = {
    404: ("gone", "there is no such card"),
    410: ("gone", "there is no such card"),
    412: ("moved", "the card has changed"),
}
_CREATE: Final[dict[int, tuple[Refusal, str]]] = {
    404: ("busy", "the address book is not there"),
    409: ("exists", "a card with this UID is there"),
    410: ("busy", "the address book is not there"),
    412: ("exists", "a card is there already"),
}
STOPS: Final = frozenset({401, 429, 503, 507})
"""What holds for one write holds for the next: nothing more is sent in this batch."""


def refusal(reply: Reply, id_: str, origin: str, *, create: bool) -> Rejected | Unknown | None:
    """Read the answer; None: it was written."""
    if reply.status in {200, 201, 204}:
        if reply.status == 200 and "html" in reply.media_type and not reply.header(b"etag"):
            return Unknown(message="a page where an answer is expected; a login page or a proxy in between?")
        return None
    why, message = {**_REFUSALS, **(_CREATE if create else _UPDATE)}.get(reply.status, (None, ""))
    if why is None:
        return Unknown(message=f"an answer that was not expected ({reply.status})")
    existing = None
    if create and reply.status == 412:
        existing = id_
    elif create and reply.status == 409:
        existing = _conflicting(reply, origin)
    return Rejected(why=why, message=f"{message} ({reply.status})", existing=existing)


def strong_etag(reply: Reply) -> str | None:
    """Give an ETag that names exact octets (RFC 9110, 8.8.1), which are then those that were sent (9.3.4)."""
    etag = reply.header(b"etag")
    return etag if len(etag) > 1 and etag[0] == etag[-1] == '"' else None


def _conflicting(reply: Reply, origin: str) -> str | None:
    """Name the card in the way, where the server tells (RFC 6352, 6.3.2.1)."""
    try:
        href = tree(reply.body).findtext(f".//{D}href")
    except BadAnswer:
        return None
    return id_of(href, origin) if href else None
