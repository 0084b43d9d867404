"""Records that come back: an id that an app did not have any more, and has again (SYNC-MODEL 1.11, undelete), and those that take
the place of one that is gone.

What was agreed on with the record stays agreed, so that its return is no flood of edits in the app's own spelling. An id
alone proves nothing, for some apps give the id of a removed record to somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from syncd.core.atoms import value_key
from syncd.core.fields import Invalid
from syncd.core.former import former
from syncd.core.match import GONE, id_key
from syncd.core.rules import AppRule, Rules
from syncd.core.settle import degraded
from syncd.core.state import Contact, Entry, Link, Sent
from syncd.engine.keys import identity_keys
from syncd.model import Raw
from syncd.store.tx import Tx

CAME_BACK: Final = "a record with this id was removed, and now it shows another address: it may be the same person"
OURS: Final = b"ours"
"""Stands for all keys of a record under an id that we drew: whatever it shows, it is whom we asked for."""
HERE_ALREADY: Final = "a record with this id was removed, and its person has another record in this app now"
SOMEBODY_ELSE: Final = "the app shows somebody else under this id; a person is asked whose it is"
IN_DOUBT: Final = "written without an answer, and the record was gone when it was looked for"
NAMES: Final = ("first_name", "last_name", "full_name")
WHO: Final = ("email", "phone", "mobile", *NAMES)
"""Fields by which people are known. Of those that are filled before and after all differ where it is somebody else, but for:"""
NUMBERS: Final = ("phone", "mobile")
"""Whoever follows somebody at a desk has their number; it stands for the same person only where the names are alike."""
ALIKE: Final = 0.8
"""How much of names stays where they were misspelt (1: all of it)."""
CHARS_MAX: Final = 100
"""So much of names is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What a record leaves to the one that takes its place, or to itself when it comes back."""

    contact: Contact
    base: Mapping[str, Raw]
    past: Sequence[Entry]
    """The journal of its contact."""
    acks: Mapping[str, list[Any]] = field(default_factory=dict)
    late: Sequence[Sent] = ()
    """What may have been written into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Whose a record was, and what it held when it was gone."""

    estate: Estate
    apps: Collection[int]
    """Where the contact has a record now."""
    last: Collection[bytes] = ()
    """Keys that it shows again, and that it showed last, though nobody had merged them."""

    @property
    def contact(self) -> int:
        return self.estate.contact.id

    def is_shown_by(self, shown: Mapping[str, Raw], app: AppRule, rules: Rules) -> bool:
        """Say whether these fields are of the same person: they have the same keys or, where there are none, are all the
        same. A row without an address whose number is used again has no keys either. Keys that were read last count as well.
        """
        keys, base = identity_keys(shown, app, rules), self.estate.base
        if OURS in self.last or (keys and all(key in self.last for key in keys)):
            return True
        if keys or not base:
            return bool(base) and keys == identity_keys(base, app, rules)
        return _filled(shown) == _filled(base)


def inherit(link: Link, estate: Estate, app: AppRule, rules: Rules) -> None:
    """Give a record that is not merged yet the base of the one whose place it takes, where it shows the same or was edited, and
    what may have been written into that one. What it does not fill was not cleared; the rest is merged like any first contact.
    """
    assert link.seen is not None
    base = estate.base
    link.late = [*estate.late]
    link.base = {name: raw for name, raw in link.seen.fields.items() if raw and base.get(name) == raw}
    link.acks = {name: ack for name, ack in estate.acks.items() if name in link.base and len(ack) == 2}  # no refusals
    link.base |= {name: base[name] for name in _edited(link, estate, app, rules)}


def _edited(link: Link, estate: Estate, app: AppRule, rules: Rules) -> list[str]:
    """Name the fields that show what somebody typed since the other record was agreed on: neither a poorer spelling of that, nor
    what may be the app's word for what we wrote, nor what was there before, or was read before the contact got its value. Of a
    group it is all or nothing; and nobody can tell what is missing in a set from what was never typed.
    """
    assert link.seen is not None
    base, shown, stamps = estate.base, link.seen.fields, estate.contact.stamps
    old = {name for sent in estate.late for name in sent.fields}
    old.update(former(replace(link, base={**base}), app, estate.past, rules).fields)
    old.update(name for name, stamp in stamps.items() if stamp.hi_ms > link.at_ms)
    old.update(name for name, raw in shown.items() if degraded(base.get(name), raw))
    found: list[str] = []
    for atom in {each.name: each for each in rules.atoms.values()}.values():
        members = [name for name in atom.fields if _is_filled(base, name, app) or _is_filled(shown, name, app)]
        news = [name for name in members if name in base and base[name] != shown.get(name)]
        whole = all(_is_filled(shown, name, app) for name in members)
        if whole and atom.rule.policy != "set" and old.isdisjoint(news):
            found += news
    return found


def _is_filled(fields: Mapping[str, Raw], name: str, app: AppRule) -> bool:
    """Say whether a field that its app is read for holds a value."""
    value = app.lenses[name].parse(fields.get(name)) if name in app.lenses else None
    return value is not None and type(value) is not Invalid


def shows_somebody_else(tx: Tx, link: Link, contact: Contact, app: AppRule, rules: Rules) -> bool:
    """Say whether a record of an app that uses ids again shows another address and another name than it did, nothing of what
    its contact is known by, and no address that it had before. Of whom there is no name, or no key, too little is known.
    A number that stays is enough where the names are alike, and not where they are other ones.
    """
    if link.seen is None or not link.base or not app.spec.reuses_ids:
        return False
    keys, before = identity_keys(link.seen.fields, app, rules), identity_keys(link.base, app, rules)
    if not keys or not before or not set(keys).isdisjoint(before):
        return False
    names: list[tuple[str, str]] = []
    number = False
    for name in (name for name in WHO if name in app.lenses and name in rules.fields):
        parse = app.lenses[name].parse
        now, was = (value_key(rules, name, parse(each.get(name))) for each in (link.seen.fields, link.base))
        if now is None or was is None:
            continue
        if now in (was, value_key(rules, name, contact.golden.get(name))):
            if name not in NUMBERS:
                return False
            number = True
        elif name in NAMES:
            names.append((str(was), str(now)))
    if not names or (number and _alike(names)):
        return False
    return set(keys).isdisjoint(tx.aliases([contact.id]).get(contact.id, ()))


def _alike(names: Sequence[tuple[str, str]]) -> bool:
    """Say whether half of the words of these names (before, after) stayed, as at a marriage or where columns were swapped, or
    nearly all of their letters.
    """
    was, now = ([word for name in each for word in name.casefold().split()] for each in zip(*names, strict=True))
    stayed = len({*was} & {*now})
    return 2 * stayed >= min(len({*was}), len({*now})) or _near(" ".join(was), " ".join(now))


def _near(was: str, now: str) -> bool:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, was[:CHARS_MAX], now[:CHARS_MAX]).ratio() >= ALIKE


def moved(tx: Tx, links: Iterable[Link], app: AppRule, rules: Rules) -> set[str]:
    """Name the records that show, as they did not before, the key of somebody else's record in their app."""
    new = {
        link.id: (
            link,
            set(identity_keys(link.seen.fields, app, rules)).difference(identity_keys(link.base, app, rules)),
        )
        for link in links
        if link.seen is not None and link.base
    }
    asked = sorted({key for _, keys in new.values() for key in keys})
    holders = tx.holders(asked) if asked else {}
    return {
        id_
        for id_, (link, keys) in new.items()
        for key in keys
        for holder in holders.get(key, ())
        if holder.app == app.index and holder.record != id_ and holder.contact not in (None, link.contact)
    }


def parted(tx: Tx, contact: int) -> dict[tuple[int, str], dict[str, Raw]]:
    """Give what was agreed on with the records that were parted from a contact as they showed somebody else: (app, id) -> base."""
    unlinked = [entry for entry in tx.journal_entries([contact], None, None).get(contact, ()) if entry.kind == "unlink"]
    last = {(entry.app, entry.record): entry for entry in unlinked}
    return {
        (app, record): entry.old
        for (app, record), entry in last.items()
        if app is not None and record is not None and entry.reason == SOMEBODY_ELSE and isinstance(entry.old, dict)
    }


def take_places(tx: Tx, app: AppRule, links: Iterable[Link], rules: Rules) -> None:
    """Let records that turned up for somebody who had another one in this app take its place: a feed may tell of the end of
    records that were merged before it tells what became of them. Changes `links`. Consent is said anew by every record.
    """
    mine = {link.contact: link for link in links if link.seen is not None and not (link.base or link.late)}
    if not mine or not tx.any_gone():
        return
    lost = {number: contact for number, contact in tx.contacts(sorted(mine)).items() if app.index in contact.tombs}
    for number, entries in (tx.journal_entries([*lost], None, None) if lost else {}).items():
        base, late = _last_held(entries, app)
        base = {name: raw for name, raw in base.items() if name not in rules.consents}
        inherit(mine[number], Estate(contact=lost[number], base=base, past=entries, late=late), app, rules)


def _last_held(
    entries: Iterable[Entry], app: AppRule, record: str | None = None
) -> tuple[Mapping[str, Raw], list[Sent]]:
    """Give what a record (else the last one of its contact in this app) held when it was gone, and what may have been written."""
    base: Mapping[str, Raw] = {}
    late: list[Sent] = []
    doubts: list[Entry] = []
    for entry in entries:
        if entry.app != app.index or record not in (None, entry.record):
            continue
        if entry.reason == IN_DOUBT:
            doubts.append(entry)
        elif entry.kind == "unlink":
            base = entry.old if isinstance(entry.old, dict) else {}
            late, doubts = [_sent(each, app) for each in doubts], []
    return base, late


def in_doubt(link: Link) -> list[Entry]:
    """Write down what may have been written into a record that is gone, should it come back, or another one take its place."""
    return [
        Entry(kind="note", app=link.app, record=link.id, field=name, old=link.base.get(name), new=raw, reason=IN_DOUBT)
        for sent in link.late
        for name, raw in sent.fields.items()
    ]


def _sent(doubt: Entry, app: AppRule) -> Sent:
    return Sent(
        app=app.index,
        contact=0,
        kind="update",
        record=str(doubt.record),
        fields={str(doubt.field): doubt.new},
        golden={},
        version=None,
        at_ms=0,
    )


def gone_rows(app: int, link: Link, last: Collection[bytes]) -> list[dict[str, Any]]:
    """Make what remembers that an app has no record of this id any more. `last`: its keys of which nobody knows otherwise."""
    keys = [id_key(app, link.id), *(id_key(app, link.id, key) for key in sorted(last))]
    return [{"key": key, "app": GONE, "record": str(link.contact or 0)} for key in keys]


def came_back(tx: Tx, app: AppRule, links: Sequence[Link], rules: Rules) -> dict[str, Former]:
    """Find those of these records whose id was gone, and who was somebody then: the last one who still is."""
    if not tx.any_gone():
        return {}
    ids = {id_key(app.index, link.id): link.id for link in links}
    gone = {
        ids[key]: {h.contact for h in held if h.app == GONE and h.contact}
        for key, held in tx.holders(sorted(ids)).items()
    }
    known = tx.contacts(sorted(set().union(*gone.values())))
    owners = {id_: max(mine & known.keys()) for id_, mine in gone.items() if mine & known.keys()}
    decided = sorted({number for number in owners.values() if not known[number].review})
    there, journal = tx.link_apps(decided), tx.journal_entries(decided, None, None)
    again = {link.id: _again(app, link, rules) for link in links if owners.get(link.id) in decided}
    shown_last = tx.holders(sorted({key for keys in again.values() for key in keys}))
    found = {}
    for id_, number in owners.items():
        if not known[number].review:
            past = journal.get(number, [])
            base, late = _last_held(past, app, id_)
            estate = Estate(contact=known[number], base=base, past=past, late=late)
            read = [k for asked, k in again[id_].items() if any(h.contact == number for h in shown_last.get(asked, ()))]
            found[id_] = Former(estate=estate, apps=there.get(number, ()), last=read)
    return found


def _again(app: AppRule, link: Link, rules: Rules) -> dict[bytes, bytes]:
    """Name what remembers the keys that a record shows, should it have shown them last: what remembers it -> key."""
    shown = link.seen.fields if link.seen is not None else link.base
    return {id_key(app.index, link.id, key): key for key in (OURS, *identity_keys(shown, app, rules))}


def _filled(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    return {name: raw for name, raw in fields.items() if raw not in (None, "", [], {})}
