"""What a login must remember is sealed, outlives its process, and belongs to one process at a time; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.errors import AccessError, TransientError
from syncd.store import schema
from syncd.store.copy import throwaway
from syncd.store.keeper import StoreKeeper
from syncd.store.lease import Lease
from syncd.store.opening import open_store
from syncd.store.store import Store
from tests.stores import DATABASES, empty_store

KEPT = {"access": "secret-access", "refresh": "secret-refresh", "until": 5.0}


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = empty_store(request, tmp_path)
    yield store
    store.close()


@pytest.fixture
def again(store: Store) -> Iterator[Store]:
    """Give the same store as another process has it."""
    again = open_store(store.url.render_as_string(hide_password=False), store.data_dir)
    yield again
    again.close()


def keeper(store: Store, app: str = "crm") -> StoreKeeper:
    return StoreKeeper(lambda: store, app, sleep=lambda _: None)


def test_what_is_kept_is_there_for_the_next_process(store: Store, again: Store) -> None:
    assert keeper(store).load() is None
    keeper(store).save({"access": "first"})
    keeper(store).save(KEPT)
    assert keeper(again).load() == KEPT
    assert keeper(again, "news").load() is None


def test_what_is_kept_is_sealed_and_for_one_app(store: Store) -> None:
    keeper(store).save(KEPT)
    with store.engine.connect() as connection:
        [(app, doc)] = connection.execute(sa.select(schema.login)).fetchall()
    assert app == "crm"
    assert b"secret" not in bytes(doc)
    store.transact(lambda tx: tx.keep_login("news", bytes(doc)))  # moved to another row it says nothing
    with pytest.raises(AccessError, match="syncd auth news") as caught:
        keeper(store, "news").load()
    assert "secret" not in f"{caught.value}{caught.value.detail}"


def test_one_process_at_a_time_and_the_other_one_is_named(store: Store, again: Store) -> None:
    with keeper(store).alone():
        with keeper(again, "news").alone():
            pass  # each app for itself
        with pytest.raises(TransientError, match=r"at its login \(login crm pid=\d+\)"), keeper(again).alone():
            pass
    with keeper(again).alone():
        pass


def test_a_login_waits_for_its_turn(store: Store, again: Store) -> None:
    first = keeper(store).alone()
    first.__enter__()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            first.__exit__(None, None, None)

    with StoreKeeper(lambda: again, "crm", sleep=sleep).alone():
        assert len(waits) == 3


def test_a_login_is_kept_beside_who_holds_the_lease(store: Store, again: Store) -> None:
    with Lease(store, wait_seconds=0), keeper(again).alone():
        keeper(again).save(KEPT)
    assert keeper(store).load() == KEPT


def test_what_is_kept_during_a_dry_run_stays(store: Store) -> None:
    with throwaway(store) as copy:
        copy.transact(lambda tx: tx.set_meta("dry", "run"))
        with keeper(store).alone():
            keeper(store).save(KEPT)
    assert keeper(store).load() == KEPT
