"""A wire to a real server over HTTP: what is asked is handed on as it is, and what is said comes back as it was said.

So faults can be put before and after a real server as they can with a sandbox. Hard rule: but for its own address, which it
exchanges for the server's where a request names it, it changes nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from syncd.http.sandbox import Asked, Clock, Said, Server, serving

SECONDS_MAX: Final = 60.0
HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "server"})
"""Headers of one connection, which each of the two has for itself."""


class TimeOfDay(Clock):
    """The machine's clock, as the server behind has it."""

    def seconds(self) -> float:
        return time.time()


@dataclass(slots=True, kw_only=True)
class Forwarder:
    """Stands in for nobody: it asks the server on a port of 127.0.0.1."""

    behind: int
    port: int = 0
    """Its own."""
    clock: Clock = field(default_factory=TimeOfDay)

    def answer(self, asked: Asked) -> Said:
        ours, theirs = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.behind}"
        headers = {name: value.replace(ours, theirs) for name, value in asked.headers.items() if name not in HOP}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.behind, timeout=SECONDS_MAX)) as there:
            try:
                there.request(asked.method, asked.target, asked.body or None, headers)
                said = there.getresponse()
                body = said.read()
            except (OSError, http.client.HTTPException):
                return Said(cut=True)
        kept = {name.title(): value for name, value in said.getheaders() if name.lower() not in HOP}
        return Said(status=said.status, doc=body or None, headers=kept)


@contextlib.contextmanager
def forwarding(behind: int) -> Iterator[Server]:
    """Keep a wire to the server on this port of 127.0.0.1 while the block runs."""
    forwarder = Forwarder(behind=behind)
    with serving(forwarder) as server:
        server.lock = contextlib.nullcontext()  # the server behind says itself how many it answers at once
        forwarder.port = server.port
        yield server
