"""The four vendors' sandboxes of the demo, each an HTTP server of its own on a free port of this machine.

Knows sandboxes by the name of their connector. Hard rule: they answer as long as the block runs, and no other machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from syncd import registry
from syncd.http.sandbox import Asked, Clock, Courier, Said, Server, serving

WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")
READS: Final = ("search", "read", "token", "webhooks")
"""Last steps of paths that are asked by POST and change no contact."""
BEHIND_SECONDS: Final = 3600.0


class RunningClock(Clock):
    """A clock that runs, and that one can set forward. It begins an hour behind, so that the story has time to pass."""

    def __init__(self) -> None:
        self._ahead_us = 0
        super().__init__(now_us=_now_us() - int(BEHIND_SECONDS * 1_000_000), step_us=1)

    @property
    def now_us(self) -> int:
        return _now_us() + self._ahead_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        self._ahead_us = value - _now_us()

    def catch_up(self) -> None:
        """Show the time of day: signed webhooks are compared with it."""
        assert self._ahead_us <= 0, "the story takes less than the hour"
        self._ahead_us = 0


def _now_us() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True, kw_only=True)
class Vendor:
    """One sandbox that is listening, and what it was asked."""

    sandbox: Any
    server: Server
    courier: Courier
    statuses: list[tuple[float, int]] = field(default_factory=list)
    """When it answered (seconds), and with what."""

    @property
    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """Who works in the app while it answers requests holds this."""
        return self.server.lock

    def writes(self) -> int:
        """Count the requests for changes since the last time."""
        with self.lock:
            asked = list(self.server.asked)
            self.server.asked.clear()
        return sum(each.method in WRITES and each.parts[-1] not in READS for each in asked)


@contextlib.contextmanager
def vendor(connector: str, **settings: Any) -> Iterator[Vendor]:
    """Run one."""
    sandbox = registry.module(registry.find(connector), "sandbox").Sandbox(**settings)
    with serving(sandbox) as server:
        made = Vendor(sandbox=sandbox, server=server, courier=Courier(sandbox))

        def note(_: Asked, said: Said) -> Said:
            made.statuses.append((time.monotonic(), said.status))
            return said

        server.after = note
        yield made
