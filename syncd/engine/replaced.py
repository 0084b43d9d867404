"""Replaced: known ids under which an app shows somebody else now, or the address of another record of its own (SYNC-MODEL 1.12).

A row was deleted and its number given to the next one between two looks, people typed a new person over an old one, or rows were
mixed up: a sheet sorted by one column, addresses that slid down by a row. Taken for edits, that would turn people into one
another in every app, and carry the opt-out of one along to all. Hard rule: it is looked at before anything is merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from syncd.core.plan import Held
from syncd.core.state import Link, Seen
from syncd.engine.deletions import unlink
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.pull import observe
from syncd.engine.returning import moved, shows_somebody_else
from syncd.model import Record
from syncd.store.tx import Tx

MIXED_UP: Final = "mixed_up"
"""The verb of such a hold; its count is the number of records that show somebody else, or another one's address."""


FEW: Final = 3
"""So many addresses may change hands in the smallest app."""


class _Page(NamedTuple):
    """What one page of what waits to be merged shows."""

    others: list[str]
    """Records that show somebody else."""
    moved: int
    """Records that show the address of another one."""
    after: int | None
    """Where the next page begins."""


def part_replaced(hub: Hub, waiting: Mapping[int, int]) -> None:
    """Hold every app that shows others in more places than may be unlinked; else part the records that show somebody else from
    their contacts, and leave it to a person whose they are (`returning`).

    Call whenever something was read, and before it is merged; also of apps that are out of reach or paused now, for what was read
    of them is merged all the same. `waiting`: app -> how many of its records are not merged yet.
    """
    for app in hub.apps.values():
        count = waiting.get(app.index, 0)
        if count and not app.held and (app.rule.spec.reuses_ids or count > FEW):
            _judge(hub, app)


def _judge(hub: Hub, app: OpenApp) -> None:
    others: list[str] = []
    count = 0
    page = _Page([], 0, 0)
    while page.after is not None:
        page = hub.world.transact("replaced", _look, hub, app, page.after)
        others, count = others + page.others, count + page.moved
    if not others and count <= FEW:
        return
    limit = max(hub.limits["unlinks"].of(hub.world.transact("linked", _linked, app)), hub.allowed(app.name, MIXED_UP))
    if len(others) + count > limit and app.name not in hub.believed:
        hub.hold(Held(app=app.name, verb=MIXED_UP, count=len(others) + count, limit=limit), app)
        return
    for start in range(0, len(others), PAGE):
        hub.world.transact("replaced", _part, hub, app, others[start : start + PAGE])


def _linked(tx: Tx, app: OpenApp) -> int:
    return tx.linked_count(app.index)


def _look(tx: Tx, hub: Hub, app: OpenApp, after: int) -> _Page:
    """Look at one page of what waits to be merged."""
    numbers = tx.waiting(app.index, after, PAGE)
    contacts, links, sent = tx.contacts(numbers), tx.links_in(app.index, numbers), tx.sent_of(numbers)
    judged = [
        link
        for number, link in sorted(links.items())
        if number in contacts and all(each.app != app.index for each in sent.get(number, ()))  # it may be our own write
    ]
    others = [link.id for link in judged if shows_somebody_else(tx, link, contacts[link.contact], app.rule, hub.rules)]
    count = len(moved(tx, judged, app.rule, hub.rules).difference(others))
    return _Page(others, count, numbers[-1] if len(numbers) == PAGE else None)


def strangers(tx: Tx, hub: Hub, app: OpenApp, records: Mapping[str, Record]) -> set[str]:
    """Name the records that show somebody else where only some fields take part: those do not say who it is, so they are left to the
    next sync.
    """
    rule = hub.whole.app(app.index) if hub.whole is not None else None
    if rule is None or not rule.spec.reuses_ids:
        return set()
    owners = sorted({mark.contact for mark in tx.marks(app.index, list(records)).values() if mark.contact})
    contacts, links = tx.contacts(owners), tx.links_of(owners)
    return {
        link.id
        for number, contact in contacts.items()
        for link in links[number]
        if link.app == app.index and link.id in records and hub.whole is not None
        and shows_somebody_else(tx, _showing(link, records[link.id]), contact, rule, hub.whole)
    }  # fmt: skip


def _showing(link: Link, record: Record) -> Link:
    return replace(link, seen=Seen(fields=record.fields, version=None, at_ms=0, since_ms=0))


def _part(tx: Tx, hub: Hub, app: OpenApp, ids: list[str]) -> None:
    """Unlink these records, and take what they show for records that nobody knows yet."""
    links = [link for id_ in ids if (link := tx.link(app.index, id_)) is not None]
    shown = {
        link.id: Record(id=link.id, fields=link.seen.fields, version=link.seen.version)
        for link in links
        if link.seen is not None
    }
    for link in links:
        link.seen = None  # says nothing of its person
    tx.save_links(links)
    app.counts["unlinked"] += unlink(tx, hub, app, ids, certain=False)
    observe(tx, hub.rules, app.rule, shown, hub.world.now_ms(), 0)
