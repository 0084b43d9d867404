"""One account behind a manifest: requests made of calls and values, answers judged by the manifest's table of errors.

Knows calls, credentials and limits; knows neither fields nor records. Hard rule: a read raises the reaction; a write gives
its fault, and raises only where nothing left (TransientError, AccessError) or nobody knows (OutcomeUnknown).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, OutcomeUnknown, SyncdError, TransientError
from syncd.http.auth import Login, Source
from syncd.http.client import Client, Header
from syncd.http.crew import Crew
from syncd.http.faults import Answer, Fault, error_of, fault_of, wait_of
from syncd.http.pace import Pace
from syncd.http.pages import Sheet, Turn, walk
from syncd.http.replies import Overloaded, Reply
from syncd.http.stamps import SECOND
from syncd.http.terms import Call, Listing, Manifest
from syncd.http.texts import ABSENT, fill, form

MEDIA: Final = {
    "json": b"application/json",
    "form": b"application/x-www-form-urlencoded",
    "merge-patch": b"application/merge-patch+json",
}


class Session:
    """Speak to one account. Used by one thread, and by its crew's."""

    def __init__(
        self,
        manifest: Manifest,
        opening: Opening,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        own: Source | None = None,
    ) -> None:
        self.app, self._manifest, self._now = opening.app, manifest, now
        self.values: dict[str, Any] = {name: value for name, value in opening.settings.items() if value is not None}
        address = manifest.address.text(self.values)
        if address is None:
            missing = [name for name in manifest.address.names if name not in self.values]
            raise ConfigError(f"{opening.app}: needs the setting {', '.join(missing)}")
        self._connect = partial(
            Client, opening.app, address.rstrip("/") + "/", network=opening.network, sleep=sleep, now=now
        )
        self.client = self._connect()
        """Names places; like each of `_idle` it is used by one thread at a time."""
        self._clients, self._idle = [self.client], [self.client]
        self.crew = Crew(manifest.limits.concurrency)
        self._prefix = self.client.path.rstrip("/")
        self.origin = str(self.client.origin)
        self.values["origin"] = self.origin
        self._pace = Pace(opening.app, manifest.limits, clock=clock, sleep=sleep)
        self._login = Login(manifest.auth, opening, own)
        self._fixed: list[Header] = [
            (name.encode(), text.encode())
            for name, template in manifest.headers
            if (text := template.text(self.values)) is not None
        ]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._login.close()

    def now_us(self, answer: Answer | None = None) -> int | None:
        """Give the vendor's clock as an answer tells it; without an answer ours. None where the answer does not tell."""
        if answer is None:
            return int(self._now() * SECOND)
        text = answer.reply.header(b"date")
        if not text:
            return None
        from email.utils import parsedate_to_datetime

        try:
            return int(parsedate_to_datetime(text).timestamp()) * SECOND
        except (ValueError, TypeError, OverflowError):
            return None

    def read(self, call: Call, values: Mapping[str, Any], *, target: str | None = None, gone: bool = False) -> Answer:
        """Ask for something that changes nothing. `gone`: an answer that it is gone is given, not raised."""
        answer, fault = self._ask(call, values, target, reading=True, repeatable=True)
        if fault is None or (gone and fault.then == "gone"):
            return answer
        raise self._error(call, values, target, fault, answer)

    def write(self, call: Call, values: Mapping[str, Any], *, repeatable: bool = False) -> tuple[Answer, Fault | None]:
        """Ask for a change; give the answer and what is wrong with it."""
        return self._ask(call, values, None, reading=False, repeatable=repeatable)

    def pages(self, listing: Listing, values: Mapping[str, Any]) -> Iterator[Sheet]:
        """Go through the pages of a listing."""

        def ask(turn: Turn) -> Answer:
            return self.read(listing.call, turn.values, target=turn.target)

        return walk(listing, values, ask, f"{self.app}: {listing.call.name}", self.origin)

    def _ask(
        self, call: Call, values: Mapping[str, Any], target: str | None, *, reading: bool, repeatable: bool
    ) -> tuple[Answer, Fault | None]:
        everything = {**self.values, **values}
        where = target or self._target(call, everything)
        body = _body(call, everything)
        headers = [*self._fixed, *self._headers(call, everything)]
        if body:
            headers.append((b"Content-Type", MEDIA[call.form]))
        found: list[tuple[Answer, Fault | None]] = []
        renewed = doubtful = False
        waited = asked = answered = 0
        login: list[Header] = []

        def judge(reply: Reply) -> None:
            nonlocal renewed, doubtful, answered
            answered += 1
            found.clear()
            self._pace.landed(call.name, reply, self._now())
            answer = Answer(reply)
            fault = fault_of(answer, self._manifest.rules)
            if fault is not None and fault.status == 401 and not renewed and self._login.renew(login):
                renewed = True
                raise Overloaded(f"{self.app}: a new token was needed", retry_after_seconds=0.0)
            if fault is not None and (fault.then == "busy" or (repeatable and fault.status >= 500)):
                wait = self._told_to_wait(reply)
                if reading or fault.then == "busy" or wait is not None:
                    doubtful = doubtful or not (reading or fault.then == "busy")
                    raise Overloaded(f"{self.client.place(where)}: {fault.text()}", retry_after_seconds=wait)
            found.append((answer, fault))

        def before() -> list[Header]:
            nonlocal asked, waited, login
            self._pace.wait(call.name)
            waited += 1
            login = self._login.headers()
            asked += 1
            return login

        how: Mapping[str, Any] = {"repeatable": repeatable, "harmless": reading, "before": before}
        try:
            with self._borrowed() as client:
                client.exchange(call.method, self._login.signed(where), judge, body=body, headers=headers, **how)
        except (TransientError, AccessError) as error:
            if doubtful:
                raise OutcomeUnknown(str(error)) from error
            raise
        finally:
            for _ in range(waited - answered):
                self._pace.landed(call.name, None, self._now())
        answer, fault = found[0]
        answer.again = not reading and (doubtful or asked > answered)
        if fault is not None and answer.again:
            fault = replace(fault, then="unknown")
        return answer, fault

    def _told_to_wait(self, reply: Reply) -> float | None:
        """Read how long the app wants us to wait, and hold back everybody for so long; None where it does not say."""
        seconds = wait_of(reply, self._manifest.limits.retry_after, self._now())
        if seconds is not None:
            self._pace.hold(seconds)
        return seconds

    @contextmanager
    def _borrowed(self) -> Iterator[Client]:
        """Give a connection that nobody else uses."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._connect()
            self._clients.append(client)
        try:
            yield client
        finally:
            self._idle.append(client)

    def _target(self, call: Call, values: Mapping[str, Any]) -> str:
        path = call.path.text(values, quoted=True)
        if path is None:
            missing = [name for name in call.path.names if values.get(name) is None]
            raise ConfigError(f"{self.app}: {call.name} needs {', '.join(missing)}, which has no value")
        pairs = [(name, text) for name, template in call.query for text in template.texts(values)]
        return f"{self._prefix}{path}{f'?{urlencode(pairs)}' if pairs else ''}"

    def _headers(self, call: Call, values: Mapping[str, Any]) -> list[Header]:
        made = []
        for name, template in call.headers:
            text = template.text(values)
            if text is None:
                continue
            if not text.isascii() or not text.isprintable():
                raise ConfigError(f"{self.app}: {call.name} has a header {name} that cannot be sent")
            made.append((name.encode(), text.encode()))
        return made

    def _error(
        self, call: Call, values: Mapping[str, Any], target: str | None, fault: Fault, answer: Answer
    ) -> SyncdError:
        place = self.client.place(target or self._target(call, {**self.values, **values}))
        return error_of(place, fault, answer, self._manifest.limits.retry_after, self._now())


def _body(call: Call, values: Mapping[str, Any]) -> bytes:
    if call.body is None:
        return b""
    made = fill(call.body, values)
    if made is ABSENT:
        made = {}
    if call.form == "form":
        return urlencode(list(form(made))).encode()
    return orjson.dumps(made)
