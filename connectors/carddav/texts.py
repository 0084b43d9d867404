"""The texts of cards that were seen last, so that a change needs no download first.

Knows ids, ETags and texts. Hard rule: a text is given only for the very ETag it came with, and the memory is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

CARDS_MAX: Final = 2000
CHARACTERS_MAX: Final = 16 << 20


class Texts:
    """The last so many cards, oldest out first."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._size = 0

    def put(self, id_: str, etag: str | None, text: str) -> None:
        self.drop(id_)
        if etag is None or len(text) > CHARACTERS_MAX // 8:
            return
        self._held[id_] = (etag, text)
        self._size += len(text)
        while len(self._held) > CARDS_MAX or self._size > CHARACTERS_MAX:
            _, (_, old) = self._held.popitem(last=False)
            self._size -= len(old)

    def get(self, id_: str, etag: str | None) -> str | None:
        held = self._held.get(id_)
        return held[1] if held is not None and held[0] == etag else None

    def drop(self, id_: str) -> None:
        held = self._held.pop(id_, None)
        if held is not None:
            self._size -= len(held[1])
