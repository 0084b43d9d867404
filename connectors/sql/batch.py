"""A batch of writes as one transaction: look, compare, write, read back.

Hard rule: a row that the table refuses costs no other row; what was not committed did not happen, and what may have
been committed is Unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine

from syncd.model import Applied, Rejected, Result, Unknown

from .reach import is_about_the_row, is_fixed, reaction, sqlstate
from .rows import Rows, tuples
from .task import Task, holds

_FIXED: Final = "this view takes no such write"

Statement: TypeAlias = Callable[[Sequence[Task]], None]


def transact(engine: Engine, name: str, rows: Rows, tasks: list[Task]) -> None:
    """Run the tasks that are open in one transaction; leave each with a result."""
    before = [task.result for task in tasks]
    try:
        with engine.connect().execution_options(writing=True) as connection:
            _Batch(connection, rows, tasks).run()
            _commit(connection, name, tasks)
    except exc.TimeoutError:
        _undone(tasks, before, Rejected(why="busy", message=f"{name}: no connection became free"))
    except (exc.DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        # Nothing was committed: the database undoes what it has not committed, also when the connection is lost.
        cause = _cause(error)
        refused = Rejected(why="busy", message=str(reaction(cause, name)))
        _undone(tasks, before, Rejected(why="readonly", message=_FIXED) if is_fixed(cause) else refused)
        if isinstance(cause, engine.dialect.loaded_dbapi.IntegrityError):
            _one_by_one(engine, name, rows, [task for task, old in zip(tasks, before, strict=True) if old is None])


def _undone(tasks: list[Task], before: list[Result | None], result: Result) -> None:
    for task, old in zip(tasks, before, strict=True):
        task.result = old or result


def _one_by_one(engine: Engine, name: str, rows: Rows, tasks: list[Task]) -> None:
    """Find out which row a constraint refuses that is checked at the commit only."""
    if len(tasks) == 1:
        tasks[0].result = Rejected(why="invalid", message="a constraint of the table refuses the row")
        return
    for task in tasks:
        task.result = None
        transact(engine, name, rows, [task])


def _commit(connection: Connection, name: str, tasks: list[Task]) -> None:
    driver = connection.connection.driver_connection
    try:
        connection.commit()
    except exc.DBAPIError as error:
        # A deferred constraint: the database says that all is undone. SQLite says so by staying in the transaction.
        if getattr(driver, "in_transaction", False) or isinstance(error, exc.IntegrityError):
            raise
        for task in tasks:
            if isinstance(task.result, Applied):
                task.result = Unknown(message=f"while it was committed: {reaction(_cause(error), name)}")


def _cause(error: BaseException) -> BaseException:
    """Give the driver's own error."""
    return (error.orig or error) if isinstance(error, exc.DBAPIError) else error


class _Batch:
    """The open tasks of one transaction."""

    def __init__(self, connection: Connection, rows: Rows, tasks: list[Task]) -> None:
        self._connection, self._rows = connection, rows
        self._tasks = [task for task in tasks if task.result is None]
        self._driver = connection.dialect.loaded_dbapi

    def run(self) -> None:
        self._compare()
        groups: dict[tuple[str, tuple[str, ...]], list[Task]] = {}
        for task in self._tasks:
            if task.result is None:
                kind: str = "update" if task.write.kind == "consent" else task.write.kind
                groups.setdefault((kind, tuple(task.values)), []).append(task)
        for (kind, columns), tasks in groups.items():
            if columns or kind != "update":
                self._run(tasks, self._statement(kind, columns))
        self._read_back()

    def _compare(self) -> None:
        """Settle what does not hold any more. The rows stay locked until the end."""
        keys = [task.key for task in self._tasks if task.key is not None]
        fetched = self._rows.fetch(self._connection, keys, lock=True)
        everything = {str(self._rows.key_of(row)) for row in fetched}
        now = self._rows.records(fetched)
        seen: set[str] = set()
        for task in self._tasks:
            if task.id in seen:
                task.result = Rejected(why="busy", message="asked twice at once")
            elif task.write.kind != "create":
                task.result = holds(task.write, now.get(task.id))
            elif task.id in everything:
                task.result = self._exists(self._rows.shape.key_field, task.id)
            if task.id:
                seen.add(task.id)

    def _run(self, tasks: list[Task], statement: Statement) -> None:
        """Run one statement for all of them; where it fails, for each half, until the guilty stand alone."""
        try:
            with self._connection.begin_nested():
                statement(tasks)
        except (exc.DBAPIError, self._driver.Error) as error:
            cause = _cause(error)
            if not is_about_the_row(cause, self._driver):
                raise
            if len(tasks) > 1:
                half = len(tasks) // 2
                self._run(tasks[:half], statement)
                self._run(tasks[half:], statement)
            else:
                tasks[0].result = self._refusal(tasks[0], cause)

    def _statement(self, kind: str, columns: tuple[str, ...]) -> Statement:
        """Prepare what writes tasks of one kind with the same columns."""
        table, stamps, shape = self._rows.table, self._rows.stamps, self._rows.shape
        names = [f"syncd_{index}" for index, _ in enumerate(columns)]  # no name of a column
        values: dict[str, Any] = dict(zip(columns, map(sa.bindparam, names), strict=True))
        key: sa.BindParameter[Any] = sa.bindparam("syncd_key")
        if stamps is not None:
            values.setdefault(stamps.column.name, stamps.now)
        if kind == "archive" and shape.deleted is not None:
            values[shape.deleted.name] = self._rows.deletion
        if kind != "create":
            return self._many(sa.update(table).where(self._rows.key == key).values(values), names)
        if shape.key_drawn:
            return self._drawing(sa.insert(table).values(values).returning(self._rows.key), names)
        return self._many(sa.insert(table).values(values | {shape.key.name: key}), names)

    def _many(self, statement: sa.Update | sa.Insert, names: list[str]) -> Statement:
        sql, parameters = self._compiled(statement, names)

        def run(tasks: Sequence[Task]) -> None:
            self._connection.exec_driver_sql(sql, [parameters(task) for task in tasks])

        return run

    def _drawing(self, statement: Any, names: list[str]) -> Statement:
        """Insert, and take the keys that the table draws, in the order of the tasks."""
        sql, parameters = self._compiled(statement, names)

        def run(tasks: Sequence[Task]) -> None:
            cursor = self._connection.connection.cursor()
            try:
                for task, row in zip(tasks, _returned(cursor, sql, map(parameters, tasks)), strict=True):
                    task.id, task.key = str(row[0]), row[0]
            finally:
                cursor.close()

        return run

    def _compiled(self, statement: Any, names: list[str]) -> tuple[str, Callable[[Task], Any]]:
        """Compile once for a whole batch. Drivers take positions or names; either way without SQLAlchemy's share."""
        compiled = statement.compile(dialect=self._connection.dialect)
        sql = str(compiled)
        if not compiled.positional:
            return sql, lambda task: dict(zip(names, task.values.values(), strict=True)) | {"syncd_key": task.key}
        places = [len(names) if name == "syncd_key" else names.index(name) for name in compiled.positiontup or ()]
        if len(places) < 2:
            return sql, lambda task: tuple((*task.values.values(), task.key)[place] for place in places)
        pick = itemgetter(*places)
        return sql, lambda task: pick((*task.values.values(), task.key))

    def _read_back(self) -> None:
        done = [task for task in self._tasks if task.result is None]
        records = self._rows.records(self._rows.fetch(self._connection, [task.key for task in done]))
        for task in done:
            task.result = Applied(record=records.get(task.id))

    def _refusal(self, task: Task, error: BaseException) -> Rejected:
        told = str(error)
        if is_fixed(error):
            return Rejected(why="readonly", message=_FIXED)
        if sqlstate(error) == "23505" or "UNIQUE constraint failed" in told:
            return self._in_the_way(task)
        column = getattr(getattr(error, "diag", None), "column_name", None)
        if column is None and "NOT NULL constraint failed" in told:
            column = told.rpartition(".")[2]
        name = next((name for name, path in self._rows.shape.paths.items() if path.name == column), None)
        what = f"column {column!r} may not be blank" if column else "the table refuses the row"
        kind = f"{type(error).__name__} {sqlstate(error)}".rstrip()
        return Rejected(why="invalid", message=f"{what} ({kind})", field=name)

    def _in_the_way(self, task: Task) -> Rejected:
        """Find the row that has the key, or a value that may be there once."""
        if task.write.kind == "create" and task.id and self._rows.fetch(self._connection, [task.key]):
            return self._exists(self._rows.shape.key_field, task.id)
        for name in self._rows.shape.unique:
            column = self._rows.shape.paths[name].name
            if task.values.get(column) is None:
                continue
            same = self._rows.table.c[column] == sa.bindparam("wanted")
            found = tuples(self._connection, self._rows.select.where(same), {"wanted": task.values[column]})
            other = [id_ for row in found if (id_ := str(self._rows.key_of(row))) != task.id]
            if other:
                return self._exists(name, other[0])
        return self._exists(None, None)

    def _exists(self, name: str | None, other: str | None) -> Rejected:
        message = "another row has a value that may be there only once"
        return Rejected(why="exists", message=message, field=name, existing=other)


def _returned(cursor: Any, sql: str, parameters: Iterable[Any]) -> Iterable[Sequence[Any]]:
    """Run for each; give the row that each returns."""
    if hasattr(cursor, "nextset") and hasattr(cursor, "stream"):  # psycopg: all of them in one go
        cursor.executemany(sql, list(parameters), returning=True)
        more = True
        while more:
            yield cursor.fetchone()
            more = cursor.nextset()
        return
    for one in parameters:
        cursor.execute(sql, one)
        yield cursor.fetchone()
