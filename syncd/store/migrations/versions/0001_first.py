"""The tables of the first version, as frozen.py wrote them down."""

from __future__ import annotations

from alembic import op

from syncd.store.migrations import frozen

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    for statement in frozen.read(connection.dialect.name):
        connection.exec_driver_sql(statement)
