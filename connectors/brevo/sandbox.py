"""Brevo for contacts, in memory, over real HTTP.

Kept: offsets over a list that is sorted by creation, answers without a body to every change, attributes and types that are
ignored without a word, unique addresses and numbers, a create that changes whom it finds if asked to, two buckets of limits,
webhooks without a signature. What no document states is a field of the class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered

LIMIT_MAX, LIMIT_USUAL = 1000, 50
USUAL: Final = ("FIRSTNAME", "LASTNAME", "SMS", "PHONE", "COMPANY", "LOYALTY")
EVENTS: Final = frozenset(
    "spam opened click hardBounce softBounce unsubscribed listAddition delivered contactUpdated contactDeleted".split()
)
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SMS: Final = re.compile(r"(\+|00)[1-9][0-9]{6,14}")
HOOKS_MAX, HOUR_US, SECOND_US = 40, 3_600_000_000, 1_000_000
STATISTICS: Final = ("messagesSent", "hardBounces", "softBounces", "complaints", "opened", "clicked", "delivered")


class Refused(Refusal):
    def __init__(self, status: int, code: str, **more: Any) -> None:
        super().__init__(code)
        self.said = Said(status=status, doc={"code": code, "message": code.replace("_", " "), **more})


@dataclass(slots=True)
class Contact:
    """One contact."""

    id: int
    created_us: int
    changed_us: int
    email: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocked: bool = False
    lists: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Sandbox:
    """One account."""

    api_key: str = "xkeysib"
    owner: str = "owner@example.com"
    clock: Clock = field(default_factory=Clock)
    a_second: int = 0
    """Requests about contacts in a second; 0: no limit."""
    an_hour: int = 100
    """All other requests in an hour."""
    blocking_counts: bool = True
    """Who is blocked has changed (UNVERIFIED)."""
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> attribute."""
    contacts: dict[int, Contact] = field(default_factory=dict)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    last: int = 0
    sent: dict[bool, list[int]] = field(default_factory=lambda: {True: [], False: []})
    fresh: Fresh = field(default_factory=Fresh)

    def __post_init__(self) -> None:
        for name in USUAL:
            self.define(name)
        self.define("POINTS", "float")

    # What people do, behind the API's back --------------------------------------------------------------------------

    def define(self, name: str, type_: str = "text", labels: tuple[str, ...] = (), *, category: str = "normal") -> None:
        """Make an attribute; one with labels is a category, and its values are numbers."""
        options = [{"value": n, "label": label} for n, label in enumerate(labels, 1)]
        kind = {"category": "category", "enumeration": options} if labels else {"category": category, "type": type_}
        self.own[name] = {"name": name, **kind}

    def add(self, email: str, attributes: Mapping[str, Any]) -> str:
        self.last += 1
        now_us = self.clock.tick()
        self.contacts[self.last] = Contact(id=self.last, created_us=now_us, changed_us=now_us, email=email.lower())
        self.edit(str(self.last), attributes)
        return str(self.last)

    def edit(self, id_: str, attributes: Mapping[str, Any]) -> None:
        """Change attributes; EMAIL is the address."""
        contact = self.contacts[int(id_)]
        for name, value in attributes.items():
            if name == "EMAIL":
                contact.email = (value or "").lower()
            elif value in (None, ""):
                contact.attributes.pop(name, None)
            else:
                contact.attributes[name] = digits(value) if name == "SMS" else value
        contact.changed_us = self.clock.tick()

    def block(self, id_: str) -> None:
        """Somebody unsubscribes from everything."""
        contact = self.contacts[int(id_)]
        contact.blocked = True
        if self.blocking_counts:
            contact.changed_us = self.clock.tick()

    def delete(self, id_: str) -> None:
        del self.contacts[int(id_)]

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """All that has gathered in one letter, as `batched` says; it names addresses, no contacts."""
        stamps = {id_: each.changed_us for id_, each in self.contacts.items()}
        events = []
        for id_, how in self.fresh.take(stamps):
            email = "" if how == "deleted" else self.contacts[id_].email
            kind = "contact_deleted" if how == "deleted" else "contact_updated"
            events.append({"id": 7, "event": kind, "email": email, "ts": self.clock.now_us // SECOND_US})
        if not events:
            return []
        headers = {"Content-Type": "application/json"}
        return [Letter(url=each["url"], headers=headers, body=orjson.dumps(events)) for each in self.webhooks]

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "bad_request"))

    def _let_in_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        if asked.headers.get("api-key") != self.api_key:
            raise Refused(401, "unauthorized")
        contacts = asked.parts[1] == "contacts"
        self._count(contacts, limits)
        return self._contacts(asked) if contacts else self._rest(asked)

    def _count(self, contacts: bool, limits: dict[str, str]) -> None:
        most, window_us = (self.a_second, SECOND_US) if contacts else (self.an_hour, HOUR_US)
        if not most:
            return
        sent = self.sent[contacts] = [at for at in self.sent[contacts] if at > self.clock.now_us - window_us]
        reset = (sent[0] + window_us - self.clock.now_us) // SECOND_US + 1 if sent else window_us // SECOND_US
        limits |= {
            "x-sib-ratelimit-limit": str(most),
            "x-sib-ratelimit-remaining": str(max(0, most - len(sent) - 1)),
            "x-sib-ratelimit-reset": str(reset),
        }
        if len(sent) >= most:
            raise Refused(429, "too_many_requests")
        sent.append(self.clock.now_us)

    def _contacts(self, asked: Asked) -> Said:
        match asked.method, asked.parts[2:]:
            case "GET", []:
                return self._list(asked.query)
            case "POST", []:
                return self._create(asked.json())
            case "GET", ["attributes"]:
                return Said(doc={"attributes": list(self.own.values())})
            case "GET", [name]:
                statistics: dict[str, list[Any]] = {each: [] for each in STATISTICS}
                return Said(doc={**self._shown(self._by(name)), "statistics": statistics})
            case "PUT", [name]:
                self._update(self._by(name), asked.json())
                return Said(status=204)
            case "DELETE", [name]:
                self.delete(str(self._by(name).id))
                return Said(status=204)
        raise Refused(405, "method_not_allowed")

    def _rest(self, asked: Asked) -> Said:
        match asked.method, asked.parts[1:]:
            case "GET", ["account"]:
                address = {"street": "", "city": "", "zipCode": "", "country": ""}
                names = {
                    "email": self.owner,
                    "companyName": "Shop",
                    "firstName": "",
                    "lastName": "",
                    "address": address,
                }
                data = {"userName": self.owner, "relay": "smtp-relay.brevo.com", "port": 587}
                return Said(doc={**names, "plan": [], "relay": {"enabled": False, "data": data}})
            case "GET", ["webhooks"]:
                return Said(
                    doc={"webhooks": [each for each in self.webhooks if each["type"] == asked.query.get("type")]}
                )
            case "POST", ["webhooks"]:
                return self._subscribe(asked.json())
        raise Refused(404, "document_not_found")

    def _list(self, query: Mapping[str, str]) -> Said:
        limit, offset = int(query.get("limit", LIMIT_USUAL)), int(query.get("offset", 0))
        if not 0 <= limit <= LIMIT_MAX:
            raise Refused(400, "out_of_range")
        since = query.get("modifiedSince")
        since_us = int(datetime.fromisoformat(since).timestamp() * SECOND_US) if since else 0
        found = [each for each in self.contacts.values() if each.changed_us // 1000 >= since_us // 1000]
        found.sort(key=lambda each: each.created_us, reverse=query.get("sort", "desc") == "desc")
        page = [self._shown(each) for each in found[offset : offset + limit]]
        return Said(doc={"contacts": page, "count": len(found)})

    def _by(self, name: str) -> Contact:
        for each in self.contacts.values():
            if name in {str(each.id), each.attributes.get("SMS") or "-"} or (each.email and name.lower() == each.email):
                return each
        raise Refused(404, "document_not_found")

    def _create(self, doc: dict[str, Any]) -> Said:
        attributes = {**doc.get("attributes", {}), **({"EMAIL": doc["email"]} if "email" in doc else {})}
        if not attributes.get("EMAIL") and not attributes.get("SMS"):
            raise Refused(400, "missing_parameter")
        known = self._sound(attributes, 0, doc.get("updateEnabled", False))
        there = self._there(attributes)
        contact = self.contacts[int(self.add("", {}))] if there is None else there
        self._set(contact, doc, known)
        return Said(status=201, doc={"id": contact.id}) if there is None else Said(status=204)

    def _there(self, attributes: Mapping[str, Any]) -> Contact | None:
        email, sms = str(attributes.get("EMAIL") or "").lower(), digits(attributes.get("SMS"))
        found = (
            each
            for each in self.contacts.values()
            if (email and each.email == email) or (sms and each.attributes.get("SMS") == sms)
        )
        return next(found, None)

    def _update(self, contact: Contact, doc: dict[str, Any]) -> None:
        known = self._sound(doc.get("attributes", {}), contact.id, False)
        left = {"EMAIL": contact.email, "SMS": contact.attributes.get("SMS"), **known}
        if not left["EMAIL"] and not left["SMS"]:
            raise Refused(400, "missing_parameter")
        self._set(contact, doc, known)

    def _set(self, contact: Contact, doc: dict[str, Any], known: dict[str, Any]) -> None:
        contact.lists = sorted({*contact.lists, *doc.get("listIds", [])} - {*doc.get("unlinkListIds", [])})
        if "emailBlacklisted" in doc:
            contact.blocked = doc["emailBlacklisted"]
        self.edit(str(contact.id), known)

    def _sound(self, attributes: Mapping[str, Any], id_: int, updates: bool) -> dict[str, Any]:
        """Give the attributes that are taken; the others are ignored without a word."""
        known = {
            name: value
            for name, value in attributes.items()
            if (name == "EMAIL" and isinstance(value, str)) or (name in self.own and held_by(self.own[name], value))
        }
        for name, shape in (("EMAIL", EMAIL), ("SMS", SMS)):
            if known.get(name) and not shape.fullmatch(str(known[name])):
                raise Refused(400, "invalid_parameter")
            there = self._there({name: known.get(name)})
            if there is not None and there.id != id_ and not updates:
                raise Refused(400, "duplicate_parameter", metadata={"duplicate_identifiers": [name]})
        return known

    def _subscribe(self, doc: dict[str, Any]) -> Said:
        if not EVENTS.issuperset(doc["events"]) or not doc["url"].startswith("http"):
            raise Refused(400, "invalid_parameter")
        if len(self.webhooks) >= HOOKS_MAX:
            raise Refused(400, "bad_request")
        at = iso(self.clock.tick())
        made = {
            "id": len(self.webhooks) + 1,
            "description": "",
            "type": "transactional",
            "createdAt": at,
            "modifiedAt": at,
        }
        self.webhooks.append({**made, **doc})
        return Said(status=201, doc={"id": made["id"]})

    def _shown(self, contact: Contact) -> dict[str, Any]:
        return {
            **({"email": contact.email} if contact.email else {}),
            "id": contact.id,
            "emailBlacklisted": contact.blocked,
            "smsBlacklisted": False,
            "createdAt": iso(contact.created_us),
            "modifiedAt": iso(contact.changed_us),
            "listIds": contact.lists,
            "attributes": contact.attributes,
        }


def digits(number: Any) -> Any:
    """Spell a number as Brevo shows it: its country code first, and no + (UNVERIFIED, but so in its own examples)."""
    return number.removeprefix("+").removeprefix("00") if isinstance(number, str) else number


def held_by(own: Mapping[str, Any], value: Any) -> bool:
    """Say whether an attribute takes this value; an empty text clears any (UNVERIFIED)."""
    if own["category"] == "category":
        return value == "" or value in {each["value"] for each in own["enumeration"]}
    if own["category"] != "normal":
        return False
    match own["type"]:
        case _ if value == "":
            return True
        case "float":
            return type(value) in {int, float}
        case "boolean":
            return isinstance(value, bool)
    return isinstance(value, str)


def iso(us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return f"{at.isoformat(timespec='milliseconds')[:-6]}Z"
