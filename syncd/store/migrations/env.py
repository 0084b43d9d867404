"""What Alembic runs for each upgrade. The connection is given, its transaction is the caller's: all of it, or nothing."""

from __future__ import annotations

from alembic import context

from syncd.store import schema

context.configure(connection=context.config.attributes["connection"], version_table=schema.version.name)
with context.begin_transaction():
    context.run_migrations()
