"""What would be on the disk if the power failed now: every write and every sync of SQLite, in order, and their replay.

`watch` goes between the SQLite library of this process and its own file system layer, so the real program runs over the
real library. Hard rule: a write that no sync of its file has followed is lost; that is the worst a disk may do.
"""

from __future__ import annotations

import ctypes as c
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

Step = tuple[str, str, int, bytes]
"""write, truncate, sync or delete; the file; where, or the size; what."""

# Names are pointers: what SQLite keeps behind the end of a name would not survive being made a text and back.
OPEN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
DELETE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int)
WRITE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
TRUNCATE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
SYNC = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)


class Layer(c.Structure):
    """sqlite3_vfs, as far as it is needed."""

    _fields_ = (
        ("version", c.c_int), ("file_size", c.c_int), ("path_size", c.c_int), ("next", c.c_void_p), ("name", c.c_char_p),
        ("data", c.c_void_p), ("open", c.c_void_p), ("delete", c.c_void_p),
    )  # fmt: skip


class Methods(c.Structure):
    """sqlite3_io_methods, whole: a copy of it takes its place."""

    _fields_ = (
        ("version", c.c_int), ("close", c.c_void_p), ("read", c.c_void_p), ("write", c.c_void_p), ("truncate", c.c_void_p),
        ("sync", c.c_void_p), *((f"other{number}", c.c_void_p) for number in range(13)),
    )  # fmt: skip


def library() -> c.CDLL | None:
    """Find the SQLite that Python's sqlite3 uses; None where it cannot be reached from outside."""
    import _sqlite3

    try:
        found = c.CDLL(_sqlite3.__file__)
        found.sqlite3_vfs_find.restype = c.POINTER(Layer)
    except (OSError, AttributeError):
        return None
    return found


class _Watch:
    """The layer between. What ctypes calls must live as long as the process, so one of these is kept for good."""

    def __init__(self, layer: Layer, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._names: dict[int, str] = {}
        self._methods: dict[int, Methods] = {}
        self._kept: list[Any] = []
        self._open, self._delete = OPEN(layer.open), DELETE(layer.delete)
        layer.open, layer.delete = self._pointer(OPEN, self._opened), self._pointer(DELETE, self._deleted)

    def _pointer(self, kind: Any, function: Any) -> int | None:
        made = kind(function)
        self._kept.append(made)
        return c.cast(made, c.c_void_p).value

    def _note(self, *step: Any) -> None:
        os.write(self._log, pickle.dumps(step))

    def _opened(self, layer: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code = int(self._open(layer, name, file, flags, out))
        place = c.c_void_p.from_address(file)
        if code == 0 and name and place.value:
            self._names[file] = c.string_at(name).decode()
            place.value = c.addressof(self._watched(place.value))
        return code

    def _watched(self, original: int) -> Methods:
        if original not in self._methods:
            theirs = Methods.from_address(original)
            ours = Methods.from_buffer_copy(theirs)
            write, truncate, sync = WRITE(theirs.write), TRUNCATE(theirs.truncate), SYNC(theirs.sync)

            def written(file: int, data: int, size: int, at: int) -> int:
                self._note("write", self._names[file], at, c.string_at(data, size))
                return int(write(file, data, size, at))

            def truncated(file: int, size: int) -> int:
                self._note("truncate", self._names[file], size, b"")
                return int(truncate(file, size))

            def synced(file: int, flags: int) -> int:
                code = int(sync(file, flags))
                self._note("sync", self._names[file], 0, b"")
                return code

            ours.write, ours.truncate = self._pointer(WRITE, written), self._pointer(TRUNCATE, truncated)
            ours.sync = self._pointer(SYNC, synced)
            self._methods[original] = ours
        return self._methods[original]

    def _deleted(self, layer: int, name: int, flags: int) -> int:
        code = int(self._delete(layer, name, flags))
        self._note("delete", c.string_at(name).decode(), 0, b"")
        return code


_WATCHES: Final[list[_Watch]] = []


def watch(log: Path, *, lazy: bool = False) -> None:
    """Note from now on what SQLite does with files. `lazy`: with `synchronous=NORMAL`, to see that it is noticed."""
    found = library()
    assert found is not None
    _WATCHES.append(_Watch(found.sqlite3_vfs_find(None).contents, log))
    if lazy:
        event.listen(Engine, "begin", _lazy)  # of the class: it comes before what the store itself listens to


def _lazy(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")


def steps(log: Path) -> Iterator[Step]:
    """Read what was noted; the last step may be cut short by the death of who noted it."""
    with log.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except (EOFError, pickle.UnpicklingError):
                return


class Disk:
    """Files after a power cut. `chance`: each write that was not synced survives or not; without it none does."""

    def __init__(self, files: dict[str, bytes], chance: random.Random | None = None) -> None:
        self._safe = {name: bytearray(data) for name, data in files.items()}
        self._pending: dict[str, list[Step]] = {}
        self._chance = chance

    def take(self, step: Step) -> None:
        what, name, _, _ = step
        if what == "sync":
            for each in self._pending.pop(name, ()):
                self._apply(each)
        elif what == "delete":
            self._safe.pop(name, None)
            self._pending.pop(name, None)
        else:
            self._pending.setdefault(name, []).append(step)

    def after_the_cut(self) -> dict[str, bytes]:
        """Say what is there when the power is back."""
        for pending in self._pending.values():
            for step in pending:
                if self._chance is not None and self._chance.random() < 0.5:
                    self._apply(step)
        self._pending.clear()
        return {name: bytes(data) for name, data in self._safe.items()}

    def _apply(self, step: Step) -> None:
        what, name, at, data = step
        file = self._safe.setdefault(name, bytearray())
        if what == "truncate":
            del file[at:]
            return
        file.extend(bytes(max(0, at - len(file))))
        file[at : at + len(data)] = data
