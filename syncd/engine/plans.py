"""The plan as a document: what `syncd plan` prints and `syncd apply FILE` performs.

An intent of the document is found again by its contact's records, not by numbers that another run may give to others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from syncd.core.names import who
from syncd.core.state import Intent
from syncd.engine.apply import intent_now
from syncd.engine.hub import PAGE, Hub, OpenApp
from syncd.engine.meetings import in_the_way
from syncd.errors import ConfigError
from syncd.store.codec import KIND_NUMBER, KINDS
from syncd.store.tx import Tx

DONE: Final = "nothing to do any more"


def list_intents(hub: Hub, names: set[str] | None, contacts: Collection[int] | None = None) -> Iterator[dict[str, Any]]:
    """List every intent of these apps (None: all) and contacts, app by app, consent first, page by page; held ones too, for they
    are what somebody has to look at.
    """
    for app in sorted(hub.apps.values(), key=lambda a: a.rule.rank):
        if names is not None and app.name not in names:
            continue
        for kind in KINDS:
            after = 0
            while True:
                page, after = hub.world.transact("intents", _page, hub, app, kind, after)
                yield from (doc for doc in page if contacts is None or int(doc["contact"][1:]) in contacts)
                if not after:
                    break


def _page(tx: Tx, hub: Hub, app: OpenApp, kind: str, after: int) -> tuple[list[dict[str, Any]], int]:
    number = ("consent", "update", "create", "archive").index(kind)
    rows = tx.new_intents(app.index, number, after, PAGE)
    if not rows:
        return [], 0
    ids = [row.contact for row in rows]
    contacts, links = tx.contacts(ids), tx.links_of(ids)
    intents = [intent_now(hub, app, number, contacts[c], links[c]) for c in ids if c in contacts]
    new = {
        i.contact: {name: change.new for name, change in i.fields.items()} for i in intents if i and kind == "create"
    }
    waiting = {*in_the_way(tx, hub, app, contacts, new), *(new.keys() - tx.in_sight(new))}
    page = []
    for intent in intents:
        if intent is not None and intent.contact not in waiting:
            others = {hub.apps[x.app].name: x.id for x in links[intent.contact] if x.app in hub.apps}
            page.append(intent_doc(intent, app.name, others, who(contacts[intent.contact])))
    return page, rows[-1].contact


def intent_doc(intent: Intent, app: str, records: dict[str, str], about: str | None) -> dict[str, Any]:
    """Describe one intent. `records`: the contact's records, app -> id. `about`: whom people know the contact as."""
    return {
        "app": app,
        "kind": intent.kind,
        "contact": f"c{intent.contact}",
        "who": about,
        "record": intent.record,
        "records": records,
        "fields": {
            name: {"from": change.old, "to": change.new, "reason": change.reason}
            for name, change in intent.fields.items()
        },
    }


def find_planned(hub: Hub, planned: dict[str, Any]) -> tuple[dict[int, set[tuple[str, int]]], list[dict[str, Any]]]:
    """Find the planned intents that still are what would be done: app -> (kind, contact); and those that are not."""
    by_name = {app.name: app for app in hub.apps.values()}
    wanted: dict[int, set[tuple[str, int]]] = {}
    skipped: list[dict[str, Any]] = []
    intents = planned.get("intents")
    if not isinstance(intents, list):
        raise ConfigError("this is not a plan: it has no list of intents; make one by `syncd plan --out FILE`")
    for start in range(0, len(intents), PAGE):
        chunk = intents[start : start + PAGE]
        found = hub.world.transact("find", _still_all, hub, by_name, chunk)
        for intent, contact in zip(chunk, found, strict=True):
            if isinstance(contact, int):
                wanted.setdefault(by_name[intent["app"]].index, set()).add((intent["kind"], contact))
            else:
                skipped.append({**intent, "skipped": contact})
    return wanted, skipped


def _still_all(tx: Tx, hub: Hub, by_name: dict[str, OpenApp], chunk: list[Any]) -> list[int | str]:
    return [_still(tx, hub, by_name, planned) for planned in chunk]


def _still(tx: Tx, hub: Hub, by_name: dict[str, OpenApp], planned: Any) -> int | str:
    """Return the contact if the intent is still exactly this one, else why not."""
    if not isinstance(planned, dict) or planned.get("app") not in by_name or planned.get("kind") not in KIND_NUMBER:
        return "not an intent of this configuration"
    app = by_name[planned["app"]]
    if not app.usable:
        return "the app is paused, held or cannot be reached"
    if planned["kind"] == "create" and not hub.covered:
        return "not every app was read in full yet"
    owners = set()
    for name, id_ in planned.get("records", {}).items():
        link = tx.link(by_name[name].index, id_) if name in by_name else None
        owners.add(link.contact if link is not None else 0)
    if len(owners) != 1 or not (contact_id := owners.pop()):
        return "its records belong to another contact now, or are gone"
    contact = tx.contacts([contact_id]).get(contact_id)
    if contact is None:
        return "the contact is gone"
    now = intent_now(hub, app, KIND_NUMBER[planned["kind"]], contact, tx.links_of([contact_id])[contact_id])
    if now is None:
        return DONE
    doc = intent_doc(now, app.name, {}, None)
    same = all(
        (field.get("from"), field.get("to"))
        == (doc["fields"].get(name, {}).get("from"), doc["fields"].get(name, {}).get("to"))
        for name, field in planned["fields"].items()
    )
    if not same or set(planned["fields"]) != set(doc["fields"]):
        return "a value has changed since"
    return contact_id
