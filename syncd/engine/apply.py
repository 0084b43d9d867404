"""Apply: send what the plan says, one page at a time: SENT is durable before the request leaves, and every answer is
recorded as what the app now holds (SYNC-MODEL 1.5-1.8).

Hard rules: never across a transaction; never repeat what may have happened; whatever was not confirmed stays SENT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.atoms import MISSING, digest_key
from syncd.core.consent import IN, consent_intents
from syncd.core.plan import create_intent, is_to_go, may_create, new_record, update_intent
from syncd.core.state import Contact, Intent, Link, Sent
from syncd.engine.answers import AGAIN, OPTED_OUT, not_shown, record_results
from syncd.engine.hearing import addresses, says_no
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.meetings import in_the_way, part, undecided, wait
from syncd.errors import SyncdError, TransientError
from syncd.model import Applied, Raw, Record, Rejected, Result, Unknown, Write
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
    noes: set[str] = field(default_factory=set)
    """Records that are known to say no."""
    known: dict[str, Mapping[str, Raw]] = field(default_factory=dict)
    """What records that are to be put away are known to show."""


def apply_app(hub: Hub, app: OpenApp, only: frozenset[tuple[str, int]] | None = None) -> int:
    """Send everything that is planned for one app (as it was counted: `Hub.waiting`), consent first; says how many writes
    left. To one that a guard holds only opt-outs.

    `only`: (kind, contact) pairs; nothing else is sent.
    """
    total = 0
    for kind in KINDS:
        if (kind == "create" and not hub.covered) or (kind in ("create", "archive") and hub.part is not None):
            continue
        if (app.index, KIND_NUMBER[kind]) not in hub.waiting:
            continue
        after = 0
        while app.usable or (kind == "consent" and app.told_noes):
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
        unheard = _unheard(tx, hub, contacts) if KINDS[kind] in ("create", "consent") else set()
        changing = (
            tx.dirty_of(ids) if create and not hub.narrowed else set()
        )  # an answer showed another address, perhaps
        maybe_back = _maybe_back(tx, hub, app, contacts.values()) if KINDS[kind] == "archive" else set()
        maybe_gone = contacts.keys() - tx.in_sight(contacts) if create else set()
        batch, moot = Batch(last=rows[-1].contact), []
        for row in rows:
            contact = contacts.get(row.contact)
            if contact is None or contact.id in maybe_back or contact.id in maybe_gone:
                continue
            if create and (contact.id in unheard or contact.id in changing):
                planned = None
            elif create:
                planned = _new_record(hub, app, contact, apps.get(contact.id, ()), row.record, now_ms)
            else:
                planned = _planned(hub, app, kind, contact, links[contact.id], now_ms)
            says_yes = planned is not None and OPTED_OUT not in planned[0].golden.values()
            if planned is None or (contact.id in unheard and says_yes):
                moot.append(contact.id)
                continue
            if says_yes and not app.usable:
                continue
            batch.sents.append(planned[0])
            batch.writes.append(planned[1])
            batch.noes.update(_noes(hub, app, links.get(contact.id, ())))
            if KINDS[kind] == "archive":
                batch.known.update((link.id, link.base) for link in links[contact.id] if link.app == app.index)
        if create:
            moot += _leave_out(tx, hub, app, batch, contacts)
        if not hub.narrowed:
            tx.drop_intents(app.index, kind, moot)
        mark_sent(tx, app, batch)
        return batch

    return hub.world.transact("sent", step)


def mark_sent(tx: Tx, app: OpenApp, batch: Batch) -> None:
    """Mark a batch SENT. A cursor that says only "nothing changed at all" is of before our own writes, and an edit that
    takes them back would look like it: the next read looks at everything.
    """
    tx.mark_sent(batch.sents)
    if batch.sents and not app.rule.spec.incremental:
        tx.save_app(app.index, cursor=None)


def _noes(hub: Hub, app: OpenApp, links: Sequence[Link]) -> list[str]:
    return [link.id for link in links if link.app == app.index and says_no(app.rule, link.base, hub.rules)]


def _unheard(tx: Tx, hub: Hub, contacts: Mapping[int, Contact]) -> set[int]:
    """Find contacts that would be opted in while something that was read of them, or of a record with one of their
    addresses, is not merged: it may be an opt-out, and is decided first (LATE-CHECK), also where its app is held.
    """
    opted_in = [c for c in contacts.values() if any(c.golden.get(channel) == IN for channel in hub.rules.consents)]
    if not opted_in:
        return set()
    links = tx.links_of([contact.id for contact in opted_in])
    keys = {contact.id: addresses(contact, links[contact.id], hub.rules) for contact in opted_in}
    holders = tx.holders(sorted(set().union(*keys.values())))
    unmatched = {key for key, held in holders.items() if any(h.app >= 0 and not h.contact for h in held)}
    return {
        contact for contact, mine in links.items()
        if any(link.seen is not None for link in mine) or not unmatched.isdisjoint(keys[contact])
    }  # fmt: skip


def _maybe_back(tx: Tx, hub: Hub, app: OpenApp, contacts: Iterable[Contact]) -> set[int]:
    """Find contacts that somebody may have put back where they were removed: that app does not take part in this run, or
    what it shows waits for a decision. Their records elsewhere are put away later, if at all (LATE-CHECK).
    """
    causes: dict[int, dict[int, Collection[bytes]]] = {}
    for contact in contacts:
        cause = contact.going.get(app.index, app.index)
        if cause != app.index and cause in hub.apps:
            causes.setdefault(cause, {})[contact.id] = ()
    found: set[int] = set()
    for cause, removed in causes.items():
        other = hub.apps[cause]
        found |= undecided(tx, hub, other, removed) if other.usable else removed.keys()
    return found


def _leave_out(tx: Tx, hub: Hub, app: OpenApp, batch: Batch, contacts: Mapping[int, Contact]) -> set[int]:
    """Take out of a batch of creates who may have a record there already; where that is nobody's case yet, it is one now."""
    waiting = in_the_way(tx, hub, app, contacts, {sent.contact: sent.fields for sent in batch.sents})
    for sent in batch.sents:
        contact = contacts[sent.contact]
        if waiting.get(contact.id):
            wait(tx, hub, app, contact, waiting[contact.id], sent.fields)
        elif app.index in contact.waits:
            part(tx, contact, app.index, hub.world.now_ms())
            tx.save_contacts([contact])
    kept = [pair for pair in zip(batch.sents, batch.writes, strict=True) if pair[0].contact not in waiting]
    batch.sents, batch.writes = [sent for sent, _ in kept], [write for _, write in kept]
    return set(waiting)


def _planned(
    hub: Hub, app: OpenApp, kind: int, contact: Contact, links: Sequence[Link], now_ms: int
) -> tuple[Sent, Write] | None:
    intent = intent_now(hub, app, kind, contact, links)
    if intent is None:
        return None
    sent = _sent(hub, contact, intent, now_ms)
    expect = {name: change.old for name, change in intent.fields.items()}
    return sent, Write(kind=intent.kind, id=sent.record, fields=sent.fields, expect=expect, version=intent.version)


def _new_record(
    hub: Hub, app: OpenApp, contact: Contact, apps: Collection[int], drawn: str | None, now_ms: int
) -> tuple[Sent, Write] | None:
    if app.index in apps or not may_create(contact, apps, app.rule):
        return None
    fields = new_record(contact, app.rule, hub.rules)
    if fields is None:
        return None
    assert app.app is not None
    record = drawn or app.app.new_id(hub.world.draw(8).hex())
    # What was sent says which values they were; only a value that was cut does not.
    cut = [name for name in fields if app.rule.lenses[name].truncate]
    golden = {name: _golden_key(hub, contact, name) for name in cut}
    sent = Sent(
        app=app.index,
        contact=contact.id,
        kind="create",
        record=record,
        fields=fields,
        golden=golden,
        version=None,
        at_ms=now_ms,
        reasons={"": AGAIN} if drawn else {},
    )
    return sent, Write(kind="create", id=record, fields=fields)


def _golden_key(hub: Hub, contact: Contact, name: str) -> str:
    rule = hub.rules.fields.get(name)
    kind = rule.type if rule else hub.rules.consents.get(name)
    value = contact.golden.get(name)
    return digest_key(kind.key(value) if kind and value is not None else value)


def intent_now(hub: Hub, app: OpenApp, kind: int, contact: Contact, links: Sequence[Link]) -> Intent | None:
    """Compute one intent from what is committed now; None when there is nothing to do (any more, or not yet)."""
    if KINDS[kind] == "create":
        return create_now(hub, app, contact, [link.app for link in links])
    link = next((link for link in links if link.app == app.index), None)
    if link is None or link.seen is not None:
        return None
    if KINDS[kind] == "consent":
        intent = next(iter(consent_intents(contact, {app.index: link}, hub.rules)), None)
        if intent is not None and not intent.opt_out and any(other.seen is not None for other in links):
            return None  # what was just read elsewhere may be an opt-out: it is decided first (LATE-CHECK)
        return intent
    if KINDS[kind] == "archive":
        if not is_to_go(contact, [other.app for other in links], app.rule, hub.rules):
            return None
        return Intent(
            app=app.index, kind="archive", contact=contact.id, record=link.id, fields={}, version=link.version
        )
    intent = None if contact.review else update_intent(contact, link, app.rule, hub.rules)
    if intent is None or not hub.undone:
        return intent
    told = {name: hub.undone.get((contact.id, name), change.reason) for name, change in intent.fields.items()}
    fields = {name: replace(change, reason=told[name]) for name, change in intent.fields.items()}
    return replace(intent, fields=fields)


def create_now(hub: Hub, app: OpenApp, contact: Contact, apps: Collection[int]) -> Intent | None:
    """Describe the record that this contact gets in an app now; None when it gets none. `apps`: where it has one."""
    if app.index in apps or not may_create(contact, apps, app.rule):
        return None
    return create_intent(contact, app.rule, hub.rules)


def _sent(hub: Hub, contact: Contact, intent: Intent, now_ms: int) -> Sent:
    return Sent(
        app=intent.app,
        contact=contact.id,
        kind=intent.kind,
        record=intent.record,
        fields={name: change.new for name, change in intent.fields.items()},
        golden={name: _golden_key(hub, contact, name) for name in intent.fields},
        version=intent.version,
        at_ms=now_ms,
        reasons={name: change.reason for name, change in intent.fields.items()},
    )


def send(hub: Hub, app: OpenApp, batch: Batch) -> None:
    """Let a SENT batch leave and record every answer."""
    assert app.app is not None
    opened = app.app
    try:
        if opened.spec.lost_update != "cas" or batch.known:
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
    """Read again, right before the write, what an app without conditional writes would overwrite unseen, and whatever is to be
    put away.

    What has changed is not sent; the window that is left is one round trip (SYNC-MODEL 1.8). Nor is anything sent to a record
    that turns out to have opted out: should the write fail, nobody would have heard of that.
    """
    assert app.app is not None
    ids = [write.id for write in batch.writes if write.kind in ("update", "consent", "archive")]
    if not ids:
        return
    there = hub.world.call(app.name, "get", app.app.get, ids)
    _only_shown(hub, app, batch, there)
    news = {id_ for id_ in there.keys() - batch.noes if says_no(app.rule, hub.partly(there[id_]).fields, hub.rules)}
    stale = [
        place for place, write in enumerate(batch.writes)
        if write.id in ids and (write.id in news or _stale(write, there, batch.known))
    ]  # fmt: skip
    if stale:
        moved = [batch.sents[place] for place in stale]
        now_ms = hub.world.now_ms()
        pairs: list[tuple[Sent, Result]] = [(sent, Rejected(why="moved")) for sent in moved]
        hub.world.transact("moved", record_results, hub, app, pairs, there, now_ms)
        keep = [place for place in range(len(batch.writes)) if place not in stale]
        batch.sents, batch.writes = [batch.sents[p] for p in keep], [batch.writes[p] for p in keep]


def _only_shown(hub: Hub, app: OpenApp, batch: Batch, there: Mapping[str, Record]) -> None:
    """Leave fields out of updates that the app does not show now: nobody knows what would be overwritten there."""
    hidden: list[tuple[Sent, list[str]]] = []
    kept: list[tuple[Sent, Write]] = []
    for sent, write in zip(batch.sents, batch.writes, strict=True):
        record = there.get(write.id) if write.kind == "update" else None
        names = [name for name in write.fields if name not in record.fields] if record is not None else []
        if names:
            hidden.append((sent, names))
            fields = {name: raw for name, raw in write.fields.items() if name not in names}
            expect = {name: raw for name, raw in write.expect.items() if name not in names}
            if fields:
                kept.append((replace(sent, fields=fields), replace(write, fields=fields, expect=expect)))
        else:
            kept.append((sent, write))
    if hidden:
        hub.world.transact("hidden", not_shown, app, hidden)
        batch.sents, batch.writes = [sent for sent, _ in kept], [write for _, write in kept]


def _stale(write: Write, there: Mapping[str, Record], known: Mapping[str, Mapping[str, Raw]]) -> bool:
    record = there.get(write.id)
    if write.kind == "archive":
        shown = record.fields if record is not None else {}
        return any(raw != known[write.id].get(name) for name, raw in shown.items())
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
