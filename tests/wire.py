"""A server that answers exactly what a test says, byte for byte, and remembers exactly what it was sent.

Standard library only. Hard rule: it never decides anything; what is not said is an error in the test.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    raw_head: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Send these bytes, then break the connection."""

    sent: bytes = b""


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing (or, again and again, these bytes) until the other side has had enough."""

    drip: bytes = b""


Answer = bytes | Cut | Silence


def reply(status: int, body: bytes | str = b"", **headers: str) -> bytes:
    """Make a whole answer. Headers: `retry_after` is Retry-After."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Text", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass(slots=True)
class Wire:
    """A running server: `url`, what it was asked, and how many connections there were."""

    answer: Callable[[Asked], Answer]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    context: ssl.SSLContext | None = None
    open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # the other side may leave at any moment
            stream = self.context.wrap_socket(connection, server_side=True) if self.context else connection
            with stream, stream.makefile("rb") as file:
                while (asked := _read(file)) is not None:
                    self.asked.append(asked)
                    if not self._say(stream, self.answer(asked)):
                        return

    def _say(self, stream: socket.socket, answer: Answer) -> bool:
        if isinstance(answer, Silence):
            stopped = threading.Event()
            while not stopped.wait(0.01):
                if answer.drip:
                    stream.sendall(answer.drip)
                else:
                    stopped.set() if not stream.recv(1) else None
            return False
        stream.sendall(answer.sent if isinstance(answer, Cut) else answer)
        return not isinstance(answer, Cut)


def _read(file: io.BufferedReader) -> Asked | None:
    if file.peek(1)[:1] == b"\x16":  # the other side speaks TLS
        return Asked(method="", target="", headers={}, body=b"", raw_head=b"")
    head: list[bytes] = []
    for line in file:
        if line == b"\r\n":
            break
        head.append(line)
    if not head:
        return None
    method, target, _ = head[0].decode("latin-1").split(" ")
    pairs = [line.decode("latin-1").rstrip("\r\n").partition(":") for line in head[1:]]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    size = int(headers.get("content-length", 0))
    body = file.read(size) if size else b""
    return Asked(method=method, target=target, headers=headers, body=body, raw_head=b"".join(head))


@contextlib.contextmanager
def wire(answer: Callable[[Asked], Answer] | list[Answer], context: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Run a server for the block. A list is said in order; nothing may be left or missing at the end."""
    script = iter(answer) if isinstance(answer, list) else None
    server = Wire(answer=(lambda _: next(script)) if script is not None else answer, context=context)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in server.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join()
    if script is not None:
        assert next(script, None) is None, "an answer was not asked for"
