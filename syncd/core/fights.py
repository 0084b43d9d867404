"""Fights: something else writes a field after every write of ours (SYNC-MODEL 1.16, ping-pong).

Counts how often one contact's field went back to where it had just been: either the contact's value goes round
between what apps say, or an app leaves the contact's value, again and again, for one that may not win. Edits of one app alone
are no fight, however often. Hard rule: what is counted lives with the contact, so that a restart forgets nothing.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from syncd.core.rules import Atom, Rules
from syncd.core.state import Contact

ROUND: Final = 4
"""So many values of before are kept in mind: two apps, and what each of them makes of the other's value."""
WHY: Final = "the value goes back and forth: something else writes this field after every write of ours"


def alternates(contact: Contact, atom: Atom, old: Any, new: Any, app: int, rules: Rules, now_ms: int) -> bool:
    """Count a change of the contact's value from key `old` to `new` by `app`; true when it is ping-pong, or goes round."""
    _forget_old(contact, rules, now_ms)
    count, before, first_ms, author = contact.flips.get(atom.name, [0, "", now_ms, app])
    if _mark(new) in before.split() and author != app:
        count += 1
    else:
        count, first_ms = 0, now_ms
    contact.flips[atom.name] = [count, " ".join([*before.split(), _mark(old)][-ROUND:]), first_ms, app]
    return bool(count >= rules.flips_max)


def insists(contact: Contact, atom: Atom, shown: Any, app: int, rules: Rules, now_ms: int) -> bool:
    """Count that `app` left the contact's value for `shown`, which did not win; true when it is ping-pong."""
    _forget_old(contact, rules, now_ms)
    name = f"{atom.name}@{app}"
    count, before, first_ms = contact.flips.get(name, [0, None, now_ms])
    if before != _mark(shown):
        count, first_ms = 0, now_ms
    contact.flips[name] = [count + 1, _mark(shown), first_ms]
    return bool(count + 1 >= rules.flips_max)


def _mark(key: Any) -> str:
    """Tell values apart without keeping them."""
    return blake2b(repr(key).encode(), digest_size=8).hexdigest()


def _forget_old(contact: Contact, rules: Rules, now_ms: int) -> None:
    for name in [name for name, entry in contact.flips.items() if now_ms - entry[2] > rules.flips_window_ms]:
        del contact.flips[name]


def forget(contact: Contact, atom: Atom) -> None:
    """Start counting afresh: the field waits for a person now."""
    for name in [name for name in contact.flips if name.split("@")[0] == atom.name]:
        del contact.flips[name]
