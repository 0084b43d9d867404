"""The SQL connector: a table whose rows are people. See README.md for what it asks of the table.

SQLAlchemy is imported when an app is opened, not before: a run without SQL apps does not pay for it.
"""

from __future__ import annotations

from typing import Final

from syncd.connector import App, Connector, Opening
from syncd.model import Setting, Spec

SPEC: Final = Spec(
    name="sql",
    summary="a table or view of an SQL database (SQLite and PostgreSQL are tested): reads by key or by updated_at",
    settings=(
        Setting(name="url", type="url", required=True, help="as SQLAlchemy writes it, without a password"),
        Setting(name="table", required=True, help="its name, or schema.name"),
        Setting(name="key", default="id", help="the column that names a row and never changes"),
        Setting(
            name="updated_at", help="the column with the time of the last change; without it every read is complete"
        ),
        Setting(name="deleted", help="the column that marks a row as deleted: true, 1 or a time"),
        Setting(
            name="overlap",
            type="number",
            default=60,
            help="seconds that are read again: longer than the longest transaction that sets updated_at",
        ),
    ),
    secrets=(
        Setting(name="username", help="the account"),
        Setting(name="password", help="its password"),
    ),
    any_path=True,
    flat=True,
    create=True,
    update=True,
    archive=True,
    incremental=True,
    proven_listing=True,
    reuses_ids=True,
    versions="opaque",
    lost_update="cas",
    rung="A",
    reports_gone=True,
    write_batch=2000,
)


def _open(opening: Opening) -> App:
    from .table import open_table

    return open_table(SPEC, opening)


CONNECTOR: Final = Connector(spec=SPEC, open=_open)
