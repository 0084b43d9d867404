"""Old stores become new ones, whole or not at all; a store that was migrated is like one that was made today."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.errors import ConfigError, TransientError
from syncd.store import schema
from syncd.store.codec import Sealer
from syncd.store.lease import Lease
from syncd.store.migrations import FOLDER, MIGRATIONS, Migrations, frozen
from syncd.store.opening import open_store, upgrade_store
from syncd.store.store import Store

ROOT = Path(__file__).parent.parent
REFRESH = "run `python -m syncd.store.migrations.frozen` while nothing is released; write 0002 after that"

MORE = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("run", sa.Column("host", sa.Text()))
    op.execute("UPDATE run SET host = 'here'")
    op.create_index("run_kind", "run", ["kind"])
"""
BROKEN = MORE + "    raise RuntimeError('half way')\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a store that is not there yet."""
    return f"sqlite:///{tmp_path}/syncd.db" if request.param == "sqlite" else request.getfixturevalue("pg_url")


@pytest.fixture
def newer(tmp_path: Path) -> Callable[[str], Migrations]:
    """Make the migrations of a later syncd."""

    def made(text: str) -> Migrations:
        folder = tmp_path / "later"
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        (folder / "versions" / "0002_more.py").write_text(text)
        return Migrations(folder, "0002")

    return made


def filled(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path)
    store.transact(lambda tx: tx.begin_run("sync", 5))
    store.close()


# -- one schema


def of_sqlite(store: Store) -> list[str]:
    """Describe every table, index and trigger of an SQLite database."""
    found = []
    with store.engine.connect() as connection:
        ask = connection.exec_driver_sql
        rows = ask("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'syncd_version'").fetchall()
        for kind, name, table, text in rows:
            if kind == "table":
                found += [f"{name}: {tuple(row)}" for row in ask(f"PRAGMA table_xinfo('{name}')")]
                found += [
                    f"{name}: {tuple(row)}" for row in ask(f"SELECT ncol, wr, strict FROM pragma_table_list('{name}')")
                ]
                found += [f"{name}: {check}" for check in re.findall(r"CONSTRAINT \w+ CHECK \(.*\)", text)]
            elif kind == "index":
                [row] = ask(f"SELECT * FROM pragma_index_list('{table}') WHERE name = '{name}'")
                parts = [tuple(part) for part in ask(f"PRAGMA index_xinfo('{name}')")]
                found.append(f"{table}.{name}: {tuple(row)[2:]} {parts} {(text or '').partition(' WHERE ')[2]}")
            else:
                found.append(f"{table}.{name}: {' '.join(text.split())}")
    return sorted(found)


POSTGRESQL = """
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull::text || ' '
       || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(l.collname, '') || attidentity::text || attnum::text
  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid AND c.relkind = 'r'
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum LEFT JOIN pg_collation l ON l.oid = attcollation
 WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'constraint ' || conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid)
  FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid)
  FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL SELECT 'function ' || proname || ' ' || prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'sequence ' || relname FROM pg_class
 WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace
"""


def of_postgresql(store: Store) -> list[str]:
    """Describe every table, constraint, index, trigger, function and sequence of a PostgreSQL schema."""
    with store.engine.connect() as connection:
        home = connection.exec_driver_sql("SELECT current_schema()").scalar()
        return sorted(row[0].replace(f"{home}.", "") for row in connection.exec_driver_sql(POSTGRESQL))


def migrated(store: Store) -> None:
    with store.changing() as connection:
        MIGRATIONS.run(connection)


def difference(before: list[str], after: list[str]) -> str:
    return "\n".join(difflib.unified_diff(before, after, "schema.py", "migrations", n=0, lineterm=""))


def test_migrating_from_nothing_makes_the_same_tables_on_sqlite(tmp_path: Path) -> None:
    made, moved = (Store(f"sqlite:///{tmp_path}/{name}.db", Sealer(b"k" * 32)) for name in ("made", "moved"))
    made.create()
    migrated(moved)
    assert len(of_sqlite(made)) > 100
    assert not difference(of_sqlite(made), of_sqlite(moved)), REFRESH
    assert made.version() == moved.version() == schema.HEAD
    made.close()
    moved.close()


def test_migrating_from_nothing_makes_the_same_tables_on_postgresql(pg_url: str) -> None:
    made, moved = (Store(f"{pg_url}?options=-csearch_path%3D{name}", Sealer(b"k" * 32)) for name in ("made", "moved"))
    with made.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA made")
        connection.exec_driver_sql("CREATE SCHEMA moved")
    made.create()
    migrated(moved)
    assert len(of_postgresql(made)) > 100
    assert not difference(of_postgresql(made), of_postgresql(moved)), REFRESH
    assert made.version() == moved.version() == schema.HEAD
    made.close()
    moved.close()


@pytest.mark.parametrize("dialect", frozen.DIALECTS)
def test_the_frozen_statements_are_those_of_the_schema(dialect: str) -> None:
    """Only while nothing is released: then 0001 stays as it is, and this test goes."""
    now, then = frozen.write(dialect).splitlines(), frozen.file(dialect).read_text("utf-8").splitlines()
    assert not difference(now, then), REFRESH


def test_the_migrations_are_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    ours = {path.relative_to(ROOT).as_posix() for path in FOLDER.rglob("*") if path.suffix in {".py", ".sql"}}
    assert len(ours) >= 7
    assert ours <= set(names)


def test_alembic_is_imported_only_when_there_is_something_to_do(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from syncd.store.opening import open_store\n"
        f"for _ in range(2): open_store('sqlite:///{tmp_path}/syncd.db', Path('{tmp_path}')).close()\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'alembic', 'mako', 'psycopg'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


# -- from an older version


def columns(store: Store) -> set[str]:
    with store.engine.connect() as connection:
        return {column["name"] for column in sa.inspect(connection).get_columns("run")}


def test_an_older_sqlite_store_upgrades_itself_after_a_copy(tmp_path: Path, newer: Callable[[str], Migrations]) -> None:
    url = f"sqlite:///{tmp_path}/syncd.db"
    filled(url, tmp_path)
    store = open_store(url, tmp_path, migrations=newer(MORE))
    assert store.version() == "0002"
    assert store.read(lambda tx: tx.connection.exec_driver_sql("SELECT id, host FROM run").fetchall()) == [(1, "here")]
    store.close()
    copy = tmp_path / "syncd.db.before-0002"
    assert copy.stat().st_mode & 0o777 == 0o600
    before = open_store(f"sqlite:///{copy}", tmp_path)
    assert before.version() == "0001"
    assert before.read(lambda tx: tx.run(1)) == ("sync", None, {})
    before.close()
    assert not list(tmp_path.glob("*.part"))


def test_an_older_postgresql_store_waits_for_the_operator(
    pg_url: str, tmp_path: Path, newer: Callable[[str], Migrations]
) -> None:
    filled(pg_url, tmp_path)
    migrations = newer(MORE)
    with pytest.raises(ConfigError, match=r"is of version 0001, this syncd needs 0002; run `syncd db upgrade`"):
        open_store(pg_url, tmp_path, migrations=migrations)
    assert upgrade_store(pg_url, tmp_path, migrations=migrations) == ("0001", "0002")
    assert upgrade_store(pg_url, tmp_path, migrations=migrations) == ("0002", "0002")
    open_store(pg_url, tmp_path, migrations=migrations).close()


def test_a_migration_that_fails_leaves_the_old_store(
    url: str, tmp_path: Path, newer: Callable[[str], Migrations]
) -> None:
    filled(url, tmp_path)
    with pytest.raises(RuntimeError, match="half way"):
        upgrade_store(url, tmp_path, migrations=newer(BROKEN))
    store = open_store(url, tmp_path)
    assert "host" not in columns(store)
    assert (store.version(), store.read(lambda tx: tx.run(1))) == ("0001", ("sync", None, {}))
    store.close()
    assert upgrade_store(url, tmp_path, migrations=newer(MORE)) == ("0001", "0002")


def test_a_store_of_a_newer_version_is_refused(url: str, tmp_path: Path, newer: Callable[[str], Migrations]) -> None:
    filled(url, tmp_path)
    old = open_store(url, tmp_path)  # an old daemon that is still running
    upgrade_store(url, tmp_path, migrations=newer(MORE))
    refusals: list[Callable[[], Any]] = [
        lambda: open_store(url, tmp_path),
        lambda: upgrade_store(url, tmp_path),
        Lease(old, wait_seconds=0).__enter__,
    ]
    whose = "it made" if url.startswith("sqlite") else "you made"  # of a server's store we make none
    for step in refusals:
        with pytest.raises(
            ConfigError, match=f"knows 0001 only; install the newer one again, or go back to the backup that {whose}"
        ):
            step()
    old.close()


@pytest.mark.parametrize("version", ["0000", "", "0001a0"])
def test_a_store_of_a_version_that_nobody_made_is_refused_and_left_alone(
    url: str, tmp_path: Path, newer: Callable[[str], Migrations], version: str
) -> None:
    filled(url, tmp_path)
    store = open_store(url, tmp_path)
    with store.engine.begin() as connection:
        connection.execute(sa.update(schema.version).values(version_num=version))
    store.close()
    for step in (open_store, upgrade_store):
        with pytest.raises(ConfigError, match=rf"of version '{version}', from which there is no way to 0002; put a"):
            step(url, tmp_path, migrations=newer(MORE))
    assert store.version() == version
    assert "host" not in columns(store)
    store.close()
    assert not list(tmp_path.glob("*before*"))


def test_nobody_upgrades_a_store_in_use(url: str, tmp_path: Path, newer: Callable[[str], Migrations]) -> None:
    filled(url, tmp_path)
    store = open_store(url, tmp_path)
    with Lease(store, wait_seconds=0, command="sync"), pytest.raises(TransientError, match="at work"):
        upgrade_store(url, tmp_path, migrations=newer(MORE), wait_seconds=0)
    assert store.version() == "0001"
    store.close()


def test_of_two_that_upgrade_at_once_one_does(tmp_path: Path, newer: Callable[[str], Migrations]) -> None:
    url = f"sqlite:///{tmp_path}/syncd.db"
    filled(url, tmp_path)
    migrations, versions = newer(MORE), []

    def upgrade() -> None:
        store = open_store(url, tmp_path, migrations=migrations)
        versions.append(store.version())
        store.close()

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == ["0002"] * 3
