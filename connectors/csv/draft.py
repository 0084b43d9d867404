"""What a batch of writes makes of the file: which rows change, which are added, and one result for each write.

Knows rows and cells; writes nothing itself. Hard rule: only the cells of the named fields change.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from syncd.model import Applied, Record, Rejected, Result, Write

from .cells import guarded, joined, quoted, split
from .layout import KEY_CHARS_MAX, Layout, reader_of
from .sheet import Format, Row, Sheet


class _Refusal(Exception):
    def __init__(self, result: Rejected) -> None:
        super().__init__(result.message)
        self.result = result


class Draft:
    """The rows that a batch touches, as they are and as they will be."""

    def __init__(self, file: io.FileIO, sheet: Sheet, layout: Layout, form: Format, ids: set[str]) -> None:
        """Run through the file and keep the rows with these keys."""
        self._layout, self._form = layout, form
        self._record = reader_of(layout)
        self._rows: dict[str, list[Row]] = {}
        self._unreadable: int | None = None
        self._unclosed: int | None = None
        for row in sheet.rows():
            key = layout.key_of(row)
            if key in ids:
                self._rows.setdefault(key, []).append(row)
            elif row.problem is not None:
                self._unreadable = self._unreadable or (row.line if key is None else None)
            if row.unclosed:
                self._unclosed = row.line
        self.digest = sheet.digest()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(max(self._end - 1, 0))
        self._ends_line = file.read(1) == b"\n"
        head = self._text(file, sheet.head)
        self._newline = "\r\n" if head.endswith("\r\n") else "\n"
        self._quotes = all(cell[:1] == '"' for cell in split(head.rstrip("\r\n"), form.delimiter))
        self._texts = {
            key: self._text(file, rows[0])
            for key, rows in self._rows.items()
            if len(rows) == 1 and rows[0].problem is None
        }
        self._old = dict(self._texts)

    def take(self, write: Write) -> Result:
        """Apply one write to the draft."""
        try:
            match write.kind:
                case "create":
                    return self._create(write)
                case "update" | "consent":
                    return self._update(write)
                case _:
                    return Rejected(why="readonly", message="a row of a CSV file cannot be archived")
        except _Refusal as refusal:
            return refusal.result

    def changes(self) -> bool:
        return self._texts != self._old

    def parts(self) -> Iterator[tuple[int, int] | bytes]:
        """Give the new file as spans of the old one and new bytes."""
        at, encoding = 0, self._form.encoding
        changed = [key for key, text in self._old.items() if self._texts[key] != text]
        for key in sorted(changed, key=lambda key: self._rows[key][0].start):
            row = self._rows[key][0]
            yield at, row.start
            yield self._texts[key].encode(encoding)
            at = row.start + row.size
        yield at, self._end
        added = [text for key, text in self._texts.items() if key not in self._old]
        if added and self._ends_line:
            yield "".join(text + self._newline for text in added).encode(encoding)
        elif added:
            yield "".join(self._newline + text for text in added).encode(encoding)

    def _create(self, write: Write) -> Result:
        layout = self._layout
        if self._unclosed:
            raise _Refusal(
                Rejected(why="busy", message=f"line {self._unclosed} has a quote that is not closed; repair it first")
            )
        cells = dict.fromkeys(range(len(layout.header)), "")
        cells[layout.key] = write.id
        for name, value in write.fields.items():
            cells[self._column(name)] = self._cell(name, value)
        key = cells[layout.key]
        if not key or len(key) > KEY_CHARS_MAX:
            return Rejected(why="invalid", message="a row needs a key", field=layout.key_field)
        if key in self._texts or key in self._rows:
            return Rejected(why="exists", message="a row has this key", field=layout.key_field, existing=key)
        written = [quoted(cell, self._form.delimiter, always=self._quotes) for cell in cells.values()]
        self._texts[key] = joined(written, self._form.delimiter)
        return Applied(record=self._now(key))

    def _update(self, write: Write) -> Result:
        key = write.id
        if key not in self._texts:
            return self._absent(key)
        now = self._now(key).fields
        for name, value in write.expect.items():
            if name not in now or now[name] != value:
                return Rejected(why="moved", message="the row has changed", field=name)
        text = self._texts[key]
        line = text.rstrip("\r\n")
        cells = split(line, self._form.delimiter)
        for name, value in write.fields.items():
            index, cell = self._column(name), self._cell(name, value)
            if now[name] == value:
                continue
            if name == self._layout.key_field:
                return Rejected(why="readonly", message="this column is the key of the file", field=name)
            cells[index] = quoted(cell, self._form.delimiter, always=cells[index][:1] == '"')
        self._texts[key] = joined(cells, self._form.delimiter) + text[len(line) :]
        return Applied(record=self._now(key))

    def _absent(self, key: str) -> Rejected:
        if key in self._rows:
            return Rejected(why="moved", message="the row cannot be read any more, or another has the same key")
        if self._unreadable:
            return Rejected(why="busy", message=f"not found, but line {self._unreadable} cannot be read; repair it")
        return Rejected(why="gone", message="no row has this key")

    def _column(self, name: str) -> int:
        field = self._layout.fields.get(name)
        if field is None:
            raise _Refusal(Rejected(why="invalid", message="the file has no column for this field", field=name))
        if field.direction == "in":
            raise _Refusal(Rejected(why="readonly", message="the field is only read here", field=name))
        return self._layout.columns[name]

    def _cell(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _Refusal(Rejected(why="invalid", message="a cell takes a text", field=name))
        cell = guarded(value)
        try:
            sound = cell.encode(self._form.encoding).decode(self._form.encoding) == cell and "\0" not in cell
        except UnicodeError:
            sound = False
        if not sound:
            message = f"has a character that a {self._form.encoding} file cannot hold"
            raise _Refusal(Rejected(why="invalid", message=message, field=name))
        return cell

    def _now(self, key: str) -> Record:
        """Read the row of the draft as it would be read from the file."""
        [cells] = csv.reader([self._texts[key]], delimiter=self._form.delimiter, strict=True)
        return self._record(key, Row(0, 0, 0, cells, None, unclosed=False))

    def _text(self, file: io.FileIO, row: Row) -> str:
        file.seek(row.start)
        return file.read(row.size).decode(self._form.encoding)
