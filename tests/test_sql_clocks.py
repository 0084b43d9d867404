"""Changes by `updated_at`: nothing is lost to clocks, spellings, late commits or rows from the future."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.tables import applied, changes, counted, cursor_of, listed, opened, run, update


@pytest.fixture
def lite(tmp_path: Path) -> str:
    """Give the URL of an empty SQLite database; a wait for a lock ends soon."""
    (tmp_path / "shop.db").touch()
    return f"sqlite:///{tmp_path / 'shop.db'}?timeout=0.05"


STAMPS = {
    "text": ("TEXT", "datetime('now', '{} seconds')"),
    "ISO": ("TEXT", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{} seconds')"),
    "seconds": ("INTEGER", "CAST(strftime('%s', 'now') AS INTEGER) + {}"),
    "milliseconds": ("BIGINT", "(CAST(strftime('%s', 'now') AS INTEGER) + {}) * 1000"),
}


def stamped(url: str, type_: str, stamp: str, ages: list[int]) -> None:
    """Make a table with one person for each age in seconds."""
    made = f"CREATE TABLE people (id INT PRIMARY KEY, email TEXT, changed {type_})"
    rows = [f"INSERT INTO people VALUES ({age}, 'x', {stamp.format(f'{-age:+}')})" for age in ages]
    run(url, made, "CREATE INDEX people_changed ON people (changed)", *rows)


@pytest.mark.parametrize("way", STAMPS)
def test_a_pass_without_news_is_one_query_for_what_is_within_the_overlap(lite: str, way: str) -> None:
    type_, stamp = STAMPS[way]
    stamped(lite, type_, stamp, [3600, 1800, 1750, 10, 5])
    with opened(lite, updated_at="changed", overlap=60) as app:
        assert app.check() == []
        cursor = cursor_of(app)
        with counted() as told:
            ids, cursor = changes(app, cursor)
        assert ids == {"5", "10"}
        assert [text for text in told if text != "BEGIN"] == [text for text in told if text.startswith("SELECT")]
        assert len(told) == 2, "BEGIN and one query"
        run(lite, f"UPDATE people SET email = 'y', changed = {stamp.format('+0')} WHERE id = 1800")
        assert changes(app, cursor)[0] == {"5", "10", "1800"}
        [record] = applied(app.write([update("3600", email="z")]))
        assert record.fields["email"] == "z"
        assert "3600" in changes(app, cursor)[0], "what we write is stamped as the others are"
    shapes = run(lite, "SELECT DISTINCT typeof(changed), length(changed) FROM people")
    assert len(shapes) == 1, "one spelling in the column"


def test_a_row_that_was_added_counts_from_the_read_that_saw_it(lite: str) -> None:
    """A process that stays, a daemon: what was added and read before makes up for nobody who is removed."""
    stamped(lite, *STAMPS["text"], ages=[*range(3600, 3640)])
    with opened(lite, updated_at="changed", overlap=60) as app:
        cursor = cursor_of(app)
        run(lite, *(f"INSERT INTO people VALUES ({age}, 'x', CURRENT_TIMESTAMP)" for age in range(6)))
        ids, cursor = changes(app, cursor)
        assert ids >= {*map(str, range(6))}
        run(lite, "INSERT INTO people VALUES (6, 'x', CURRENT_TIMESTAMP)", "DELETE FROM people WHERE id = 6")
        _, cursor = changes(app, cursor)  # who comes and goes between two reads is no reason to list everybody
        run(lite, "DELETE FROM people WHERE id < 6")
        for _ in range(2):
            assert [page.expired for page in app.read(cursor)] == [True], (
                "fewer than before, until all of it was listed"
            )
        cursor = cursor_of(app)
        with counted() as told:
            assert changes(app, cursor)[0] >= {"3600"}
        assert len(told) == 2, "BEGIN and one query"


def test_both_spellings_of_a_time_in_one_column(lite: str) -> None:
    stamped(lite, "TEXT", "datetime('now', '{} seconds')", [1, 2, 7200])
    run(lite, "UPDATE people SET changed = strftime('%Y-%m-%dT%H:%M:%SZ', changed) WHERE id <> 1")
    with opened(lite, updated_at="changed", overlap=60) as app:
        ids, _ = changes(app, cursor_of(app))
        assert {"1", "2"} <= ids


def test_a_row_from_the_future_does_not_take_the_cursor_with_it(lite: str) -> None:
    stamped(lite, *STAMPS["text"], ages=[-86400 * 365, 100])
    with opened(lite, updated_at="changed", overlap=5) as app:
        cursor = cursor_of(app)
        for _ in range(3):
            ids, cursor = changes(app, cursor)
            assert str(-86400 * 365) in ids
        run(lite, "UPDATE people SET changed = CURRENT_TIMESTAMP WHERE id = 100")
        assert "100" in changes(app, cursor)[0]


def test_a_change_in_the_very_second_of_the_cursor_is_told(lite: str) -> None:
    stamped(lite, *STAMPS["text"], ages=[5, 9])
    with opened(lite, updated_at="changed", overlap=0) as app:
        cursor = cursor_of(app)
        run(lite, "UPDATE people SET email = 'y', changed = (SELECT max(changed) FROM people) WHERE id = 9")
        assert "9" in changes(app, cursor)[0]


@pytest.mark.parametrize("hours", [-5, 2, 14])
def test_stamps_in_local_time_lose_nothing(lite: str, hours: int) -> None:
    stamp = f"datetime('now', '{hours:+} hours', '{{}} seconds')"
    stamped(lite, "TEXT", stamp, [90000, 7200, 100, 3])
    with opened(lite, updated_at="changed", overlap=5) as app:
        cursor = cursor_of(app)
        for _ in range(3):
            _, cursor = changes(app, cursor)
        run(lite, f"UPDATE people SET changed = {stamp.format('+0')} WHERE id = 7200")
        assert "7200" in changes(app, cursor)[0]


def test_a_table_without_stamps_yet_is_listed_again(lite: str) -> None:
    stamped(lite, *STAMPS["text"], ages=[])
    with opened(lite, updated_at="changed") as app:
        [page] = app.read(cursor_of(app))
        assert page.expired
        run(lite, "INSERT INTO people VALUES (1, 'x', NULL)")
        assert listed(app).keys() == {"1"}
        assert "sweep" in "".join(finding.message for finding in app.check())


def test_many_changes_come_in_pages_though_they_share_an_instant(lite: str) -> None:
    stamped(lite, *STAMPS["text"], ages=[5])
    fill = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3600) "
    run(lite, fill + "INSERT INTO people SELECT i, 'x', datetime('now', '-5 seconds') FROM n")
    with opened(lite, updated_at="changed") as app:
        pages = list(app.read(cursor_of(app)))
        ids = [record.id for page in pages for record in page.records]
        assert len(ids) == len(set(ids)) == 3502
        assert [page.cursor is not None for page in pages] == [False] * (len(pages) - 1) + [True]


@pytest.mark.parametrize(
    ("type_", "now"),
    [
        ("timestamptz", "clock_timestamp()"),
        ("timestamp", "clock_timestamp()"),
        ("date", "CURRENT_DATE"),
        ("bigint", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
        ("numeric", "extract(epoch FROM clock_timestamp())"),
        ("text", "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"),
    ],
)
def test_stamps_of_every_type_on_postgresql(pg_url: str, type_: str, now: str) -> None:
    run(pg_url, f"CREATE TABLE people (id serial PRIMARY KEY, email text, changed {type_})")
    run(pg_url, f"INSERT INTO people (email, changed) SELECT 'x', {now} FROM generate_series(1, 3)")
    with opened(pg_url, updated_at="changed", overlap=5) as app:
        cursor = cursor_of(app)
        run(pg_url, f"UPDATE people SET email = 'y', changed = {now} WHERE id = 2")
        ids, cursor = changes(app, cursor)
        assert "2" in ids
        applied(app.write([update("3", email="z")]))
        assert "3" in changes(app, cursor)[0]
        run(pg_url, f"UPDATE people SET email = 'yy', changed = {now} WHERE id = 1")
        ids, _ = changes(app, cursor)
        assert "1" in ids
    [(spellings,)] = run(pg_url, "SELECT count(DISTINCT length(changed::text) / 6) FROM people")
    assert spellings == 1


def test_a_transaction_that_commits_late_is_seen_within_the_overlap(pg_url: str) -> None:
    run(pg_url, "CREATE TABLE people (id text PRIMARY KEY, email text, changed timestamptz DEFAULT clock_timestamp())")
    run(pg_url, "INSERT INTO people VALUES ('a', 'x'), ('b', 'x')")
    with opened(pg_url, updated_at="changed") as app, psycopg.connect(pg_url.replace("+psycopg", "")) as slow:
        cursor = cursor_of(app)
        slow.execute("UPDATE people SET email = 'late', changed = clock_timestamp() WHERE id = 'a'")
        run(pg_url, "UPDATE people SET email = 'y', changed = clock_timestamp() WHERE id = 'b'")
        _, cursor = changes(app, cursor)
        slow.commit()
        ids, _ = changes(app, cursor)
        assert "a" in ids


def test_a_database_clock_that_is_set_back_takes_the_cursor_with_it() -> None:
    stamps: Any = sys.modules["syncd_connectors.sql.stamps"]
    noon, one = datetime(2024, 5, 1, 12), datetime(2024, 5, 1, 13)  # noqa: DTZ001  digits of a column
    assert stamps.Mark(at=one, now=one).moved_on(noon, None) == stamps.Mark(at=noon, now=noon)
    assert stamps.Mark(at=noon, now=one).moved_on(one, None) == stamps.Mark(at=noon, now=one)
