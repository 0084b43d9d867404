"""The configuration as the deciders need it: per field its type, policy and blank rule; per app its lenses and limits.

Knows nothing of files or YAML. Hard rule: everything a decision depends on beside the data is in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from syncd.core.fields import FieldType
from syncd.core.transforms import Lens
from syncd.model import Spec, Value

PolicyKind: TypeAlias = Literal["latest", "owner", "rank", "set", "non_blank", "restrictive", "ask", "lock"]
BlankRule: TypeAlias = Literal["ignore", "fill_only", "propagate"]
FullNames: TypeAlias = Literal["own", "follows", "joined"]
"""Whether a full name follows the two names, and is joined from them where no app has one (core/names.py)."""

EVIDENCE = ("consent_at", "consent_source")
"""When and how a person opted in. They travel with consent only, never by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """How one field is merged."""

    name: str
    type: FieldType
    policy: PolicyKind = "latest"
    apps: tuple[int, ...] = ()
    """owner: one app; rank: apps, best first."""
    blank: BlankRule = "ignore"
    settle_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """Fields that are merged as one (an address); a plain field is an atom of one."""

    name: str
    fields: tuple[str, ...]
    rule: FieldRule


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRule:
    """What decisions need to know of one app. `index` is its number in the store, `rank` its place in `apps:`."""

    index: int
    name: str
    rank: int
    spec: Spec
    lenses: Mapping[str, Lens]
    create: bool = True
    update: bool = True
    trusted: bool = True
    on_delete: Literal["unlink", "archive"] = "unlink"
    scope: Callable[[Mapping[str, Value]], bool] | None = None
    """Who may be created here, by the contact's values; None: everyone."""
    on_leave: Literal["keep", "archive"] = "keep"
    poll_ms: int = 60_000
    pushed: bool = False
    """In this run what it shows does not count (`resync --push-only`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything a decision depends on beside the data. App indexes are keys throughout."""

    apps: Mapping[int, AppRule]
    fields: Mapping[str, FieldRule]
    """Ordinary fields; consent fields and their evidence are apart."""
    atoms: Mapping[str, Atom]
    """Field name -> the atom it belongs to."""
    consents: Mapping[str, FieldType]
    match: tuple[tuple[str, ...], ...]
    flips_max: int = 3
    flips_window_ms: int = 24 * 3600 * 1000
    identity: frozenset[str] = field(default_factory=frozenset)
    """Fields that match rules use: low-trust apps may not change them elsewhere."""

    settling: Mapping[str, FieldRule] = field(default_factory=dict)
    """Fields with a quiet time: a change of theirs waits until nobody has touched the record for that long."""

    full_names: FullNames = "own"

    def app(self, index: int) -> AppRule | None:
        return self.apps.get(index)
