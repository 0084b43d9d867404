"""The world as a command sees it: fenced by the lease, and telling a person what is being done and how far it is.

Wraps the engine's seam, so the engine knows nothing of it. Hard rule: nothing is shown outside a terminal, nothing in the
first second, and nothing is left behind.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from syncd.engine.seam import LiveWorld, Transacting
from syncd.store.tx import Tx

if TYPE_CHECKING:
    from rich.status import Status

    from syncd.store.lease import Lease
    from syncd.store.store import Store

T = TypeVar("T")
P = ParamSpec("P")
PATIENCE_SECONDS: Final = 1.0
CALLS: Final = {
    "read": "reading",
    "write": "writing",
    "get": "looking again",
    "open": "connecting",
    "find": "looking up",
}
STEPS: Final = {"merge": "comparing contacts", "match": "matching records"}
LAST: Final = "intents"
"""The boundary at which a plan begins to be printed: the line makes room."""


@contextmanager
def command_world(store: Store, lease: Lease | None = None) -> Iterator[LiveWorld]:
    """Give out the live world: with a lease nothing is written once another process has taken over."""
    line = Line.where_it_is_seen()
    try:
        yield CommandWorld(_fenced(store, lease) if lease else store, lease, line)
    finally:
        if line is not None:
            line.stop()


def _fenced(store: Store, lease: Lease) -> Transacting:
    from syncd.store.lease import Fenced

    return Fenced(store, lease)


class Line:
    """The line on stderr."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._status: Status | None = None
        self._counts: Counter[str] = Counter()

    @classmethod
    def where_it_is_seen(cls) -> Line | None:
        """Make one where somebody looks at stderr."""
        return cls() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else None

    def tell(self, text: str) -> None:
        """Count one more step of this kind and show it."""
        self._counts[text] += 1
        self.say(f"{text}, {self._counts[text]} pages" if self._counts[text] > 1 else text)

    def say(self, shown: str) -> None:
        """Show this, unless all of it is over in a moment."""
        if time.monotonic() - self._since < PATIENCE_SECONDS:
            return
        if self._status is None:
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False, markup=False).status(shown)
            self._status.start()
        self._status.update(shown)

    def stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class CommandWorld(LiveWorld):
    """The live world of one command."""

    def __init__(self, store: Transacting, lease: Lease | None, line: Line | None) -> None:
        super().__init__(store)
        self._lease, self._line = lease, line

    def over(self, store: Transacting) -> CommandWorld:
        return CommandWorld(store, self._lease, self._line)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._line is not None and what in CALLS:
            self._line.tell(f"{app}: {CALLS[what]}")
        if self._lease is not None and what == "write":
            self._lease.demand()
        return super().call(app, what, action, *args, **kwargs)

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._line is not None and what in STEPS:
            self._line.tell(STEPS[what])
        elif self._line is not None and what == LAST:
            self._line.stop()
        return super().transact(what, step, *args, **kwargs)
