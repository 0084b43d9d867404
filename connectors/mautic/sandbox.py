"""Mautic for contacts, in memory, over real HTTP, as its documents tell (no Mautic was looked at).

Kept: maps by id, totals as texts, offsets, a create that changes whom it finds, blanks that are ignored unless asked, contacts
without a date of change, anonymous visitors, do-not-contact marks by channel.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered, hmac_of

FIELDS: Final = frozenset(
    "email firstname lastname title company position phone mobile website address1 city state zipcode country loyalty".split()
)
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Refused(Refusal):
    def __init__(self, status: int, message: str, **details: list[str]) -> None:
        super().__init__(message)
        self.said = Said(status=status, doc={"errors": [{"code": status, "message": message, "details": details}]})


@dataclass(slots=True)
class Sandbox:
    """One Mautic."""

    login: tuple[str, str] = ("api", "secret")
    clock: Clock = field(default_factory=Clock)
    contacts: dict[int, dict[str, str]] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    """Who is not to be written to, and why."""
    added: dict[int, int] = field(default_factory=dict)
    modified: dict[int, int] = field(default_factory=dict)
    last: int = 0
    hook: tuple[str, str] | None = None
    """Where webhooks go, and what they are signed with; typed in by hand."""
    fresh: Fresh = field(default_factory=Fresh)

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, fields: dict[str, str]) -> str:
        self.last += 1
        self.contacts[self.last] = dict(fields)
        self.added[self.last] = self.clock.tick()
        return str(self.last)

    def edit(self, id_: str, fields: dict[str, str]) -> None:
        self.contacts[int(id_)] |= fields
        self.modified[int(id_)] = self.clock.tick()

    def delete(self, id_: str) -> None:
        del self.contacts[int(id_)]

    def mark(self, id_: str, reason: int) -> None:
        self.marks[int(id_)] = reason
        self.modified[int(id_)] = self.clock.tick()

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """A batch of the queue: each kind of event is a member of the body."""
        kinds = {"created": "save_new", "changed": "save_update", "deleted": "delete"}
        doc: dict[str, list[dict[str, Any]]] = {}
        stamps = {id_: self.modified.get(id_, self.added[id_]) for id_ in self.contacts}
        for id_, how in self.fresh.take(stamps):
            item = {"id": id_, "contact": {"id": None}} if how == "deleted" else {"contact": {"id": id_, "points": 0}}
            doc.setdefault(f"mautic.lead_post_{kinds[how]}", []).append(
                {**item, "timestamp": "2026-01-31T10:00:00+00:00"}
            )
        if not self.hook or not doc:
            return []
        body = orjson.dumps(doc)
        headers = {"Webhook-Signature": hmac_of(self.hook[1], body), "Content-Type": "application/json"}
        return [Letter(url=self.hook[0], headers=headers, body=body)]

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "bad request"))

    def _let_in_and_answer(self, asked: Asked, _: dict[str, str]) -> Said:
        self._let_in(asked)
        return self._answer(asked)

    def _let_in(self, asked: Asked) -> None:
        given = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if given != ":".join(self.login):
            raise Refused(401, "API authorization denied.")

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts[1:]:
            case "GET", ["contacts"]:
                return self._list(asked.query)
            case "GET", ["contacts", id_]:
                return Said(doc={"contact": self._shown(self._there(id_))})
            case "POST", ["contacts", "new"]:
                return self._new(asked.json())
            case "PATCH", ["contacts", id_, "edit"]:
                number, given = self._there(id_), asked.json()
                blanks = given.pop("overwriteWithBlank", False)
                self._sound(given)
                self.edit(id_, {name: value for name, value in given.items() if value or blanks})
                return Said(doc={"contact": self._shown(number)})
            case "DELETE", ["contacts", id_, "delete"]:
                shown = self._shown(self._there(id_))
                self.delete(id_)
                return Said(doc={"contact": {**shown, "id": None}})
            case "POST", ["contacts", id_, "dnc", "email", "add"]:
                self._there(id_)
                self.mark(id_, asked.json()["reason"])
                return Said(doc={"contact": self._shown(int(id_))})
        raise Refused(404, "Item was not found.")

    def _list(self, query: Any) -> Said:
        search = query.get("search", "")
        since = query.get("where[0][val][0][val]")
        assert since is None or query["where[0][expr]"] == "orX", "who was never changed would be left out"
        at = 0 if since is None else int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp())
        found = [
            id_
            for id_, fields in self.contacts.items()
            if (search != "!is:anonymous" or any(fields.get(name) for name in ("email", "firstname", "lastname")))
            and (not search.startswith("email:") or fields.get("email", "").lower() == search[6:].lower())
            and max(self.added[id_], self.modified.get(id_, 0)) // 1_000_000 >= at
        ]
        start, limit = int(query.get("start", 0)), int(query.get("limit", 30))
        page = {str(id_): self._shown(id_) for id_ in sorted(found)[start : start + limit]}
        return Said(doc={"total": str(len(found)), "contacts": page or []})

    def _there(self, id_: str) -> int:
        if not id_.isdecimal() or int(id_) not in self.contacts:
            raise Refused(404, "Item was not found.")
        return int(id_)

    def _new(self, given: dict[str, Any]) -> Said:
        self._sound(given)
        email = given.get("email", "").lower()
        there = next(
            (id_ for id_, each in self.contacts.items() if email and each.get("email", "").lower() == email), None
        )
        if there is not None:
            self.edit(str(there), {name: value for name, value in given.items() if value})
            return Said(doc={"contact": self._shown(there)})
        return Said(status=201, doc={"contact": self._shown(int(self.add(given)))})

    def _sound(self, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if name not in FIELDS or not isinstance(value, str):
                raise Refused(400, "no such field", **{name: ["This form should not contain extra fields."]})
        if given.get("email") and not EMAIL.fullmatch(given["email"]):
            raise Refused(400, "email: invalid", email=["The email is invalid."])

    def _shown(self, id_: int) -> dict[str, Any]:
        fields = {name: self.contacts[id_].get(name) or None for name in FIELDS}
        marks = [{"id": id_, "reason": self.marks[id_], "channel": "email"}] if id_ in self.marks else []
        dates = {
            "dateAdded": _iso(self.added[id_]),
            "dateModified": _iso(self.modified[id_]) if id_ in self.modified else None,
        }
        return {"id": id_, **dates, "fields": {"all": {"id": id_, **fields}}, "doNotContact": marks}


def _iso(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=us // 1_000_000)).isoformat()
