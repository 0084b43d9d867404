"""Full names: what an app that has one name is told where the others have two.

The full name is joined from the two as long as no app has one of its own, and follows them as long as it says the same as they do.
Knows neither apps nor transports. Hard rules: a full name that somebody typed otherwise ("Dr. Ada King") is never replaced, and
none is ever split: which of its words are the surname is a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from syncd.core.atoms import value_key
from syncd.core.rules import AppRule, Atom, FullNames, Rules
from syncd.core.state import NOBODY, Contact, Entry, Stamp
from syncd.model import Value

FULL: Final = "full_name"
PARTS: Final = ("first_name", "last_name")
INSTEAD: Final = ("email", "phone", "mobile")
"""What apps that insist on a name call people of whom no name is known."""
WHY: Final = "it says what first_name and last_name say"
FIXED: Final = frozenset({"lock", "ask", "owner"})
"""Policies under which nobody but an app or a person decides."""


def how(apps: Iterable[AppRule], atoms: Mapping[str, Atom], identity: frozenset[str]) -> FullNames:
    """Say what becomes of full names: they are joined where an app has one name only, and follow the two names where some are
    there; under a policy by which somebody decides, or where people are matched by them, they are on their own.
    """
    atom = atoms.get(FULL)
    if atom is None or len(atom.fields) > 1 or atom.rule.policy in FIXED or FULL in identity:
        return "own"
    if any(name not in atoms for name in PARTS):
        return "own"
    one = [app for app in apps if FULL in app.lenses and app.lenses[FULL].writes]
    return "joined" if any(not app.lenses.keys() & set(PARTS) for app in one) else "follows"


def spoken(contact: Contact, rules: Rules) -> frozenset[Value]:
    """Give the full names that say nothing but what the contact's two names say now."""
    if rules.full_names == "own":
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
    if rules.full_names == "own" or FULL in contact.held:
        return []
    new, golden = _made(contact), contact.golden
    old = golden.get(FULL)
    if new is None:
        return []
    if old is not None:
        key = value_key(rules, FULL, old)
        if key == value_key(rules, FULL, new) or all(value_key(rules, FULL, each) != key for each in before):
            return []
    elif FULL in golden or rules.full_names == "follows":
        return []  # cleared on purpose; or whoever has it has the two names as well
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


def who(contact: Contact) -> str | None:
    """Name somebody in a report as people know them: by the address, else a name, else a number."""
    named = (contact.golden.get(name) for name in ("email", FULL, "last_name", "phone", "mobile"))
    return next((each for each in named if isinstance(each, str)), None)
