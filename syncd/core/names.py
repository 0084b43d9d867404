"""Full names: what an app that has one name is told where the others have two.

The full name is joined from the two as long as no app has one of its own, and follows them as long as it says the same as they do.
Knows neither apps nor transports. Hard rules: a full name that somebody typed otherwise ("Dr. Ada King") is never replaced, and
none is ever split: which of its words are the surname is a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from syncd.core.atoms import value_key
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.state import NOBODY, Contact, Entry, Stamp
from syncd.model import Value

FULL: Final = "full_name"
PARTS: Final = ("first_name", "last_name")
INSTEAD: Final = ("email", "phone", "mobile")
"""What apps that insist on a name call people of whom no name is known."""
WHY: Final = "it says what first_name and last_name say"
FIXED: Final = frozenset({"lock", "ask", "owner"})
"""Policies under which nobody but an app or a person decides."""


def joined(apps: Iterable[AppRule], atoms: Mapping[str, Atom], identity: frozenset[str]) -> bool:
    """Say whether full names are joined at all: an app has one name, others have two, and nobody is matched by it."""
    atom = atoms.get(FULL)
    if atom is None or len(atom.fields) > 1 or atom.rule.policy in FIXED or FULL in identity:
        return False
    one = [app for app in apps if FULL in app.lenses and app.lenses[FULL].writes]
    return any(not app.lenses.keys() & set(PARTS) for app in one) and all(name in atoms for name in PARTS)


def spoken(contact: Contact, rules: Rules) -> frozenset[Value]:
    """Give the full names that say nothing but what the contact's two names say now."""
    if not rules.joined:
        return frozenset()
    made = _made(contact)
    return frozenset([made] if made else filter(None, map(contact.golden.get, INSTEAD)))


def withdraw(contact: Contact) -> None:
    """Let a full name that was joined give way to one that an app brings along: it is nobody's opinion."""
    if contact.stamps.get(FULL, Stamp(0, 0, 0)).app == NOBODY:
        del contact.golden[FULL], contact.stamps[FULL]


def follow(contact: Contact, before: frozenset[Value], rules: Rules) -> list[Entry]:
    """Join the full name where there is none, or one of `before` that says something else than the names do now.

    Changes `contact`; returns what the journal is to say of a value that is replaced.
    """
    new, golden = _made(contact) if rules.joined else None, contact.golden
    if new is None or FULL in contact.held:
        return []
    old = golden.get(FULL)
    if old is not None:
        key = value_key(rules, FULL, old)
        if key == value_key(rules, FULL, new) or all(value_key(rules, FULL, each) != key for each in before):
            return []
    elif FULL in golden:
        return []  # cleared on purpose
    nobody = Stamp(NOBODY, 0, 0)
    latest = max((contact.stamps.get(name, nobody) for name in PARTS), key=lambda stamp: stamp.hi_ms)
    golden[FULL], contact.stamps[FULL] = new, latest._replace(app=NOBODY)
    if old is None:
        return []
    return [Entry(kind="value", app=None, record=None, field=FULL, old=old, new=new, reason=WHY)]


def _made(contact: Contact) -> str | None:
    """Join the two names, or take the one that there is."""
    parts = [each for name in PARTS if isinstance(each := contact.golden.get(name), str) and each]
    return " ".join(parts) or None
