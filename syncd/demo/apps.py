"""The four apps of the demo, as their own people use them, and as they are looked into at the end.

Everything here goes around syncd: people change the sandboxes by hand. Each app takes people as rows (`mess`) and
shows what it holds as rows again, in its own words and spellings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

from syncd.demo.mess import Row
from syncd.demo.servers import Vendor
from syncd.http.sandbox import Asked

HUBSPOT: Final = {
    "email": "email",
    "first_name": "firstname",
    "last_name": "lastname",
    "phone": "phone",
    "company": "company",
    "job_title": "jobtitle",
    "street": "address",
    "postal_code": "zip",
    "city": "city",
    "country": "country",
}
MAILCHIMP: Final = {"first_name": "FNAME", "last_name": "LNAME", "phone": "PHONE"}
XERO: Final = {"email": "EmailAddress", "first_name": "FirstName", "last_name": "LastName"}
XERO_ADDRESS: Final = {"street": "AddressLine1", "postal_code": "PostalCode", "city": "City", "country": "Country"}
ZENDESK: Final = {"company": "company", "job_title": "job_title", "first_name": "first_name", "last_name": "last_name",
                  "email_consent": "newsletter"}  # fmt: skip
"""What the helpdesk keeps in user fields of its own."""


class App(Protocol):
    """What all four have in common."""

    vendor: Vendor

    @property
    def holds(self) -> frozenset[str]:
        """Fields that it has at all."""

    @property
    def opted_out(self) -> frozenset[str]:
        """Its words for an opt-out; none where it keeps no consent."""

    def fill(self, rows: Iterable[Row]) -> int:
        """Let its people type in what there is; give the number of records."""

    def rows(self) -> list[Row]:
        """Give what it holds now, everybody who is not archived."""

    def unmapped(self) -> dict[str, object]:
        """Give what syncd was never told of, by the id of the record, of those that were there first."""


class Crm:
    """HubSpot."""

    holds: Final[frozenset[str]] = frozenset({*HUBSPOT, "email_consent"})
    opted_out: Final[frozenset[str]] = frozenset({"opted_out"})

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._hub: Any = vendor.sandbox
        self._first: list[int] = []

    def fill(self, rows: Iterable[Row]) -> int:
        for number, row in enumerate(rows):
            properties = {HUBSPOT[name]: text for name, text in row.items() if name in HUBSPOT}
            self._hub.add({**properties, "loyalty": ("gold", "silver")[number % 2]})
            if "email_consent" in row:
                self._hub.opt_out(row["email"])
        self._first = sorted(self._hub.contacts)
        return len(self._hub.contacts)

    def rows(self) -> list[Row]:
        """Give all contacts; HubSpot keeps opt-outs by address."""
        with self.vendor.lock:
            held = [dict(each.properties) for each in self._hub.contacts.values() if not each.archived_us]
            out = set(self._hub.opted_out)
        return [
            {name: each[called] for name, called in HUBSPOT.items() if each.get(called)}
            | ({"email_consent": "opted_out"} if each.get("email", "").lower() in out else {})
            for each in held
        ]

    def edit(self, email: str, **fields: str) -> None:
        """Type something into a contact."""
        with self.vendor.lock:
            self._hub.edit(self._id(email), {HUBSPOT[name]: text for name, text in fields.items()})

    def merge(self, kept: str, lost: str) -> None:
        """Merge two contacts, named by their addresses."""
        with self.vendor.lock:
            self._hub.merge(self._id(kept), self._id(lost))

    def unmapped(self) -> dict[str, object]:
        contacts = self._hub.contacts
        return {str(id_): contacts[id_].properties["loyalty"] for id_ in self._first if id_ in contacts}

    def _id(self, email: str) -> str:
        return str(self._hub.by_email[email.lower()])


class News:
    """Mailchimp."""

    holds: Final[frozenset[str]] = frozenset({*MAILCHIMP, "email", "email_consent"})
    opted_out: Final[frozenset[str]] = frozenset({"unsubscribed"})

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._chimp: Any = vendor.sandbox
        self._first: list[str] = []

    def fill(self, rows: Iterable[Row]) -> int:
        for row in rows:
            self.join(row)
        self._first = list(self._chimp.members)
        return len(self._chimp.members)

    def join(self, row: Row) -> None:
        """Somebody fills in the form."""
        merge = {MAILCHIMP[name]: text for name, text in row.items() if name in MAILCHIMP}
        with self.vendor.lock:
            self._chimp.add(row["email"], {**merge, "LOYALTY": "fair 2019"}, row.get("email_consent", "subscribed"))

    def leave(self, email: str) -> None:
        """Somebody clicks on the link below the newsletter."""
        with self.vendor.lock:
            self._chimp.edit(self._id(email), status="unsubscribed")

    def edit(self, email: str, **fields: str) -> None:
        """A member changes what is known of them."""
        with self.vendor.lock:
            self._chimp.edit(self._id(email), **{MAILCHIMP[name]: text for name, text in fields.items()})

    def rows(self) -> list[Row]:
        with self.vendor.lock:
            members = [(each.email, each.status, dict(each.merge)) for each in self._chimp.members.values()]
        return [
            {"email": email, "email_consent": status}
            | {name: merge[tag] for name, tag in MAILCHIMP.items() if merge.get(tag)}
            for email, status, merge in members
            if status != "archived"
        ]

    def unmapped(self) -> dict[str, object]:
        return {id_: self._chimp.members[id_].merge["LOYALTY"] for id_ in self._first}

    def _id(self, email: str) -> Any:
        return next(id_ for id_, each in self._chimp.members.items() if each.email.lower() == email.lower())


class Books:
    """Xero. A number has three parts there, a|b|c in rows."""

    holds: Final[frozenset[str]] = frozenset({*XERO, *XERO_ADDRESS, "phone"})
    opted_out: Final[frozenset[str]] = frozenset()

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._xero: Any = vendor.sandbox
        self._first: list[str] = []

    def fill(self, rows: Iterable[Row]) -> int:
        for number, row in enumerate(rows):
            fields = {XERO[name]: text for name, text in row.items() if name in XERO}
            name = f"{row['first_name']} {row['last_name']} {number}"
            made = {"Name": name, "AccountNumber": f"D{number:05}", "IsCustomer": True, **fields}
            if "phone" in row:
                made["Phones"] = [_three_parts(row["phone"])]
            if "street" in row:
                address = {called: row[name] for name, called in XERO_ADDRESS.items()}
                made["Addresses"] = [{"AddressType": "STREET", **address}]
            self._xero.add(made)
        self._first = list(self._xero.contacts)
        return len(self._first)

    def rows(self) -> list[Row]:
        with self.vendor.lock:
            contacts = [each for each in self._xero.contacts.values() if each["ContactStatus"] == "ACTIVE"]
            return [_xero_row(each) for each in contacts]

    def call(self, email: str, phone: str) -> None:
        """The accountant gets to know another number."""
        with self.vendor.lock:
            [id_] = self._ids(email)
            self._xero.edit(id_, {"Phones": [_three_parts(phone)]})

    def merge_doubles(self, email: str) -> None:
        """Merge who was entered twice into the first of them."""
        with self.vendor.lock:
            kept, lost = self._ids(email)
            self._xero.merge(kept, lost)

    def use_up(self, seconds: float) -> None:
        """Let another program spend the whole minute's requests just before the next one comes; so many seconds are left."""

        def spend(_: Asked) -> None:
            clock, most = self._xero.clock, self._xero.a_minute
            self._xero.sent = [clock.now_us - int((60 - seconds) * 1_000_000)] * most
            self.vendor.server.before = lambda _: None

        self.vendor.server.before = spend

    def unmapped(self) -> dict[str, object]:
        contacts = self._xero.contacts
        return {id_: (contacts[id_]["Name"], contacts[id_]["IsCustomer"]) for id_ in self._first}

    def _ids(self, email: str) -> list[str]:
        return [
            id_
            for id_, each in self._xero.contacts.items()
            if each["ContactStatus"] == "ACTIVE" and each.get("EmailAddress", "").lower() == email.lower()
        ]


def _three_parts(phone: str) -> dict[str, str]:
    code, area, number = phone.split("|")
    return {"PhoneType": "DEFAULT", "PhoneCountryCode": code, "PhoneAreaCode": area, "PhoneNumber": number}


def _xero_row(contact: Any) -> Row:
    row = {name: contact[called] for name, called in XERO.items() if contact.get(called)}
    for phone in contact["Phones"]:
        parts = [phone[part] for part in ("PhoneCountryCode", "PhoneAreaCode", "PhoneNumber") if phone.get(part)]
        if phone["PhoneType"] == "DEFAULT" and parts:
            row["phone"] = " ".join(parts)
    for address in contact["Addresses"]:
        if address["AddressType"] == "STREET":
            row |= {name: address[called] for name, called in XERO_ADDRESS.items() if address.get(called)}
    return row


class Desk:
    """Zendesk."""

    holds: Final[frozenset[str]] = frozenset({*ZENDESK, "email", "phone"})
    opted_out: Final[frozenset[str]] = frozenset({"no", "no thanks"})

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._desk: Any = vendor.sandbox
        self._first: list[int] = []

    def fill(self, rows: Iterable[Row]) -> int:
        for number, row in enumerate(rows):
            name = " ".join(row[part] for part in ("first_name", "last_name") if part in row)
            own = {key: row[field] for field, key in ZENDESK.items() if field in row}
            fields = {"name": name, "external_id": f"old-desk-{number}", "user_fields": own}
            self._desk.add(fields | {field: row[field] for field in ("email", "phone") if field in row})
        self._first = list(self._desk.users)
        return len(self._first)

    def rows(self) -> list[Row]:
        with self.vendor.lock:
            users = [each for each in self._desk.users.values() if each["active"]]
            return [
                {field: each[field] for field in ("email", "phone") if each.get(field)}
                | {field: each["user_fields"][key] for field, key in ZENDESK.items() if each["user_fields"].get(key)}
                for each in users
            ]

    def edit(self, email: str, **fields: str) -> None:
        """An agent types something into a user."""
        with self.vendor.lock:
            id_ = next(id_ for id_, each in self._desk.users.items() if each["email"] == email.lower())
            own = {ZENDESK[name]: text for name, text in fields.items() if name in ZENDESK}
            rest = {name: text for name, text in fields.items() if name not in ZENDESK}
            self._desk.edit(str(id_), rest | ({"user_fields": own} if own else {}))

    def unmapped(self) -> dict[str, object]:
        users = self._desk.users
        return {str(id_): (users[id_]["external_id"], users[id_]["notes"]) for id_ in self._first}
