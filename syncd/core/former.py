"""Former: recognise in what a record shows the state that it had before (SYNC-MODEL 1.14): its app was restored, perhaps.

Values in, values out; how many are too many is not decided here. Hard rule: a version that went on is an edit, whatever it
shows, for people do type old values again (until somebody has said that the app is old: then what is old in it counts as that).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.atoms import MISSING, digest_key, fits, same_raw, value_key
from syncd.core.fields import Invalid
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.settle import degraded
from syncd.core.state import Entry, Link
from syncd.core.transforms import Lens
from syncd.model import Value

RESTORED: Final = "the app shows an earlier state of itself, and is brought up to date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """How what a record shows stands to what is known of it."""

    fields: tuple[str, ...]
    """Changed fields that show what was there before."""
    back: bool
    """The record went back: an older version of it, or a former value, though the version does not say that it is newer."""
    by_version: bool
    """Its version says so."""
    on: bool
    """It has changed, and not back."""
    left: bool
    """What went back had been written into another app, or no other app shows what this one shows again: it may not be a mistake
    that was held, and put right.
    """


def former(link: Link, app: AppRule, entries: Sequence[Entry], rules: Rules, others: Sequence[Link] = ()) -> Former:
    """Compare what a record shows with its past. `entries`: the journal of its contact. `others`: its other records."""
    assert link.seen is not None
    order = _order(link, app)
    changed = _changed(link, app, rules)
    past = _past(entries, app, rules) if changed else {}
    known = tuple(
        name
        for name, value in changed.items()
        if _was_there(link, name, value, past.get(name, ()), app.lenses[name], rules)
    )
    old = any(changed[name] is not None for name in known)  # a blank alone says nothing: it may be anything's
    back = order < 0 or (order == 0 and old)
    left = order < 0 or not all(_never_left(link, others, name, changed[name], app, rules) for name in known)
    return Former(fields=known, back=back, by_version=order < 0, on=not back and bool(changed), left=back and left)


def is_former(link: Link, atom: Atom) -> bool:
    """Say whether a record of an app that is brought up to date shows an earlier state of a field, or of part of a group."""
    old = (link.seen.former if link.seen is not None else None) or ()
    return any(name in old for name in atom.fields)


def _order(link: Link, app: AppRule) -> int:
    """Say whether the version went back (-1) or on (1); 0 where it does not tell."""
    assert link.seen is not None
    was, now = link.version, link.seen.version
    if app.spec.versions != "ordered" or was is None or now is None or was == now:
        return 0
    return -1 if now < was else 1


def _changed(link: Link, app: AppRule, rules: Rules) -> dict[str, Value]:
    """Read the ordinary fields that show another value than was agreed on."""
    assert link.seen is not None
    found: dict[str, Value] = {}
    for name, raw in link.seen.fields.items():
        lens, was = app.lenses.get(name), link.base.get(name, MISSING)
        if lens is None or name not in rules.fields or (was is not MISSING and same_raw(raw, was)):
            continue
        value = lens.parse(raw)
        if type(value) is Invalid:
            continue
        key = value_key(rules, name, value)
        if key == (None if was is MISSING else value_key(rules, name, lens.parse(was))):
            continue
        found[name] = value
    return found


def _past(entries: Iterable[Entry], app: AppRule, rules: Rules) -> dict[str, list[Value]]:
    """List the values that the contact's fields had, or this app showed, as far as the journal knows."""
    found: dict[str, list[Value]] = {}
    for entry in entries:
        name = entry.field
        if name is None:
            continue
        if entry.kind == "write" and entry.app == app.index and name in app.lenses:
            found.setdefault(name, []).extend(
                value for raw in (entry.old, entry.new) if type(value := app.lenses[name].parse(raw)) is not Invalid
            )
        elif entry.kind in ("value", "lost", "undo") and name in rules.atoms:
            for value in (each for each in (entry.old, entry.new) if fits(rules, rules.atoms[name], each)):
                for member, each in _members(name, value, rules).items():
                    found.setdefault(member, []).append(each)
    return found


def _members(name: str, value: Value, rules: Rules) -> Mapping[str, Value]:
    """Take the value of an atom apart."""
    atom = rules.atoms.get(name)
    if atom is None or len(atom.fields) == 1:
        return {name: value}
    return value if isinstance(value, dict) else dict.fromkeys(atom.fields)


def _never_left(link: Link, others: Sequence[Link], name: str, value: Value, app: AppRule, rules: Rules) -> bool:
    """Say whether what a record showed last was written nowhere, and another app still shows what this one shows again."""
    last = app.lenses[name].parse(link.base.get(name))
    return _is_shown(others, name, value, rules) and not _is_shown(others, name, last, rules)


def _is_shown(links: Sequence[Link], name: str, value: Value, rules: Rules) -> bool:
    """Say whether one of these records shows a value."""
    key = value_key(rules, name, value)
    lenses = ((link.base.get(name), app.lenses.get(name)) for link in links if (app := rules.apps.get(link.app)))
    return any(raw is not None and lens and value_key(rules, name, lens.parse(raw)) == key for raw, lens in lenses)


def _was_there(link: Link, name: str, value: Value, past: Sequence[Value], lens: Lens, rules: Rules) -> bool:
    """Say whether a value is one of before, or all that the app could hold of one. A poorer spelling of what is agreed on now
    is none of before: somebody is tidying up.
    """
    assert link.seen is not None
    key = digest_key(value_key(rules, name, value))
    if any(digest_key(value_key(rules, name, each)) == key for each in past):
        return True
    raw, now = link.seen.fields[name], link.base.get(name)
    texts = [lens.render(each) for each in past if each is not None] if value is not None else []
    return any(degraded(text, raw) and text != now and not degraded(text, now) for text in texts)
