"""Indexing: by which keys records are found once the configuration matches people otherwise, or reads what it matches them by
otherwise (SYNC-MODEL 1.15).

A record gets its keys when it is read. With another match rule, or another `region`, those are keys that nobody asks for any
more, and whoever is known already would be created once more. Hard rule: all of it is done before anything is read or matched; a
crash between leaves a note that says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from syncd.core.state import Link
from syncd.engine.decide import reconsider
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.keys import identity_keys
from syncd.store.tx import Tx

_NOTED: Final = "keys"
_RULES: Final = ""
"""Beside the names of fields, of which it is none."""


def unindexed(tx: Tx, hub: Hub) -> list[OpenApp]:
    """Name the apps of which records are found by other keys than the rules ask for now. Notes those without records as right."""
    noted = _noted(tx)
    stale = [app for app in hub.apps.values() if _is_stale(noted.get(app.name), _made_of(hub, app))]
    empty = [app for app in stale if not tx.record_count(app.index)]
    if empty:
        _note(tx, hub, empty)
    return [app for app in stale if app not in empty]


def index_anew(hub: Hub, apps: Sequence[OpenApp]) -> None:
    """Give every record of these apps the keys that it has by the rules of today, and decide again about undecided ones: but not
    where nobody knows by which rules they were decided (a store of an earlier syncd).
    """
    changed = False
    for app in apps:
        changed |= hub.world.transact("keys", _forget, app)
        for start in range(1, hub.world.transact("keys", lambda tx: tx.next_contact()), PAGE):
            hub.world.transact("keys", _of_linked, hub, app, start)
        after: str | None = ""
        while after is not None:
            after = hub.world.transact("keys", _of_unlinked, hub, app, after)
    undecided: int | None = 0 if changed else None
    while undecided is not None:
        undecided = hub.world.transact("keys", _reconsider, hub, undecided)
    hub.world.transact("keys", _note, hub, apps)


def _made_of(hub: Hub, app: OpenApp) -> dict[str, Any]:
    """Say what the keys of an app's records are made of: the rules, and how the fields that they name are read."""
    names = sorted({*hub.rules.identity, "email"} & app.rule.lenses.keys())
    return {_RULES: [list(rule) for rule in hub.rules.match], **{name: app.rule.lenses[name].reading for name in names}}


def _is_stale(noted: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """A field that is not offered for a while changes nothing: its keys are still right."""
    return noted is None or any(noted.get(name) != each for name, each in now.items())


def _noted(tx: Tx) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(tx.meta(_NOTED) or "{}")
    return found


def _note(tx: Tx, hub: Hub, apps: Iterable[OpenApp]) -> None:
    noted = _noted(tx)
    for app in apps:
        noted[app.name] = {**noted.get(app.name, {}), **_made_of(hub, app)}
    tx.set_meta(_NOTED, json.dumps(noted, sort_keys=True))


def _forget(tx: Tx, app: OpenApp) -> bool:
    """Begin: nothing is right from here on until it is noted again. The keys of a field that is not offered now stay. Says
    whether anything was noted before.
    """
    noted = _noted(tx)
    known = app.name in noted
    noted[app.name] = {}
    tx.set_meta(_NOTED, json.dumps(noted, sort_keys=True))
    if not (app.lost or app.moved):
        tx.forget_keys(app.index)
    return known


def _of_linked(tx: Tx, hub: Hub, app: OpenApp, start: int) -> None:
    _index(tx, hub, app, tx.links_in(app.index, range(start, start + PAGE)).values())


def _of_unlinked(tx: Tx, hub: Hub, app: OpenApp, after: str) -> str | None:
    """Index one page; says where to go on."""
    links = tx.unlinked(app.index, after, PAGE)
    _index(tx, hub, app, links)
    return links[-1].id if len(links) == PAGE else None


def _index(tx: Tx, hub: Hub, app: OpenApp, links: Iterable[Link]) -> None:
    rows = []
    for link in links:
        shown = [link.base, *([{**link.base, **link.seen.fields}] if link.seen else [])]
        keys = dict.fromkeys(key for fields in shown for key in identity_keys(fields, app.rule, hub.rules))
        rows += [{"key": key, "app": app.index, "record": link.id} for key in keys]
    tx.add_keys(rows)


def _reconsider(tx: Tx, hub: Hub, after: int) -> int | None:
    """Match one page of undecided records again by the rules of today; says where to go on."""
    ids = tx.review_contacts(after, PAGE)
    reconsider(tx, (), ids, hub.world.now_ms())
    return ids[-1] if len(ids) == PAGE else None
