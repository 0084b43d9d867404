"""What an answer that is no success means: the first rule that fits, and nothing else.

Pure. Hard rules: an answer that no rule knows is Unknown to a write; the vendor's own words are never repeated, only codes
that cannot hold a contact's value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from syncd.errors import AccessError, SyncdError, TransientError
from syncd.http.paths import find, shown
from syncd.http.replies import RETRY_AFTER_MAX, Overloaded, Reply, retry_after_seconds
from syncd.http.terms import Rule, Then
from syncd.model import Rejected, Result, Unknown

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_. -]{0,60}")
NOTHING_READ: Final[Any] = object()


@dataclass(slots=True)
class Answer:
    """One reply, its JSON read once."""

    reply: Reply
    again: bool = False
    """It was asked for more than once, and an earlier answer was lost: what it refuses may be our own doing."""
    _doc: Any = NOTHING_READ

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def doc(self) -> Any:
        """The JSON of it; None where there is none. `is_json` tells the difference to null."""
        if self._doc is NOTHING_READ:
            try:
                self._doc = orjson.loads(self.reply.body) if self.reply.body else None
            except ValueError:  # deeper than 1024 levels as well
                self._doc = None
        return self._doc

    @property
    def is_json(self) -> bool:
        return self.doc is not None or self.reply.body.strip() == b"null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What went wrong, in our words."""

    then: Then
    status: int
    code: str = ""
    message: str = ""
    field: str | None = None
    member: str = ""
    """What the vendor calls the member that is refused."""
    existing: str | None = None

    def text(self) -> str:
        said = f"{self.status}{f', {self.code}' if self.code else ''}"
        return f"{self.message} ({said})" if self.message else f"the app answers {said}"


def fault_of(answer: Answer, rules: Sequence[Rule]) -> Fault | None:
    """Judge a whole answer; None where it is a success."""
    return judge(answer.status, answer, rules)


def judge(status: int, answer: Answer, rules: Iterable[Rule], part: Any = NOTHING_READ) -> Fault | None:
    """Judge an answer, or one part of it (a result within a batch)."""
    good = 200 <= status < 300 or status == 304
    for rule in rules:
        if rule.status and status not in rule.status:
            continue
        if good and not rule.status and rule.at is None and not rule.header:
            continue
        doc = (answer.doc if part is NOTHING_READ else part) if rule.at or rule.existing or rule.field_at else None
        code = ""
        if rule.at is not None or rule.header:
            code = (
                answer.reply.header(rule.header) if rule.header else _code(find(doc, rule.at.steps if rule.at else ()))
            )
            if not _fits(rule, code):
                continue
        return _fault(rule, status, code, doc)
    if good:
        return None
    return Fault(then="later" if status >= 500 or status in {408, 425} else "unknown", status=status)


def _code(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if isinstance(value, dict) else shown(value)


def _fits(rule: Rule, code: str) -> bool:
    if rule.words and code not in rule.words:
        return False
    if rule.has:
        return rule.has in code.casefold()
    return bool(code)


def _fault(rule: Rule, status: int, code: str, doc: Any) -> Fault:
    member = find(doc, rule.field_at.steps) if rule.field_at else None
    if isinstance(member, list):
        member = member[0] if member else None
    existing = shown(find(doc, rule.existing.steps)) if rule.existing else ""
    if existing and rule.existing_in is not None:
        match = rule.existing_in.search(existing)
        existing = match[1] if match else ""
    return Fault(
        then=rule.then,
        status=status,
        code=code if _CODE.fullmatch(code) and not rule.has else "",
        message=rule.message,
        field=rule.field,
        member=member if isinstance(member, str) else "",
        existing=existing or None,
    )


def error_of(place: str, fault: Fault, answer: Answer, waits: Sequence[bytes], now: float) -> SyncdError:
    """Make the reaction to a read that failed."""
    text = f"{place}: {fault.text()}"
    if fault.then == "access":
        hint = "check the app's secrets" if fault.status == 401 else "check the rights of this account there"
        return AccessError(text if fault.message else f"{text}; {hint}")
    if fault.then == "busy" or fault.status >= 500 or fault.status in {408, 425}:
        return Overloaded(text, retry_after_seconds=wait_of(answer.reply, waits, now))
    if fault.then == "gone":
        return TransientError(f"{place}: nothing is there ({fault.status}); check the app's settings")
    html = "html" in answer.reply.media_type
    return TransientError(f"{text}; a login page or a proxy in between?" if html else text)


def wait_of(reply: Reply, headers: Sequence[bytes], now: float) -> float | None:
    """Read how long to wait: the longest that any of the headers says, at most five minutes."""
    found = []
    for name in headers:
        as_retry = Reply(
            reply.status,
            [(b"retry-after", reply.header(name).encode()), (b"date", reply.header(b"date").encode())],
            b"",
        )
        if (seconds := retry_after_seconds(as_retry, now)) is not None:
            found.append(min(seconds, RETRY_AFTER_MAX))
    return max(found, default=None)


def result_of(fault: Fault) -> Result:
    """Say what a fault means to one write."""
    if fault.then in {"unknown", "later"}:
        return Unknown(message=fault.text())
    if fault.then in {"access", "busy"}:
        return Rejected(why="busy", message=fault.text())
    assert fault.then in {"invalid", "exists", "moved", "gone", "readonly"}
    return Rejected(why=fault.then, message=fault.text(), field=fault.field, existing=fault.existing)
