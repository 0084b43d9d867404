"""Adopting: the first record of a new contact is taken over whole. The same as merging it, in one go, for most contacts of a first
sync are like that.
"""

from __future__ import annotations

from syncd.core.fields import Invalid
from syncd.core.rules import AppRule, Rules
from syncd.core.state import Contact, Link, Stamp
from syncd.model import Raw


def is_new(contact: Contact, link: Link, rules: Rules) -> bool:
    """Say whether this contact has no value yet and its only record no base: then there is nothing to decide."""
    ordinary = rules.atoms.keys()
    return not contact.held and ordinary.isdisjoint(contact.golden) and ordinary.isdisjoint(link.base)


def adopt(contact: Contact, link: Link, app: AppRule, rules: Rules) -> None:
    """Take over the only record of a new contact. The same as merging it, in one go."""
    seen = link.seen
    assert seen is not None
    base: dict[str, Raw] = {}
    stamp = Stamp(link.app, 0, seen.at_ms)
    atoms, lenses, golden, stamps = rules.atoms, app.lenses, contact.golden, contact.stamps
    for name, raw in seen.fields.items():
        lens = lenses.get(name)
        if lens is None or name not in atoms:
            continue
        base[name] = raw
        if raw is None or not lens.reads:
            continue
        value = lens.parse(raw)
        if type(value) is Invalid:
            link.unread |= {name}
        elif value is not None:
            golden[name] = value
            stamps[name] = stamp
    link.base = {**link.base, **base} if link.base else base
    link.version, link.at_ms, link.seen = seen.version, seen.at_ms, None
