"""The CardDAV stand-in on the wire of the tests, byte for byte, with faults before and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.carddav.sandbox import BOOK, Sandbox, row
from connectors.carddav.sandbox import multistatus as said_of
from syncd.http.sandbox import Asked as AskedOf
from syncd.http.sandbox import Said
from tests.wire import Answer, Asked, Wire, reply, wire

__all__ = ("BOOK", "TinyDav", "multistatus", "row", "tiny_dav")


def spelled(said: Said) -> bytes:
    """Spell an answer as it goes over the wire."""
    headers = {name.lower().replace("-", "_"): value for name, value in said.headers.items()}
    return reply(said.status, said.doc or b"", **headers)


def multistatus(*parts: str) -> bytes:
    return spelled(said_of(*parts))


@dataclass(slots=True, kw_only=True)
class TinyDav(Sandbox):
    """The address book. `before` and `after` see each request and may answer in the server's place."""

    before: Callable[[Asked], Answer | None] = lambda _: None
    after: Callable[[Asked, Answer], Answer | None] = lambda _, __: None
    server: Wire | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}{BOOK}"

    @property
    def asked(self) -> list[Asked]:
        assert self.server is not None
        return self.server.asked

    def on_the_wire(self, asked: Asked) -> Answer:
        answer = self.before(asked)
        if answer is not None:
            return answer
        request = AskedOf(method=asked.method, path=asked.target, query={}, headers=asked.headers, body=asked.body)
        answer = spelled(self.answer(request))
        return self.after(asked, answer) or answer


@contextmanager
def tiny_dav(**knobs: object) -> Iterator[TinyDav]:
    """Run one for the block."""
    dav = TinyDav(**knobs)  # type: ignore[arg-type]
    with wire(dav.on_the_wire) as server:
        dav.server = server
        yield dav
