"""The `fields:` section: the standard fields of a contact, overlaid by the operator's rules and by fields of the team's own.

Hard rules: the fields of a group (an address) share policy, blank rule and settle time, because they are merged as one;
a name that is not known becomes a field of its own only if its type is given, so that a slip of the pen is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from syncd.config.near import choose_from, did_you_mean
from syncd.config.rollups import Streams, read_rollup
from syncd.config.settings import FieldConfig, Policy
from syncd.config.shapes import INVALID, Spot
from syncd.config.vocabulary import FIELD, FIELD_OPTIONS
from syncd.core.fields import STANDARD, TYPES, field_type
from syncd.core.rules import EVIDENCE, PolicyKind

GROUPS: Final[dict[str, tuple[str, ...]]] = {"address": ("street", "postal_code", "city", "region", "country")}
SHARED: Final = ("policy", "blank", "settle")
"""What belongs to a group as a whole."""
OF_TYPE: Final[dict[str, PolicyKind]] = {"consent": "restrictive", "set": "set", "emails": "set"}
"""Types with a policy of their own; it may be written for no other type."""

Groups = dict[str, tuple[str, ...]]
Entries = Mapping[str, Mapping[str, Any]]


def read_fields(
    spots: Mapping[str, Spot], apps: Collection[str], settle_seconds: float, streams: Streams
) -> tuple[dict[str, FieldConfig], Groups]:
    """Check the section's entries; return all fields by name (the standard ones first), and the groups.

    `streams`: app -> the streams that it has.
    """
    read = {name: FIELD.read(spot) for name, spot in spots.items()}
    entries: Entries = {name: values for name, values in read.items() if values is not INVALID}
    own = [name for name in entries if name not in STANDARD and name not in GROUPS and "group" not in entries[name]]
    names = dict.fromkeys([*STANDARD, *own])
    groups = _groups(entries, names, spots)
    group_of = {member: group for group, members in groups.items() for member in members}
    for name, values in entries.items():
        _check_keys(name, values, spots[name], group_of.get(name), is_group=name not in names)
        _check_policy_apps(values, spots[name], apps)
    fields = {name: _field(name, group_of.get(name), entries, settle_seconds) for name in names}
    fields |= _folded(fields, entries, spots, streams)
    for name in names:
        if name in entries:
            _check_type(fields[name], entries[name], spots[name])
    return fields, groups


def _groups(entries: Entries, names: Collection[str], spots: Mapping[str, Spot]) -> Groups:
    """Return group -> members: the operator's groups, then the default ones that he did not define."""
    groups: Groups = {}
    taken: dict[str, str] = {}
    for group in [name for name, values in entries.items() if "group" in values and name not in STANDARD]:
        groups[group] = ()
        for item in spots[group].down("group").items():
            member = item.node.value
            if not isinstance(member, str):
                continue
            if member not in names:
                item.problem(f"no such field{did_you_mean(member, names)}")
            elif taken.setdefault(member, group) != group:
                item.problem(f'already a member of "{taken[member]}"')
            elif member in EVIDENCE or STANDARD.get(member) == "consent":
                item.problem("consent has rules of its own and is never part of a group")
        groups[group] = tuple(member for member, owner in taken.items() if owner == group)
    for group, members in GROUPS.items():
        groups.setdefault(group, () if taken.keys() & set(members) else members)
    return {group: members for group, members in groups.items() if members}


def _field(name: str, group: str | None, entries: Entries, settle_seconds: float) -> FieldConfig:
    own = entries.get(name, {})
    shared = own if group is None else entries.get(group, {})
    kind: str = own["type"] if own.get("type") in TYPES else STANDARD.get(name, "text")
    return FieldConfig(
        name=name,
        type=kind,
        policy=_policy(shared.get("policy"), kind),
        blank=shared.get("blank", "ignore"),
        group=group,
        options={option: own[option] for option in FIELD_OPTIONS if option in own},
        settle_seconds=shared.get("settle", settle_seconds),
    )


def _folded(
    fields: Mapping[str, FieldConfig], entries: Entries, spots: Mapping[str, Spot], streams: Streams
) -> dict[str, FieldConfig]:
    """Return the fields that are folded out of a stream; it gives them their type, where none is written."""
    found = {}
    for name, values in entries.items():
        if name not in fields or (made := read_rollup(values, spots[name], streams)) is None:
            continue
        rollup, kind = made
        if name in EVIDENCE or fields[name].type == "consent" or fields[name].group is not None:
            spots[name].down("from").problem("this field is no number, time or text of its own; take another name")
        found[name] = replace(
            fields[name],
            type=fields[name].type if "type" in values or name in STANDARD else kind,
            policy=Policy(kind="owner", apps=(rollup.app,)),
            rollup=rollup,
        )
    return found


def _policy(given: Any, kind: str) -> Policy:
    """Return the policy that was written, or the one that comes with the type of field."""
    if not isinstance(given, dict):
        return Policy(kind=given or OF_TYPE.get(kind, "latest"))
    if "rank" in given:
        return Policy(kind="rank", apps=tuple(given["rank"]))
    return Policy(kind="owner", apps=tuple(given.values()))


def _check_keys(name: str, values: Mapping[str, Any], spot: Spot, group: str | None, *, is_group: bool) -> None:
    """Note keys that make no sense for a group, for a member of one, or for consent."""
    if is_group:
        for key in [key for key in values if key not in (*SHARED, "group")]:
            spot.key_problem(key, "a group has no such key; give it to its fields")
        if values.get("policy") in OF_TYPE.values():
            spot.key_problem("policy", "this policy is for single fields")
        return
    if "group" in values:
        spot.key_problem("group", "this is a field; a group needs a name of its own, such as `address`")
    if name in EVIDENCE or "consent" in (values.get("type"), STANDARD.get(name)):
        for key in [key for key in SHARED if key in values and (key, values[key]) != ("policy", "restrictive")]:
            spot.key_problem(key, "consent has rules of its own (the most restrictive app wins); remove the key")
    elif group:
        for key in [key for key in SHARED if key in values]:
            spot.key_problem(key, f'this field is merged as part of "{group}"; give the rule there')


def _check_policy_apps(values: Mapping[str, Any], spot: Spot, apps: Collection[str]) -> None:
    """Note apps in a policy that do not exist, or twice."""
    policy = values.get("policy")
    if not isinstance(policy, dict):
        return
    for word, named in policy.items():
        at = spot.down("policy", word)
        places = [at] if isinstance(named, str) else [item for item in at.items() if isinstance(item.node.value, str)]
        seen = set()
        for place in places:
            app = str(place.node.value)
            if app not in apps:
                place.problem(f"no such app{did_you_mean(app, apps) or f'; there are: {choose_from(apps)}'}")
            elif app in seen:
                place.problem("this app is named twice")
            seen.add(app)


def _check_type(field: FieldConfig, values: Mapping[str, Any], spot: Spot) -> None:
    """Note a missing or unknown type, options that the type does not have, and policies that it cannot follow."""
    kind = values.get("type")
    if kind is None and field.name not in STANDARD and "from" not in values and spot.child("type") is None:
        near = did_you_mean(field.name, [*STANDARD, *GROUPS], cutoff=0.75)
        spot.problem(f"no such field{f'{near} If not,' if near else ';'} a field of your own needs its type:")
        return
    if kind is not None and kind not in TYPES:
        known = did_you_mean(kind, TYPES) or f"; there are: {choose_from(TYPES, most=40)}"
        spot.down("type").problem(f"no such type{known}")
        return
    if kind is not None and STANDARD.get(field.name) == "consent" != kind:
        spot.down("type").problem("the type of this field is always consent")
    policy = field.policy.kind
    if field.group is None and policy in OF_TYPE.values() and OF_TYPE.get(field.type) != policy:
        spot.down("policy").problem(
            f"this policy is for fields of type {choose_from(k for k, p in OF_TYPE.items() if p == policy)}"
        )
    try:
        field_type(field.type, **field.options)
    except ValueError as error:
        spot.problem(str(error))
