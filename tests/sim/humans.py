"""What people do in the apps, behind syncd's back, and what the ghost remembers of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.sim.ghost import IN, OUT, Ghost, Said
from tests.sim.scenario import APPS, Action
from tests.sim.vendor import Person, Vendor
from tests.sim.world import Clock


def act(action: Action, vendors: Sequence[Vendor], ghost: Ghost, clock: Clock) -> str:
    """Let somebody do something; say what, in words."""
    vendor = vendors[action.app]
    where, who = APPS[action.app], f"p{action.person}"
    live = vendor.live(action.person)
    if action.kind == "create":
        return _create(action, vendor, ghost)
    if action.kind == "undelete":
        dead = [p for id_, p in sorted(vendor.people.items()) if p.person == action.person and not p.live]
        dead = [p for p in dead if (action.app, p.id) in ghost.gone and not p.purged]
        if not dead:
            return f"{where}: nobody to bring back"
        vendor.bring_back(dead[-1].id)
        del ghost.gone[action.app, dead[-1].id]
        return f"{where}: {who} ({dead[-1].id}) is brought back"
    if not live:
        return f"{where}: {who} is not there"
    return _change(action, vendor, live[0], ghost, clock)


def _change(action: Action, vendor: Vendor, there: Person, ghost: Ghost, clock: Clock) -> str:
    start = f"{APPS[action.app]}: p{action.person} ({there.id})"
    match action.kind:
        case "edit":
            return f"{start} {_edit(vendor, there, {action.field: value(action.field, action.number)})}"
        case "blank":
            return f"{start} {_edit(vendor, there, {action.field: None})}"
        case "move":
            email = f"p{action.person}.{action.number}@x.org"
            ghost.addresses[email] = action.person
            return f"{start} {_edit(vendor, there, {'email': email})}"
        case "opt_out" if there.props.get("email_consent") == OUT:
            return f"{start} says no once more, where it says so already"
        case "opt_out":
            ghost.said.append(Said(clock.true_ms, action.person, OUT, action.app, there.id))
            return f"{start} {_edit(vendor, there, {'email_consent': OUT})}"
        case "opt_in":
            at = datetime.fromtimestamp(clock.true_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            ghost.said.append(Said(clock.true_ms // 1000 * 1000, action.person, IN, action.app, there.id))
            evidence = {"email_consent": IN, "consent_at": at, "consent_source": f"form {action.number:02}"}
            return f"{start} {_edit(vendor, there, evidence)}"
        case "opt_in_bare":
            return f"{start} {_edit(vendor, there, {'email_consent': IN})}"
        case "hide" if there.id in vendor.out_of_sight:
            return f"{start} is out of sight still"
        case "hide":
            vendor.out_of_sight.add(there.id)
            ghost.hide(action.app, there.id)
            return f"{start} is out of sight"
        case "show":
            vendor.out_of_sight.clear()
            return f"{start} is in sight, and everybody else"
        case "merge":
            return _merge(action, vendor, there, ghost, clock)
        case _:
            vendor.remove(there.id)
            ghost.gone[action.app, there.id] = clock.true_ms
            return f"{start} is deleted"


def _edit(vendor: Vendor, there: Person, props: dict[str, Any]) -> str:
    vendor.edit(there.id, props)
    return "is edited: " + ", ".join(f"{name}={raw!r}" for name, raw in props.items())


def value(field: str, number: int) -> str:
    """Make a value that nobody else has typed; enough of it is left where it is cut."""
    return f"{number:02} Söhne & Co" if field == "company" else f"{number:02} Zoë"


def _create(action: Action, vendor: Vendor, ghost: Ghost) -> str:
    mine = [email for email, person in ghost.addresses.items() if person == action.person]
    email = mine[-1] if mine else f"p{action.person}@x.org"
    if vendor.quirks.unique_email and any(p.live and p.props.get("email") == email for p in vendor.people.values()):
        return f"{APPS[action.app]}: the address of p{action.person} is taken"
    ghost.addresses[email] = action.person
    props = {"email": email, action.field or "first_name": value(action.field or "first_name", action.number)}
    id_ = vendor.add(action.person, props)
    return f"{APPS[action.app]}: p{action.person} is added as {id_}: {props}"


def _merge(action: Action, vendor: Vendor, there: Person, ghost: Ghost, clock: Clock) -> str:
    """Merge another record into this one: the other goes, this one gets what it lacks."""
    others = [p for id_, p in sorted(vendor.people.items()) if p.live and p.id != there.id]
    if not others:
        return f"{APPS[action.app]}: nobody to merge p{action.person} with"
    other = others[0]
    if ghost.person(other.person) != ghost.person(there.person):
        ghost.joined[ghost.person(other.person)] = ghost.person(there.person)
    lacking = {name: raw for name, raw in other.props.items() if name not in there.props}
    vendor.remove(other.id)
    ghost.gone[action.app, other.id] = clock.true_ms
    into = there.id
    if vendor.quirks.merges_new:
        into = vendor.merge(there.id, lacking)
        ghost.gone[action.app, there.id] = clock.true_ms
    elif lacking:
        vendor.edit(there.id, lacking)
    return f"{APPS[action.app]}: {other.id} is merged into {there.id}{f', as {into}' if into != there.id else ''}"
