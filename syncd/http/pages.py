"""The pages of a listing: what the first request says, what an answer tells, what the next request says.

Knows no app and sends nothing: asking is a function that it is given. Hard rule: every walk is bounded and notices when it
stands still.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from syncd.errors import TransientError
from syncd.http.faults import Answer
from syncd.http.paths import Path, find, shown
from syncd.http.terms import Listing, Paging

_LINK: Final = re.compile(r"<([^<>]*)>((?:\s*;\s*[^,;]+)*)")
_NEXT: Final = re.compile(r'rel\s*=\s*"?[^"]*\bnext\b', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the next request says: values for {names}, or a whole target."""

    values: Mapping[str, Any]
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page as it came."""

    items: list[Any]
    answer: Answer
    last: bool


def walk(
    listing: Listing, values: Mapping[str, Any], ask: Callable[[Turn], Answer], place: str, origin: str
) -> Iterator[Sheet]:
    """Go through the pages, at least one. Raise TransientError where the answer is none, or the walk has no end."""
    page = listing.page
    turn: Turn | None = first(page, values)
    seen: set[object] = set()
    for _ in range(page.pages_max):
        assert turn is not None
        answer = ask(turn)
        items = items_of(listing, answer, place)
        turn = following(page, turn, answer, items, origin)
        yield Sheet(items=items, answer=answer, last=turn is None)
        if turn is None:
            return
        mark = turn.target or tuple(turn.values.get(name) for name in ("cursor", "offset", "page", "last"))
        if mark in seen:
            raise TransientError(f"{place}: the list stands still: the same next page again")
        seen.add(mark)
    raise TransientError(f"{place}: the list does not end after {page.pages_max} pages")


def first(page: Paging, values: Mapping[str, Any]) -> Turn:
    begin: dict[str, Any] = {**values, "size": page.size}
    if page.first is not None:
        begin["last" if page.by == "last" else "cursor"] = page.first.text(values)
    if page.by == "offset":
        begin["offset"] = page.start
    elif page.by == "number":
        begin["page"] = page.start
    return Turn(values=begin)


def items_of(listing: Listing, answer: Answer, place: str) -> list[Any]:
    if answer.status in listing.call.empty:
        return []
    found = find(answer.doc, listing.items.steps)
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return list(found.values()) if listing.items.steps else [found]
    if found is None and (
        _is_null(answer.doc, listing.items) or (listing.absent and _around(answer.doc, listing.items))
    ):
        return []
    hint = "; a login page or a proxy in between?" if "html" in answer.reply.media_type else ""
    raise TransientError(f"{place}: an answer without the list {listing.items.text}{hint}")


def _is_null(doc: Any, items: Path) -> bool:
    """Say whether null stands where a list is expected."""
    return isinstance(doc, dict) and len(items.steps) == 1 and items.steps[0] in doc


def _around(doc: Any, items: Path) -> bool:
    """Say whether the object is there in which the list would be."""
    return isinstance(find(doc, items.steps[:-1]), dict)


def following(page: Paging, turn: Turn, answer: Answer, items: list[Any], origin: str) -> Turn | None:
    """Say what the next request is; None after the last page."""
    if page.more is not None and not find(answer.doc, page.more.steps):
        return None
    if page.done is not None and find(answer.doc, page.done.steps):
        return None
    if page.by in {"cursor", "header"}:
        mark = answer.reply.header(page.header.lower().encode()) if page.by == "header" else _mark(page, answer)
        return Turn(values={**turn.values, "cursor": mark}) if mark else None
    if page.by in {"next_url", "link"}:
        url = _linked(answer) if page.by == "link" else _mark(page, answer)
        return Turn(values=turn.values, target=same_origin(url, origin)) if url else None
    if not page.by or not items or (page.short and len(items) < page.size):
        return None
    if page.by == "last":
        assert page.path is not None
        return Turn(values={**turn.values, "last": shown(find(items[-1], page.path.steps))})
    if page.by == "number":
        done = (turn.values["page"] - page.start + 1) * page.size
        return None if _reached(page, answer, done) else Turn(values={**turn.values, "page": turn.values["page"] + 1})
    done = turn.values["offset"] - page.start + len(items)
    return None if _reached(page, answer, done) else Turn(values={**turn.values, "offset": page.start + done})


def _mark(page: Paging, answer: Answer) -> str:
    assert page.path is not None
    return shown(find(answer.doc, page.path.steps))


def _reached(page: Paging, answer: Answer, done: int) -> bool:
    total = find(answer.doc, page.total.steps) if page.total else None
    if isinstance(total, str) and total.isdecimal() and len(total) < 18:
        total = int(total)
    return isinstance(total, int) and done >= total


def _linked(answer: Answer) -> str:
    for match in _LINK.finditer(answer.reply.header(b"link")):
        if _NEXT.search(match[2]):
            return match[1]
    return ""


def same_origin(url: str, origin: str) -> str:
    """Give the target of an address that a vendor sent; credentials go nowhere else."""
    try:
        parts = urlsplit(urljoin(f"{origin}/", url))
        port = parts.port
    except ValueError:
        raise TransientError("the next page has an address that cannot be read") from None
    ours = urlsplit(origin)
    default = {"https": 443, "http": 80}
    theirs = (parts.scheme, parts.hostname, port or default.get(parts.scheme))
    if theirs != (ours.scheme, ours.hostname, ours.port or default.get(ours.scheme)) or parts.username:
        raise TransientError("the next page is said to be at another origin, which is never asked")
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
