"""Begin: what a run starts from, its number, what was approved before it, and the rules by which it decides.

Must not know what kinds of runs there are. Hard rule: one transaction (and some more where the rules for matching have changed),
before anything is read.
"""

from __future__ import annotations

from syncd.engine.finish import approvals_of
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.indexing import index_anew, unindexed
from syncd.engine.readings import LATE, read_anew
from syncd.store.tx import Tx


def begin(hub: Hub, kind: str, rules: str) -> None:
    """Begin a run: its number, what was approved before, and the rules by which it decides."""

    def step(tx: Tx) -> tuple[int, dict[tuple[str, str], int], list[OpenApp]]:
        number = tx.begin_run(kind, hub.world.now_ms())
        note_rules(tx, hub, rules, number)
        return number, approvals_of(tx), unindexed(tx, hub)

    hub.run, hub.approved, stale = hub.world.transact("run", step)
    if stale:
        index_anew(hub, stale)


def note_rules(tx: Tx, hub: Hub, now: str, run: int) -> None:
    """A change of the rules is a change of every contact: decide them all again (SYNC-MODEL 1.15)."""
    before = tx.meta("rules")
    if before != now or tx.meta(LATE):
        read_anew(tx, hub, run)
    if before != now:
        if before is not None:
            tx.mark_all_dirty()
        tx.set_meta("rules", now)
