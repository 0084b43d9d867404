"""Mark: how far a store had come, kept beside it, so that a store that went back in time is noticed (SYNC-MODEL 1.14).

A backup that was put back in its place knows less than its mark. Hard rule: a mark is written after what it tells of was
committed, so that it never tells of more than there was; a mark that cannot be read or written is none.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from syncd.store.codec import KEY_FILE
from syncd.store.store import Store

ENDING: Final = "mark"


class Mark(NamedTuple):
    """Of which store, and how far it had come: the number of its last holder and of its last run."""

    store: str
    epoch: int
    run: int

    def is_ahead_of(self, other: Mark) -> bool:
        """Say whether the other one is the same store at an earlier time."""
        return self.store == other.store and (self.epoch > other.epoch or self.run > other.run)


def place_of(store: Store) -> Path | None:
    """Name the file: beside an SQLite store, else beside the key of the store; None where syncd keeps no file at all."""
    if store.path is not None:
        real = store.path.resolve()
        return real.with_name(f"{real.name}.{ENDING}")
    key = store.data_dir / KEY_FILE
    return key.with_name(f"syncd.{ENDING}") if key.exists() else None


def read(file: Path | None) -> Mark | None:
    """Read a mark; None where there is none."""
    if file is None:
        return None
    try:
        name, epoch, run = file.read_text("ascii").split()
        return Mark(name, int(epoch), int(run))
    except (OSError, ValueError):
        return None


def write(file: Path | None, mark: Mark) -> None:
    """Put a mark in the place of the one before."""
    if file is None:
        return
    beside = file.with_name(f"{file.name}.new")
    with suppress(OSError):
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(f"{mark.store} {mark.epoch} {mark.run}\n")
        beside.replace(file)
