"""The model of the store answers every question as the databases do: the same random steps on all three, answer by answer.

Every public method of `Tx` must be here, so that a new one cannot be forgotten in the model.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from syncd.store import codec
from syncd.store.opening import open_store
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.sim.model_store import ModelStore, ModelTx
from tests.steps import Ask, Chance, steps


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_model_has_every_method_itself() -> None:
    for name in sorted(public(Tx) - {"sealer"}):
        real, model = inspect.getattr_static(Tx, name), inspect.getattr_static(ModelTx, name)
        assert real is not model, f"{name} would ask the database; write it in tests/sim/"
        if not isinstance(real, property):
            assert inspect.signature(real) == inspect.signature(model), name


# -- on all three


@pytest.fixture
def trio(tmp_path: Path, pg_url: str) -> Iterator[list[Store]]:
    """Give the three, empty."""
    lite, server = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path), open_store(pg_url, tmp_path)
    with closing(lite), closing(server):
        yield [lite, server, ModelStore()]


def answer(store: Store, asks: list[Ask]) -> object:
    """Run these in one transaction; say what was refused, or answered."""
    try:
        return store.transact(lambda tx: [ask(tx) for ask in asks])
    except (*store.errors, codec.Damaged) as error:
        return "damaged" if isinstance(error, codec.Damaged) else "refused"


@pytest.mark.parametrize("seed", range(3))
def test_the_same_steps_have_the_same_answers(trio: list[Store], seed: int) -> None:
    chance = Chance(seed)
    refused = 0
    for number in range(120):
        drawn = steps(chance)
        assert public(Tx) - {"connection", "sealer"} == drawn.keys()
        names = [chance.one(*sorted(drawn), *FILLING) for _ in range(6)]
        lite, server, model = (answer(store, [drawn[name] for name in names]) for store in trio)
        assert lite == model, f"step {number}, SQLite and the model: {names}"
        assert lite == server, f"step {number}, SQLite and PostgreSQL: {names}"
        refused += lite == "refused"
        if number % 4 == 3:
            lite, server, model = (answer(store, [drawn[name] for name in LOOKS]) for store in trio)
            assert lite == server == model, f"after step {number}"
    assert refused > 3


FILLING: Final = (
    "insert_records",
    "insert_contacts",
    "save_links",
    "replace_intents",
    "mark_sent",
    "list_ids",
    "hear",
) * 3
"""Drawn more often, or there is little to ask for."""
LOOKS: Final = (
    "any_gone", "apps", "cases", "confirmed", "contacts", "dirty_contacts", "dirty_of", "has_latches", "hints", "holders", "hooks", "in_sight",
    "intent_counts", "journal_contacts",
    "last_number", "last_run", "latches", "left_traces", "link_apps", "links_in", "links_of", "marks", "missing", "new_intents", "next_contact",
    "open_cases", "parked", "sent", "sent_of", "spread", "struck", "unlinked", "versions",
)  # fmt: skip
