"""The three stores that must not be told apart: SQLite, PostgreSQL, and the model that simulations run on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from syncd.store.opening import open_store
from syncd.store.store import Store
from tests.sim.model_store import ModelStore

DATABASES: Final = ("sqlite", "postgresql")
STORES: Final = (*DATABASES, "model")


def empty_store(request: pytest.FixtureRequest, folder: Path) -> Store:
    """Make the empty store that a fixture's parameter names."""
    if request.param == "model":
        return ModelStore()
    return open_store(
        f"sqlite:///{folder}/syncd.db" if request.param == "sqlite" else request.getfixturevalue("pg_url"), folder
    )


def opened_again(store: Store, folder: Path) -> Store:
    """Give what another process would find in this store."""
    store.close()
    if isinstance(store, ModelStore):
        return store.copy()
    return open_store(store.url.render_as_string(hide_password=False), folder)
