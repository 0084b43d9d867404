"""Apply: send what the plan says, one page at a time: SENT is durable before the request leaves, and every answer is
recorded as what the app now holds (SYNC-MODEL 1.5-1.8).

Hard rules: never across a transaction; never repeat what may have happened; whatever was not confirmed stays SENT.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.consent import consent_intents
from syncd.core.merge import MISSING, digest_key, settle
from syncd.core.plan import create_intent, may_create, update_intent
from syncd.core.state import Contact, Entry, EntryKind, Intent, Link, Sent
from syncd.engine.decide import observed
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.pull import identity_keys
from syncd.errors import SyncdError, TransientError
from syncd.model import Applied, Raw, Record, Rejected, Result, Unknown, Write
from syncd.store import codec
from syncd.store.codec import KIND_NUMBER, KINDS
from syncd.store.tx import Tx

UNKNOWNS_MAX = 3
"""So many answers that nobody understands, and the app is left alone for this run."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """Writes that are SENT and about to leave."""

    sents: list[Sent] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    last: int = 0
    """The last contact that was looked at; 0: there is nothing left."""


def apply_app(hub: Hub, app: OpenApp, only: frozenset[tuple[str, int]] | None = None) -> int:
    """Send everything that is planned for one app, consent first; says how many writes left.

    `only`: (kind, contact) pairs; nothing else is sent.
    """
    total = 0
    for kind in KINDS:
        if kind == "create" and not hub.covered:
            continue
        after = 0
        while app.usable:
            batch = _prepare(hub, app, KIND_NUMBER[kind], after, only)
            if not batch.last:
                break
            after = batch.last
            if batch.writes:
                total += len(batch.writes)
                send(hub, app, batch)
    return total


def _prepare(hub: Hub, app: OpenApp, kind: int, after: int, only: frozenset[tuple[str, int]] | None) -> Batch:
    """Plan one batch again on committed state (LATE-CHECK) and mark it SENT, with its journal."""
    now_ms = hub.world.now_ms()
    assert app.app is not None
    opened = app.app
    count_max = min(opened.spec.write_batch, 1000)

    def step(tx: Tx) -> Batch:
        rows = tx.new_intents(app.index, kind, after, count_max)
        if not rows:
            return Batch()
        ids = [row.contact for row in rows if only is None or (KINDS[kind], row.contact) in only]
        create = KINDS[kind] == "create"
        contacts, links = tx.contacts(ids), {} if create else tx.links_of(ids)
        apps = tx.link_apps(ids) if create else {}
        batch, moot = Batch(last=rows[-1].contact), []
        for row in rows:
            contact = contacts.get(row.contact)
            if contact is None:
                continue
            if create:
                intent = create_now(hub, app, contact, apps.get(contact.id, ()))
            else:
                intent = intent_now(hub, app, kind, contact, links[contact.id])
            if intent is None:
                moot.append(contact.id)
                continue
            drawn = row.record or (opened.new_id(hub.world.draw(8).hex()) if kind == KIND_NUMBER["create"] else "")
            sent = _sent(hub, app, contact, intent, drawn, now_ms)
            batch.sents.append(sent)
            batch.writes.append(_write(intent, sent))
        tx.drop_intents(app.index, kind, moot)
        tx.mark_sent(batch.sents)
        return batch

    return hub.world.transact("sent", step)


def intent_now(hub: Hub, app: OpenApp, kind: int, contact: Contact, links: Sequence[Link]) -> Intent | None:
    """Compute one intent from what is committed now; None when there is nothing to do (any more, or not yet)."""
    if KINDS[kind] == "create":
        return create_now(hub, app, contact, [link.app for link in links])
    link = next((link for link in links if link.app == app.index), None)
    if link is None or link.seen is not None:
        return None
    if KINDS[kind] == "consent":
        return next(iter(consent_intents(contact, {app.index: link}, hub.rules)), None)
    if KINDS[kind] == "archive":
        return Intent(
            app=app.index, kind="archive", contact=contact.id, record=link.id, fields={}, version=link.version
        )
    return None if contact.review else update_intent(contact, link, app.rule, hub.rules)


def create_now(hub: Hub, app: OpenApp, contact: Contact, apps: Collection[int]) -> Intent | None:
    """Describe the record that this contact gets in an app now; None when it gets none. `apps`: where it has one."""
    if app.index in apps or not may_create(contact, apps, app.rule):
        return None
    return create_intent(contact, app.rule, hub.rules)


def _sent(hub: Hub, app: OpenApp, contact: Contact, intent: Intent, drawn: str, now_ms: int) -> Sent:
    golden = {}
    create = intent.kind == "create"
    for name in intent.fields:
        if create and not app.rule.lenses[name].truncate:
            continue  # what was sent says it all; only a cut value does not tell which value it was
        rule = hub.rules.fields.get(name)
        kind = rule.type if rule else hub.rules.consents.get(name)
        value = contact.golden.get(name)
        golden[name] = digest_key(kind.key(value) if kind and value is not None else value)
    return Sent(
        app=app.index,
        contact=contact.id,
        kind=intent.kind,
        record=intent.record or drawn,
        fields={name: change.new for name, change in intent.fields.items()},
        golden=golden,
        version=intent.version,
        at_ms=now_ms,
        reasons={} if create else {name: change.reason for name, change in intent.fields.items()},
    )


def _write(intent: Intent, sent: Sent) -> Write:
    return Write(
        kind=intent.kind,
        id=sent.record,
        fields=sent.fields,
        expect={name: change.old for name, change in intent.fields.items()} if intent.kind != "create" else {},
        version=intent.version,
    )


def written(sent: Sent, record: str, base: Mapping[str, Raw]) -> list[Entry]:
    """Describe a write that happened. `base`: what the app held before."""
    whole: dict[str, EntryKind] = {"create": "create", "archive": "archive"}
    if sent.kind in whole:
        kind = whole[sent.kind]
        return [Entry(kind=kind, app=sent.app, record=record, field=None, old=None, new=None, reason=kind)]
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


def send(hub: Hub, app: OpenApp, batch: Batch) -> None:
    """Let a SENT batch leave and record every answer."""
    assert app.app is not None
    opened = app.app
    try:
        if opened.spec.lost_update != "cas":
            _look_first(hub, app, batch)
        results = hub.world.call(app.name, "write", opened.write, batch.writes) if batch.writes else []
    except SyncdError as error:  # a connector should have said Unknown; the same to us
        hub.fail(app, error)
        return
    if len(results) != len(batch.writes):
        results = [Unknown(message="the connector answered for another number of writes")] * len(batch.writes)
    pairs = list(zip(batch.sents, results, strict=True))
    reread = [s.record for s, r in pairs if _must_read(s, r)]
    fresh: dict[str, Record] | None = {}
    if reread:
        try:
            fresh = hub.world.call(app.name, "get", opened.get, reread)
        except SyncdError as error:
            hub.fail(app, error)
            fresh = None
    now_ms = hub.world.now_ms()
    hub.world.transact("result", record_results, hub, app, pairs, fresh, now_ms)
    _tally(hub, app, pairs)


def _look_first(hub: Hub, app: OpenApp, batch: Batch) -> None:
    """Read again, right before the write, what an app without conditional writes would overwrite unseen.

    What has changed is not sent; the window that is left is one round trip (SYNC-MODEL 1.8).
    """
    assert app.app is not None
    ids = [write.id for write in batch.writes if write.kind in ("update", "consent")]
    if not ids:
        return
    there = hub.world.call(app.name, "get", app.app.get, ids)
    stale = [place for place, write in enumerate(batch.writes) if write.id in ids and _stale(write, there)]
    if stale:
        moved = [batch.sents[place] for place in stale]
        now_ms = hub.world.now_ms()
        pairs: list[tuple[Sent, Result]] = [(sent, Rejected(why="moved")) for sent in moved]
        hub.world.transact("moved", record_results, hub, app, pairs, there, now_ms)
        keep = [place for place in range(len(batch.writes)) if place not in stale]
        batch.sents, batch.writes = [batch.sents[p] for p in keep], [batch.writes[p] for p in keep]


def _stale(write: Write, there: Mapping[str, Record]) -> bool:
    record = there.get(write.id)
    return record is None or any(record.fields.get(name, MISSING) != raw for name, raw in write.expect.items())


def _must_read(sent: Sent, result: Result) -> bool:
    if isinstance(result, Applied):
        return result.record is None and bool(sent.record) and sent.kind != "archive"
    return isinstance(result, Rejected) and result.why in ("moved", "exists") and bool(sent.record)


def _tally(hub: Hub, app: OpenApp, pairs: Sequence[tuple[Sent, Result]]) -> None:
    names = {"create": "created", "update": "updated", "consent": "consents", "archive": "archived"}
    unknown = 0
    for sent, result in pairs:
        if isinstance(result, Applied):
            app.counts[names[sent.kind]] += 1
            if sent.kind == "update" and any(value in (None, "") for value in sent.fields.values()):
                app.counts["cleared"] += 1
        elif isinstance(result, Unknown):
            unknown += 1
        elif result.why in ("invalid", "readonly"):
            app.counts["parked"] += 1
        elif result.why == "busy" and app.error is None:
            hub.fail(app, TransientError(result.message or "the app is busy; nothing was executed"))
    if unknown > UNKNOWNS_MAX and app.error is None:
        hub.fail(app, TransientError("several writes got no clear answer; they are looked up at the next run"))


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
    mine = {link.contact: link for links in tx.links_of(ids).values() for link in links if link.app == app.index}
    done = Done(tx, hub, app, now_ms)
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


def _rejected(
    done: Done,
    sent: Sent,
    contact: Contact,
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
        if fresh is not None:
            done.moved(sent, link, fresh.get(sent.record))
    elif result.why == "gone":
        done.gone(sent)
    else:
        done.refused(sent, contact, link, result)


def _arrived(sent: Sent, record: Record) -> bool:
    """Say whether an in-doubt write is there to be seen: all of it for an update, the record itself for a create."""
    return sent.kind == "create" or all(record.fields.get(name, MISSING) == raw for name, raw in sent.fields.items())


class Done:
    """What the answers to one batch leave to be written; page-wise, in the caller's transaction."""

    def __init__(self, tx: Tx, hub: Hub, app: OpenApp, now_ms: int) -> None:
        self.tx, self.hub, self.app, self.now_ms = tx, hub, app, now_ms
        self.settled: list[Sent] = []
        self.unsent: list[Sent] = []
        self.saved: list[Link] = []
        self.fresh: list[dict[str, object]] = []
        self.digests: list[dict[str, object]] = []
        self.keys: list[dict[str, object]] = []
        self.dirty: set[int] = set()
        self.changed: dict[int, Contact] = {}
        self.missing: list[str] = []
        self.journal: list[tuple[Contact, list[Entry]]] = []

    def wrote(self, sent: Sent, contact: Contact, link: Link | None, record: Record, *, authored: bool) -> None:
        """Record what the app now holds as the base of what we sent; anything else in it is an observation."""
        known = link is not None
        if link is None:
            link = Link(app=sent.app, id=record.id, contact=contact.id)
        if not known and authored and record.fields.items() >= sent.fields.items():
            self._made(sent, contact, link, record)
            return
        observed(link, record.fields, record.version, self.now_ms)
        assert link.seen is not None
        entries = written(sent, record.id, link.base) if authored or _arrived(sent, record) else []
        entries += settle(link, sent, self.app.rule, self.hub.rules, authored=authored)
        created = sent.kind == "create" and authored
        for name, raw in record.fields.items():
            if created and name not in sent.fields and raw in (None, "", [], {}):
                link.base[name] = raw  # blank in a record that we made: no opinion, nothing to merge
        if any(link.base.get(name, MISSING) != raw for name, raw in record.fields.items()):
            self.dirty.add(contact.id)
        else:
            link.version, link.at_ms, link.seen = record.version, self.now_ms, None
        self._keep(link, record, known=known)
        self.settled.append(sent)
        if entries:
            self.journal.append((contact, entries))

    def _made(self, sent: Sent, contact: Contact, link: Link, record: Record) -> None:
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

    def _keep(self, link: Link, record: Record, *, known: bool) -> None:
        digest = codec.digest(record.fields, None)
        if known:
            self.saved.append(link)
            self.digests.append({"k_app": link.app, "k_id": link.id, "digest": digest})
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
        for key in identity_keys(record.fields, self.app.rule, self.hub.rules):
            self.keys.append({"key": key, "app": link.app, "record": link.id})

    def moved(self, sent: Sent, link: Link | None, record: Record | None) -> None:
        """Somebody was faster: forget the plan, observe what is there, plan again."""
        self.settled.append(sent)
        if record is None:
            self.missing.append(sent.record)
        elif link is not None:
            observed(link, record.fields, record.version, self.now_ms)
            self.saved.append(link)
            self.digests.append({"k_app": link.app, "k_id": link.id, "digest": codec.digest(record.fields, None)})
        self.dirty.add(sent.contact)

    def gone(self, sent: Sent) -> None:
        """The record is not there: the next read decides about that; it is never created again from here."""
        self.settled.append(sent)
        self.missing.append(sent.record)

    def archived(self, sent: Sent, link: Link | None) -> None:
        """The app put the record away: the link ends here."""
        self.settled.append(sent)
        if link is not None:
            keys = identity_keys(link.base, self.app.rule, self.hub.rules)
            self.tx.drop_keys([{"k_key": key, "k_app": link.app, "k_record": link.id} for key in keys])
            self.tx.forget_record(link.app, link.id)
            self.journal += [
                (contact, written(sent, link.id, {})) for contact in self.tx.contacts([sent.contact]).values()
            ]

    def refused(self, sent: Sent, contact: Contact, link: Link | None, result: Rejected) -> None:
        """The app refuses these values for good: park exactly them, until they change."""
        self.settled.append(sent)
        why = result.message or "the app refuses this"
        if link is None:
            whole = self.tx.contacts([contact.id])[contact.id]
            whole.refused[sent.app] = why
            self.changed[contact.id] = whole
        else:
            for name in [result.field] if result.field in sent.fields else list(sent.fields):
                assert name is not None
                link.flaws[name] = why
            self.saved.append(link)
            self.dirty.add(contact.id)  # the other fields of the same write are planned again
        entry = Entry(
            kind="note", app=sent.app, record=sent.record or None, field=result.field, old=None, new=None, reason=why
        )
        self.journal.append((contact, [entry]))

    def write(self) -> None:
        """Write it all down."""
        tx, app = self.tx, self.app.index
        tx.save_links(self.saved)
        tx.set_digests(self.digests)
        tx.insert_records(self.fresh)
        tx.add_keys(self.keys)
        tx.save_contacts(self.changed.values())
        for kind in KINDS:
            number = KIND_NUMBER[kind]
            tx.drop_intents(app, number, [s.contact for s in self.settled if s.kind == kind])
            tx.unsend(app, number, [s.contact for s in self.unsent if s.kind == kind])
        if self.missing:
            tx.strike(app, self.missing, 2)
        tx.mark_dirty(sorted(self.dirty))
        tx.write_journal(self.hub.run, self.now_ms, self.journal)
