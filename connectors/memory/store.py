"""What the people and the app share: the records, their history, and what humans do behind the connector's back.

Knows nothing of syncd's fields: properties have the names that the app gives them. Hard rule: deterministic; no clock,
no chance, and nothing that is handed out is held on to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from syncd.model import Write

STORES: dict[str, MemoryStore] = {}
"""The setting `store` -> the app's data. A test puts them here; a name that is not here cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One state of one person."""

    properties: Mapping[str, Any]
    """What is blank is not in it."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a person: a new state, or None for the end."""

    number: int
    at_read: int
    id: str
    person: Person | None


class MemoryStore:
    """The data of one app."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.log: list[Write] = []
        """Every write that syncd asked for, also those that were refused."""
        self.down = False
        """Unreachable: reads raise TransientError, writes are refused as busy."""
        self.hidden: set[str] = set()
        """Properties that it does not show now."""
        self.reads = 0
        self.epoch = 0
        self.seen: dict[str, tuple[int, Person | None]] = {}
        """What reads show: id -> the number of its last event that is visible, and the state."""
        self._pending: deque[Event] = deque()
        self._events = 0
        self._versions: dict[str, int] = {}
        self._ids = 0

    def add(self, **properties: Any) -> str:
        """A human makes a person."""
        return self.put(self.next_id(), properties)

    def edit(self, id_: str, **properties: Any) -> None:
        """A human changes some properties; None clears one."""
        self.put(id_, {**self.people[id_].properties, **properties})

    def delete(self, id_: str) -> None:
        """A human deletes a person."""
        del self.people[id_]
        self._note(id_, None)

    def forget_history(self) -> None:
        """No cursor given out before is good any more."""
        self.epoch += 1

    def next_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def put(self, id_: str, properties: Mapping[str, Any]) -> str:
        self._versions[id_] = self._versions.get(id_, 0) + 1
        held = {name: deepcopy(value) for name, value in properties.items() if value not in (None, "", [])}
        self.people[id_] = Person(properties=held, version=self._versions[id_])
        self._note(id_, self.people[id_])
        return id_

    def look(self, lag_reads: int) -> int:
        """Begin a read: show what happened at least so many reads ago. Give the number of the last event shown."""
        self.reads += 1
        while self._pending and self._pending[0].at_read + lag_reads < self.reads:
            event = self._pending.popleft()
            self.seen[event.id] = (event.number, event.person)
        return self._events - len(self._pending)

    def _note(self, id_: str, person: Person | None) -> None:
        self._events += 1
        self._pending.append(Event(number=self._events, at_read=self.reads, id=id_, person=person))
