"""Explain: one contact in every app, each field's value, where it comes from, since when and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from syncd.core.atoms import answered, digest_key, value_key
from syncd.core.consent import IN, OUT, to_ms, word
from syncd.core.fields import Invalid
from syncd.core.match import ALIAS, address_hash, key_hash
from syncd.core.names import FULL, WHY
from syncd.core.plan import waiting
from syncd.core.rules import EVIDENCE, AppRule, FieldRule, Rules
from syncd.core.settle import GIVEN_BACK, REFUSED
from syncd.core.state import NOBODY, Contact, Link, Stamp
from syncd.errors import ConfigError
from syncd.model import OPERATOR, Raw
from syncd.ops.find import Found
from syncd.ops.history import app_names
from syncd.ops.states import State, state_of
from syncd.ops.times import iso
from syncd.store import schema as s
from syncd.store.codec import KINDS
from syncd.store.tx import Tx

BLANKS: Final = {
    "ignore": "a blank is no opinion and is filled",
    "fill_only": "a blank is filled, a value is never replaced",
    "propagate": "clearing a known value travels like any change",
}
POLICIES: Final = {
    "latest": "the latest change",
    "set": "what any app adds or removes",
    "non_blank": "the latest value that is not blank",
    "restrictive": "the most restrictive value",
    "ask": "a person decides where apps disagree (inbox); an edit that nobody contradicts travels",
    "lock": "locked: it changes only by a decision",
}
NO_EVIDENCE: Final = "has no evidence (consent_at, consent_source)"
OLD_EVIDENCE: Final = "has evidence (consent_at, consent_source) that is not later than the opt-out"
CONSENT: Final = "consent: an opt-out anywhere wins everywhere; only later evidence of an opt-in lifts it"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppView:
    """One contact in one app."""

    name: str
    id: str | None
    state: State
    fields: dict[str, Raw]
    others: list[str]
    unreadable: dict[str, str] = field(default_factory=dict)
    """Field -> why its cell is no value of its type: it stays where it is and spreads nowhere."""
    own: dict[str, str] = field(default_factory=dict)
    """Field -> why this app may hold another value than the contact."""

    def doc(self) -> dict[str, Any]:
        """Make the document of one record; `unreadable` is there only where something is."""
        doc = {"id": self.id, "state": self.state.word, "fields": self.fields, "others": self.others}
        return {**doc, "unreadable": self.unreadable} if self.unreadable else doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One contact, or one record that has none."""

    contact: int | None
    fields: dict[str, dict[str, Any]]
    apps: list[AppView]

    def doc(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Make the document that `syncd explain --json` prints."""
        records = {view.name: view.doc() for view in self.apps}
        contact = None if self.contact is None else f"c{self.contact}"
        return {"contact": contact, "fields": self.fields, "records": records, "history": history}


def explain(tx: Tx, found: Found, field: str | None, names: Sequence[str], rules: Rules) -> Explained:
    """Explain a contact (or one field of it) in the apps of the configuration."""
    if found.contact is None:
        return _explain_record(tx, found)
    contact = tx.contacts([found.contact]).get(found.contact)
    if contact is None:
        raise ConfigError(f"there is no contact c{found.contact}")
    wanted = None if field is None else _with_group(field, rules)
    indexes = {name: number for number, name in app_names(tx).items()}
    links = {link.app: link for link in tx.links_of([contact.id])[contact.id]}
    pending = _pending(tx, contact.id, list(rules.apps))
    views = []
    for name in names:
        rule = rules.app(indexes.get(name, ALIAS))
        if rule is not None:
            views.append(_view(tx, contact, links.get(rule.index), rule, rules, pending, wanted))
    asked = {channel for channel in rules.consents if any(channel in link.base for link in links.values())}
    shown = sorted((contact.golden.keys() | asked) if wanted is None else (contact.golden.keys() | asked) & wanted)
    fields = {name: _field(tx, contact, links.values(), name, rules) for name in shown}
    return Explained(contact=contact.id, fields=fields, apps=views)


def _with_group(field: str, rules: Rules) -> frozenset[str]:
    """Name a field; for a group, its members."""
    members = next((atom.fields for atom in rules.atoms.values() if atom.name == field), (field,))
    return frozenset(members)


def _explain_record(tx: Tx, found: Found) -> Explained:
    """Explain a record that could not be read, and so belongs to nobody."""
    assert found.app is not None
    assert found.record is not None
    mark = tx.marks(found.app, [found.record])[found.record]
    state = State("parked", mark.problem) if mark.problem else State("pending", "it was read and not decided yet")
    view = AppView(name=app_names(tx)[found.app], id=found.record, state=state, fields={}, others=[])
    return Explained(contact=None, fields={}, apps=[view])


def _field(tx: Tx, contact: Contact, links: Iterable[Link], name: str, rules: Rules) -> dict[str, Any]:
    stamp = contact.stamps.get(name)
    source = None
    if stamp is not None:
        source = "operator" if stamp.app == OPERATOR else app_names(tx).get(stamp.app)
    rule = WHY if name == FULL and stamp is not None and stamp.app == NOBODY else rule_text(name, rules)
    held = waiting(contact, rules)
    if name in held:
        rule = f"waits for a decision ({held[name]}); {rule}"
    unproven = _unproven(contact, links, name, rules)
    for why in (NO_EVIDENCE, OLD_EVIDENCE):
        if apps := [app for app, reason in unproven.items() if reason == why]:
            rule = f"{rule}; opted_in in {', '.join(apps)} {why} and stays there"
    return {"value": contact.golden.get(name), "from": source, "at": iso(stamp.hi_ms) if stamp else None, "rule": rule}


def _unproven(contact: Contact, links: Iterable[Link], name: str, rules: Rules) -> dict[str, str]:
    """List apps that say opted_in where nothing proves it, and why."""
    if name not in rules.consents or contact.golden.get(name) == IN:
        return {}
    apps = [(app, link) for link in links if (app := rules.app(link.app)) is not None and name in link.base]
    out = contact.stamps.get(name)
    return {
        app.name: OLD_EVIDENCE if contact.golden.get(name) == OUT and _is_older(link, app, out) else NO_EVIDENCE
        for app, link in apps
        if word(app, name, link.base[name]) == IN
    }


def _is_older(link: Link, app: AppRule, out: Stamp | None) -> bool:
    """Say whether there is evidence beside an opt-in, and the opt-out is later."""
    values = [lens.parse(link.base.get(name)) for name in EVIDENCE if (lens := app.lenses.get(name)) and lens.reads]
    whole = len(values) == len(EVIDENCE) and all(value and not isinstance(value, Invalid) for value in values)
    return whole and out is not None and 0 < to_ms(str(values[0])) <= out.hi_ms


def rule_text(name: str, rules: Rules) -> str:
    """Say in words how a field is merged and what a blank means."""
    if name in rules.consents:
        return CONSENT
    if name in EVIDENCE:
        return "travels with consent only"
    rule = rules.fields.get(name)
    if rule is None:
        return "not a field of this configuration any more"
    return f"{_policy_text(rule, rules)}; {BLANKS[rule.blank]}"


def _policy_text(rule: FieldRule, rules: Rules) -> str:
    if rule.apps:
        names = [app.name if (app := rules.app(index)) else "?" for index in rule.apps]
        return f"{rule.policy}: {', '.join(names)}"
    return f"{rule.policy}: {POLICIES.get(rule.policy, '')}"


def _view(
    tx: Tx,
    contact: Contact,
    link: Link | None,
    rule: AppRule,
    rules: Rules,
    pending: frozenset[int],
    wanted: frozenset[str] | None,
) -> AppView:
    mark = tx.marks(rule.index, [link.id]).get(link.id) if link is not None else None
    fields = {name: raw for name, raw in shown_fields(link).items() if wanted is None or name in wanted}
    return AppView(
        name=rule.name,
        id=link.id if link is not None else None,
        state=state_of(contact, link, mark.problem if mark else None, rule, rules, pending),
        fields=fields,
        others=_others(tx, contact, link, rule, rules),
        unreadable=_unreadable(fields, rule),
        own=_own(contact, link, fields, rule, rules) if link is not None and link.acks else {},
    )


def shown_fields(link: Link | None) -> dict[str, Raw]:
    """Give what an app showed last of a record, by name."""
    return {} if link is None else dict(sorted({**link.base, **(link.seen.fields if link.seen else {})}.items()))


def unreadable_cells(link: Link, app: AppRule) -> dict[str, str]:
    """Name the cells of a record that hold no value of their type, and why."""
    return _unreadable(shown_fields(link), app)


def _unreadable(fields: Mapping[str, Raw], app: AppRule) -> dict[str, str]:
    """Name the cells that hold no value of their type, and why."""
    read = {name: lens.parse(raw) for name, raw in fields.items() if (lens := app.lenses.get(name)) and lens.reads}
    return {name: value.reason for name, value in read.items() if isinstance(value, Invalid)}


def _own(contact: Contact, link: Link, fields: Mapping[str, Raw], app: AppRule, rules: Rules) -> dict[str, str]:
    """Name the fields in which the app holds another value than the contact, and is meant to."""
    return {
        name: "kept its own value (undone)" if GIVEN_BACK in link.acks[name] else "kept its own spelling of the value"
        for name in fields
        if _differs(contact, link, name, fields[name], app, rules)
    }


def _differs(contact: Contact, link: Link, name: str, raw: Raw, app: AppRule, rules: Rules) -> bool:
    """Say whether what an app is allowed to keep reads as another value than the contact's."""
    if name not in app.lenses or REFUSED in link.acks.get(name, (REFUSED,)):
        return False
    key = value_key(rules, name, contact.golden.get(name))
    return answered(link, name, digest_key(key), raw) and value_key(rules, name, app.lenses[name].parse(raw)) != key


def _others(tx: Tx, contact: Contact, link: Link | None, rule: AppRule, rules: Rules) -> list[str]:
    """List other records of this app that share a match key with the contact."""
    keys = contact_keys(contact, rules)
    holders = tx.holders(keys).values() if keys else ()
    mine = link.id if link is not None else None
    return sorted({h.record for held in holders for h in held if h.app == rule.index and h.record != mine})


def contact_keys(contact: Contact, rules: Rules) -> list[bytes]:
    """Make the identity keys of a contact's own values."""
    keys = []
    for names in rules.match:
        values = [contact.golden.get(name) for name in names]
        if all(value is not None for value in values):
            parts = [rules.fields[name].type.key(value) for name, value in zip(names, values, strict=True)]
            keys.append(key_hash(names, parts))
    email = contact.golden.get("email")
    if isinstance(email, str) and "email" in rules.fields:
        keys.append(address_hash(str(rules.fields["email"].type.key(email))))
    return list(dict.fromkeys(keys))


def _pending(tx: Tx, contact: int, apps: Sequence[int]) -> frozenset[int]:
    """List apps with something planned or in doubt for a contact, by the whole key (app, kind, contact)."""
    c = s.intent.c
    query = select(c.app).where(c.app.in_(apps), c.kind.in_(range(len(KINDS))), c.contact == contact)
    return frozenset(row[0] for row in tx.connection.execute(query))
