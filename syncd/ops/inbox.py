"""The inbox: what waits for a person. Held runs wait as well: they are approved, not resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncd.core.names import who
from syncd.core.state import Link
from syncd.errors import ConfigError
from syncd.ops.times import iso
from syncd.store.tx import Tx

PAGE: Final = 500
HOW: Final = {
    "match": ("--link CONTACT", "--new"),
    "conflict": ("--app APP", "--value TEXT", "--clear", "--keep"),
    "deletion": ("--restore", "--keep"),
}
"""Kind of case -> the decisions that fit."""


def page(tx: Tx, after: int) -> list[dict[str, Any]]:
    """List open cases, oldest first, without their values."""
    return [_listed(case) for case in tx.cases(limit=PAGE, after=after)]


def iterate(read: Any) -> Iterator[dict[str, Any]]:
    """Give all open cases one by one; each page in a short read of its own (`read`: `Store.read`)."""
    after = 0
    while True:
        found = read(lambda tx, after=after: page(tx, after))
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1]["case"]


def _listed(case: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case": case["id"],
        "kind": case["kind"],
        "contact": case["contact"],
        "app": case["app"],
        "field": case["field"],
        "since": iso(case["opened_ms"]),
        "reason": case.get("reason"),
    }


def show(tx: Tx, number: int) -> dict[str, Any]:
    """Show one case with its values; ConfigError where there is none."""
    cases = tx.cases(limit=1, after=number - 1)
    if not cases or cases[0]["id"] != number:
        raise ConfigError(f"there is no open case {number}; `syncd inbox list` shows them")
    case = cases[0]
    rest: dict[str, Any] = {name: case[name] for name in ("values", "record", "candidates") if name in case}
    contact = tx.contacts([int(case["contact"][1:])]).get(int(case["contact"][1:]))
    about = who(contact) if contact is not None else None
    doc = {**_listed(case), "who": about, "run": case["run"], **rest, "decisions": list(HOW.get(case["kind"], ()))}
    if case["kind"] == "match":
        doc["records"], linkable = _side_by_side(tx, case)
        doc["decisions"] = [*(f"--link c{contact}" for contact in linkable), "--new"]
    return doc


def _side_by_side(tx: Tx, case: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[int]]:
    """Show the record of a case and those that it may be the same as; name those of their contacts that could have it.

    A contact that has a record in the same app could not: two records of one app are merged there, by people.
    """
    apps = {name: state.id for name, state in tx.apps().items()}
    mine = apps[case["app"]]
    places = [(mine, case["record"]), *((apps[a], r) for a, r, _ in case["candidates"] if a in apps)]
    found = [link for app, record in places if (link := tx.link(app, record)) is not None]
    own = int(case["contact"][1:])
    linked = tx.links_of({*(link.contact for link in found), *(c for _, _, c in case["candidates"] if c)} - {0, own})
    held = {link.app for link in tx.links_of([own])[own]}
    inside = [link for links in linked.values() for link in links if link.app in held]
    known = {
        c for a, _, c in case["candidates"] if a not in apps
    }  # by what they had before; now they have other records
    former = [link for number in sorted(linked) if number in known for link in linked[number]]
    names = {number: name for name, number in apps.items()}
    records = {(link.app, link.id): _record(link, names) for link in [*found, *former, *inside]}
    taken = {link.contact for link in inside}
    return list(records.values()), sorted(
        contact for contact, links in linked.items() if links and contact not in taken
    )


def _record(link: Link, names: Mapping[int, str]) -> dict[str, Any]:
    fields = {**link.base, **(link.seen.fields if link.seen else {})}
    contact = f"c{link.contact}" if link.contact else None
    return {"app": names[link.app], "record": link.id, "contact": contact, "fields": dict(sorted(fields.items()))}
