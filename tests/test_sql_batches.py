"""Batches and listings of tables: the guilty row alone, connections that are lost, locks, snapshots."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from syncd.errors import TransientError
from syncd.model import Applied, Rejected, Unknown, Write
from tests.tables import applied, create, file_of, listed, opened, run, update


@pytest.fixture
def lite(tmp_path: Path) -> str:
    """Give the URL of an empty SQLite database; a wait for a lock ends soon."""
    (tmp_path / "shop.db").touch()
    return f"sqlite:///{tmp_path / 'shop.db'}?timeout=0.05"


def test_the_table_refuses_its_own_rows_only(pg_url: str) -> None:
    run(pg_url, """CREATE TABLE people (id text PRIMARY KEY, email varchar(40) UNIQUE, phone text CHECK (phone <> 'bad'), notes text)""",
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.notes = ''no'' THEN RAISE ''no''; END IF; RETURN NEW; END'",
        "CREATE TRIGGER no BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION no()")  # fmt: skip
    with opened(pg_url) as app:
        assert (app.spec.unique, app.fields["email"].max_length) == (("email",), 40)
        rows = [{"email": f"p{number}@example.org", "phone": "x", "notes": "x"} for number in range(700)]
        rows[100]["phone"], rows[333]["notes"], rows[600]["email"] = "bad", "no", "p5@example.org"
        rows[601]["email"] = "x" * 41
        results = app.write([create(f"{number:016x}", **row) for number, row in enumerate(rows)])
        refused = {number: result for number, result in enumerate(results) if isinstance(result, Rejected)}
        assert {number: (result.why, result.field, result.existing) for number, result in refused.items()} == {
            100: ("invalid", None, None),
            333: ("invalid", None, None),
            600: ("exists", "email", f"{5:016x}"),
            601: ("invalid", "email", None),
        }
        assert not any("p5@" in result.message or "bad" in result.message for result in refused.values())
        assert len(listed(app)) == 696
        results = app.write([update(f"{1:016x}", email="p2@example.org"), update(f"{3:016x}", phone="y")])
        assert isinstance(results[0], Rejected)
        assert (results[0].why, results[0].existing) == ("exists", f"{2:016x}")
        assert isinstance(results[1], Applied)


def test_the_same_on_sqlite(lite: str) -> None:
    run(lite, "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, phone TEXT CHECK (phone <> 'bad'), notes TEXT)",
        "CREATE TRIGGER no BEFORE INSERT ON people WHEN NEW.notes = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip
    with opened(lite) as app:
        rows = [{"email": f"p{number}@example.org", "phone": "x", "notes": "x"} for number in range(300)]
        rows[100]["phone"], rows[33]["notes"], rows[200]["email"] = "bad", "no", "p5@example.org"
        results = app.write([create("", **row) for row in rows])
        refused = {number: result for number, result in enumerate(results) if isinstance(result, Rejected)}
        assert {number: result.why for number, result in refused.items()} == {
            100: "invalid",
            33: "invalid",
            200: "exists",
        }
        found = listed(app)
        assert len(found) == 297
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, Applied):
                assert result.record is not None
                assert found[result.record.id].fields == row
            elif isinstance(result, Rejected) and result.existing:
                assert found[result.existing].fields["email"] == row["email"]


def test_a_constraint_that_is_checked_at_the_commit(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE branch (id text PRIMARY KEY)", "INSERT INTO branch VALUES ('x')",
        "CREATE TABLE people (id text PRIMARY KEY, email text, notes text REFERENCES branch DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO people VALUES ('a', 'x', 'x'), ('b', 'x', 'x'), ('c', 'x', 'x')")  # fmt: skip
    with opened(pg_url) as app:
        results = app.write([update("a", email="y"), update("b", notes="nowhere"), update("c", email="y"), update("d")])
        assert [type(result) for result in results] == [Applied, Rejected, Applied, Rejected]
        assert [result.why for result in results if isinstance(result, Rejected)] == ["invalid", "gone"]
    assert run(pg_url, "SELECT id, email, notes FROM people ORDER BY id") == [
        ("a", "y", "x"),
        ("b", "x", "x"),
        ("c", "y", "x"),
    ]


@pytest.mark.parametrize(("when", "outcome"), [("", Rejected), ("DEFERRABLE INITIALLY DEFERRED", Unknown)])
def test_a_connection_that_is_lost(pg_url: str, when: str, outcome: type) -> None:
    """Lost before the commit: nothing happened. Lost in the commit: nobody knows."""
    run(pg_url, "CREATE TABLE people (id text PRIMARY KEY, email text)", "INSERT INTO people VALUES ('a', 'x'), ('b', 'x')",
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
        f"CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON people {when} FOR EACH ROW EXECUTE FUNCTION die()")  # fmt: skip
    with opened(pg_url) as app:
        results = app.write([update("a", email="y"), update("nobody", email="y"), update("b", email="y")])
        assert [type(result) for result in results] == [outcome, Rejected, outcome]
        assert {record.fields["email"] for record in listed(app).values()} == {"x"}, "it goes on with a new connection"


def test_an_edit_that_is_committed_while_we_wait_is_not_overwritten(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE people (id text PRIMARY KEY, email text)", "INSERT INTO people VALUES ('a', 'x')")
    waiting = b"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'syncd' AND wait_event_type = 'Lock'"
    write = Write(kind="update", id="a", fields={"email": "ours"}, expect={"email": "x"})
    human = psycopg.connect(pg_url.replace("+psycopg", ""))
    watch = psycopg.connect(pg_url.replace("+psycopg", ""), autocommit=True)
    with opened(pg_url) as app, human, watch, ThreadPoolExecutor(1) as other:
        human.execute("UPDATE people SET email = 'theirs'")
        asked = other.submit(app.write, [write])
        while watch.execute(waiting).fetchone() == (0,):
            assert not asked.done()
        human.commit()
        [result] = asked.result()
        assert isinstance(result, Rejected)
        assert result.why == "moved"
    assert run(pg_url, "SELECT email FROM people") == [("theirs",)]


def test_a_table_that_keeps_no_key_unique_gets_no_twins_from_us(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT, email TEXT)")
    with opened(lite) as app:
        [first, again] = [app.write([create("f" * 16, email="x")])[0] for _ in range(2)]
        assert isinstance(first, Applied)
        assert isinstance(again, Rejected)
        assert (again.why, again.existing) == ("exists", "f" * 16)
        twice = app.write([create("e" * 16, email="x"), create("e" * 16, email="y")])
        assert [type(result) for result in twice] == [Applied, Rejected]
    assert run(lite, "SELECT count(*) FROM people") == [(2,)]


def test_a_file_that_somebody_else_holds_is_busy(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)", "INSERT INTO people VALUES ('a', 'x')")
    with opened(lite) as app, closing(sqlite3.connect(file_of(lite))) as human:
        human.execute("BEGIN EXCLUSIVE")
        [result] = app.write([update("a", email="y")])
        assert isinstance(result, Rejected)
        assert result.why == "busy"
        with pytest.raises(TransientError):
            listed(app)
        human.rollback()
        applied(app.write([update("a", email="y")]))


def test_a_commit_that_a_reader_holds_up_did_not_happen(lite: str) -> None:
    run(
        lite,
        "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)",
        "INSERT INTO people VALUES ('a', 'x'), ('b', 'x')",
    )
    with opened(lite) as app, closing(sqlite3.connect(file_of(lite))) as human:
        human.execute("BEGIN")
        human.execute("SELECT * FROM people").fetchone()
        [result] = app.write([update("a", email="y")])
        assert isinstance(result, Rejected)
        assert result.why == "busy"
        human.rollback()
    assert run(lite, "SELECT email FROM people") == [("x",), ("x",)]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_listing_holds_up_nobody_and_the_file_stays_as_it_is(lite: str, mode: str) -> None:
    fill = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 3500) "
    run(lite, f"PRAGMA journal_mode = {mode}", "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)",
        fill + "INSERT INTO people SELECT i, 'x' FROM n")  # fmt: skip
    with opened(lite) as app:
        pages = app.read(None)
        ids = {record.id for record in next(pages).records}
        run(
            lite,
            "UPDATE people SET email = 'y'",
            "DELETE FROM people WHERE id = '1001'",
            "INSERT INTO people VALUES ('0', 'x')",
        )
        ids |= {record.id for page in pages for record in page.records}
        assert ids == {str(number) for number in range(1000, 3501)}
        applied(app.write([update("1000", email="z")]))
    assert run(lite, "PRAGMA journal_mode") == [(mode,)]


def test_a_listing_on_postgresql_is_one_moment(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE people (id bigint PRIMARY KEY, email text)",
        "INSERT INTO people SELECT i, 'x' FROM generate_series(1, 2500) i")  # fmt: skip
    with opened(pg_url) as app:
        pages = app.read(None)
        found = next(pages).records
        run(
            pg_url,
            "UPDATE people SET email = 'y'",
            "INSERT INTO people VALUES (9000, 'y')",
            "DELETE FROM people WHERE id = 2000",
        )
        applied(app.write([update("1", email="z")]))
        found += [record for page in pages for record in page.records]
        assert {record.fields["email"] for record in found} == {"x"}
        assert len(found) == 2500
