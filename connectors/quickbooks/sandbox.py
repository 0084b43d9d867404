"""QuickBooks Online, the customers of one company, in memory, over real HTTP.

Kept: a SyncToken that every change needs, sparse and whole updates, change capture that is cut at 1,000, answers without a
list where there is nothing, batches by bId, request ids, unique names, refresh tokens that are good once.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered, hmac_of

QUERY: Final = re.compile(r"select \* from Customer orderby Id startposition (\d+) maxresults (\d+)")
LENGTHS: Final = {"GivenName": 100, "FamilyName": 100, "CompanyName": 100, "DisplayName": 500}
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
CAPTURED, BATCH_MAX = 1000, 10


class Refused(Refusal):
    def __init__(self, status: int, code: str, kind: str = "ValidationFault") -> None:
        super().__init__(code)
        self.fault = {"Error": [{"Message": "see the code", "Detail": "see the code", "code": code}], "type": kind}
        self.said = Said(status=status, doc={"Fault": self.fault, "time": "0"})


@dataclass(slots=True)
class Sandbox:
    """One company, and the place where tokens come from."""

    realm: str = "4711"
    clock: Clock = field(default_factory=Clock)
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    requests: dict[str, Said] = field(default_factory=dict)
    captured_max: int = CAPTURED
    last: int = 0
    hook: tuple[str, str] | None = None
    """Where webhooks go, and what they are signed with; typed in by hand."""
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.login = Authority(
            clock=self.clock,
            page="/connect/oauth2",
            endpoint="/oauth2/v1/tokens/bearer",
            scope="com.intuit.quickbooks.accounting",
            pkce=False,
            life_seconds=3600,
            adds={"realmId": self.realm},
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, fields: dict[str, Any]) -> str:
        self.last += 1
        self.customers[self.last] = {"Id": str(self.last), "SyncToken": "0", "Active": True, **fields}
        self.changed[self.last] = self.clock.tick()
        return str(self.last)

    def edit(self, id_: str, fields: dict[str, Any]) -> None:
        customer = self.customers[int(id_)]
        for name, value in fields.items():
            customer[name] = {**customer.get(name, {}), **value} if isinstance(value, dict) else value
        customer["SyncToken"] = str(int(customer["SyncToken"]) + 1)
        self.changed[int(id_)] = self.clock.tick()

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """All that has gathered in one letter."""
        entities = [
            {"name": "Customer", "id": str(id_), "operation": "Create" if how == "created" else "Update", "lastUpdated": "2026-01-31T10:00:00Z"}
            for id_, how in self.fresh.take(self.changed)
        ]  # fmt: skip
        if not self.hook or not entities:
            return []
        entities.append({"name": "Invoice", "id": "1", "operation": "Create", "lastUpdated": "2026-01-31T10:00:00Z"})
        doc = {"eventNotifications": [{"realmId": self.realm, "dataChangeEvent": {"entities": entities}}]}
        body = orjson.dumps(doc)
        headers = {"intuit-signature": hmac_of(self.hook[1], body), "Content-Type": "application/json"}
        return [Letter(url=self.hook[0], headers=headers, body=body)]

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        return answered(asked, self._token_or_answer, lambda: Refused(400, "2010"))

    def _token_or_answer(self, asked: Asked, _: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        self._let_in(asked)
        return self._once(asked)

    def _let_in(self, asked: Asked) -> None:
        if not self.login.good(bearer(asked)):
            raise Refused(401, "3200", "AUTHENTICATION")
        if asked.parts[:3] != ["v3", "company", self.realm]:
            raise Refused(403, "3100", "AuthorizationFault")

    def _once(self, asked: Asked) -> Said:
        """Answer a request that carries an id the same way each time."""
        key = asked.query.get("requestid", "")
        if not key or key not in self.requests:
            self.requests[key] = self._answer(asked)
        return copy.deepcopy(self.requests[key])

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts[3:]:
            case "GET", ["query"]:
                return self._query(asked.query["query"])
            case "GET", ["cdc"]:
                since = datetime.fromisoformat(asked.query["changedSince"]).timestamp() * 1_000_000
                found = [self._shown(id_) for id_, at in self.changed.items() if at >= since][: self.captured_max]
                return Said(doc={"CDCResponse": [{"QueryResponse": [{"Customer": found} if found else {}]}]})
            case "GET", ["customer", id_]:
                if not id_.isdecimal() or int(id_) not in self.customers:
                    raise Refused(400, "610")
                return Said(doc={"Customer": self._shown(int(id_))})
            case "POST", ["customer"]:
                return Said(doc={"Customer": self._write(asked.json())})
            case "POST", ["batch"]:
                items = asked.json()["BatchItemRequest"]
                if len(items) > BATCH_MAX:
                    raise Refused(400, "1040")
                return Said(doc={"BatchItemResponse": [self._item(each) for each in reversed(items)]})
        raise Refused(404, "2020")

    def _query(self, text: str) -> Said:
        if text == "select count(*) from Customer":
            return Said(doc={"QueryResponse": {"totalCount": len(self.customers)}})
        match = QUERY.fullmatch(text)
        if match is None:
            raise Refused(400, "4000", "ValidationFault")
        start, most = int(match[1]) - 1, int(match[2])
        ids = [id_ for id_, each in sorted(self.customers.items()) if each["Active"]][start : start + most]
        rows = [self._shown(id_) for id_ in ids]
        return Said(doc={"QueryResponse": {"Customer": rows, "startPosition": start + 1} if rows else {}})

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"bId": item["bId"], "Customer": self._write(item["Customer"])}
        except Refused as refused:
            return {"bId": item["bId"], "Fault": refused.fault}

    def _write(self, given: dict[str, Any]) -> dict[str, Any]:
        id_ = int(given["Id"]) if "Id" in given else None
        if id_ is not None and (id_ not in self.customers or not self.customers[id_]["Active"]):
            raise Refused(400, "610")
        if id_ is not None and given.get("SyncToken") != self.customers[id_]["SyncToken"]:
            raise Refused(400, "5010")
        fields = {name: value for name, value in given.items() if name not in {"Id", "SyncToken", "sparse"}}
        self._sound(fields, id_)
        if id_ is None:
            return self._shown(int(self.add(fields)))
        if given.get("sparse") is not True:
            kept = {"Id", "SyncToken", "Active"}
            self.customers[id_] = {name: value for name, value in self.customers[id_].items() if name in kept}
        self.edit(str(id_), fields)
        return self._shown(id_)

    def _sound(self, fields: dict[str, Any], id_: int | None) -> None:
        for name, length in LENGTHS.items():
            if not isinstance(fields.get(name, ""), str) or len(fields.get(name, "")) > length:
                raise Refused(400, "2050")
        address = fields.get("PrimaryEmailAddr", {}).get("Address", "")
        if address and not EMAIL.fullmatch(address):
            raise Refused(400, "2210")
        name = fields.get("DisplayName", "").lower()
        if id_ is None and not name:
            raise Refused(400, "2020")
        for other, each in self.customers.items():
            if name and other != id_ and each.get("DisplayName", "").lower() == name:
                raise Refused(400, "6240")

    def _shown(self, id_: int) -> dict[str, Any]:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.changed[id_] // 1_000_000)
        customer = {name: value for name, value in self.customers[id_].items() if value not in ("", None)}
        return {**customer, "MetaData": {"LastUpdatedTime": at.isoformat()}, "domain": "QBO", "sparse": False}
