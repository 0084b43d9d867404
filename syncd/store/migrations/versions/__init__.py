"""One file a version; Alembic finds them by their names."""
