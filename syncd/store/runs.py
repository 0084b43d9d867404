"""Runs and apps: what was done when, and how far each app was read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.store import codec
from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import Rows, deleting, inserting, updating


@dataclass(slots=True, kw_only=True)
class AppState:
    """One row of `app`."""

    id: int
    name: str
    fingerprint: str | None
    cursor: str | None
    covered: int
    listing: bytes | None
    read_ms: int
    listed_ms: int
    failed_ms: int
    error: str | None
    error_kind: str | None
    paused: int
    fields: bytes | None


_STATE: Final = AppState.__slots__
_APPS = Query(select(*[getattr(s.app.c, name) for name in _STATE]).order_by(s.app.c.id))
_LAST_RUN = Query(select(sa.func.coalesce(sa.func.max(s.run.c.id), 0)))
_BEGIN_RUN = inserting(s.run, "id kind at_ms")
_END_RUN = updating(s.run, "id", "ended_ms outcome doc")
_FORGET_RUN = deleting(s.run, "id")
_TRACES = [Query(select(table.c.run).where(table.c.run == bindparam("run")).limit(1)) for table in (s.journal, s.inbox)]
_KEEP_LOGIN = inserting(s.login, "app doc", clash="changes")


class Runs(Base):
    """What a transaction does with runs and apps."""

    def last_number(self) -> int:
        """Read the number of the last run; 0 where there was none."""
        return int(_LAST_RUN.value(self._c))

    def begin_run(self, kind: str, now_ms: int) -> int:
        number = self.last_number() + 1
        _BEGIN_RUN.run(self._c, [{"id": number, "kind": kind, "at_ms": now_ms}])
        return number

    def end_run(self, run: int, now_ms: int, outcome: str, doc: Any) -> None:
        row = {"k_id": run, "ended_ms": now_ms, "outcome": outcome, "doc": codec.dump(doc)}
        _END_RUN.run(self._c, [row])

    def forget_run(self, run: int) -> None:
        _FORGET_RUN.run(self._c, [{"k_id": run}])

    def left_traces(self, run: int) -> bool:
        """Say whether the journal or the inbox refers to a run."""
        return any(trace.row(self._c, run=run) is not None for trace in _TRACES)

    def run(self, run: int) -> tuple[str, str | None, Any] | None:
        """Read (kind, outcome, document) of a run."""
        row = self._c.execute(select(s.run.c.kind, s.run.c.outcome, s.run.c.doc).where(s.run.c.id == run)).first()
        return None if row is None else (row[0], row[1], orjson.loads(row[2]) if row[2] else {})

    def last_run(self, outcome: str) -> int | None:
        query = select(sa.func.max(s.run.c.id)).where(s.run.c.outcome == outcome)
        return self._c.execute(query).scalar()

    def apps(self) -> dict[str, AppState]:
        states = [AppState(**dict(zip(_STATE, row, strict=True))) for row in _APPS.rows(self._c)]
        return {state.name: state for state in states}

    def add_app(self, name: str) -> None:
        number = int(self._c.execute(select(sa.func.coalesce(sa.func.max(s.app.c.id), 0))).scalar_one()) + 1
        self._c.execute(sa.insert(s.app), {"id": number, "name": name})

    def save_app(self, app: int, **values: Any) -> None:
        _saving(tuple(values)).run(self._c, [{"k_id": app, **values}])

    def login(self, app: str) -> bytes | None:
        """Read what the login of an app keeps, sealed."""
        return self._c.execute(select(s.login.c.doc).where(s.login.c.app == app)).scalar()

    def keep_login(self, app: str, doc: bytes) -> None:
        """Keep it instead of what was kept."""
        _KEEP_LOGIN.run(self._c, [{"app": app, "doc": doc}])


@cache
def _saving(names: tuple[str, ...]) -> Rows:
    """Change these columns of an app."""
    return updating(s.app, "id", " ".join(names))
