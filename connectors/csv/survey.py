"""Which keys does a file use more than once? In eight bytes a row, for files of millions of rows.

Knows rows and keys. Hard rule: no key is missed, also where a row cannot be read but its key can.
"""

from __future__ import annotations

import itertools
from array import array
from typing import Final

from .layout import Layout
from .sheet import Sheet

_SHARES: Final = 64
"""Sorting makes objects out of numbers; it is done for one share of them at a time."""


def keys_used_twice(sheet: Sheet, layout: Layout) -> frozenset[int]:
    """Give the hashes of these keys."""
    shares = [array("q") for _ in range(_SHARES)]
    add = [share.append for share in shares]
    for row in sheet.rows():
        key = row.cells[layout.key] if row.problem is None else layout.key_of(row)
        if key:
            number = hash(key)
            add[number % _SHARES](number)
    twice = set[int]()
    for share in shares:
        twice.update(one for one, other in itertools.pairwise(sorted(share)) if one == other)
    return frozenset(twice)
