"""Readings: what an app's raw values mean once the configuration reads them otherwise (SYNC-MODEL 1.15).

A wrong `region` made a wrong number of what an app shows. When it is put right, the values that came from this app are read again
from what it shows, before anything is decided: else the wrong number would be written into the very record that it came from.
A value of another type than the field has now would be nobody's. Hard rule: only values that came from the app itself change, and
those that are none of the field's type any more; each is in the journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from syncd.core.atoms import digest_key, holds, put, value_key
from syncd.core.fields import Invalid
from syncd.core.state import NOBODY, Contact, Entry, Link, Stamp
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.model import Value
from syncd.store.tx import Tx

RETYPED: Final = "the field has another type now"
WHY: Final = "read again: the configuration reads this field otherwise now"
LATE: Final = "readings late"
"""Says "1" as long as an app could not be opened since its configuration changed."""
_NOTED: Final = "readings"


def read_anew(tx: Tx, hub: Hub, run: int) -> None:
    """Read again what came from apps of which a field is read otherwise than before. Call when the rules have changed, or `LATE`."""
    before: dict[str, dict[str, str]] = json.loads(tx.meta(_NOTED) or "{}")
    now, late = dict(before), ""
    if retyped := _retyped(hub, before):
        _read_as(tx, hub, retyped, run)
    for app in hub.apps.values():
        if app.app is None:
            late = "1"  # nobody knows which fields it has
            continue
        mine = {name: lens.reading for name, lens in app.rule.lenses.items() if name in hub.rules.fields}
        known = before.get(app.name, {})
        names = [name for name in sorted(mine) if known.get(name, mine[name]) != mine[name]]
        if names:
            _read(tx, hub, app, names, run)
        now[app.name] = {**known, **mine}  # also of what is not mapped for a while
    tx.set_meta(_NOTED, json.dumps(now, sort_keys=True))
    tx.set_meta(LATE, late)


def _retyped(hub: Hub, before: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Name the fields that have another type than before."""
    return sorted(
        {
            name
            for app in hub.apps.values()
            for name, lens in app.rule.lenses.items()
            if name in hub.rules.fields
            and _kind(before.get(app.name, {}).get(name, lens.reading)) != _kind(lens.reading)
        }
    )


def _kind(reading: str) -> str:
    return str(json.loads(reading)[0])


def _read_as(tx: Tx, hub: Hub, names: Sequence[str], run: int) -> None:
    """Read the contacts' own values as the type that these fields have now, or take what an app shows, or none."""
    for start in range(1, tx.next_contact(), PAGE):
        ids = range(start, start + PAGE)
        contacts, links = tx.contacts(ids), tx.links_of(ids)
        journal = [
            (contact, entries)
            for id_, contact in sorted(contacts.items())
            if (entries := [entry for name in names for entry in _as_now(contact, links[id_], name, hub)])
        ]
        tx.save_contacts(contact for contact, _ in journal)
        tx.write_journal(run, hub.world.now_ms(), journal)


def _as_now(contact: Contact, links: Sequence[Link], name: str, hub: Hub) -> list[Entry]:
    """Read one value of a contact, which may be gone since the type was wrong for a while. Changes `contact`; returns what the
    journal is to say.
    """
    old, atom = contact.golden.get(name), hub.rules.atoms[name]
    if name in contact.held or (old is None and name in contact.golden):
        return []  # a person decides, or it was cleared on purpose
    new = hub.rules.fields[name].type.parse(old)
    if old is not None and type(new) is type(old) and new == old:
        return []
    source = contact.stamps.pop(name, None)
    if new is None or isinstance(new, Invalid):
        app, new = _agreed(links, name, source, hub)
        source = source if source is not None and source.app == app else Stamp(app, 0, hub.world.now_ms())
    contact.golden.pop(name, None)
    if new is not None:
        contact.golden[name] = new
        contact.stamps[name] = source or Stamp(NOBODY, 0, 0)
    elif old is None:
        return []
    was, now = (old, new) if len(atom.fields) == 1 else ({name: old}, {name: new})
    return [Entry(kind="value", app=None, record=None, field=atom.name, old=was, new=now, reason=RETYPED)]


def _agreed(links: Sequence[Link], name: str, source: Stamp | None, hub: Hub) -> tuple[int, Value]:
    """Give what all apps show that show anything, or what the one shows that the value came from: (app, value)."""
    shown: dict[int, Value] = {}
    for link in links:
        rule = hub.rules.app(link.app)
        lens = rule.lenses.get(name) if rule is not None else None
        value = lens.parse(link.base.get(name)) if lens is not None and lens.reads else None
        if value is not None and not isinstance(value, Invalid):
            shown[link.app] = value
    if source is not None and source.app in shown:
        return source.app, shown[source.app]
    one = len({digest_key(value_key(hub.rules, name, value)) for value in shown.values()}) == 1
    return next(iter(shown.items())) if one else (NOBODY, None)


def _read(tx: Tx, hub: Hub, app: OpenApp, names: Sequence[str], run: int) -> None:
    for start in range(1, tx.next_contact(), PAGE):
        ids = range(start, start + PAGE)
        contacts, links = tx.contacts(ids), tx.links_in(app.index, ids)
        journal = [
            (contacts[id_], entries)
            for id_, link in sorted(links.items())
            if id_ in contacts and (entries := _of_contact(contacts[id_], link, app, names, hub))
        ]
        tx.save_contacts(contact for contact, _ in journal)
        tx.write_journal(run, hub.world.now_ms(), journal)


def _of_contact(contact: Contact, link: Link, app: OpenApp, names: Sequence[str], hub: Hub) -> list[Entry]:
    """Read one contact's values again. Changes `contact`; returns what the journal is to say."""
    rules, entries = hub.rules, []
    for name in names:
        stamp, atom = contact.stamps.get(name), rules.atoms[name]
        if stamp is None or stamp.app != app.index or name not in link.base or name in contact.held:
            continue
        raw, old = link.base[name], contact.golden.get(name)
        value = app.rule.lenses[name].parse(raw)
        if len(atom.fields) > 1 or value is None or isinstance(value, Invalid):
            continue
        if value_key(rules, name, value) == value_key(rules, name, old):
            continue
        if holds(contact, link, name, raw, app.rule, rules):
            continue  # its own spelling of a value that it was given
        put(contact, atom, value, stamp)
        entries.append(Entry(kind="value", app=app.index, record=link.id, field=name, old=old, new=value, reason=WHY))
    return entries


def named(kind: str, options: Mapping[str, object], words: Mapping[str, object]) -> str:
    """Name how the raw values of a field are read: its type, with its options, and the app's own words."""
    return json.dumps([kind, options, words], sort_keys=True, default=str)
