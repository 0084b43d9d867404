"""Restored: notice that an app went back in time, hold it, and bring it up to date when a person agrees (ROLLBACK-DETECTED,
SYNC-MODEL 1.14).

Judges what is stored and not merged yet, so that no crash and no restart forgets it. Hard rule: from the moment at which an app
is noted here until it is itself again, or up to date, none of its earlier values wins and nothing missing in it counts as deleted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.former import former
from syncd.core.plan import SHRUNK, Held
from syncd.core.state import Link
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.store.tx import Tx

RESTORED: Final = "restored"
"""The verb of such a hold; its count is the number of records that went back."""
_NOTED: Final = "restored"
_REWRITES: Final = ("updates", "clears", "opt_outs")
"""What bringing an app up to date comes to, beside new records for those that are missing: who agrees to it agrees to these."""
_FEW: Final = 3
"""So many are believed in the smallest app."""
MISSING_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An app that went back in time."""

    count: int
    limit: int
    agreed: bool
    """A person has said so: it is being brought up to date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspect:
    """An app of which so much waits to be merged that it may have gone back in time."""

    app: OpenApp
    waiting: int
    linked: int
    limit: int
    noted: Noted | None
    partly: bool
    """It was not read in this run, or not to the end."""


def hold_restored(hub: Hub, *, reading: bool = False) -> Mapping[int, int]:
    """Hold every app that shows so many earlier states that it seems to have been restored from a backup; one of which a
    person has said so is brought up to date instead. Call before anything that was read is merged, or believed to be gone.

    `reading`: all apps that are due were read. What is known of an app that was not, or not to the end, may be a part of what
    went back: where any of it did, the app is set aside for this run. Says how many records of each app wait to be merged.
    """
    held = {each.app for each in hub.held if each.verb == RESTORED}
    suspects, waiting = hub.world.transact("waiting", _suspects, hub, reading=reading)
    for suspect in suspects:
        app, noted = suspect.app, suspect.noted
        if app.name in held:
            continue
        if app.name in hub.believed:
            hub.world.transact("restored", _forget, app)
        elif noted is not None and noted.agreed:
            hub.restored.add(app.index)
        elif noted is not None and not app.pulled and not hub.allowed(app.name, RESTORED):
            hub.hold(Held(app=app.name, verb=RESTORED, count=noted.count, limit=noted.limit), app)
        else:
            _judge(hub, suspect)
    return waiting


def up_to_date(hub: Hub) -> None:
    """Let go of the apps of which everything that was read is merged, and every record that was missing is dealt with."""
    if hub.restored:
        hub.restored -= hub.world.transact("up to date", _done, hub)


def noted_of(tx: Tx) -> dict[str, Noted]:
    """Name the apps that went back in time."""
    stored = json.loads(tx.meta(_NOTED) or "{}")
    return {name: Noted(count=count, limit=limit, agreed=agreed) for name, (count, limit, agreed) in stored.items()}


def _keep(tx: Tx, noted: dict[str, Noted]) -> None:
    doc = {name: [each.count, each.limit, each.agreed] for name, each in noted.items()}
    tx.set_meta(_NOTED, json.dumps(doc, sort_keys=True))


def _suspects(tx: Tx, hub: Hub, *, reading: bool) -> tuple[list[_Suspect], Mapping[int, int]]:
    """Find apps of which more waits than is believed unasked, and those that are noted already; count what waits, app by app. Cheap
    where nothing does.
    """
    noted, counts, found = noted_of(tx), tx.waiting_counts(), []
    for app in hub.apps.values():
        waiting, known = counts.get(app.index, 0), noted.get(app.name)
        ordered = app.rule.spec.versions == "ordered"
        partly = reading and bool(waiting) and not app.pulled
        if known is None and not partly and (not waiting or (waiting <= _FEW and not ordered)):
            continue
        linked = tx.linked_count(app.index)
        limit = known.limit if known is not None else SHRUNK.of(linked)
        if known is not None or partly or waiting > limit or (waiting == linked and ordered):
            found.append(_Suspect(app=app, waiting=waiting, linked=linked, limit=limit, noted=known, partly=partly))
    return found, counts


def _judge(hub: Hub, suspect: _Suspect) -> None:
    """Count what went back and what went on. Who was held once is held as long as anything of it is back: the last few old
    values are no more right than the many were.
    """
    app, found = suspect.app, Counter[str]()
    after: int | None = 0
    while after is not None:
        page, after = hub.world.transact("past", _look, hub, app, after)
        found += page
    back = found["back"]
    if not found["left"]:
        hub.world.transact("restored", _forget, app)
        return
    all_of_it = found["by version"] == suspect.linked
    many = back > suspect.limit or all_of_it
    if suspect.noted is None and (not many or found["on"] > back):
        app.held = app.held or suspect.partly
        return
    agreed = bool(hub.allowed(app.name, RESTORED))
    noted = Noted(count=back, limit=0 if all_of_it else suspect.limit, agreed=agreed)
    hub.approved.update(hub.world.transact("restored", _note, app, noted, suspect.waiting))
    if agreed:
        hub.restored.add(app.index)
    else:
        hub.hold(Held(app=app.name, verb=RESTORED, count=back, limit=noted.limit), app)


def _look(tx: Tx, hub: Hub, app: OpenApp, after: int) -> tuple[Counter[str], int | None]:
    """Count one page of what waits to be merged: what went back, also by its version, and what went on."""
    contacts = tx.waiting(app.index, after, PAGE)
    links, past = tx.links_of(contacts), tx.journal_entries(contacts, None, None)
    found = Counter[str]()
    for number, mine in links.items():
        link, others = _parted(mine, app)
        judged = former(link, app.rule, past.get(number, ()), hub.rules, others)
        found["back"] += judged.back
        found["by version"] += judged.by_version
        found["on"] += judged.on
        found["left"] += judged.left
    return found, contacts[-1] if len(contacts) == PAGE else None


def _parted(links: Sequence[Link], app: OpenApp) -> tuple[Link, list[Link]]:
    """Tell a contact's record in an app from its others."""
    return next(link for link in links if link.app == app.index), [link for link in links if link.app != app.index]


def _note(tx: Tx, app: OpenApp, noted: Noted, waiting: int) -> dict[tuple[str, str], int]:
    """Remember it; give what else is approved with it. Everything is read at the next look: no feed tells what went back, and
    its cursor may be of a time that the app has not come to yet.
    """
    _keep(tx, {**noted_of(tx), app.name: noted})
    if not noted.agreed:
        tx.save_app(app.index, cursor=None)
        return {}
    counts = dict.fromkeys(_REWRITES, waiting)
    counts["creates"] = len(tx.struck(app.index, 1, MISSING_MAX))
    approvals = json.loads(tx.meta("approvals") or "{}")
    for verb, count in counts.items():
        key = f"{app.name}:{verb}"
        approvals[key] = counts[verb] = max(approvals.get(key, 0), count)
    tx.set_meta("approvals", json.dumps(approvals, sort_keys=True))
    return {(app.name, verb): count for verb, count in counts.items()}


def _forget(tx: Tx, app: OpenApp) -> None:
    noted = noted_of(tx)
    if noted.pop(app.name, None) is not None:
        _keep(tx, noted)


def _done(tx: Tx, hub: Hub) -> set[int]:
    """Name the apps that were read and are up to date now, but for what is still to be written there."""
    done, waiting = set(), tx.waiting_counts()
    for app in (hub.apps[index] for index in sorted(hub.restored)):
        if app.pulled and app.usable and not waiting.get(app.index) and not tx.any_missed(app.index):
            _forget(tx, app)
            done.add(app.index)
    return done
