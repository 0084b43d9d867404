"""One write on its way into the table: fields turned into columns, or refused before the table is asked.

Knows columns and values; runs nothing. Hard rule: only the columns of the named fields are in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syncd.model import Record, Rejected, Result, Spec, Write

from .rows import Rows
from .shape import Shape
from .values import writable


@dataclass(slots=True)
class Task:
    """It ends with a result, or with the id to be read back."""

    write: Write
    id: str
    key: Any = None
    """The key as the driver takes it."""
    values: dict[str, Any] = field(default_factory=dict)
    """Column -> what the driver takes."""
    result: Result | None = None


class _Plain(NamedTuple):
    """A column that takes every text up to a length: most of them, so they are spared the longer way."""

    column: str
    length: int
    nullable: bool


class Preparing:
    """Turn writes into tasks."""

    def __init__(self, rows: Rows, spec: Spec) -> None:
        self._rows, self._shape = rows, rows.shape
        self._allowed = {
            "create": spec.create,
            "update": spec.update,
            "consent": spec.update,
            "archive": spec.archive,
        }
        self._plain = _plain_columns(rows.shape)

    def task(self, write: Write) -> Task:
        task = Task(write, write.id)
        if not self._allowed[write.kind]:
            task.result = Rejected(why="readonly", message=f"this table does not take a {write.kind}")
            return task
        plain, values = self._plain, task.values
        for name, value in write.fields.items():
            way = plain.get(name)
            if way is not None and (
                (type(value) is str and len(value) <= way.length and value.isprintable())
                or (value is None and way.nullable)
            ):
                values[way.column] = value
            elif (refused := self._put(task, name, value)) is not None:
                task.result = refused
                return task
        if write.kind == "create":
            self._name(task)
            return task
        task.key = self._rows.key_value(write.id)
        if task.key is None:
            task.result = Rejected(why="gone", message="no row has this key")
        return task

    def _put(self, task: Task, name: str, value: Any) -> Rejected | None:
        shape, create = self._shape, task.write.kind == "create"
        column = shape.paths.get(name)
        if column is None:
            return Rejected(why="invalid", message="the table has no column for this field", field=name)
        if shape.fields[name].direction == "in" or (name == shape.key_field and not create):
            return Rejected(why="readonly", message="this column is only read", field=name)
        try:
            task.values[column.name] = writable(column, value)
        except ValueError as error:
            if create and value is None and column.has_default:
                return None  # blank in a column that may not be: its default
            return Rejected(why="invalid", message=f"column {column.name!r} {error}", field=name)
        return None

    def _name(self, task: Task) -> None:
        """Settle the key of a new row: a value of the contact, the hub's, or the table's own."""
        shape = self._shape
        if shape.key_drawn:
            task.id = ""
            return
        if shape.key_field is not None:
            task.key = task.values.pop(shape.key.name, None)
            task.id = "" if task.key is None else str(task.key)
        else:
            task.key = self._rows.key_value(task.id)
        if not task.id or task.key is None:
            task.result = Rejected(why="invalid", message="a row needs a key", field=shape.key_field)


def holds(write: Write, now: Record | None) -> Rejected | None:
    """Compare what the hub last read with what is there now."""
    if now is None:
        return Rejected(why="gone", message="no row has this key")
    if now.problem is not None:
        return Rejected(why="moved", message=now.problem)
    for name, value in write.expect.items():
        if name not in now.fields or now.fields[name] != value:
            return Rejected(why="moved", message="the row has changed", field=name)
    return None


def _plain_columns(shape: Shape) -> dict[str, _Plain]:
    return {
        name: _Plain(column.name, 1 << 30 if column.max_length is None else column.max_length, column.nullable)
        for name, column in shape.paths.items()
        if column.kind == "text" and shape.fields[name].direction != "in" and name != shape.key_field
    }
