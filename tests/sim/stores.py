"""Stores for histories: each history begins with an empty one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from syncd.store.codec import Sealer
from syncd.store.copy import throwaway
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.sim import model_store

KEY: Final = b"k" * 32
COMPILED: Final[dict[Any, Any]] = {}
"""Statements that were compiled once in this process: no history pays for them again."""
POSTGRES_URL: Final = "SYNCD_SIM_POSTGRES"


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and how a dry run gets a copy of it."""

    store: Store
    throwaway: Callable[[Store], AbstractContextManager[Store]]


Opening: TypeAlias = Callable[[], AbstractContextManager[Kept]]


@contextmanager
def memory() -> Iterator[Kept]:
    """Give the in-memory model of the store."""
    yield Kept(model_store.ModelStore(Sealer(KEY)), model_store.throwaway)


@contextmanager
def sqlite() -> Iterator[Kept]:
    """Give an SQLite store in a file, copied from one that is empty; on a disk in memory, where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="syncd-sim-", dir=shared if os.access(shared, os.W_OK) else None) as folder:
        (Path(folder) / "syncd.db").write_bytes(_empty())
        store = _sqlite_store(folder)
        try:
            yield Kept(store, throwaway)
        finally:
            store.close()


def _sqlite_store(folder: str) -> Store:
    store = Store(f"sqlite:///{folder}/syncd.db", Sealer(KEY))
    store.engine = store.engine.execution_options(compiled_cache=COMPILED)
    return store


@lru_cache(maxsize=1)
def _empty() -> bytes:
    with tempfile.TemporaryDirectory(prefix="syncd-sim-") as folder:
        store = _sqlite_store(folder)
        store.create()
        store.close()  # the last connection takes the log into the file
        return (Path(folder) / "syncd.db").read_bytes()


@contextmanager
def postgres() -> Iterator[Kept]:
    """Give an empty store in the PostgreSQL database that SYNCD_SIM_POSTGRES names."""
    store = Store(os.environ[POSTGRES_URL], Sealer(KEY))
    with store.engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    store.create()
    try:
        yield Kept(store, throwaway)
    finally:
        store.close()


STORES: Final[dict[str, Opening]] = {"memory": memory, "sqlite": sqlite, "postgres": postgres}


def forget_cursors(tx: Tx) -> None:
    """Let every app be read from its beginning."""
    for app in tx.apps().values():
        tx.save_app(app.id, cursor=None)


def account_of(tx: Tx, app: str) -> str | None:
    """Name the account that an app was bound to; None: none yet."""
    state = tx.apps().get(app)
    return None if state is None else state.fingerprint
