"""Pipedrive for persons, in memory, over real HTTP.

Kept: cursors, stamps of seconds, lists that are replaced whole, addresses that are there twice, search with its lag, answers to
writes that leave things out, a marketing status that changes once and is silent about the rest, soft deletion, merges, limits by
requests and by tokens, webhooks without a signature. What no document states is a field of the class.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Refusal, Said, answered

LIMIT_MAX, LIMIT_USUAL, IDS_MAX = 500, 100, 100
PLAIN: Final = frozenset({"name", "job_title", "notes", "birthday"})
STATUSES: Final = frozenset({"no_consent", "unsubscribed", "subscribed", "archived"})
FIRST_NAME, COMPANY, LOYALTY = "a" * 40, "b" * 40, "c" * 40
"""Custom fields that every company of ours has: texts."""
TEXTS: Final = frozenset({"varchar", "text", "phone", "date", "time", "varchar_auto"})
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
BURST_US, DAY_US, SECOND_US = 2_000_000, 86_400_000_000, 1_000_000
COSTS: Final = {"GET": 10, "POST": 5, "PATCH": 5, "DELETE": 3}


class Refused(Refusal):
    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.said = Said(status=status, doc={"success": False, "error": error, "code": error}, headers=headers)


@dataclass(slots=True)
class Person:
    """One person. `settled`: the marketing status has been changed, and cannot be any more."""

    id: int
    changed_us: int
    fields: dict[str, Any]
    status: str = "no_consent"
    settled: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Sandbox:
    """One company, and the place where tokens come from."""

    company: int = 4711
    token: str = "token"  # noqa: S105 - a stand-in's
    clock: Clock = field(default_factory=Clock)
    lag_seconds: float = 0.0
    """Of search."""
    step_seconds: float = 0.0
    """So much time passes with each request."""
    burst: int = 0
    """Requests in two seconds; 0: no limit."""
    tokens: int = 0
    """Of the day; 0: no limit."""
    deleted_answer: bool = True
    """Who is deleted still answers to the id, and says so (UNVERIFIED)."""
    persons: dict[int, Person] = field(default_factory=dict)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> definition of a custom field."""
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    last: int = 0
    sent: list[int] = field(default_factory=list)
    spent: int = 0
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        for key, name in ((FIRST_NAME, "First name"), (COMPANY, "Company"), (LOYALTY, "Loyalty")):
            self.define(name, key=key)
        self.login = Authority(
            clock=self.clock,
            page="/oauth/authorize",
            endpoint="/oauth/token",
            pkce=False,
            rotates=False,
            life_seconds=3600,
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, fields: Mapping[str, Any]) -> str:
        self.last += 1
        own: dict[str, Any] = {"name": "", "emails": [], "phones": [], "custom_fields": {}}
        self.persons[self.last] = Person(id=self.last, changed_us=0, fields=own)
        self.edit(str(self.last), fields)
        return str(self.last)

    def define(self, name: str, type_: str = "varchar", options: tuple[str, ...] = (), *, key: str = "") -> str:
        """Make a custom field; give the key that the company gives it."""
        key = key or hashlib.sha1(f"{self.company} {name} {len(self.own)}".encode(), usedforsecurity=False).hexdigest()
        first = 1 + sum(len(each["options"] or ()) for each in self.own.values())
        there = [{"id": first + n, "label": label, "color": None} for n, label in enumerate(options)] or None
        self.own[key] = field_of(name, key, type_, there, custom=True)
        return key

    def edit(self, id_: str, fields: Mapping[str, Any]) -> None:
        person = self.persons[int(id_)]
        for name, value in fields.items():
            if name == "custom_fields":
                held = {**person.fields[name], **value}
                person.fields[name] = {key: each for key, each in held.items() if each is not None}
            elif name in {"emails", "phones"}:
                person.fields[name] = with_primary(value)
            elif value is None:
                person.fields.pop(name, None)
            else:
                person.fields[name] = value
        person.changed_us = self.clock.tick()

    def set_status(self, id_: str, status: str) -> None:
        """What a person says counts, whatever has been before."""
        person = self.persons[int(id_)]
        person.status, person.settled = status, True
        person.changed_us = self.clock.tick()

    def delete(self, id_: str) -> None:
        self.persons[int(id_)].deleted = True
        self.edit(id_, {})

    def merge(self, winner: str, loser: str) -> None:
        """The winner's fields count, and the loser's addresses are added."""
        gone, kept = self.persons.pop(int(loser)), self.persons[int(winner)]
        more = {
            name: [*kept.fields[name], *({**each, "primary": False} for each in gone.fields[name])]
            for name in ("emails", "phones")
        }
        self.edit(str(kept.id), {**{n: v for n, v in gone.fields.items() if n not in kept.fields}, **more})

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """One for each event, with what the person is now and was before; nothing is signed."""
        stamps = {id_: each.changed_us for id_, each in self.persons.items() if not each.deleted}
        actions = {"created": "create", "changed": "change", "deleted": "delete"}
        letters = []
        for id_, how in self.fresh.take(stamps):
            data = None if how == "deleted" else self._shown(self.persons[id_], {})
            event = f"00000000-0000-4000-8000-{self.clock.tick() % 10**12:012}"
            meta = {"action": actions[how], "entity": "person", "entity_id": str(id_), "id": event, "version": "2.0"}
            body = orjson.dumps(
                {"meta": meta, "data": data, "previous": {"id": id_} if how == "deleted" else {"name": "x"}}
            )
            headers = {"Content-Type": "application/json"}
            letters += [Letter(url=each["subscription_url"], headers=headers, body=body) for each in self.webhooks]
        return letters

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        self.clock.pass_seconds(self.step_seconds)
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "ERR_SCHEMA_VALIDATION_FAILED"))

    def _let_in_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        if asked.headers.get("x-api-token") != self.token and not self.login.good(bearer(asked)):
            raise Refused(401, "unauthorized access")
        self._count(asked, limits)
        return self._v1(asked) if asked.parts[0] == "v1" else self._v2(asked)

    def _count(self, asked: Asked, limits: dict[str, str]) -> None:
        if self.burst:
            self.sent = [at for at in self.sent if at > self.clock.now_us - BURST_US]
            left = max(0, self.burst - len(self.sent) - 1)
            limits |= {
                "x-ratelimit-limit": str(self.burst),
                "x-ratelimit-remaining": str(left),
                "x-ratelimit-reset": "2",
            }
            if len(self.sent) >= self.burst:
                raise Refused(429, "request over limit")
            self.sent.append(self.clock.now_us)
        if self.tokens:
            cost = 20 if asked.parts[-1] == "search" else COSTS[asked.method]
            cost = 1 if asked.method == "GET" and asked.parts[-1].isdecimal() else cost
            self.spent += cost
            limits |= {
                "x-daily-ratelimit-token-limit": str(self.tokens),
                "x-daily-ratelimit-token-remaining": str(max(0, self.tokens - self.spent)),
            }
            if self.spent > self.tokens:
                raise Refused(429, "daily budget exceeded")

    def _v1(self, asked: Asked) -> Said:
        match asked.method, asked.parts[1:]:
            case "GET", ["users", "me"]:
                return good({"id": 1, "name": "Seller", "email": "seller@example.com", "company_id": self.company})
            case "GET", ["webhooks"]:
                return Said(doc={"status": "ok", "success": True, "data": self.webhooks})
            case "POST", ["webhooks"]:
                doc = {"id": len(self.webhooks) + 1, "company_id": self.company, "is_active": 1, **asked.json()}
                self.webhooks.append(doc)
                return Said(status=201, doc={"status": "ok", "success": True, "data": doc})
            case "PUT", ["persons", id_, "merge"]:
                self._there(id_)
                self.merge(str(asked.json()["merge_with_id"]), id_)
                return good({"id": asked.json()["merge_with_id"]})
        raise Refused(404, "not found")

    def _v2(self, asked: Asked) -> Said:
        match asked.method, asked.parts[2:]:
            case "GET", ["personFields"]:
                return self._fields(asked.query)
            case "GET", ["persons"]:
                return self._list(asked.query)
            case "POST", ["persons"]:
                return self._create(asked.json())
            case "GET", ["persons", "search"]:
                return self._search(asked.query)
            case "GET", ["persons", id_]:
                return good(self._shown(self._there(id_), asked.query))
            case "PATCH", ["persons", id_]:
                return self._update(self._there(id_), asked.json())
            case "DELETE", ["persons", id_]:
                self.delete(str(self._there(id_).id))
                return good({"id": int(id_)})
        raise Refused(404, "not found")

    def _fields(self, query: Mapping[str, str]) -> Said:
        """Those that everybody has, and the company's own."""
        limit, begin = int(query.get("limit", LIMIT_USUAL)), int(query.get("cursor", 0))
        if not 0 < limit <= LIMIT_MAX:
            raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")
        usual = [field_of(name.title(), name, "varchar", None, custom=False) for name in sorted(PLAIN)]
        rows = [*usual, *self.own.values()]
        more = {"next_cursor": str(begin + limit)} if len(rows) > begin + limit else {}
        return Said(doc={"success": True, "data": rows[begin : begin + limit], "additional_data": more})

    def _there(self, id_: str) -> Person:
        person = self.persons.get(int(id_)) if id_.isdecimal() else None
        if person is None or (person.deleted and not self.deleted_answer):
            raise Refused(404, "Person not found")
        return person

    def _list(self, query: Mapping[str, str]) -> Said:
        limit = int(query.get("limit", LIMIT_USUAL))
        ids = [int(id_) for id_ in query["ids"].split(",")] if "ids" in query else None
        if not 0 < limit <= LIMIT_MAX or (ids is not None and (len(ids) > IDS_MAX or "updated_since" in query)):
            raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")
        since = datetime.fromisoformat(query["updated_since"]).timestamp() if "updated_since" in query else 0
        by_time = query.get("sort_by") == "update_time"
        rows = sorted(
            (each.changed_us // SECOND_US if by_time else 0, each.id)
            for each in self.persons.values()
            if not each.deleted and (ids is None or each.id in ids) and each.changed_us // SECOND_US >= since
        )
        if "cursor" in query:
            mark = tuple(orjson.loads(base64.b64decode(query["cursor"])))
            rows = [row for row in rows if row > mark]
        page = [self._shown(self.persons[id_], query) for _, id_ in rows[:limit]]
        following = base64.b64encode(orjson.dumps(rows[limit - 1])).decode() if len(rows) > limit else None
        return Said(
            doc={"success": True, "data": page, "additional_data": {"next_cursor": following} if following else {}}
        )

    def _search(self, query: Mapping[str, str]) -> Said:
        term = query["term"].casefold()
        if query.get("fields") != "email" or query.get("exact_match") != "true" or not term:
            raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")
        before = self.clock.now_us - int(self.lag_seconds * SECOND_US)
        found = []
        for each in self.persons.values():
            emails = [email["value"] for email in each.fields["emails"]]
            if not each.deleted and each.changed_us <= before and term in map(str.casefold, emails):
                item = {"id": each.id, "type": "person", "name": each.fields["name"], "emails": emails}
                found.append({"result_score": 0.5, "item": item})
        return Said(doc={"success": True, "data": {"items": found}, "additional_data": {}})

    def _create(self, given: dict[str, Any]) -> Said:
        self._sound(given)
        if not given.get("name"):
            raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")
        status = given.pop("marketing_status", "no_consent")
        person = self.persons[int(self.add(given))]
        if any(ADDRESS.fullmatch(each["value"]) for each in person.fields["emails"]):
            person.status = status
        return good(self._shown(person, {}))

    def _update(self, person: Person, given: dict[str, Any]) -> Said:
        self._sound(given)
        if "name" in given and not given["name"]:
            raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")
        status = given.pop("marketing_status", person.status)
        if status != person.status and not person.settled:  # else it is left as it is, without a word
            self.set_status(str(person.id), status)
        if given:
            self.edit(str(person.id), given)
        return good(self._shown(person, {}))

    def _sound(self, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if name in PLAIN:
                sound = value is None or isinstance(value, str)
            elif name in {"emails", "phones"}:
                sound = all(isinstance(each["value"], str) and each["value"] for each in value)
                sound = sound and all(isinstance(each.get("primary", False), bool) for each in value)
            elif name == "custom_fields":
                sound = all(key in self.own and held_by(self.own[key], each) for key, each in value.items())
            else:
                sound = name == "marketing_status" and value in STATUSES
            if not sound:
                raise Refused(400, "ERR_SCHEMA_VALIDATION_FAILED")

    def _shown(self, person: Person, query: Mapping[str, str]) -> dict[str, Any]:
        first, _, last = person.fields["name"].rpartition(" ")
        status = {"marketing_status": person.status} if query.get("include_fields") == "marketing_status" else {}
        return {
            "id": person.id,
            **person.fields,
            "first_name": first or last,
            "last_name": last if first else "",
            "owner_id": 1,
            "add_time": iso(0),
            "update_time": iso(person.changed_us),
            "is_deleted": person.deleted,
            "visible_to": 3,
            "label_ids": [],
            **status,
        }


def field_of(name: str, key: str, type_: str, options: list[dict[str, Any]] | None, *, custom: bool) -> dict[str, Any]:
    return {
        "field_name": name,
        "field_code": key,
        "field_type": type_,
        **({"options": options} if options else {"options": None}),
        "is_custom_field": custom,
        "is_optional_response_field": False,
    }


def held_by(own: Mapping[str, Any], value: Any) -> bool:
    """Say whether a custom field takes this value: options travel as their ids, and a set without any as null."""
    ids = {each["id"] for each in own["options"] or ()}
    if value is None:
        return True
    match own["field_type"]:
        case "enum":
            return type(value) is int and value in ids
        case "set":
            return isinstance(value, list) and bool(value) and ids.issuperset(value)
        case "double":
            return type(value) in {int, float}
        case "monetary":
            return isinstance(value, dict) and type(value.get("value")) in {int, float} and "currency" in value
    return own["field_type"] in TEXTS and isinstance(value, str)


def with_primary(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a list one is the primary one: the first, where nobody says (UNVERIFIED)."""
    chosen = next((n for n, each in enumerate(items) if each.get("primary")), 0)
    return [{"label": "work", **each, "primary": n == chosen} for n, each in enumerate(items)]


def good(data: Any) -> Said:
    return Said(doc={"success": True, "data": data})


def iso(us: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=us // SECOND_US):%Y-%m-%dT%H:%M:%SZ}"
