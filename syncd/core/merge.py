"""Settle, changed, merge: from what the apps show to what the contact is (SYNC-MODEL 1.2 and 1.5).

Consumes the observations of one contact's links jointly and says what changed, what lost and why. Knows nothing of
consent (core/consent.py) or of what is to be written (core/plan.py). Hard rule: every value that golden or an app loses
is in the returned entries before anything can be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.core import fights, names
from syncd.core.adopting import adopt, is_new
from syncd.core.atoms import (
    MISSING,
    agree,
    atom_key,
    atom_value,
    holds,
    is_read,
    put,
    same_raw,
    value_key,
)
from syncd.core.fields import Invalid
from syncd.core.former import RESTORED, is_former
from syncd.core.groups import complete, fill, group_candidate
from syncd.core.policies import ASK, Candidate, Verdict, decide, incumbent
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.state import NOBODY, Contact, Entry, Link, Stamp
from syncd.model import Value

ONE_WAY: Final = "syncd only writes this field there"
PUSHED: Final = "the contact's value wins in this run (push only)"
ALIKE: Final = "all apps show it: nothing is left to decide"
IN_FULL: Final = "the contact's value says the same, with its country"
UNTRUSTED: Final = "this app is not trusted to change what people are matched by"


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
    released: list[str] = field(default_factory=list)
    """Atoms that waited for a person, and do not any more."""
    disagreed: int = 0
    """Atoms on which the apps did not agree."""


def merge(contact: Contact, links: Sequence[Link], rules: Rules, now_ms: int) -> Merged:
    """Consume every unconsumed observation of the contact's links. Changes `contact` and `links` in place."""
    fresh = [(link, app) for link in links if link.seen is not None and (app := rules.apps.get(link.app)) is not None]
    if not fresh and not contact.held:  # an app with one name only may have been connected since
        return Merged(entries=names.follow(contact, frozenset(), rules))
    if len(links) == 1 and is_new(contact, links[0], rules):
        adopt(contact, *fresh[0], rules)
        names.follow(contact, frozenset(), rules)
        return Merged()
    work = _Merge(contact, links, rules, now_ms)
    spoken = names.spoken(contact, rules)
    for link, app in fresh:
        work.collect(link, app)
    work.release()
    for name in sorted(work.found):
        work.merge_atom(rules.atoms[name], [work.found[name][app] for app in sorted(work.found[name])])
    if names.FULL not in work.moved:
        work.merged.entries += names.follow(contact, spoken, rules)
    for unheard in work.unheard:
        work.look_at_unheard(*unheard)
    for departure in work.left.values():
        work.look_at_departure(departure)
    for link, _ in fresh:
        assert link.seen is not None
        link.version, link.at_ms, link.seen = link.seen.version, link.seen.at_ms, None
    return work.merged


@dataclass(frozen=True, slots=True)
class _Departure:
    """An app that held the contact's value and shows something else now."""

    link: Link
    app: AppRule
    atom: Atom


class _Merge:
    """One contact's merge under way."""

    def __init__(self, contact: Contact, links: Sequence[Link], rules: Rules, now_ms: int) -> None:
        self.contact, self.links, self.rules, self.now_ms = contact, links, rules, now_ms
        self.merged = Merged()
        self.found: dict[str, dict[int, Candidate]] = {}
        self.left: dict[tuple[int, str], _Departure] = {}
        self.unheard: list[tuple[Link, AppRule, str, Value, str]] = []
        """Values that have no say, and why: their apps are only written, or not trusted with them, or went back in time."""
        self.moved: set[str] = set()
        """Atoms whose golden value changed, or that wait for a person."""

    def collect(self, link: Link, app: AppRule) -> None:
        """Find the changed fields of one link, advance its base, and file them as candidates of their atoms."""
        seen, before, rules = link.seen, link.base, self.rules
        assert seen is not None
        base, atoms, lenses = dict(before), rules.atoms, app.lenses
        changed: dict[str, Value] = {}
        for name, raw in seen.fields.items():
            old = before.get(name, MISSING)
            if raw == old and same_raw(raw, old):
                continue
            atom, lens = atoms.get(name), lenses.get(name)
            if atom is None or lens is None:
                continue  # consent compares with the base itself; what is not mapped (any more) is not consumed
            base[name] = raw
            value = lens.parse(raw)
            if type(value) is Invalid:
                link.unread |= {name}
                continue  # it has no say
            if link.unread:
                link.unread -= {name}
            if old is not MISSING:
                was = lens.parse(old)
                if type(was) is not Invalid and value_key(rules, name, value) == value_key(rules, name, was):
                    continue
                if holds(self.contact, link, name, old, app, rules):
                    self.left[link.app, atom.name] = _Departure(link, app, atom)
            why_not = self._why_unheard(name, link, app)
            if why_not is not None:
                if value is not None:
                    self.unheard.append((link, app, name, value, why_not))
                continue
            if value is not None or old is not MISSING:
                changed[name] = value
        link.base = base
        based = Stamp(link.app, min(seen.since_ms, seen.at_ms), seen.at_ms)
        first = Stamp(link.app, 0, seen.at_ms)
        for name, value in changed.items():
            atom = atoms[name]
            if len(atom.fields) == 1:
                candidate = self._candidate(link, before.get(name, MISSING), name, value, app, atom)
            elif link.app in self.found.get(atom.name, ()):
                continue
            else:
                candidate = group_candidate(self.contact, link, before, app, atom, rules)
            if candidate is not None:
                candidate.stamp = based if candidate.has_base else first
                self.found.setdefault(atom.name, {})[link.app] = candidate

    def _why_unheard(self, name: str, link: Link, app: AppRule) -> str | None:
        atom = self.rules.atoms[name]
        if is_former(link, atom) and not self.contact.golden.keys().isdisjoint(atom.fields):
            return RESTORED  # without another value it has a say: an earlier one is better than none
        if not app.lenses[name].reads:
            return PUSHED if app.pushed else ONE_WAY
        return UNTRUSTED if not app.trusted and name in self.rules.identity and not self._alone(name) else None

    def _alone(self, name: str) -> bool:
        """Say whether an app that is not trusted may set this field all the same: nobody else has a say in it yet."""
        return self.contact.golden.get(name) is None and not any(
            app.trusted for link in self.links if (app := self.rules.apps.get(link.app)) is not None
        )

    def look_at_unheard(self, link: Link, app: AppRule, name: str, value: Value, why: str) -> None:
        """Journal what has no say and is not the contact's value: it may be written over."""
        if not holds(self.contact, link, name, link.base[name], app, self.rules):
            atom = self.rules.atoms[name]
            entry = Entry(
                kind="lost",
                app=link.app,
                record=link.id,
                field=atom.name,
                old=value if len(atom.fields) == 1 else {name: value},
                new=atom_value(self.contact, atom),
                reason=why,
            )
            self.merged.entries.append(entry)

    def _candidate(self, link: Link, old: Any, name: str, value: Value, app: AppRule, atom: Atom) -> Candidate | None:
        """Make a candidate of a field's changed value, or None where a blank has no say. `old`: MISSING without a base."""
        key = None if value is None else atom.rule.type.key(value)
        if old is MISSING:
            return Candidate(app=link.app, rank=app.rank, value=value, key=key, record=link.id)
        base = app.lenses[name].parse(old)
        base = None if type(base) is Invalid else base
        if value is None and (atom.rule.blank != "propagate" or base is None):
            return None
        known = self.contact.golden.get(name)
        if value is not None and known is not None and atom.rule.type.completes(link.base[name], known):
            self.unheard.append((link, app, name, value, IN_FULL))
            return None
        causal = holds(self.contact, link, name, old, app, self.rules)
        return Candidate(
            app=link.app,
            rank=app.rank,
            value=value,
            key=key,
            base=base,
            has_base=True,
            causal=causal,
            record=link.id,
        )

    def release(self) -> None:
        """Let go of fields that waited for a person where nothing is left to decide: all apps show the same (again), or the
        policy asks nobody any more.
        """
        for atom in [atom for atom in self.rules.atoms.values() if self.contact.held.get(atom.fields[0]) == ASK]:
            shown = self._standing(atom, as_shown=True)
            having = [link for link in self.links if is_read(link, atom, self.rules)]
            alike = len(shown) == len(having) > 1 and len({repr(each.key) for each in shown.values()}) == 1
            if not alike and atom.rule.policy == "ask":
                continue
            for name in atom.fields:
                self.contact.held.pop(name, None)
            self.merged.released.append(atom.name)
            self.found.pop(atom.name, None)
            if shown and not alike:
                self.found[atom.name] = shown
            if alike:
                self._agree_on(atom, min(shown.values(), key=lambda each: each.rank))

    def _agree_on(self, atom: Atom, value: Candidate) -> None:
        """Take what all apps show."""
        known = self._golden(atom)
        if value.key != known.key:
            self._change(atom, known.value, value, ALIKE)
            self._take(atom, value)

    def merge_atom(self, atom: Atom, candidates: list[Candidate]) -> None:
        """Let the atom's policy decide between its candidates, and carry out what it says."""
        contact, merged = self.contact, self.merged
        if contact.held and any(name in contact.held for name in atom.fields):
            waiting = next(contact.held[name] for name in atom.fields if name in contact.held)
            merged.entries.extend(_lost(atom, c, None, waiting) for c in candidates)
            merged.conflicts.append(self._conflict(atom, waiting))
            self.moved.add(atom.name)
            return
        if atom.name == names.FULL and not any(c.has_base for c in candidates):
            names.withdraw(contact)
        if len(candidates) > 1 and len(atom.fields) > 1:
            complete(candidates, atom, self.rules)
        first = candidates[0].key
        agreed = len(candidates) == 1 or all(c.key == first for c in candidates)
        merged.disagreed += not agreed
        known = not contact.golden.keys().isdisjoint(atom.fields)
        if agreed and not known:  # whatever the policy: there is one value
            self._take_first(atom, min(candidates, key=lambda c: c.rank))
            return
        golden = self._golden(atom) if known else None
        if len(atom.fields) == 1 and not all(c.has_base for c in candidates):
            self._grade(atom.name, [*candidates, golden] if golden else candidates)
        standing = {}
        if atom.rule.policy in ("owner", "rank"):
            standing = self._standing(atom) | {c.app: c for c in candidates if c.key is not None}
        self._carry_out(atom, golden, decide(atom, golden, candidates, standing), candidates)

    def _grade(self, name: str, values: Sequence[Candidate]) -> None:
        """Note of values at a first contact whether they are written in full where they come from, or partly assumed. What
        was seen to be typed is what somebody meant.
        """
        links = {link.app: link for link in self.links}
        for each in values:
            link, app = links.get(each.app), self.rules.apps.get(each.app)
            if link is None or app is None or name not in link.base or name not in app.lenses:
                continue
            lens, raw = app.lenses[name], link.base[name]
            if value_key(self.rules, name, lens.parse(raw)) == each.key:
                certainty = lens.certainty(raw)
                typed = each.has_base or each.stamp.lo_ms > 0
                each.certainty = "plain" if typed and certainty == "assumed" else certainty

    def _carry_out(
        self, atom: Atom, golden: Candidate | None, verdict: Verdict, candidates: Sequence[Candidate]
    ) -> None:
        contact, merged, winner = self.contact, self.merged, verdict.winner
        for loss in verdict.lost:
            merged.entries.append(_lost(atom, loss.candidate, winner or golden, loss.reason))
        if verdict.hold:
            merged.entries.extend(_lost(atom, c, golden, verdict.reason) for c in candidates)
            self._hold(atom, verdict.reason)
            return
        if winner is None or (golden is not None and winner.key == golden.key):
            return
        if golden is None:
            self._take_first(atom, winner)
            return
        if fights.alternates(contact, atom, golden.key, winner.key, winner.app, self.rules, self.now_ms):
            merged.entries.append(_lost(atom, winner, golden, fights.WHY))
            self._hold(atom, fights.WHY)
            return
        self._change(atom, golden.value, winner, verdict.reason)
        self._take(atom, winner)

    def _change(self, atom: Atom, old: Value, winner: Candidate, reason: str) -> None:
        app, record, new = winner.app, winner.record, winner.value
        entry = Entry(kind="value", app=app, record=record, field=atom.name, old=old, new=new, reason=reason)
        self.merged.entries.append(entry)

    def _take_first(self, atom: Atom, winner: Candidate) -> None:
        """Take the contact's first value. Typed into a blank that was known, it is a change that can be undone."""
        if winner.has_base and winner.key is not None:
            self._change(atom, None, winner, "changed")
        self._take(atom, winner)

    def _take(self, atom: Atom, winner: Candidate) -> None:
        self.moved.add(atom.name)
        if winner.key is not None or any(name in self.contact.golden for name in atom.fields):
            put(self.contact, atom, winner.value, winner.stamp, winner.filled)

    def _hold(self, atom: Atom, reason: str) -> None:
        self.moved.add(atom.name)
        fights.forget(self.contact, atom)
        for name in atom.fields:
            self.contact.held[name] = reason
        self.merged.conflicts.append(self._conflict(atom, reason))

    def _conflict(self, atom: Atom, reason: str) -> Conflict:
        """Say what every app shows: what a person chooses from, and what the decision writes over."""
        shown = self._standing(atom, as_shown=True)
        return Conflict(field=atom.name, reason=reason, values={app: c.value for app, c in shown.items()})

    def _golden(self, atom: Atom) -> Candidate:
        contact = self.contact
        value = atom_value(contact, atom)
        stamps = [contact.stamps[name] for name in atom.fields if name in contact.stamps]
        stamp = max(stamps, key=lambda s: (s.hi_ms, s.lo_ms, -s.app), default=Stamp(NOBODY, 0, 0))
        app = self.rules.apps.get(stamp.app)
        return incumbent(value, atom_key(self.rules, atom, value), stamp, app.rank if app else len(self.rules.apps))

    def _standing(self, atom: Atom, *, as_shown: bool = False) -> dict[int, Candidate]:
        """Read what every app shows now; its spelling of the contact's value is that value, unless `as_shown`."""
        contact, rules = self.contact, self.rules
        shown: dict[int, Candidate] = {}
        for link in self.links:
            app = rules.apps.get(link.app)
            if app is None or not (app.trusted or as_shown or rules.identity.isdisjoint(atom.fields)):
                continue
            value: Value
            if len(atom.fields) == 1:
                value = self._shown(link, atom.fields[0], app, as_shown=as_shown)
            else:
                members = {name: self._shown(link, name, app, as_shown=as_shown) for name in atom.fields}
                value = {name: member for name, member in members.items() if member is not None}
            stamp = Stamp(link.app, 0, link.seen.at_ms if link.seen else link.at_ms)
            candidate = Candidate(app=link.app, rank=app.rank, value=value, key=None, stamp=stamp, record=link.id)
            if len(atom.fields) > 1 and value and not as_shown:
                golden = atom_value(contact, atom)
                if agree(rules, atom, value, golden):
                    fill(candidate, golden, contact.stamps)
            candidate.key = atom_key(rules, atom, candidate.value)
            if candidate.key is not None:
                shown[link.app] = candidate
        return shown

    def _shown(self, link: Link, name: str, app: AppRule, *, as_shown: bool) -> Value:
        lens = app.lenses.get(name)
        if lens is None or not lens.reads or name not in link.base:
            return None
        raw = link.base[name]
        value = lens.parse(raw)
        if type(value) is Invalid:
            return None
        golden = self.contact.golden.get(name)
        if not as_shown and golden is not None and holds(self.contact, link, name, raw, app, self.rules):
            return golden
        return value

    def look_at_departure(self, gone: _Departure) -> None:
        """Count an app that left the contact's value for one that did not win: it will be taken back there."""
        atom, link, contact = gone.atom, gone.link, self.contact
        if atom.name in self.moved or not (gone.app.update and gone.app.spec.update):
            return
        names = [n for n in atom.fields if n in link.base and n in gone.app.lenses and gone.app.lenses[n].writes]
        shown = {n: link.base[n] for n in names if not holds(contact, link, n, link.base[n], gone.app, self.rules)}
        if shown and fights.insists(contact, atom, shown, link.app, self.rules, self.now_ms):
            self._hold(atom, fights.WHY)


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
