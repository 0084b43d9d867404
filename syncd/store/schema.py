"""The tables, once, by SQLAlchemy Core; migrations/ holds the way there and a test proves that both agree.

Constraints carry invariants: ONE-LINK (`record_one_link`), one live intent per app, kind and contact (its key), journal
and consent log that only grow (triggers). Times are milliseconds UTC; documents are compact JSON bytes.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import CreateIndex, CreateTable

HEAD: Final = "0001"
"""The migration that this version of syncd needs."""
META = MetaData()
version = Table(  # Alembic makes and keeps it; not under Alembic's own name, which other programs use as well
    "syncd_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="syncd_version_pkc"),
)
# STRICT tables (SYNC-MODEL 1.6.3) know INTEGER only. Text sorts by its bytes on both: every order is the same
# everywhere, and a new version of the server's locale library breaks no index.
BIG = BigInteger().with_variant(Integer, "sqlite")
SMALL = SmallInteger().with_variant(Integer, "sqlite")
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_KEYED: Final[dict[str, Any]] = {"sqlite_with_rowid": False, "sqlite_strict": True}
"""Options of a table that is nothing but its key and little else."""

meta = Table("meta", META, Column("name", TEXT, primary_key=True), Column("value", TEXT, nullable=False), **_KEYED)

app = Table(
    "app",
    META,
    Column("id", SMALL, primary_key=True, autoincrement=False),
    Column("name", TEXT, nullable=False, unique=True),
    Column("fingerprint", TEXT),
    Column("cursor", TEXT),
    Column("covered", SMALL, nullable=False, server_default="0"),  # complete listings with equal ids so far, 0-2
    Column("listing", LargeBinary),  # rolling digest of the last complete listing's ids
    Column("read_ms", BIG, nullable=False, server_default="0"),  # start of the last read that succeeded
    Column("listed_ms", BIG, nullable=False, server_default="0"),
    Column("failed_ms", BIG, nullable=False, server_default="0"),
    Column("error", TEXT),
    Column("error_kind", TEXT),
    Column("paused", SMALL, nullable=False, server_default="0"),
    Column("fields", LargeBinary),  # the field maps in effect when it was last opened
    sqlite_strict=True,
)

login = Table(  # what an app's login must remember: tokens, sealed
    "login",
    META,
    Column("app", TEXT, primary_key=True),
    Column("doc", LargeBinary, nullable=False),
    **_KEYED,
)

contact = Table(
    "contact",
    META,
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("review", SMALL, nullable=False, server_default="0"),  # its match is undecided
    Column("held", SMALL, nullable=False, server_default="0"),  # a field waits for a person
    Column("refused", SMALL, nullable=False, server_default="0"),  # an app refused to create it
    Column("secret", LargeBinary, nullable=False),
    Column("doc", LargeBinary, nullable=False),
    sqlite_strict=True,
)

record = Table(
    "record",
    META,
    Column("app", SMALL, nullable=False),
    Column("id", TEXT, nullable=False),
    Column("contact", BIG),
    Column("version", TEXT),
    Column("digest", LargeBinary),  # of the newest raw fields, consumed or not
    Column("at_ms", BIG, nullable=False),
    Column("misses", SMALL, nullable=False, server_default="0"),
    Column("missed_run", BIG, nullable=False, server_default="0"),
    Column("problem", TEXT),
    Column("flawed", SMALL, nullable=False, server_default="0"),  # see store/records.py
    Column("doc", LargeBinary),
    Column("seen", LargeBinary),  # an observation that is not merged yet
    sqlite_strict=True,
)

identity = Table(
    "identity",
    META,
    Column("key", LargeBinary, primary_key=True),
    Column("app", SMALL, primary_key=True),  # -1: a key that the contact had before; -2: of an id that was gone
    Column("record", TEXT, primary_key=True),
    **_KEYED,
)

intent = Table(
    "intent",
    META,
    Column("app", SMALL, primary_key=True),
    Column("kind", SMALL, primary_key=True),  # 0 consent, 1 update, 2 create, 3 archive
    Column("contact", BIG, primary_key=True),
    Column("sent", SMALL, nullable=False, server_default="0"),
    Column("flags", SMALL, nullable=False, server_default="0"),  # 1 clears, 2 opts out
    Column("record", TEXT),  # of a create: the id that the hub drew
    Column("sent_ms", BIG),
    Column("doc", LargeBinary),
    CheckConstraint("kind BETWEEN 0 AND 3", name="kind"),
    CheckConstraint("sent = 0 OR sent_ms IS NOT NULL", name="sent"),
    **_KEYED,
)

dirty = Table("dirty", META, Column("contact", BIG, primary_key=True, autoincrement=False), sqlite_strict=True)

listed = Table(
    "listed",
    META,
    Column("app", SMALL, primary_key=True),
    Column("id", TEXT, primary_key=True),
    **_KEYED,
)

hint = Table(
    "hint",
    META,
    Column("app", SMALL, primary_key=True),
    Column("id", TEXT, primary_key=True),  # "": something has changed, and nobody said what
    Column("number", BIG, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("due_ms", BIG, nullable=False),
    Column("found", SMALL, nullable=False),  # 1: a read found it changed, and no webhook has named it
    **_KEYED,
)

hook = Table(
    "hook",
    META,
    Column("app", SMALL, primary_key=True, autoincrement=False),
    Column("last_ms", BIG, nullable=False),
    Column("seen", BIG, nullable=False),
    Column("missed", BIG, nullable=False),
    Column("silent", BIG, nullable=False),  # of the missed, since the last webhook
    **_KEYED,
)

latch = Table(
    "latch",
    META,
    Column("subject", LargeBinary, primary_key=True),  # hash of an address, or "c" and a contact's id
    Column("channel", TEXT, primary_key=True),
    Column("out_ms", BIG, nullable=False),
    Column("in_ms", BIG, nullable=False),
    Column("app", SMALL, nullable=False),
    Column("doc", LargeBinary),
    **_KEYED,
)

consent_log = Table(
    "consent_log",
    META,
    Column("id", BIG, primary_key=True),
    Column("run", BIG, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("channel", TEXT, nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("app", SMALL, nullable=False),
    Column("doc", LargeBinary),
    sqlite_strict=True,
)

journal = Table(
    "journal",
    META,
    Column("id", BIG, primary_key=True),
    Column("run", BIG, nullable=False),
    Column("contact", BIG, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("doc", LargeBinary, nullable=False),  # sealed with the contact's own key
    sqlite_strict=True,
)

run = Table(
    "run",
    META,
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("kind", TEXT, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("ended_ms", BIG),
    Column("outcome", TEXT),
    Column("doc", LargeBinary),
    sqlite_strict=True,
)

inbox = Table(
    "inbox",
    META,
    Column("id", BIG, primary_key=True),
    Column("kind", TEXT, nullable=False),  # match, conflict, deletion, merge
    Column("contact", BIG, nullable=False),
    Column("app", SMALL, nullable=False),
    Column("field", TEXT, nullable=False, server_default=""),
    Column("opened_ms", BIG, nullable=False),
    Column("run", BIG, nullable=False),
    Column("resolved_ms", BIG),
    Column("doc", LargeBinary, nullable=False),  # sealed with the contact's own key
    sqlite_strict=True,
)

_INDEXES: Final = (
    ("contact_review", contact, "id", "review = 1"),
    ("contact_held", contact, "id", "held = 1"),
    ("contact_refused", contact, "id", "refused = 1"),
    ("identity_alias", identity, "record", "app = -1"),
    ("identity_gone", identity, "record", "app = -2"),
    ("record_id", record, "app id", "UNIQUE"),
    ("record_one_link", record, "contact app", "UNIQUE contact IS NOT NULL"),
    ("record_to_match", record, "app id", "contact IS NULL AND seen IS NOT NULL"),
    ("record_to_merge", record, "contact app", "contact IS NOT NULL AND seen IS NOT NULL"),
    ("record_missed", record, "app id", "misses > 0"),
    ("record_parked", record, "app id", "problem IS NOT NULL OR flawed IN (1, 3, 4)"),
    ("intent_contact", intent, "contact", ""),
    ("journal_contact", journal, "contact", ""),
    ("journal_run", journal, "run contact", ""),
    ("inbox_open", inbox, "contact kind field app", "UNIQUE resolved_ms IS NULL"),
)


@cache
def indexed() -> MetaData:
    """Give the tables with their indexes, whose options import the dialects of both databases: for who makes tables."""
    for name, table, columns, limit in _INDEXES:
        rows = limit.removeprefix("UNIQUE").strip()
        where: dict[str, Any] = {"sqlite_where": text(rows), "postgresql_where": text(rows)} if rows else {}
        Index(name, *(table.c[column] for column in columns.split()), unique=limit.startswith("UNIQUE"), **where)
    return META


def append_only(table: str, verb: str, dialect: str) -> str:
    """Write the trigger that refuses to change or delete a row of a log."""
    if dialect == "sqlite":
        return (
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        )
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows()"
    )


ONLY_GROWS = (
    "CREATE OR REPLACE FUNCTION syncd_only_grows() RETURNS trigger AS "
    "'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || '' only grows''; END' LANGUAGE plpgsql"
)

_LOGS: Final = {
    "sqlite": ((), ("UPDATE", "DELETE")),
    "postgresql": ((ONLY_GROWS,), ("UPDATE", "DELETE", "TRUNCATE")),
}


def statements(dialect: sa.Dialect) -> list[str]:
    """Write the statements that make all tables, in an order that is always the same.

    The order matters: SQLite takes the index that was made last where two are equally good, so each index that is
    limited to a few rows has a name after that of the one it is to be preferred to (`record_id`).
    """
    functions, verbs = _LOGS[dialect.name]
    made = list(functions)
    for table in indexed().sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
        if table in (journal, consent_log):
            made += [append_only(table.name, verb, dialect.name) for verb in verbs]
    return ["\n".join(line.replace("\t", "    ").rstrip() for line in each.strip().splitlines()) for each in made]
