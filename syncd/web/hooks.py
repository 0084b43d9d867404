"""Webhooks in: `POST /hooks/APP`, or `/hooks/APP/SECRET` where the vendor signs nothing.

What is genuine leaves a hint, durable before it is answered with 2xx, and wakes the daemon; everything else is refused
without a word. Hard rules: judged by the bytes that came (`syncd.connector.Ear`); a flood costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from syncd import logs
from syncd.config import Config
from syncd.connector import Arrival, Connector, Ear, Heard, Refused
from syncd.engine.hints import wait_ms
from syncd.errors import ConfigError, SyncdError
from syncd.ops.check import opening
from syncd.web.notebook import Notebook

BODY_MAX: Final = 4 << 20
BODY_SECONDS: Final = 10.0
PER_SECOND: Final = 200.0
BURST: Final = 2_000.0
"""Genuine webhooks of one app; a vendor that sends more is asked to send them again later."""
SEEN_MAX: Final = 20_000
SEEN_SECONDS: Final = 3600.0
"""So many deliveries of an app are known again, for so long; their signed time is refused long before."""
TOLD_SECONDS: Final = 60.0
"""One line a minute of refused webhooks, for each reason, however many come."""


@dataclass(slots=True)
class Listened:
    """One app that is listened to."""

    name: str
    ear: Ear
    wait_ms: int
    seen: OrderedDict[bytes, float] = field(default_factory=OrderedDict)
    tokens: float = BURST
    at: float = 0.0

    def repeated(self, once: bytes | None, now: float) -> bool:
        """Say whether this very delivery was kept already."""
        while self.seen and (len(self.seen) > SEEN_MAX or next(iter(self.seen.values())) < now - SEEN_SECONDS):
            self.seen.popitem(last=False)
        return once is not None and once in self.seen

    def paced(self, now: float) -> bool:
        """Take one of so many a second; False where there is none left."""
        self.tokens = min(BURST, self.tokens + (now - self.at) * PER_SECOND)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Hooks:
    """What answers below /hooks/."""

    def __init__(
        self,
        config: Config,
        load: Callable[[str], Connector],
        notebook: Notebook,
        wake: Callable[[str], None],
        public: str,
    ) -> None:
        """Compile what every app with `hooks: true` is heard by. Raises ConfigError."""
        self._notebook, self._wake, self._public = notebook, wake, public.rstrip("/")
        self._log = logs.logger()
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self._apps: dict[str, Listened] = {}
        for app in config.apps:
            connector = load(app.connector_at)
            if not app.hooks:
                continue
            if connector.listen is None:
                raise ConfigError(f"{app.name}: {connector.spec.name} takes no webhooks in this version")
            self._apps[app.name] = Listened(
                app.name, connector.listen(opening(config, app, None)), wait_ms(connector.spec)
            )

    async def receive(self, request: Request) -> Response:
        """Answer one request."""
        app = self._apps.get(request.path_params["app"])
        if app is None:
            return Response(status_code=404)
        try:
            body = await asyncio.wait_for(_body(request), BODY_SECONDS)
        except TimeoutError:
            return Response(status_code=408)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            self._refuse(app.name, f"it is larger than {BODY_MAX >> 20} MiB")
            return Response(status_code=413)
        said = app.ear.hear(self._arrival(request, body))
        if isinstance(said, Refused):
            self._refuse(app.name, said.why)
            return Response(status_code=404 if said.unknown else 401)
        try:
            return await self._keep(app, said)
        except SyncdError as error:
            self._log.warning("hook not kept", app=app.name, message=str(error), remedy="the vendor sends it again")
        except Exception as error:  # noqa: BLE001 - the top of a request: the server and the other apps go on
            self._log.error("hook failed by a fault of syncd", app=app.name, **logs.fault(error))
        return Response(status_code=503, headers={"Retry-After": "5"})

    async def _keep(self, app: Listened, said: Heard) -> Response:
        now = time.monotonic()
        if app.repeated(said.once, now):
            self._log.info("hook repeated", app=app.name)
            return Response(status_code=200)
        if said.ids or said.something:
            if not app.paced(now):
                self._refuse(app.name, "there are more of them than one can follow")
                return Response(status_code=429, headers={"Retry-After": "1"})
            if said.note:
                self._say("hook not understood", app.name, said.note)
            if said.ids:
                await self._notebook.keep(app.name, said.ids, 0)
            if said.something:
                await self._notebook.keep(app.name, (), app.wait_ms)
            self._wake(app.name)
        if said.once is not None:
            app.seen[said.once] = now
        return Response(said.answer, media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})

    def _arrival(self, request: Request, body: bytes) -> Arrival:
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        query: bytes = request.scope["query_string"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = self._public or f"{request.url.scheme}://{headers.get('host', '')}"
        return Arrival(
            method="GET" if request.method == "HEAD" else request.method,
            url=f"{base}{raw.decode('latin-1')}{'?' if query else ''}{query.decode('latin-1')}",
            headers=headers,
            query=dict(request.query_params),
            body=body,
            secret=request.path_params.get("secret", ""),
        )

    def _refuse(self, app: str, why: str) -> None:
        self._say("hook refused", app, why)

    def _say(self, event: str, app: str, why: str) -> None:
        """Tell the operator, at most once a minute for each reason."""
        now = time.monotonic()
        at, kept_quiet = self._told.get((app, why), (-TOLD_SECONDS, 0))
        if now - at < TOLD_SECONDS:
            self._told[app, why] = at, kept_quiet + 1
            return
        self._told[app, why] = now, 0
        more = {"more": kept_quiet} if kept_quiet else {}
        self._log.warning(event, app=app, message=why, **more)


async def _body(request: Request) -> bytes | None:
    """Read it all; None where it is too much."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > BODY_MAX:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_MAX:
            return None
        parts.append(part)
    return b"".join(parts)


def application(hooks: Callable[[], Hooks]) -> Any:
    """Make the ASGI application; `hooks` gives what is in force now."""

    async def receive(request: Request) -> Response:
        return await hooks().receive(request)

    methods = ["GET", "POST"]
    routes = [Route(path, receive, methods=methods) for path in ("/hooks/{app}", "/hooks/{app}/{secret}")]
    return Starlette(routes=routes)
