"""A batch of writes as one transaction: look, compare, write, read back.

Hard rule: a row that the table refuses costs no other row; what was not committed did not happen, and what may have
been committed is Unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine

from syncd.model import Applied, Record, Rejected, Result, Spec, Unknown, Write

from .reach import reaction, sqlstate
from .rows import Rows, tuples
from .values import writable


@dataclass(slots=True)
class _Task:
    """One write on its way: it ends with a result, or with the id to be read back."""

    write: Write
    values: dict[str, Any] = field(default_factory=dict)
    """Column -> what the driver takes."""
    key: Any = None
    result: Result | None = None
    id: str = ""


Statement: TypeAlias = Callable[[Sequence[_Task]], None]


def write(engine: Engine, name: str, rows: Rows, spec: Spec, writes: Sequence[Write]) -> list[Result]:
    """Do them, one result each."""
    tasks = [_prepared(rows, spec, one) for one in writes]
    if any(task.result is None for task in tasks):
        _transact(engine, name, rows, tasks)
    return [task.result if task.result is not None else Unknown() for task in tasks]


def _transact(engine: Engine, name: str, rows: Rows, tasks: list[_Task]) -> None:
    """Run the tasks that are open in one transaction; leave each with a result."""
    refused = [task.result for task in tasks]
    try:
        with engine.connect().execution_options(writing=True) as connection:
            _Batch(connection, rows, tasks).run()
            _commit(connection, name, tasks)
    except exc.DBAPIError as error:
        # Nothing was committed: the database undoes what it has not committed, also when the connection is lost.
        _undone(tasks, refused, Rejected(why="busy", message=str(reaction(error, name))))
        if isinstance(error, exc.IntegrityError):
            _one_by_one(engine, name, rows, [task for task, old in zip(tasks, refused, strict=True) if old is None])
    except exc.TimeoutError:
        _undone(tasks, refused, Rejected(why="busy", message=f"{name}: no connection became free"))


def _undone(tasks: list[_Task], before: list[Result | None], result: Result) -> None:
    for task, old in zip(tasks, before, strict=True):
        task.result = old or result


def _one_by_one(engine: Engine, name: str, rows: Rows, tasks: list[_Task]) -> None:
    """Find out what a constraint refuses that is checked at the commit only."""
    if len(tasks) == 1:
        tasks[0].result = Rejected(why="invalid", message="a constraint of the table refuses the row")
        return
    for task in tasks:
        task.result = None
        _transact(engine, name, rows, [task])


def _commit(connection: Connection, name: str, tasks: list[_Task]) -> None:
    try:
        connection.commit()
    except exc.DBAPIError as error:
        # A deferred constraint: the database says that it undid everything. SQLite says it by staying in the transaction.
        if isinstance(error, exc.IntegrityError) or getattr(
            connection.connection.driver_connection, "in_transaction", False
        ):
            raise
        for task in tasks:
            if isinstance(task.result, Applied):
                task.result = Unknown(message=f"while it was committed: {reaction(error, name)}")


class _Batch:
    """The open tasks of one transaction."""

    def __init__(self, connection: Connection, rows: Rows, tasks: list[_Task]) -> None:
        self._connection, self._rows = connection, rows
        self._tasks = [task for task in tasks if task.result is None]

    def run(self) -> None:
        self._compare()
        groups: dict[tuple[str, tuple[str, ...]], list[_Task]] = {}
        for task in self._tasks:
            if task.result is None:
                groups.setdefault(self._group(task), []).append(task)
        for (kind, columns), tasks in groups.items():
            if columns or kind != "update":
                self._run(tasks, self._statement(kind, columns))
        self._read_back()

    def _group(self, task: _Task) -> tuple[str, tuple[str, ...]]:
        kind = task.write.kind
        return "update" if kind == "consent" else kind, tuple(task.values)

    def _compare(self) -> None:
        """Settle what does not hold any more. The rows stay locked until the end."""
        ids = [task.id for task in self._tasks if task.id]
        fetched = self._rows.fetch(self._connection, ids, lock=True)
        everything = {str(self._rows.key_of(row)) for row in fetched}
        now = self._rows.records(fetched)
        seen: set[str] = set()
        for task in self._tasks:
            if task.id in seen:
                task.result = Rejected(why="busy", message="asked twice at once")
            elif task.write.kind == "create":
                if task.id in everything:
                    name = self._rows.shape.key_field
                    task.result = Rejected(why="exists", message="a row has this key", field=name, existing=task.id)
            else:
                task.result = _holds(task.write, now.get(task.id))
            seen |= {task.id} - {""}

    def _run(self, tasks: list[_Task], statement: Statement) -> None:
        """Run one statement for all of them; where it fails, for each half, until the guilty stand alone."""
        try:
            with self._connection.begin_nested():
                statement(tasks)
        except exc.DBAPIError as error:
            if not _is_about_the_row(error):
                raise
            if len(tasks) > 1:
                half = len(tasks) // 2
                self._run(tasks[:half], statement)
                self._run(tasks[half:], statement)
            else:
                tasks[0].result = self._refusal(tasks[0], error)

    def _statement(self, kind: str, columns: tuple[str, ...]) -> Statement:
        table, stamps, shape = self._rows.table, self._rows.stamps, self._rows.shape
        stamp = {} if stamps is None or stamps.column.name in columns else {stamps.column.name: stamps.now}
        names = [f"syncd_{index}" for index, _ in enumerate(columns)]  # no name of a column
        values: dict[str, Any] = dict(zip(columns, map(sa.bindparam, names), strict=True))
        key: sa.BindParameter[Any] = sa.bindparam("syncd_key")

        def parameters(task: _Task) -> dict[str, Any]:
            told = dict(zip(names, task.values.values(), strict=True))
            told["syncd_key"] = task.key
            return told

        if kind == "archive" and shape.deleted is not None:
            stamp = stamp | {shape.deleted.name: self._rows.deletion}
        if kind != "create":
            update = sa.update(table).where(self._rows.key == key).values(values | stamp)
            return lambda tasks: _many(self._connection, update, [parameters(task) for task in tasks])
        if not shape.key_drawn:
            insert = sa.insert(table).values(values | stamp | {shape.key.name: key})
            return lambda tasks: _many(self._connection, insert, [parameters(task) for task in tasks])
        returning = sa.insert(table).values(values | stamp).returning(self._rows.key)

        def one_by_one(tasks: Sequence[_Task]) -> None:
            for task in tasks:
                told = dict(zip(names, task.values.values(), strict=True))
                task.id = str(self._connection.execute(returning, told).scalar_one())

        return one_by_one

    def _read_back(self) -> None:
        done = [task for task in self._tasks if task.result is None]
        records = self._rows.records(self._rows.fetch(self._connection, [task.id for task in done]))
        for task in done:
            task.result = Applied(record=records.get(task.id))

    def _refusal(self, task: _Task, error: exc.DBAPIError) -> Rejected:
        told = str(error.orig)
        if sqlstate(error) == "23505" or "UNIQUE constraint failed" in told:
            return self._in_the_way(task)
        column = getattr(getattr(error.orig, "diag", None), "column_name", None)
        if column is None and "NOT NULL constraint failed" in told:
            column = told.rpartition(".")[2]
        name = next((name for name, path in self._rows.shape.paths.items() if path.name == column), None)
        what = f"column {column!r} may not be blank" if column else "the table refuses the row"
        kind = f"{type(error.orig).__name__} {sqlstate(error)}".rstrip()
        return Rejected(why="invalid", message=f"{what} ({kind})", field=name)

    def _in_the_way(self, task: _Task) -> Rejected:
        """Find the row that has the key, or a value that may be there once."""
        message = "another row has a value that may be there only once"
        if task.write.kind == "create" and task.id and self._rows.fetch(self._connection, [task.id]):
            return Rejected(why="exists", message="a row has this key", existing=task.id)
        for name in self._rows.shape.unique:
            column = self._rows.shape.paths[name].name
            if task.values.get(column) is None:
                continue
            same = self._rows.table.c[column] == sa.bindparam("wanted")
            found = tuples(self._connection, self._rows.select.where(same), {"wanted": task.values[column]})
            other = [id_ for row in found if (id_ := str(self._rows.key_of(row))) != task.id]
            if other:
                return Rejected(why="exists", message=message, field=name, existing=other[0])
        return Rejected(why="exists", message=message)


def _prepared(rows: Rows, spec: Spec, write: Write) -> _Task:
    """Turn fields into columns; what cannot be is refused here, before the table is asked."""
    task = _Task(write)
    allowed = {"create": spec.create, "archive": spec.archive}.get(write.kind, spec.update)
    if not allowed:
        task.result = Rejected(why="readonly", message=f"this table does not take a {write.kind}")
        return task
    for name, value in write.fields.items():
        task.result = task.result or _put(task, rows, name, value)
    task.id = write.id
    if write.kind == "create":
        _name(task, rows)
    elif task.result is None:
        task.key = rows.key_value(write.id)
        if task.key is None:
            task.result = Rejected(why="gone", message="no row has this key")
    return task


def _put(task: _Task, rows: Rows, name: str, value: Any) -> Rejected | None:
    shape, create = rows.shape, task.write.kind == "create"
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


def _name(task: _Task, rows: Rows) -> None:
    """Settle the key of a new row: a value of the contact, the hub's, or the table's own."""
    shape = rows.shape
    if shape.key_field is not None:
        task.key = task.values.pop(shape.key.name, None)
        task.id = "" if task.key is None else str(task.key)
    elif shape.key_drawn:
        task.id = ""
        return
    else:
        task.key = rows.key_value(task.id)
    if not task.id or task.key is None:
        task.result = task.result or Rejected(why="invalid", message="a row needs a key", field=shape.key_field)


def _holds(write: Write, now: Record | None) -> Rejected | None:
    if now is None:
        return Rejected(why="gone", message="no row has this key")
    if now.problem is not None:
        return Rejected(why="moved", message=now.problem)
    for name, value in write.expect.items():
        if name not in now.fields or now.fields[name] != value:
            return Rejected(why="moved", message="the row has changed", field=name)
    return None


def _is_about_the_row(error: exc.DBAPIError) -> bool:
    """Tell a refusal of values from a failure of the database."""
    if error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError):
        return False
    state = sqlstate(error)
    return not state or state[:2] in {"22", "23", "44", "P0"} or state in {"42804", "0A000"}


def _many(connection: Connection, statement: sa.Executable, values: list[dict[str, Any]]) -> None:
    connection.execute(statement, values)
