"""A store in this process, and the people who work in it; the peculiarities of real apps, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from syncd.connector import App, Connector
from syncd.kit.worlds import FIELDS, AppWorld
from syncd.model import Raw


class World(AppWorld):
    """A store with the peculiarities that the settings ask for, and one property that nobody maps."""

    def __init__(
        self,
        connector: Connector | None = None,
        *,
        exact: bool = True,
        refused: Mapping[str, Raw] | None = None,
        **settings: Any,
    ) -> None:
        self.exact = exact
        self.refused = refused or {}
        super().__init__(connector)
        self._stores = sys.modules[self.connector.open.__module__.replace(".connector", ".store")]
        self._settings = {"page": 7, **settings, "columns": FIELDS}
        self._name = f"world {id(self)}"
        self._store = self._stores.STORES[self._name] = self._stores.MemoryStore()
        self._stores.STORES["other"] = self._stores.MemoryStore()

    def open(self) -> App:
        return self.opened({**self._settings, "store": self._name})

    def open_other(self) -> App:
        return self.opened({**self._settings, "store": "other"})

    def add(self, **fields: Raw) -> str:
        return str(self._store.add(**fields, loyalty="gold"))

    def edit(self, id_: str, **fields: Raw) -> None:
        self._store.edit(id_, **fields)

    def delete(self, id_: str) -> None:
        self._store.delete(id_)

    def untouched(self, id_: str) -> object:
        people = self._store.people
        return people[id_].properties["loyalty"], {other: people[other] for other in people if other != id_}

    def everything(self) -> object:
        return dict(self._store.people)

    def break_off(self) -> None:
        del self._stores.STORES[self._name]

    def is_there(self) -> bool:
        return self._name in self._stores.STORES


SPELLING: Final[dict[str, Any]] = {
    "upper": ["first_name"],
    "lower": ["email"],
    "trim": ["notes"],
    "truncate": ["notes:20"],
}
WORLDS: Final[Mapping[str, Callable[..., World]]] = {
    "plain": World,
    "own ids": partial(World, own_ids=True),
    "no comparison": partial(World, cas=False),
    "no feed": partial(World, feed=False),
    "no deletions": partial(World, gone=False, archive=False),
    "late": partial(World, lag=2),
    "spelling": partial(World, exact=False, **SPELLING),
    "strict": partial(World, required=["email"], unique=["email"], flat=True, refused={"email": None}),
    "read only fields": partial(World, readonly=["company"]),
}
