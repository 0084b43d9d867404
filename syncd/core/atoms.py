"""Atoms: a field, or a group of fields that is one value, read from what the contact has and from what an app shows.

A group's value is a mapping that holds the members one has an opinion on: a member that is absent is unknown, `None` is
cleared on purpose. Knows nothing of policies. Hard rule: an app's poorer spelling of the contact's value is read as
that value, so that it is never taken for a change of its own (NO-ECHO).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

from syncd.core.fields import Invalid
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.state import Contact, Link, Stamp
from syncd.model import Raw, Value

MISSING: Final = object()
NOTHING: Final[Mapping[str, Stamp]] = MappingProxyType({})
DIGEST_CHARS_MAX: Final = 64


def value_key(rules: Rules, name: str, value: Value) -> Any:
    """Make the equivalence key of one field's value; None for what is blank or cannot be read."""
    if value is None or type(value) is Invalid:
        return None
    rule = rules.fields.get(name)
    return rule.type.key(value) if rule else value


def digest_key(key: Any) -> str:
    """Spell a key as text, for storing: keys may be tuples, which JSON would turn into lists, and long."""
    text = repr(key)
    return text if len(text) <= DIGEST_CHARS_MAX else blake2b(text.encode(), digest_size=12).hexdigest()


def atom_value(contact: Contact, atom: Atom) -> Value:
    """Read an atom's golden value: the value itself, or a mapping of those members that it has."""
    if len(atom.fields) == 1:
        return contact.golden.get(atom.fields[0])
    return {name: contact.golden[name] for name in atom.fields if name in contact.golden}


def atom_key(rules: Rules, atom: Atom, value: Value) -> Any:
    """Make the equivalence key of an atom's value; None when it is blank altogether."""
    if len(atom.fields) == 1:
        return value_key(rules, atom.fields[0], value)
    keys = tuple([value_key(rules, name, value.get(name)) for name in atom.fields]) if value else ()
    return keys if any(key is not None for key in keys) else None


def fits(rules: Rules, atom: Atom, value: Value) -> bool:
    """Say whether a value is one of the type that its field has now: the journal is older than the configuration."""
    if len(atom.fields) == 1:
        return value is None or _is_own(atom.rule.type.parse(value), value)
    if not isinstance(value, dict):
        return value is None
    members = {name: rules.fields[name].type for name in atom.fields}
    return all(
        each is None or (name in members and _is_own(members[name].parse(each), each)) for name, each in value.items()
    )


def _is_own(parsed: object, value: Value) -> bool:
    return type(parsed) is type(value) and parsed == value


def put(contact: Contact, atom: Atom, value: Value, stamp: Stamp, filled: Mapping[str, Stamp] = NOTHING) -> None:
    """Make this the contact's value. Members of a group that it does not name are known no more; they are not cleared.

    `filled`: stamps of members that come from elsewhere.
    """
    if len(atom.fields) == 1:
        contact.golden[atom.fields[0]] = value
        contact.stamps[atom.fields[0]] = stamp
        return
    for name in atom.fields:
        if value and name in value:
            contact.golden[name] = value[name]
            contact.stamps[name] = filled.get(name, stamp)
        else:
            contact.golden.pop(name, None)
            contact.stamps.pop(name, None)


def same_raw(a: Raw, b: Raw) -> bool:
    """Say whether an app shows the same; 1, 1.0 and true are three things, also inside a list."""
    return bool(a == b) and type(a) is type(b) and (type(a) not in (list, dict) or repr(a) == repr(b))


def answered(link: Link, name: str, digest: str, raw: Raw) -> bool:
    """Say whether the app gave this raw value as its last word for that golden value (accepted or refused)."""
    ack = link.acks.get(name)
    return ack is not None and ack[0] == digest and same_raw(ack[1], raw)


def holds(contact: Contact, link: Link, name: str, raw: Raw, app: AppRule, rules: Rules) -> bool:
    """Say whether `raw` is the contact's value as this app spells it: equal, accepted, or all that the app can hold."""
    if name not in contact.golden:
        return True  # no opinion
    golden = contact.golden[name]
    lens, key = app.lenses[name], value_key(rules, name, golden)
    now = lens.parse(raw)
    if type(now) is not Invalid and value_key(rules, name, now) == key:
        return True
    if name in link.acks and len(link.acks[name]) == 2 and answered(link, name, digest_key(key), raw):
        return True
    if golden is None or now is None or type(now) is Invalid or not lens.lossy:
        return False
    kept = lens.parse(lens.render(golden))
    return type(kept) is not Invalid and value_key(rules, name, kept) == value_key(rules, name, now)


def agree(rules: Rules, atom: Atom, a: Value, b: Value) -> bool:
    """Say whether two values of a group are one address in two states of completeness: no member says otherwise."""
    return all(
        a.get(name) is None or b.get(name) is None or value_key(rules, name, a[name]) == value_key(rules, name, b[name])
        for name in atom.fields
    )


@dataclass(slots=True, kw_only=True)
class Shown:
    """What an app shows of a group. `opinion`: the members that it changed, filled or cleared on purpose."""

    value: dict[str, Value]
    base: dict[str, Value]
    has_base: bool
    causal: bool
    opinion: set[str]


def read_group(
    contact: Contact,
    link: Link,
    atom: Atom,
    before: Mapping[str, Raw],
    now: Mapping[str, Raw],
    app: AppRule,
    rules: Rules,
) -> Shown:
    """Read a group. A member that is not offered, unreadable, or was blank before and still is, is unknown."""
    shown = Shown(value={}, base={}, has_base=False, causal=True, opinion=set())
    for name in atom.fields:
        lens = app.lenses.get(name)
        if lens is None or not lens.reads or name not in now:
            continue
        value = lens.parse(now[name])
        if type(value) is Invalid:
            continue
        old = before.get(name, MISSING)
        if old is MISSING:
            if value is not None:
                shown.value[name] = value
                shown.opinion.add(name)
            continue
        shown.has_base = True
        spelled = holds(contact, link, name, old, app, rules)
        shown.causal = shown.causal and spelled
        was = lens.parse(old)
        shown.base[name] = None if type(was) is Invalid else was
        if same_raw(old, now[name]) or value_key(rules, name, value) == value_key(rules, name, was):
            if value is not None:
                golden = contact.golden.get(name)
                shown.value[name] = golden if spelled and golden is not None else value
        else:
            shown.value[name] = value
            shown.opinion.add(name)
    shown.causal = shown.causal and shown.has_base
    return shown


def is_read(link: Link, atom: Atom, rules: Rules) -> bool:
    """Say whether a record has a field of this atom, and its app is one that the field is read from now."""
    app = rules.apps.get(link.app)
    lenses = app.lenses if app is not None else {}
    return any(name in link.base and name in lenses and lenses[name].reads for name in atom.fields)
