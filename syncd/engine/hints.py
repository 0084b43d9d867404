"""Hints: fetch what webhooks have named, fresh from the app, and store it as any other observation.

Nothing that a webhook says is believed but the id; without one the app is read since its cursor. Hard rule: a hint goes in
the transaction that stores what was fetched, and only if it has not been named again meanwhile (SYNC-MODEL 1.13).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from syncd.engine.hearing import hear_opt_outs, hear_replaced
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.pull import note_gone, observe, pull
from syncd.errors import SyncdError
from syncd.model import Record, Spec
from syncd.store.hints import HINTS_MAX, SOMETHING, Hint
from syncd.store.tx import AppState, Tx

WAIT_MS_MIN: Final = 1000
"""A whole read is worth waiting a moment for: other webhooks come right behind."""


def wait_ms(spec: Spec) -> int:
    """Say how long after a webhook without ids a read will show what has changed: the app's own lag."""
    return max(int(spec.lag_seconds * 1000), WAIT_MS_MIN)


def follow(hub: Hub, app: OpenApp) -> None:
    """Fetch every record that is hinted at. Where nothing was ever listed hints wait, as everything will be read."""
    state, hints = hub.world.transact("hints", _waiting, app)
    app.hint_ms = None
    if not state.covered:
        return
    named = [hint for hint in hints if hint.id != SOMETHING]
    try:
        for start in range(0, len(named), PAGE):
            _fetch(hub, app, state, named[start : start + PAGE])
    except SyncdError as error:
        hub.fail(app, error)
        return
    for hint in hints:
        if hint.id == SOMETHING:
            _read(hub, app, hint)


def _waiting(tx: Tx, app: OpenApp) -> tuple[AppState, list[Hint]]:
    return tx.apps()[app.name], tx.hints(app.index, HINTS_MAX + 1)


def _fetch(hub: Hub, app: OpenApp, state: AppState, hints: Sequence[Hint]) -> None:
    assert app.app is not None
    ids = [hint.id for hint in hints]
    there = hub.world.call(app.name, "get", app.app.get, ids)
    app.counts["read"] += len(there)
    now_ms = hub.world.now_ms()

    def step(tx: Tx) -> None:
        old: list[Record] = []
        found = observe(tx, hub.rules, app.rule, there, now_ms, state.read_ms, replaced=old, sure=there)
        hear_replaced(tx, hub, app.rule, old)
        hear_opt_outs(tx, hub, app.rule, {id_: there[id_] for id_ in found if id_ in there})
        note_gone(tx, app, [id_ for id_ in ids if id_ not in there])
        tx.forget_hints(app.index, hints)

    hub.world.transact("hinted", step)


def _read(hub: Hub, app: OpenApp, hint: Hint) -> None:
    """Read since the cursor. The hint stays while what it told of may not be visible yet."""
    started_ms, wait = hub.world.now_ms(), wait_ms(app.rule.spec)
    if hint.due_ms > started_ms:
        app.hint_ms = hint.due_ms
        return
    pull(hub, app, hinted=True)
    if not app.usable:
        return
    again_ms = hint.at_ms + wait

    def step(tx: Tx) -> int | None:
        if again_ms <= started_ms:
            tx.forget_hints(app.index, [hint])
        left = [each for each in tx.hints(app.index, HINTS_MAX + 1) if each.id == SOMETHING]
        for each in left:  # named again meanwhile
            tx.put_off_hint(app.index, each.id, each.at_ms + wait)
            return each.at_ms + wait
        return None

    app.hint_ms = hub.world.transact("followed", step)
