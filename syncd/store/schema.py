"""The tables, once, by SQLAlchemy Core; migrations/ holds the way there and a test proves that both agree.

Constraints carry invariants: ONE-LINK (`record_one_link`), one live intent per app, kind and contact (its key), journal
and consent log that only grow (triggers). Times are milliseconds UTC; documents are compact JSON bytes.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
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
    event,
    text,
)

HEAD: Final = "0001"
"""The migration that this version of syncd needs."""
META = MetaData()
version = Table(  # Alembic makes and keeps it; not under Alembic's own name, which other programs use as well
    "syncd_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="syncd_version_pkc"),
)
BIG = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta", META, Column("name", Text, primary_key=True), Column("value", Text, nullable=False), sqlite_with_rowid=False
)

app = Table(
    "app",
    META,
    Column("id", SmallInteger, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("fingerprint", Text),
    Column("cursor", Text),
    Column("covered", SmallInteger, nullable=False, server_default="0"),  # complete listings with equal ids so far, 0-2
    Column("listing", LargeBinary),  # rolling digest of the last complete listing's ids
    Column("read_ms", BIG, nullable=False, server_default="0"),  # start of the last read that succeeded
    Column("listed_ms", BIG, nullable=False, server_default="0"),
    Column("failed_ms", BIG, nullable=False, server_default="0"),
    Column("error", Text),
    Column("error_kind", Text),
    Column("paused", SmallInteger, nullable=False, server_default="0"),
    Column("fields", LargeBinary),  # the field maps in effect when it was last opened
)

contact = Table(
    "contact",
    META,
    Column("id", BIG, primary_key=True),
    Column("review", SmallInteger, nullable=False, server_default="0"),  # its match is undecided
    Column("held", SmallInteger, nullable=False, server_default="0"),  # a field waits for a person
    Column("refused", SmallInteger, nullable=False, server_default="0"),  # an app refused to create it
    Column("secret", LargeBinary, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
for _flag in ("review", "held", "refused"):
    _set = text(f"{_flag} = 1")
    Index(f"contact_{_flag}", contact.c.id, sqlite_where=_set, postgresql_where=_set)

record = Table(
    "record",
    META,
    Column("app", SmallInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("contact", BIG),
    Column("version", Text),
    Column("digest", LargeBinary),  # of the newest raw fields, consumed or not
    Column("at_ms", BIG, nullable=False),
    Column("misses", SmallInteger, nullable=False, server_default="0"),
    Column("missed_run", BIG, nullable=False, server_default="0"),
    Column("problem", Text),
    Column("flawed", SmallInteger, nullable=False, server_default="0"),  # a field cannot be written there
    Column("doc", LargeBinary),
    Column("seen", LargeBinary),  # an observation that is not merged yet
)
Index("record_id", record.c.app, record.c.id, unique=True)
Index(
    "record_one_link",
    record.c.contact,
    record.c.app,
    unique=True,
    sqlite_where=text("contact IS NOT NULL"),
    postgresql_where=text("contact IS NOT NULL"),
)
_UNSEEN = "seen IS NOT NULL"
Index("record_seen", record.c.app, record.c.id, sqlite_where=text(_UNSEEN), postgresql_where=text(_UNSEEN))
_MISSED = "misses > 0"
Index("record_missed", record.c.app, sqlite_where=text(_MISSED), postgresql_where=text(_MISSED))
_PROBLEM = "problem IS NOT NULL OR flawed = 1"
Index("record_parked", record.c.app, sqlite_where=text(_PROBLEM), postgresql_where=text(_PROBLEM))

identity = Table(
    "identity",
    META,
    Column("key", LargeBinary, primary_key=True),
    Column("app", SmallInteger, primary_key=True),  # -1: a key that the contact had before
    Column("record", Text, primary_key=True),
    sqlite_with_rowid=False,
)

intent = Table(
    "intent",
    META,
    Column("app", SmallInteger, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),  # 0 consent, 1 update, 2 create, 3 archive
    Column("contact", BIG, primary_key=True),
    Column("sent", SmallInteger, nullable=False, server_default="0"),
    Column("flags", SmallInteger, nullable=False, server_default="0"),  # 1 clears, 2 opts out
    Column("record", Text),  # of a create: the id that the hub drew
    Column("sent_ms", BIG),
    Column("doc", LargeBinary),
    CheckConstraint("kind BETWEEN 0 AND 3", name="kind"),
    CheckConstraint("sent = 0 OR sent_ms IS NOT NULL", name="sent"),
    sqlite_with_rowid=False,
)
_SENT = "sent = 1"
Index("intent_sent", intent.c.contact, sqlite_where=text(_SENT), postgresql_where=text(_SENT))

dirty = Table("dirty", META, Column("contact", BIG, primary_key=True, autoincrement=False))

listed = Table(
    "listed",
    META,
    Column("app", SmallInteger, primary_key=True),
    Column("id", Text, primary_key=True),
    sqlite_with_rowid=False,
)

latch = Table(
    "latch",
    META,
    Column("channel", Text, primary_key=True),
    Column("subject", LargeBinary, primary_key=True),  # hash of an address, or "c" and a contact's id
    Column("out_ms", BIG, nullable=False),
    Column("in_ms", BIG, nullable=False),
    Column("app", SmallInteger, nullable=False),
    Column("doc", LargeBinary),
    sqlite_with_rowid=False,
)

consent_log = Table(
    "consent_log",
    META,
    Column("id", BIG, primary_key=True),
    Column("run", BIG, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("channel", Text, nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("app", SmallInteger, nullable=False),
    Column("doc", LargeBinary),
)

journal = Table(
    "journal",
    META,
    Column("id", BIG, primary_key=True),
    Column("run", BIG, nullable=False),
    Column("contact", BIG, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("doc", LargeBinary, nullable=False),  # sealed with the contact's own key
)
Index("journal_contact", journal.c.contact)
Index("journal_run", journal.c.run)

run = Table(
    "run",
    META,
    Column("id", BIG, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("ended_ms", BIG),
    Column("outcome", Text),
    Column("doc", LargeBinary),
)

inbox = Table(
    "inbox",
    META,
    Column("id", BIG, primary_key=True),
    Column("kind", Text, nullable=False),  # match, conflict, deletion, merge
    Column("contact", BIG, nullable=False),
    Column("app", SmallInteger, nullable=False),
    Column("field", Text, nullable=False, server_default=""),
    Column("opened_ms", BIG, nullable=False),
    Column("run", BIG, nullable=False),
    Column("resolved_ms", BIG),
    Column("doc", LargeBinary, nullable=False),  # sealed with the contact's own key
)
_OPEN = "resolved_ms IS NULL"
Index(
    "inbox_open",
    inbox.c.contact,
    inbox.c.kind,
    inbox.c.field,
    inbox.c.app,
    unique=True,
    sqlite_where=text(_OPEN),
    postgresql_where=text(_OPEN),
)


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
    "'BEGIN RAISE EXCEPTION ''% only grows'', TG_TABLE_NAME; END' LANGUAGE plpgsql"
)

for _log in (journal, consent_log):
    _function = DDL(ONLY_GROWS.replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy does not say
    event.listen(_log, "after_create", _function.execute_if(dialect="postgresql"))
    for _verb in ("UPDATE", "DELETE"):
        for _dialect in ("sqlite", "postgresql"):
            _trigger = DDL(append_only(_log.name, _verb, _dialect))  # type: ignore[no-untyped-call]
            event.listen(_log, "after_create", _trigger.execute_if(dialect=_dialect))
