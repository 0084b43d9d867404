"""The first version's tables as plain statements: written down once, so that later changes of schema.py do not reach it.

While nothing is released, `python -m syncd.store.migrations.frozen` writes them anew from schema.py, and 0001 is changed
in place. After the first release this file and its .sql files never change again: write 0002.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from syncd.store import schema

FOLDER: Final = Path(__file__).parent / "versions"
DIALECTS: Final = ("sqlite", "postgresql")
_BETWEEN: Final = ";\n\n"


def file(dialect: str) -> Path:
    """Name the file of a dialect's statements."""
    return FOLDER / f"0001_first.{dialect}.sql"


def read(dialect: str) -> list[str]:
    """Read the statements of the first version."""
    return file(dialect).read_text("utf-8").removesuffix(";\n").split(_BETWEEN)


def write(dialect: str) -> str:
    """Write down what `schema.META.create_all` does."""
    done: list[str] = []

    def note(statement: Any, *_: object, **__: object) -> None:
        done.append(_plain(str(statement.compile(dialect=engine.dialect))))

    engine = sa.create_mock_engine(f"{dialect}+{'pysqlite' if dialect == 'sqlite' else 'psycopg'}://", note)
    for table in schema.META.sorted_tables:
        begun = len(done)
        table.create(engine, checkfirst=False)
        done[begun:] = sorted(done[begun:], key=_rank)
    return _BETWEEN.join(done) + ";\n"


def _plain(statement: str) -> str:
    return "\n".join(line.replace("\t", "    ").rstrip() for line in statement.strip().splitlines())


def _rank(statement: str) -> tuple[int, str]:
    """Table, indexes by name (SQLAlchemy gives them in any order), triggers as they come."""
    if statement.startswith("CREATE TABLE"):
        return 0, ""
    if statement.startswith(("CREATE INDEX", "CREATE UNIQUE INDEX")):
        return 1, statement.split("INDEX ")[1]
    return 2, ""


if __name__ == "__main__":
    for _dialect in DIALECTS:
        file(_dialect).write_text(write(_dialect), "utf-8")
        sys.stdout.write(f"{file(_dialect)}\n")
