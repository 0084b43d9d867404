"""Pull: read an app page by page and store what is new as unconsumed observations, together with the cursor.

Nothing is merged here. Hard rules: the cursor moves only with the data it covers; a listing that shrank is evidence of
nothing; a record is believed gone only after the app itself says so when asked for it (SYNC-MODEL 1.10, 1.11).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from syncd.connector import App, SparesDownloads
from syncd.core.match import GONE, id_key
from syncd.core.plan import SHRUNK, Held
from syncd.core.rules import AppRule, Rules
from syncd.core.state import Seen
from syncd.engine.hearing import hear_gone, hear_opt_outs, hear_replaced, hear_unbelieved
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.keys import key_rows
from syncd.engine.texts import is_broken, storable
from syncd.errors import SyncdError
from syncd.model import Page, Record
from syncd.store import codec
from syncd.store.tx import AppState, Mark, Tx

STRIKES = 2
NUL_IN_ID = "its id holds a NUL character, or half of a character"
NUL_IN_VERSION = "its version holds a NUL character, or half of a character"


@dataclass(slots=True, kw_only=True)
class Reading:
    """One read of one app under way."""

    app: OpenApp
    state: AppState
    started_ms: int
    listing: bool
    """It may turn out to be a complete listing: ids are noted."""
    hooked: bool = False
    """What it finds should have been announced by webhooks: those that never come are counted."""
    ids_digest: int = 0
    unread: dict[str, dict[str, object]] = field(default_factory=dict)
    """Linked records that could be read before and cannot now: parked once the whole listing is believed."""
    deleted: dict[str, None] = field(default_factory=dict)
    """Known records that the listing itself says are deleted: asked for once the whole listing is believed."""


def pull(hub: Hub, app: OpenApp, *, full: bool = False, hinted: bool = False) -> int:
    """Read one app since its cursor (`full`: everything); says how well it is covered now. A failure sets this app aside and
    leaves the rest alone.

    `hinted`: a webhook has announced whatever is found.
    """
    assert app.app is not None
    try:
        state, missed = hub.world.transact("app", lambda tx: (tx.apps()[app.name], tx.any_missed(app.index)))
        cursor = None if full or missed or not state.covered else state.cursor  # missed: look a second time
        reading = _read(hub, app, state, cursor, hinted=hinted)
        if reading is None:
            reading = _read(hub, app, state, None, hinted=hinted)
            assert reading is not None, "a read without a cursor cannot expire"
        started_ms = reading.started_ms

        def step(tx: Tx) -> int:
            tx.save_app(app.index, read_ms=started_ms, error=None, error_kind=None)
            if app.hooked and app.rule.spec.hooking is not None:
                tx.count_missed(app.index, started_ms - int(app.rule.spec.hooking.late_seconds * 1000))
            return tx.apps()[app.name].covered

        covered = hub.world.transact("pulled", step)
        app.pulled = True
    except SyncdError as error:
        hub.fail(app, error)
        return 0
    return covered


def _read(hub: Hub, app: OpenApp, state: AppState, cursor: str | None, *, hinted: bool) -> Reading | None:
    """Store every page of one read; None when the cursor turned out to be no longer good."""
    assert app.app is not None
    listing = cursor is None or not app.rule.spec.incremental
    reading = Reading(app=app, state=state, started_ms=hub.world.now_ms(), listing=listing)
    reading.hooked = app.hooked and bool(state.covered) and not hinted
    if isinstance(app.app, SparesDownloads):
        app.app.known_versions = lambda ids: hub.world.transact("versions", _versions, app, ids)
    first = True
    with reading_of(app.app, cursor) as pages:
        while (page := hub.world.call(app.name, "read", lambda: next(pages, None))) is not None:
            if page.expired:
                return None
            _store_page(hub, reading, page, first=first)
            first = False
    return reading


@contextmanager
def reading_of(app: App, cursor: str | None) -> Iterator[Iterator[Page]]:
    """Give the pages of a read; whatever it holds open in the app is let go of, however far it came."""
    pages = iter(app.read(cursor))
    try:
        yield pages
    finally:
        if isinstance(pages, Generator):
            pages.close()


def _versions(tx: Tx, app: OpenApp, ids: Sequence[str]) -> dict[str, str | None]:
    return tx.versions(app.index, [id_ for id_ in ids if not is_broken(id_)])


def _store_page(hub: Hub, reading: Reading, page: Page, *, first: bool) -> None:
    app = reading.app
    records = _folded(app.rule, page.records)
    ids = [storable(id_) for id_ in (*records, *page.same)]
    if page.cursor is not None and is_broken(page.cursor):
        page = replace(page, cursor=None)  # cannot be kept: the next read begins where this one did
    app.counts["read"] += len(records)
    now_ms = hub.world.now_ms()
    told, records = records, _asked_again(hub, reading, records, now_ms)
    direct = reading.listing and not app.rule.spec.lag_seconds
    sure = records if direct else {id_ for id_ in records if records[id_] is not told[id_]}
    gone = {id_: record for id_, record in told.items() if id_ not in records}

    def step(tx: Tx) -> None:
        if first and reading.listing:
            tx.begin_listing(app.index)
        if reading.listing:
            tx.list_ids(app.index, ids)
        if records:
            unread = reading.unread if reading.listing else None
            read_ms = reading.state.read_ms
            old: list[Record] = []
            found = observe(tx, hub.rules, app.rule, records, now_ms, read_ms, unread=unread, replaced=old, sure=sure)
            hear_replaced(tx, hub, app.rule, old)
            hear_opt_outs(tx, hub, app.rule, {id_: records[id_] for id_ in found if id_ in records})
            if reading.hooked:
                tx.note_found(app.index, found, now_ms)
        if gone:
            hear_gone(tx, hub, app.rule, gone)
        if page.gone or reading.deleted:
            _hear_deleted(tx, reading, ids, [storable(id_) for id_ in page.gone])
        if page.complete and reading.listing:
            _end_listing(tx, hub, reading, page, now_ms)
        elif page.cursor is not None and not reading.listing:
            tx.save_app(app.index, cursor=page.cursor)

    if reading.listing:
        for id_ in ids:
            reading.ids_digest ^= int.from_bytes(blake2b(id_.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    hub.world.transact("page", step)


def _asked_again(hub: Hub, reading: Reading, records: dict[str, Record], now_ms: int) -> dict[str, Record]:
    """Ask for what a feed, or a listing that lags, shows otherwise than the app itself did a moment ago: a record that
    differs from what was confirmed, for it may be the state from before our own write (NO-ECHO; versions that are in
    order, and went on, tell by themselves), and one that the app did not have any more (NO-DUPLICATE-CREATE). What it does not have is
    left out. A version that went back is asked for as well: either it was told late, or the app went back (SYNC-MODEL 1.14).
    """
    app = reading.app
    lag_ms = int(app.rule.spec.lag_seconds * 1000)
    if not records or (reading.listing and not lag_ms):
        return records
    since_ms = now_ms - lag_ms if lag_ms else None
    ids = hub.world.transact("recent", _doubtful, app, records, since_ms, feed=not reading.listing)
    if not ids:
        return records
    assert app.app is not None
    there = hub.world.call(app.name, "get", app.app.get, sorted({*ids}))
    return {id_: there.get(id_, record) for id_, record in records.items() if id_ in there or not ids.get(id_)}


def _doubtful(
    tx: Tx, app: OpenApp, records: Mapping[str, Record], since_ms: int | None, *, feed: bool
) -> dict[str, bool]:
    """Name the records that are shown otherwise now, and whose base was confirmed since then, or which a `feed` tells under
    the version that is known: it may be the state of before (False); and those that are shown although the app did not have
    them when it was asked last (True).
    """
    sound = [id_ for id_ in records if not is_broken(id_)]
    marks = tx.marks(app.index, sound)
    fresh = {id_key(app.index, id_): id_ for id_ in sound if id_ not in marks}
    found = {fresh[key]: True for key, held in tx.holders(sorted(fresh)).items() if any(h.app == GONE for h in held)}
    ordered = app.rule.spec.versions == "ordered"
    for id_, mark in marks.items():
        waiting = codec.read_seen(mark.seen)
        same = records[id_].version in (mark.version, waiting and waiting.version)  # not every field makes a new one
        recent = since_ms is not None and mark.at_ms >= since_ms and (same or not ordered)
        again = feed and same and records[id_].version is not None
        if mark.contact is None or not (recent or again or _is_stale(app.rule, records[id_], mark)):
            continue
        if mark.digest != codec.digest(records[id_].fields, records[id_].problem):
            found[id_] = False
    return found


def _hear_deleted(tx: Tx, reading: Reading, shown: Sequence[str], deleted: Sequence[str]) -> None:
    """Note what a page says is deleted; of a listing it counts when all of it is there and nothing shows it again."""
    if not reading.listing:
        note_gone(tx, reading.app, deleted)
        return
    for id_ in shown:
        reading.deleted.pop(id_, None)
    known = tx.marks(reading.app.index, deleted) if deleted else {}
    reading.deleted.update((id_, None) for id_ in deleted if id_ in known)


def _end_listing(tx: Tx, hub: Hub, reading: Reading, page: Page, now_ms: int) -> None:
    """Judge a complete listing: how much is missing, what is covered now, and whether the cursor may move."""
    app, state = reading.app, reading.state
    if lag_ms := int(app.rule.spec.lag_seconds * 1000):  # what we wrote a moment ago may not be listed yet
        tx.list_ids(app.index, tx.confirmed(app.index, now_ms - lag_ms, now_ms))
    missing = tx.missing_count(app.index)
    linked = tx.linked_count(app.index)  # strangers in the same listing prove nothing about those that are missing
    held = _disbelieved(hub, app.name, missing, len(reading.unread), linked)
    if held is not None:
        hear_unbelieved(tx, hub, app.rule)
    tx.forget_strangers(app.index, shown=held is not None)
    if held is not None:
        hub.hold(held, app)  # what it showed is kept until it is listed again: `status` names who is missing
        tx.save_app(app.index, cursor=None)  # whatever is there next time is looked at in full
        return
    tx.see(list(reading.unread.values()))
    tx.mark_dirty(tx.found_again(app.index))  # a write that missed one of them is planned again
    if missing and hub.allowed(app.name, "unlinks") >= missing:
        tx.strike_missing(app.index, STRIKES)  # a person said so; each is asked for all the same
    else:
        tx.count_misses(app.index, hub.run)
    note_gone(tx, app, list(reading.deleted))
    listing = reading.ids_digest.to_bytes(8, "big")
    proven = app.rule.spec.proven_listing or (state.listing is not None and bytes(state.listing) == listing)
    tx.save_app(
        app.index,
        cursor=page.cursor,
        covered=2 if proven else max(1, state.covered),
        listing=listing,
        listed_ms=now_ms,
    )
    tx.end_listing(app.index)


def _disbelieved(hub: Hub, app: str, missing: int, unread: int, linked: int) -> Held | None:
    """Say why a listing is not believed: too many linked records are missing, or unreadable now, or both together."""
    lost = unread + missing if hub.allowed(app, "unlinks") < missing else unread
    for verb, count in (("unlinks", missing), ("unreadable", lost if unread else 0)):
        allowed = hub.allowed(app, verb)
        limit = max(SHRUNK.of(linked), allowed)
        if count > limit or (count > 0 and count == linked and not allowed):
            return Held(app=app, verb=verb, count=count, limit=limit)
    return None


def observe(
    tx: Tx,
    rules: Rules,
    app: AppRule,
    records: dict[str, Record],
    now_ms: int,
    read_ms: int,
    *,
    unread: dict[str, dict[str, object]] | None = None,
    replaced: list[Record] | None = None,
    sure: Collection[str] = (),
) -> list[str]:
    """Store what is new in these records as unconsumed observations; names the records that differ.

    The same version does not mean the same content: not every change makes a new one, and fields are shown again.
    `unread`: where linked records go that could be read before and cannot now; without it they are parked at once.
    `replaced`: takes the readings that nobody has merged and that these take the place of. `sure`: those of which
    this is what the app has now, though it may be an older version: it was asked, or lists them without a lag.
    """
    records = _storable(records)
    marks = tx.marks(app.index, list(records))
    fresh: list[dict[str, object]] = []
    seen: list[dict[str, object]] = []
    versions: list[dict[str, object]] = []
    keys: list[dict[str, object]] = []
    for id_, record in records.items():
        mark = marks.get(id_)
        if unread:
            unread.pop(id_, None)
        stale = mark is not None and _is_stale(app, record, mark)
        if mark is not None and ((stale and id_ not in sure) or _is_shadow(record, mark)):
            continue
        digest = codec.digest(record.fields, record.problem)
        if mark is None:
            fresh.append(_fresh(app, record, digest, now_ms))
            if record.problem is None:
                keys += key_rows(app, record, rules)
        elif mark.digest is not None and bytes(mark.digest) == digest:
            if record.version != mark.version and not record.problem and (not stale or mark.seen is None):
                versions.append({"k_app": app.index, "k_id": id_, "version": record.version})
        elif unread is not None and record.problem and mark.contact is not None and mark.problem is None:
            unread[id_] = _changed(app, record, mark, digest, now_ms, read_ms)
        else:
            seen.append(_changed(app, record, mark, digest, now_ms, read_ms))
            if replaced is not None and (waiting := codec.read_seen(mark.seen)) is not None:
                replaced.append(Record(id=id_, fields=waiting.fields))
            if (
                mark.contact is None or mark.seen is not None
            ) and record.problem is None:  # a merge may never see the first
                keys += key_rows(app, record, rules)
    tx.insert_records(fresh)
    tx.see(seen)
    tx.touch_versions(versions)
    tx.add_keys(keys)
    return [str(row["id"]) for row in fresh] + [str(row["k_id"]) for row in seen]


def _storable(records: dict[str, Record]) -> dict[str, Record]:
    """Park what no store could keep, under an id that it can; a record that has this very id goes first."""
    found = {}
    for id_, record in records.items():
        version, problem = record.version, record.problem
        if is_broken(id_) or is_broken(record.id):
            name = storable(record.id)
            if name not in records:
                found[name] = replace(record, id=name, version=None, problem=NUL_IN_ID)
        elif version is not None and is_broken(version):
            found[id_] = replace(record, version=None, problem=NUL_IN_VERSION)
        elif problem is not None and is_broken(problem):
            found[id_] = replace(record, problem=storable(problem))
        else:
            found[id_] = record
    return found


def _is_shadow(record: Record, mark: Mark) -> bool:
    """Say whether a record is parked under an id that a sound record has (see `_storable`)."""
    return record.problem == NUL_IN_ID and mark.problem is None


def _is_stale(app: AppRule, record: Record, mark: Mark) -> bool:
    """Say whether an app that counts its versions shows an older state than one that was read (VERSION-MONOTONE)."""
    if app.spec.versions != "ordered" or record.version is None:
        return False
    waiting = codec.read_seen(mark.seen)
    known = (mark.version, waiting.version if waiting is not None else None)
    return any(version is not None and record.version < version for version in known)


def _folded(app: AppRule, records: Sequence[Record]) -> dict[str, Record]:
    """Take each record once: of several states the latest, where the app counts them; else its last word."""
    found: dict[str, Record] = {}
    for record in records:
        other = found.get(record.id)
        older = other is not None and (record.version or "") < (other.version or "") and app.spec.versions == "ordered"
        if not older:
            found[record.id] = record
    return found


def _fresh(app: AppRule, record: Record, digest: bytes, now_ms: int) -> dict[str, object]:
    observed = Seen(fields=record.fields, version=record.version, at_ms=now_ms, since_ms=0)
    return {
        "app": app.index,
        "id": record.id,
        "contact": None,
        "version": None,
        "digest": digest,
        "at_ms": now_ms,
        "problem": record.problem,
        "doc": None,
        "seen": None if record.problem else codec.seen_doc(observed),
    }


def _changed(app: AppRule, record: Record, mark: Mark, digest: bytes, now_ms: int, read_ms: int) -> dict[str, object]:
    waiting = codec.read_seen(mark.seen) if mark.seen is not None and not record.problem else None
    fields = record.fields if waiting is None else {**waiting.fields, **record.fields}  # what is hidden now was read
    observed = Seen(fields=fields, version=record.version, at_ms=now_ms, since_ms=max(mark.at_ms, read_ms))
    return {
        "k_app": app.index,
        "k_id": record.id,
        "digest": digest,
        "problem": record.problem,
        "seen": None if record.problem else codec.seen_doc(observed),
    }


def note_gone(tx: Tx, app: OpenApp, gone: Sequence[str]) -> None:
    """Count known records as missed often enough; they are asked for before they are believed to be gone."""
    known = tx.marks(app.index, gone) if gone else {}
    if known:
        tx.strike(app.index, known, STRIKES)
