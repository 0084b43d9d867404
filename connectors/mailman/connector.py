"""Mailman: what the manifest cannot say, because a person is three things there: a user, addresses, memberships.

Whether a membership takes mails is told beside the roster. A person who has left is no member any more, but still a user: that
is the only trace of an opt-out, so a record's id names both. The name is the address's, else the user's. Another address must
be the user's before it can be the member's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from syncd.connector import Connector
from syncd.errors import OutcomeUnknown, SyncdError, TransientError
from syncd.http.app import HttpApp, connector
from syncd.http.steps import Answer, Call, Fault, Listing, Paging, compile_path, compile_text, find
from syncd.model import Page, Record

STATUS: Final = "delivery_status"
OUT: Final = "by_user"
SAID: Final = frozenset({"enabled", OUT, "by_bounces"})
"""What says something about the person; `by_moderator` and `unknown` do not."""
STOPPED: Final = (OUT, "by_bounces", "by_moderator", "unknown")
GONE: Final = Fault(then="gone", status=404)
LEFT: Final = Fault(then="readonly", status=404, message="has left the list; nothing is changed there any more")


def _read(path: str, **query: str) -> Call:
    return Call(name="get", method="GET", path=compile_text(path), query=_texts(query))


def _write(method: str, path: str, **body: str) -> Call:
    texts = {name: compile_text(text) for name, text in body.items()}
    return Call(name="update", method=method, path=compile_text(path), body=texts or None)


def _texts(said: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, compile_text(text)) for name, text in said.items())


FOUND: Final = {"list_id": "{list}", "role": "member", "count": "{size}", "page": "{page}"}
PAGED: Final = Paging(by="number", size=500, start=1, total=compile_path("total_size"))
DELIVERY: Final = Listing(
    call=replace(_read("/members/find", **FOUND, delivery_status="{word}", fields="member_id"), name="list"),
    items=compile_path("entries"),
    page=PAGED,
    absent=True,
)
MEMBERSHIPS: Final = replace(DELIVERY, call=_read("/members/find", **FOUND, subscriber="{email}"))
ADDRESSES: Final = replace(DELIVERY, call=_read("/users/{user}/addresses", count="{size}", page="{page}"))
PREFERENCES: Final = _read("/members/{id}/all/preferences")
USER: Final = _read("/users/{user}")
ADD: Final = _write("POST", "/users/{user}/addresses", email="{email}")
VERIFY: Final = _write("POST", "/addresses/{email}/verify")
PREFER: Final = _write("POST", "/users/{user}/preferred_address", email="{email}")
NAME_ADDRESS: Final = _write("PATCH", "/addresses/{email}", display_name="{full_name}")
NAME_USER: Final = _write("PATCH", "/users/{user}", display_name="{full_name}")


class Mailman(HttpApp):
    """One list."""

    _stopped: Mapping[str, str] = {}
    """Members who get no mails -> why, as of the beginning of the listing."""

    def read(self, cursor: str | None) -> Iterator[Page]:
        self._stopped = {
            item["member_id"]: word
            for word in STOPPED
            for page in self.session.pages(DELIVERY, {"word": word})
            for item in page.items
        }
        yield from super().read(cursor)

    def any_id(self, item: Any) -> str:
        user = _user(item)
        return f"{super().any_id(item)}.{user}" if user else super().any_id(item)

    def record(self, item: Any) -> Record:
        if "left" in item:
            consent = {name: OUT for name, known in self.known.items() if known.field.path.text == STATUS}
            return Record(id=self.any_id(item), fields=dict(consent))
        word = item.get(STATUS) or self._stopped.get(item.get("member_id"), "enabled")
        return super().record({**item, STATUS: word if word in SAID else None})

    def items(self, ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for id_ in dict.fromkeys(ids):
            if not self.is_id(id_):
                continue
            member, _, user = id_.partition(".")
            answer = self._member(member)
            if answer.status == 404:
                if self._has_left(user):
                    found[id_] = {"member_id": member, "user": user, "left": True}
            elif not self.is_gone(answer.doc) and id_ in {member, self.any_id(answer.doc)}:
                there = self.session.read(PREFERENCES, {"id": member}, gone=True)
                found[id_] = {**answer.doc, STATUS: find(there.doc, ("delivery_status",)) or "unknown"}
        return found

    def send(self, call: Call, values: Mapping[str, Any], *, repeatable: bool = False) -> tuple[Answer, Fault | None]:
        member, _, user = str(values.get("id") or "").partition(".")
        values = {**values, "id": member or None}
        if call.name == "update":
            return self._changed(call, values, user)
        answer, fault = super().send(call, values, repeatable=repeatable)
        if call.name == "create" and fault is None:
            self._named_at_last(values)
        if call.name == "consent" and fault is not None and fault.then == "gone" and self._has_left(user):
            return answer, None if call.body == {STATUS: compile_text(OUT)} else LEFT
        return answer, fault

    def _member(self, member: str) -> Answer:
        """Ask for a membership; an answer of 404 where it is no more."""
        call = self.manifest.get.call
        assert call is not None
        answer = self.session.read(call, {"id": member}, gone=True)
        if answer.status != 404 and not isinstance(answer.doc, dict):
            raise TransientError(f"{self.session.app}: a record came as no JSON; a proxy in between?")
        return answer

    def _has_left(self, user: str) -> bool:
        """Say whether the person is still known, but no member. A list that is not there raises: nobody has left it."""
        self.session.read(self.manifest.check, {})
        if not user or self.session.read(USER, {"user": user}, gone=True).status == 404:
            return False
        emails = self._emails(user)
        return not any(page.items for email in emails for page in self.session.pages(MEMBERSHIPS, {"email": email}))

    def _emails(self, user: str) -> list[str]:
        pages = self.session.pages(ADDRESSES, {"user": user})
        return [str(item["email"]) for page in pages for item in page.items]

    def _changed(self, call: Call, values: Mapping[str, Any], user: str) -> tuple[Answer, Fault | None]:
        """Change address and name; where the second is refused after the first was done, nobody knows what it is now."""
        answer, fault = self._member(values["id"]), None
        if answer.status == 404:
            return answer, LEFT if self._has_left(user) else GONE
        values = {**values, "user": _user(answer.doc)}
        done = False
        for number, (step, more) in enumerate(self._steps(call, answer.doc, values)):
            try:
                answer, fault = self.session.write(step, {**values, **more}, repeatable=step is not ADD)
            except SyncdError as error:
                if number == 0:
                    raise
                raise OutcomeUnknown(str(error)) from error
            if fault is not None:
                return answer, replace(fault, then="unknown") if done else fault
            done = done or step not in (ADD, VERIFY)
        return answer, None

    def _steps(
        self, call: Call, held: Mapping[str, Any], values: Mapping[str, Any]
    ) -> list[tuple[Call, dict[str, str]]]:
        """List the requests that make the member what is wanted: the one that may be refused comes first."""
        steps: list[tuple[Call, dict[str, str]]] = []
        record, email, whole = values["record"], held["email"], held.get("subscription_mode") == "as_user"
        name = record.get("display_name")
        if record.get("email", "").lower() not in {"", email}:
            email = record["email"].lower()
            if email not in self._emails(values["user"]):
                steps.append((ADD, {"email": email}))
            steps += [(VERIFY, {"email": email}), (PREFER if whole else call, {"email": email})]
            name = held.get("display_name") or None if name is None else name
        if name is not None:
            steps.append((NAME_USER if whole else NAME_ADDRESS, {"email": email, "full_name": name}))
        if name == "" and not whole:  # else the user's name would show in its place
            steps.append((NAME_USER, {"full_name": name}))
        return steps

    def _named_at_last(self, values: Mapping[str, Any]) -> None:
        """Name who was made: an address that Mailman knew already has kept its old name. Without it the name is read back."""
        if values.get("full_name"):
            email = {"email": str(values["email"]).lower()}
            try:
                self.session.write(NAME_ADDRESS, {**values, **email}, repeatable=True)
            except SyncdError:
                return


def _user(item: Any) -> str:
    """Give the id of the person behind a membership: the end of the link to them."""
    return str(item.get("user") or "").rpartition("/")[2] if isinstance(item, dict) else ""


CONNECTOR: Final[Connector] = connector(Path(__file__).with_name("manifest.yaml"), "mailman", Mailman)
