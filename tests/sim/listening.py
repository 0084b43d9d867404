"""Listen to a history: every call to an app, letter by letter, and everything the store remembers in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from syncd.config import AppConfig
from syncd.connector import App, Connector, Opening
from syncd.core.match import address_hash
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.sim.drawing import draw
from tests.sim.play import Play, Played
from tests.sim.stores import Kept

Call: TypeAlias = tuple[str, str, str]
"""app, what was asked, and what came of it, to the last letter."""


@dataclass(slots=True)
class Listening(Play):
    """A history of which every call to an app is taken down, with everything that was given and everything that came back."""

    calls_made: list[Call] = field(default_factory=list)

    def _load(self, owner: int, settings: AppConfig) -> Connector:
        connector = Play._load(self, owner, settings)

        def opened(opening: Opening) -> App:
            return _Tapped(connector.open(opening), settings.name, self.calls_made)

        return replace(connector, open=opened)


class _Tapped:
    """A connection on a wire that somebody listens to."""

    def __init__(self, app: App, name: str, calls: list[Call]) -> None:
        self._app, self._name, self._calls = app, name, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._app, name)
        if name not in ("read", "get", "write", "find", "new_id"):
            return found
        return lambda *args: self._told(name, found, args)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._app, name, value)

    def _told(self, name: str, method: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        asked = f"{name} {args!r}"
        try:
            answer = method(*args)
        except Exception as error:
            self._calls.append((self._name, asked, f"{type(error).__name__}: {error}"))
            raise
        if name == "read":
            return self._pages(asked, answer)
        self._calls.append((self._name, asked, repr(answer)))
        return answer

    def _pages(self, asked: str, pages: Iterator[Any]) -> Iterator[Any]:
        for page in pages:
            self._calls.append((self._name, asked, repr(page)))
            yield page


def remembered(store: Store) -> dict[str, Any]:
    """Ask a store for everything it holds."""

    def look(tx: Tx) -> dict[str, Any]:
        apps = [app.id for app in tx.apps().values()]
        contacts = range(1, tx.next_contact())
        links = tx.links_of(contacts)
        ids = {app: [link.id for mine in links.values() for link in mine if link.app == app] for app in apps}
        people = tx.contacts(contacts)
        addresses = {str(person.golden.get("email")) for person in people.values()}
        subjects = [*(b"c%d" % contact for contact in contacts), *(address_hash(a.lower()) for a in sorted(addresses))]
        return {
            "apps": tx.apps(),
            "contacts": people,
            "links": links,
            "unlinked": [tx.unlinked(app, "", 10_000) for app in apps],
            "marks": [tx.marks(app, ids[app]) for app in apps],
            "parked": [tx.parked(app, 10_000) for app in apps],
            "dirty": tx.dirty_contacts([], 0, 10_000),
            "intents": tx.intent_counts(),
            "sent": [tx.sent(app) for app in apps],
            "latches": tx.latches(subjects),
            "journal": tx.journal_entries(tx.journal_contacts(None, None, None, 0, 10_000), None, None),
            "cases": tx.cases(10_000),
            "runs": [tx.run(number) for number in range(1, 200)],
            "meta": [tx.meta(name) for name in ("first", "approvals", "rules", "contacts")],
        }

    return store.transact(look)


def played(seed: int, opening: Callable[[], AbstractContextManager[Kept]]) -> tuple[Played, list[Call], Any]:
    """Play a history; give the calls and what is remembered in the end as well."""
    with opening() as kept:
        play = Listening(draw(seed), kept)
        found = play.play()
        return found, play.calls_made, remembered(kept.store)
