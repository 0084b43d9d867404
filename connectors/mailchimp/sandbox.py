"""Mailchimp Marketing, the members of one audience, in memory, over real HTTP.

Kept: members by hash, address or contact_id; offsets over a moving list; whole seconds; archived members in their own
listing; the batch that answers 200 with errors; statuses that nobody but the person can undo. Behaviour that no document
states is a field of the class.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered, post

STATUSES: Final = frozenset({"subscribed", "unsubscribed", "cleaned", "pending", "transactional"})
CLOSED: Final = frozenset({"unsubscribed", "cleaned"})
TAGS: Final = {
    "FNAME": "First Name",
    "LNAME": "Last Name",
    "PHONE": "Phone Number",
    "COMPANY": "Company",
    "LOYALTY": "Loyalty",
}
"""Merge fields that every audience of ours has: texts."""
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
COUNT_MAX, BATCH_MAX, TEXT_MAX = 1000, 500, 255


class Refused(Refusal):
    def __init__(self, status: int, title: str, *fields: str) -> None:
        super().__init__(title)
        errors = [{"field": name, "message": "see the field"} for name in fields]
        doc = {"type": "about:blank", "title": title, "status": status, "detail": title, "instance": "0"}
        self.said = Said(
            status=status,
            doc={**doc, **({"errors": errors} if errors else {})},
            headers={"Content-Type": "application/problem+json"},
        )


@dataclass(slots=True)
class Member:
    """One member. `id` of the API is the hash of its address."""

    contact_id: str
    email: str
    status: str
    merge: dict[str, Any]
    language: str = ""
    changed_us: int = 0

    @property
    def hash(self) -> str:
        return hashed(self.email)


@dataclass(slots=True)
class Sandbox:
    """One account with one audience."""

    key: str = "key-us19"
    audience: str = "a1b2c3"
    clock: Clock = field(default_factory=Clock)
    step_seconds: float = 0.0
    """So much time passes with each request."""
    double_opt_in: bool = False
    """`subscribed` becomes `pending` by itself."""
    members: dict[str, Member] = field(default_factory=dict)
    """By contact_id."""
    forgotten: set[str] = field(default_factory=set)
    last: int = 0
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    by_api: dict[str, int] = field(default_factory=dict)
    """contact_id -> when it was changed by the API last, which webhooks may leave out."""
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Tag -> merge field."""
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        for tag, name in TAGS.items():
            self.define(tag, name)
        self.login = Authority(
            clock=self.clock,
            page="/oauth2/authorize",
            endpoint="/oauth2/token",
            client_in="body",
            pkce=False,
            life_seconds=0,
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, email: str, merge: dict[str, Any] | None = None, status: str = "subscribed") -> str:
        self.last += 1
        contact_id = hashlib.md5(str(self.last).encode(), usedforsecurity=False).hexdigest()
        self.members[contact_id] = Member(contact_id, email, status, dict(merge or {}), "", self.clock.tick())
        return contact_id

    def define(self, tag: str, name: str, type_: str = "text", choices: tuple[str, ...] = ()) -> None:
        """Make a merge field."""
        options = {"choices": list(choices)} if choices else {"size": 25}
        self.own[tag] = {"merge_id": len(self.own) + 1, "tag": tag, "name": name, "type": type_, "required": False,
                         "default_value": "", "public": False, "options": options, "list_id": self.audience}  # fmt: skip

    def edit(self, contact_id: str, **changes: Any) -> None:
        """Change email, status, language, or merge fields by their tags."""
        member = self.members[contact_id]
        for name, value in changes.items():
            if name in self.own:
                member.merge[name] = value
            else:
                setattr(member, name, value)
        member.changed_us = self.clock.tick()

    def delete_for_good(self, contact_id: str) -> None:
        self.forgotten.add(hashed(self.members.pop(contact_id).email))

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """A form for each change that somebody made by hand. Nothing is signed."""
        found = self.fresh.take({each.contact_id: each.changed_us for each in self.members.values()})
        changed = [(self.members[id_], how) for id_, how in found if id_ in self.members]
        return [
            self._letter(hook["url"], member, "subscribe" if how == "created" else "profile")
            for hook in self.webhooks
            for member, how in changed
            if hook["sources"]["api"] or self.by_api.get(member.contact_id) != member.changed_us
        ]

    def _letter(self, url: str, member: Member, kind: str) -> Letter:
        pairs = {"type": kind, "fired_at": "2026-01-31 10:00:00", "data[id]": member.hash[:10], "data[email]": member.email,
                 "data[merges][EMAIL]": member.email, "data[list_id]": self.audience}  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Letter(url=url, headers=headers, body=urlencode(pairs).encode())

    def _subscribe(self, doc: dict[str, Any]) -> Said:
        """The address is tried out before it is taken."""
        if post(Letter(url=doc["url"], headers={}, body=b""), "GET") != 200 or any(
            each["url"] == doc["url"] for each in self.webhooks
        ):
            raise Refused(400, "Invalid Resource", "url")
        self.webhooks.append({"id": str(len(self.webhooks) + 1), "list_id": self.audience, **doc})
        return Said(doc=self.webhooks[-1])

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        self.clock.pass_seconds(self.step_seconds)
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "Invalid Resource"))

    def _let_in_and_answer(self, asked: Asked, _: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        self._let_in(asked)
        return self._answer(asked)

    def _let_in(self, asked: Asked) -> None:
        import base64

        scheme, _, word = asked.headers.get("authorization", "").partition(" ")
        given = base64.b64decode(word).decode().partition(":")[2] if scheme == "Basic" else word
        if given != self.key and not self.login.good(bearer(asked)):
            raise Refused(401, "API Key Invalid")

    def _answer(self, asked: Asked) -> Said:
        parts = asked.parts
        if parts[:3] != ["3.0", "lists", self.audience]:
            raise Refused(404, "Resource Not Found")
        match asked.method, parts[3:]:
            case "GET", []:
                return Said(doc={"id": self.audience})
            case "POST", []:
                return self._batch(asked.json())
            case "GET", ["merge-fields"]:
                count, offset = int(asked.query.get("count", 10)), int(asked.query.get("offset", 0))
                if not 0 < count <= COUNT_MAX:
                    raise Refused(400, "Invalid Resource", "count")
                page = list(self.own.values())[offset : offset + count]
                return Said(doc={"merge_fields": page, "list_id": self.audience, "total_items": len(self.own)})
            case "GET", ["webhooks"]:
                return Said(
                    doc={"webhooks": self.webhooks, "list_id": self.audience, "total_items": len(self.webhooks)}
                )
            case "POST", ["webhooks"]:
                return self._subscribe(asked.json())
            case "GET", ["members"]:
                return self._list(asked)
            case "POST", ["members"]:
                return Said(doc=self._shown(self._create(asked.json())))
            case "GET", ["members", name]:
                return Said(doc=self._shown(self._by(name)))
            case "PATCH", ["members", name]:
                return Said(doc=self._shown(self._update(self._by(name), asked.json())))
            case "DELETE", ["members", name]:
                member = self._by(name)
                if member.status == "archived":
                    raise Refused(405, "Method Not Allowed")
                self.edit(member.contact_id, status="archived")
                return Said(status=204)
        raise Refused(405, "Method Not Allowed")

    def _list(self, asked: Asked) -> Said:
        query = asked.query
        count, offset = int(query.get("count", 10)), int(query.get("offset", 0))
        if not 0 <= count <= COUNT_MAX:
            raise Refused(400, "Invalid Resource", "count")
        status = query.get("status")
        since, before = _second(query.get("since_last_changed")), _second(query.get("before_last_changed"))
        found = [
            member
            for member in self.members.values()
            if (member.status == status if status else member.status != "archived")
            and (since is None or member.changed_us // 1_000_000 > since)
            and (before is None or member.changed_us // 1_000_000 < before)
        ]
        if query.get("sort_field") == "last_changed":
            found.sort(key=lambda member: member.changed_us // 1_000_000, reverse=query.get("sort_dir") == "DESC")
        page = [self._shown(member) for member in found[offset : offset + count]]
        wanted = [name.partition(".")[2] for name in query.get("fields", "").split(",") if name.startswith("members.")]
        if wanted:
            page = [{name: each[name] for name in wanted} for each in page]
        return Said(doc={"members": page, "total_items": len(found), **({} if wanted else {"list_id": self.audience})})

    def _by(self, name: str) -> Member:
        for member in self.members.values():
            if name in {member.contact_id, member.hash} or name.lower() == member.email.lower():
                return member
        raise Refused(404, "Resource Not Found")

    def _there(self, email: str) -> Member | None:
        return next((each for each in self.members.values() if each.email.lower() == email.lower()), None)

    def _create(self, doc: dict[str, Any]) -> Member:
        self._sound(doc)
        email, status = doc["email_address"], doc["status"]
        there = self._there(email)
        if there is not None and there.status != "archived":
            raise Refused(400, "Member Exists")
        if hashed(email) in self.forgotten:
            raise Refused(400, "Forgotten Email Not Subscribed")
        contact_id = self.add(email) if there is None else there.contact_id
        self._set(self.members[contact_id], {**doc, "status": status})
        return self.members[contact_id]

    def _update(self, member: Member, doc: dict[str, Any]) -> Member:
        self._sound(doc)
        email, status = doc.get("email_address"), doc.get("status")
        if status == "transactional":
            raise Refused(400, "Invalid Resource", "status")
        if status == "subscribed" and member.status in CLOSED:
            raise Refused(400, "Member In Compliance State")
        if email is not None and email.lower() != member.email.lower():
            if member.status == "cleaned":
                raise Refused(400, "Member In Compliance State")
            if self._there(email) is not None:
                raise Refused(400, "Member Exists")
        self._set(member, doc)
        return member

    def _sound(self, doc: dict[str, Any]) -> None:
        if "email_address" in doc and not ADDRESS.fullmatch(doc["email_address"]):
            raise Refused(400, "Invalid Resource", "email_address")
        if "status" in doc and doc["status"] not in STATUSES:
            raise Refused(400, "Invalid Resource", "status")
        for tag, value in doc.get("merge_fields", {}).items():
            if not held_by(self.own.get(tag, {"type": "text"}), value):
                raise Refused(400, "Invalid Resource", tag)

    def _set(self, member: Member, doc: dict[str, Any]) -> None:
        member.email = doc.get("email_address", member.email)
        status = doc.get("status", member.status)
        member.status = "pending" if status == "subscribed" != member.status and self.double_opt_in else status
        member.language = doc.get("language", member.language)
        known = {tag: value for tag, value in doc.get("merge_fields", {}).items() if tag in self.own}
        member.merge |= known  # tags that the audience does not have are dropped without a word
        member.changed_us = self.by_api[member.contact_id] = self.clock.tick()

    def _batch(self, doc: dict[str, Any]) -> Said:
        if len(doc["members"]) > BATCH_MAX:
            raise Refused(400, "Invalid Resource", "members")
        made, errors = [], []
        for each in doc["members"]:
            try:
                made.append(self._shown(self._create(each)))
            except Refused as refused:
                code = "ERROR_CONTACT_EXISTS" if str(refused) == "Member Exists" else "ERROR_GENERIC"
                errors.append({"email_address": each["email_address"], "error": str(refused), "error_code": code})
        counts = {"total_created": len(made), "total_updated": 0, "error_count": len(errors)}
        return Said(doc={"new_members": made, "updated_members": [], "errors": errors, **counts})

    def _shown(self, member: Member) -> dict[str, Any]:
        return {
            "id": member.hash,
            "contact_id": member.contact_id,
            "email_address": member.email,
            "status": member.status,
            "merge_fields": {tag: member.merge.get(tag, "") for tag in self.own},
            "language": member.language,
            "last_changed": _iso(member.changed_us),
            "list_id": self.audience,
        }


def held_by(own: dict[str, Any], value: Any) -> bool:
    """Say whether a merge field takes this value; an empty text clears any."""
    if value == "":
        return True
    if own["type"] == "number":
        return type(value) in {int, float}
    if not isinstance(value, str) or len(value.encode()) > 4 * TEXT_MAX:
        return False
    return "choices" not in own.get("options", {}) or value in own["options"]["choices"]


def hashed(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def _iso(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=us // 1_000_000)).isoformat()


def _second(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
