"""A CSV file, and the people who edit it with other programs."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from syncd.connector import App, Connector
from syncd.kit.worlds import AppWorld
from syncd.model import FieldMap, Raw


class World(AppWorld):
    """A file with two columns that nobody maps, one column under another name, and quotes where none are needed."""

    people = 2300
    mapped = {"first_name": FieldMap(path="Vorname")}
    columns = ("loyalty", "id", "email", "Vorname", "phone", "company", "notes", "x,y")

    def __init__(
        self,
        connector: Connector | None = None,
        *,
        newline: str = "\r\n",
        encoding: str = "utf-8",
        delimiter: str = ",",
        bom: bytes = b"",
    ) -> None:
        super().__init__(connector)
        self._path = self.folder / "people.csv"
        self._encoding, self._delimiter, self._newline, self._bom = encoding, delimiter, newline, bom
        self._numbers = itertools.count(1)
        self._save([list(self.columns)])

    def open(self) -> App:
        return self._file(self._path)

    def open_other(self) -> App:
        other = self.folder / "other.csv"
        other.write_bytes(b"id,email\n".replace(b",", self._delimiter.encode()))
        return self._file(other)

    def _file(self, path: Path) -> App:
        settings = {"path": path, "encoding": self._encoding, "delimiter": self._delimiter}
        return self.opened(settings)

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        """Append lines to the file, as some other program would."""
        ids = []
        with self._path.open("ab") as file:
            for fields in people:
                ids.append(f"h{next(self._numbers)}")
                row = {self._column(name): value for name, value in fields.items()}
                row |= {"loyalty": '"gold"', "id": ids[-1], "x,y": '"a, b"'}
                line = self._delimiter.join(row.get(column) or "" for column in self.columns)
                file.write((line + self._newline).encode(self._encoding))
        return ids

    def edit(self, id_: str, **fields: Raw) -> None:
        rows = self._load()
        [row] = [row for row in rows if row[1] == id_]
        for name, value in fields.items():
            row[self.columns.index(self._column(name))] = value or ""
        self._save(rows)

    def delete(self, id_: str) -> None:
        self._save([row for row in self._load() if row[1] != id_])

    def untouched(self, id_: str) -> object:
        lines = self._path.read_bytes().splitlines(keepends=True)
        marks = [line.split(self._delimiter.encode())[1] == id_.encode() for line in lines]
        row = next(line for line, mine in zip(lines, marks, strict=True) if mine)
        return [line for line, mine in zip(lines, marks, strict=True) if not mine], row[:7], row[-8:]

    def everything(self) -> object:
        return self._path.read_bytes()

    def break_off(self) -> None:
        self._path.rename(self._path.with_suffix(".away"))

    def is_there(self) -> bool:
        return self._path.exists()

    def _column(self, name: str) -> str:
        return "Vorname" if name == "first_name" else name

    def _load(self) -> list[list[str]]:
        data = self._path.read_bytes().removeprefix(self._bom)
        return list(csv.reader(io.StringIO(data.decode(self._encoding), newline=""), delimiter=self._delimiter))

    def _save(self, rows: list[list[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator=self._newline).writerows(rows)
        self._path.write_bytes(self._bom + text.getvalue().encode(self._encoding))


WORLDS: Final[Mapping[str, Callable[..., World]]] = {
    "as by a program": World,
    "as by Excel": partial(World, encoding="cp1252", delimiter=";"),
    "with a BOM": partial(World, bom=b"\xef\xbb\xbf", newline="\n"),
}
