"""What syncd can know of how apps spell what it writes (NO-NOOP-WRITE): writing that once more would change nothing.

Of a write that changed nothing only the answer tells that it happened: where that was lost, nobody can know it, and the write is
sent once more. One that changed something is known by what the app shows since.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Place: TypeAlias = tuple[int, str, str]
"""(app, id, field)."""
Spelling: TypeAlias = tuple[Any, Any]
"""(sent, stored)."""


@dataclass(slots=True)
class Spellings:
    """Spellings by place, and what syncd can know of them."""

    known: dict[Place, Spelling] = field(default_factory=dict)
    idle: dict[Place, Spelling] = field(default_factory=dict)
    """Of writes that changed nothing, and whose answers are not stored yet."""
    lost: dict[Place, Spelling] = field(default_factory=dict)
    """Of writes that changed nothing, and whose answers syncd never got, or died before it had stored them."""

    def sent(self, place: Place, spelling: Spelling) -> None:
        """Note a write that changes nothing."""
        self.idle[place] = spelling

    def answered(self, place: Place, spelling: Spelling) -> None:
        """Note a write that was carried out."""
        if place not in self.idle:
            self.known[place] = spelling

    def stored(self, doubts: Collection[tuple[int, str]]) -> None:
        """Note that answers are stored now. `doubts`: records (app, id) into which writes are in doubt still."""
        for place, spelling in self.idle.items():
            (self.lost if place[:2] in doubts else self.known)[place] = spelling
        self.idle.clear()

    def forgotten(self) -> None:
        """Note that another process begins: answers that are not stored were never heard."""
        self.lost |= self.idle
        self.idle.clear()

    def is_known(self, place: Place, spelling: Spelling) -> bool:
        return spelling in (self.known.get(place), self.idle.get(place))

    def is_lost(self, place: Place, spelling: Spelling) -> bool:
        return self.lost.get(place) == spelling

    def drop(self, app: int, id_: str | None = None) -> None:
        """Forget a record, or everything of an app: it is another one now, or went back in time."""
        for found in (self.known, self.idle, self.lost):
            for place in [place for place in found if place[0] == app and id_ in (None, place[1])]:
                del found[place]
