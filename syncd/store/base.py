"""What every part of a transaction stands on: its connection, the seal, and the few facts of `meta`."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from sqlalchemy import bindparam, select

from syncd.store import schema as s
from syncd.store.asking import Query
from syncd.store.bulk import inserting
from syncd.store.codec import Sealer

_META = Query(select(s.meta.c.value).where(s.meta.c.name == bindparam("name")))
_SET_META = inserting(s.meta, "name value", clash="changes")


class Base:
    """A transaction that is under way."""

    def __init__(self, connection: sa.Connection, sealer: Sealer) -> None:
        self._c = connection
        self._sealer = sealer

    @property
    def connection(self) -> sa.Connection:
        """For reports that ask their own questions (syncd/ops)."""
        return self._c

    @property
    def sealer(self) -> Sealer:
        return self._sealer

    def meta(self, name: str) -> str | None:
        return cast("str | None", _META.value(self._c, name=name))

    def set_meta(self, name: str, value: str) -> None:
        _SET_META.run(self._c, [{"name": name, "value": value}])
