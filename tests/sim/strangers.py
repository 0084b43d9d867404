"""Whom nobody can tell from somebody new (SYNC-MODEL 1.3): records of which syncd was never shown whose they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.sim.ghost import Ghost, plain, squashed
from tests.sim.vendor import Person, Vendor


def merged_unseen(vendors: Sequence[Vendor], ghost: Ghost, who: int, name: str, new: Any) -> bool:
    """Say whether this is what a record copied that people merged others into, under an address that syncd had not been
    shown in any of those.
    """
    for vendor in vendors if any(vendor.quirks.merges_new for vendor in vendors) else ():
        for old, into in vendor.moved.items():
            heir = vendor.people[into]
            before = ghost.emails.get((vendor.index, old))
            unseen = before is not None and before != squashed(heir.props.get("email"))
            if unseen and ghost.person(heir.person) == who and plain(heir.props.get(name)) == plain(new):
                return True
    return False


def readdressed_unseen(vendors: Sequence[Vendor], ghost: Ghost, who: int, name: str, new: Any) -> bool:
    """Say whether this is what an app that draws its own ids holds in a record of ours: its create lost its answer, and somebody
    gave it another address before syncd was shown it.
    """
    return any(
        there.by == "syncd"
        and ghost.person(there.person) == who
        and plain(there.props.get(name)) == plain(new)
        and _is_strange(vendor, ghost, there)
        for vendor in vendors
        if vendor.quirks.own_ids
        for there in vendor.people.values()
    )


def _is_strange(vendor: Vendor, ghost: Ghost, there: Person) -> bool:
    known = ghost.known.get((vendor.index, there.id))
    shown = {squashed(email) for email in known.values.get("email", ())} if known is not None else set()
    deeds = [deed for deed in vendor.deeds if (deed.id, deed.field, deed.by) == (there.id, "email", "people")]
    return bool(shown) and shown <= {squashed(deed.raw) for deed in deeds}
