"""Xero Accounting, the contacts of one organisation, in memory, over real HTTP.

Kept: tokens that live half an hour and refresh tokens that are good once, page numbers, If-Modified-Since with whole
seconds, results with errors inside of 200, lists that are replaced whole, unique names, archived contacts, merges, limits.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered, hmac_of

PHONE_TYPES: Final = ("DDI", "DEFAULT", "FAX", "MOBILE")
ADDRESS_TYPES: Final = ("STREET", "POBOX")
LENGTHS: Final = {"Name": 255, "FirstName": 255, "LastName": 255, "EmailAddress": 255, "AccountNumber": 50}
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SCOPE: Final = "offline_access accounting.contacts accounting.settings.read"
MINUTE_US: Final = 60_000_000


NO_JSON = {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": "no JSON"}


class Refused(Refusal):
    def __init__(self, status: int, doc: Any, **headers: str) -> None:
        super().__init__(str(status))
        self.said = Said(status=status, doc=doc, headers=headers)


class Invalid(Exception):
    """One contact is refused; the text is the vendor's message."""


@dataclass(slots=True)
class Sandbox:
    """One organisation, and the place where tokens come from."""

    tenant: str = "4711"
    others: dict[str, str] = field(default_factory=dict)
    """More organisations that the person has let this client into: id -> name."""
    practices: dict[str, str] = field(default_factory=dict)
    """And what accountants have of their own."""
    clock: Clock = field(default_factory=Clock)
    a_minute: int = 0
    """Requests in a minute; 0: no limit."""
    step_seconds: float = 0.0
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)
    billed: dict[str, int] = field(default_factory=dict)
    """Invoice -> when it changed."""
    keys: dict[str, Said] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    last: int = 0
    hook: tuple[str, str] | None = None
    """Where webhooks go, and what they are signed with; typed in by hand."""
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.login = Authority(
            clock=self.clock,
            page="/identity/connect/authorize",
            endpoint="/connect/token",
            scope=SCOPE,
            life_seconds=1800,
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, fields: dict[str, Any]) -> str:
        self.last += 1
        id_ = str(uuid.UUID(int=self.last))
        self.contacts[id_] = {
            "ContactID": id_,
            "ContactStatus": "ACTIVE",
            "Phones": [_phone(kind) for kind in PHONE_TYPES],
            "Addresses": [{"AddressType": kind, "City": "", "Region": "", "PostalCode": "", "Country": ""} for kind in ADDRESS_TYPES],
            "IsCustomer": False,
        }  # fmt: skip
        self.edit(id_, fields)
        return id_

    def edit(self, id_: str, fields: dict[str, Any]) -> None:
        contact = self.contacts[id_]
        for name, value in fields.items():
            if name == "Phones":
                contact[name] = _whole(value, "PhoneType", [_phone(kind) for kind in PHONE_TYPES])
            else:
                contact[name] = value
        self.changed[id_] = self.clock.tick()

    def bill(self, contact: str, total: float, **fields: Any) -> str:
        """Somebody writes an invoice."""
        self.last += 1
        id_ = str(uuid.UUID(int=self.last))
        own = {"InvoiceID": id_, "Type": "ACCREC", "Status": "AUTHORISED", "Contact": {"ContactID": contact}, "Total": total,
               "AmountDue": total, "CurrencyCode": "EUR", "InvoiceNumber": f"INV-{self.last}"}  # fmt: skip
        self.invoices[id_] = {**own, "Date": f"/Date({self.clock.now_us // 1000}+0000)/"}
        self.rebill(id_, **fields)
        return id_

    def rebill(self, invoice: str, **fields: Any) -> None:
        """An invoice is paid, voided, changed."""
        self.invoices[invoice] |= fields
        self.billed[invoice] = self.clock.tick()

    def merge(self, winner: str, loser: str) -> None:
        self.edit(loser, {"ContactStatus": "ARCHIVED", "MergedToContactID": winner})

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        kinds = {"created": "CREATE", "changed": "UPDATE"}
        events = [
            {"resourceUrl": f"https://api.xero.com/api.xro/2.0/Contacts/{id_}", "resourceId": id_, "eventType": kinds[how],
             "eventDateUtc": "2026-01-31T10:00:00.000", "eventCategory": "CONTACT", "tenantId": self.tenant,
             "tenantType": "ORGANISATION"}
            for id_, how in self.fresh.take(self.changed)
        ]  # fmt: skip
        return [self.letter(events)] if self.hook and events else []

    def letter(self, events: list[dict[str, Any]], key: str = "") -> Letter:
        """Without events it asks whether signatures are looked at (the intent to receive): by right and by wrong ones."""
        assert self.hook is not None
        doc = {
            "events": events,
            "firstEventSequence": 1,
            "lastEventSequence": len(events),
            "entropy": str(self.clock.tick()),
        }
        body = orjson.dumps(doc)
        headers = {"x-xero-signature": hmac_of(key or self.hook[1], body), "Content-Type": "application/json"}
        return Letter(url=self.hook[0], headers=headers, body=body)

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        self.clock.pass_seconds(self.step_seconds)
        return answered(asked, self._token_or_answer, lambda: Refused(400, NO_JSON))

    def _token_or_answer(self, asked: Asked, _: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        if not self.login.good(bearer(asked)):
            raise Refused(401, {"Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired"})
        if (asked.method, asked.path) == ("GET", "/connections"):
            organisations = {self.tenant: "Demo Company", **self.others}
            practices = [_connection(*each, "PRACTICE") for each in self.practices.items()]
            return Said(doc=[*practices, *(_connection(*each, "ORGANISATION") for each in organisations.items())])
        self._let_in(asked)
        return self._answer(asked)

    def _let_in(self, asked: Asked) -> None:
        if asked.headers.get("xero-tenant-id") != self.tenant:
            raise Refused(403, {"Title": "Forbidden", "Status": 403, "Detail": "AuthenticationUnsuccessful"})
        if self.a_minute:
            self.sent = [at for at in self.sent if at > self.clock.now_us - MINUTE_US]
            if len(self.sent) >= self.a_minute:
                wait = (self.sent[0] + MINUTE_US - self.clock.now_us) // 1_000_000 + 1
                raise Refused(429, None, **{"Retry-After": str(wait), "X-Rate-Limit-Problem": "minute"})
            self.sent.append(self.clock.now_us)

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts[2:]:
            case "GET", ["Organisation"]:
                return Said(doc={"Organisations": [{"OrganisationID": f"org-{self.tenant}"}]})
            case "GET", ["Contacts"]:
                return self._list(asked)
            case "GET", ["Invoices"]:
                return self._bills(asked)
            case "GET", ["Contacts", id_] if id_ in self.contacts:
                return Said(doc={"Contacts": [self._shown(id_)]})
            case (("PUT" | "POST"), ["Contacts"]):
                key = asked.headers.get("idempotency-key", "")
                if key not in self.keys or not key:
                    self.keys[key] = self._write(asked)
                return self.keys[key]
        raise Refused(404, {"Title": "Not Found", "Status": 404})

    def _bills(self, asked: Asked) -> Said:
        query, second = asked.query, since_of(asked)
        whose = set(query["ContactIDs"].split(",")) if "ContactIDs" in query else None
        found = [
            {**each, "UpdatedDateUTC": f"/Date({self.billed[id_] // 1000}+0000)/"}
            for id_, each in self.invoices.items()
            if (whose is None or each["Contact"]["ContactID"] in whose) and self.billed[id_] // 1_000_000 > second
        ]
        size, page = min(int(query.get("pageSize", 100)), 1000), int(query["page"])
        return Said(doc={"Invoices": found[(page - 1) * size : page * size]})

    def _list(self, asked: Asked) -> Said:
        query, second = asked.query, since_of(asked)
        ids = set(query["IDs"].split(",")) if "IDs" in query else None
        term = query.get("searchTerm", "").lower()
        found = [
            id_
            for id_, contact in self.contacts.items()
            if (ids is None or id_ in ids)
            and (contact["ContactStatus"] == "ACTIVE" or query.get("includeArchived") == "true" or ids is not None)
            and self.changed[id_] // 1_000_000 > second
            and (not term or any(term in str(contact.get(name, "")).lower() for name in LENGTHS))
        ]
        size, page = min(int(query.get("pageSize", 100)), 1000), int(query["page"])
        rows = [self._shown(id_) for id_ in found[(page - 1) * size : page * size]]
        return Said(doc={"Contacts": rows, "pagination": {"page": page, "pageSize": size, "itemCount": len(found)}})

    def _write(self, asked: Asked) -> Said:
        rows = []
        for given in asked.json()["Contacts"]:
            try:
                rows.append({**self._shown(self._one(given, asked.method)), "StatusAttributeString": "OK"})
            except Invalid as error:
                errors = {"HasValidationErrors": True, "ValidationErrors": [{"Message": str(error)}]}
                rows.append({**given, **errors, "StatusAttributeString": "ERROR"})
        if asked.query.get("summarizeErrors") != "false":
            raise AssertionError("one bad contact would refuse them all")
        return Said(doc={"Contacts": rows})

    def _one(self, given: dict[str, Any], method: str) -> str:
        id_: str | None = given.get("ContactID") if method == "POST" else None
        if id_ is not None and id_ not in self.contacts:
            raise Invalid("The Contact could not be found, it may have been deleted or archived")
        there = {} if id_ is None else self.contacts[id_]
        if there and there["ContactStatus"] == "ARCHIVED" and given.get("ContactStatus") != "ACTIVE":
            raise Invalid("This contact is archived and cannot be changed")
        for name, length in LENGTHS.items():
            if not isinstance(given.get(name, ""), str) or len(given.get(name, "")) > length:
                raise Invalid(f"{name} is longer than {length} characters")
        if given.get("EmailAddress") and not EMAIL.fullmatch(given["EmailAddress"]):
            raise Invalid("Email address must be valid.")
        name = given.get("Name", there.get("Name", "")).strip().lower()
        if not name:
            raise Invalid("The contact name must be specified")
        for other, each in self.contacts.items():
            if other != id_ and each["ContactStatus"] == "ACTIVE" and each.get("Name", "").lower() == name:
                raise Invalid("The contact name is already assigned to another contact. It must be unique.")
        fields = {key: value for key, value in given.items() if key not in {"ContactID", "UpdatedDateUTC"}}
        if id_ is None:
            return self.add(fields)
        self.edit(id_, fields)
        return id_

    def _shown(self, id_: str) -> dict[str, Any]:
        ms = self.changed[id_] // 1000
        return {**self.contacts[id_], "UpdatedDateUTC": f"/Date({ms}+0000)/", "HasValidationErrors": False}


def since_of(asked: Asked) -> int:
    """Read the second after which it has to have changed."""
    since = asked.headers.get("if-modified-since")
    return -1 if since is None else int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp())


def _connection(tenant: str, name: str, kind: str) -> dict[str, str]:
    """One organisation, or practice, that a login is for (identity API)."""
    at = "2026-01-31T10:00:00.0000000"
    said = {"id": str(uuid.UUID(int=int(tenant))), "tenantId": tenant, "tenantType": kind, "tenantName": name}
    return {**said, "createdDateUtc": at, "updatedDateUtc": at}


def _phone(kind: str) -> dict[str, str]:
    return {"PhoneType": kind, "PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}


def _whole(given: list[dict[str, str]], key: str, blank: list[dict[str, str]]) -> list[dict[str, str]]:
    """Replace a list as Xero does: what is not sent is empty afterwards."""
    sent = {each[key]: each for each in given}
    return [{**each, **sent.get(each[key], {})} for each in blank]
