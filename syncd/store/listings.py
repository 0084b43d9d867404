"""Listings: what a complete read showed, and what it missed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.base import Base
from syncd.store.bulk import inserting

_ANY_MISSED = Query(select(s.record.c.id).where(s.record.c.app == bindparam("app"), s.record.c.misses > 0).limit(1))
_LIST_ID = inserting(s.listed, "app id", clash="stays")


class Listings(Base):
    """What a transaction does with listings and misses."""

    def begin_listing(self, app: int) -> None:
        self._c.execute(sa.delete(s.listed).where(s.listed.c.app == app))

    def list_ids(self, app: int, ids: Iterable[str]) -> None:
        _LIST_ID.run(self._c, [{"app": app, "id": id_} for id_ in ids])

    def confirmed(self, app: int, since_ms: int, until_ms: int) -> list[str]:
        """List linked records that were confirmed between these times and that no listing has missed."""
        r = s.record.c
        query = select(r.id).where(
            r.app == app, r.contact.is_not(None), r.misses == 0, r.at_ms.between(since_ms, until_ms)
        )
        return [row[0] for row in self._c.execute(query.order_by(r.id))]

    def end_listing(self, app: int) -> None:
        self._c.execute(sa.delete(s.listed).where(s.listed.c.app == app))

    def forget_strangers(self, app: int, *, shown: bool) -> None:
        """Forget records that no contact has, with their keys: all that the last listing showed (it was not believed), but for
        those that had one already and are to be matched again; or the parked ones that it did not show (whoever wrote them has
        mended or removed them).
        """
        r, i = s.record.c, s.identity.c
        whom = _shown() & r.doc.is_(None) if shown else r.problem.is_not(None) & ~_shown()
        strangers = (r.app == app, r.contact.is_(None), whom)
        if self._c.execute(select(r.id).where(*strangers).limit(1)).first() is not None:
            theirs = i.record.in_(select(r.id).where(*strangers))
            self._c.execute(sa.delete(s.identity).where(i.app == app, theirs))
            self._c.execute(sa.delete(s.record).where(*strangers))

    def missing_count(self, app: int) -> int:
        """Count linked records that the last listing did not show."""
        return int(self._c.execute(select(sa.func.count()).where(*_missing(app))).scalar_one())

    def missing(self, app: int, count_max: int) -> list[tuple[str, int, int, int | None]]:
        """List linked records that the last listing did not show: (id, misses, missed_run, contact)."""
        columns = (s.record.c.id, s.record.c.misses, s.record.c.missed_run, s.record.c.contact)
        rows = self._c.execute(select(*columns).where(*_missing(app)).order_by(s.record.c.id).limit(count_max))
        return [(r[0], r[1], r[2], r[3]) for r in rows]

    def count_misses(self, app: int, run: int) -> None:
        """Add a miss to each linked record that the last listing did not show, once a run, and clear those it did show."""
        r = s.record.c
        self._c.execute(sa.update(s.record).where(r.app == app, r.misses > 0, _shown()).values(misses=0))
        self._c.execute(
            sa.update(s.record).where(*_missing(app), r.missed_run < run).values(misses=r.misses + 1, missed_run=run)
        )

    def found_again(self, app: int) -> list[int]:
        """List the contacts of records that were missed, and that the last listing showed."""
        r = s.record.c
        query = select(r.contact).where(
            r.app == app, r.misses > sa.literal_column("0"), r.contact.is_not(None), _shown()
        )
        return [row[0] for row in self._c.execute(query.order_by(r.contact))]

    def strike_missing(self, app: int, strikes: int) -> None:
        """Count everything that the last listing did not show as missed often enough (an operator approved it)."""
        self._c.execute(sa.update(s.record).where(*_missing(app)).values(misses=strikes))

    def any_missed(self, app: int) -> bool:
        """Say whether some record was missed by a listing and not decided yet."""
        return _ANY_MISSED.row(self._c, app=app) is not None

    def struck(self, app: int, strikes: int, count_max: int) -> list[str]:
        """List records missed by so many listings."""
        r = s.record.c
        missed = (r.misses > sa.literal_column("0"), r.misses >= strikes)  # the first names the index, see schema
        query = select(r.id).where(r.app == app, *missed)
        return [r[0] for r in self._c.execute(query.order_by(s.record.c.id).limit(count_max))]

    def strike(self, app: int, ids: Iterable[str], strikes: int) -> None:
        """Count records as missed often enough, because the app itself says that they are gone."""
        self._c.execute(
            sa.update(s.record).where(s.record.c.app == app, s.record.c.id.in_(list(ids))).values(misses=strikes)
        )

    def clear_misses(self, app: int, ids: Iterable[str]) -> None:
        self._c.execute(sa.update(s.record).where(s.record.c.app == app, s.record.c.id.in_(list(ids))).values(misses=0))


def _missing(app: int) -> tuple[Any, ...]:
    r = s.record.c
    return (r.app == app, r.contact.is_not(None), r.problem.is_(None), ~_shown())


def _shown() -> Any:
    return sa.exists().where(s.listed.c.app == s.record.c.app, s.listed.c.id == s.record.c.id)
