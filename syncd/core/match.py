"""Whose record is this? Keys that are unique on both sides link; everything else waits for a person.

Knows nothing of how keys are stored. Hard rule: never a guess. A key held by several records of one app, or by several
contacts, links nobody (SYNC-MODEL 1.12; BEHAVIOURS 20, 24, 25).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from syncd.core.fields import Invalid
from syncd.core.rules import AppRule, Rules
from syncd.model import Raw

ALIAS: Final = -1
"""The "app" of keys that a contact had before: an old address still finds its person."""


class Holder(NamedTuple):
    """A record that holds a key, and its contact if it is linked."""

    app: int
    record: str
    contact: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """link: to `contact`. new: a person of its own. review: `candidates` wait for a person."""

    kind: str
    contact: int | None = None
    candidates: tuple[Holder, ...] = ()
    reason: str = ""


def key_hash(rule: Sequence[str], parts: Sequence[Any]) -> bytes:
    """Make the 12-byte identity key of one match rule: enough that 10^9 keys never meet by accident."""
    return blake2b(repr((tuple(rule), tuple(parts))).encode("utf-8", "replace"), digest_size=12).digest()


def record_keys(fields: Mapping[str, Raw], app: AppRule, rules: Rules) -> list[bytes | None]:
    """Make a record's key for each match rule, in order; None where a part is blank, unreadable or not offered."""
    keys: list[bytes | None] = []
    for rule in rules.match:
        parts: list[Any] | None = []
        for name in rule:
            lens, raw = app.lenses.get(name), fields.get(name)
            value = lens.parse(raw) if lens is not None and raw is not None else None
            if value is None or type(value) is Invalid:
                parts = None
                break
            assert parts is not None
            key = rules.fields[name].type.key(value)
            parts.append(key.casefold() if isinstance(key, str) and name != "email" else key)  # ADA LEE is Ada Lee
        keys.append(key_hash(rule, parts) if parts else None)
    return keys


def address_hash(address_key: str) -> bytes:
    """Make the key under which an e-mail address is latched and found, whatever the match rules are."""
    return key_hash(("email",), (address_key,))


def decide_match(
    app: AppRule,
    record: str,
    keys: Sequence[bytes | None],
    holders: Mapping[bytes, Sequence[Holder]],
    taken: Mapping[int, Iterable[int]],
    keys_of: Mapping[tuple[int, str], Sequence[bytes | None]],
) -> Decision:
    """Decide for one unlinked record.

    `taken`: contact -> apps in which it has a record already. `keys_of`: (app, record) -> keys of the records that share
    a weaker key with this one, to see whether a stronger key says otherwise.
    """
    for place, key in enumerate(keys):
        if key is None:
            continue
        others = [h for h in holders.get(key, ()) if h.app != app.index]
        same = [h for h in holders.get(key, ()) if h.app == app.index and h.record != record]
        if not others and not same:
            continue
        if not others:
            return _among_own(record, same)
        decision = _across(app, others, same, taken)
        if decision.kind == "link" and place and _contradicted(keys[:place], others, keys_of):
            return Decision(kind="review", candidates=tuple(others), reason="a stronger key says otherwise")
        return decision
    return Decision(kind="new")


def _among_own(record: str, same: Sequence[Holder]) -> Decision:
    """Only this app has the key, several times: the first record is the person, the others wait."""
    if any(h.contact is not None for h in same) or min(h.record for h in same) < record:
        return Decision(kind="review", candidates=tuple(same), reason="another record of this app has the same key")
    return Decision(kind="new")


def _across(
    app: AppRule, others: Sequence[Holder], same: Sequence[Holder], taken: Mapping[int, Iterable[int]]
) -> Decision:
    if same:
        return Decision(
            kind="review", candidates=(*same, *others), reason="several records of this app have the same key"
        )
    apps = [h.app for h in others if h.app != ALIAS]
    contacts = {h.contact for h in others if h.contact is not None}
    if len(apps) != len(set(apps)):
        return Decision(kind="review", candidates=tuple(others), reason="several records of another app have this key")
    if len(contacts) > 1:
        return Decision(kind="review", candidates=tuple(others), reason="several contacts have this key")
    if not contacts:
        return Decision(kind="new")  # the first of a group; the others find it when it is their turn
    contact = next(iter(contacts))
    assert contact is not None
    if app.index in taken.get(contact, ()):
        return Decision(kind="review", candidates=tuple(others), reason="that contact has a record in this app already")
    if not app.trusted:
        return Decision(kind="review", candidates=tuple(others), reason="this app is not trusted to match by itself")
    return Decision(kind="link", contact=contact)


def _contradicted(
    stronger: Sequence[bytes | None],
    others: Sequence[Holder],
    keys_of: Mapping[tuple[int, str], Sequence[bytes | None]],
) -> bool:
    """Say whether both sides have a stronger key, and not the same one."""
    return any(
        mine is not None and theirs is not None and mine != theirs
        for other in others
        for mine, theirs in zip(stronger, keys_of.get((other.app, other.record), ()), strict=False)
    )
