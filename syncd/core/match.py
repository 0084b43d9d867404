"""Whose record is this? Keys that are unique on both sides link; everything else waits for a person.

Knows nothing of how keys are stored. Hard rule: never a guess. A key held by several records of one app, or by several
contacts, links nobody (SYNC-MODEL 1.12; BEHAVIOURS 20, 24, 25).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from syncd.core.fields import Invalid
from syncd.core.rules import AppRule, Rules
from syncd.model import Raw, Value

ALIAS: Final = -1
"""The "app" of keys that a contact had before: an old address still finds its person."""
GONE: Final = -2
"""The "app" of keys of ids that an app no longer had (see `id_key`)."""


class Holder(NamedTuple):
    """A record that holds a key, and its contact if it is linked."""

    app: int
    record: str
    contact: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """link: to `contact`. new: a person of its own. review: `candidates` wait for a person. wait: a weaker key decides."""

    kind: str
    contact: int | None = None
    candidates: tuple[Holder, ...] = ()
    reason: str = ""


def key_hash(rule: Sequence[str], parts: Sequence[Any]) -> bytes:
    """Make the 12-byte identity key of one match rule: enough that 10^9 keys never meet by accident."""
    return blake2b(repr((tuple(rule), tuple(parts))).encode(), digest_size=12).digest()


def id_key(app: int, record: str, shown: bytes | None = None) -> bytes:
    """Make the key under which it is remembered that an app had no record of this id any more. `shown`: a match key that
    nobody had merged when it was read last.
    """
    return key_hash(("id",), (app, record) if shown is None else (app, record, shown.hex()))


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
            parts.append(_part(name, value, rules))
        keys.append(_hashed(rule, parts) if parts else None)
    return keys


def contact_key(golden: Mapping[str, Value], rules: Rules) -> bytes | None:
    """Make the key that a contact's own values have by the strongest match rule; None where a part of it is blank."""
    rule = rules.match[0]
    if any(golden.get(name) is None for name in rule):
        return None
    return _hashed(rule, [_part(name, golden[name], rules) for name in rule])


def _part(name: str, value: Value, rules: Rules) -> Any:
    key = rules.fields[name].type.key(value)
    return key.casefold() if isinstance(key, str) and name != "email" else key  # ADA LEE is Ada Lee


def _hashed(rule: Sequence[str], parts: Sequence[Any]) -> bytes:
    return address_hash(parts[0]) if rule == BY_EMAIL else key_hash(rule, parts)


@lru_cache(maxsize=4096, typed=True)
def address_hash(address_key: str) -> bytes:
    """Make the key under which an e-mail address is latched and found, whatever the match rules are.

    Kept for a few pages: one pass asks for the same address of a contact up to nine times.
    """
    return key_hash(BY_EMAIL, (address_key,))


BY_EMAIL: Final = ("email",)


def decide_match(
    app: AppRule,
    record: str,
    keys: Sequence[bytes | None],
    holders: Mapping[bytes, Sequence[Holder]],
    taken: Mapping[int, Collection[int]],
    keys_of: Mapping[tuple[int, str], Sequence[bytes | None]],
    rules: Rules,
    place: int,
) -> Decision:
    """Decide for one unlinked record by the match rules up to number `place`.

    Every record is asked for rule 0 before any is asked for rule 1, so that the order of the apps decides nothing: a
    record that only a weaker key connects waits ("wait") until the stronger ones have made their contacts.
    `taken`: contact -> apps in which it has a record already. `keys_of`: (app, record) -> keys of the records that share
    a key with this one, to see whether a stronger key says otherwise.
    """
    trusted = [_others(app, record, key, holders, rules) for key in keys]
    for number, (key, others) in enumerate(zip(keys, trusted, strict=True)):
        same = [h for h in holders.get(key, ()) if h.app == app.index and h.record != record] if key else []
        if not others and not same:
            continue
        if number > place:
            return Decision(kind="wait")
        if not others:
            return _among_own(same)
        if _contradicted(keys[:number], others, keys_of):
            return Decision(kind="review", candidates=tuple(others), reason="a stronger key says otherwise")
        return _across(app, others, same, taken)
    return Decision(kind="new")


def _others(
    app: AppRule, record: str, key: bytes | None, holders: Mapping[bytes, Sequence[Holder]], rules: Rules
) -> list[Holder]:
    """List the records of other apps with this key. What apps show that are not trusted connects nobody but them."""
    if key is None:
        return []
    others = [h for h in holders.get(key, ()) if h.app != app.index]
    if not app.trusted:
        return others
    return [h for h in others if (rule := rules.apps.get(h.app)) is None or rule.trusted]


def _among_own(same: Sequence[Holder]) -> Decision:
    """Only this app has the key, several times: the record that is asked first is the person, the others wait."""
    if any(h.contact is not None for h in same):
        return Decision(kind="review", candidates=tuple(same), reason="another record of this app has the same key")
    return Decision(kind="new")


def _across(
    app: AppRule, others: Sequence[Holder], same: Sequence[Holder], taken: Mapping[int, Collection[int]]
) -> Decision:
    def review(reason: str) -> Decision:
        return Decision(kind="review", candidates=(*same, *others), reason=reason)

    if same:
        return review("several records of this app have the same key")
    apps = [h.app for h in others if h.app != ALIAS]
    contacts = {h.contact for h in others if h.contact is not None}
    if len(apps) != len(set(apps)):
        return review("several records of another app have this key")
    if len(contacts) > 1:
        return review("several contacts have this key")
    if not app.trusted:
        return review("this app is not trusted to match by itself")
    if not contacts:
        return Decision(kind="new")  # the first of a group; the others find it when it is their turn
    contact = next(iter(contacts))
    assert contact is not None
    there = taken.get(contact, ())
    if app.index in there:
        return review("that contact has a record in this app already")
    if any(h.app in there for h in others if h.contact is None):
        return review("another record with this key may be that contact's as well")
    return Decision(kind="link", contact=contact)


def _contradicted(
    stronger: Sequence[bytes | None],
    others: Sequence[Holder],
    keys_of: Mapping[tuple[int, str], Sequence[bytes | None]],
) -> bool:
    """Say whether two of those who share a key have a stronger key each, and not the same one."""
    for number, mine in enumerate(stronger):
        theirs = {keys[number] for h in others if len(keys := keys_of.get((h.app, h.record), ())) > number}
        if len({mine, *theirs} - {None}) > 1:
            return True
    return False
