"""HubSpot CRM for contacts, in memory, over real HTTP: as honest as its documents allow.

Kept: paging and its maxima, the archived list, search with its cap and its lag, batches (whole refusals, 207 with errors by
context), answers that hold written properties only, unique addresses, read-only properties, merges, opt-outs by address,
rate limits with their headers. Behaviour that no document states is a field of the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Said, answered, hmac_of

from .properties import (
    ADDRESS,
    ALWAYS,
    DEFAULT,
    Contact,
    Refused,
    check,
    fits,
    iso,
    named,
    property_of,
    usual,
)

LIST_MAX, SEARCH_MAX, BATCH_MAX, CAP = 100, 200, 100, 10_000


@dataclass(slots=True)
class Sandbox:
    """One account."""

    portal: int = 4_711
    token: str = "token"  # noqa: S105 - a stand-in's
    clock: Clock = field(default_factory=Clock)
    burst: int = 0
    """Requests in ten seconds; 0: no limit."""
    lag_seconds: float = 0.0
    lowers: bool = True
    """E-mail addresses are written in lower case (UNVERIFIED)."""
    step_seconds: float = 0.0
    """So much time passes with each request."""
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> definition of a property that the account made."""
    deals: dict[int, tuple[dict[str, str], tuple[str, ...]]] = field(default_factory=dict)
    """Deal -> its properties, and the contacts that it belongs to."""
    contacts: dict[int, Contact] = field(default_factory=dict)
    by_email: dict[str, int] = field(default_factory=dict)
    opted_out: set[str] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)
    index: dict[int, dict[str, str]] = field(default_factory=dict)
    """What search finds."""
    waiting: list[tuple[int, int, dict[str, str] | None]] = field(default_factory=list)
    """(when, id, properties): what search does not know yet."""
    last: int = 100_000
    sent: list[int] = field(default_factory=list)
    hook: tuple[str, str] | None = None
    """Where webhooks go, and what they are signed with; typed in by hand."""
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.define("loyalty", "Loyalty")
        self.login = Authority(
            clock=self.clock,
            page="/oauth/authorize",
            endpoint="/oauth/v1/token",
            client_in="body",
            scope="crm.objects.contacts.read crm.objects.contacts.write communication_preferences.read_write",
            pkce=False,
            rotates=False,
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, properties: dict[str, str]) -> str:
        self.last += 51
        now_us = self.clock.tick()
        contact = Contact(id=self.last, properties={}, created_us=now_us, updated_us=now_us)
        self.contacts[contact.id] = contact
        self._set(contact, properties)
        return str(contact.id)

    def edit(self, id_: str, properties: dict[str, str]) -> None:
        self._set(self.contacts[int(id_)], properties)

    def deal(self, *contacts: str, **properties: str) -> None:
        """Somebody makes a deal with these contacts."""
        self.last += 51
        self.deals[self.last] = ({"createdate": iso(self.clock.tick()), **properties}, contacts)

    def define(self, name: str, label: str, type_: str = "string", shown_as: str = "text", **more: Any) -> None:
        """Make a property. `options`: value -> label; `read_only`; `calculated`."""
        self.own[name] = property_of(name, label, type_, shown_as, **more)

    def archive(self, id_: str) -> None:
        contact = self.contacts[int(id_)]
        contact.archived_us = contact.updated_us = self.clock.tick()
        self.by_email.pop(contact.properties.get("email", ""), None)
        self._later(contact.id, None)

    def merge(self, winner: str, loser: str) -> None:
        """The loser is gone, its address is one more of the winner's, and its id leads to the winner."""
        gone = self.contacts.pop(int(loser))
        kept = self.contacts[int(winner)]
        self.merged[gone.id] = kept.id
        self._later(gone.id, None)
        more = [each for each in kept.properties.get("hs_additional_emails", "").split(";") if each]
        if address := gone.properties.get("email"):
            more.append(address)
            self.by_email[address] = kept.id
        blanks = {name: value for name, value in gone.properties.items() if name not in kept.properties}
        kept.properties |= blanks | ({"hs_additional_emails": ";".join(more)} if more else {})
        self._touch(kept)

    def opt_out(self, address: str) -> None:
        self.opted_out.add(address.lower())
        if id_ := self.by_email.get(address.lower()):
            self._touch(self.contacts[id_])

    def _set(self, contact: Contact, properties: dict[str, str]) -> None:
        for name, value in properties.items():
            if name == "email":
                self.by_email.pop(contact.properties.get("email", ""), None)
                text = value.lower() if self.lowers else value
                if text:
                    self.by_email[text.lower()] = contact.id
                contact.properties[name] = text
            else:
                contact.properties[name] = value
        self._touch(contact)

    def _touch(self, contact: Contact) -> None:
        contact.updated_us = self.clock.tick()
        self._later(contact.id, self._all(contact))

    def _later(self, id_: int, properties: dict[str, str] | None) -> None:
        self.waiting.append((self.clock.now_us + int(self.lag_seconds * 1_000_000), id_, properties))

    def _all(self, contact: Contact) -> dict[str, str]:
        own = {
            "createdate": iso(contact.created_us),
            "lastmodifieddate": iso(contact.updated_us),
            "hs_object_id": str(contact.id),
        }
        address = contact.properties.get("email", "").lower()
        optout = {"hs_email_optout": "true"} if address in self.opted_out else {}
        return {**{name: value for name, value in contact.properties.items() if value != ""}, **own, **optout}

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """Up to 100 events in a letter, signed over method, address, body and time."""
        kinds = {"created": "creation", "changed": "propertyChange", "deleted": "deletion"}
        stamps = {each.id: each.updated_us for each in self.contacts.values() if not each.archived_us}
        events = [
            {"eventId": self.clock.tick(), "portalId": self.portal, "occurredAt": self.clock.now_us // 1000,
             "subscriptionType": f"contact.{kinds[how]}", "attemptNumber": 0, "objectId": id_, "changeSource": "CRM_UI"}
            for id_, how in self.fresh.take(stamps)
        ]  # fmt: skip
        return [self._letter(events[at : at + 100]) for at in range(0, len(events), 100)] if self.hook else []

    def _letter(self, events: list[dict[str, Any]]) -> Letter:
        assert self.hook is not None
        (url, key), body, at = self.hook, orjson.dumps(events), str(self.clock.now_us // 1000)
        signature = hmac_of(key, b"POST" + url.encode() + body + at.encode())
        headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": at}
        return Letter(url=url, headers={**headers, "Content-Type": "application/json"}, body=body)

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        self.clock.pass_seconds(self.step_seconds)
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "VALIDATION_ERROR", "Invalid input JSON"))

    def _let_in_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        self._let_in(asked, limits)
        return self._answer(asked)

    def _let_in(self, asked: Asked, limits: dict[str, str]) -> None:
        token = bearer(asked)
        if token != self.token and not self.login.good(token):
            raise Refused(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
        if not self.burst:
            return
        now_us = self.clock.now_us
        self.sent = [at for at in self.sent if at > now_us - 10_000_000]
        limits |= {
            "X-HubSpot-RateLimit-Max": str(self.burst),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.burst - len(self.sent) - 1)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        if len(self.sent) >= self.burst:
            raise Refused(429, "RATE_LIMITS", "You have reached your ten_secondly_rolling limit.", policyName="TEN_SECONDLY_ROLLING")  # fmt: skip
        self.sent.append(now_us)

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts:
            case "GET", ["account-info", "v3", "details"]:
                return Said(doc={"portalId": self.portal, "timeZone": "UTC"})
            case "POST", ["communication-preferences", "v4", "statuses", address, "unsubscribe-all"]:
                return self._unsubscribe(address, asked)
            case "GET", ["crm", "v3", "properties", "contacts"]:
                return Said(doc={"results": [*usual(), *self.own.values()]})
            case "GET", ["crm", "v3", "objects", "deals"]:
                return self._deals(asked.query)
            case method, ["crm", "v3", "objects", "contacts", *rest]:
                return self._objects(method, rest, asked)
        raise Refused(404, "OBJECT_NOT_FOUND")

    def _objects(self, method: str, rest: list[str], asked: Asked) -> Said:
        match method, rest:
            case "GET", []:
                return self._list(asked)
            case "POST", []:
                made = self._create(asked.json())
                return Said(status=201, doc=made)
            case "POST", ["search"]:
                return self._search(asked.json())
            case "POST", ["merge"]:
                doc = asked.json()
                self.merge(doc["primaryObjectId"], doc["objectIdToMerge"])
                return Said(doc=self._shown(self.contacts[int(doc["primaryObjectId"])], DEFAULT))
            case "POST", ["batch", kind]:
                return self._batch(kind, asked)
            case "GET", [id_]:
                contact = self._by(id_, asked.query.get("idProperty", ""))
                return Said(doc=self._shown(contact, named(asked.query.get("properties", ""))))
            case "PATCH", [id_]:
                return Said(doc=self._update(self._by(id_, ""), asked.json()["properties"]))
            case "DELETE", [id_]:
                self.archive(str(self._by(id_, "").id))
                return Said(status=204)
        raise Refused(405, "METHOD_NOT_ALLOWED")

    def _deals(self, query: Mapping[str, str]) -> Said:
        """Properties and associations are shown where they are asked for."""
        limit, after = int(query.get("limit", 10)), int(query.get("after", 0))
        wanted, ids = named(query.get("properties", "")), [id_ for id_ in sorted(self.deals) if id_ > after]
        rows = []
        for id_ in ids[:limit]:
            properties, contacts = self.deals[id_]
            there = {"contacts": {"results": [{"id": each, "type": "deal_to_contact"} for each in contacts]}}
            shown = {"associations": there} if contacts and query.get("associations") == "contacts" else {}
            rows.append(
                {"id": str(id_), "properties": {n: properties.get(n) for n in wanted}, "archived": False, **shown}
            )
        more = {"paging": {"next": {"after": str(ids[limit - 1])}}} if len(ids) > limit else {}
        return Said(doc={"results": rows, **more})

    def _list(self, asked: Asked) -> Said:
        limit = int(asked.query.get("limit", 10))
        if not 0 < limit <= LIST_MAX:
            raise Refused(400, "VALIDATION_ERROR", "limit")
        archived = asked.query.get("archived") == "true"
        after = int(asked.query.get("after", 0))
        ids = sorted(
            each.id for each in self.contacts.values() if bool(each.archived_us) == archived and each.id > after
        )
        page = [self._shown(self.contacts[id_], named(asked.query.get("properties", ""))) for id_ in ids[:limit]]
        more = {"paging": {"next": {"after": str(ids[limit - 1]), "link": "?"}}} if len(ids) > limit else {}
        return Said(doc={"results": page, **more})

    def _search(self, doc: dict[str, Any]) -> Said:
        limit, after = doc["limit"], int(doc["after"])
        if not 0 < limit <= SEARCH_MAX or after + limit > CAP or len(doc["filterGroups"]) > 5:
            raise Refused(400, "VALIDATION_ERROR", "search")
        self._catch_up()
        found = [
            id_
            for id_, properties in self.index.items()
            if any(all(fits(properties, each) for each in group["filters"]) for group in doc["filterGroups"])
        ]
        assert doc["sorts"] == ["hs_object_id"], "no other order is needed here"
        found.sort()
        page = found[after : after + limit]
        more = {"paging": {"next": {"after": str(after + limit)}}} if len(found) > after + limit else {}
        results = [self._object(id_, self.index[id_], doc["properties"]) for id_ in page]
        return Said(doc={"total": len(found), "results": results, **more})

    def _catch_up(self) -> None:
        """Let search know what is old enough."""
        while self.waiting and self.waiting[0][0] <= self.clock.now_us:
            _, id_, properties = self.waiting.pop(0)
            if properties is None:
                self.index.pop(id_, None)
            else:
                self.index[id_] = properties

    def _by(self, id_: str, property_: str) -> Contact:
        number = self.by_email.get(id_.lower()) if property_ == "email" else int(id_) if id_.isdecimal() else None
        contact = self.contacts.get(self.merged.get(number or 0, number or 0))
        if contact is None or contact.archived_us:
            raise Refused(404, "OBJECT_NOT_FOUND", "resource not found")
        return contact

    def _create(self, doc: dict[str, Any]) -> dict[str, Any]:
        properties = self._checked(doc["properties"], None)
        if not any(properties.get(name) for name in ("email", "firstname", "lastname")):
            raise Refused(400, "VALIDATION_ERROR", "one of email, firstname, lastname is needed")
        contact = self.contacts[int(self.add(properties))]
        trace = {"objectWriteTraceId": doc["objectWriteTraceId"]} if "objectWriteTraceId" in doc else {}
        return {**self._shown(contact, tuple(properties)), **trace}

    def _update(self, contact: Contact, properties: dict[str, Any]) -> dict[str, Any]:
        self._set(contact, self._checked(properties, contact))
        return self._shown(contact, tuple(properties))

    def _checked(self, properties: dict[str, Any], contact: Contact | None) -> dict[str, str]:
        for name, value in properties.items():
            check(name, value, self.own)
        address = properties.get("email", "").lower()
        there = self.by_email.get(address) if address else None
        if there is not None and (contact is None or there != contact.id):
            raise Refused(409, "CONFLICT", f"Contact already exists. Existing ID: {there}")
        return properties

    def _batch(self, kind: str, asked: Asked) -> Said:
        doc = asked.json()
        inputs = doc["inputs"]
        if len(inputs) > BATCH_MAX:
            raise Refused(400, "VALIDATION_ERROR", f"at most {BATCH_MAX} inputs")
        if kind == "archive":
            for each in inputs:
                if int(each["id"]) in self.contacts:
                    self.archive(each["id"])
            return Said(status=204)
        if kind == "create":
            self._all_sound(inputs)
            return self._told([self._create(each) for each in inputs], [], 201)
        found, missing = [], []
        for each in inputs:
            try:
                found.append((each, self._by(each["id"], "")))
            except Refused:
                missing.append(each)
        if kind == "read":
            return self._told([self._shown(each, tuple(doc["properties"])) for _, each in found], missing, 200)
        if kind == "update":
            for each, contact in found:
                self._checked(each["properties"], contact)
            return self._told([self._update(contact, each["properties"]) for each, contact in found], missing, 200)
        raise Refused(404, "OBJECT_NOT_FOUND")

    def _all_sound(self, inputs: list[dict[str, Any]]) -> None:
        """One that is wrong refuses them all."""
        seen: set[str] = set()
        for each in inputs:
            properties = self._checked(each["properties"], None)
            address = properties.get("email", "").lower()
            if address and address in seen:
                raise Refused(400, "VALIDATION_ERROR", "Duplicate email in batch")
            if not any(properties.get(name) for name in ("email", "firstname", "lastname")):
                raise Refused(400, "VALIDATION_ERROR", "one of email, firstname, lastname is needed")
            seen.add(address)

    def _told(self, results: list[dict[str, Any]], missing: list[dict[str, Any]], status: int) -> Said:
        now = iso(self.clock.now_us)
        doc: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if missing:
            error = {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some CONTACT objects, they may be deleted or not exist.",
                "context": {"ids": [each["id"] for each in missing]},
            }
            doc |= {"numErrors": len(missing), "errors": [error]}
        return Said(status=207 if missing else status, doc=doc)

    def _unsubscribe(self, address: str, asked: Asked) -> Said:
        if asked.query.get("channel") != "EMAIL" or not ADDRESS.fullmatch(address):
            raise Refused(400, "VALIDATION_ERROR", "channel or subscriber")
        self.opt_out(address)
        told = {"subscriberIdString": address, "channel": "EMAIL", "status": "UNSUBSCRIBED"}
        return Said(doc={"status": "COMPLETE", "results": [told]})

    def _shown(self, contact: Contact, wanted: tuple[str, ...]) -> dict[str, Any]:
        return self._object(contact.id, self._all(contact), wanted)

    def _object(self, id_: int, properties: dict[str, str], wanted: tuple[str, ...]) -> dict[str, Any]:
        contact = self.contacts.get(id_)
        archived = contact is not None and bool(contact.archived_us)
        return {
            "id": str(id_),
            "properties": {name: properties.get(name) for name in dict.fromkeys((*(wanted or DEFAULT), *ALWAYS))},
            "createdAt": properties["createdate"],
            "updatedAt": properties["lastmodifieddate"],
            "archived": archived,
            **({"archivedAt": iso(contact.archived_us)} if contact is not None and archived else {}),
        }
