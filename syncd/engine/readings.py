"""Readings: what an app's raw values mean once the configuration reads them otherwise (SYNC-MODEL 1.15).

A wrong `region` made a wrong number of what an app shows. When it is put right, the values that came from this app are read again
from what it shows, before anything is decided: else the wrong number would be written into the very record that it came from.
Hard rule: only values that came from the app itself change, and each is in the journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from syncd.core.atoms import holds, put, value_key
from syncd.core.fields import Invalid
from syncd.core.state import Contact, Entry, Link
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.store.tx import Tx

WHY: Final = "read again: the configuration reads this field otherwise now"
LATE: Final = "readings late"
"""Says "1" as long as an app could not be opened since its configuration changed."""
_NOTED: Final = "readings"


def read_anew(tx: Tx, hub: Hub, run: int) -> None:
    """Read again what came from apps of which a field is read otherwise than before. Call when the rules have changed, or `LATE`."""
    before: dict[str, dict[str, str]] = json.loads(tx.meta(_NOTED) or "{}")
    now, late = dict(before), ""
    for app in hub.apps.values():
        if app.app is None:
            late = "1"  # nobody knows which fields it has
            continue
        mine = {name: lens.reading for name, lens in app.rule.lenses.items() if name in hub.rules.fields}
        known = before.get(app.name, {})
        names = [name for name in sorted(mine) if known.get(name, mine[name]) != mine[name]]
        if names:
            _read(tx, hub, app, names, run)
        now[app.name] = mine
    tx.set_meta(_NOTED, json.dumps(now, sort_keys=True))
    tx.set_meta(LATE, late)


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
