"""What the hub remembers, as the deciders see it: links, contacts, intents, journal entries.

Knows nothing of how it is stored. The objects are loaded for one transaction; deciders change them in place and the
caller writes them back. Times are `..._ms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from syncd.model import Raw, Value, WriteKind

NOBODY: Final = -2
"""The source of values whose app is not known (any more)."""


class Stamp(NamedTuple):
    """Interval evidence (SYNC-MODEL 2.2): the value was typed in `app` after `lo_ms` and not later than `hi_ms`."""

    app: int
    lo_ms: int
    hi_ms: int


@dataclass(slots=True, kw_only=True)
class Seen:
    """An observation that the merge has not consumed yet."""

    fields: dict[str, Raw]
    version: str | None
    at_ms: int
    since_ms: int
    """When the app was last known to hold the base (0: never)."""
    former: tuple[str, ...] | None = None
    """Where its app is brought up to date: the fields that show an earlier state (`core/former.py`). Never stored."""


@dataclass(slots=True, kw_only=True)
class Link:
    """One record and the contact it belongs to (L, B, K and the unconsumed observation of SYNC-MODEL 1.1)."""

    app: int
    id: str
    contact: int
    version: str | None = None
    at_ms: int = 0
    """When the base was last confirmed."""
    base: dict[str, Raw] = field(default_factory=dict)
    acks: dict[str, list[Any]] = field(default_factory=dict)
    """field -> [key of the golden value, raw]: the app's accepted spelling of that value. A third element says
    that it is no spelling: "refused" (the app refused that value for good and keeps `raw`) or "given back" (an undo
    gave the app its own value back, and it keeps that).
    """
    flaws: dict[str, str] = field(default_factory=dict)
    """field -> why it is set aside in this app (too long, refused)."""
    unread: frozenset[str] = frozenset()
    """Fields whose cell holds no value of their type: it stays there and goes nowhere."""
    unheard: frozenset[str] = frozenset()
    """Consent fields whose cell holds no word that is known: nobody can tell whether this person opted out."""
    late: list[Sent] = field(default_factory=list)
    """Updates without an answer that had not happened when they were looked up, so that they may still arrive, or whose record
    was not there.
    """
    was: int = 0
    """The undecided contact that it was until it is matched again: its journal goes where the record goes."""
    seen: Seen | None = None


class Seal(NamedTuple):
    """Of a contact only what seals its journal; its values stay unread."""

    id: int
    secret: bytes


@dataclass(slots=True, kw_only=True)
class Contact:
    """The hub's person: golden values with their provenance."""

    id: int
    secret: bytes
    """Seals this contact's journal; destroying it is erasure."""
    review: bool = False
    """Its match is undecided: nothing is created for it, only opt-outs reach it."""
    golden: dict[str, Value] = field(default_factory=dict)
    """field -> value; `None` = cleared on purpose; absent = no opinion."""
    stamps: dict[str, Stamp] = field(default_factory=dict)
    tombs: dict[int, int] = field(default_factory=dict)
    """app -> when somebody removed the record there: never created there again by itself."""
    going: dict[int, int] = field(default_factory=dict)
    """app -> why its record is to be put away: the app in which it was removed, itself if the contact left its scope,
    OPERATOR if its creation is undone.
    """
    held: dict[str, str] = field(default_factory=dict)
    """field -> why it waits for a person."""
    refused: dict[int, str] = field(default_factory=dict)
    """app -> why it refused to create this contact; forgotten when the contact changes."""
    waits: set[int] = field(default_factory=set)
    """Apps in which it gets no record until a person has said whether another contact's is its own (a case says so)."""
    apart: frozenset[str] = frozenset()
    """Match keys that it shares with other persons, as a person has decided (hexadecimal)."""
    shared: frozenset[str] = frozenset()
    """Match keys of its records that are another contact's as well, and a person is asked (hexadecimal)."""
    flips: dict[str, list[Any]] = field(default_factory=dict)
    """What core/fights.py counts (ping-pong breaker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A write of ours that may have left the building and whose result nobody has seen yet (W in SYNC-MODEL)."""

    app: int
    contact: int
    kind: WriteKind
    record: str
    fields: Mapping[str, Raw]
    """What was sent, as rendered for the app."""
    golden: Mapping[str, Any]
    """field -> key of the golden value it was rendered from."""
    version: str | None
    at_ms: int
    reasons: Mapping[str, str] = field(default_factory=dict)
    """field -> why, for the journal entry that is written once the write is known to have happened. "": of a create, that it
    was asked for before, without an answer (AGAIN), or that the second time it was refused (REFUSED).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of an intent: raw values as the app spells them, and why."""

    old: Raw
    new: Raw
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Something to be written into an app; a cache of the plan until it is SENT."""

    app: int
    kind: WriteKind
    contact: int
    record: str
    """"" for a create."""
    fields: Mapping[str, Change]
    clears: bool = False
    opt_out: bool = False
    version: str | None = None


EntryKind: TypeAlias = Literal[
    "value", "lost", "write", "create", "archive", "unlink", "consent", "note", "undo", "link", "adopt"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. `app` is None where the hub itself is meant."""

    kind: EntryKind
    app: int | None
    record: str | None
    field: str | None
    old: Any
    new: Any
    reason: str
