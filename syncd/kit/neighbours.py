"""What an update must leave alone: every other field of the record, also where the app keeps several of them in one object.

Fields are asked as the connector maps them, so that also those are that a world does not know. Hard rule: a value that an app
refuses or cannot hold proves nothing, and is no failure here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.connector import App
from syncd.core.fields import STANDARD
from syncd.kit.suite import besides, check, known, one
from syncd.kit.worlds import AppWorld
from syncd.model import Applied, Raw, Write, words_of

TURNS: Final = 2
"""In the first one the fields are filled, in the second one all of them have something to lose."""
VALUES: Final[dict[str, tuple[Raw, Raw]]] = {
    "email": ("ada@example.org", "augusta@example.org"),
    "phone": ("+49 30 1234561", "+49 30 1234562"),
    "url": ("https://one.example.org", "https://two.example.org"),
    "postal_code": ("10115", "20095"),
    "country": ("DE", "AT"),
    "language": ("de", "en"),
    "date": ("1990-01-01", "1991-02-02"),
    "datetime": ("2020-01-01T00:00:00Z", "2021-02-02T00:00:00Z"),
    "number": (1, 2),
}
"""Type of field -> a value for each turn; any other is a text."""


@check(lambda spec: spec.update)
def an_update_of_one_field_leaves_the_others_as_they_are(world: AppWorld) -> None:
    id_ = world.add(**{name: _value(name, 0) for name in world.fields})
    app = world.open()
    before = known(app, id_)
    for turn in range(TURNS):
        for name in _written(app):
            write = Write(
                kind="update",
                id=before.id,
                fields={name: _word(app, name, turn)},
                expect={name: before.fields.get(name)},
                version=before.version,
            )
            result = one(app, write)
            assert isinstance(result, Applied) or name not in world.fields, f"an update of {name} was not done"
            if isinstance(result, Applied):
                after = known(app, before.id)
                changed = besides(app, before, after, name)
                assert not changed, f"an update of {name} changed {', '.join(changed)} as well"
                before = after


def _written(app: App) -> Iterator[str]:
    """Name the fields that are written like any other: consent has checks of its own."""
    yield from (n for n, where in app.fields.items() if where.direction != "in" and STANDARD.get(n) != "consent")


def _value(name: str, turn: int) -> Raw:
    """Give a text, or what a field of this type holds."""
    return VALUES.get(STANDARD.get(name, "text"), ("One", "Two"))[turn]


def _word(app: App, name: str, turn: int) -> Raw:
    """Give the value in the app's words, where it has a word for each."""
    words = [words_of(each)[0] for each in (app.fields[name].values or {}).values()]
    return words[turn] if len(words) >= TURNS else _value(name, turn)
