"""Freshdesk for contacts, in memory, over real HTTP, as far as its reviewers tell: Freshworks publishes no document.

Kept: plain lists with a Link header, the listings of deleted and blocked contacts, soft deletion behind which the record still
answers and can be changed, addresses that are unique over all addresses, clashes that name the contact, merges, limits by the
minute. What no document states is a field of the class.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from syncd.http.sandbox import Asked, Clock, Refusal, Said, answered

PAGE_MAX, PAGE_USUAL = 100, 30
TEXTS: Final = frozenset(
    "name email phone mobile job_title description address language time_zone unique_external_id".split()
)
LISTS: Final = frozenset({"tags", "other_emails"})
DEFAULTS: Final = ("name", "job_title", "email", "phone", "mobile", "description", "time_zone", "language")
REACHED: Final = ("email", "phone", "mobile", "unique_external_id")
"""One of these a new contact needs."""
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MINUTE_US: Final = 60_000_000
BLANK: Final[dict[str, Any]] = {
    **dict.fromkeys(TEXTS - {"language", "time_zone"}),
    "language": "en", "time_zone": "UTC", "tags": [], "other_emails": [], "company_id": None,
    "active": False, "deleted": False, "view_all_tickets": False, "custom_fields": {},
}  # fmt: skip


class Refused(Refusal):
    def __init__(self, status: int, code: str, field_: str = "", **headers: str) -> None:
        super().__init__(code)
        doc: dict[str, Any] = {"code": code, "message": code}
        if field_:
            doc = {"description": "Validation failed", "errors": [{"field": field_, "message": code, "code": code}]}
        self.said = Said(status=status, doc=doc, headers=headers)


@dataclass(slots=True)
class Sandbox:
    """One account."""

    api_key: str = "key"
    url: str = ""
    """How the account calls itself in the addresses that it gives."""
    clock: Clock = field(default_factory=Clock)
    a_minute: int = 0
    """Requests in a minute; 0: no limit."""
    lowers: bool = True
    """E-mail addresses are written in lower case (UNVERIFIED)."""
    prefix: str = "cf_"
    """What the names of an account's own fields begin with where they are defined."""
    bare: bool = True
    """A contact has them without it; that differs between accounts (UNVERIFIED)."""
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The account's own fields, by their names in a contact."""
    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)
    changed: dict[int, int] = field(default_factory=dict)
    last: int = 43_000_000_000
    sent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for label in ("First name", "Company", "Loyalty"):
            self.define(label)

    # What people do, behind the API's back --------------------------------------------------------------------------

    def define(self, label: str, type_: str = "text", choices: tuple[str, ...] = ()) -> str:
        """The admin makes a field; give its name in a contact."""
        name = label.lower().replace(" ", "_")
        made = {"name": f"{self.prefix}{name}", "label": label, "type": f"custom_{type_}", "default": False}
        key = name if self.bare else made["name"]
        self.own[str(key)] = {**made, **({"choices": list(choices)} if choices else {})}
        return str(key)

    def add(self, fields: Mapping[str, Any]) -> str:
        self.last += 13
        self.contacts[self.last] = {"id": self.last, **BLANK, "custom_fields": {}}
        self.edit(str(self.last), fields)
        return str(self.last)

    def edit(self, id_: str, fields: Mapping[str, Any]) -> None:
        contact = self.contacts[int(id_)]
        for name, value in fields.items():
            if name == "custom_fields":
                contact[name] = {**contact[name], **value}
            elif name == "email" and value and self.lowers:
                contact[name] = value.lower()
            else:
                contact[name] = value
        self.changed[int(id_)] = self.clock.tick()

    def delete(self, id_: str) -> None:
        self.edit(id_, {"deleted": True})

    def merge(self, kept: str, lost: str) -> None:
        """Whoever is lost is deleted, and its addresses are more of the other's."""
        more = [each for each in self._addresses(int(lost)) if each]
        self.edit(kept, {"other_emails": [*self.contacts[int(kept)]["other_emails"], *more]})
        self.edit(lost, {"email": None, "other_emails": [], "deleted": True})

    def _addresses(self, id_: int) -> list[str]:
        contact = self.contacts[id_]
        return [each for each in (contact["email"], *contact["other_emails"]) if each]

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "invalid_json"))

    def _let_in_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        self._let_in(asked, limits)
        return self._answer(asked)

    def _let_in(self, asked: Asked, limits: dict[str, str]) -> None:
        given = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if given.partition(":")[0] != self.api_key:
            raise Refused(401, "invalid_credentials")
        if not self.a_minute:
            return
        self.sent = [at for at in self.sent if at > self.clock.now_us - MINUTE_US]
        left = max(0, self.a_minute - len(self.sent) - 1)
        limits |= {"X-RateLimit-Total": str(self.a_minute), "X-RateLimit-Remaining": str(left)}
        limits["X-RateLimit-Used-CurrentRequest"] = "1"
        if len(self.sent) >= self.a_minute:
            wait = (self.sent[0] + MINUTE_US - self.clock.now_us) // 1_000_000 + 1
            raise Refused(429, "limit_exceeded", **{"Retry-After": str(wait)})
        self.sent.append(self.clock.now_us)  # what is refused counts too

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts[2:]:
            case "GET", ["contact_fields"]:
                return Said(doc=[*(_default(name) for name in DEFAULTS), *self.own.values()])
            case "GET", ["contacts"]:
                return self._list(asked)
            case "POST", ["contacts"]:
                return Said(status=201, doc=self._create(asked.json()))
            case "POST", ["contacts", "merge"]:
                doc = asked.json()
                for each in doc["secondary_contact_ids"]:
                    self.merge(str(doc["primary_contact_id"]), str(each))
                return Said(status=204)
            case "GET", ["contacts", id_]:
                return Said(doc=self._shown(self._there(id_)))
            case "PUT", ["contacts", id_]:
                return Said(doc=self._update(self._there(id_), asked.json()))
            case "DELETE", ["contacts", id_]:
                self._there(id_)
                self.delete(id_)
                return Said(status=204)
        raise Refused(404, "not_found")

    def _there(self, id_: str) -> int:
        if not id_.isdecimal() or int(id_) not in self.contacts:
            raise Refused(404, "not_found")
        return int(id_)

    def _list(self, asked: Asked) -> Said:
        query = asked.query
        page, size = int(query.get("page", 1)), int(query.get("per_page", PAGE_USUAL))
        if not 0 < size <= PAGE_MAX or page < 1:
            raise Refused(400, "invalid_value", "per_page")
        for name in query.keys() - {"page", "per_page", "state", "_updated_since", "email", "phone", "mobile"}:
            raise Refused(400, "invalid_field", name)
        found = [id_ for id_ in self.contacts if self._fits(id_, query)]
        shown = [self._shown(id_) for id_ in found[(page - 1) * size : page * size]]
        more = {}
        if len(found) > page * size:
            following = urlencode({**query, "page": page + 1})
            more = {"Link": f'<{self.url}/api/v2/contacts?{following}>; rel="next"'}
        return Said(doc=shown, headers=more)

    def _fits(self, id_: int, query: Mapping[str, str]) -> bool:
        contact = self.contacts[id_]
        state = "deleted" if contact["deleted"] else "blocked" if id_ in self.blocked else ""
        since = query.get("_updated_since")
        at = datetime.fromisoformat(since).timestamp() if since else 0
        return (
            state == query.get("state", "")
            and self.changed[id_] // 1_000_000 >= at
            and ("email" not in query or query["email"].lower() in self._addresses(id_))
            and all(contact[name] == query[name] for name in ("phone", "mobile") if name in query)
        )

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        self._sound(given, 0)
        if not given.get("name"):
            raise Refused(400, "missing_field", "name")
        if not any(given.get(name) for name in REACHED):
            raise Refused(400, "missing_field", "email")
        return self._shown(int(self.add(given)))

    def _update(self, id_: int, given: dict[str, Any]) -> dict[str, Any]:
        self._sound(given, id_)
        if "name" in given and not given["name"]:
            raise Refused(400, "invalid_value", "name")
        self.edit(str(id_), given)
        return self._shown(id_)

    def _sound(self, given: dict[str, Any], id_: int) -> None:
        for name, value in given.items():
            if name in TEXTS:
                sound = value is None or isinstance(value, str)
            elif name in LISTS:
                sound = isinstance(value, list) and all(isinstance(each, str) for each in value)
            elif name == "custom_fields":
                for each in value.keys() - self.own.keys():
                    raise Refused(400, "invalid_field", each)
                sound = all(_is_held(self.own[each], said) for each, said in value.items())
            else:
                raise Refused(400, "invalid_field", name)
            if not sound:
                raise Refused(400, "datatype_mismatch", name)
        self._free(given, id_)

    def _free(self, given: dict[str, Any], id_: int) -> None:
        email = given.get("email")
        if email and not ADDRESS.fullmatch(email):
            raise Refused(400, "invalid_value", "email")
        for other, contact in self.contacts.items():
            if other == id_:
                continue
            if email and email.lower() in self._addresses(other):
                raise _clash("email", other)
            for name in ("mobile", "unique_external_id"):
                if given.get(name) and given[name] == contact[name]:
                    raise _clash(name, other)

    def _shown(self, id_: int) -> dict[str, Any]:
        return {**self.contacts[id_], "created_at": _iso(0), "updated_at": _iso(self.changed[id_])}


def _default(name: str) -> dict[str, Any]:
    return {"name": name, "label": name.replace("_", " ").capitalize(), "type": f"default_{name}", "default": True}


def _is_held(own: Mapping[str, Any], value: Any) -> bool:
    """Say whether a field of the account's own takes this; a choice has to be one of its choices, to the letter."""
    if value is None:
        return True
    if "choices" in own:
        return value in own["choices"]
    kinds: dict[str, Any] = {"custom_checkbox": bool, "custom_number": int | float}
    return isinstance(value, kinds.get(own["type"], str)) and isinstance(value, bool) == (
        own["type"] == "custom_checkbox"
    )


def _clash(name: str, other: int) -> Refused:
    refused = Refused(409, "duplicate_value", name)
    refused.said.doc["errors"][0]["additional_info"] = {"user_id": other}
    return refused


def _iso(us: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=us // 1_000_000):%Y-%m-%dT%H:%M:%SZ}"
