"""Passes: recover, pull, decide, guard, apply, until nothing is left to do.

`sync` reads like the list of its steps. Every guard looks at the whole plan before the first write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from syncd.connector import PassesOwn, SparesDownloads
from syncd.core.plan import check_guards
from syncd.engine.account import check_accounts
from syncd.engine.apply import apply_app
from syncd.engine.deletions import confirm_all_gone, confirm_gone
from syncd.engine.first import hold_unseen
from syncd.engine.hints import follow
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.matching import decide
from syncd.engine.pull import observe, pull, reading_of
from syncd.engine.recover import recover
from syncd.engine.replaced import part_replaced, strangers
from syncd.engine.restored import hold_restored
from syncd.errors import SyncdError
from syncd.model import Record
from syncd.store.codec import KINDS
from syncd.store.tx import Tx

PASSES_MAX = 8
DONE: Final = {"updates": "updated", "clears": "cleared", "creates": "created", "archives": "archived"}
"""Verb of a guard -> where a run counts what it has written."""
CATCH_UP_MIN = 100
"""Writes into one app in one run from which on it is asked what it has to tell of them."""


def read_all(hub: Hub, apps: list[OpenApp], *, full: bool = False, hinted: Collection[str] = ()) -> None:
    """Recover and pull these apps; an app whose listing proves nothing by itself is listed twice.

    `hinted`: of these only what webhooks have named is read.
    """
    check_accounts(hub)
    doubtful = hub.world.transact("doubtful", _doubtful)
    for app in apps:
        if app.usable and app.index in doubtful:
            recover(hub, app)
        if app.usable and app.name not in hinted:
            covered = pull(hub, app, full=full or app.sweep)
            if covered < 2 and app.error is None and not app.held:
                pull(hub, app, full=True)
        if app.usable and app.hooked:
            follow(hub, app)
    judge(hub, reading=True)
    confirm_all_gone(hub, apps)
    hold_unseen(hub)


def judge(hub: Hub, *, reading: bool = False) -> None:
    """Hold, or part from their people, what was read and must not be merged as it is. `reading`: all apps that are due were read."""
    part_replaced(hub, hold_restored(hub, reading=reading))


def _doubtful(tx: Tx) -> frozenset[int]:
    """Name the apps with writes that may have left."""
    return frozenset(app for app, _, sent, _, _ in tx.intent_counts() if sent)


def recover_all(hub: Hub, apps: Sequence[OpenApp]) -> None:
    """Settle what is in doubt in these apps."""
    doubtful = hub.world.transact("doubtful", _doubtful)
    for app in apps:
        if app.usable and app.index in doubtful:
            recover(hub, app)


def sync(
    hub: Hub,
    *,
    apps: list[OpenApp] | None = None,
    full: bool = False,
    write: bool = True,
) -> None:
    """Run passes until quiescent: nothing is left to do, held and failed apps aside."""
    chosen = list(hub.apps.values()) if apps is None else apps
    read_all(hub, chosen, full=full)
    if settle_down(hub, chosen, write=write) and catch_up(hub, chosen):
        settle_down(hub, chosen, write=write)


def catch_up(hub: Hub, apps: Sequence[OpenApp]) -> bool:
    """Let apps that were written to a lot tell now of our own writes, while it costs one list of names each and not the
    next run's time, or go behind them where no opt-out can be among them; says whether there was anybody else's edit among them.
    """
    for app in apps:
        written = sum(app.counts[what] for what in ("created", "updated", "consents", "archived"))
        opened = app.app
        if opened is None or not app.usable or written < CATCH_UP_MIN:
            continue
        if isinstance(opened, SparesDownloads):
            pull(hub, app)
        elif isinstance(opened, PassesOwn) and app.pulled and app.rule.lenses.keys().isdisjoint(hub.rules.consents):
            hub.world.transact("passed", _pass_own, app, opened)
    return hub.world.transact("left", _left, hub)


def _pass_own(tx: Tx, app: OpenApp, opened: PassesOwn) -> None:
    """Move a cursor of this run behind our own writes, where nothing is in doubt and nothing waits to be read again."""
    cursor = tx.apps()[app.name].cursor
    if cursor is None or app.reread or tx.any_missed(app.index) or tx.sent(app.index):
        return
    passed = opened.passed(cursor)
    if passed != cursor:
        tx.save_app(app.index, cursor=passed)


def settle_down(hub: Hub, chosen: list[OpenApp], *, write: bool = True, contacts: Sequence[int] | None = None) -> bool:
    """Decide, guard and apply what was read, until nothing is left to do. `contacts`: write to these only."""
    for _ in range(PASSES_MAX):
        decide(hub)
        guard(hub)
        if not write or not write_all(hub, contacts):
            return True
        for app in hub.apps.values():
            if app.struck and app.usable:
                app.struck = False
                confirm_gone(hub, app)
        if not hub.world.transact("left", _left, hub):
            return True
        recover_all(hub, chosen)
        judge(hub)
    hub.restless = True
    return False


def come_to_terms(hub: Hub, reread: Collection[str] = ()) -> None:
    """Decide in full what was read before, as every field has its say in it. Not of apps that are read anew in this run as a whole:
    what they showed may have been held, a mistake that is put right by now.
    """
    check_accounts(hub)
    recover_all(hub, list(hub.apps.values()))
    hold_unseen(hub)
    waiting = hold_restored(hub)
    later = [app for app in hub.apps.values() if app.name in reread and app.usable]
    for app in later:
        app.held = True
    part_replaced(hub, waiting)
    decide(hub)
    for app in later:
        app.held = False


def reread(hub: Hub, app: OpenApp, contacts: Sequence[int] | None) -> None:
    """Read known records again without moving the cursor: those of these contacts, or all of them."""
    assert app.app is not None
    opened = app.app
    try:
        if contacts is None:
            with reading_of(opened, None) as pages:
                while (page := hub.world.call(app.name, "read", lambda: next(pages, None))) is not None:
                    _store_reread(hub, app, {record.id: record for record in page.records})
        else:
            for start in range(0, len(contacts), PAGE):
                ids = hub.world.transact("records", _ids_of, app, contacts[start : start + PAGE])
                records = hub.world.call(app.name, "get", opened.get, ids) if ids else {}
                _store_reread(hub, app, records)
        app.pulled = True
    except SyncdError as error:
        hub.fail(app, error)
    judge(hub)


def _ids_of(tx: Tx, app: OpenApp, contacts: Sequence[int]) -> list[str]:
    return [link.id for links in tx.links_of(contacts).values() for link in links if link.app == app.index]


def _store_reread(hub: Hub, app: OpenApp, records: dict[str, Record]) -> None:
    """Store what takes part. Where that is not all of a record, the next ordinary read looks at it in full again."""
    app.counts["read"] += len(records)
    now_ms = hub.world.now_ms()

    def step(tx: Tx) -> None:
        known = tx.marks(app.index, list(records))
        others = strangers(tx, hub, app, records)
        shown = {id_: hub.partly(record) for id_, record in records.items() if id_ in known and id_ not in others}
        tx.forget_reading(app.index, list(shown))
        observe(tx, hub.rules, app.rule, shown, now_ms, 0)
        if hub.part is not None:
            tx.forget_reading(app.index, list(shown))

    hub.world.transact("reread", step)


def guard(hub: Hub) -> None:
    """Count the whole plan and hold every app where it looks like a catastrophe, for all the reasons there are: each would
    need an approval of its own.
    """
    hub.waiting, counts, linked = hub.world.transact("count", _count, hub)
    going = {app.name: app for app in hub.apps.values() if not app.held}
    done = {(app.name, verb): app.counts[what] for app in hub.apps.values() for verb, what in DONE.items()}
    found = check_guards(counts, linked, hub.limits, hub.approved, done)
    for held in found:
        if held.app in going:
            hub.hold(held, going[held.app])
    noes = {held.app for held in found if held.verb == "opt_outs"}
    for app in going.values():
        app.guarded = app.held and app.name not in noes


def _count(tx: Tx, hub: Hub) -> tuple[frozenset[tuple[int, int]], Counter[tuple[str, str]], dict[str, int]]:
    """Count the plan, and name the apps and kinds of which something waits to be sent."""
    waiting = frozenset((app, kind) for app, kind, sent, _, _ in tx.intent_counts() if not sent)
    return waiting, *planned(tx, hub)


def planned(tx: Tx, hub: Hub, *, unwritten: bool = False) -> tuple[Counter[tuple[str, str]], dict[str, int]]:
    """Count what is planned, per app that can be written to and guard verb, and the linked records of these apps.

    `unwritten`: also what could not be written in this run, or whose app could not even be opened, or is in doubt.
    """
    counts: Counter[tuple[str, str]] = Counter()
    linked: dict[str, int] = {}
    for index, kind, sent, flags, count in tx.intent_counts():
        app = hub.apps.get(index)
        if app is None or app.paused or (not unwritten and (app.app is None or sent or app.error is not None)):
            continue  # nothing is written there in this run
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


def write_all(hub: Hub, contacts: Sequence[int] | None = None) -> int:
    """Apply the plan, app by app; creates wait until every app is covered (CREATE-AFTER-COVERAGE)."""
    if not hub.waiting:
        return 0
    note_coverage(hub)
    only = None if contacts is None else frozenset((kind, contact) for kind in KINDS for contact in contacts)
    return sum(
        apply_app(hub, app, only) for app in sorted(hub.apps.values(), key=lambda a: a.rule.rank) if app.told_noes
    )


def note_coverage(hub: Hub) -> None:
    """Find out whether every app was read in full, so that nobody is created who is there already."""
    states = hub.world.transact("coverage", lambda tx: tx.apps())
    hub.covered = all(states[app.name].covered > 1 for app in hub.apps.values() if not app.paused)


def _left(tx: Tx, hub: Hub) -> bool:
    return bool(tx.dirty_contacts(hub.absent, 0, 1))
