"""Settle, changed, merge: from what the apps show to what the contact is (SYNC-MODEL 1.2 and 1.5).

Consumes the observations of one contact's links jointly and says what changed, what lost and why. Knows nothing of
consent (core/consent.py) or of what is to be written (core/plan.py). Hard rule: every value that golden or an app loses
is in the returned entries before anything can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.core.fields import Invalid
from syncd.core.policies import Candidate, Verdict, decide, incumbent
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.state import Contact, Entry, Link, Seen, Sent, Stamp
from syncd.model import Raw, Value

MISSING: Final = object()


@dataclass(slots=True, kw_only=True)
class Conflict:
    """A field that waits for a person: what each app says."""

    field: str
    reason: str
    values: dict[int, Value]


@dataclass(slots=True, kw_only=True)
class Merged:
    """What a merge found out, beside the contact and links that it changed in place."""

    entries: list[Entry] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    disagreed: int = 0
    """Atoms on which the apps did not agree."""


def merge(contact: Contact, links: Sequence[Link], rules: Rules, now_ms: int) -> Merged:
    """Consume every unconsumed observation of the contact's links. Changes `contact` and `links` in place."""
    merged = Merged()
    if (
        len(links) == 1
        and rules.atoms.keys().isdisjoint(contact.golden)
        and rules.atoms.keys().isdisjoint(links[0].base)
    ):
        _adopt(contact, links[0], rules)
        return merged
    found: dict[str, dict[int, Candidate]] = {}
    olds: list[tuple[Link, dict[str, Raw]]] = []
    for link in links:
        app = rules.app(link.app)
        if link.seen is None or app is None:
            continue
        olds.append((link, link.base))
        _collect(contact, link, app, rules, found)
    standing_of = _Standing(links, rules, olds)
    for name in sorted(found):
        _merge_atom(contact, rules.atoms[name], found[name], standing_of, merged, rules, now_ms)
    for link, _ in olds:
        assert link.seen is not None
        link.version, link.at_ms, link.seen = link.seen.version, link.seen.at_ms, None
    return merged


def _adopt(contact: Contact, link: Link, rules: Rules) -> None:
    """Take over the only record of a new contact: there is nothing to decide. The same as merging it, in one go."""
    app, seen = rules.app(link.app), link.seen
    if app is None or seen is None:
        return
    golden, base, atoms, lenses = contact.golden, dict[str, Raw](), rules.atoms, app.lenses
    stamp = Stamp(link.app, 0, seen.at_ms)
    groups: dict[str, Atom] = {}
    for name, raw in seen.fields.items():
        atom, lens = atoms.get(name), lenses.get(name)
        if atom is None or lens is None:
            continue
        base[name] = raw
        if raw is None or not lens.reads:
            continue
        value = lens.parse(raw)
        if value is None or type(value) is Invalid:
            continue
        golden[name] = value
        contact.stamps[name] = stamp
        if atom.name != name:
            groups[atom.name] = atom
    for atom in groups.values():
        for name in atom.fields:
            if name in base and name not in golden:
                golden[name] = None  # a group is one value: its blank members are blank
                contact.stamps[name] = stamp
    link.base = {**link.base, **base}
    link.version, link.at_ms, link.seen = seen.version, seen.at_ms, None


def settle(link: Link, sent: Sent, app: AppRule, rules: Rules, *, authored: bool) -> list[Entry]:
    """Recognise our own write in what the link shows now, before anything is compared (NO-ECHO).

    `authored`: the very reply to our request carried this state, so whatever is stored is the app's spelling of what we
    sent. Otherwise only the value proves it: the same value, or a degradation of it (cut, case, white space).
    """
    assert link.seen is not None
    entries: list[Entry] = []
    for name, want in sent.fields.items():
        raw = link.seen.fields.get(name, MISSING)
        lens = app.lenses.get(name)
        if raw is MISSING or lens is None:
            continue
        got = lens.parse(raw)
        same = raw == want or _key(rules, name, got) == _key(rules, name, lens.parse(want))
        if not same and raw == link.base.get(name, MISSING) and not authored:
            continue  # not applied
        if not (same or authored or degraded(want, raw)):
            continue  # a human edit: it stays a change
        if not same:
            entries.append(_entry("note", link, name, want, raw, "the app keeps its own spelling"))
        link.base[name] = raw
        golden = sent.golden.get(name)
        if golden is None:
            golden = digest_key(_key(rules, name, lens.parse(want)))
        if digest_key(_key(rules, name, got)) != golden:
            link.acks[name] = [golden, raw]
        else:
            link.acks.pop(name, None)
    return entries


def degraded(want: Raw, raw: Raw) -> bool:
    """Say whether `raw` is a poorer spelling of the text `want`: cut, other case, other white space, digits only."""
    if not (isinstance(want, str) and isinstance(raw, str) and raw):
        return False
    a, b = "".join(want.split()).casefold(), "".join(raw.split()).casefold()
    digits = "".join(ch for ch in a if ch.isdigit())
    return a.startswith(b) or (len(digits) > 3 and digits == "".join(ch for ch in b if ch.isdigit()))


def _collect(contact: Contact, link: Link, app: AppRule, rules: Rules, found: dict[str, dict[int, Candidate]]) -> None:
    """Find the changed fields of one link, advance its base, and file them as candidates of their atoms."""
    seen = link.seen
    assert seen is not None
    before, base, atoms, lenses = link.base, dict(link.base), rules.atoms, app.lenses
    changed: dict[str, None] = {}
    for name, raw in seen.fields.items():
        old = before.get(name, MISSING)
        if raw == old and type(raw) is type(old):
            continue
        atom = atoms.get(name)
        if atom is None:
            continue  # the consent lane compares with the base itself
        lens = lenses.get(name)
        if lens is None:
            continue  # not mapped (any more): not consumed either
        base[name] = raw
        link.flaws.pop(name, None)
        value = lens.parse(raw)
        if type(value) is Invalid:
            continue  # `explain` flags it; it has no say
        if old is not MISSING and _same(rules, name, value, lens.parse(old)):
            continue
        if lens.reads and (app.trusted or name not in rules.identity):
            changed[atom.name] = None
    link.base = base
    for atom_name in changed:
        candidate = _candidate(contact, link, before, seen, app, rules.atoms[atom_name], rules)
        if candidate is not None:
            found.setdefault(atom_name, {})[link.app] = candidate


def _candidate(
    contact: Contact, link: Link, before: Mapping[str, Raw], seen: Seen, app: AppRule, atom: Atom, rules: Rules
) -> Candidate | None:
    """Make a candidate of an atom's changed value, or None where a blank has no say."""
    value, base, has_base = _shown(atom, link.base, before, app, contact)
    key = atom_key(rules, atom, value)
    base_key = atom_key(rules, atom, base) if has_base else None
    if key is None and not (atom.rule.blank == "propagate" and has_base and base_key is not None):
        return None
    golden_key = atom_key(rules, atom, atom_value(contact, atom))
    return Candidate(
        app=link.app,
        rank=app.rank,
        value=value,
        key=key,
        stamp=Stamp(link.app, seen.since_ms if has_base else 0, seen.at_ms),
        base=base,
        has_base=has_base,
        causal=has_base and (base_key == golden_key or _accepted(contact, link, before, atom, rules)),
        record=link.id,
    )


def _accepted(contact: Contact, link: Link, before: Mapping[str, Raw], atom: Atom, rules: Rules) -> bool:
    """Say whether the app held its accepted spelling of the golden value."""
    return any(name in link.acks for name in atom.fields) and all(
        name not in before
        or name not in link.acks
        or link.acks[name] == [digest_key(_key(rules, name, contact.golden.get(name))), before[name]]
        for name in atom.fields
    )


def _shown(
    atom: Atom, now: Mapping[str, Raw], before: Mapping[str, Raw], app: AppRule, contact: Contact
) -> tuple[Value, Value, bool]:
    """Read an atom's value now and before. A member that the app does not offer keeps the contact's value."""
    if len(atom.fields) == 1:
        parse = app.lenses[atom.name].parse
        has_base = atom.name in before
        base = parse(before[atom.name]) if has_base else None
        return parse(now[atom.name]), None if type(base) is Invalid else base, has_base
    shown: dict[str, Value] = {}
    old: dict[str, Value] = {}
    has_base = False
    for name in atom.fields:
        lens = app.lenses.get(name)
        kept = contact.golden.get(name)
        if lens is None or name not in now:
            shown[name] = old[name] = kept
            continue
        value = lens.parse(now[name])
        shown[name] = kept if type(value) is Invalid else value
        if name in before:
            has_base = True
            value = lens.parse(before[name])
            old[name] = kept if type(value) is Invalid else value
        else:
            old[name] = None
    return shown, old, has_base


def atom_value(contact: Contact, atom: Atom) -> Value:
    """Read an atom's golden value: the value itself, or a mapping of its members."""
    if len(atom.fields) == 1:
        return contact.golden.get(atom.name)
    return {name: contact.golden.get(name) for name in atom.fields}


def atom_key(rules: Rules, atom: Atom, value: Value) -> Any:
    """Make the equivalence key of an atom's value; None when it is blank altogether."""
    if len(atom.fields) == 1:
        return _key(rules, atom.name, value)
    keys = tuple(_key(rules, name, value.get(name)) for name in atom.fields) if value else ()
    return keys if any(key is not None for key in keys) else None


def _merge_atom(
    contact: Contact,
    atom: Atom,
    found: Mapping[int, Candidate],
    standing_of: _Standing,
    merged: Merged,
    rules: Rules,
    now_ms: int,
) -> None:
    candidates = [found[app] for app in sorted(found)]
    if atom.name in contact.held or any(name in contact.held for name in atom.fields):
        reason = next(contact.held[name] for name in (*atom.fields, atom.name) if name in contact.held)
        merged.entries.extend(_lost(atom, c, None, reason) for c in candidates)
        merged.conflicts.append(Conflict(field=atom.name, reason=reason, values={c.app: c.value for c in candidates}))
        return
    known = any(name in contact.golden for name in atom.fields)
    if not known and len(candidates) == 1 and atom.rule.policy == "latest":
        _take(contact, atom, candidates[0])
        return
    golden = _golden(contact, atom, rules) if known else None
    standing = standing_of.atom(contact, atom) if atom.rule.policy in ("owner", "rank", "restrictive") else {}
    if len({c.key for c in candidates}) > 1:
        merged.disagreed += 1
    verdict = decide(atom, golden, candidates, standing)
    _carry_out(contact, atom, golden, verdict, candidates, merged, rules, now_ms)


def _carry_out(
    contact: Contact,
    atom: Atom,
    golden: Candidate | None,
    verdict: Verdict,
    candidates: Sequence[Candidate],
    merged: Merged,
    rules: Rules,
    now_ms: int,
) -> None:
    for loss in verdict.lost:
        merged.entries.append(_lost(atom, loss.candidate, verdict.winner or golden, loss.reason))
    if verdict.hold:
        for name in atom.fields:
            contact.held[name] = verdict.reason
        values = {c.app: c.value for c in candidates}
        merged.conflicts.append(Conflict(field=atom.name, reason=verdict.reason, values=values))
        merged.entries.extend(_lost(atom, c, golden, verdict.reason) for c in candidates)
        return
    winner = verdict.winner
    if winner is None or (golden is not None and winner.key == golden.key):
        return
    if golden is not None:
        entry = Entry(
            kind="value",
            app=winner.app,
            record=winner.record,
            field=atom.name,
            old=golden.value,
            new=winner.value,
            reason=verdict.reason,
        )
        merged.entries.append(entry)
        if _flips(contact, atom, golden.key, winner.key, rules, now_ms):
            _freeze(contact, atom, candidates, golden, merged)
            return
    _take(contact, atom, winner)


def _take(contact: Contact, atom: Atom, winner: Candidate) -> None:
    for name in atom.fields:
        value = winner.value if len(atom.fields) == 1 else winner.value[name]
        if value is None and name not in contact.golden and len(atom.fields) == 1:
            continue
        contact.golden[name] = value
        contact.stamps[name] = winner.stamp


def _golden(contact: Contact, atom: Atom, rules: Rules) -> Candidate:
    value = atom_value(contact, atom)
    stamp = next((contact.stamps[name] for name in atom.fields if name in contact.stamps), Stamp(-1, 0, 0))
    app = rules.app(stamp.app)
    return incumbent(value, atom_key(rules, atom, value), stamp, app.rank if app else len(rules.apps))


def _flips(contact: Contact, atom: Atom, old: Any, new: Any, rules: Rules, now_ms: int) -> bool:
    """Count how often a field went back to the value before; true when it is ping-pong (SYNC-MODEL 1.16)."""
    count, previous, first_ms = contact.flips.get(atom.name, [0, None, now_ms])
    back = previous is not None and previous == digest_key(new)
    if not back or now_ms - first_ms > rules.flips_window_ms:
        count, first_ms = 0, now_ms
    count += back
    contact.flips[atom.name] = [count, digest_key(old), first_ms]
    return bool(count >= rules.flips_max)


def _freeze(contact: Contact, atom: Atom, candidates: Sequence[Candidate], golden: Candidate, merged: Merged) -> None:
    reason = "the value goes back and forth: something else writes this field after every write of ours"
    for name in atom.fields:
        contact.held[name] = reason
    contact.flips.pop(atom.name, None)
    values = {c.app: c.value for c in candidates} | {golden.app: golden.value}
    merged.conflicts.append(Conflict(field=atom.name, reason=reason, values=values))


def digest_key(key: Any) -> str:
    """Spell a key as text, for storing (keys may be tuples, which JSON would turn into lists)."""
    return repr(key)


class _Standing:
    """What every link shows now, made only for the policies that look at it."""

    def __init__(self, links: Sequence[Link], rules: Rules, olds: Sequence[tuple[Link, Mapping[str, Raw]]]) -> None:
        self._links, self._rules = links, rules

    def atom(self, contact: Contact, atom: Atom) -> dict[int, Candidate]:
        shown: dict[int, Candidate] = {}
        for link in self._links:
            app = self._rules.app(link.app)
            if app is None or not any(n in link.base and n in app.lenses and app.lenses[n].reads for n in atom.fields):
                continue
            value, _, _ = _shown(atom, link.base, {}, app, contact)
            key = None if type(value) is Invalid else atom_key(self._rules, atom, value)
            if key is not None:
                stamp = Stamp(link.app, 0, link.seen.at_ms if link.seen else link.at_ms)
                shown[link.app] = Candidate(
                    app=link.app, rank=app.rank, value=value, key=key, stamp=stamp, record=link.id
                )
        return shown


def _key(rules: Rules, name: str, value: Value) -> Any:
    if value is None or type(value) is Invalid:
        return None
    rule = rules.fields.get(name)
    return rule.type.key(value) if rule else value


def _same(rules: Rules, name: str, a: Value, b: Value) -> bool:
    if type(b) is Invalid:
        return False
    return bool(_key(rules, name, a) == _key(rules, name, b))


def _lost(atom: Atom, loser: Candidate, winner: Candidate | None, reason: str) -> Entry:
    return Entry(
        kind="lost",
        app=loser.app,
        record=loser.record,
        field=atom.name,
        old=loser.value,
        new=winner.value if winner else None,
        reason=reason,
    )


def _entry(kind: Any, link: Link, name: str, old: Raw, new: Raw, reason: str) -> Entry:
    return Entry(kind=kind, app=link.app, record=link.id, field=name, old=old, new=new, reason=reason)
