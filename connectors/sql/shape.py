"""What the table looks like: its columns, its key, and which column is which field.

Reads the catalogue once, when an app is opened. Hard rule: a field without a column is not offered, and a column is
never offered for more than it can do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.model import FieldMap

from .values import Column, bits_of, kind_of

_OWN_KEYS_FIT: Final = {"text": 16, "integer": 63}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The table with the operator's eyes."""

    name: str
    schema: str | None
    columns: Mapping[str, Column]
    key: Column
    key_unique: bool
    key_drawn: bool
    """The table draws keys for new rows by itself."""
    fields: Mapping[str, FieldMap]
    paths: Mapping[str, Column]
    """Field -> its column, in the order in which they are selected."""
    key_field: str | None
    """The field that lies in the key column: then a new row's key is a value, not drawn."""
    unique: tuple[str, ...]
    """Fields of which the table takes each value once."""
    updated_at: Column | None
    deleted: Column | None
    indexed: frozenset[str]
    """Columns that lead an index."""

    @property
    def key_fits(self) -> bool:
        """Tell whether an id that the hub draws can be a key here."""
        key = self.key
        if key.kind == "text":
            return key.max_length is None or key.max_length >= _OWN_KEYS_FIT["text"]
        return key.kind == "uuid" or (key.kind == "integer" and key.bits >= _OWN_KEYS_FIT["integer"])


def shape_of(connection: Connection, opening: Opening) -> Shape:
    """Look the table up; raise ConfigError with what there is instead."""
    schema, _, name = opening.settings["table"].rpartition(".")
    inspector = sa.inspect(connection)
    if not inspector.has_table(name, schema=schema or None):
        there = [*inspector.get_table_names(schema=schema or None), *inspector.get_view_names(schema=schema or None)]
        raise ConfigError(f"table: there is no {opening.settings['table']!r}{_instead(name, there)}")
    columns = {}
    for told in inspector.get_columns(name, schema=schema or None):
        columns[told["name"]] = _column(told, loose=connection.dialect.name == "sqlite")
    for setting in ("key", "updated_at", "deleted"):
        wanted = opening.settings.get(setting)
        if wanted is not None and wanted not in columns:
            raise ConfigError(f"{setting}: table {name!r} has no column {wanted!r}{_instead(wanted, list(columns))}")
    key = columns[opening.settings["key"]]
    if key.kind in {"binary", "plain", "number"}:
        use = "use text, whole numbers or UUIDs" if key.typed else "in SQLite, declare it TEXT or INTEGER"
        raise ConfigError(f"key: column {key.name!r} is of a type that cannot name a row; {use}")
    alone, indexed = _unique_and_indexed(inspector, name, schema or None)
    fields, paths = _fields(opening, columns)
    drawn = _draws(connection, name, schema or None, key)
    key_field = next((field for field, column in paths.items() if column.name == key.name), None)
    if drawn and key_field is not None:  # the table says what it is
        fields[key_field], key_field = replace(fields[key_field], direction="in", required=False), None
    return Shape(
        name=name,
        schema=schema or None,
        columns=columns,
        key=key,
        key_unique=key.name in alone,
        key_drawn=drawn,
        fields=fields,
        paths=paths,
        key_field=key_field,
        unique=tuple(field for field, column in paths.items() if column.name in alone),
        updated_at=columns.get(opening.settings.get("updated_at") or ""),
        deleted=columns.get(opening.settings.get("deleted") or ""),
        indexed=frozenset(indexed),
    )


def fields_without_column(shape: Shape, opening: Opening) -> list[tuple[str, str]]:
    """List what the operator mapped to a column that is not there or cannot be read."""
    found = []
    for name, field in opening.fields.items():
        if field.direction == "none" or name in shape.fields:
            continue
        if field.path in shape.columns:
            found.append((name, f"column {field.path!r} holds bytes, which are not offered"))
        else:
            found.append((name, f"the table has no column {field.path!r}{_instead(field.path, list(shape.columns))}"))
    return found


def _column(told: Any, *, loose: bool) -> Column:
    type_ = told["type"]
    generated = told.get("computed") is not None or (told.get("identity") or {}).get("always", False)
    return Column(
        name=told["name"],
        kind=kind_of(type_),
        nullable=told["nullable"],
        has_default=told.get("default") is not None or told.get("identity") is not None or generated,
        generated=generated,
        max_length=getattr(type_, "length", None) if kind_of(type_) == "text" else None,
        bits=bits_of(type_, loose=loose),
        aware=bool(getattr(type_, "timezone", False)),
        typed=not loose,
    )


def _unique_and_indexed(inspector: Any, name: str, schema: str | None) -> tuple[set[str], set[str]]:
    """Name the columns that are unique by themselves, and those by which the table can be searched."""
    alone, indexed = set(), set()
    for index in inspector.get_indexes(name, schema=schema):
        names = [column for column in index["column_names"] if column is not None]
        partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        if names and names[0] == (index["column_names"] or [None])[0] and not partial:
            indexed.add(names[0])
            if index["unique"] and len(index["column_names"]) == 1:
                alone.add(names[0])
    groups = [constraint["column_names"] for constraint in inspector.get_unique_constraints(name, schema=schema)]
    groups.append(inspector.get_pk_constraint(name, schema=schema).get("constrained_columns") or [])
    for group in groups:
        indexed.update(group[:1])
        alone.update(group if len(group) == 1 else ())
    return alone, indexed


def _draws(connection: Connection, name: str, schema: str | None, key: Column) -> bool:
    if key.has_default or connection.dialect.name != "sqlite":
        return key.has_default
    # Only a column declared as `INTEGER PRIMARY KEY`, in these words, is SQLite's own row number.
    pragma = sa.text("SELECT type, pk, (SELECT max(pk) FROM pragma_table_info(:name, :schema)) FROM "
                     "pragma_table_info(:name, :schema) WHERE name = :key")  # fmt: skip
    declared, pk, parts = connection.execute(pragma, {"name": name, "schema": schema or "main", "key": key.name}).one()
    listed = sa.text("SELECT wr FROM pragma_table_list WHERE name = :name AND schema = :schema")
    without_rowid = connection.execute(listed, {"name": name, "schema": schema or "main"}).scalar()
    return declared.upper() == "INTEGER" and pk == 1 and parts == 1 and not without_rowid


def _fields(opening: Opening, columns: Mapping[str, Column]) -> tuple[dict[str, FieldMap], dict[str, Column]]:
    """Lay the fields over the columns: those the operator names, then those that are named like a known field."""
    wanted = {name: field for name, field in opening.fields.items() if field.direction != "none"}
    taken = {field.path for field in opening.fields.values()}
    taken |= {opening.settings[name] for name in ("updated_at", "deleted") if opening.settings.get(name)}
    for column in columns:
        name = _known_name(column, opening.known, columns)
        if name is not None and name not in opening.fields and column not in taken:
            wanted[name] = FieldMap(path=column)
    fields, paths = {}, {}
    for name, field in wanted.items():
        found = columns.get(field.path)
        if found is None or found.kind == "binary":
            continue
        if field.direction == "both" and (found.generated or found.kind == "plain"):
            field = replace(field, direction="in")  # noqa: PLW2901
        lengths = [length for length in (field.max_length, found.max_length) if length is not None]
        required = field.required or found.required
        defaulted = not required and not found.nullable and not found.generated
        fields[name] = replace(field, required=required, defaulted=defaulted, max_length=min(lengths, default=None))
        paths[name] = found
    return fields, paths


def _known_name(column: str, known: Mapping[str, str], columns: Mapping[str, Column]) -> str | None:
    """Name the field of a column that is named like it; `First Name` is first_name unless a column is spelled so."""
    if column in known:
        return column
    alike = [other for other in columns if _plainly(other) == _plainly(column)]
    return _plainly(column) if _plainly(column) in known and len(alike) == 1 else None


def _plainly(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _instead(name: str, there: list[str]) -> str:
    folded = {other.casefold(): other for other in there}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    hint = f"; did you mean {folded[near[0]]!r}?" if near else "."
    return f"{hint} There is: {', '.join(sorted(there)[:40]) or 'nothing'}"
