"""Let a run die, or an app fail, at each boundary in turn, and see what the next runs make of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from syncd.store.tx import Tx
from tests.story import Moment, Story

Act: TypeAlias = Callable[[Story], object]


class Crash(BaseException):
    """The process is gone: nothing in it hears of this."""


def first_boundary(story: Story, what: str) -> int:
    """Number the first boundary of this name in a run, and take the run back."""
    back = story.saved()
    moments, _ = boundaries(story, lambda story: story.sync())
    back()
    return next(number for number, moment in enumerate(moments) if moment.what == what)


def boundaries(story: Story, act: Act) -> tuple[list[Moment], list[int]]:
    """Run to the end; give every boundary, and the numbers of those behind which something durable is different.

    A crash anywhere else leaves the same world as a crash at the last of these before it.
    """
    moments: list[Moment] = []
    changing: list[int] = []
    watch = sqlite3.connect(story.folder / "var" / "syncd.db")
    seen = watch.execute("PRAGMA data_version").fetchone()

    def note(moment: Moment) -> None:
        nonlocal seen
        now = watch.execute("PRAGMA data_version").fetchone()
        if moment.after and (now != seen or moment.what == "write"):
            changing.append(len(moments))
        seen = now
        moments.append(moment)

    with hooked(story, note):
        act(story)
    watch.close()
    return moments, changing


@contextmanager
def dying(story: Story, number: int, error: Callable[[], BaseException]) -> Iterator[None]:
    """Raise at one boundary. A crash is swallowed here, as the end of a process is; so is whatever runs after it."""
    left = number

    def count(moment: Moment) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            raise error()

    with hooked(story, count):
        try:
            yield
        except Crash:
            return


@contextmanager
def hooked(story: Story, hook: Callable[[Moment], None]) -> Iterator[None]:
    story.hooks.append(hook)
    try:
        yield
    finally:
        story.hooks.remove(hook)


def picture(story: Story) -> dict[str, Any]:
    """Say everything that must not depend on crashes: what apps hold, what waits for people, what is still in doubt."""
    return {
        **story.holds(),
        "cases": sorted((case["kind"], case["app"] or "", case["field"] or "") for case in story.cases()),
        "in doubt": story.ask(lambda tx: sum(count for *_, sent, _, count in tx.intent_counts() if sent)),
        "linked": story.ask(_linked),
    }


def _linked(tx: Tx) -> list[int]:
    return [tx.linked_count(app.id) for app in tx.apps().values()]


def lost(story: Story) -> set[str]:
    """Say which values the journal keeps as those that did not win."""

    def look(tx: Tx) -> set[str]:
        entries = tx.journal_entries(tx.journal_contacts(None, None, None, 0, 1000), None, None)
        return {f"{e.field}={e.old}" for mine in entries.values() for e in mine if e.kind in ("lost", "value", "write")}

    return story.ask(look)
