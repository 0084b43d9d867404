"""Zendesk Support for users, in memory, over real HTTP.

Kept: cursor pages, the export with its tokens and its blind minute, users of other roles, soft deletion, addresses as
identities that are unique over all users, another address that does not become the primary one, search that lags, limits.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from syncd.http.authority import Authority, bearer
from syncd.http.sandbox import Asked, Clock, Fresh, Letter, Said, answered, hmac_of

from .fields import Refused, held_by

PAGE_MAX, EXPORT_MAX, SHOW_MAX, JOBS_MAX = 100, 1000, 100, 30
WRITABLE: Final = frozenset(
    "name email phone notes details user_fields role skip_verify_email external_id tags".split()
)
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MINUTE_US: Final = 60_000_000
OWN: Final = ("First name", "Last name", "Company", "Job title", "Newsletter")
"""User fields that every account of ours has: texts."""


@dataclass(slots=True)
class Sandbox:
    """One account."""

    agent: str = "agent@example.com"
    token: str = "token"  # noqa: S105 - a stand-in's
    url: str = ""
    """How the account calls itself in the addresses that it gives."""
    clock: Clock = field(default_factory=Clock)
    a_minute: int = 0
    lag_seconds: float = 0.0
    """Of search."""
    step_seconds: float = 0.0
    users: dict[int, dict[str, Any]] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> user field."""
    jobs: dict[str, tuple[int, list[dict[str, Any]], list[dict[str, Any]] | None]] = field(default_factory=dict)
    """Job -> when it is worked off, what it is to do, what came of it."""
    job_seconds: float = 3.0
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked_about: dict[int, int] = field(default_factory=dict)
    """Ticket -> when it changed."""
    identities: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    last: int = 1000
    sent: list[int] = field(default_factory=list)
    hook: tuple[str, str] | None = None
    """Where webhooks go, and what they are signed with; typed in by hand."""
    fresh: Fresh = field(default_factory=Fresh)
    login: Authority = field(init=False)

    def __post_init__(self) -> None:
        for title in OWN:
            self.define(title)
        self.login = Authority(
            clock=self.clock,
            page="/oauth/authorizations/new",
            endpoint="/oauth/tokens",
            client_in="body",
            scope="read write",
            life_seconds=7200,
        )

    # What people do, behind the API's back --------------------------------------------------------------------------

    def add(self, fields: dict[str, Any]) -> str:
        self.last += 7
        id_ = self.last
        own: dict[str, Any] = {
            "user_fields": {},
            "notes": "",
            "phone": None,
            "locale": "en-US",
            "time_zone": "Bern",
            "role": "end-user",
        }
        email = (fields.get("email") or "").lower() or None  # lower case: UNVERIFIED
        self.users[id_] = {"id": id_, "name": "", "email": email, "active": True, "verified": False, **own}
        self.identities[id_] = []
        if email:
            self._identify(id_, email, primary=True)
        self.edit(str(id_), {name: value for name, value in fields.items() if name != "email"})
        return str(id_)

    def ask(self, user: str, **fields: Any) -> int:
        """Somebody opens a ticket."""
        self.last += 1
        own = {"id": self.last, "requester_id": int(user), "status": "open", "priority": "normal", "type": "question"}
        self.tickets[self.last] = {**own, "created_at": self._second(self.clock.now_us)}
        self.change(self.last, **fields)
        return self.last

    def change(self, ticket: int, **fields: Any) -> None:
        """An agent works on a ticket."""
        self.tickets[ticket] |= fields
        self.asked_about[ticket] = self.clock.tick()

    def define(self, title: str, type_: str = "text", options: tuple[str, ...] = (), *, active: bool = True) -> str:
        """Make a user field; give its key. An option is known by its tag, which is made of its name."""
        key = title.lower().replace(" ", "_")
        tags = [{"id": n, "name": name, "value": f"{key}_{name.lower()}"} for n, name in enumerate(options, 1)]
        self.own[key] = {"id": 900 + len(self.own), "key": key, "title": title, "type": type_, "active": active,
                         "system": False, **({"custom_field_options": tags} if tags else {})}  # fmt: skip
        return key

    def edit(self, id_: str, fields: dict[str, Any]) -> None:
        user = self.users[int(id_)]
        for name, value in fields.items():
            if name == "user_fields":
                user[name] = {**user[name], **value}
            elif name == "email":
                self.primary(int(id_), value)
            else:
                user[name] = "" if name == "notes" and value is None else value
        self.changed[int(id_)] = self.clock.tick()

    def primary(self, id_: int, email: str | None) -> None:
        """Give a user another primary address, as an agent does."""
        if email and not any(each["value"] == email.lower() for each in self.identities[id_]):
            self._identify(id_, email, primary=False)
        for each in self.identities[id_]:
            each["primary"] = each["value"] == (email or "").lower()
        self.users[id_]["email"] = email and email.lower()
        self.changed[id_] = self.clock.tick()

    def delete(self, id_: str) -> None:
        self.users[int(id_)]["active"] = False
        self.identities[int(id_)] = []
        self.changed[int(id_)] = self.clock.tick()

    def merge(self, winner: str, loser: str) -> None:
        self.identities[int(winner)] += [{**each, "primary": False} for each in self.identities[int(loser)]]
        self.delete(loser)
        self.edit(winner, {})

    def _identify(self, id_: int, email: str, *, primary: bool) -> dict[str, Any]:
        self.last += 1
        made = {
            "id": self.last,
            "user_id": id_,
            "type": "email",
            "value": email.lower(),
            "primary": primary,
            "verified": True,
        }
        self.identities[id_].append(made)
        return made

    # Webhooks -------------------------------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """One event in a letter, signed over time and body."""
        kinds = {"created": "created", "changed": "details_changed"}
        return [self._letter(id_, kinds[how]) for id_, how in self.fresh.take(self.changed)] if self.hook else []

    def _letter(self, id_: int, kind: str) -> Letter:
        assert self.hook is not None
        now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.clock.tick())
        at = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        detail = {
            "id": str(id_),
            "email": self.users[id_].get("email"),
            "role": self.users[id_]["role"],
            "updated_at": at,
        }
        doc = {"type": f"zen:event-type:user.{kind}", "account_id": 4711, "id": str(self.clock.now_us), "time": at,
               "zendesk_event_version": "2022-06-20", "subject": f"zen:user:{id_}", "detail": detail, "event": {}}  # fmt: skip
        body = orjson.dumps(doc)
        signature = hmac_of(self.hook[1], at.encode() + body)
        headers = {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": at}
        return Letter(url=self.hook[0], headers={**headers, "Content-Type": "application/json"}, body=body)

    # What the API does ----------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        self.clock.pass_seconds(self.step_seconds)
        return answered(asked, self._let_in_and_answer, lambda: Refused(400, "InvalidRequest"))

    def _let_in_and_answer(self, asked: Asked, limits: dict[str, str]) -> Said:
        said = self.login.answer(asked)
        if said is not None:
            return said
        self._let_in(asked, limits)
        self._work()
        return self._answer(asked)

    def _let_in(self, asked: Asked, limits: dict[str, str]) -> None:
        scheme, _, word = asked.headers.get("authorization", "").partition(" ")
        given = base64.b64decode(word).decode() if scheme == "Basic" else ""
        if given != f"{self.agent}/token:{self.token}" and not self.login.good(bearer(asked)):
            raise Refused(401, "Couldn't authenticate you")
        if not self.a_minute:
            return
        self.sent = [at for at in self.sent if at > self.clock.now_us - MINUTE_US]
        reset = (self.sent[0] + MINUTE_US - self.clock.now_us) // 1_000_000 + 1 if self.sent else 60
        left = max(0, self.a_minute - len(self.sent) - 1)
        limits |= {
            "ratelimit-limit": str(self.a_minute),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(reset),
        }
        if len(self.sent) >= self.a_minute:
            raise Refused(429, "TooManyRequests", None, **{"Retry-After": str(reset)})
        self.sent.append(self.clock.now_us)

    def _answer(self, asked: Asked) -> Said:
        match asked.method, asked.parts[2:]:
            case "GET", ["users", "me"]:
                return Said(
                    doc={"user": {"id": 1, "name": "Agent", "email": self.agent, "role": "admin", "active": True}}
                )
            case "GET", ["user_fields"]:
                rows = list(self.own.values())
                return Said(doc={"user_fields": rows, "count": len(rows), "next_page": None, "previous_page": None})
            case "GET", ["users"]:
                return self._list(asked)
            case "POST", ["users"]:
                return Said(status=201, doc={"user": self._create(asked.json()["user"])})
            case "GET", ["users", "show_many"]:
                ids = [int(id_) for id_ in asked.query["ids"].split(",")]
                if len(ids) > SHOW_MAX:
                    raise Refused(400, "TooManyIds")
                return Said(doc={"users": [self._shown(id_) for id_ in ids if id_ in self.users]})
            case "GET", ["users", "search"]:
                return self._search(asked.query["query"])
            case "GET", ["incremental", "users", "cursor"]:
                return self._export(asked, "users", self.changed, self._shown)
            case "GET", ["incremental", "tickets", "cursor"]:
                return self._export(asked, "tickets", self.asked_about, self._ticket)
            case "GET", ["users", id_, "tickets", "requested"]:
                return self._requested(self._there(id_), asked)
            case "PUT", ["users", "update_many"]:
                return self._queue(asked.json()["users"])
            case "GET", ["job_statuses", name] if name in self.jobs:
                return Said(doc={"job_status": self._job(name)})
            case "PUT", ["users", id_]:
                return Said(doc={"user": self._update(self._there(id_), asked.json()["user"])})
            case method, ["users", id_, "identities", *rest]:
                return self._identity(method, self._there(id_), rest, asked)
        raise Refused(404, "RecordNotFound")

    def _there(self, id_: str) -> int:
        if not id_.isdecimal() or not self.users.get(int(id_), {"active": False})["active"]:
            raise Refused(404, "RecordNotFound")
        return int(id_)

    def _list(self, asked: Asked) -> Said:
        size, after = int(asked.query["page[size]"]), int(asked.query.get("page[after]", 0))
        if not 0 < size <= PAGE_MAX:
            raise Refused(400, "InvalidPaginationParameter")
        role = asked.query.get("role")
        ids = [
            id_
            for id_, user in self.users.items()
            if id_ > after and user["active"] and (role is None or user["role"] == role)
        ]
        page = [self._shown(id_) for id_ in ids[:size]]
        more = len(ids) > size
        cursor = str(ids[size - 1]) if more else None
        return Said(doc={"users": page, "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None}})

    def _requested(self, id_: int, asked: Asked) -> Said:
        size, after = int(asked.query["page[size]"]), int(asked.query.get("page[after]", 0))
        if not 0 < size <= PAGE_MAX:
            raise Refused(400, "InvalidPaginationParameter")
        ids = [n for n, each in self.tickets.items() if n > after and each["requester_id"] == id_]
        more = len(ids) > size
        meta = {"has_more": more, "after_cursor": str(ids[size - 1]) if more else None, "before_cursor": None}
        return Said(doc={"tickets": [self._ticket(n) for n in ids[:size]], "meta": meta})

    def _export(self, asked: Asked, what: str, changed: dict[int, int], show: Callable[[int], dict[str, Any]]) -> Said:
        token = asked.query.get("cursor")
        if token is None:
            begin = (int(asked.query["start_time"]) * 1_000_000, 0)
            if begin[0] > self.clock.now_us - MINUTE_US:
                raise Refused(422, "StartTimeTooRecent")
        else:
            first, _, second = base64.b64decode(token).decode().partition("|")
            begin = (int(first), int(second))
        size = min(int(asked.query.get("per_page", EXPORT_MAX)), EXPORT_MAX)
        visible = self.clock.now_us - MINUTE_US
        rows = sorted((at, id_) for id_, at in changed.items() if begin < (at, id_) and at <= visible)
        page = rows[:size]
        last = page[-1] if page else begin
        mark = base64.b64encode(f"{last[0]}|{last[1]}".encode()).decode()
        url = f"{self.url}/api/v2/incremental/{what}/cursor?cursor={mark}"
        rows_shown = [show(id_) for _, id_ in page]
        return Said(doc={what: rows_shown, "after_cursor": mark, "after_url": url, "end_of_stream": len(rows) <= size})

    def _search(self, query: str) -> Said:
        wanted = query.removeprefix("email:").strip('"').lower()
        before = self.clock.now_us - int(self.lag_seconds * 1_000_000)
        found = [
            self._shown(id_)
            for id_, user in self.users.items()
            if user["active"]
            and self.changed[id_] <= before
            and any(each["value"] == wanted for each in self.identities[id_])
        ]
        return Said(doc={"users": found, "count": len(found), "next_page": None, "previous_page": None})

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        self._sound(given, 0)
        if not given.get("name"):
            raise Refused(422, "RecordInvalid", {"name": [{"description": "too short", "error": "BlankValue"}]})
        if not given.get("skip_verify_email"):
            raise AssertionError("the person would get a mail")
        return self._shown(int(self.add({name: value for name, value in given.items() if name != "skip_verify_email"})))

    def _update(self, id_: int, given: dict[str, Any]) -> dict[str, Any]:
        self._sound(given, id_)
        if given.get("email"):  # one more address, and the primary one stays
            self._identify(id_, given["email"], primary=False)
        self.edit(str(id_), {name: value for name, value in given.items() if name != "email"})
        return self._shown(id_)

    def _queue(self, users: list[dict[str, Any]]) -> Said:
        """Take a job; nothing is done yet."""
        if len(users) > SHOW_MAX:
            raise Refused(400, "TooManyUsers")
        if sum(done is None for _, _, done in self.jobs.values()) >= JOBS_MAX:
            raise Refused(429, "TooManyJobs", None, **{"Retry-After": "5"})
        name = f"{len(self.jobs) + 1:032x}"
        self.jobs[name] = (self.clock.now_us + int(self.job_seconds * 1_000_000), users, None)
        return Said(doc={"job_status": self._job(name)})

    def _work(self) -> None:
        """Work off the jobs whose time has come."""
        for name, (at, users, done) in self.jobs.items():
            if done is None and at <= self.clock.now_us:
                self.jobs[name] = (at, users, [self._worked(n, each) for n, each in enumerate(users)])

    def _worked(self, index: int, given: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in given.items() if name != "id"}
        told = {"index": index, "id": int(given["id"]), "action": "update"}
        try:
            self._update(self._there(str(given["id"])), fields)
        except Refused as refused:
            return {**told, "success": False, "status": "Failed", "error": str(refused), "details": str(refused)}
        return {**told, "success": True, "status": "Updated"}

    def _job(self, name: str) -> dict[str, Any]:
        _, users, done = self.jobs[name]
        url = f"{self.url}/api/v2/job_statuses/{name}.json"
        state = "queued" if done is None else "completed"
        return {"id": name, "url": url, "status": state, "total": len(users), "progress": len(done or ()),
                "message": None, "results": done}  # fmt: skip

    def _sound(self, given: dict[str, Any], id_: int) -> None:
        own = given.get("user_fields", {})
        for key in own.keys() - self.own.keys():
            del own[key]  # ignored without a word (UNVERIFIED)
        wrong = (given.keys() - WRITABLE) or {key for key, value in own.items() if not held_by(self.own[key], value)}
        if wrong:
            raise Refused(422, "RecordInvalid", {name: [{"error": "InvalidValue"}] for name in wrong})
        if email := given.get("email"):
            self._free(email, id_, "email")

    def _free(self, email: str, id_: int, member: str) -> None:
        if not ADDRESS.fullmatch(email):
            raise Refused(422, "RecordInvalid", {member: [{"description": "is not valid", "error": "InvalidFormat"}]})
        for other, held in self.identities.items():
            if other != id_ and any(each["value"] == email.lower() for each in held):
                raise Refused(422, "RecordInvalid", {member: [{"description": "in use", "error": "DuplicateValue"}]})

    def _identity(self, method: str, id_: int, rest: list[str], asked: Asked) -> Said:
        if method == "GET" and not rest:
            return Said(doc={"identities": self.identities[id_]})
        if method == "POST" and not rest:
            given = asked.json()["identity"]
            self._free(given["value"], id_, "value")
            made = self._identify(id_, given["value"], primary=False)
            self.changed[id_] = self.clock.tick()
            return Said(status=201, doc={"identity": made})
        if method == "PUT" and rest[1:] == ["make_primary"]:
            [found] = [each for each in self.identities[id_] if each["id"] == int(rest[0])]
            self.primary(id_, found["value"])
            return Said(doc={"identities": self.identities[id_]})
        raise Refused(404, "RecordNotFound")

    def _shown(self, id_: int) -> dict[str, Any]:
        return {**self.users[id_], "updated_at": self._second(self.changed[id_])}

    def _ticket(self, id_: int) -> dict[str, Any]:
        return {**self.tickets[id_], "updated_at": self._second(self.asked_about[id_])}

    def _second(self, us: int) -> str:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=us // 1_000_000):%Y-%m-%dT%H:%M:%S}Z"
