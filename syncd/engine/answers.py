"""Answers: write down what happened to each SENT row, as what the app now holds.

Hard rules: the base is what was stored there, never what was sent; whatever was not confirmed stays SENT; anything else
that an answer shows is an observation like any other (SYNC-MODEL 1.5, READ-BACK).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.core.atoms import MISSING, digest_key, value_key
from syncd.core.consent import OUT
from syncd.core.match import ALIAS
from syncd.core.settle import REFUSED, refuse, settle, settle_all
from syncd.core.state import Contact, Entry, EntryKind, Link, Seal, Sent
from syncd.engine.decide import observed, reconsider
from syncd.engine.deletions import keep_edited, leave_name, own_key, unlink, why_archived
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.keys import identity_keys
from syncd.engine.meetings import ask_who
from syncd.engine.returning import gone_rows
from syncd.model import Applied, Raw, Record, Rejected, Result, Unknown
from syncd.store import codec
from syncd.store.codec import KIND_NUMBER, KINDS
from syncd.store.tx import Tx

OPTED_OUT: Final = digest_key(OUT)
ANOTHER: Final = "asked for a new record, the app answered with one that it had; look whether both are one person"
AGAIN: Final = "asked for again"
NOT_SHOWN: Final = "the app does not show this field now; it is written when it is shown again"


def record_results(
    tx: Tx,
    hub: Hub,
    app: OpenApp,
    pairs: Sequence[tuple[Sent, Result]],
    fresh: Mapping[str, Record] | None,
    now_ms: int,
) -> None:
    """Write down what happened to each SENT row. `fresh`: records read again; None when that failed too."""
    ids = [sent.contact for sent, _ in pairs]
    contacts = tx.seals(ids)
    mine = tx.links_in(app.index, ids)
    done = Done(tx, hub, app, now_ms)
    done.known.update(_known_still(tx, hub, app, pairs))
    refused = [
        s.record for s, r in pairs if s.kind == "create" and isinstance(r, Rejected) and r.why == "exists" and s.record
    ]
    done.known.update(tx.marks(app.index, refused) if refused else ())
    for sent, result in pairs:
        contact, link = contacts[sent.contact], mine.get(sent.contact)
        if isinstance(result, Unknown):
            continue
        if isinstance(result, Applied):
            if sent.kind == "archive":
                done.archived(sent, link)
                continue
            record = result.record or (fresh or {}).get(sent.record)
            if record is not None:
                done.wrote(sent, contact, link, record, authored=True)
            continue  # not read back yet: stays SENT, the next look settles it
        _rejected(done, sent, contact, link, result, fresh)
    done.write()


def _known_still(tx: Tx, hub: Hub, app: OpenApp, pairs: Sequence[tuple[Sent, Result]]) -> set[str]:
    """Name the ids that the app drew for new records and that are known. One that its last listing missed, of somebody with
    other keys, was used again (SQLite does so with the last row's): that record is gone, and its person stays who it was.
    """
    made = {
        r.record.id: r.record
        for s, r in pairs
        if s.kind == "create" and isinstance(r, Applied) and r.record is not None
    }
    known = tx.marks(app.index, sorted(made.keys() - {sent.record for sent, _ in pairs}))
    gone = []
    for id_ in sorted(id_ for id_, mark in known.items() if mark.misses and mark.contact is not None):
        link = tx.link(app.index, id_)
        shown = identity_keys(made[id_].fields, app.rule, hub.rules)
        if link is not None and set(shown).isdisjoint(identity_keys(link.base, app.rule, hub.rules)):
            gone.append(id_)
    if gone:
        app.counts["unlinked"] += unlink(tx, hub, app, gone)
    return known.keys() - set(gone)


def _rejected(
    done: Done,
    sent: Sent,
    contact: Seal,
    link: Link | None,
    result: Rejected,
    fresh: Mapping[str, Record] | None,
) -> None:
    if result.why == "busy":
        done.unsent.append(sent)
    elif result.why == "exists" and sent.kind == "create":
        there = (fresh or {}).get(sent.record)
        if there is not None:
            done.wrote(sent, contact, link, there, authored=False)  # the id was drawn by us: an earlier try arrived
        elif fresh is not None:
            done.refused(sent, contact, link, result)
    elif result.why in ("moved", "exists"):
        there = (fresh or {}).get(sent.record)
        if result.why == "exists" and there is not None and link is not None and _as_planned(sent, link, there):
            done.refused(sent, contact, link, result)  # another record has this value: asking again changes nothing
        elif fresh is not None:
            done.moved(sent, link, there)
    elif result.why == "gone":
        done.gone(sent)
    else:
        done.refused(sent, contact, link, result)


def not_shown(tx: Tx, app: OpenApp, hidden: Sequence[tuple[Sent, Sequence[str]]]) -> None:
    """Note which fields were left out of writes; the record is looked at in full by the next listing."""
    links = tx.links_in(app.index, [sent.contact for sent, _ in hidden])
    for sent, names in hidden:
        if sent.contact in links:
            links[sent.contact].flaws.update(dict.fromkeys(names, NOT_SHOWN))
    tx.save_links(links.values())
    app.reread = True
    tx.forget_reading(app.index, [link.id for link in links.values()])
    nothing = [sent.contact for sent, names in hidden if len(names) == len(sent.fields)]
    tx.drop_intents(app.index, KIND_NUMBER["update"], nothing)


def _as_planned(sent: Sent, link: Link, there: Record) -> bool:
    """Say whether a record still is as it was when the write was planned."""
    return all(there.fields.get(name, MISSING) == link.base.get(name, MISSING) for name in sent.fields)


def _arrived(sent: Sent, record: Record) -> bool:
    """Say whether an in-doubt write is there to be seen: all of it for an update, the record itself for a create."""
    return sent.kind == "create" or all(record.fields.get(name, MISSING) == raw for name, raw in sent.fields.items())


class Done:
    """What the answers to one batch leave to be written; page-wise, in the caller's transaction."""

    def __init__(self, tx: Tx, hub: Hub, app: OpenApp, now_ms: int) -> None:
        self.tx, self.hub, self.app, self.now_ms = tx, hub, app, now_ms
        self.known: set[str] = set()
        """Of the records that answers to creates show, those that were there before."""
        self.settled: list[Sent] = []
        self.unsent: list[Sent] = []
        self.saved: list[Link] = []
        self.fresh: list[dict[str, object]] = []
        self.digests: list[dict[str, object]] = []
        self.keys: list[dict[str, object]] = []
        self.old_keys: list[dict[str, Any]] = []
        self.rekeyed: list[int] = []
        """Contacts of which a record has other keys now, by our own write."""
        self.freed: set[bytes] = set()  # keys of records that were put away
        self.dirty: set[int] = set()
        self.changed: dict[int, Contact] = {}
        self.missing: list[str] = []
        self.journal: list[tuple[Contact | Seal, list[Entry]]] = []

    def wrote(self, sent: Sent, contact: Seal, link: Link | None, record: Record, *, authored: bool) -> None:
        """Record what the app now holds as the base of what we sent; anything else in it is an observation."""
        if link is None and record.id in self.known:
            self._another(sent, contact, record)
            return
        known, record = link is not None, self.hub.partly(record)
        if link is None:
            self.known.add(record.id)
            link = Link(app=sent.app, id=record.id, contact=contact.id)
        if not known and authored and self._as_sent(sent, record):
            self._made(sent, contact, link, record)
            return
        observed(link, record.fields, record.version, self.now_ms)
        assert link.seen is not None
        before = dict(link.base)
        entries = written(sent, record.id, link.base) if authored or _arrived(sent, record) else []
        entries += (
            settle(link, sent, self.app.rule, self.hub.rules, authored=True)
            if authored
            else settle_all(link, [sent], self.app.rule, self.hub.rules, self.now_ms)
        )
        unseen = {name: raw for name, raw in sent.fields.items() if name not in record.fields}
        if unseen and sent.kind == "update":
            self.tx.mark_sent([replace(sent, fields=unseen)])  # not settled: nobody knows how the app spells it
        else:
            self.settled.append(sent)
        created = sent.kind == "create" and authored
        for name, raw in record.fields.items():
            if created and name not in sent.fields and raw in (None, "", [], {}):
                link.base[name] = raw  # blank in a record that we made: no opinion, nothing to merge
        if any(link.base.get(name, MISSING) != raw for name, raw in record.fields.items()):
            self.dirty.add(contact.id)
            self._index(link, record)
        else:
            link.version, link.at_ms, link.seen = record.version, self.now_ms, None
        self._keep(link, record, known=known)
        if known:
            self._rekey(contact, link, before)
        if entries:
            self.journal.append((contact, entries))

    def _as_sent(self, sent: Sent, record: Record) -> bool:
        """Say whether an app shows all that was sent, or another spelling of it that it means the same by (67 for "67")."""
        for name, want in sent.fields.items():
            raw = record.fields.get(name, MISSING)
            if raw == want:
                continue
            lens = self.app.rule.lenses.get(name) if name in self.hub.rules.fields else None
            if lens is None or raw is MISSING or name in sent.golden:
                return False
            meant = value_key(self.hub.rules, name, lens.parse(want))
            if meant is None or meant != value_key(self.hub.rules, name, lens.parse(raw)):
                return False
        return True

    def _another(self, sent: Sent, contact: Seal, record: Record) -> None:
        """Take nobody else's record for the one that was asked for; it is read in full again, as it may have been changed."""
        self.refused(sent, contact, None, Rejected(why="exists", existing=record.id, message=ANOTHER))
        self.tx.forget_reading(self.app.index, [record.id])
        self.app.reread = True

    def _made(self, sent: Sent, contact: Seal, link: Link, record: Record) -> None:
        """Record a new record of ours that holds just what we sent; what else it shows is blank or the app's own."""
        link.base, link.version, link.at_ms = record.fields, record.version, self.now_ms
        own = {n: raw for n, raw in record.fields.items() if n not in sent.fields and raw not in (None, "", [], {})}
        if own:
            link.base = {n: raw for n, raw in record.fields.items() if n not in own}
            observed(link, record.fields, record.version, self.now_ms)
            self.dirty.add(contact.id)
        self._keep(link, record, known=False)
        self.settled.append(sent)
        self.journal.append((contact, written(sent, record.id, {})))

    def _rekey(self, contact: Seal, link: Link, before: Mapping[str, Raw]) -> None:
        """Let a record be found by the keys that we gave it, and the contact still by those that it had."""
        rule, rules = self.app.rule, self.hub.rules
        names = rules.identity | {"email"}
        if all(before.get(name) == link.base.get(name) for name in sorted(names)):
            return
        old, new = identity_keys(before, rule, rules), identity_keys(link.base, rule, rules)
        for key in old:
            if key not in new:
                self.old_keys.append({"k_key": key, "k_app": link.app, "k_record": link.id})
                self.keys.append({"key": key, "app": ALIAS, "record": str(contact.id)})
        self.keys += [{"key": key, "app": link.app, "record": link.id} for key in new if key not in old]
        self.rekeyed.append(contact.id)

    def _index(self, link: Link, record: Record) -> None:
        """Let a record be found at once by keys that somebody gave it meanwhile: nobody is created beside it."""
        rule, rules = self.app.rule, self.hub.rules
        old = identity_keys(link.base, rule, rules)
        new = identity_keys({**link.base, **record.fields}, rule, rules)
        self.keys += [{"key": key, "app": link.app, "record": link.id} for key in new if key not in old]

    def _keep(self, link: Link, record: Record, *, known: bool) -> None:
        digest = self._digest(record)
        if known:
            self.saved.append(link)
            self._left(link, record, digest)
            return
        self.fresh.append(
            {
                "app": link.app,
                "id": link.id,
                "contact": link.contact,
                "version": link.version,
                "digest": digest,
                "at_ms": self.now_ms,
                "problem": None,
                "doc": codec.link_doc(link),
                "seen": codec.seen_doc(link.seen) if link.seen else None,
            }
        )
        if link.flaws or link.unheard:
            self.saved.append(link)  # which says so where records are counted
        for key in identity_keys(record.fields, self.app.rule, self.hub.rules):
            self.keys.append({"key": key, "app": link.app, "record": link.id})

    def moved(self, sent: Sent, link: Link | None, record: Record | None) -> None:
        """Somebody was faster: forget the plan, observe what is there, plan again."""
        self.settled.append(sent)
        if record is None:
            self.missing.append(sent.record)
        elif link is not None:
            record = self.hub.partly(record)
            observed(link, record.fields, record.version, self.now_ms)
            self._index(link, record)
            self.saved.append(link)
            self._left(link, record, self._digest(record))
            if sent.kind == "archive":
                self.changed.update(keep_edited(self.tx, self.hub, self.app, sent.contact))
        self.dirty.add(sent.contact)

    def _left(self, link: Link, record: Record, digest: bytes) -> None:
        """Note what the record is now. It may have been mended since it was parked."""
        self.digests.append({"k_app": link.app, "k_id": link.id, "digest": digest, "problem": record.problem})

    def _digest(self, record: Record) -> bytes:
        """Name what was read; nothing, so that it is read in full next time, where only a part was looked at."""
        return codec.digest(record.fields, None) if self.hub.part is None else b""

    def gone(self, sent: Sent) -> None:
        """The record is not there: the next read decides about that; it is never created again from here."""
        self.settled.append(sent)
        self.missing.append(sent.record)

    def archived(self, sent: Sent, link: Link | None) -> None:
        """The app put the record away: the link ends here, as that of a record which people removed."""
        self.settled.append(sent)
        if link is None:
            return
        tx, keys = self.tx, identity_keys(link.base, self.app.rule, self.hub.rules)
        tx.drop_keys([{"k_key": key, "k_app": link.app, "k_record": link.id} for key in keys])
        tx.forget_record(link.app, link.id)
        self.keys += gone_rows(link.app, link, keys)  # a feed may be behind, or the app be restored from a backup
        for contact in tx.contacts([sent.contact]).values():
            rest = tx.links_of([contact.id])[contact.id]
            self.freed.update((*keys, *own_key(contact, self.hub), *leave_name(tx, contact, keys, (), rest)))
            if not rest:
                tx.close_cases(contact.id, self.now_ms)  # nothing is left that could be decided
            self.journal.append((contact, written(sent, link.id, {}, why_archived(self.hub, contact, link))))
            if contact.going.pop(link.app, None) is not None:
                self.changed[contact.id] = contact

    def refused(self, sent: Sent, contact: Seal, link: Link | None, result: Rejected) -> None:
        """The app refuses these values for good: park exactly them, until they change. Opt-outs are told again each run."""
        told_again = OPTED_OUT in sent.golden.values() and sent.kind == "consent"
        if sent.kind == "create" and sent.reasons.get("") == AGAIN:
            self.tx.mark_sent([replace(sent, reasons={"": REFUSED})])  # not settled: the first try may still arrive
        else:
            (self.unsent if told_again else self.settled).append(sent)
        why = result.message or "the app refuses this"
        if link is None and result.why == "exists" and why != ANOTHER:
            why = f"{why}: another record there has this key"
        if link is None:
            whole = self.tx.contacts([contact.id])[contact.id]
            whole.refused[sent.app] = why
            self.changed[contact.id] = whole
        else:
            named = result.field is not None and result.field in sent.fields
            refuse(link, sent, [str(result.field)] if named else list(sent.fields), why)
            self.saved.append(link)
            if not told_again:
                self.dirty.add(contact.id)  # the other fields of the same write are planned again
        entry = Entry(
            kind="note", app=sent.app, record=sent.record or None, field=result.field, old=None, new=None, reason=why
        )
        self.journal.append((contact, [entry]))

    def write(self) -> None:
        """Write it all down."""
        tx, app = self.tx, self.app.index
        tx.insert_records(self.fresh)
        tx.save_links(self.saved)
        tx.set_digests(self.digests)
        tx.drop_keys(self.old_keys)
        tx.add_keys(self.keys)
        tx.save_contacts(self.changed.values())
        freed = tx.holders(sorted({row["k_key"] for row in self.old_keys})) if self.old_keys else {}
        left_behind = {h.contact for held in freed.values() for h in held if h.contact is not None and h.app >= 0}
        self.dirty.update(left_behind)
        for kind in KINDS:
            number = KIND_NUMBER[kind]
            tx.drop_intents(app, number, [s.contact for s in self.settled if s.kind == kind])
            tx.unsend(app, number, [s.contact for s in self.unsent if s.kind == kind])
        if self.hub.narrowed:
            self.dirty.update(s.contact for s in self.settled)  # only a part of what they need
        if self.missing:
            listed = [id_ for id_, mark in tx.marks(app, self.missing).items() if not mark.misses]
            tx.strike(app, self.missing, 2)
            self.app.missed.update(listed if self.app.pulled else ())
            self.app.struck = not self.hub.narrowed
        tx.mark_dirty(sorted(self.dirty))
        tx.write_journal(self.hub.run, self.now_ms, self.journal)
        left_behind.update(reconsider(tx, self.freed, (), self.now_ms) if self.freed else ())
        ask_who(tx, self.hub, sorted({*self.rekeyed, *left_behind}), self.now_ms)


def written(sent: Sent, record: str, base: Mapping[str, Raw], why: str | None = None) -> list[Entry]:
    """Describe a write that happened. `base`: what the app held before. `why`: of a whole record."""
    whole: dict[str, EntryKind] = {"create": "create", "archive": "archive"}
    if sent.kind in whole:
        kind = whole[sent.kind]
        return [Entry(kind=kind, app=sent.app, record=record, field=None, old=None, new=None, reason=why or kind)]
    return [
        Entry(
            kind="write",
            app=sent.app,
            record=record,
            field=name,
            old=base.get(name),
            new=new,
            reason=sent.reasons.get(name, ""),
        )
        for name, new in sent.fields.items()
    ]
