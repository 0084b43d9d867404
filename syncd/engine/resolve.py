"""Resolve: what a person decides about a case of the inbox. The next sync carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core import names
from syncd.core.atoms import atom_value, fits, put
from syncd.core.consent import Latch
from syncd.core.fields import Invalid
from syncd.core.match import ALIAS, record_keys
from syncd.core.rules import Atom
from syncd.core.state import Contact, Entry, Link, Stamp
from syncd.engine.decide import unmerged
from syncd.engine.hearing import subject
from syncd.engine.hub import Hub
from syncd.engine.meetings import ask_who
from syncd.engine.returning import parted
from syncd.errors import ConfigError
from syncd.model import OPERATOR
from syncd.store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One of: link to a contact (by `contact`), be a person of its own (`new`), take an app's value (`app`), take a
    value (`value`, with `has_value`), leave things as they are (`keep`), create the removed record again (`restore`).
    """

    contact: int | None = None
    new: bool = False
    app: str | None = None
    value: Any = None
    has_value: bool = False
    keep: bool = False
    restore: bool = False


def resolve(hub: Hub, case: int, decision: Decision) -> dict[str, Any]:
    """Carry a decision into the store; ConfigError when it does not fit the case."""
    now_ms = hub.world.now_ms()
    return hub.world.transact("resolve", lambda tx: _resolve(tx, hub, case, decision, now_ms))


def _resolve(tx: Tx, hub: Hub, case: int, decision: Decision, now_ms: int) -> dict[str, Any]:
    doc = next(iter(tx.cases(limit=1, after=case - 1)), None)
    if doc is None or doc["id"] != case:
        raise ConfigError(f"there is no open case {case}; `syncd inbox list` shows them")
    number = int(doc["contact"][1:])
    contact = tx.contacts([number])[number]
    kinds = {"match": _match, "conflict": _conflict, "deletion": _deletion}
    entries = kinds[doc["kind"]](tx, hub, doc, contact, decision, now_ms)
    tx.write_journal(hub.run, now_ms, [(contact, entries)])
    tx.close_cases(number, now_ms, kind=doc["kind"], field=doc["field"] or "")
    if doc["kind"] == "match" and decision.contact is not None:
        _hand_over(tx, contact, decision.contact)
    return {"case": case, "kind": doc["kind"], "contact": doc["contact"]}


def _match(tx: Tx, hub: Hub, doc: dict[str, Any], contact: Contact, decision: Decision, now_ms: int) -> list[Entry]:
    if decision.new:
        mine = tx.links_of([contact.id])[contact.id]
        contact.apart |= {*doc.get("keys", ()), *_keys_of(hub, mine)}
        contact.waits.clear()
        if contact.review:
            contact.review = False
            for link in mine:
                unmerged(link, now_ms)  # what nobody could be sure of, such as an opt-in, counts from now on
            tx.save_links(mine)
        tx.save_contacts([contact])
        met = sorted({contact.id, *(number for _, _, number in doc.get("candidates", ()) if number)})
        tx.mark_dirty(met)  # whom it stood in the way of
        ask_who(tx, hub, met, now_ms)  # the others may share the key among themselves
        return [_note("decided: a person of its own")]
    if decision.contact is None:
        raise ConfigError(
            "say which contact this record belongs to (--link), or that it is a person of its own (--new)"
        )
    target = tx.contacts([decision.contact]).get(decision.contact)
    links = tx.links_of([contact.id, decision.contact])
    if target is None:
        raise ConfigError(f"there is no contact c{decision.contact}")
    for link in links[contact.id]:
        other = next((x for x in links[target.id] if x.app == link.app), None)
        if other is not None:
            name = hub.apps[link.app].name if link.app in hub.apps else "an app that is in the configuration no more"
            raise ConfigError(f"c{target.id} has the record {other.id} in {name} already; merge the two there first")
    target.review = False
    target.apart |= contact.apart
    apps = {link.app for link in [*links[contact.id], *links[target.id]]}
    target.tombs = {app: at_ms for app, at_ms in {**contact.tombs, **target.tombs}.items() if app not in apps}
    known = _take_in(tx, hub, links[contact.id], target.id, now_ms)
    tx.save_links(links[contact.id])
    tx.save_contacts([target])
    tx.mark_dirty([target.id])
    tx.write_journal(hub.run, now_ms, [(target, [_note(f"decided: the record of c{contact.id} belongs here")])])
    tx.close_cases(target.id, now_ms, kind="match")
    ask_who(tx, hub, sorted({target.id, *known}), now_ms)
    tx.clear_dirty([contact.id])
    return [_note(f"decided: belongs to c{target.id}")]


def _take_in(tx: Tx, hub: Hub, links: Sequence[Link], contact: int, now_ms: int) -> set[int]:
    """Give these records to a contact, which is known by what they show from now on. What one shows that was taken for
    somebody else was an edit after all. Names the contacts that are known by the same.
    """
    before = parted(tx, contact)
    known = [bytes.fromhex(key) for key in sorted(_keys_of(hub, links))]
    for link in links:
        unmerged(link, now_ms)
        link.base = before.get((link.app, link.id), {})
        link.contact = contact
    tx.add_keys([{"key": key, "app": ALIAS, "record": str(contact)} for key in known])
    return {h.contact for held in tx.holders(known).values() for h in held if h.contact is not None}


def _keys_of(hub: Hub, links: Sequence[Link]) -> set[str]:
    """List the match keys of a contact's records, as `Contact.apart` names them."""
    shown = [(hub.rules.app(link.app), link.seen.fields if link.seen else link.base) for link in links]
    return {key.hex() for app, fields in shown if app for key in record_keys(fields, app, hub.rules) if key}


def _hand_over(tx: Tx, contact: Contact, to: int) -> None:
    """Remove a contact whose records all belong to another one now. That one has its opt-outs and opt-ins as well, its former
    keys and its journal; one that remembers a removal stays, but nothing of it waits any more.
    """
    before = tx.aliases([contact.id]).get(contact.id, [])
    tx.drop_keys([{"k_key": key, "k_app": ALIAS, "k_record": str(contact.id)} for key in before])
    tx.add_keys([{"key": key, "app": ALIAS, "record": str(to)} for key in before])
    mine, theirs = subject(contact.id), subject(to)
    known = tx.latches([mine, theirs])
    tx.save_latches(
        {
            (channel, theirs): latch.joined(known.get(theirs, {}).get(channel, Latch()))
            for channel, latch in known.get(mine, {}).items()
        }
    )
    if contact.tombs or contact.going:
        contact.review = False
        tx.save_contacts([contact])
        return
    tx.hand_over_journal(contact.id, to)
    tx.delete_contact(contact.id)


def _conflict(tx: Tx, hub: Hub, doc: dict[str, Any], contact: Contact, decision: Decision, now_ms: int) -> list[Entry]:
    atom = hub.rules.atoms.get(doc["field"])
    if atom is None:
        if not decision.keep:
            raise ConfigError(f"{doc['field']} is not in the configuration any more: --keep closes the case")
        contact.held.pop(doc["field"], None)
        tx.save_contacts([contact])
        return [_note(f"decided: {doc['field']} is not in the configuration any more")]
    if decision.app is not None:
        if decision.app not in doc["values"]:
            raise ConfigError(
                f"{decision.app} has no value in this case; there are: {', '.join(sorted(doc['values']))}"
            )
        value = doc["values"][decision.app]
        if not fits(hub.rules, atom, value):
            raise ConfigError(
                f"{atom.name} has another type now than when this was asked; give it by --value, or --keep"
            )
    elif decision.has_value:
        value = _said(atom, decision.value)
        if isinstance(value, Invalid):
            raise ConfigError(f"this is no value of {atom.name}: {value.reason}")
    elif decision.keep:
        value = atom_value(contact, atom)
    else:
        raise ConfigError("say whose value it shall be (--app NAME), which (--value TEXT), --clear or --keep")
    old, spoken = atom_value(contact, atom), names.spoken(contact, hub.rules)
    if not decision.keep or any(name in contact.golden for name in atom.fields):  # what has no value keeps none
        put(contact, atom, value, Stamp(OPERATOR, now_ms, now_ms))
    for name in atom.fields:
        contact.held.pop(name, None)
    decided = Entry(
        kind="value", app=None, record=None, field=atom.name, old=old, new=value, reason="decided by an operator"
    )
    followed = names.follow(contact, spoken, hub.rules) if atom.name != names.FULL else []
    tx.save_contacts([contact])
    tx.mark_dirty([contact.id])
    return [decided, *followed]


def _said(atom: Atom, value: Any) -> Any:
    """Read what a person says a field shall be; None empties it, each member of a group as well."""
    if len(atom.fields) == 1:
        return atom.rule.type.parse(value)
    if value is not None:
        raise ConfigError(
            f"{atom.name} is made of {', '.join(atom.fields)}: no one text; say --app NAME, --clear or --keep"
        )
    return dict.fromkeys(atom.fields)


def _deletion(tx: Tx, hub: Hub, doc: dict[str, Any], contact: Contact, decision: Decision, now_ms: int) -> list[Entry]:
    del now_ms
    app = next((a for a in hub.apps.values() if a.name == doc["app"]), None)
    if decision.restore and app is None:
        raise ConfigError(f"{doc['app']} is not in the configuration any more: nothing can be created there; --keep")
    if decision.restore and app is not None:
        contact.tombs.pop(app.index, None)
        tx.save_contacts([contact])
        tx.mark_dirty([contact.id])
        return [_note(f"decided: create it again in {app.name}")]
    if decision.keep:
        return [_note(f"decided: it stays removed in {doc['app']}")]
    raise ConfigError("say --restore (create it there again) or --keep (it stays removed there)")


def _note(text: str) -> Entry:
    return Entry(kind="note", app=None, record=None, field=None, old=None, new=None, reason=text)
