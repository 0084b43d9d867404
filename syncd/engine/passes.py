"""Passes: recover, pull, decide, guard, apply, until nothing is left to do.

`sync` reads like the list of its steps. Every guard looks at the whole plan before the first write.
"""

from __future__ import annotations

from collections import Counter

from syncd.core.plan import check_guards
from syncd.engine.apply import apply_app
from syncd.engine.decide import decide
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.pull import pull
from syncd.engine.recover import recover
from syncd.store.codec import KINDS
from syncd.store.tx import Tx

PASSES_MAX = 8


def read_all(hub: Hub, apps: list[OpenApp], *, full: bool = False) -> None:
    """Recover and pull these apps; an app whose listing proves nothing by itself is listed twice."""
    for app in apps:
        if app.usable:
            recover(hub, app)
        if app.usable:
            pull(hub, app, full=full)
        if app.usable and hub.world.transact("covered", lambda tx, app=app: tx.apps()[app.name].covered) < 2:
            pull(hub, app, full=True)


def sync(hub: Hub, *, apps: list[OpenApp] | None = None, full: bool = False, write: bool = True) -> bool:
    """Run passes until quiescent; says whether nothing is left to do (held and failed apps aside)."""
    chosen = list(hub.apps.values()) if apps is None else apps
    read_all(hub, chosen, full=full)
    for _ in range(PASSES_MAX):
        decide(hub)
        guard(hub)
        if not write or not write_all(hub):
            return True
        if not hub.world.transact("left", _left):
            return True
        for app in chosen:
            if app.usable:
                recover(hub, app)
    return False


def guard(hub: Hub) -> None:
    """Count the whole plan and hold every app where it looks like a catastrophe."""
    counts, linked = hub.world.transact("count", lambda tx: planned(tx, hub))
    for held in check_guards(counts, linked, hub.limits, hub.approved):
        app = next(a for a in hub.apps.values() if a.name == held.app)
        if not app.held:
            hub.hold(held, app)


def planned(tx: Tx, hub: Hub) -> tuple[Counter[tuple[str, str]], dict[str, int]]:
    """Count what is planned per app and guard verb, and the linked records of the apps it concerns."""
    counts: Counter[tuple[str, str]] = Counter()
    linked: dict[str, int] = {}
    for index, kind, sent, flags, count in tx.intent_counts():
        app = hub.apps.get(index)
        if app is None or sent:
            continue
        for verb in _verbs(kind, flags):
            counts[app.name, verb] += count
        if app.name not in linked:
            linked[app.name] = tx.linked_count(index)
    return counts, linked


def _verbs(kind: int, flags: int) -> tuple[str, ...]:
    if KINDS[kind] == "consent":
        return ("opt_outs",) if flags & 2 else ()
    if KINDS[kind] == "update":
        return ("updates", "clears") if flags & 1 else ("updates",)
    return ("creates",) if KINDS[kind] == "create" else ("archives",)


def write_all(hub: Hub) -> int:
    """Apply the plan, app by app; creates wait until every app is covered (CREATE-AFTER-COVERAGE)."""
    return sum(apply_app(hub, app) for app in sorted(hub.apps.values(), key=lambda a: a.rule.rank) if app.usable)


def _left(tx: Tx) -> bool:
    return bool(tx.dirty_contacts([], 0, 1))
