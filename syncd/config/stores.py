"""Addresses of databases and files. Must not open or make anything."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

SCHEME: Final = re.compile(r"(?:sqlite(?:\+pysqlite)?|postgresql(?:\+psycopg)?)://")
KNOWN: Final = "sqlite:///path/to/file.db or postgresql+psycopg://user@host/database"
_SQLITE: Final = re.compile(r"(sqlite(?:\+pysqlite)?:///)(?!:memory:)(?!file:)([^?]+)(\?.*)?", re.DOTALL)


def checked(url: str, folder: Path) -> str:
    """Return the address of a store, ready to open; ValueError if it is none that we can keep a store in."""
    if not SCHEME.match(url):
        raise ValueError(f"expected {KNOWN}")
    return absolute(url, folder)


def absolute(url: str, folder: Path) -> str:
    """Return the URL with the file of an SQLite database made absolute, and PostgreSQL's driver named."""
    if url.startswith("postgresql://"):
        return "postgresql+psycopg" + url.removeprefix("postgresql")
    file = sqlite_file(url)
    if file is None:
        return url
    match = _SQLITE.fullmatch(url)
    assert match is not None
    return f"{match[1]}{anchored(folder, str(file))}{match[3] or ''}"


def anchored(folder: Path, text: str) -> Path:
    """Return an absolute path; a relative one counts from the folder."""
    try:
        return (folder / text).resolve()
    except (OSError, RuntimeError):  # links in a circle, or a name too long: whoever opens it will say so
        return folder.absolute() / text


def seen_from(folder: Path, text: str) -> tuple[str, str, bool]:
    """Name a file: absolute, as seen from a folder, and whether it was written like that, and so moves with the folder."""
    at = str(anchored(folder, text))
    as_written = os.path.normpath(folder / text)  # another one where a link leads elsewhere
    return at, os.path.relpath(at, folder), not Path(text).is_absolute() and as_written == at


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database; None for any other, and for one in memory."""
    match = _SQLITE.fullmatch(url)
    return Path(match[2]) if match else None
