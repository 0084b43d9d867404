"""The API of yourapp, in memory: it does what the app does, and refuses what the app refuses.

Change it into yours with the documentation at hand. Where the documentation is silent, say so in a comment: UNVERIFIED.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.http.sandbox import Asked, Clock, Refusal, Said, answered

LENGTHS = {"first_name": 100, "last_name": 100, "company": 200, "phone": 50, "email": 254, "notes": 60_000}


class Refused(Refusal):
    """How the app says no."""

    def __init__(self, status: int, code: str, field: str = "") -> None:
        super().__init__(code)
        self.said = Said(status=status, doc={"error": {"code": code, "field": field}})


@dataclass(slots=True)
class Sandbox:
    """One account."""

    account: str = "a1"
    token: str = "token"  # noqa: S105 - a stand-in's
    clock: Clock = field(default_factory=Clock)
    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    last: int = 1000

    # What people do in it, without the API

    def add(self, fields: dict[str, Any]) -> str:
        self.last += 1
        self.contacts[self.last] = {"id": self.last, "source": "by hand"}
        self.edit(str(self.last), fields)
        return str(self.last)

    def edit(self, id_: str, fields: dict[str, Any]) -> None:
        now = datetime.fromtimestamp(self.clock.tick() / 1_000_000, UTC)
        self.contacts[int(id_)] |= {**fields, "updated_at": now.isoformat(timespec="seconds")}

    def delete(self, id_: str) -> None:
        self.edit(id_, {"deleted": True})

    # What the API does

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._answer, lambda: Refused(400, "bad_request"))

    def _answer(self, asked: Asked, headers: dict[str, str]) -> Said:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            raise Refused(401, "unauthorized")
        match asked.method, asked.parts:
            case "GET", ["me"]:
                return Said(doc={"account": self.account})
            case "GET", ["contacts"]:
                return self._list(asked.query)
            case "POST", ["contacts"]:
                id_ = self.add(self._checked(asked.json()))
                return Said(status=201, doc=self.contacts[int(id_)])
            case "GET", ["contacts", id_]:
                return Said(doc=self._there(id_))
            case "PATCH", ["contacts", id_]:
                self._there(id_)
                self.edit(id_, self._checked(asked.json()))
                return Said(doc=self._there(id_))
            case "DELETE", ["contacts", id_]:
                self._there(id_)
                self.delete(id_)
                return Said(status=204)
        raise Refused(404, "not_found")

    def _list(self, query: Any) -> Said:
        """Give contacts in the order of their ids; deleted ones only to those who ask for changes."""
        limit, after = min(int(query.get("limit", 25)), 100), int(query.get("after", 0))
        since = datetime.fromisoformat(query.get("updated_since", "1970-01-01T00:00:00+00:00"))
        found = [
            each
            for id_, each in self.contacts.items()
            if id_ > after
            and datetime.fromisoformat(each["updated_at"]) >= since
            and ("updated_since" in query or not each.get("deleted"))
            and query.get("email", "").lower() in {"", str(each.get("email")).lower()}
        ]
        page = found[:limit]
        return Said(doc={"contacts": page, "next": page[-1]["id"] if len(found) > limit else None})

    def _there(self, id_: str) -> dict[str, Any]:
        contact = self.contacts.get(int(id_)) if id_.isdecimal() else None
        if contact is None or contact.get("deleted"):
            raise Refused(404, "not_found")
        return contact

    def _checked(self, doc: dict[str, Any]) -> dict[str, Any]:
        for name, value in doc.items():
            if name not in LENGTHS or not isinstance(value, str | None) or len(value or "") > LENGTHS[name]:
                raise Refused(422, "invalid", name)
        return doc
