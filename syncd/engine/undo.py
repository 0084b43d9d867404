"""Undo: an operator's edit that takes values back to what they were before some entries of the journal.

A contact's value returns to what it was and travels like any edit. Where a write overwrote what only one app held (first
contact), that app gets its own value back and keeps it until somebody changes it. What has changed since is skipped and
listed; consent is never raised by an undo.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.core import names
from syncd.core.atoms import atom_key, atom_value, digest_key, fits, put
from syncd.core.consent import OUT
from syncd.core.fields import Invalid
from syncd.core.rules import Atom, Rules
from syncd.core.state import Change, Contact, Entry, Intent, Link, Sent, Stamp
from syncd.engine.apply import Batch, mark_sent, send
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.plans import intent_doc
from syncd.model import OPERATOR, Write
from syncd.store.tx import Tx

EDITED: Final = "it was created, and somebody has edited it since; remove it by hand if it is to go"
RETYPED: Final = "the field had another type then"
FIRST: Final = "a person decided it; there was no value before"
UNDONE: Final = "undone by an operator"
OPTED_OUT: Final = "an opt-out is never undone"
OPTED_IN: Final = "consent is not undone; to take it back, opt out in one of the apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries are undone; what is None does not limit. `loser`: bring back what lost instead of what was."""

    run: int | None = None
    contacts: Sequence[int] | None = None
    field: str | None = None
    since_ms: int | None = None
    loser: bool = False


@dataclass(slots=True, kw_only=True)
class Undone:
    """What an undo came to."""

    contacts: set[int] = field(default_factory=set)
    """Contacts of which a value or a record was taken back: what an undo may write to."""
    skipped: list[dict[str, Any]] = field(default_factory=list)
    restored: list[tuple[OpenApp, Contact, Link, dict[str, Change]]] = field(default_factory=list)
    """What only one app held: written back there."""

    @property
    def count(self) -> int:
        """Count the contacts of which something is taken back."""
        return len(self.contacts | {contact.id for _, contact, _, _ in self.restored})

    @property
    def given_back(self) -> int:
        """Count the contacts of which apps get back what each of them held."""
        return len({contact.id for _, contact, _, _ in self.restored})


def restored_docs(undone: Undone) -> list[dict[str, Any]]:
    """Describe the writes that give apps back what they held, as intents of a plan."""
    return [
        intent_doc(
            Intent(app=app.index, kind="update", contact=contact.id, record=link.id, fields=changes),
            app.name,
            {app.name: link.id},
            names.who(contact),
        )
        for app, contact, link, changes in undone.restored
    ]


def undo(hub: Hub, chosen: Selection, *, write: bool) -> Undone:
    """Take back what is selected. Contacts' values are changed and marked for the next decision; with `write`, what only
    one app held is written back at once.
    """
    undone = Undone()
    after = 0
    while True:
        ids = hub.world.transact("journal", _contacts_of, chosen, after)
        if not ids:
            return undone
        after = ids[-1]
        restored = hub.world.transact("undo", _undo_page, hub, chosen, ids, undone)
        undone.restored += restored
        for app in hub.apps.values():
            mine = [entry[1:] for entry in restored if entry[0] is app]
            if mine and write and app.usable:
                _write_back(hub, app, mine)


def _contacts_of(tx: Tx, chosen: Selection, after: int) -> list[int]:
    return tx.journal_contacts(chosen.run, chosen.contacts, chosen.since_ms, after, PAGE)


def _undo_page(
    tx: Tx, hub: Hub, chosen: Selection, ids: Sequence[int], undone: Undone
) -> list[tuple[OpenApp, Contact, Link, dict[str, Change]]]:
    contacts, links = tx.contacts(ids), tx.links_of(ids)
    entries = tx.journal_entries(ids, chosen.run, chosen.since_ms)
    entire = tx.journal_entries(ids, None, None)
    now_ms = hub.world.now_ms()
    journal: list[tuple[Contact, list[Entry]]] = []
    restored: list[tuple[OpenApp, Contact, Link, dict[str, Change]]] = []
    for id_ in ids:
        contact = contacts.get(id_)
        mine = [
            e for e in entries.get(id_, []) if chosen.field is None or e.field in (None, *_names(hub, chosen.field))
        ]
        if contact is None or not mine:
            continue
        mine += _changed_before(contact, mine, entire.get(id_, ()), hub.rules)
        first = _first_decisions(mine, hub.rules)
        undone.skipped += _consents(contact, mine, hub.rules)
        lines = _take_back_values(contact, mine, hub.rules, undone, now_ms, loser=chosen.loser, leave=first)
        taken = {e.field for e in mine if e.kind == "value"} - first
        if not chosen.loser:
            found = _take_back_writes(hub, contact, links[id_], mine, taken, undone)
            given_back = {hub.rules.atoms[name].name for *_, changes in found for name in changes}
            undone.skipped += [_skip(contact, None, name, FIRST) for name in sorted(first - given_back)]
            restored += found
            if chosen.field is None:
                edited = _edited_since(mine, entire.get(id_, ()))
                lines += _take_back_creates(tx, hub, contact, links[id_], mine, undone, now_ms, edited)
        if lines:
            hub.undone |= {(id_, name): UNDONE for line in lines for name in _members(hub.rules, line)}
            journal.append((contact, lines))
            undone.contacts.add(id_)
    tx.save_contacts(contact for contact, _ in journal)
    tx.mark_dirty(contact.id for contact, _ in journal)
    tx.write_journal(hub.run, now_ms, journal)
    return restored


def _changed_before(contact: Contact, mine: Sequence[Entry], entire: Sequence[Entry], rules: Rules) -> list[Entry]:
    """Find the changes of the contact that an earlier, held run saw and that these writes carried to the apps."""
    found: list[Entry] = []
    taken = {e.field for e in mine if e.kind == "value"}
    for write in mine:
        atom = rules.atoms.get(write.field or "") if write.kind == "write" else None
        app = rules.app(write.app) if write.app is not None else None
        lens = app.lenses.get(write.field or "") if app else None
        if atom is None or lens is None or atom.name in taken:
            continue
        change = next((e for e in reversed(entire) if e.kind in ("value", "undo") and e.field == atom.name), None)
        if change is None or change.kind != "value" or not _fit(rules, atom, change):
            continue
        key = rules.fields[write.field or ""].type.key
        old = change.old if len(atom.fields) == 1 else (change.old or {}).get(write.field)
        held = lens.parse(write.old)
        same = (None if old is None else key(old)) == (None if held is None or isinstance(held, Invalid) else key(held))
        if same and atom_key(rules, atom, change.new) == atom_key(rules, atom, atom_value(contact, atom)):
            found.append(change)
            taken.add(atom.name)
    return found


def _fit(rules: Rules, atom: Atom, entry: Entry) -> bool:
    """Say whether the values of an entry are of the type that the field has now."""
    return fits(rules, atom, entry.old) and fits(rules, atom, entry.new)


def _first_decisions(entries: Sequence[Entry], rules: Rules) -> set[str]:
    """Name what a person decided and what had no value before: apps get back what they held, the contact keeps it."""
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind in ("value", "undo") and entry.field is not None and entry.field in rules.atoms:
            first.setdefault(entry.field, entry)
    return {
        name
        for name, entry in first.items()
        if entry.kind == "value"
        and entry.app is None
        and fits(rules, rules.atoms[name], entry.old)
        and atom_key(rules, rules.atoms[name], entry.old) is None
    }


def _consents(contact: Contact, entries: Sequence[Entry], rules: Rules) -> list[dict[str, Any]]:
    """List the consent that stays as it is."""
    touched = {entry.field for entry in entries if entry.kind in ("consent", "write")}
    return [
        _skip(contact, None, channel, OPTED_OUT if contact.golden.get(channel) == OUT else OPTED_IN)
        for channel in rules.consents
        if channel in touched
    ]


def _members(rules: Rules, line: Entry) -> Sequence[str]:
    """Name the fields that an entry is about: those of a group."""
    atom = rules.atoms.get(line.field or "")
    return atom.fields if atom is not None else ()


def _names(hub: Hub, name: str) -> tuple[str, ...]:
    atom = hub.rules.atoms.get(name)
    return (name, atom.name) if atom else (name,)


def _take_back_values(
    contact: Contact,
    entries: Sequence[Entry],
    rules: Rules,
    undone: Undone,
    now_ms: int,
    *,
    loser: bool,
    leave: Collection[str],
) -> list[Entry]:
    kind = "lost" if loser else "value"
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind in (kind, "undo") and entry.field is not None and entry.field in rules.atoms:
            found.setdefault(entry.field, []).append(entry)
    lines: list[Entry] = []
    spoken = names.spoken(contact, rules)
    for name in sorted(found):
        group = found[name]
        if not any(e.kind == kind for e in group) or (name in leave and not loser):
            continue
        atom = rules.atoms[name]
        last = next(e for e in reversed(group) if loser is False or e.kind == kind)
        now = atom_value(contact, atom)
        if not all(_fit(rules, atom, each) for each in (group[0], last)):
            undone.skipped.append(_skip(contact, None, name, RETYPED))
            continue
        if atom_key(rules, atom, now) != atom_key(rules, atom, last.new):
            undone.skipped.append(_skip(contact, None, name, "it has changed since"))
            continue
        old = last.old if loser else group[0].old
        if len(atom.fields) > 1:
            old = {**dict.fromkeys(now), **(old or {})}  # what had been blank is cleared, not merely known no more
        put(contact, atom, old, Stamp(OPERATOR, now_ms, now_ms))
        for member in atom.fields:
            contact.held.pop(member, None)
        lines.append(Entry(kind="undo", app=None, record=None, field=name, old=now, new=old, reason=UNDONE))
    return lines + (names.follow(contact, spoken, rules) if names.FULL not in found else [])


def _take_back_writes(
    hub: Hub,
    contact: Contact,
    links: Sequence[Link],
    entries: Sequence[Entry],
    taken: set[str | None],
    undone: Undone,
) -> list[tuple[OpenApp, Contact, Link, dict[str, Change]]]:
    """Find what an app held before our writes, for fields whose contact value did not change in them."""
    restored = []
    for link in links:
        app = hub.apps.get(link.app)
        changes: dict[str, Change] = {}
        writes = [e for e in entries if e.kind == "write" and e.app == link.app and e.record == link.id]
        for name in dict.fromkeys(e.field for e in writes):
            atom = hub.rules.atoms.get(name or "")
            if name is None or atom is None or atom.name in taken or name in taken:
                continue  # a contact value travels by itself; consent is not in `atoms`
            mine = [e for e in writes if e.field == name]
            if link.base.get(name) != mine[-1].new or link.seen is not None:
                undone.skipped.append(_skip(contact, app, name, "it has changed since", link.id))
            elif mine[0].old != mine[-1].new:
                changes[name] = Change(old=link.base[name], new=mine[0].old, reason=UNDONE)
        if changes and app is not None:
            if app.rule.spec.update:
                restored.append((app, contact, link, changes))
            else:
                undone.skipped.append(_skip(contact, app, None, "this app may not be written", link.id))
    return restored


def _edited_since(mine: Sequence[Entry], entire: Sequence[Entry]) -> set[tuple[int | None, str | None]]:
    """Name the records (app, id) into which somebody typed since they were made, by what is not undone as well."""
    made = set[tuple[int | None, str | None]]()
    found = set[tuple[int | None, str | None]]()
    for entry in entire:
        place = entry.app, entry.record
        if entry.kind == "create":
            made.add(place)
            found.discard(place)
        elif place in made and entry.kind in ("value", "lost", "consent") and entry not in mine:
            found.add(place)
    return found


def _take_back_creates(
    tx: Tx,
    hub: Hub,
    contact: Contact,
    links: Sequence[Link],
    entries: Sequence[Entry],
    undone: Undone,
    now_ms: int,
    edited: Collection[tuple[int | None, str | None]],
) -> list[Entry]:
    """Put away what was created, where the app can and nobody has typed into it since (`edited`)."""
    lines: list[Entry] = []
    for entry in entries:
        if entry.kind != "create":
            continue
        link = next((x for x in links if x.app == entry.app and x.id == entry.record), None)
        app = hub.apps.get(entry.app if entry.app is not None else -2)
        if link is None or app is None:
            continue
        if not app.rule.spec.archive:
            undone.skipped.append(
                _skip(contact, app, None, "it was created; this app cannot archive, remove it by hand", link.id)
            )
            continue
        if link.seen is not None or (entry.app, entry.record) in edited:
            undone.skipped.append(_skip(contact, app, None, EDITED, link.id))
            continue
        contact.tombs[app.index] = now_ms
        contact.going[app.index] = OPERATOR
        lines.append(
            Entry(
                kind="undo", app=app.index, record=link.id, field=None, old=None, new=None, reason="created; archived"
            )
        )
        tx.plan_archive(app.index, contact.id)
    return lines


def _skip(
    contact: Contact, app: OpenApp | None, name: str | None, why: str, record: str | None = None
) -> dict[str, Any]:
    place = {"app": app.name if app else None, "record": record}
    return {"contact": f"c{contact.id}", **place, "field": name, "reason": why}


def _write_back(hub: Hub, app: OpenApp, mine: Sequence[tuple[Contact, Link, Mapping[str, Change]]]) -> None:
    """Write what one app held before, and accept it there as its own word for the contact's value."""
    now_ms = hub.world.now_ms()
    rules = hub.rules

    def step(tx: Tx) -> Batch:
        batch = Batch()
        for contact, link, changes in mine:
            intent = Intent(
                app=app.index, kind="update", contact=contact.id, record=link.id, fields=changes, version=link.version
            )
            golden = {
                name: digest_key(
                    rules.fields[name].type.key(value) if (value := contact.golden.get(name)) is not None else None
                )
                for name in changes
            }
            sent = Sent(
                app=app.index,
                contact=contact.id,
                kind="update",
                record=link.id,
                fields={name: change.new for name, change in changes.items()},
                golden=golden,
                version=link.version,
                at_ms=now_ms,
                reasons={name: change.reason for name, change in changes.items()},
            )
            tx.replace_intents([contact.id], [intent])
            batch.sents.append(sent)
            expect = {name: change.old for name, change in changes.items()}
            batch.writes.append(
                Write(kind="update", id=link.id, fields=sent.fields, expect=expect, version=link.version)
            )
        tx.mark_dirty(contact.id for contact, _, _ in mine)  # what else was planned for them is planned again
        mark_sent(tx, app, batch)
        return batch

    size = max(1, app.rule.spec.write_batch)
    everything, mine = list(mine), []
    for start in range(0, len(everything), size):
        mine = everything[start : start + size]
        send(hub, app, hub.world.transact("sent", step))
