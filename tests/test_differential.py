"""The same history on SQLite, on PostgreSQL and on the model: not one call to an app is different, nor what is remembered.

Simulations run on the model; this is why they say something about the databases. Histories are those of the simulator, so
they hold edits, opt-outs, deletions, lost and late answers, crashes and lost leases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import sqlalchemy as sa

from syncd.config import AppConfig
from syncd.connector import App, Connector, Opening
from syncd.core.match import address_hash
from syncd.store.codec import Sealer
from syncd.store.copy import throwaway
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.sim import stores
from tests.sim.play import Play, Played
from tests.sim.scenario import draw
from tests.stores import STORES, empty_store
from tests.story import ANN, BOB, Story, given, written

Call: TypeAlias = tuple[str, str, str]
"""app, what was asked, and what came of it, to the last letter."""
SERVER_SEEDS: Final = range(4)
FILE_SEEDS: Final = range(4, 20)


# -- what is compared


@dataclass(slots=True)
class Listening(Play):
    """A history of which every call to an app is taken down, with everything that was given and everything that came back."""

    calls_made: list[Call] = field(default_factory=list)

    def _load(self, settings: AppConfig) -> Connector:
        connector = Play._load(self, settings)

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


# -- the three


@pytest.fixture
def openings(pg_url: str) -> dict[str, stores.Opening]:
    """Give the three ways to begin with an empty store."""

    @contextmanager
    def postgres() -> Iterator[stores.Kept]:
        store = Store(pg_url, Sealer(stores.KEY))
        with closing(store), store.engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        store.create()
        with closing(store):
            yield stores.Kept(store, throwaway)

    return {"memory": stores.memory, "sqlite": stores.sqlite, "postgres": postgres}


def played(seed: int, opening: Callable[[], AbstractContextManager[stores.Kept]]) -> tuple[Played, list[Call], Any]:
    """Play a history; give the calls and what is remembered in the end as well."""
    with opening() as kept:
        play = Listening(draw(seed), kept)
        found = play.play()
        return found, play.calls_made, remembered(kept.store)


@pytest.mark.parametrize("seed", SERVER_SEEDS)
def test_a_history_is_the_same_on_every_store(openings: dict[str, stores.Opening], seed: int) -> None:
    expected, calls, memory = played(seed, openings["memory"])
    assert calls
    for name in ("sqlite", "postgres"):
        found, others, other = played(seed, openings[name])
        assert found.story == expected.story, f"{name}: another course of things"
        assert others == calls, f"{name}: other wire traffic"
        for what in memory:
            assert other[what] == memory[what], f"{name} remembers something else: {what}"


@pytest.mark.parametrize("seed", FILE_SEEDS)
def test_a_history_is_the_same_on_the_model_and_on_sqlite(openings: dict[str, stores.Opening], seed: int) -> None:
    expected, calls, memory = played(seed, openings["memory"])
    found, others, other = played(seed, openings["sqlite"])
    assert (found.story, others) == (expected.story, calls)
    assert other == memory


# -- full against incremental


@pytest.fixture(params=STORES)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    """Give a story of three apps at rest, with some of everything behind it."""
    apps: dict[str, Any] = {
        "crm": "memory",
        "news": ("memory", {"lower": ["email"], "own_ids": True}),
        "desk": ("memory", {"feed": False, "truncate": ["company:3"]}),
    }
    story = given(tmp_path, apps)
    if request.param != "sqlite":
        story.store.close()
        story.store = empty_store(request, tmp_path)
    story["crm"].put("101", **ANN)
    story["desk"].put("102", **BOB, email_consent="subscribed")
    story.sync(approve=True)
    story.settle()
    story["news"].put(story["news"].id_of(ANN["email"]), first_name="Anna", email_consent="unsubscribed")
    story["crm"].put("103", email="Cy@x.org", company="Initech")
    story["desk"].remove(story["desk"].id_of(BOB["email"]))
    story.settle(10)
    return story


def test_without_cursors_a_sweep_writes_nothing(story: Story) -> None:
    before, seen = story.holds(), [len(story.log(app)) for app in story.apps]

    def forget_cursors(tx: Tx) -> None:
        for app in tx.apps().values():
            tx.save_app(app.id, cursor=None)

    story.ask(forget_cursors)
    for run in (story.sync, story.resync, story.sync):
        assert written(run()) == 0
    assert (story.holds(), [len(story.log(app)) for app in story.apps]) == (before, seen)
