"""Where a browser comes back to after a login: a port of this machine, and a line that somebody pastes.

Knows addresses, not what is in them. Hard rules: it listens on 127.0.0.1 only and for as long as it is asked to; nothing
that came in is shown again, neither on a page nor in a message.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from syncd.errors import ConfigError, TransientError

HEAD_MAX: Final = 16_384
VISITORS_MAX: Final = 32
"""Browsers open connections that they do not use; more than these are not theirs."""
SEND_SECONDS: Final = 5.0
START: Final = "/start"
LOCAL: Final = ("127.0.0.1", "localhost")
_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>syncd</title>"
    "<body style='font: 1.1em sans-serif; margin: 4em'><h1>{}</h1><p>{}</p>"
)
_HEAD: Final = (
    "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
    "Connection: close\r\n{}\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One answer. `query`: what stands behind the `?`; `tell`: shows (title, text) where it came from, if that can show."""

    query: str
    tell: Callable[[str, str], None]


class Loopback:
    """The address that a browser comes back to, while the block runs."""

    def __init__(self, app: str, *, host: str, port: int = 0, redirect: str = "") -> None:
        """Listen on a port (0: a free one), or where `redirect` says; one on another machine can only be pasted.

        Raises ConfigError where that port cannot be had.
        """
        self._app = app
        self._listener: socket.socket | None = None
        self._visitors: dict[socket.socket, bytes] = {}
        self._page = ""
        self.redirect = redirect
        self._path = "/"
        if redirect:
            host, port, self._path = _taken_apart(app, redirect)
            if host not in LOCAL:
                return
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"{app}: port {port} of 127.0.0.1 cannot be had: {error.strerror}; give another --port"
            ) from None
        self._port = self._listener.getsockname()[1]
        self.redirect = redirect or f"http://{host}:{self._port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (*self._visitors, *([self._listener] if self._listener else [])):
            each.close()

    @property
    def listens(self) -> bool:
        return self._listener is not None

    def start(self, page: str) -> str:
        """Give an address that leads to the page once: so that the page's own stands in no list of processes."""
        assert self._listener is not None, "only where somebody listens"
        self._page = page
        return f"http://127.0.0.1:{self._port}{START}"

    def come(self, typed: int | None, seconds: float) -> Iterator[Came]:
        """Yield what comes back, from the browser or on the file `typed`, a line each, until the time is over.

        Raises TransientError when it is, or when nothing can come any more.
        """
        end, line = time.monotonic() + seconds, b""
        while (left := end - time.monotonic()) > 0 and (self._listener is not None or typed is not None):
            files = [each for each in (self._listener, *self._visitors, typed) if each is not None]
            for ready in select.select(files, [], [], left)[0]:
                if ready is self._listener:
                    self._let_in()
                elif isinstance(ready, socket.socket):
                    yield from self._heard(ready)
                elif typed is not None:
                    read = os.read(typed, 4096)
                    *whole, line = (line + read).split(b"\n") if read else (line, b"")
                    typed = typed if read and len(line) < HEAD_MAX else None
                    yield from (Came(query=_query(each), tell=_nowhere) for each in whole if each.strip())
        why = (
            "nobody came back from the browser in time"
            if left <= 0
            else "no address was given, and there is none to wait for"
        )
        raise TransientError(
            f"{self._app}: not logged in: {why}; nothing was changed, try again: syncd auth {self._app}"
        )

    def _let_in(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            visitor, _ = self._listener.accept()
            visitor.setblocking(False)
            if len(self._visitors) >= VISITORS_MAX:
                self._part(next(iter(self._visitors)))
            self._visitors[visitor] = b""

    def _heard(self, visitor: socket.socket) -> Iterator[Came]:
        """Read what a visitor says; yield it if it is a whole request for our address."""
        if visitor not in self._visitors:
            return  # shown out a moment ago
        try:
            read = visitor.recv(HEAD_MAX)
        except OSError:
            read = b""
        head = self._visitors[visitor] = self._visitors[visitor] + read
        if not read or len(head) > HEAD_MAX:
            self._part(visitor)
        elif b"\r\n\r\n" in head:
            method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
            path, _, query = rest.partition(" ")[0].partition("?")
            if method == "GET" and path == START and self._page:
                self._send(visitor, "302 Found", "", f"Location: {self._page}\r\n")
                self._page = ""
            elif method == "GET" and path == self._path and query:
                yield Came(
                    query=query, tell=lambda title, text: self._send(visitor, "200 OK", _PAGE.format(title, text))
                )
            else:
                self._send(visitor, "404 Not Found", "")

    def _send(self, visitor: socket.socket, status: str, page: str, more: str = "") -> None:
        body = page.encode()
        with contextlib.suppress(OSError):
            visitor.settimeout(SEND_SECONDS)
            visitor.sendall(_HEAD.format(status, len(body), more).encode() + body)
            visitor.shutdown(socket.SHUT_WR)
        self._part(visitor)

    def _part(self, visitor: socket.socket) -> None:
        self._visitors.pop(visitor, None)
        visitor.close()


def _taken_apart(app: str, redirect: str) -> tuple[str, int, str]:
    """Take a redirect URI apart into host, port and path. Raises ConfigError."""
    try:
        parts = urlsplit(redirect)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    sound = redirect.isprintable() and parts.scheme in {"http", "https"} and host and not parts.fragment
    if not sound or (host in LOCAL and (parts.scheme != "http" or port is None)):
        wanted = "such as http://localhost:53117/, or https://example.com/ whose address you paste"
        raise ConfigError(f"{app}: --redirect is none of the addresses that a browser can be sent back to, {wanted}")
    return host, port or 0, parts.path or "/"


def _query(line: bytes) -> str:
    """Take from a pasted address what stands behind the `?`; from a pasted query all of it."""
    text = line.decode("latin-1").strip().partition("#")[0]
    _, mark, query = text.partition("?")
    return query if mark else text


def _nowhere(title: str, text: str) -> None:
    """There is no page to show it on."""
