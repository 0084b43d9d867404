"""Which column is which field, and what a row says as a record.

Knows names and cells; knows nothing of bytes or files. Hard rule: a field without a column is not offered, and
no column is ever added.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.model import FieldMap, Record

from .cells import shown
from .sheet import Format, Row

KEY_CHARS_MAX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The header, read with the operator's eyes."""

    header: tuple[str, ...]
    key: int
    columns: Mapping[str, int]
    """Field -> column; the key's column among them only where it is a field as well."""
    fields: Mapping[str, FieldMap]
    key_field: str | None
    """The field that lies in the key's column: then a new row's key is a value, not drawn."""

    def key_of(self, row: Row) -> str | None:
        """Give the row's key ("" where it has none), or None where it cannot be told for sure."""
        cells = row.cells
        if row.problem is None:
            return cells[self.key]
        # One delimiter too many or too few moves every cell behind it: only the first stands where it stood.
        if self.key >= len(cells) or (self.key and len(cells) != len(self.header)):
            return None
        key = cells[self.key]
        return key if key and len(key) <= KEY_CHARS_MAX and key.isprintable() else None


def lay_out(header: Sequence[str], opening: Opening, place: str) -> Layout:
    """Find the key and the fields among the columns; raise ConfigError."""
    key_name = opening.settings["key"]
    twice = sorted(name for name, count in Counter(filter(None, header)).items() if count > 1)
    if twice:
        raise ConfigError(f"{place}: two columns are named {', '.join(twice)}; rename one of each")
    if key_name not in header:
        near = _near(key_name, header)
        hint = f"; did you mean {near!r}?" if near else "."
        names = ", ".join(filter(None, header))
        raise ConfigError(
            f"{place}: no column is named {key_name!r}, the key{hint} Columns: {names}. "
            "Set `key`, or check `delimiter` and `encoding`"
        )
    fields = {
        name: field
        for name, field in opening.fields.items()
        if field.direction != "none" and field.path and field.path in header
    }
    columns = {name: header.index(field.path) for name, field in fields.items()}
    key = header.index(key_name)
    taken = {opening.fields[name].path for name in opening.fields}
    for index, column in enumerate(header):
        name = _known_name(column, opening.known, header)
        if name is not None and name not in opening.fields and column not in taken:
            columns[name], fields[name] = index, FieldMap(path=column)
    key_field = next((name for name, index in columns.items() if index == key), None)
    if key_field is not None:
        fields[key_field] = replace(fields[key_field], required=True)
    return Layout(header=tuple(header), key=key, columns=columns, fields=fields, key_field=key_field)


def _near(name: str, header: Sequence[str]) -> str | None:
    folded = {column.casefold(): column for column in header}
    return next((folded[near] for near in difflib.get_close_matches(name.casefold(), folded, 1)), None)


def _known_name(column: str, known: Mapping[str, str], header: Sequence[str]) -> str | None:
    """Name the field of a column that is named like it; `First name` is first_name unless a column is spelled so."""
    if column in known:
        return column
    name = column.strip().casefold().replace(" ", "_").replace("-", "_")
    alike = [other for other in header if other.strip().casefold().replace(" ", "_").replace("-", "_") == name]
    return name if name in known and len(alike) == 1 else None


Reader = Callable[[str, Row], Record]


def reader_of(layout: Layout) -> Reader:
    """Make the function that turns a sound row with this key into a record; it is called a million times."""
    names = tuple(layout.columns)
    indexes = tuple(layout.columns.values())
    seed = hashlib.blake2b("\0".join(names).encode(), digest_size=8)
    pick: Callable[[list[str]], tuple[str, ...]]
    pick = itemgetter(*indexes) if len(indexes) > 1 else lambda cells: tuple(cells[index] for index in indexes)

    def read(key: str, row: Row) -> Record:
        cells = pick(row.cells)
        digest = seed.copy()
        digest.update("\x1f".join(cells).encode("utf-8"))
        fields: dict[str, Any] = {
            name: (cell if cell[0] != "'" else shown(cell)) if cell else None
            for name, cell in zip(names, cells, strict=True)
        }
        return Record(id=key, fields=fields, version=digest.hexdigest())

    return read


def is_sound(row: Row, key: str | None, problem: str | None) -> bool:
    return row.problem is None and problem is None and key is not None and 0 < len(key) <= KEY_CHARS_MAX


def parked(row: Row, key: str | None, problem: str | None) -> Record:
    """Tell of a row that cannot be used: by its key where that is plain, else by its line."""
    if key is None or not 0 < len(key) <= KEY_CHARS_MAX:
        why = row.problem or ("has no key" if not key else f"has a key of over {KEY_CHARS_MAX} characters")
        return Record(id=f"line:{row.line}", fields={}, problem=f"line {row.line} {why}")
    return Record(id=key, fields={}, problem=f"line {row.line} {row.problem or problem}")


def fields_without_column(layout: Layout, opening: Opening) -> list[tuple[str, str]]:
    """List what the operator mapped to a column that is not there."""
    found = []
    for name, field in opening.fields.items():
        if field.direction != "none" and field.path not in layout.header:
            near = _near(field.path, layout.header)
            hint = f"did you mean {near!r}?" if near else "add it to the header; syncd adds none"
            found.append((name, f"no column is named {field.path!r}: {hint}"))
    return found


def signature(layout: Layout, form: Format) -> str:
    """Name how the file is read: another column or encoding makes every row worth another look."""
    told = repr((layout.header[layout.key], sorted(layout.columns.items()), form))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()
