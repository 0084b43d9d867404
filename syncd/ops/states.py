"""What state a contact's record is in, in one app: the same words in `status` and `explain`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from syncd.core.consent import IN, word
from syncd.core.plan import waiting, why_not_created
from syncd.core.rules import AppRule, Rules
from syncd.core.state import Contact, Link

REMOVED: Final = "it was removed there; not created again by itself"
UNDECIDED: Final = "whose record it is waits for a decision in the inbox"
NO_CREATE: Final = "nothing is created there: writes.create is false, or the app cannot"

NO_OPT_IN: Final = "opted in elsewhere; nobody can be opted in here by syncd, so that it is not told"
ASKED: Final = "opted in elsewhere; the app waits for the person to confirm it"


class State(NamedTuple):
    """One of in_sync, pending, parked, excluded, failed, conflict, absent; and why."""

    word: str
    why: str = ""


def conflicts_in(contact: Contact, app: AppRule, rules: Rules) -> list[str]:
    """List the fields of this app that wait for a person."""
    return sorted(name for name in waiting(contact, rules) if _has(name, app, rules))


def _has(name: str, app: AppRule, rules: Rules) -> bool:
    atom = rules.atoms.get(name)
    return any(member in app.lenses for member in (atom.fields if atom else (name,)))


def creates(app: AppRule) -> bool:
    """Say whether anything is created in this app at all."""
    return app.create and app.spec.create


def why_absent(contact: Contact, app: AppRule, rules: Rules) -> str | None:
    """Say why a contact gets no record in an app; None if it is to get one."""
    if not creates(app):
        return NO_CREATE
    if contact.review:
        return UNDECIDED
    if app.index in contact.tombs:
        return REMOVED
    if app.index in contact.waits:
        return UNDECIDED
    return why_not_created(contact, app, rules)


def untold(contact: Contact, link: Link, app: AppRule, rules: Rules) -> dict[str, str]:
    """Say of consent that somebody gave elsewhere why this app does not show it, where that is its nature."""
    given = [name for name in rules.consents if contact.golden.get(name) == IN and name in link.base]
    found: dict[str, str] = {}
    for name in given:
        lens, now = app.lenses.get(name), word(app, name, link.base[name])
        if lens is not None and lens.writes and now != IN:
            why = None if lens.opts_in else NO_OPT_IN
            why = ASKED if now == "pending" else why
            found |= {name: why} if why is not None else {}
    return found


def state_of(
    contact: Contact, link: Link | None, problem: str | None, app: AppRule, rules: Rules, pending: Collection[int]
) -> State:
    """Name the state of one contact in one app. `pending`: apps with something planned or in doubt for it."""
    if link is not None:
        held = conflicts_in(contact, app, rules)
        if held:
            return State("conflict", f"waits for a decision: {', '.join(held)}")
        if problem is not None:
            return State("parked", problem)
        if link.flaws:
            return State("parked", "; ".join(f"{name}: {why}" for name, why in sorted(link.flaws.items())))
        if app.index in pending or link.seen is not None:
            return State("pending")
        return State("in_sync", "; ".join(f"{name}: {why}" for name, why in untold(contact, link, app, rules).items()))
    if app.index in contact.refused:
        return State("failed", contact.refused[app.index])
    reason = why_absent(contact, app, rules)
    if reason is not None:
        return State("excluded", reason)
    return State("pending") if app.index in pending else State("absent", "not planned yet")
