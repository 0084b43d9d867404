"""Keep what was heard before anybody is told so: many webhooks in one transaction, as many as have come meanwhile.

Knows nothing of HTTP. Hard rule: `keep` returns when it is durable, or raises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from syncd.errors import TransientError
from syncd.store.store import Store
from syncd.store.tx import Tx

WAITING_MAX: Final = 1_000
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What one webhook leaves."""

    app: str
    ids: Sequence[str]
    """Records that it names; none: something has changed."""
    wait_ms: int
    """How long something that has changed is left to become visible."""
    done: asyncio.Future[None]


class Notebook:
    """Writes hints, one transaction at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Said] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, app: str, ids: Sequence[str], wait_ms: int) -> None:
        """Make it durable. Raises TransientError where the store is not to be had, or too much is waiting for it."""
        if len(self._waiting) >= WAITING_MAX:
            raise TransientError("the store is not fast enough for so many webhooks")
        said = Said(app, ids, wait_ms, asyncio.get_running_loop().create_future())
        self._waiting.append(said)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await said.done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            now_ms = time.time_ns() // 1_000_000
            step = partial(_leave, batch=batch, now_ms=now_ms)
            writing = asyncio.create_task(asyncio.to_thread(self._store.transact, step))
            await asyncio.wait([writing])
            error = writing.exception()
            for said in batch:
                if said.done.done():
                    continue  # whoever waited has gone
                if error is None:
                    said.done.set_result(None)
                else:
                    said.done.set_exception(error)


def _leave(tx: Tx, *, batch: Sequence[Said], now_ms: int) -> None:
    states = tx.apps()
    for said in batch:
        if said.app not in states:
            tx.add_app(said.app)
            states = tx.apps()
        tx.hear(states[said.app].id, said.ids, now_ms, now_ms + said.wait_ms)
