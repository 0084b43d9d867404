"""First: the approval of the first look covers the apps that were read for it. What was out of reach then is looked at when
it is back. A store that went back in time is looked at once more.

Knows nothing of commands. Hard rule: nothing of an app that nobody has looked at is merged, or written to it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

from syncd.core.plan import Held
from syncd.engine.hub import Hub, OpenApp
from syncd.store.tx import Tx

LOOK: Final = "first_look"
"""The verb of such a hold; its count is the number of records that nobody has looked at."""
WENT_BACK: Final = (
    "the store is older than what syncd did with it: restored from a backup? Everything is read anew, and nothing is "
    "written before somebody has looked"
)
_FIRST: Final = "first"
_UNSEEN: Final = "unseen"


def was_looked_at(tx: Tx) -> bool:
    """Say whether somebody approved the first look, or there was nothing to look at."""
    return bool(tx.meta(_FIRST))


def look_again(tx: Tx) -> None:
    """Begin as on the first day, with what is known: read every app from its beginning, and write nothing before somebody
    has looked. For a store that was restored from a backup (SYNC-MODEL 1.14): it knows nothing of what happened since.
    """
    tx.set_meta(_FIRST, "")
    for state in tx.apps().values():
        tx.save_app(state.id, cursor=None, covered=0)


def approve_first(tx: Tx, run: int, unseen: Collection[str]) -> None:
    """Write down that the first run was looked at, and which apps nobody could see in it."""
    tx.set_meta(_FIRST, str(run))
    tx.set_meta(_UNSEEN, json.dumps(sorted(unseen)))


def note_first(hub: Hub, unseen: Collection[str]) -> None:
    """Write down, before anything is written anywhere, that the first run was looked at or had nothing to look at."""

    def step(tx: Tx) -> frozenset[str]:
        if not was_looked_at(tx):
            approve_first(tx, hub.run, unseen)
        return unseen_of(tx)

    hub.unseen = hub.world.transact("first done", step)


def unseen_of(tx: Tx) -> frozenset[str]:
    """Name the apps that were not read when the first run was approved, nor since."""
    return frozenset(json.loads(tx.meta(_UNSEEN) or "[]"))


def unread(hub: Hub) -> list[str]:
    """Name the apps that were never read to the end."""
    states = hub.world.transact("coverage", lambda tx: tx.apps())
    return [app.name for app in hub.apps.values() if not states[app.name].covered]


def hold_unseen(hub: Hub) -> None:
    """Hold every app with records that nobody has looked at yet; one without, or that was approved, is as any other."""
    if not hub.unseen:
        return
    seen, holds = hub.world.transact("unseen", _look, hub)
    hub.unseen -= seen
    for app, count in holds:
        hub.hold(Held(app=app.name, verb=LOOK, count=count, limit=0), app)


def _look(tx: Tx, hub: Hub) -> tuple[set[str], list[tuple[OpenApp, int]]]:
    seen, holds = set(), []
    for app in hub.apps.values():
        count = tx.record_count(app.index) if app.name in hub.unseen and not app.held else 0
        if count > hub.allowed(app.name, LOOK):
            holds.append((app, count))
        elif app.pulled and not app.held and app.error is None:
            seen.add(app.name)
    if not hub.unseen.isdisjoint(seen):
        tx.set_meta(_UNSEEN, json.dumps(sorted(hub.unseen - seen)))
    return seen, holds


def looks(hub: Hub, unseen: Collection[str]) -> list[Held]:
    """Say which of these apps have records that nobody has looked at."""
    apps = [app for app in hub.apps.values() if app.name in unseen]
    counts = hub.world.transact("filled", lambda tx: {app.name: tx.record_count(app.index) for app in apps})
    return [Held(app=name, verb=LOOK, count=count, limit=0) for name, count in counts.items() if count]
