"""What is special about tables: addresses, keys, types."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connectors.sql.reach import reaction
from syncd.errors import AccessError, ConfigError, TransientError
from syncd.model import Applied, FieldMap, Rejected
from tests.tables import applied, create, listed, opened, run, update


@pytest.fixture
def lite(tmp_path: Path) -> str:
    """Give the URL of an empty SQLite database; a wait for a lock ends soon."""
    (tmp_path / "shop.db").touch()
    return f"sqlite:///{tmp_path / 'shop.db'}?timeout=0.05"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:geheim@localhost/shop",
        "postgresql://ada@localhost/shop?password=geheim",
        "sqlite://x:geheim@/f.db",
    ],
)
def test_a_password_in_the_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="secrets") as caught, opened(url):
        pass
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("no address", "not an address"),
        ("klingon://host/db", "not installed"),
        ("sqlite://", "name the file"),
        ("sqlite:///:memory:", "name the file"),
    ],
)
def test_an_address_that_is_none(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told), opened(url):
        pass


def test_files_that_are_no_database(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(TransientError, match="never created"), opened(f"sqlite:///{missing}"):
        pass
    assert not missing.exists()
    (tmp_path / "text.db").write_text("This is no database, but it is long enough to be looked at as one." * 20)
    with pytest.raises(ConfigError, match="not a sound SQLite database"), opened(f"sqlite:///{tmp_path / 'text.db'}"):
        pass


def test_tables_and_columns_that_are_not_there(lite: str) -> None:
    run(lite, "CREATE TABLE peoples (number TEXT PRIMARY KEY, email TEXT)", "CREATE VIEW v AS SELECT * FROM peoples")
    with pytest.raises(ConfigError, match=r"did you mean 'peoples'.*peoples, v"), opened(lite):
        pass
    with pytest.raises(ConfigError, match=r"key: .*There is: email, number"), opened(lite, table="peoples"):
        pass
    with pytest.raises(ConfigError, match="updated_at"), opened(lite, table="v", key="number", updated_at="changed"):
        pass
    with opened(lite, table="v", key="number") as app:
        assert listed(app) == {}
        run(lite, "DROP TABLE peoples", "DROP VIEW v")
        with pytest.raises(ConfigError, match="not there any more"):
            listed(app)
        [result] = app.write([update("1", email="x")])
        assert isinstance(result, Rejected)
        assert result.why == "readonly"  # that it is a view is known; what became of it, the listing says


def test_a_file_that_another_program_keeps_locked_is_told_as_such(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)")
    with opened(lite) as app, closing(sqlite3.connect(lite.partition("///")[2].partition("?")[0])) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TransientError, match=r"shop\.db: another program keeps it locked; `fuser` on the file"):
            listed(app)
        other.rollback()
        assert listed(app) == {}


def test_a_table_that_another_session_keeps_locked_is_told_as_such() -> None:
    told = reaction(psycopg.errors.LockNotAvailable(), "postgresql://db:/shop")  # the real one takes ten seconds
    assert isinstance(told, TransientError)
    assert "another session keeps it locked; pg_stat_activity names it" in str(told)


def test_a_server_that_refuses_or_is_not_there(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE people (id text PRIMARY KEY, email text)", "CREATE ROLE clerk LOGIN")
    secrets = {"username": "nobody_knows", "password": "geheim"}
    with pytest.raises(AccessError, match="username") as caught, opened(pg_url, secrets=secrets):
        pass
    assert "nobody_knows" not in str(caught.value)
    with pytest.raises(AccessError), opened(pg_url, secrets={"username": "clerk"}):
        pass
    run(pg_url, "GRANT SELECT ON people TO clerk")
    with opened(pg_url, secrets={"username": "clerk"}) as app:
        assert (app.spec.create, app.spec.update) == (False, False)
        [result] = app.write([update("1", email="x")])
        assert isinstance(result, Rejected)
        assert result.why == "readonly"
        assert any("only read" in finding.message for finding in app.check())
    with pytest.raises(ConfigError, match="no such database"), opened(pg_url + "x"):
        pass
    with pytest.raises(TransientError, match="reachable"), opened("postgresql://syncd@127.0.0.1:1/shop"):
        pass


def test_a_wrong_password_is_told_from_a_server_that_is_away() -> None:
    reach: Any = sys.modules["syncd_connectors.sql.reach"]
    error = psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "ada"')
    told = reach.reaction(error, "postgresql://host:5432/shop")
    assert isinstance(told, AccessError)
    assert "ada" not in str(told)


def test_check_tells_what_will_go_wrong(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT, email TEXT, branch TEXT NOT NULL, changed TEXT)",
        "INSERT INTO people VALUES ('a', 'x', 'y', 'z'), ('a', 'y', 'y', NULL)")  # fmt: skip
    fields = {"phone": FieldMap(path="e-mail")}
    with opened(lite, fields, updated_at="changed") as app:
        told = " | ".join(f"{finding.level}: {finding.message}" for finding in app.check())
    for part in ("did you mean 'email'", "error: column 'id' has the same value", "unique index", "no index", "branch"):
        assert part in told


def test_a_key_that_two_rows_have_names_neither(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT, email TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) "
        "INSERT INTO people SELECT printf('%04d', i), 'x' FROM n",
        "INSERT INTO people VALUES ('1000', 'twin'), ('0007', 'twin')")  # fmt: skip
    with opened(lite) as app:
        found = listed(app)
        assert len(found) == 1200
        assert {id_ for id_, record in found.items() if record.problem} == {"0007", "1000"}
        assert app.get(["0007"])["0007"].problem
        [twin, other] = app.write([update("0007", email="y"), update("0008", email="y")])
        assert isinstance(twin, Rejected)
        assert twin.why == "moved"
        assert isinstance(other, Applied)
    assert run(lite, "SELECT count(*) FROM people WHERE email = 'y'") == [(1,)]


@pytest.mark.parametrize(
    ("column", "rung", "make"),
    [
        ("id text PRIMARY KEY", "A", True),
        ("id varchar(16) PRIMARY KEY", "A", True),
        ("id varchar(10) PRIMARY KEY", "A", False),
        ("id uuid PRIMARY KEY", "A", True),
        ("id bigint PRIMARY KEY", "A", True),
        ("id integer PRIMARY KEY", "A", False),
        ("id serial PRIMARY KEY", "E", True),
        ("id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY", "E", True),
        ("id uuid PRIMARY KEY DEFAULT gen_random_uuid()", "E", True),
    ],
)
def test_who_draws_the_key_on_postgresql(pg_url: str, column: str, rung: str, make: bool) -> None:
    run(pg_url, f"CREATE TABLE people ({column}, email text)")
    keys_are_made(pg_url, rung, make=make)


@pytest.mark.parametrize(
    ("column", "rung"),
    [
        ("id TEXT PRIMARY KEY", "A"),
        ("id INTEGER PRIMARY KEY", "E"),
        ("id INT PRIMARY KEY", "A"),
        ("id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(8))))", "E"),
    ],
)
def test_who_draws_the_key_on_sqlite(lite: str, column: str, rung: str) -> None:
    run(lite, f"CREATE TABLE people ({column}, email TEXT)")
    keys_are_made(lite, rung, make=True)
    run(lite, "DROP TABLE people", "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT) WITHOUT ROWID")
    keys_are_made(lite, "A", make=True)


def keys_are_made(url: str, rung: str, *, make: bool) -> None:
    with opened(url) as app:
        assert (app.spec.rung, app.spec.create) == (rung, make)
        ids = [app.new_id(f"{number:016x}") for number in (7, 2**64 - 1)]
        assert all(ids) == (rung == "A" and make)
        results = app.write([create(ids[0], email="a"), create(ids[1], email="b")])
        if make:
            records = applied(results)
            assert rung != "A" or [record.id for record in records] == ids
            assert app.get([record.id for record in records]) == listed(app)
            assert [record.fields["email"] for record in records] == ["a", "b"]


def test_a_key_that_is_a_field_is_not_drawn(lite: str) -> None:
    run(lite, "CREATE TABLE people (email TEXT PRIMARY KEY, phone TEXT)")
    with opened(lite, key="email") as app:
        assert (app.spec.rung, app.spec.unique, app.new_id("f" * 16)) == ("D", ("email",), "")
        assert applied(app.write([create("", email="ada@example.org", phone="1")]))[0].id == "ada@example.org"
        results = app.write(
            [create("", email="ada@example.org"), create("", phone="1"), update("ada@example.org", email="x")]
        )
        told = [(result.why, result.field) for result in results if isinstance(result, Rejected)]
        assert told == [("exists", "email"), ("invalid", "email"), ("readonly", "email")]


def test_types_on_postgresql(pg_url: str) -> None:
    run(pg_url, """CREATE TABLE people (id text PRIMARY KEY, birthday date, lead_score numeric(6, 2), vip boolean,
        seen timestamptz, met timestamp, ratio float8, visits smallint, tags text[], extra jsonb, photo bytea, host inet)""")  # fmt: skip
    run(pg_url, """INSERT INTO people VALUES ('a', '1980-02-29', 12.5, true, '2024-05-01 10:00:00.5+02', '2024-05-01 10:00', 'NaN',
        7, '{x,y}', '{"a": [1]}', '\\x00', '10.0.0.1'), ('b', 'infinity', 'NaN', NULL, '-infinity', '0044-03-15 BC', 1, 1, NULL, NULL, NULL, NULL)""")  # fmt: skip
    names = ("birthday", "lead_score", "vip", "seen", "met", "ratio", "visits", "tags", "extra", "photo", "host")
    with opened(pg_url, {name: FieldMap(path=name) for name in names}) as app:
        assert "photo" not in app.fields
        assert {name for name, field in app.fields.items() if field.direction == "in"} == {"tags", "extra", "host"}
        found = listed(app)
        assert found["a"].fields == {
            "birthday": "1980-02-29",
            "lead_score": "12.50",
            "vip": True,
            "seen": "2024-05-01T08:00:00.500000+00:00",
            "met": "2024-05-01T10:00:00",
            "ratio": "nan",
            "visits": 7,
            "tags": ["x", "y"],
            "extra": {"a": [1]},
            "host": "10.0.0.1",
        }
        assert found["b"].fields["birthday"] == "infinity", "odd values cost nobody the page"
        new = {
            "birthday": "1999-12-31",
            "lead_score": "7.25",
            "vip": "no",
            "seen": "2024-01-01T00:00:00Z",
            "met": "2024-01-01",
            "visits": "8",
        }
        [record] = applied(app.write([update("a", **new)]))
        assert [record.fields[name] for name in ("birthday", "lead_score", "vip")] == ["1999-12-31", "7.25", False]
        assert [record.fields[name] for name in ("seen", "met", "visits")] == [
            "2024-01-01T00:00:00+00:00",
            "2024-01-01T00:00:00",
            8,
        ]
        wrong = {"birthday": "31.12.1999", "lead_score": "99999999", "vip": "perhaps", "seen": "now", "visits": "40000"}
        for name, value in {**wrong, "ratio": "x", "tags": "x"}.items():
            [result] = app.write([update("a", **{name: value})])
            assert isinstance(result, Rejected)
            assert result.why in {"invalid", "readonly"}
            assert value not in result.message
        assert app.get(["a"])["a"] == record


def test_types_on_sqlite(lite: str) -> None:
    run(
        lite,
        "CREATE TABLE people (id TEXT PRIMARY KEY, birthday DATE, lead_score NUMERIC, vip BOOLEAN, seen DATETIME, email)",
    )
    run(lite, "INSERT INTO people VALUES ('a', '1980-5-3', 12.5, 1, '2024-05-01 10:00:00', 'x'), ('b', 'soon', 'x', 'maybe', 5, X'00')",
        "INSERT INTO people (id, email) VALUES ('c', CAST(X'4dfc6c' AS TEXT))")  # fmt: skip
    with opened(lite, {name: FieldMap(path=name) for name in ("vip", "seen")}) as app:
        found = listed(app)
        a = {"birthday": "1980-5-3", "lead_score": 12.5, "vip": True, "seen": "2024-05-01 10:00:00", "email": "x"}
        assert found["a"].fields == a
        assert found["b"].fields == {"birthday": "soon", "lead_score": "x", "vip": "maybe", "seen": 5}
        assert found["c"].problem, "text that is none costs its own row"
        assert app.get(["a", "b", "c"]) == found
        new = {"birthday": "1999-12-31", "lead_score": "7.25", "vip": "false", "seen": "2024-01-01T01:00:00+01:00"}
        [record] = applied(app.write([update("a", **new)]))
        assert record.fields == {"birthday": "1999-12-31", "lead_score": 7.25, "vip": False, "seen": "2024-01-01 00:00:00", "email": "x"}  # fmt: skip
        [result] = app.write([update("a", birthday="1999-12-31T10:00")])
        assert isinstance(result, Rejected)
        assert result.field == "birthday"


def test_a_column_that_may_not_be_blank_takes_an_empty_text(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT NOT NULL DEFAULT '', phone TEXT NOT NULL, notes TEXT)",
        "INSERT INTO people VALUES ('a', 'x', 'y', 'z')")  # fmt: skip
    with opened(lite) as app:
        assert [app.fields[name].required for name in ("email", "phone", "notes")] == [False, True, False]
        [record] = applied(app.write([update("a", email=None, notes=None)]))
        assert (record.fields["email"], record.fields["notes"]) == (None, None)
    assert run(lite, "SELECT email, notes FROM people") == [("", None)]
