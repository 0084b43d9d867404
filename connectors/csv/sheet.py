"""One reading of a CSV file: its header, then its rows with the bytes that each takes.

Knows bytes, quotes and columns; knows nothing of fields or writes. Hard rule: every byte of the file belongs to the
header or to exactly one row, and a row that cannot be read costs no other row.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from syncd.errors import ConfigError, TransientError

RECORD_BYTES_MAX: Final = 16 << 20
"""What is longer is no record but a quote that nobody closed, or no CSV file."""
CELL_CHARS_MAX: Final = 10_000_000
_BLOCK_BYTES: Final = 256 << 10


class Row(NamedTuple):
    """One record of the file."""

    line: int
    start: int
    size: int
    cells: list[str]
    """Where `problem` is set: what could be made out, possibly nothing."""
    problem: str | None
    unclosed: bool
    """A quote is open at its end: what stands after it may read differently elsewhere."""


class Format(NamedTuple):
    """How the operator says the file is written; never guessed."""

    encoding: str
    delimiter: str


def format_of(encoding: str, delimiter: str) -> Format:
    """Check the two; raise ConfigError."""
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter not in ",;|:\t~^":
        raise ConfigError("delimiter: expected one of , ; | : ~ ^ or tab")
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError("encoding: Python does not know it; try utf-8, cp1252 or latin-1") from None
    ascii_ = bytes(range(128))
    try:
        holds_ascii = ascii_.decode(name) == ascii_.decode("ascii")
    except UnicodeError:
        holds_ascii = False
    if not holds_ascii:
        raise ConfigError(f"encoding: {name} is not built on ASCII; save the file as UTF-8")
    return Format("utf-8" if name == "utf-8-sig" else name, delimiter)


class Sheet:
    """Read one open file from its start to its end, once."""

    def __init__(self, file: io.FileIO, form: Format, place: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_BYTES_MAX))
        file.seek(0)
        self._hash = hashlib.blake2b(digest_size=16)
        self._bytes: io.BufferedReader = io.BufferedReader(_Hashed(file, self._hash), _BLOCK_BYTES)
        self._form = form
        self._back: deque[bytes] = deque()
        self._start = 3 if form.encoding == "utf-8" and self._bytes.peek(3)[:3] == codecs.BOM_UTF8 else 0
        self._bytes.read(self._start)
        self._rows = self._read()
        head = next(self._rows, None)
        if head is None and file.tell() == 0:
            raise TransientError(f"{place}: the file is empty: it is being written, or was cut off; put it back")
        if head is None:
            raise ConfigError(f"{place}: the file has no header; its first line must name the columns")
        if head.problem:
            raise ConfigError(f"{place}:{head.line}: the header cannot be read: it {head.problem}")
        self.head = head

    def rows(self) -> Iterator[Row]:
        """Give the rows in their order, blank ones left out; to be run through once."""
        return self._rows

    def digest(self) -> str:
        """Name the content; only after the last row."""
        return self._hash.hexdigest()

    def _read(self) -> Iterator[Row]:
        """Cut the file into records; the first that is not blank is the header."""
        line, start, width = 1, self._start, 0
        delimiter = self._form.delimiter
        while True:
            feed = _Feed(self._bytes, self._back, self._form.encoding)
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
            taken = feed.taken
            try:
                for cells in reader:
                    size, problem = feed.size, feed.flaw
                    if size > CELL_CHARS_MAX and any(len(cell) > CELL_CHARS_MAX for cell in cells):
                        problem = f"has a cell of over {CELL_CHARS_MAX // 1_000_000} MB"
                    if any(cells):  # a spreadsheet leaves rows of nothing but delimiters at the end
                        width = width or len(cells)
                        if len(cells) != width and problem is None:
                            problem = f"has {len(cells)} cells, the header {width}"
                        yield Row(line, start, size, cells, problem, False)
                    start += size
                    line += len(taken)
                    taken.clear()
                    feed.size, feed.flaw = 0, None
            except csv.Error as error:
                # What a stray quote swallowed is given back: this line alone is bad, the next is read on its own.
                self._back.extendleft(reversed(taken[1:]))
                size = len(taken[0]) + feed.skipped
                unclosed = "unexpected end" in str(error)
                problem = "has a quote that is not closed" if unclosed else f"is broken ({_told(error)})"
                yield Row(line, start, size, self._glimpse(taken[0]), problem, unclosed)
                start += size
                line += 1
                continue
            return

    def _glimpse(self, raw: bytes) -> list[str]:
        """Make out the first cell of a broken line, if it is a plain one."""
        text, delimiter, _ = raw[:4096].decode(self._form.encoding, "surrogateescape").partition(self._form.delimiter)
        return [text] if delimiter and '"' not in text else []


class _Feed:
    """Hand physical lines to the CSV reader and remember their bytes."""

    def __init__(self, source: io.BufferedReader, back: deque[bytes], encoding: str) -> None:
        self._readline = source.readline
        self._back = back
        self._encoding = encoding
        self.taken: list[bytes] = []
        self.size = 0
        self.skipped = 0
        self.flaw: str | None = None

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        raw = self._back.popleft() if self._back else self._readline(RECORD_BYTES_MAX)
        if not raw:
            raise StopIteration
        if self.size + len(raw) >= RECORD_BYTES_MAX:
            self._overflow(raw)
        self.size += len(raw)
        self.taken.append(raw)
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError:
            self.flaw = f"has bytes that are not {self._encoding} (save it as that, or set `encoding`, cp1252 say)"
            return raw.decode(self._encoding, "surrogateescape")
        if "\0" in text:
            self.flaw = "has a NUL"
        return text

    def _overflow(self, raw: bytes) -> None:
        """End a record that does not end: give the line back, or pass over a line that is too long by itself."""
        if self.taken:
            self._back.appendleft(raw)
            raise StopIteration
        self.taken.append(raw[:4096])
        self.skipped = len(raw) - len(self.taken[0])
        while not raw.endswith(b"\n") and (raw := self._readline(RECORD_BYTES_MAX)):
            self.skipped += len(raw)
        raise csv.Error(f"over {RECORD_BYTES_MAX >> 20} MiB")


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: io.FileIO, digest: Any) -> None:
        self._file = file
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count


def _told(error: csv.Error) -> str:
    """Name the fault; the messages of the CSV reader hold no text of the file."""
    return "a line end in the middle of it" if "new-line" in str(error) else str(error)
