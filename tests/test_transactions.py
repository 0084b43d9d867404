"""A transaction is durable or never was; readers stop nobody; errors are reactions and hold no value. On both databases."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.state import Contact, Intent, Seen
from syncd.errors import ConfigError, SyncdError, TransientError
from syncd.store import codec, faults, schema
from syncd.store.opening import open_store
from syncd.store.store import RETRIES, Store
from syncd.store.tx import Tx
from tests.sim.model_store import ModelStore
from tests.statements import hear

SECRET = "carol@secret.example"


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Store]:
    """Give an empty SQLite store."""
    store = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    yield store
    store.close()


@pytest.fixture
def postgres(tmp_path: Path, pg_url: str) -> Iterator[Store]:
    """Give an empty PostgreSQL store."""
    store = open_store(pg_url, tmp_path)
    yield store
    store.close()


@pytest.fixture
def model() -> Store:
    """Give an empty model. It has one connection and no SQL: most of what is tested here it cannot get wrong."""
    return ModelStore()


@pytest.fixture(params=["lite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """Give an empty store, of one kind after the other."""
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture(params=["lite", "postgres", "model"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """Give an empty store or a model, one after the other."""
    store: Store = request.getfixturevalue(request.param)
    return store


def put(name: str, value: str) -> Any:
    return lambda tx: tx.set_meta(name, value)


def got(store: Store, name: str) -> str | None:
    return store.read(lambda tx: tx.meta(name))


# -- all or nothing


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_step_that_fails_has_never_been(any_store: Store, error: type[BaseException]) -> None:
    any_store.transact(put("a", "before"))

    def step(tx: Tx) -> None:
        tx.set_meta("a", "after")
        tx.mark_dirty([1, 2])
        raise error

    with pytest.raises(error):
        any_store.transact(step)
    assert (got(any_store, "a"), any_store.read(lambda tx: tx.dirty_contacts([], 0, 9))) == ("before", [])


def test_one_that_breaks_off_as_it_begins_leaves_nothing_to_the_next(lite: Store) -> None:
    """All write by one connection, and SQLite's own transaction has begun by then."""
    lite.transact(put("a", "before"))
    left = [1]

    def break_off(_: sa.Connection) -> None:
        if left:
            left.clear()
            raise KeyboardInterrupt

    sa.event.listen(lite.engine, "begin", break_off)
    with pytest.raises(KeyboardInterrupt):
        lite.transact(put("a", "lost"))
    lite.transact(put("b", "after"))
    assert (got(lite, "a"), got(lite, "b"), left) == ("before", "after", [])


def test_two_transactions_that_meet_are_as_if_one_came_first(postgres: Store) -> None:
    postgres.transact(put("count", "0"))
    tries: list[str] = []

    def add(tx: Tx) -> None:
        tries.append("outer")
        count = int(tx.meta("count") or 0)
        if len(tries) == 1:  # another one reads and writes the same row, and is faster
            postgres.transact(lambda other: other.set_meta("count", str(int(other.meta("count") or 0) + 1)))
        tx.set_meta("count", str(count + 1))

    postgres.transact(add)
    assert (got(postgres, "count"), tries) == ("2", ["outer", "outer"])


def test_a_transaction_is_not_tried_for_ever(postgres: Store) -> None:
    tries: list[int] = []

    def unlucky(tx: Tx) -> None:
        tries.append(int(tx.meta("n") or 0))
        postgres.transact(put("n", str(len(tries))))
        tx.set_meta("n", "lost")

    with pytest.raises(TransientError, match="other programs change the store"):
        postgres.transact(unlucky)
    assert tries == list(range(RETRIES))


def test_an_insert_by_copy_is_retried_as_well(postgres: Store) -> None:
    tries: list[int] = []

    def step(tx: Tx) -> int:
        number = tx.next_contact()
        tries.append(number)
        if len(tries) == 1:
            postgres.transact(lambda other: other.insert_contacts([Contact(id=other.next_contact(), secret=b"x")]))
        tx.insert_contacts([Contact(id=number, secret=b"y")])
        return number

    assert (postgres.transact(step), tries) == (2, [1, 2])


# -- readers


def test_a_reader_waits_for_no_writer_and_sees_what_was_there(store: Store) -> None:
    store.transact(put("a", "old"))

    def step(tx: Tx) -> str | None:
        tx.set_meta("a", "new")
        return got(store, "a")  # on another connection, while this one holds the write lock

    assert store.transact(step) == "old"
    assert got(store, "a") == "new"


def test_a_writer_waits_for_no_reader(store: Store) -> None:
    store.transact(put("a", "old"))

    def step(tx: Tx) -> list[str | None]:
        before = tx.meta("a")
        store.transact(put("a", "new"))
        return [before, tx.meta("a")]  # one view from beginning to end

    assert (store.read(step), got(store, "a")) == (["old", "old"], "new")


def test_a_reader_cannot_write(any_store: Store) -> None:
    with pytest.raises(SyncdError):
        any_store.read(put("a", "b"))
    any_store.transact(put("a", "c"))  # the connection it used may write again
    assert got(any_store, "a") == "c"


def test_a_store_that_another_program_locks_is_an_error_that_passes(lite: Store) -> None:
    lite.engine.dispose()
    sa.event.listen(lite.engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout=20"))
    other = sqlite3.connect(lite.place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        TransientError, match=r"syncd\.db: another program keeps the store locked \(.*`fuser`.*; end it"
    ):
        lite.transact(put("a", "b"))
    assert got(lite, "a") is None
    other.close()
    lite.transact(put("a", "b"))


# -- every connection


def test_every_sqlite_connection_is_durable(lite: Store) -> None:
    found = []
    barrier = threading.Barrier(3)

    def look() -> None:
        def step(tx: Tx) -> None:
            barrier.wait()  # three connections at once
            pragmas = ("synchronous", "journal_mode", "foreign_keys")
            found.append([tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas])

        lite.read(step)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[2, "wal", 1]] * 3  # 2 is FULL


def test_every_postgresql_connection_is_durable_and_impatient(postgres: Store, pg_url: str) -> None:
    names = ("synchronous_commit", "transaction_isolation", "plan_cache_mode", "lock_timeout", "application_name")
    found = postgres.transact(lambda tx: [tx.connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names])
    assert found == ["on", "serializable", "force_custom_plan", "30s", "syncd"]
    weaker = Store(f"{pg_url}?options=-csynchronous_commit%3Dremote_apply", postgres.sealer)
    assert weaker.read(lambda tx: tx.connection.exec_driver_sql("SHOW synchronous_commit").scalar()) == "remote_apply"
    weaker.close()


def test_files_are_for_this_user_only(lite: Store, tmp_path: Path) -> None:
    lite.transact(put("a", "b"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir() if file.is_file()}
    assert modes == dict.fromkeys(("syncd.db", "syncd.db-wal", "syncd.db-shm", "syncd.key"), 0o600)


# -- errors


def record(**given: Any) -> dict[str, Any]:
    seen = codec.seen_doc(Seen(fields={"email": SECRET}, version=None, at_ms=1, since_ms=0))
    row = {"app": 1, "id": SECRET, "contact": 1, "version": SECRET, "digest": b"", "at_ms": 1, "problem": None}
    return {**row, "doc": None, "seen": seen, **given}


SPOILT = [
    lambda tx: tx.insert_records([record(), record()]),
    lambda tx: tx.connection.execute(sa.insert(schema.record), [record(), record()]),
    lambda tx: tx.connection.execute(sa.insert(schema.app), [{"id": n, "name": SECRET} for n in (1, 2)]),
    lambda tx: tx.connection.execute(sa.insert(schema.record), record(app=SECRET)),
    lambda tx: tx.connection.execute(sa.insert(schema.record), record(at_ms=None)),
    lambda tx: tx.connection.execute(sa.text("SELECT no_such(:a)"), {"a": SECRET}),
]
POSTGRESQL_QUOTES = [
    lambda tx: tx.insert_records([record(id=f"{SECRET}\0")]),
    lambda tx: tx.connection.exec_driver_sql(f"SELECT '{SECRET}'::text::integer"),
    lambda tx: tx.connection.execute(sa.text("SELECT CAST(:a AS date)"), {"a": SECRET}),
]


def assert_silent(error: BaseException | None) -> None:
    while error is not None:
        assert SECRET not in f"{error.args}" + str(error).partition("[SQL:")[0]
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("step", SPOILT)
def test_no_error_holds_a_value(store: Store, step: Any) -> None:
    with pytest.raises(store.errors) as caught:
        store.transact(step)
    assert_silent(caught.value)


@pytest.mark.parametrize("step", POSTGRESQL_QUOTES)
def test_what_postgresql_quotes_is_forgotten(postgres: Store, step: Any) -> None:
    with pytest.raises(postgres.errors) as caught:
        postgres.transact(step)
    assert_silent(caught.value)


def test_a_fault_of_ours_stays_one(store: Store) -> None:
    with pytest.raises(store.errors, match="no_such"):
        store.transact(lambda tx: tx.connection.exec_driver_sql("SELECT * FROM no_such"))


def test_a_connection_that_breaks_is_an_error_that_passes(postgres: Store) -> None:
    def step(tx: Tx) -> None:
        tx.set_meta("a", "b")
        own = tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        postgres.read(lambda other: other.connection.exec_driver_sql(f"SELECT pg_terminate_backend({own})").fetchall())
        tx.set_meta("a", "c")

    with pytest.raises(TransientError, match="the server"):
        postgres.transact(step)
    assert got(postgres, "a") is None  # on a new connection


@pytest.mark.parametrize(
    ("state", "kind", "text"),
    [
        ("53100", TransientError, "disk is full"),
        ("53300", TransientError, "memory or connections"),
        ("57P01", TransientError, "stopped"),
        ("57014", TransientError, "cancelled"),
        ("55P03", TransientError, "locked"),
        ("25006", ConfigError, "primary"),
        ("42501", ConfigError, "refuses this user"),
        ("28P01", ConfigError, "refuses this user"),
        ("3D000", ConfigError, "no such database"),
        ("XX001", ConfigError, "damaged"),
    ],
)
def test_postgresqls_codes_are_reactions(state: str, kind: type[SyncdError], text: str) -> None:
    class Said(Exception):
        sqlstate = state

    url = sa.engine.make_url("postgresql+psycopg://me:pw@db.example/hub?password=pw2")
    found = faults.reaction(Said("with carol@secret.example"), url)
    assert type(found) is kind
    assert re.fullmatch(rf"postgresql://db\.example/hub: .*{text}.*", str(found))
    assert "secret" not in f"{found} {found.detail}"


# -- no page reads a whole table


HOT = {
    "dirty_contacts": lambda tx: tx.dirty_contacts([7], 1, 9),
    "dirty_of": lambda tx: tx.dirty_of([1]),
    "unlinked": lambda tx: tx.unlinked(1, "", 9),
    "waiting": lambda tx: tx.waiting(1, 0, 9),
    "waiting_counts": lambda tx: tx.waiting_counts(),
    "struck": lambda tx: tx.struck(1, 2, 9),
    "any_missed": lambda tx: tx.any_missed(1),
    "any_gone": lambda tx: tx.any_gone(),
    "found_again": lambda tx: tx.found_again(1),
    "parked_count": lambda tx: tx.parked_count(1),
    "unheard_count": lambda tx: tx.unheard_count(1),
    "marks": lambda tx: tx.marks(1, ["a"]),
    "links_of": lambda tx: tx.links_of([1]),
    "link_apps": lambda tx: tx.link_apps([1]),
    "in_sight": lambda tx: tx.in_sight([1]),
    "holders": lambda tx: tx.holders([b"k"]),
    "latches": lambda tx: tx.latches([b"k"]),
    "contacts": lambda tx: tx.contacts([1]),
    "new_intents": lambda tx: tx.new_intents(1, 1, 0, 9),
    "sent": lambda tx: tx.sent(1),
    "sent_of": lambda tx: tx.sent_of([1]),
    "replace_intents": lambda tx: tx.replace_intents(
        [1], [Intent(app=1, kind="update", contact=1, record="", fields={})]
    ),
    "drop_intents": lambda tx: tx.drop_intents(1, 1, [1]),
    "clear_dirty": lambda tx: tx.clear_dirty([1]),
    "see": lambda tx: tx.see([{"k_app": 1, "k_id": "a", "digest": b"", "problem": None, "seen": None}]),
    "review_contacts": lambda tx: tx.review_contacts(0, 9),
    "refused_count": lambda tx: tx.refused_count(),
    "linked_count": lambda tx: tx.linked_count(1),
    "journal_contacts": lambda tx: tx.journal_contacts(1, None, None, 0, 9),
    "journal_entries": lambda tx: tx.journal_entries([1], None, None),
}
LIMITED = {
    "linked_count": "COVERING INDEX record_one_link",
    "dirty_contacts": "record_to_merge",
    "waiting": "record_to_merge",
    "waiting_counts": "record_to_merge",
    "unlinked": "record_to_match",
    "struck": "record_missed",
}


@pytest.mark.parametrize("name", HOT)
def test_no_hot_statement_reads_a_whole_table(lite: Store, name: str) -> None:
    plans: list[str] = []

    def explain(cursor: sqlite3.Cursor, text: str, values: Any) -> None:
        if text.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE"}:
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
            plans.extend(row[-1] for row in rows.fetchall())

    hear(lite, explain)
    lite.transact(HOT[name])
    assert plans
    tables = "|".join(schema.META.tables)
    assert not [plan for plan in plans if re.match(rf"SCAN ({tables})\b(?!.*_parked|.*identity_gone|.*contact_)", plan)]
    assert LIMITED.get(name, "") in " ".join(plans)
