"""What has to be written where, and whether that looks like a catastrophe.

Intents are a pure function of contact, links and rules; they are disposable and computed again right before they are
sent. Hard rule: a field is written only where the app is known to hold something else than the contact's value and has
not already answered with a spelling of its own (`needs`, SYNC-MODEL 1.2), so that a second pass writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.core import names
from syncd.core.atoms import answered, digest_key, same_raw
from syncd.core.consent import consent_intents, create_fields
from syncd.core.fields import Invalid
from syncd.core.match import contact_key
from syncd.core.rules import AppRule, FieldRule, Rules
from syncd.core.settle import GIVEN_BACK, REFUSED
from syncd.core.state import NOBODY, Change, Contact, Intent, Link
from syncd.core.transforms import Lens
from syncd.model import OPERATOR, Raw, Value

VERBS = ("creates", "updates", "clears", "opt_outs", "unlinks", "archives")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`max(absolute, percent %)` of the app's linked records."""

    absolute: int
    percent: float

    def of(self, linked: int) -> int:
        """Say how many are allowed. In a small app the absolute part is at most max(3, half of the linked records)."""
        absolute = min(self.absolute, max(3, linked // 2)) if linked else self.absolute
        return max(absolute, int(linked * self.percent / 100))


TAKEN: Final = "it is another contact's as well; the inbox asks who is who"
TAKEN_KEY: Final = "its match key is another contact's as well; the inbox asks who is who"
SHRUNK: Final = Limit(absolute=5, percent=20)
"""So many of the linked records may be missing in a listing, or have become unreadable, and it is believed all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A guard that refused: this many of this verb in this app, where so many are allowed."""

    app: str
    verb: str
    count: int
    limit: int


def check_guards(
    counts: Mapping[tuple[str, str], int],
    linked: Mapping[str, int],
    limits: Mapping[str, Limit],
    approved: Mapping[tuple[str, str], int],
    done: Mapping[tuple[str, str], int],
) -> list[Held]:
    """Compare a whole plan with its limits before the first write. Keys of `counts`, `approved`, `done`: (app, verb).

    `done`: written in this run already. What one write makes room for is no run of its own: all passes share one limit, beside what
    was approved.
    """
    held = []
    for (app, verb), count in sorted(counts.items()):
        if (guard := limits.get(verb)) is None:
            continue
        limit, agreed, before = (guard.of(linked.get(app, 0)), *(each.get((app, verb), 0) for each in (approved, done)))
        allowed = max(limit + agreed - before, 0) if before else max(limit, agreed)
        if count > allowed:
            held.append(Held(app=app, verb=verb, count=count, limit=allowed))
    return held


def intents_for(contact: Contact, links: Mapping[int, Link], rules: Rules) -> list[Intent]:
    """List everything this contact needs in every app. `links`: app -> its record of the contact."""
    intents = consent_intents(contact, links, rules)
    if contact.review:
        return intents
    for index, app in rules.apps.items():
        link = links.get(index)
        intent = update_intent(contact, link, app, rules) if link is not None else None
        if intent is not None:
            intents.append(intent)
    return intents + planned_creates(contact, links, rules)


def planned_creates(contact: Contact, links: Mapping[int, Link], rules: Rules) -> list[Intent]:
    """List where this contact gets a record; what it will hold is decided when it is sent (`create_intent`)."""
    return [
        Intent(app=index, kind="create", contact=contact.id, record="", fields={})
        for index, app in rules.apps.items()
        if index not in links and may_create(contact, links, app) and why_not_created(contact, app, rules) is None
    ]


def may_create(contact: Contact, links: Collection[int], app: AppRule) -> bool:
    """Say whether this contact may get a record in this app at all: not after somebody removed it there.

    `links`: the apps in which it has a record.
    """
    return bool(
        links
        and app.create
        and app.spec.create
        and not contact.review
        and app.index not in contact.tombs
        and app.index not in contact.refused
    )


def waiting(contact: Contact, rules: Rules) -> Mapping[str, str]:
    """Name the fields that wait for a person, and why: nothing is written into them. An address that is another contact's goes
    no further until somebody has said whose it is.
    """
    if not contact.shared:
        return contact.held
    return {**contact.held, **dict.fromkeys(rules.match[0] if _is_shared(contact, rules) else (), TAKEN)}


def _is_shared(contact: Contact, rules: Rules) -> bool:
    key = contact_key(contact.golden, rules)
    return key is not None and key.hex() in contact.shared


def update_intent(contact: Contact, link: Link, app: AppRule, rules: Rules) -> Intent | None:
    """List the fields of one record that must change; None if there are none. Notes flaws on the link."""
    if not (app.update and app.spec.update):
        return None
    fields: dict[str, Change] = {}
    clears = False
    lenses, ordinary, held, base = app.lenses, rules.fields, waiting(contact, rules), link.base
    for name, value in contact.golden.items():
        lens, rule = lenses.get(name), ordinary.get(name)
        if lens is None or rule is None or not lens.writes or name not in base or name in held:
            continue
        raw = base[name]
        if raw == value and lens.plain and same_raw(raw, value):  # nearly all are: nothing is to be read for that
            link.flaws.pop(name, None)
            continue
        change = _needed(contact, link, name, value, lens, rule, rules)
        if change is not None:
            fields[name] = change
            clears = clears or value is None
    if not fields:
        return None
    return Intent(
        app=app.index,
        kind="update",
        contact=contact.id,
        record=link.id,
        fields=fields,
        clears=clears,
        version=link.version,
    )


def _needed(
    contact: Contact, link: Link, name: str, value: Value, lens: Lens, rule: FieldRule, rules: Rules
) -> Change | None:
    raw = link.base[name]
    now = lens.parse(raw)
    if type(now) is Invalid:
        link.flaws.pop(name, None)
        return None  # somebody typed what we cannot read: flagged, never overwritten
    key = None if value is None else rule.type.key(value)
    now_key = None if now is None else rule.type.key(now)
    if now_key == key or (now is not None and rule.blank == "fill_only"):
        link.flaws.pop(name, None)
        return None
    if link.acks and answered(link, name, digest_key(key), raw) and not _gives_way(link, name, rules):
        return None
    new, why_not = _clear(lens) if value is None else spelled(value, key, lens, rule)
    if why_not is not None:
        link.flaws[name] = why_not
        return None
    if link.flaws.pop(name, None) is not None and REFUSED in link.acks.get(name, ())[2:]:
        del link.acks[name]  # what was refused has changed since; should it come again, it is asked for again
    kept = lens.parse(new)
    if (None if kept is None else rule.type.key(kept)) == now_key:
        return None  # all that the app can hold of the value is there already
    reason = "cleared" if value is None else _reason(contact, name, rule, rules, blank=now is None)
    return Change(old=raw, new=new, reason=reason)


def _gives_way(link: Link, name: str, rules: Rules) -> bool:
    """Say whether what an undo gave back to an app is to be written over: the contact's values are pushed there."""
    return rules.apps[link.app].pushed and GIVEN_BACK in link.acks[name][2:]


def spelled(value: Value, key: Any, lens: Lens, rule: FieldRule) -> tuple[Raw, str | None]:
    """Spell a value as the app does, or say why it cannot hold it."""
    new = lens.render(value)
    why_not = lens.blocked(new)
    if why_not is not None or (lens.plain and not lens.lossy):
        return new, why_not
    kept = lens.parse(new)
    if type(kept) is Invalid or kept is None:
        return new, "what the app can hold of it is no value any more"
    if not lens.lossy and rule.type.key(kept) != key:
        return new, "the app has this very word for another value; add it to `values`"
    return new, None


def _clear(lens: Lens) -> tuple[Raw, str | None]:
    if lens.required and lens.placeholder is None:
        return None, "required there; it cannot be cleared"
    return lens.placeholder if lens.required else None, None


def _reason(contact: Contact, name: str, rule: FieldRule, rules: Rules, *, blank: bool) -> str:
    stamp = contact.stamps.get(name)
    if stamp and stamp.app == NOBODY and name == names.FULL:
        return names.WHY
    if stamp and stamp.app == OPERATOR:
        return "an operator decided it"
    app = rules.app(stamp.app) if stamp else None
    source = app.name if app else "an app that is gone"
    return f"{'fills a blank' if blank else rule.policy}, from {source}"


def new_record(contact: Contact, app: AppRule, rules: Rules) -> dict[str, Raw] | None:
    """Render the record that a contact gets in an app; None where it may have none (`why_not_created` says why)."""
    if why_not_created(contact, app, rules) is not None:
        return None
    fields: dict[str, Raw] = {}
    golden, held, ordinary = contact.golden, contact.held, rules.fields
    for name, lens in app.lenses.items():
        if not lens.writes or name not in ordinary or name in held:
            continue
        value = golden.get(name)
        if value is None:
            if lens.required and lens.placeholder is not None:
                fields[name] = lens.placeholder
            continue
        if lens.plain and not lens.lossy:
            new = lens.render(value)
            if lens.max_length is None or lens.blocked(new) is None:
                fields[name] = new
            continue
        new, why_not = spelled(value, ordinary[name].type.key(value), lens, ordinary[name])
        if why_not is None:
            fields[name] = new
    fields.update(create_fields(contact, app, rules))
    return fields


def create_intent(contact: Contact, app: AppRule, rules: Rules) -> Intent | None:
    """Describe the record to be created, with reasons, for a plan that people read."""
    record = new_record(contact, app, rules)
    if record is None:
        return None
    fields: dict[str, Change] = {}
    for name, raw in record.items():
        rule = rules.fields.get(name)
        if rule is None:
            reason = "consent travels with the new record"
        elif contact.golden.get(name) is None:
            reason = "required; placeholder"
        else:
            reason = _reason(contact, name, rule, rules, blank=True)
        fields[name] = Change(old=None, new=raw, reason=reason)
    return Intent(app=app.index, kind="create", contact=contact.id, record="", fields=fields)


def left(contact: Contact, before: Mapping[str, Value], links: Collection[int], rules: Rules) -> list[int]:
    """List the apps whose scope the contact had `before` and has no more, and which put away who leaves. A change of the
    contact is meant: who was never in the scope, or is out of it by a change of the rules, is kept.
    """
    return [
        index
        for index, app in rules.apps.items()
        if app.on_leave == "archive" and index in links and app.update and app.spec.archive
        if app.scope is not None and not contact.review and app.scope(before) and not app.scope(contact.golden)
    ]


def is_to_go(contact: Contact, links: Collection[int], app: AppRule, rules: Rules) -> bool:
    """Say whether the cause for which the contact's record in this app is to be put away still holds."""
    cause = contact.going.get(app.index)
    if cause is None or cause == OPERATOR:
        return cause == OPERATOR
    if cause == app.index:
        return app.on_leave == "archive" and app.scope is not None and not app.scope(contact.golden)
    other = rules.app(cause)
    return other is not None and other.on_delete == "archive" and cause in contact.tombs and cause not in links


def stay(contact: Contact, links: Collection[int], rules: Rules) -> list[int]:
    """Forget removals where somebody made the record again; list the apps whose records are not put away any more."""
    staying = [
        index
        for index in contact.going
        if (app := rules.app(index)) is None or not is_to_go(contact, links, app, rules)
    ]
    for index in staying:
        del contact.going[index]
    for index in [index for index in contact.tombs if index in links and index not in contact.going]:
        del contact.tombs[index]
    return staying


def why_not_created(contact: Contact, app: AppRule, rules: Rules) -> str | None:
    """Say why a contact gets no record in an app; None if it does."""
    golden, held = contact.golden, contact.held
    if contact.shared and _is_shared(contact, rules):
        return TAKEN_KEY
    for rule in rules.match:
        if all(golden.get(name) is not None and name not in held for name in rule):
            break
    else:
        return "no match key: a second record could not be told from a first"
    if app.scope is not None and not app.scope(golden):
        return "out of this app's scope"
    for name, lens in app.lenses.items():
        if (lens.required or lens.defaulted) and lens.writes:
            why_not = _why_not_filled(name, contact, lens, rules)
            if why_not is not None:
                return why_not
    for name, lens in app.lenses.items():
        if lens.writes and golden.get(name) is not None:
            return None
    return "nothing that this app could hold"


def _why_not_filled(name: str, contact: Contact, lens: Lens, rules: Rules) -> str | None:
    value, rule = contact.golden.get(name), rules.fields.get(name)
    if name in contact.held:
        return f"required field waits for a decision: {name}"
    if value is None:
        return None if lens.placeholder is not None or not lens.required else f"required field missing: {name}"
    if rule is None:
        return None
    why_not = spelled(value, rule.type.key(value), lens, rule)[1]
    return None if why_not is None else f"required field {name}: {why_not}"


def by_app(links: Iterable[Link]) -> dict[int, Link]:
    """Index the links of one contact by app."""
    return {link.app: link for link in links}
