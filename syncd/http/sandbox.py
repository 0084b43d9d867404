"""What the sandboxes of connectors are made of: a small HTTP/1.1 server on loopback, and a clock that one can set.

A sandbox (`connectors/<name>/sandbox.py`) is a class with `answer`; it keeps state as the vendor does and refuses what the
vendor refuses. For the demo, the kit and the simulator; nothing here is reachable from another machine.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import io
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

BODY_MAX: Final = 16 << 20
_REASONS: Final = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    207: "Multi-Status",
    304: "Not Modified",
}


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request as it came in. Names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""
    """Path and query as they came, not unquoted."""

    @property
    def parts(self) -> list[str]:
        """The path in its parts, unquoted."""
        return [unquote(part) for part in self.path.strip("/").split("/")]

    def json(self) -> Any:
        """Read the body; ValueError where it is none."""
        return orjson.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Said:
    """One answer. `doc` None: no body."""

    status: int = 200
    doc: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """The connection breaks instead: it was done, and nobody hears of it."""


class Refusal(Exception):
    """An answer that is no success; each sandbox spells its vendor's."""

    said: Said


def answered(asked: Asked, answer: Callable[[Asked, dict[str, str]], Said], senseless: Callable[[], Refusal]) -> Said:
    """Let a sandbox answer: a refusal is an answer, and what makes no sense is refused as the vendor does (`senseless`).

    `answer` may put headers that every answer has, such as what is left of a quota, into the mapping that it gets.
    """
    limits: dict[str, str] = {}
    try:
        said = answer(asked, limits)
    except Refusal as refusal:
        said = refusal.said
    except (ValueError, KeyError, TypeError, AttributeError):
        said = senseless().said
    said.headers |= limits
    return said


class Sandbox(Protocol):
    """What stands in for a vendor."""

    clock: Clock

    def answer(self, asked: Asked) -> Said:
        """Answer one request; called by one thread at a time."""


class Clock:
    """Time as the sandbox sees it: microseconds, standing still unless it is moved; `step_us` passes with each look."""

    def __init__(self, now_us: int = 1_700_000_000_000_000, step_us: int = 1000) -> None:
        self.now_us, self.step_us = now_us, step_us

    def tick(self) -> int:
        self.now_us += self.step_us
        return self.now_us

    def pass_seconds(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)

    def seconds(self) -> float:
        return self.now_us / 1_000_000


@dataclass(slots=True)
class Server:
    """A sandbox that is listening."""

    sandbox: Sandbox
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    before: Callable[[Asked], Said | None] = lambda _: None
    """Sees each request first, and may answer in the vendor's place (faults)."""
    after: Callable[[Asked, Said], Said] = lambda _, said: said
    """Sees each answer, and may change it on its way."""
    _open: list[socket.socket] = field(default_factory=list)
    lock: contextlib.AbstractContextManager[Any] = field(default_factory=threading.Lock)
    """Held while it answers; who changes the sandbox meanwhile holds it, too."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def close(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as file:
            while (asked := _read(file)) is not None:
                with self.lock:
                    self.asked.append(asked)
                    said = self.before(asked) or self.sandbox.answer(asked)
                    said = self.after(asked, said)
                    date = formatdate(self.sandbox.clock.seconds(), usegmt=True)
                if said.cut:
                    return
                connection.sendall(_spelled(said, date))


def _read(file: io.BufferedReader) -> Asked | None:
    line = file.readline(65_537)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ")
    headers: dict[str, str] = {}
    while (line := file.readline(65_537)) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", 0))
    body = file.read(size) if 0 < size <= BODY_MAX else b""
    parts = urlsplit(target)
    return Asked(
        method=method,
        path=parts.path,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
        target=target,
    )


def _spelled(said: Said, date: str) -> bytes:
    body = b"" if said.doc is None else said.doc if isinstance(said.doc, bytes) else orjson.dumps(said.doc)
    headers = {"Date": date, "Content-Length": str(len(body)), **({"Content-Type": "application/json"} if body else {})}
    lines = [f"HTTP/1.1 {said.status} {_REASONS.get(said.status, 'Said')}"]
    lines += [f"{name}: {value}" for name, value in {**headers, **said.headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.contextmanager
def serving(sandbox: Sandbox, port: int = 0) -> Iterator[Server]:
    """Run a sandbox on a port of 127.0.0.1 while the block runs; on a free one if none is named. Raises OSError."""
    server = Server(sandbox)
    with socket.create_server(("127.0.0.1", port)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()


# ---- webhooks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One webhook that a sandbox wants to send."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Tells(Protocol):
    """A sandbox that sends webhooks."""

    def letters(self) -> list[Letter]:
        """Write what has not been told yet, signed as the vendor does it, with its clock."""


def hmac_of(key: str, text: bytes) -> str:
    """Sign as most vendors do: HMAC-SHA256, base64."""
    return base64.b64encode(hmac.new(key.encode(), text, hashlib.sha256).digest()).decode()


@dataclass(slots=True)
class Fresh:
    """What a sandbox has not told of yet."""

    told: dict[Any, int] = field(default_factory=dict)

    def take(self, stamps: Mapping[Any, int]) -> list[tuple[Any, str]]:
        """Name what differs since the last time, and how: created, changed or deleted."""
        found = [
            (id_, "changed" if id_ in self.told else "created")
            for id_, at in stamps.items()
            if self.told.get(id_) != at
        ]
        found += [(id_, "deleted") for id_ in self.told if id_ not in stamps]
        self.told = dict(stamps)
        return found


@dataclass(slots=True)
class Courier:
    """Delivers the letters of a sandbox as networks and vendors do: some twice, in another order, late, or never."""

    sandbox: Tells
    copies: float = 0.0
    """So many of them come twice."""
    lost: float = 0.0
    """So many never come."""
    shuffled: bool = False
    seed: int = 0
    again: list[Letter] = field(default_factory=list)
    """What was not answered by 2xx: it is sent again with the next."""

    def deliver(self, hold_back: int = 0) -> list[int]:
        """Send what there is but for the last `hold_back`, which come with the next; give the answers' statuses."""
        chance = random.Random(self.seed)  # noqa: S311 - a story that can be told again
        self.seed += 1
        letters = [*self.again, *(each for each in self.sandbox.letters() if chance.random() >= self.lost)]
        letters += [each for each in letters if chance.random() < self.copies]
        if self.shuffled:
            chance.shuffle(letters)
        end = len(letters) - hold_back
        self.again = letters[end:]
        statuses = [post(each) for each in letters[:end]]
        self.again += [each for each, status in zip(letters, statuses, strict=False) if not 200 <= status < 300]
        return statuses


def post(letter: Letter, method: str = "POST") -> int:
    """Send one webhook; give the status of the answer, 0 where there was none."""
    parts = urlsplit(letter.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts.path, letter.body or None, dict(letter.headers))
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return 0
    finally:
        connection.close()
    return answer.status
