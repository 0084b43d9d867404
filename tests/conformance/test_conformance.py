"""Every connector against the suite: what it claims works, what it does not claim is refused."""

from __future__ import annotations

import contextlib

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from connectors.csv.world import WORLDS as FILES
from connectors.memory.world import WORLDS as QUIRKS
from connectors.memory.world import World as MemoryWorld
from connectors.sql.world import TABLES
from connectors.sql.world import WORLDS as DATABASES
from connectors.sql.world import World as SqlWorld
from syncd.kit import checks
from syncd.kit.suite import Check
from tests.conformance.putting import every_check, put


@pytest.fixture(scope="module")
def database(postgres_server: str) -> str:
    """Give the URL of one database for all checks: a fresh one for each would take longer than the checks."""
    engine = sa.create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE conformance TEMPLATE template0")
    return f"{postgres_server}/conformance"


@every_check
@pytest.mark.parametrize("quirks", QUIRKS)
def test_memory(quirks: str, check: Check) -> None:
    put(f"memory {quirks}", QUIRKS[quirks], check)


@every_check
@pytest.mark.parametrize("file", FILES)
def test_csv(file: str, check: Check) -> None:
    put(f"csv {file}", FILES[file], check)


@every_check
@pytest.mark.parametrize("table", TABLES)
def test_sqlite(table: str, check: Check) -> None:
    put(f"sqlite {table}", DATABASES[table], check)


@every_check
@pytest.mark.parametrize("table", TABLES)
def test_postgresql(table: str, check: Check, database: str) -> None:
    more = {"key": "SERIAL"} if "key" in TABLES[table] else {}
    put(f"postgresql {table}", lambda: SqlWorld(url=database, **{**TABLES[table], **more}), check)


def test_a_late_app_is_late_in_reads_and_prompt_when_asked() -> None:
    with contextlib.closing(MemoryWorld(lag=2)) as world:
        id_ = world.add(email="ada@example.org")
        app = world.open()
        assert app.get([id_])[id_].fields["email"] == "ada@example.org"
        shown = [[record.id for page in app.read(None) for record in page.records] for _ in range(3)]
        assert shown == [[], [], [id_]]


def test_every_claim_is_asked_both_ways() -> None:
    """Each check that needs a claim has a twin for apps without it, or its claim is one of degree."""
    assert len({check.name for check in checks.ALL}) == len(checks.ALL) >= 40
