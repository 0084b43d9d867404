"""Runs and apps: what was done when, and how far each app was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.store import codec
from syncd.store import schema as s
from syncd.store.base import Base
from syncd.store.bulk import inserting


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


_APPS = select(*[getattr(s.app.c, name) for name in AppState.__slots__]).order_by(s.app.c.id)
_LAST_RUN = select(sa.func.coalesce(sa.func.max(s.run.c.id), 0))
_BEGIN_RUN = sa.insert(s.run)
_END_RUN = (
    sa.update(s.run)
    .where(s.run.c.id == bindparam("k_id"))
    .values({name: bindparam(name) for name in ("ended_ms", "outcome", "doc")})
)
_FORGET_RUN = sa.delete(s.run).where(s.run.c.id == bindparam("k_id"))
_TRACES = [select(table.c.run).where(table.c.run == bindparam("run")).limit(1) for table in (s.journal, s.inbox)]
_KEEP_LOGIN = inserting(s.login, "app doc", clash="changes")


class Runs(Base):
    """What a transaction does with runs and apps."""

    def begin_run(self, kind: str, now_ms: int) -> int:
        number = int(self._c.execute(_LAST_RUN).scalar_one()) + 1
        self._c.execute(_BEGIN_RUN, {"id": number, "kind": kind, "at_ms": now_ms})
        return number

    def end_run(self, run: int, now_ms: int, outcome: str, doc: Any) -> None:
        self._c.execute(_END_RUN, {"k_id": run, "ended_ms": now_ms, "outcome": outcome, "doc": codec.dump(doc)})

    def forget_run(self, run: int) -> None:
        self._c.execute(_FORGET_RUN, {"k_id": run})

    def left_traces(self, run: int) -> bool:
        """Say whether the journal or the inbox refers to a run."""
        return any(self._c.execute(trace, {"run": run}).first() is not None for trace in _TRACES)

    def run(self, run: int) -> tuple[str, str | None, Any] | None:
        """Read (kind, outcome, document) of a run."""
        row = self._c.execute(select(s.run.c.kind, s.run.c.outcome, s.run.c.doc).where(s.run.c.id == run)).first()
        return None if row is None else (row[0], row[1], orjson.loads(row[2]) if row[2] else {})

    def last_run(self, outcome: str) -> int | None:
        query = select(sa.func.max(s.run.c.id)).where(s.run.c.outcome == outcome)
        return self._c.execute(query).scalar()

    def apps(self) -> dict[str, AppState]:
        return {row.name: AppState(**row._mapping) for row in self._c.execute(_APPS)}  # noqa: SLF001 - SQLAlchemy's public name for it

    def add_app(self, name: str) -> None:
        number = int(self._c.execute(select(sa.func.coalesce(sa.func.max(s.app.c.id), 0))).scalar_one()) + 1
        self._c.execute(sa.insert(s.app), {"id": number, "name": name})

    def save_app(self, app: int, **values: Any) -> None:
        self._c.execute(sa.update(s.app).where(s.app.c.id == app).values(**values))

    def login(self, app: str) -> bytes | None:
        """Read what the login of an app keeps, sealed."""
        return self._c.execute(select(s.login.c.doc).where(s.login.c.app == app)).scalar()

    def keep_login(self, app: str, doc: bytes) -> None:
        """Keep it instead of what was kept."""
        _KEEP_LOGIN.run(self._c, [{"app": app, "doc": doc}])
