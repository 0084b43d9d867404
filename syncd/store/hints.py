"""Hints: which records webhooks have named and nobody has fetched yet, and how well the webhooks of an app do.

A hint is an id or, under the id "", "something has changed"; each is there once, however often it was named. What a read
found and no webhook had named lies among them until it is late enough to count as missed. Hard rule: a hint goes only
with the number under which it was read, so that one that was named again meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import deleting, inserting

HINTS_MAX: Final = 2000
"""Records of one app that may wait to be fetched; of more only that something has changed is remembered."""
SILENT: Final = 3
"""Changes in a row that no webhook named, from which on webhooks are thought to come no more."""
SOMETHING: Final = ""
"""In place of an id: something has changed, and nobody said what."""


class Hint(NamedTuple):
    """One hint that waits."""

    id: str
    number: int
    """Grows whenever it is named."""
    at_ms: int
    """When it was named last."""
    due_ms: int
    """Not to be followed before."""


class HookState(NamedTuple):
    """How the webhooks of one app do."""

    last_ms: int
    seen: int
    missed: int
    """Changes that a read found and no webhook ever named."""
    silent: int
    """Of these, since the last webhook."""


_H = s.hint.c
_HEAR = inserting(s.hint, "app id number at_ms due_ms found", clash="changes")
_FOUND = inserting(s.hint, "app id number at_ms due_ms found", clash="stays")
_FORGET = deleting(s.hint, "app id number")
_WAITING = Query(
    select(_H.id, _H.number, _H.at_ms, _H.due_ms)
    .where(_H.app == bindparam("app"), _H.found == 0)
    .order_by(_H.number, _H.id)
    .limit(bindparam("count"))
)
_ANY_SOMETHING = Query(select(_H.id).where(_H.app == bindparam("app"), _H.id == SOMETHING, _H.found == 0).limit(1))
_HIGHEST = Query(select(sa.func.coalesce(sa.func.max(_H.number), 0)))
_GONE_BY = Query(sa.delete(s.hint).where(_H.app == bindparam("of"), _H.found == 1, _H.at_ms < bindparam("before")))
_K = s.hook.c
_STATES = Query(select(_K.app, _K.last_ms, _K.seen, _K.missed, _K.silent).order_by(_K.app))
_STATE = inserting(s.hook, "app last_ms seen missed silent", clash="changes")


class Hints(Base):
    """What a transaction does with hints."""

    def hear(self, app: int, ids: Sequence[str], now_ms: int, due_ms: int) -> None:
        """Remember what one webhook has named; nothing: that something has changed, which is looked at when it is due."""
        number = self._next_number()
        if ids:
            self._hear(app, dict.fromkeys(ids), number, now_ms, now_ms)
            if len(self.hints(app, HINTS_MAX + 1)) > HINTS_MAX:
                self._c.execute(sa.delete(s.hint).where(_H.app == app))
                self._hear(app, [SOMETHING], number, now_ms, now_ms)
        else:
            waits = (_H.app == app, _H.id == SOMETHING)
            before = self._c.execute(select(_H.due_ms).where(*waits)).scalar()
            self._hear(app, [SOMETHING], number, now_ms, due_ms if before is None else min(before, due_ms))
            self._c.execute(sa.delete(s.hint).where(_H.app == app, _H.found == 1))
        state = self.hooks().get(app, HookState(0, 0, 0, 0))
        self._save(app, HookState(max(now_ms, state.last_ms), state.seen + 1, state.missed, 0))

    def hints(self, app: int, count_max: int) -> list[Hint]:
        """List what waits to be fetched, the oldest first."""
        return [Hint(*row) for row in _WAITING.rows(self._c, app=app, count=count_max)]

    def forget_hints(self, app: int, hints: Iterable[Hint]) -> None:
        """Forget what was fetched, but for what has been named again meanwhile."""
        _FORGET.run(self._c, [{"k_app": app, "k_id": each.id, "k_number": each.number} for each in hints])

    def put_off_hint(self, app: int, id_: str, due_ms: int) -> None:
        """Follow a hint not before then."""
        self._c.execute(sa.update(s.hint).where(_H.app == app, _H.id == id_).values(due_ms=due_ms))

    def note_found(self, app: int, ids: Sequence[str], now_ms: int) -> None:
        """Remember what a read found changed, unless a webhook has named it; a webhook may still come."""
        if ids and _ANY_SOMETHING.row(self._c, app=app) is None:
            row = {"app": app, "number": self._next_number(), "at_ms": now_ms, "due_ms": now_ms, "found": 1}
            _FOUND.run(self._c, [{**row, "id": id_} for id_ in ids])

    def count_missed(self, app: int, before_ms: int) -> int:
        """Count what was found before then and was not named since; say how many are new."""
        gone = _GONE_BY.change(self._c, of=app, before=before_ms)
        if gone:
            state = self.hooks().get(app, HookState(0, 0, 0, 0))
            self._save(app, HookState(state.last_ms, state.seen, state.missed + gone, state.silent + gone))
        return gone

    def hooks(self) -> dict[int, HookState]:
        """Say how the webhooks of every app do; an app that never had any is left out."""
        return {row[0]: HookState(*row[1:]) for row in _STATES.rows(self._c)}

    def _next_number(self) -> int:
        return int(_HIGHEST.value(self._c)) + 1

    def _hear(self, app: int, ids: Iterable[str], number: int, now_ms: int, due_ms: int) -> None:
        row = {"app": app, "number": number, "at_ms": now_ms, "due_ms": due_ms, "found": 0}
        _HEAR.run(self._c, [{**row, "id": id_} for id_ in ids])

    def _save(self, app: int, state: HookState) -> None:
        _STATE.run(self._c, [{"app": app, **state._asdict()}])
