"""Members by which an item says something of itself: that it is deleted, that it is read-only, that it is none of ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from syncd.config.shapes import Key, Keys, ListOf, Scalar, Spot
from syncd.http.paths import find
from syncd.http.requests import PATH
from syncd.http.terms import Mark

MARK: Final = Keys(
    keys={
        "path": Key(shape=PATH, help="the member that tells", required=True),
        "is": Key(shape=ListOf(item=Scalar(), least=1, hint="[true]"), help="so where it says one of these"),
        "unless": Key(shape=ListOf(item=Scalar(), least=1, hint="[person]"), help="so where it says none of these"),
    }
)


def read_marks(spot: Spot) -> tuple[Mark, ...]:
    """Compile a list of them; note one that says nothing, or both."""
    return tuple(_mark(each) for each in spot.items())


def _mark(spot: Spot) -> Mark:
    values = MARK.read(Spot(spot.node, spot.path, spot.place, []))
    if ("is" in values) == ("unless" in values):
        spot.problem("needs `is` or `unless`, one of both")
    return Mark(
        path=values["path"], words=tuple(values.get("is") or values.get("unless", ())), unless="unless" in values
    )


def marked(item: Any, marks: Iterable[Mark]) -> bool:
    """Say whether an item says so of itself, by one of these."""
    return any((find(item, each.path.steps) in each.words) != each.unless for each in marks)
