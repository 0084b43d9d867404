"""The words of syncd as types: what apps show, what the hub remembers, what it decides and why.

Knows nothing of databases, networks, files or clocks. Hard rule: a field that is absent from a mapping is *unknown*;
`None` is *blank*. The two are never mixed (SYNC-MODEL 1.1, invariant 18).

Times are whole milliseconds since 1970 UTC, named `..._ms`. Raw values and values are plain JSON data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Raw: TypeAlias = Any
"""What an app holds in one field, as plain JSON data; `None` is blank."""
Value: TypeAlias = Any
"""The canonical form of a raw value: the same whatever app it came from; `None` is blank."""

OPERATOR: Final = -1
"""The source of values that a person set through syncd itself (undo, an inbox decision)."""


@dataclass(slots=True, kw_only=True)
class Record:
    """What an app shows of one person: one observation. Not frozen: millions are made on the hot path."""

    id: str
    fields: dict[str, Raw]
    """Field name -> raw value. Absent = the app did not say; `None` = blank."""
    version: str | None = None
    """The app's own mark of this state (ETag, digest, counter), if it has one."""
    problem: str | None = None
    """Why this record cannot be read (ragged row, broken card). Such a record is parked; its fields are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a read. `cursor` is what may be stored once everything up to here has been stored."""

    records: list[Record]
    """One that is named twice counts as it was named last, or, where versions are ordered, in its latest state."""
    same: tuple[str, ...] = ()
    """Ids that are there with the version the hub holds already, so that their content was not fetched."""
    gone: tuple[str, ...] = ()
    """Ids that the app says explicitly are deleted (confirmed by `get` before it is believed)."""
    cursor: str | None = None
    """None: keep the old cursor (an unsorted listing gives one with its last page only)."""
    complete: bool = False
    """On the last page: since the first page, every record of the app was listed."""
    expired: bool = False
    """The cursor is no longer good (the only page): everything is read again, as if there had been none."""


WriteKind: TypeAlias = Literal["create", "update", "archive", "consent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One thing an app is asked to do. Only the named fields may change there; unmapped data stays as it is."""

    kind: WriteKind
    id: str
    """The record; for a create the id that the hub drew (rungs A-B), or "" where the app gives its own."""
    fields: Mapping[str, Raw]
    expect: Mapping[str, Raw] = field(default_factory=dict)
    """What the hub last read in the record. Where it no longer holds, nothing is written: `Rejected("moved")`."""
    version: str | None = None
    """The version that was last read, for apps with conditional writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The write happened. `record` is what the app now holds, in its own spelling; None = ask by `get`."""

    record: Record | None


Refusal: TypeAlias = Literal["moved", "gone", "exists", "invalid", "readonly", "busy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The write did not happen and had no effect."""

    why: Refusal
    """moved: version or value differs. gone: no such record. exists: a record with this id or unique key is there.
    invalid: the app refuses the values for good. readonly: may not be written. busy: not now, nothing was executed."""
    message: str = ""
    """For the operator; no contact value in it."""
    field: str | None = None
    existing: str | None = None
    """With "exists": the id of the record that is in the way, where the app tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody knows whether the write happened: reply lost, time out, or an answer that the connector does not know."""

    message: str = ""


Result: TypeAlias = Applied | Rejected | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """One field in one app: where it lies and in which directions it travels."""

    path: str
    direction: Literal["in", "out", "both", "none"] = "both"
    values: Mapping[str, Raw] | None = None
    """Canonical value -> the app's word for it, invertible; of several words the first is written, all are read."""
    required: bool = False
    defaulted: bool = False
    """May not be blank, and the app gives it a value of its own in a new record that says nothing of it."""
    max_length: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the field type for this app (region, order, separator)."""
    fold: Mapping[str, str] | None = None
    """It lies in no record but is folded out of a stream: its name, what to take (count, sum, min, max), of which field, where."""
    label: str = ""
    """What people call it in the app, where that is said instead of a path: the app knows where it lies when it is open."""
    opts_in: bool = True
    """Consent: who has opted in elsewhere, with evidence, can be told here. False: nobody can, and nobody is."""


def words_of(word: Raw) -> Sequence[Raw]:
    """List an app's words for one value; the first is the one that is written."""
    return word if isinstance(word, list) else (word,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting or secret of a connector: what `syncd connectors show` prints and the configuration is checked by."""

    name: str
    help: str
    required: bool = False
    type: Literal["text", "path", "url", "list", "number", "boolean"] = "text"
    default: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooking:
    """What has to be known of an app's webhooks to switch them on."""

    needs: tuple[str, ...] = ()
    """Secrets without which nothing that comes in could be believed."""
    late_seconds: float = 600.0
    """How late a webhook may come; a change that was found by then counts as missed."""
    path: str | None = None
    """The secret that ends the address, where the vendor signs nothing."""
    how: str = ""
    """How the operator tells the vendor the address."""
    signed: bool = False
    """Each is signed over the bytes that come."""
    window_seconds: float | None = None
    """One that was signed longer ago is refused; None: its time is not signed."""
    once: bool = False
    """Each names itself, so that one that comes again is known."""
    names: bool = False
    """They name records; else they say that something has changed."""
    subscribes: bool = False
    """The vendor is told the address by its API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a connector states about its app: facts that the conformance suite proves both ways."""

    name: str
    summary: str
    settings: tuple[Setting, ...] = ()
    secrets: tuple[Setting, ...] = ()
    fields: Mapping[str, FieldMap] = field(default_factory=dict)
    """The default map: standard field -> where it lies."""
    any_path: bool = False
    """Fields may lie anywhere (columns, properties); those named like a known field map by themselves."""
    discovers: bool = False
    """An account tells what fields it has (`offered`), and an operator may name them as people there do (`label`)."""
    streams: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What records have many of, only read (tickets, invoices): name -> its fields -> number, time or text."""
    flat: bool = False
    """The app holds single texts only: lists are joined, booleans and numbers are written as text."""
    create: bool = False
    update: bool = False
    archive: bool = False
    incremental: bool = False
    """With a cursor, `read` tells only what changed since (its pages are never `complete`). Else a read with a cursor is
    either a complete listing again, or one empty page that says nothing changed at all."""
    proven_listing: bool = False
    """A listing that ends is complete (one snapshot, or keyset by id): one is coverage; else two equal ones are."""
    versions: Literal["none", "opaque", "ordered"] = "none"
    """ordered: of two states of one record the later one has the greater version, as text."""
    lost_update: Literal["cas", "jump", "blind"] = "blind"
    """cas: `Write.expect`/`version` is checked with the write itself. jump: detected after. blind: neither."""
    rung: Literal["A", "B", "C", "D", "E", "F"] = "F"
    """How an in-doubt create is resolved (SYNC-MODEL 1.7). A: the hub draws the id, repeating is harmless."""
    reports_gone: bool = False
    """Reads name deleted records explicitly."""
    lag_seconds: float = 0.0
    """How long a change may stay invisible to `read`."""
    reuses_ids: bool = False
    """The id of a removed record may be given to somebody else: numbers of rows, ids that people type."""
    unique: tuple[str, ...] = ()
    """Fields of which the app allows each value once."""
    write_batch: int = 100
    """Writes per call of `write`."""
    hooking: Hooking | None = None
    """How it tells of changes by webhooks; None: not at all."""
    names_account: bool = True
    """`fingerprint` tells accounts apart by itself; else two apps of one fingerprint are one where their secrets are equal."""
    parts: tuple[str, ...] = ()
    """Settings that choose a part of what `fingerprint` names (a list of an account): other ones, other records."""
    network: bool = False
    """Reached over a network: TLS to public addresses only, unless the app says `network: private`."""
    quirks: tuple[str, ...] = ()
    """What is peculiar of the app and cannot be told from the rest, a sentence each: for the card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A field that an account has, as the account tells it."""

    path: str
    label: str
    """What people there call it."""
    type: str
    """As the vendor calls it."""
    read_only: bool = False
    options: Mapping[str, Raw] = field(default_factory=dict)
    """What people see -> the app's word, where it is one of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence of `syncd check` about an app."""

    level: Literal["error", "warning", "note"]
    message: str
    field: str | None = None
