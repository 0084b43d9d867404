"""The same history on SQLite, on PostgreSQL and on the model: not one call to an app is different, nor what is remembered.

Simulations run on the model; this is why they say something about the databases. Histories are those of the simulator, so
they hold edits, opt-outs, deletions, lost and late answers, crashes and lost leases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from syncd.core.consent import Latch
from syncd.store.codec import Sealer
from syncd.store.copy import throwaway
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.sim import stores
from tests.sim.drawing import draw
from tests.sim.listening import played
from tests.sim.model_store import ModelStore, ModelTx
from tests.sim.model_store import throwaway as model_throwaway
from tests.sim.play import play
from tests.stores import STORES, empty_store
from tests.story import ANN, BOB, Story, given, written

SERVER_SEEDS: Final = (*range(4), 178, 275, 344)
"""Four as they come, and some with webhooks, with a bin, and with an app that was restored from a backup, and was held."""
FILE_SEEDS: Final = range(4, 20)


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


def test_what_came_to_the_simulator_later_is_played_on_every_store_as_well() -> None:
    reached: set[str] = set()
    for seed in SERVER_SEEDS:
        scenario = draw(seed)
        bins = {place for place, quirks in enumerate(scenario.apps) if quirks.bin_ms}
        reached |= {"a bin" for action in scenario.actions if action.kind == "delete" and action.app in bins}
        reached |= play(scenario, stores.memory).seen.keys()
    assert reached >= {"a bin", "held: restored", "a webhook came late", "a webhook was lost", "transaction: hinted"}


class _Forgetful(ModelTx):
    """A transaction that loses every opt-out."""

    def save_latches(self, latches: Mapping[tuple[str, bytes], Latch]) -> None:
        """Do nothing."""


def test_a_store_that_forgets_something_is_noticed() -> None:
    @contextmanager
    def forgetful() -> Iterator[stores.Kept]:
        store = ModelStore(Sealer(stores.KEY))
        store._tx = _Forgetful(store.tables, store.sealer)
        yield stores.Kept(store, model_throwaway)

    _, _, memory = played(5, stores.memory)
    _, _, other = played(5, forgetful)
    assert memory["latches"]
    assert {what for what in memory if memory[what] != other[what]} >= {"latches"}


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
