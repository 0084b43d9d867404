"""A model of the store: dictionaries that do what SQLite and PostgreSQL do, some hundred times faster, to be simulated on.

It is a `Store` for whoever asks, so that mypy compares every method with the real one; tests/test_store.py proves that it
behaves like them. One thread only. Hard rule: what it gives is made anew each time, so nobody changes a stored row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import faults, schema
from syncd.store.codec import Sealer
from syncd.store.store import EPOCH, KEY, LeaseLost, Store
from syncd.store.tx import Tx
from tests.sim.model_contacts import ModelConsents, ModelContacts, ModelIntents, ModelJournal
from tests.sim.model_records import ModelHints, ModelListings, ModelRecords, ModelRuns
from tests.sim.model_tables import Tables

T = TypeVar("T")
PLACE: Final = "model"


class ModelTx(
    ModelRuns, ModelRecords, ModelListings, ModelHints, ModelContacts, ModelIntents, ModelConsents, ModelJournal, Tx
):
    """A transaction of the model."""


class ModelStore(Store):
    """The state of one hub, in this process only."""

    def __init__(self, sealer: Sealer | None = None, tables: Tables | None = None) -> None:
        self.url = sa.engine.make_url("model://")
        self.sealer = sealer or Sealer(b"k" * 32)
        self.sqlite = False
        self.data_dir = Path()
        dbapi: Any = sqlite3  # what the refusals of the model carry
        self.errors = (sa.exc.DBAPIError, dbapi.Error)
        self.tables = tables or Tables()
        self._tx = ModelTx(self.tables, self.sealer)
        self._busy = False
        if tables is None:
            self.tables.meta[KEY] = self.sealer.check

    @property
    def place(self) -> str:
        return PLACE

    def transact(self, step: Callable[[Tx], T], *, epoch: int | None = None) -> T:
        if epoch is not None and self.tables.meta.get(EPOCH) != str(epoch):
            raise LeaseLost(f"{PLACE}: another syncd has taken over; this one stops, nothing was changed by it")
        return self._run_alone(step)

    def read(self, step: Callable[[Tx], T]) -> T:
        def looking(tx: Tx) -> T:
            found = step(tx)
            if self.tables.changed:
                raise ConfigError(f"{PLACE}: {faults.NOT_WRITABLE}")
            return found

        return self._run_alone(looking)

    def copy(self) -> ModelStore:
        """Copy the store as it is now."""
        return ModelStore(self.sealer, self.tables.copy())

    def version(self) -> str | None:
        return schema.HEAD

    def quick_check(self) -> None:
        """Nothing can be damaged."""

    def create(self) -> None:
        """Everything is there."""

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def translated(self) -> Iterator[None]:
        yield

    def changing(self) -> Any:
        raise AssertionError("the model has no tables to change")

    def _run_alone(self, step: Callable[[Tx], T]) -> T:
        if self._busy:
            raise TransientError(f"{PLACE}: {faults.LOCKED}")
        self._busy = True
        try:
            found = step(self._tx)
        except BaseException:
            self.tables.rollback()
            raise
        finally:
            self._busy = False
        self.tables.commit()
        return found


@contextmanager
def throwaway(store: Store) -> Iterator[Store]:
    """Give a copy of a model, in place of `syncd.store.copy:throwaway`."""
    assert isinstance(store, ModelStore)
    yield store.copy()
