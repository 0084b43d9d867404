"""Groups as candidates: what an app says of an address, with the gaps that others fill, and who filled them.

Knows nothing of policies. Hard rule: a member is stamped with the app in which it was typed; who wins for the group as a
whole is not named for what another one put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.core.atoms import agree, atom_key, atom_value, read_group
from syncd.core.policies import Candidate
from syncd.core.rules import AppRule, Atom, Rules
from syncd.core.state import Contact, Link, Stamp
from syncd.model import Raw, Value


def group_candidate(
    contact: Contact, link: Link, before: Mapping[str, Raw], app: AppRule, atom: Atom, rules: Rules
) -> Candidate | None:
    """Make a candidate of what a link shows of a group now, or None where it has nothing to say.

    A blank member has a say only where it was cleared, and only if the group is another one than the contact's, or
    clearing propagates; else it is filled again.
    """
    shown = read_group(contact, link, atom, before, link.base, app, rules)
    golden = atom_value(contact, atom)
    agrees = agree(rules, atom, shown.value, golden)
    if agrees and atom.rule.blank != "propagate":
        shown.value = {name: value for name, value in shown.value.items() if value is not None}
    if not any(name in shown.value for name in shown.opinion):
        return None
    candidate = Candidate(
        app=link.app,
        rank=app.rank,
        value=shown.value,
        key=None,
        base=shown.base,
        has_base=shown.has_base,
        causal=shown.causal,
        record=link.id,
    )
    untouched = [name for name in shown.value if name not in shown.opinion and name in contact.stamps]
    candidate.filled = {name: contact.stamps[name] for name in untouched if shown.value[name] == golden.get(name)}
    if agrees:
        fill(candidate, golden, contact.stamps)
    candidate.key = atom_key(rules, atom, candidate.value)
    if candidate.key is None and not any(value is not None for value in shown.base.values()):
        return None
    return candidate


def fill(candidate: Candidate, other: Mapping[str, Value], stamps: Mapping[str, Stamp]) -> None:
    """Fill the members that a candidate does not name from another value that agrees with it. `stamps`: whose they are."""
    gaps = {name: value for name, value in other.items() if value is not None and name not in candidate.value}
    candidate.value = {**gaps, **candidate.value}
    candidate.filled = {**candidate.filled, **{name: stamps[name] for name in gaps if name in stamps}}


def complete(candidates: Sequence[Candidate], atom: Atom, rules: Rules) -> None:
    """Let groups that agree fill each other's gaps, so that a blank loses to a value."""
    in_order = sorted(candidates, key=lambda c: (c.rank, c.app))
    for candidate in in_order:
        for other in in_order:
            if other is not candidate and agree(rules, atom, candidate.value, other.value):
                fill(candidate, other.value, {**dict.fromkeys(atom.fields, other.stamp), **other.filled})
        candidate.key = atom_key(rules, atom, candidate.value)
