"""Records that come back: an id that an app did not have any more, and has again (SYNC-MODEL 1.11, undelete).

What was agreed on with the record stays agreed, so that its return is no flood of edits in the app's own spelling. An id
alone proves nothing, for some apps give the id of a removed record to somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.core.match import GONE, id_key
from syncd.core.rules import AppRule
from syncd.core.state import Link
from syncd.model import Raw
from syncd.store.tx import Tx

CAME_BACK: Final = "a record with this id was removed, and now it shows another address: it may be the same person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Whose a record was, and what it held when it was gone."""

    contact: int
    base: Mapping[str, Raw]
    alone: bool
    """The contact has no record anywhere (any more)."""

    def inherit(self, link: Link) -> None:
        """Take what the record shows as it did for what was agreed on; the rest is merged like any first contact."""
        inherit(link, self.base, {})


def inherit(link: Link, base: Mapping[str, Raw], acks: Mapping[str, list[Any]]) -> None:
    """Give a record that is not merged yet the base of the one whose place it takes, where it shows the same."""
    assert link.seen is not None
    link.base = {name: raw for name, raw in link.seen.fields.items() if raw and base.get(name) == raw}
    link.acks = {name: ack for name, ack in acks.items() if name in link.base and len(ack) == 2}  # no refusals


def gone_rows(app: int, link: Link) -> list[dict[str, Any]]:
    """Make what remembers that an app has no record of this id any more."""
    return [{"key": id_key(app, link.id), "app": GONE, "record": str(link.contact or 0)}]


def came_back(tx: Tx, app: AppRule, links: Sequence[Link]) -> dict[str, Former]:
    """Find those of these records whose id was gone, and whose contact has no other record in the app."""
    if not tx.any_gone():
        return {}
    ids = {id_key(app.index, link.id): link.id for link in links}
    owners = {
        ids[key]: max(h.contact or 0 for h in held)
        for key, held in tx.holders(sorted(ids)).items()
        if any(h.app == GONE for h in held)
    }
    numbers = sorted({number for number in owners.values() if number})
    there = tx.link_apps(numbers)
    free = [n for n, c in tx.contacts(numbers).items() if not c.review and app.index not in there.get(n, ())]
    journal = tx.journal_entries(free, None, None)
    found = {}
    for id_, number in owners.items():
        if number in free:
            last = [e for e in journal.get(number, ()) if (e.kind, e.app, e.record) == ("unlink", app.index, id_)]
            base = last[-1].old if last and isinstance(last[-1].old, dict) else {}
            found[id_] = Former(contact=number, base=base, alone=not there.get(number))
    return found
