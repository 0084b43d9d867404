"""Account: is this still the file, table or address book that it was (TENANT-FENCE), and no other app's? What did it offer?

Hard rule: nothing is read from, or written to, an account that nobody confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import orjson

from syncd.config import AppConfig, Config
from syncd.config.remembered import lost_fields, moved, names_of
from syncd.config.twins import Known, complaint, twins_among
from syncd.connector import App
from syncd.core.plan import Held
from syncd.engine.hub import Hub, OpenApp
from syncd.errors import ConfigError, SyncdError
from syncd.model import FieldMap
from syncd.store import codec
from syncd.store.tx import AppState, Tx

FIELDS: Final = "fields"
"""Kind of error of an app that no longer offers a field it had: what is planned for it is decided anew afterwards."""
ACCOUNT: Final = "account"


def name_account(hub: Hub, app: OpenApp) -> None:
    """Ask an app which account it is."""
    assert app.app is not None
    try:
        app.account = hub.world.call(app.name, "fingerprint", app.app.fingerprint)
    except SyncdError as error:
        hub.fail(app, error)


def refuse_twins(hub: Hub, config: Config, states: Mapping[str, AppState]) -> None:
    """Set aside every open app that is the same as another one of the configuration; one that is paused takes no part.

    Nothing of them is remembered, so that pointing one of them elsewhere needs no approval.
    """
    known = [
        Known(
            settings=config.app(app.name),
            spec=app.rule.spec,
            fingerprint=states[app.name].fingerprint if app.app is None else app.account or None,
        )
        for app in hub.apps.values()
        if not app.paused
    ]
    open_apps = {app.name: app for app in hub.apps.values() if app.app is not None and app.error is None}
    for name, other in (twins_among(known) if open_apps else {}).items():
        if name in open_apps:
            hub.fail(open_apps[name], ConfigError(complaint(name, other)))


def check_account(hub: Hub, app: OpenApp, state: AppState, settings: AppConfig) -> None:
    """Find out what is another account than before, and which fields are gone; remember both where nothing is."""
    assert app.app is not None
    opened = app.app
    app.fingerprint, known_as = names_of(app.account, settings.files)
    if state.fingerprint is not None and state.fingerprint not in known_as:
        app.moved = moved(app.name, state.fingerprint, app.fingerprint)
    before = orjson.loads(state.fields) if state.fields else {}
    app.lost = lost_fields(before, opened.fields, settings, {*hub.rules.fields, *hub.rules.consents})
    if app.moved or app.lost:
        return
    if state.fingerprint is None or bytes(state.fields or b"") != _fields_doc(opened) or state.error_kind == FIELDS:
        hub.world.transact("account", _note, app)
    elif state.fingerprint != app.fingerprint:
        hub.world.transact("account", lambda tx: tx.save_app(app.index, fingerprint=app.fingerprint))


def check_accounts(hub: Hub) -> None:
    """Hold every app that is another one than before, or no longer offers a field it had, until a person has said so: a
    renamed column must not switch off consent in silence.
    """
    for app in hub.apps.values():
        if not app.usable or not (app.moved or app.lost):
            continue
        if app.moved and not hub.allowed(app.name, ACCOUNT):
            hub.hold(Held(app=app.name, verb=ACCOUNT, count=1, limit=0), app)
            hub.world.transact("another", _complain, app, app.moved, ACCOUNT)
        elif len(app.lost) > hub.allowed(app.name, "fields"):
            hub.hold(Held(app=app.name, verb="fields", count=len(app.lost), limit=0), app)
            hub.world.transact("fields", _complain, app, f"no longer there: {', '.join(app.lost)}", FIELDS)
        else:
            hub.world.transact("account", _note, app)
            app.moved, app.lost = "", ()


def _complain(tx: Tx, app: OpenApp, why: str, kind: str) -> None:
    tx.save_app(app.index, error=why, error_kind=kind)


def _note(tx: Tx, app: OpenApp) -> None:
    """Remember the account; another one is read from its beginning. What is offered may mean something to every contact:
    decide them all again.
    """
    assert app.app is not None
    again = {"cursor": None, "covered": 0} if app.moved else {}
    tx.save_app(app.index, fingerprint=app.fingerprint, fields=_fields_doc(app.app), **again)
    tx.mark_all_dirty()


def _fields_doc(opened: App) -> bytes:
    return codec.dump({name: _plain(where) for name, where in sorted(opened.fields.items())})


_PARTS: Final = tuple(part.name for part in fields(FieldMap))


def _plain(where: FieldMap) -> dict[str, Any]:
    doc = {name: getattr(where, name) for name in _PARTS}  # as `asdict`, without its copies: this runs at every poll
    doc["values"] = dict(where.values) if where.values is not None else None
    doc["options"] = dict(where.options)
    return doc
