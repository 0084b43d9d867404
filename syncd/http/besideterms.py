"""What a manifest says of what lies beside records, compiled: the fields that an account tells of, and streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.http.coding import Kind
from syncd.http.paths import Path
from syncd.http.terms import Changes, Listing, Mark
from syncd.http.texts import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where the options of a field are told. `by_label`: syncd knows one by what people see, not by its word."""

    items: Path
    word: Path
    label: Path
    by_label: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Discover:
    """How an account tells what fields it has."""

    listing: Listing
    leave_out: tuple[Mark, ...]
    name: Path
    drop: Template | None
    """What a name begins with here, and not where the values lie."""
    path: Template
    """Of {name}: where such a field lies, below where fields begin."""
    label: Path
    type: Path | None
    types: Mapping[str, str]
    """The vendor's word for a type -> ours; text where it is not here."""
    read_only: tuple[Mark, ...]
    options: Options | None

    @property
    def before(self) -> str:
        """What all these paths begin with."""
        return self.path.parts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of the items of a stream. `means`: number, time or text."""

    path: Path
    kind: Kind
    means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a record has many of, only read. `of`: those of one record; there where `changes` are."""

    name: str
    list: Listing
    changes: Changes | None
    of: Listing | None
    record: Path
    leave_out: tuple[Mark, ...]
    columns: Mapping[str, Column]
