"""Stored: what a check can say by what the store remembers of the apps.

Reads only. Hard rule: no value of anybody is told, only names, numbers and fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from sqlalchemy import func, select

from syncd.config import AppConfig, Config
from syncd.config.remembered import lost_fields, moved, names_of
from syncd.connector import App
from syncd.model import Finding
from syncd.store import schema as s
from syncd.store.store import Store
from syncd.store.tx import Tx

PAGE: Final = 500


def forgotten(store: Store | None, config: Config) -> list[Finding]:
    """Say which apps the store knows that are in the configuration no more: removed, or renamed by somebody who should know."""
    names = {app.name for app in config.apps}

    def step(tx: Tx) -> list[tuple[str, int, int]]:
        gone = [(name, state.id) for name, state in tx.apps().items() if name not in names]
        return [(name, tx.record_count(id_), _cases(tx, id_)) for name, id_ in gone]

    return [
        Finding(level="warning", message=_told(name, records, cases))
        for name, records, cases in (store.read(step) if store is not None else ())
        if records or cases
    ]


def _cases(tx: Tx, app: int) -> int:
    i = s.inbox.c
    query = select(func.count()).where(i.app == app, i.resolved_ms.is_(None))
    return int(tx.connection.execute(query).scalar_one())


def _told(name: str, records: int, cases: int) -> str:
    known = "1 record" if records == 1 else f"{records} records"
    waits = "" if not cases else f"; {'1 case' if cases == 1 else f'{cases} cases'} of it in the inbox"
    return (
        f"the store knows an app {name} with {known} that is not in the configuration any more{waits}. Removed: nothing is "
        f"forgotten, and under the name {name} it goes on. Renamed: the new name counts as a new app, whose records are matched afresh"
    )


def not_as_before(store: Store | None, config: Config, app: AppConfig, opened: App, account: str) -> list[Finding]:
    """Say what a sync would hold the app for: it is another one than before, or no longer offers a field it had."""
    state = None if store is None else store.read(lambda tx: tx.apps()).get(app.name)
    if state is None:
        return []
    found: list[Finding] = []
    now, known_as = names_of(account, app.files)
    if state.fingerprint is not None and state.fingerprint not in known_as:
        found.append(
            Finding(level="error", message=f"{moved(app.name, state.fingerprint, now)}, until that is approved")
        )
    before = orjson.loads(state.fields) if state.fields else {}
    found += [
        Finding(
            level="error",
            field=name,
            message=f"{name} was here and is no longer offered (was {before[name]['path']} renamed?): the app is held until it is "
            "back, until `fields:` says where it lies now, or until the next run that holds it is approved",
        )
        for name in lost_fields(before, opened.fields, app, config.fields)
    ]
    return found


def unheard(store: Store | None, app: str) -> list[Finding]:
    """Say of how many records nobody can tell whether these people opted out, as of the last sync."""

    def step(tx: Tx) -> int:
        state = tx.apps().get(app)
        return 0 if state is None else tx.unheard_count(state.id)

    count = 0 if store is None else store.read(step)
    if not count:
        return []
    records = "1 record" if count == 1 else f"{count} records"
    text = (
        f"the last sync found {records} with a word for consent that is not known, and nobody can tell whether they opted "
        "out: add the word to `values` (opted_out: [no, unsubscribed]), or correct the record; `syncd explain` shows it"
    )
    return [Finding(level="warning", message=text)]


def decided(store: Store | None, app: str, ids: Sequence[str]) -> set[str]:
    """Find the records of which it is decided whose they are."""

    def step(tx: Tx) -> set[str]:
        state = tx.apps().get(app)
        found: set[str] = set()
        for start in range(0, len(ids) if state is not None else 0, PAGE):
            assert state is not None
            marks = tx.marks(state.id, ids[start : start + PAGE])
            contacts = tx.contacts({mark.contact for mark in marks.values() if mark.contact is not None})
            known = {number for number, contact in contacts.items() if not contact.review}
            found |= {id_ for id_, mark in marks.items() if mark.contact in known}
        return found

    return set() if store is None else store.read(step)
