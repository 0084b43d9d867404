"""The contacts API of the tutorial, in memory, over real HTTP.

Contacts are free JSON objects; the server sets id, version, created_at and updated_at. `updated_at` strictly increases from
write to write over the whole server, `version` counts a contact's writes and is its ETag.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.http.sandbox import Asked, Clock, Refusal, Said, answered

OWN = ("id", "version", "created_at", "updated_at")
PAGE_MAX = 1000
BATCH_MAX = 100


class Refused(Refusal):
    def __init__(self, status: int, code: str, **headers: str) -> None:
        super().__init__(code)
        self.said = Said(status=status, doc={"error": {"code": code, "message": "see code"}}, headers=headers)


@dataclass(slots=True)
class Sandbox:
    """One account."""

    token: str = "token"  # noqa: S105 - a stand-in's
    clock: Clock = field(default_factory=Clock)
    rate: int = 0
    """Requests in a window of a second; 0: no limit."""
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    last: int = 100_000_000
    window: tuple[int, int] = (0, 0)

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, data: dict[str, Any]) -> str:
        self.last += 1
        id_ = str(self.last)
        at = self._now()
        own = {name: value for name, value in data.items() if name not in OWN}
        self._store({"id": id_, "version": 1, "created_at": at, "updated_at": at, **own})
        return id_

    def edit(self, id_: str, patch: dict[str, Any]) -> None:
        """Change a contact by a merge patch (RFC 7396)."""
        old = self.contacts[id_]
        new = merged(old, {name: value for name, value in patch.items() if name not in OWN})
        self._store({**new, "version": old["version"] + 1, "updated_at": self._now()})

    def delete(self, id_: str) -> None:
        version = self.contacts[id_]["version"] + 1
        self._store({"id": id_, "version": version, "deleted": True, "updated_at": self._now()})

    def _store(self, contact: dict[str, Any]) -> None:
        self.contacts.pop(contact["id"], None)
        self.contacts[contact["id"]] = contact  # the newest change comes last

    def _now(self) -> str:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.clock.tick())
        return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._count_and_answer, lambda: Refused(400, "bad_request"))

    def _count_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        self._count(limits)
        self._let_in(asked)
        return self._answer(asked)

    def _let_in(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(401, "unauthorized")

    def _count(self, limits: dict[str, str]) -> None:
        if not self.rate:
            return
        second = self.clock.now_us // 1_000_000
        used = self.window[1] if self.window[0] == second else 0
        self.window = (second, used + 1)
        left = (second + 1) - self.clock.seconds()
        limits["X-RateLimit-Limit"] = str(self.rate)
        limits["X-RateLimit-Remaining"] = str(max(0, self.rate - used - 1))
        limits["X-RateLimit-Reset"] = f"{left:.3f}"
        if used >= self.rate:
            raise Refused(429, "rate_limited", **{"Retry-After": "1"})

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts:
            case "GET", ["v1", "contacts"]:
                return self._list(asked)
            case "POST", ["v1", "contacts"]:
                return self._shown(self._create(asked.json(), asked.headers.get("idempotency-key")), 201)
            case "POST", ["v1", "contacts", "batch"]:
                operations = asked.json()["operations"]
                if len(operations) > BATCH_MAX:
                    raise Refused(413, "too_many")
                return Said(doc={"results": [self._operation(each) for each in operations]})
            case "POST", ["v1", "contacts", "batch", "read"]:
                ids = asked.json()["ids"]
                if len(ids) > BATCH_MAX:
                    raise Refused(413, "too_many")
                return Said(doc={"results": [self._read(str(id_)) for id_ in ids]})
            case "GET", ["v1", "contacts", id_]:
                return self._shown(self._there(id_))
            case "PATCH", ["v1", "contacts", id_]:
                return self._shown(self._update(id_, asked.json(), asked.headers.get("if-match")))
            case "DELETE", ["v1", "contacts", id_]:
                self._match(self._there(id_), asked.headers.get("if-match"))
                self.delete(id_)
                return Said(status=204)
        raise Refused(404, "not_found")

    def _list(self, asked: Asked) -> Said:
        if "email" in asked.query:
            wanted = asked.query["email"].lower()
            found = [each for each in self.contacts.values() if wanted in emails(each)]
            return Said(doc={"data": found, "has_more": False, "next_cursor": None})
        limit = min(int(asked.query.get("limit") or 100), PAGE_MAX)
        after = base64.urlsafe_b64decode(asked.query.get("cursor", "")).decode()
        since = asked.query.get("updated_since", "").replace("+00:00", "Z")
        deleted = asked.query.get("include_deleted") == "true"
        rows = [
            each
            for each in self.contacts.values()
            if each["updated_at"] > after
            and (after or each["updated_at"] >= since)
            and (deleted or not each.get("deleted"))
        ]
        page, more = rows[:limit], len(rows) > limit
        cursor = base64.urlsafe_b64encode(page[-1]["updated_at"].encode()).decode() if more else None
        return Said(doc={"data": page, "has_more": more, "next_cursor": cursor})

    def _there(self, id_: str) -> dict[str, Any]:
        contact = self.contacts.get(id_)
        if contact is None or contact.get("deleted"):
            raise Refused(404, "not_found")
        return contact

    def _read(self, id_: str) -> dict[str, Any]:
        contact = self.contacts.get(id_, {"deleted": True})
        return {"status": 404} if contact.get("deleted") else {"status": 200, "data": contact}

    def _create(self, data: Any, key: str | None) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise Refused(400, "bad_body")
        if key in self.keys:
            return self.contacts[self.keys[key]]
        id_ = self.add(data)
        if key:
            self.keys[key] = id_
        return self.contacts[id_]

    def _update(self, id_: str, patch: Any, if_match: str | None) -> dict[str, Any]:
        if not isinstance(patch, dict):
            raise Refused(400, "bad_body")
        self._match(self._there(id_), if_match)
        self.edit(id_, patch)
        return self.contacts[id_]

    def _match(self, contact: dict[str, Any], if_match: Any) -> None:
        if if_match not in {None, "", "*"} and str(if_match).strip('W/"') != str(contact["version"]):
            raise Refused(412, "changed")

    def _operation(self, operation: dict[str, Any]) -> dict[str, Any]:
        id_, data = str(operation.get("id")), operation.get("data")
        try:
            if operation.get("op") == "create":
                return {"status": 201, "data": self._create(data, operation.get("idempotency_key"))}
            if operation.get("op") == "update":
                return {"status": 200, "data": self._update(id_, data, operation.get("if_match"))}
            if operation.get("op") == "delete":
                self._match(self._there(id_), operation.get("if_match"))
                self.delete(id_)
                return {"status": 204}
        except Refused as refused:
            return {"status": refused.said.status, **refused.said.doc}
        return {"status": 400, "error": {"code": "bad_op", "message": "see code"}}

    def _shown(self, contact: dict[str, Any], status: int = 200) -> Said:
        return Said(status=status, doc=contact, headers={"ETag": f'"{contact["version"]}"'})


def emails(contact: dict[str, Any]) -> list[str]:
    return [str(each.get("value", "")).lower() for each in contact.get("emails") or []]


def merged(target: Any, patch: Any) -> Any:
    """Merge as RFC 7396 says."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made
