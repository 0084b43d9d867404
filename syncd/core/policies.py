"""Merge policies: which value a field takes when apps say different things, and why.

A policy is a pure function of the value that stands (golden) and the changed values (candidates), evaluated jointly:
the order in which candidates are given never matters. `ORDER_DEPENDENT` names the policies whose result may depend on
how changes are spread over passes (SYNC-MODEL 2.1); the laws in tests/test_policies.py hold each to its word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from syncd.core.rules import Atom
from syncd.core.state import NOBODY, Stamp
from syncd.core.values import Certainty
from syncd.model import OPERATOR, Value

ASK: Final = "apps disagree; a person decides"
ASSUMED: Final = "its country is not written; the other app's is"
NEVER: Final = Stamp(NOBODY, 0, 0)


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A changed value in one app, or the golden value as the incumbent (`golden`). Many are made: not frozen."""

    app: int
    rank: int
    value: Value
    key: Any
    """Equivalence key; None when the value is blank."""
    stamp: Stamp = NEVER
    base: Value = None
    """The value that this app held before; `has_base` says whether it is known."""
    has_base: bool = False
    causal: bool = False
    """Its app held the golden value before: whoever typed it had that in front of them."""
    record: str = ""
    certainty: Certainty = "plain"
    """Whether the value was written in full, or assumed in part at the first contact."""
    filled: Mapping[str, Stamp] = field(default_factory=dict)
    """Members of a group that were not typed in this app -> where they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A value that did not win: it goes to the journal with its reason."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`winner` None: golden stays. `hold`: nobody wins until a person decides."""

    winner: Candidate | None
    reason: str
    lost: tuple[Loss, ...] = ()
    hold: bool = False


Standing = Mapping[int, Candidate]
"""App -> the value it shows now (changed or not), non-blank and readable ones only."""
Policy = Callable[[Atom, Candidate | None, Sequence[Candidate], Standing], Verdict]


def decide(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Judge the candidates of one atom by its policy. `candidates` is not empty and holds no unreadable value."""
    return POLICIES[atom.rule.policy](atom, golden, candidates, standing)


def later(first: Stamp, second: Stamp) -> bool:
    """Say whether `first` is surely later than `second`: their intervals do not overlap. Never true both ways."""
    return first.lo_ms >= second.hi_ms and first.hi_ms > second.lo_ms


def _in_sight(golden: Candidate, candidate: Candidate) -> bool:
    """Say whether a candidate was typed over the golden value: not where that is surely later than the candidate."""
    return candidate.causal and not later(golden.stamp, candidate.stamp)


def _rivals(golden: Candidate | None, candidates: Sequence[Candidate]) -> list[Candidate]:
    """List the values that compete: those that changed, and the golden one unless somebody had it in sight."""
    if golden is None or any(_in_sight(golden, c) for c in candidates):
        return list(candidates)
    return [*candidates, golden]


def latest(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Take the latest change by interval evidence; concurrent ones by the order of the apps. At the first contact nothing
    that was assumed competes with what was written in full.

    Not associative over passes ("concurrent" is not transitive), hence evaluated jointly within a pass.
    """
    rivals = _rivals(golden, candidates)
    if len(rivals) == 1:
        return Verdict(winner=rivals[0], reason="changed")
    written = any(c.certainty == "written" for c in rivals)
    sure = [c for c in rivals if not (written and c.certainty == "assumed")]
    newest = [c for c in sure if not any(later(d.stamp, c.stamp) for d in sure if d is not c)]
    best = min(newest, key=_by_rank)
    if any(c.key != best.key for c in newest):
        reason = "concurrent with another app's value; order of the apps"
    elif any(c.key != best.key for c in sure):
        reason = "later than the other app's value"
    elif any(c.key != best.key for c in rivals):
        reason = ASSUMED
    else:
        reason = "changed"
    verdict = _verdict(golden, best, candidates, reason)
    if len(sure) == len(rivals):
        return verdict
    lost = [replace(each, reason=ASSUMED) if each.candidate.certainty == "assumed" else each for each in verdict.lost]
    return replace(verdict, lost=tuple(lost))


def owner(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Take what the owning apps show, best first; edits elsewhere are drift. Owners that are blank have no opinion.

    What a person decided stands until an owner itself changes it.
    """
    if golden is not None and golden.app == OPERATOR:
        owners = [c for c in candidates if c.app in atom.rule.apps]
        verdict = latest(atom, golden, owners, standing) if owners else None
        best = golden if verdict is None or verdict.winner is None else verdict.winner
        return _verdict(golden, best, candidates, "decided by an operator" if best is golden else "what its owner says")
    for app in atom.rule.apps:
        cleared = next((c for c in candidates if c.app == app and c.key is None), None)
        best_shown = standing.get(app) or cleared
        if best_shown is not None:
            return _verdict(golden, best_shown, candidates, "what its owner says")
    return latest(atom, golden, candidates, standing)


def non_blank(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Take the latest value; a blank never wins, not even where clearing propagates."""
    filled = [c for c in candidates if c.key is not None]
    if not filled:
        return Verdict(winner=None, reason="a blank never wins")
    return latest(atom, golden if golden is not None and golden.key is not None else None, filled, standing)


def ask(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Let a person decide as soon as two values compete; an edit that nobody contradicts travels."""
    rivals = _rivals(golden, candidates)
    if any(c.key != rivals[0].key for c in rivals):
        return Verdict(winner=None, reason=ASK, hold=True)
    return _verdict(golden, min(candidates, key=_by_rank), candidates, "changed")


def lock(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Keep the hub's value whatever apps say; the first value there is becomes it."""
    if golden is not None:
        return _verdict(golden, golden, candidates, "locked")
    return latest(atom, golden, candidates, standing)


def three_way_set(atom: Atom, golden: Candidate | None, candidates: Sequence[Candidate], standing: Standing) -> Verdict:
    """Add what apps added, remove what they removed since their base; an element both added and removed stays.

    Without a base everything an app shows counts as added (union).
    """
    kept = _elements(atom, golden.value if golden else None)
    added: dict[Any, Any] = {}
    removed: set[Any] = set()
    for c in sorted(candidates, key=_by_rank):
        now, before = _elements(atom, c.value), _elements(atom, c.base if c.has_base else None)
        added.update({k: v for k, v in now.items() if k not in before and k not in added})
        removed |= before.keys() - now.keys()
    merged = {k: v for k, v in kept.items() if k not in removed or k in added}
    merged.update({k: v for k, v in added.items() if k not in kept})
    value = [merged[k] for k in _in_order(atom, merged, golden, candidates)] or None
    source = min(candidates, key=_by_rank)
    winner = Candidate(
        app=source.app,
        rank=source.rank,
        value=value,
        key=None if value is None else atom.rule.type.key(value),
        stamp=source.stamp,
        record=source.record,
    )
    return Verdict(winner=winner, reason="added and removed elements of all apps")


def _in_order(
    atom: Atom, merged: dict[Any, Any], golden: Candidate | None, candidates: Sequence[Candidate]
) -> Iterable[Any]:
    """Order a set's keys as whoever holds just these elements shows them; a set that nobody holds yet is sorted."""
    for held in (golden, *sorted(candidates, key=_by_rank)):
        keys = _elements(atom, held.value if held else None)
        if keys.keys() == merged.keys():
            return keys
    return sorted(merged)


def _elements(atom: Atom, value: Value) -> dict[Any, Any]:
    """Index a set's elements by the key that its type gives each."""
    if not value:
        return {}
    key = atom.rule.type.key
    return {key([element])[0]: element for element in value}


def _by_rank(candidate: Candidate) -> tuple[int, int, str, str]:
    return (candidate.rank, candidate.app, candidate.record, repr(candidate.key))


def _verdict(golden: Candidate | None, best: Candidate, candidates: Sequence[Candidate], reason: str) -> Verdict:
    lost = tuple(Loss(candidate=c, reason=reason) for c in candidates if c.key != best.key and c.key is not None)
    return Verdict(winner=None if best is golden else best, reason=reason, lost=lost)


def incumbent(value: Value, key: Any, stamp: Stamp, rank: int) -> Candidate:
    """Make the golden value a candidate of its own; a person's decision outranks every app."""
    return Candidate(app=stamp.app, rank=-1 if stamp.app == OPERATOR else rank, value=value, key=key, stamp=stamp)


POLICIES: Final[dict[str, Policy]] = {
    "latest": latest,
    "owner": owner,
    "rank": owner,
    "set": three_way_set,
    "non_blank": non_blank,
    "ask": ask,
    "lock": lock,
}
"""`restrictive` is consent's and lives in core/consent.py: no other field may have it."""
ORDER_DEPENDENT: Final = frozenset({"latest", "set", "non_blank", "ask", "lock"})
"""Policies whose result may depend on how the same changes are spread over passes. `owner` and `rank` join them only
while none of their apps shows a value; `set` only where one app adds what another removes."""
