"""Addresses of databases. Pure; must not open anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_SQLITE: Final = re.compile(r"(sqlite(?:\+pysqlite)?:///)(?!:memory:)(?!file:)([^?]+)(\?.*)?", re.DOTALL)


def absolute(url: str, folder: Path) -> str:
    """Return the URL with the file of an SQLite database made absolute, and PostgreSQL's driver named."""
    if url.startswith("postgresql://"):
        return "postgresql+psycopg" + url.removeprefix("postgresql")
    file = sqlite_file(url)
    if file is None:
        return url
    match = _SQLITE.fullmatch(url)
    assert match is not None
    return f"{match[1]}{(folder / file).resolve()}{match[3] or ''}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database; None for any other, and for one in memory."""
    match = _SQLITE.fullmatch(url)
    return Path(match[2]) if match else None
