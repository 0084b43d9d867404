"""Tables that are not as one would make them: keys of another type, rows without one, views, defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.model import Rejected
from tests.hubs import Hub, person
from tests.tables import create, listed, opened, run, update


@pytest.fixture
def lite(tmp_path: Path) -> str:
    (tmp_path / "shop.db").touch()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def told(url: str) -> list[tuple[str, str]]:
    with opened(url) as app:
        return [(finding.level, finding.message) for finding in app.check()]


# -- keys that do not lead back to their row


@pytest.mark.parametrize(
    ("declared", "odd", "sound"),
    [
        ("", "1", "'C-1'"),
        ("INT", "'C-1'", "1"),
        ("INT", "1.5", "2"),
        ("TEXT", "X'41'", "'A'"),
        ("DATETIME", "'soon'", None),
    ],
)
def test_a_key_that_cannot_be_asked_for_sets_its_row_aside(
    lite: str, declared: str, odd: str, sound: str | None
) -> None:
    run(lite, f"CREATE TABLE people (id {declared} PRIMARY KEY, email TEXT)", f"INSERT INTO people VALUES ({odd}, 'x')")
    assert any(level == "error" and "TEXT or INTEGER" in message for level, message in told(lite))
    with opened(lite) as app:
        [record] = listed(app).values()
        assert record.problem is not None
        assert "TEXT or INTEGER" in record.problem
        assert record.fields == {}
    if sound is not None:
        run(lite, "DELETE FROM people", f"INSERT INTO people VALUES ({sound}, 'x')")
        assert not any(level == "error" for level, _ in told(lite))
        with opened(lite) as app:
            [record] = listed(app).values()
            assert record.problem is None
            assert app.get([record.id]) == {record.id: record}


@pytest.mark.parametrize(("key", "warned"), [
    ("INTEGER PRIMARY KEY", True),
    ("INTEGER PRIMARY KEY AUTOINCREMENT", False),
    ("INT PRIMARY KEY", False),  # no row number of SQLite's: whoever inserts says which
    ("TEXT PRIMARY KEY", False),
])  # fmt: skip
def test_a_row_number_that_sqlite_gives_again_is_told(lite: str, key: str, warned: bool) -> None:
    run(lite, f"CREATE TABLE people (id {key}, email TEXT)")
    assert any("AUTOINCREMENT" in message for _, message in told(lite)) is warned


def test_the_length_that_sqlite_was_told_binds_no_key(lite: str) -> None:
    run(lite, "CREATE TABLE people (id VARCHAR(2) PRIMARY KEY, email TEXT)", "INSERT INTO people VALUES ('long', 'x')")
    with opened(lite) as app:
        assert app.get(["long"]) == listed(app)


def test_nobody_counts_as_deleted_because_of_a_key(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n, company="X") for n in range(1, 5)])
    hub.table("shop", [])
    for statement in ("DROP TABLE people", "CREATE TABLE people (id, email, first_name, last_name, company)"):
        hub.sql("shop", statement)
    for number in range(1, 5):
        hub.sql("shop", "INSERT INTO people (id, email) VALUES (?, ?)", number, f"p{number}@example.com")
    assert "TEXT or INTEGER" in hub.run("check").out
    doc = hub.json("sync", "--approve", code=3)
    assert doc["held"] == []
    doc = hub.json("sync", code=3)
    assert "unlinked" not in doc["apps"]["shop"]


# -- rows without a key


def test_rows_without_a_key_are_no_records_and_cost_nobody_the_listing(lite: str) -> None:
    run(lite, "CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1500) "
        "INSERT INTO people SELECT NULL, 'n' || x FROM n",
        "INSERT INTO people VALUES ('a', 'x'), ('b', 'y')")  # fmt: skip
    with opened(lite) as app:
        assert set(listed(app)) == {"a", "b"}
        assert app.get(["None", "a"]).keys() == {"a"}
    [message] = [message for level, message in told(lite) if level == "warning"]
    assert message.startswith("1500 rows have no 'id'")
    run(lite, "DELETE FROM people WHERE email <> 'n1' AND id IS NULL")
    assert any(message.startswith("1 row has no 'id'") for _, message in told(lite))


def test_rows_without_a_key_create_nobody_twice(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(n) for n in range(1, 3)])
    hub.table("shop", [person(n, company="Kept") for n in range(1, 6)])
    for number in range(1000):
        hub.sql("shop", "INSERT INTO people (email) VALUES (?)", f"n{number}@example.com")
    hub.synced()
    assert hub.sql("shop", "SELECT count(*), count(id) FROM people") == [(1005, 5)]
    assert [hub.rows("crm")[f"p{n}@example.com"]["company"] for n in (1, 2)] == ["Kept", "Kept"]
    assert sorted(hub.rows("crm")) == [f"p{n}@example.com" for n in range(1, 6)]


# -- views


def test_a_view_of_sqlite_takes_what_its_triggers_take(lite: str) -> None:
    run(lite, "CREATE TABLE base (id TEXT PRIMARY KEY, email TEXT)", "INSERT INTO base VALUES ('a', 'x')",
        "CREATE VIEW people AS SELECT * FROM base")  # fmt: skip
    with opened(lite) as app:
        assert (app.spec.create, app.spec.update) == (False, False)
        [result] = app.write([update("a", email="y")])
        assert isinstance(result, Rejected)
        assert result.why == "readonly"
    assert any("view that cannot be changed" in message for level, message in told(lite) if level == "warning")
    run(
        lite,
        "CREATE TRIGGER t INSTEAD  OF update ON people BEGIN UPDATE base SET email = new.email WHERE id = new.id; END",
    )
    with opened(lite) as app:
        assert (app.spec.create, app.spec.update) == (False, True)
        assert app.write([update("a", email="y")])[0] != result
        run(lite, "DROP TRIGGER t")  # while the app is open
        [result] = app.write([update("a", email="z")])
        assert isinstance(result, Rejected)
        assert result.why == "readonly"
    assert run(lite, "SELECT email FROM base") == [("y",)]


def test_a_view_of_postgresql_takes_what_the_server_says(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE base (id text PRIMARY KEY, email text)", "INSERT INTO base VALUES ('a', 'x')",
        "CREATE VIEW people AS SELECT DISTINCT id, email FROM base", "CREATE VIEW plain AS SELECT * FROM base")  # fmt: skip
    with opened(pg_url) as app:
        assert (app.spec.create, app.spec.update) == (False, False)
        assert any("view that cannot be changed" in finding.message for finding in app.check())
    with opened(pg_url, table="plain") as app:
        assert (app.spec.create, app.spec.update) == (True, True)
        assert not any(finding.level == "error" for finding in app.check())
        run(pg_url, "DROP VIEW plain", "CREATE VIEW plain AS SELECT DISTINCT id, email FROM base")
        [result] = app.write([update("a", email="z")])
        assert isinstance(result, Rejected)
        assert result.why == "readonly"


# -- defaults and types


def test_a_default_takes_no_value_that_somebody_has(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, first_name="Short"), person(2, first_name="Too long for it"), person(3, first_name="")])
    hub.table("shop", [])
    hub.sql("shop", "DROP TABLE people")
    hub.sql("shop", "CREATE TABLE people (id INTEGER PRIMARY KEY, email, first_name VARCHAR(5) NOT NULL DEFAULT 'n/a')")
    hub.synced()
    rows = hub.sql("shop", "SELECT email, first_name FROM people ORDER BY email")
    assert rows == [("p1@example.com", "Short"), ("p3@example.com", "n/a")]
    assert "required field first_name: longer than the 5 characters" in hub.run("explain", "p2@example.com").out


def test_a_key_of_a_type_that_sqlite_does_not_know(lite: str) -> None:
    run(lite, "CREATE TABLE people (id UUID PRIMARY KEY, email TEXT)")
    with pytest.raises(ConfigError, match="declare it TEXT or INTEGER"), opened(lite):
        pass
    run(lite, "DROP TABLE people", "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)")
    with opened(lite) as app:
        assert not isinstance(app.write([create("", email="x")])[0], Rejected)
