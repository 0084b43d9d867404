"""Replaced: a known id under which an app shows somebody else now. A row was deleted and its number given to the next one
between two looks, or people typed a new person over an old one (SYNC-MODEL 1.12).

Taken for an edit, it would turn one person into another in every app. So the record is parted from its contact before anything
is merged, and comes back as one of which a person says whose it is (`engine/returning.py`).
"""

from __future__ import annotations

from syncd.core.plan import Held
from syncd.engine.deletions import unlink
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.pull import observe
from syncd.engine.returning import SOMEBODY_ELSE, shows_somebody_else
from syncd.model import Record
from syncd.store.tx import Tx


def part_replaced(hub: Hub) -> None:
    """Part records that show somebody else from their contacts; more than may be unlinked hold their app.

    Call when all apps were read, and before anything is merged.
    """
    apps = (app for app in hub.apps.values() if app.usable and app.index not in hub.restored)
    reusing = [app for app in apps if app.rule.spec.reuses_ids]
    waiting = hub.world.transact("waiting", lambda tx: tx.waiting_counts()) if reusing else {}
    for app in reusing:
        if not waiting.get(app.index):
            continue
        found: list[str] = []
        after: int | None = 0
        while after is not None:
            page, after = hub.world.transact("replaced", _look, hub, app, after)
            found += page
        if found and not _too_many(hub, app, len(found)):
            for start in range(0, len(found), PAGE):
                hub.world.transact("replaced", _part, hub, app, found[start : start + PAGE])


def _look(tx: Tx, hub: Hub, app: OpenApp, after: int) -> tuple[list[str], int | None]:
    """Name the records on one page of what waits to be merged that show somebody else, and where the next page begins."""
    numbers = tx.waiting(app.index, after, PAGE)
    contacts, links, sent = tx.contacts(numbers), tx.links_in(app.index, numbers), tx.sent_of(numbers)
    others = [
        link.id
        for number, link in sorted(links.items())
        if number in contacts
        and all(each.app != app.index for each in sent.get(number, ()))  # what it shows may be our own write
        and shows_somebody_else(tx, link, contacts[number], app.rule, hub.rules)
    ]
    return others, numbers[-1] if len(numbers) == PAGE else None


def _too_many(hub: Hub, app: OpenApp, count: int) -> bool:
    """Hold an app that shows others under more ids than may be unlinked: its rows were mixed up, perhaps."""
    linked = hub.world.transact("linked", lambda tx: tx.linked_count(app.index))
    limit = max(hub.limits["unlinks"].of(linked), hub.allowed(app.name, "unlinks"))
    if count <= limit:
        return False
    hub.hold(Held(app=app.name, verb="unlinks", count=count, limit=limit), app)
    return True


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
    app.counts["unlinked"] += unlink(tx, hub, app, ids, why=SOMEBODY_ELSE)
    observe(tx, hub.rules, app.rule, shown, hub.world.now_ms(), 0)
