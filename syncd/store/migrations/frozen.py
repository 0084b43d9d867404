"""The first version's tables as plain statements: written down once, so that later changes of schema.py do not reach it.

While nothing is released, `python -m syncd.store.migrations.frozen` writes them anew from schema.py, and 0001 is changed
in place. After the first release this file and its .sql files never change again: write 0002.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

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
    """Write down how schema.py makes the tables."""
    url = sa.URL.create({"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[dialect])
    return _BETWEEN.join(schema.statements(url.get_dialect()())) + ";\n"


if __name__ == "__main__":
    for _dialect in DIALECTS:
        file(_dialect).write_text(write(_dialect), "utf-8")
        sys.stdout.write(f"{file(_dialect)}\n")
