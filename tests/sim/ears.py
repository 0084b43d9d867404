"""Webhooks on their way: what an app announces comes in at once, late, twice or never, in the store as the web puts it there.

Knows nothing of what a hint leads to. Hard rule: nothing is told but an id, or that something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.sim.stores import Kept
from tests.sim.vendor import Vendor
from tests.sim.world import Clock

LATE_MS: Final = (0, 0, 3_000, 300_000)
LOST: Final = 0.2
TWICE: Final = 0.15
NAMELESS: Final = 0.15
"""How often a webhook is lost, comes twice, or does not say what has changed."""


@dataclass(slots=True)
class Ears:
    """Where the webhooks of all apps come in."""

    kept: Kept
    clock: Clock
    number: Callable[[int], int]
    """Gives the number that the store has for an app; 0: none yet."""
    met: Callable[[str], None]

    def announce(self, vendor: Vendor, id_: str) -> None:
        """Let an app tell that a record has changed."""
        chance = vendor.chance
        if chance.random() < LOST and not vendor.calm:
            self.met("a webhook was lost")
            return
        ids = [] if chance.random() < NAMELESS else [id_]
        late_ms = chance.choice(LATE_MS)
        self.met("a webhook came late" if late_ms else "a webhook came at once")
        vendor.after(late_ms, lambda: self._hear(vendor, ids))
        if chance.random() < TWICE:
            self.met("a webhook came twice")
            vendor.after(late_ms + 1, lambda: self._hear(vendor, ids))

    def _hear(self, vendor: Vendor, ids: list[str]) -> None:
        app = self.number(vendor.index)
        if not app:
            return  # nobody listens before the first run
        now_ms = self.clock.true_ms + self.clock.wrong_ms
        due_ms = now_ms + max(vendor.quirks.lag_ms, 1_000)
        self.kept.store.transact(lambda tx: tx.hear(app, ids, now_ms, due_ms))
