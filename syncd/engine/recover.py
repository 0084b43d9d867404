"""Recover: look up every write that may have left the building before anything else is sent (SYNC-MODEL 1.6, 1.7).

An in-doubt update is decided by reading the record. An in-doubt create is decided by the rung that the connector states:
with an id of our own (A) reading it proves everything; without one, only a match by key after a horizon.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core.match import record_keys
from syncd.core.settle import REFUSED, horizon_ms
from syncd.core.state import Link, Seal, Sent
from syncd.engine.answers import Done
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.returning import OURS, gone_rows
from syncd.errors import SyncdError
from syncd.model import Record
from syncd.store.tx import Tx


def recover(hub: Hub, app: OpenApp) -> None:
    """Settle the SENT rows of one app; what is still in doubt stays SENT."""
    assert app.app is not None
    opened = app.app
    sents = hub.world.transact("in doubt", lambda tx: tx.sent(app.index))
    if not sents:
        return
    there: dict[str, Record] = {}
    found: dict[int, list[Record]] = {}
    answered: list[Sent] = []
    try:
        known = [sent.record for sent in sents if sent.record]
        there = hub.world.call(app.name, "get", opened.get, known) if known else {}
        answered += [sent for sent in sents if sent.record]
        for sent in sents:
            if not sent.record:
                found[sent.contact] = hub.world.call(app.name, "find", _find, hub, app, sent)
                answered.append(sent)
    except SyncdError as error:  # an app that answers a few questions at a time is asked for the rest next time
        hub.fail(app, error)
    if not answered:
        return
    now_ms = hub.world.now_ms()
    hub.world.transact("recovered", lambda tx: _settle_all(tx, hub, app, answered, there, found, now_ms))


def _find(hub: Hub, app: OpenApp, sent: Sent) -> list[Record]:
    """Look an in-doubt create up by what identifies it, when the app gives its own ids."""
    assert app.app is not None
    for rule in hub.rules.match:
        if all(sent.fields.get(name) is not None for name in rule):
            records = app.app.find(rule[0], sent.fields[rule[0]])
            want = record_keys(dict(sent.fields), app.rule, hub.rules)
            return [r for r in records if record_keys(r.fields, app.rule, hub.rules) == want]
    return []


def _settle_all(
    tx: Tx,
    hub: Hub,
    app: OpenApp,
    sents: Sequence[Sent],
    there: dict[str, Record],
    found: dict[int, list[Record]],
    now_ms: int,
) -> None:
    ids = [sent.contact for sent in sents]
    contacts = tx.seals(ids)
    links = {link.contact: link for mine in tx.links_of(ids).values() for link in mine if link.app == app.index}
    done = Done(tx, hub, app, now_ms)
    done.known.update(tx.marks(app.index, [sent.record for sent in sents if sent.kind == "create" and sent.record]))
    for sent in sents:
        contact, link = contacts.get(sent.contact), links.get(sent.contact)
        if contact is None:
            done.settled.append(sent)
        elif sent.kind == "create":
            _settle_create(done, app, sent, contact, link, there, found, now_ms)
        elif sent.kind == "archive":
            if sent.record in there:
                done.unsent.append(sent)
            else:
                done.archived(sent, link)
        elif sent.record not in there:
            if link is not None and sent.kind == "update":
                link.late.append(sent)  # it may have been written: remembered until the record is read again
                done.saved.append(link)
            done.gone(sent)
        elif link is not None:
            done.wrote(sent, contact, link, there[sent.record], authored=False)
            done.dirty.add(contact.id)
    done.write()


def _settle_create(
    done: Done,
    app: OpenApp,
    sent: Sent,
    contact: Seal,
    link: Link | None,
    there: dict[str, Record],
    found: dict[int, list[Record]],
    now_ms: int,
) -> None:
    """Adopt what arrived; plan again what did not; leave alone what nobody knows yet."""
    if link is not None:
        done.settled.append(sent)  # it was observed meanwhile
        return
    if sent.record:
        if sent.record in there:
            done.wrote(sent, contact, None, there[sent.record], authored=False)
        elif sent.reasons.get("") == REFUSED and now_ms < sent.at_ms + horizon_ms(app.rule):
            return
        else:
            done.unsent.append(sent)  # the same id is used again: repeating is harmless
            done.keys += gone_rows(app.index, Link(app=app.index, id=sent.record, contact=contact.id), (OURS,))
        return
    records = [r for r in found.get(sent.contact, []) if not done.tx.marks(app.index, [r.id])]
    if len(records) == 1:
        done.wrote(sent, contact, None, records[0], authored=False)
        return
    if records or now_ms < sent.at_ms + horizon_ms(app.rule):
        return
    done.unsent.append(sent)
