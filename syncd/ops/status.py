"""Status: per app, how many records are linked, in sync, pending, parked, excluded, failed or in conflict.

Counted in the database; contacts are loaded page by page only where a reason has to be worked out (why one gets no record).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func, select

from syncd.core.rules import AppRule, Rules
from syncd.core.state import Contact
from syncd.ops.holds import held_run
from syncd.ops.states import NO_CREATE, conflicts_in, creates, why_absent
from syncd.store import codec
from syncd.store import schema as s
from syncd.store.hints import HINTS_MAX, SILENT, HookState
from syncd.store.post import duty
from syncd.store.records import FLAWED, UNREAD
from syncd.store.tx import AppState, Tx

PAGE: Final = 500
COUNTS: Final = ("linked", "in_sync", "pending", "parked", "excluded", "failed", "conflicts")


@dataclass(slots=True, kw_only=True)
class HooksStatus:
    """What is to be said of the webhooks of one app."""

    seen: int
    last_age_seconds: float | None
    waiting: int
    """Records that were named and not fetched yet."""
    missed: int
    """Changes that a poll found and no webhook named in time."""
    silent: bool
    """The last changes were all missed: it seems that none come any more."""


@dataclass(slots=True, kw_only=True)
class AppStatus:
    """What is to be said of one app."""

    name: str
    linked: int = 0
    in_sync: int = 0
    pending: int = 0
    parked: int = 0
    excluded: int = 0
    failed: int = 0
    conflicts: int = 0
    unreadable: int = 0
    """Linked records of which a cell holds no value of its type; in sync but for that."""
    unreadable_consents: int = 0
    """Records of which nobody can tell whether these people opted out."""
    cursor_age_seconds: float | None = None
    last_error: str | None = None
    paused: bool = False
    hooks: HooksStatus | None = None
    """How its webhooks do, where it has any."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why contacts have no record here -> how many."""


@dataclass(slots=True, kw_only=True)
class DaemonStatus:
    """What is to be said of the daemon."""

    on_duty: str | None
    """Process id, since when, host; None: none runs, or it was stopped."""
    age_seconds: float | None
    """When it was heard of last."""
    standing_by: list[str]
    """Daemons that wait for its end."""


@dataclass(slots=True, kw_only=True)
class Status:
    """What is to be said of the hub."""

    contacts: int
    inbox: int
    apps: list[AppStatus]
    daemon: DaemonStatus
    held: dict[str, Any] | None = None
    """The newest run, if it waits for an approval (`holds.held_run`)."""

    def doc(self) -> dict[str, Any]:
        """Make the document that `syncd status --json` prints."""
        names = (*COUNTS, "cursor_age_seconds", "last_error")
        apps = {app.name: {name: getattr(app, name) for name in names} for app in self.apps}
        for app in self.apps:
            for name in ("unreadable", "unreadable_consents"):
                if count := getattr(app, name):
                    apps[app.name][name] = count
            if app.hooks is not None:
                apps[app.name]["hooks"] = asdict(app.hooks)
        held = [self.held] if self.held else []
        return {
            "contacts": self.contacts,
            "inbox": self.inbox,
            "held": held,
            "apps": apps,
            "daemon": asdict(self.daemon),
        }


def status(tx: Tx, names: Sequence[str], rules: Rules, now_ms: int, hooked: Collection[str] = frozenset()) -> Status:
    """Count everything, for the apps of the configuration. `hooked`: those that tell by webhooks."""
    states = tx.apps()
    contacts = int(tx.connection.execute(select(func.count()).select_from(s.contact)).scalar_one())
    apps = [_app(tx, states.get(name), name, contacts, rules, now_ms) for name in names]
    for app in apps:
        if app.name in hooked and app.name in states:
            app.hooks = _hooks(tx, states[app.name].id, now_ms)
    return Status(
        contacts=contacts, inbox=tx.open_cases(), apps=apps, daemon=_daemon(tx, now_ms), held=held_run(tx, names)
    )


def _daemon(tx: Tx, now_ms: int) -> DaemonStatus:
    found = duty(tx, now_ms)
    return DaemonStatus(on_duty=found.who, age_seconds=alive_age(tx, now_ms), standing_by=found.standing_by)


def _hooks(tx: Tx, app: int, now_ms: int) -> HooksStatus:
    found = tx.hooks().get(app, HookState(0, 0, 0, 0))
    return HooksStatus(
        seen=found.seen,
        last_age_seconds=round((now_ms - found.last_ms) / 1000, 3) if found.last_ms else None,
        waiting=len(tx.hints(app, HINTS_MAX)),
        missed=found.missed,
        silent=found.silent >= SILENT,
    )


def _app(tx: Tx, state: AppState | None, name: str, contacts: int, rules: Rules, now_ms: int) -> AppStatus:
    found = AppStatus(name=name)
    rule = rules.app(state.id) if state is not None else None
    if state is None or rule is None:
        return found
    found.linked = tx.linked_count(state.id)
    found.parked = tx.parked_count(state.id)
    found.pending = _pending(tx, state.id)
    odd = _linked_parked(tx, state.id) | _conflicts(tx, rule, rules, found)
    found.in_sync = max(0, found.linked - len(odd) - _pending_linked(tx, state.id, odd))
    if not creates(rule):
        found.excluded = contacts - found.linked
        found.reasons[NO_CREATE] = found.excluded
    elif found.linked < contacts:
        _without_record(tx, rule, rules, found)
    found.unreadable, found.unreadable_consents = _unreadable(tx, state.id), tx.unheard_count(state.id)
    found.cursor_age_seconds = round((now_ms - state.read_ms) / 1000, 3) if state.read_ms else None
    found.last_error, found.paused = state.error, bool(state.paused)
    return found


def _pending(tx: Tx, app: int) -> int:
    query = select(func.count(s.intent.c.contact.distinct())).where(s.intent.c.app == app)
    return int(tx.connection.execute(query).scalar_one())


def _unreadable(tx: Tx, app: int) -> int:
    query = select(func.count()).where(s.record.c.app == app, s.record.c.flawed.in_(UNREAD))
    return int(tx.connection.execute(query).scalar_one())


def _linked_parked(tx: Tx, app: int) -> set[int]:
    """List contacts whose record here is parked; they are few, or somebody is told so."""
    where = (s.record.c.app == app, s.record.c.contact.is_not(None))
    bad = s.record.c.problem.is_not(None) | s.record.c.flawed.in_(FLAWED)
    return {row[0] for row in tx.connection.execute(select(s.record.c.contact).where(*where, bad))}


def _conflicts(tx: Tx, rule: AppRule, rules: Rules, found: AppStatus) -> set[int]:
    """List contacts of which a field that this app has waits for a person."""
    linked = select(s.record.c.contact).where(s.record.c.app == rule.index, s.record.c.contact.is_not(None))
    conflicts = {
        contact.id
        for contact in every_contact(tx, s.contact.c.held == 1, s.contact.c.id.in_(linked))
        if conflicts_in(contact, rule, rules)
    }
    found.conflicts = len(conflicts)
    return conflicts


def _pending_linked(tx: Tx, app: int, odd: set[int]) -> int:
    """Count linked records with something pending that are not counted among `odd`."""
    linked = select(s.record.c.contact).where(s.record.c.app == app, s.record.c.contact.is_not(None))
    query = select(func.count(s.intent.c.contact.distinct())).where(
        s.intent.c.app == app, s.intent.c.contact.in_(linked)
    )
    total = int(tx.connection.execute(query).scalar_one())
    both = 0
    ids = sorted(odd)
    for start in range(0, len(ids), PAGE):
        mine = s.intent.c.contact.in_(ids[start : start + PAGE])
        page = select(func.count(s.intent.c.contact.distinct())).where(s.intent.c.app == app, mine)
        both += int(tx.connection.execute(page).scalar_one())
    return total - both


def _without_record(tx: Tx, rule: AppRule, rules: Rules, found: AppStatus) -> None:
    """Say of every contact without a record here whether that is meant, and why."""
    linked = select(s.record.c.contact).where(s.record.c.app == rule.index, s.record.c.contact == s.contact.c.id)
    for contact in every_contact(tx, ~sa.exists(linked)):
        if rule.index in contact.refused and tx.link_apps([contact.id]):
            found.failed += 1
            continue
        reason = why_absent(contact, rule, rules)
        if reason is not None:
            found.excluded += 1
            found.reasons[reason] += 1


def every_contact(tx: Tx, *where: sa.ColumnElement[bool]) -> Iterator[Contact]:
    """Load contacts page by page, in order of number."""
    c, after = s.contact.c, 0
    while True:
        query = select(c.id, c.review, c.secret, c.doc).where(c.id > after, *where).order_by(c.id).limit(PAGE)
        rows = tx.connection.execute(query).fetchall()
        for row in rows:
            yield codec.read_contact(row[0], row[1], row[2], row[3])
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def alive_age(tx: Tx, now_ms: int) -> float | None:
    """Say how many seconds ago the daemon last said that it is alive; None if it never did, or has said that it stops."""
    at_ms = duty(tx, now_ms).alive_ms
    return None if at_ms is None else max(0.0, (now_ms - at_ms) / 1000)
