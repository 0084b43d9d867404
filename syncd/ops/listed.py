"""Listed: the records behind a number of `status`, one by one: which are parked, unreadable, failed ..., and why.

Reads contacts page by page; the same words and reasons as `explain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import select

from syncd.core.names import who
from syncd.core.rules import AppRule, Rules
from syncd.core.state import Contact, Link
from syncd.ops.explain import unreadable_cells
from syncd.ops.states import State, state_of
from syncd.ops.status import PAGE, every_contact
from syncd.store import schema as s
from syncd.store.records import Mark
from syncd.store.tx import Tx

WORDS: Final = ("parked", "unreadable", "pending", "excluded", "failed", "conflict", "missing")
MISSING: Final = "the last listing of the app did not show it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One record, or one contact that has none in this app."""

    app: str
    record: str | None
    contact: str | None
    """Such as c42; None: whose record it is was not decided."""
    who: str | None
    """Whom it is about, in a few words."""
    why: str

    def doc(self) -> dict[str, Any]:
        """Make the document that `syncd status --list --json` prints of it."""
        return asdict(self)


def listed(tx: Tx, word: str, apps: Sequence[str], rules: Rules) -> Iterator[Listed]:
    """List what is in a state (one of WORDS), app by app in their order, contacts by number."""
    states = tx.apps()
    for name in apps:
        rule = rules.app(states[name].id) if name in states else None
        if rule is not None:
            yield from _of_nobody(tx, word, rule)
            yield from _of_contacts(tx, word, rule, rules)


def _of_nobody(tx: Tx, word: str, app: AppRule) -> Iterator[Listed]:
    """List records that belong to no contact: those that cannot be read at all, and those that nobody has looked at yet."""
    r, after = s.record.c, ""
    while word in ("parked", "pending"):
        where = r.problem.is_not(None) if word == "parked" else r.problem.is_(None)
        query = select(r.id, r.problem).where(r.app == app.index, r.contact.is_(None), where, r.id > after)
        rows = tx.connection.execute(query.order_by(r.id).limit(PAGE)).fetchall()
        for id_, problem in rows:
            yield Listed(
                app=app.name, record=id_, contact=None, who=None, why=problem or "it was read and not decided yet"
            )
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _of_contacts(tx: Tx, word: str, app: AppRule, rules: Rules) -> Iterator[Listed]:
    page: list[Contact] = []
    for contact in every_contact(tx):
        page.append(contact)
        if len(page) == PAGE:
            yield from _page(tx, word, page, app, rules)
            page = []
    yield from _page(tx, word, page, app, rules)


def _page(tx: Tx, word: str, contacts: Sequence[Contact], app: AppRule, rules: Rules) -> Iterator[Listed]:
    ids = [contact.id for contact in contacts]
    links = tx.links_in(app.index, ids)
    marks = tx.marks(app.index, [link.id for link in links.values()])
    c = s.intent.c
    missing = _missing(tx, app.index, marks) if word == "missing" else frozenset()
    anywhere = tx.link_apps([contact.id for contact in contacts if contact.refused]) if word == "failed" else {}
    busy = set(tx.connection.execute(select(c.contact).where(c.app == app.index, c.contact.in_(ids))).scalars())
    for contact in contacts:
        link = links.get(contact.id)
        problem = marks[link.id].problem if link is not None and link.id in marks else None
        pending = (app.index,) if contact.id in busy else ()
        if word == "failed" and contact.id not in anywhere:
            continue  # nobody's: no app has a record of it any more
        why = _why(word, state_of(contact, link, problem, app, rules, pending), link, app)
        if word == "missing" and link is not None and link.id in missing:
            why = MISSING
        if why is not None:
            record = link.id if link else None
            yield Listed(app=app.name, record=record, contact=f"c{contact.id}", who=who(contact), why=why)


def _missing(tx: Tx, app: int, marks: Mapping[str, Mark]) -> frozenset[str]:
    """Say which of these the last listing did not show: what a listing that is not believed showed is still known."""
    shown = select(s.listed.c.id).where(s.listed.c.app == app)
    if tx.connection.execute(shown.limit(1)).first() is None:
        return frozenset(id_ for id_, mark in marks.items() if mark.misses)
    there = set(tx.connection.execute(shown.where(s.listed.c.id.in_(list(marks)))).scalars())
    return frozenset(marks.keys() - there)


def _why(word: str, state: State, link: Link | None, app: AppRule) -> str | None:
    """Say why this is to be listed; None if it is not."""
    if word == "unreadable":
        cells = unreadable_cells(link, app) if link is not None else {}
        return "; ".join(f"{name}: {why}" for name, why in cells.items()) or None
    return (state.why or state.word) if state.word == word else None
