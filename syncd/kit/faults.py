"""What happens on a bad wire: answers that are lost after the write, refusals, pages that break off, a race on one record.

A request that changed the app is known by what the app holds before and after it, so no check knows any app's requests.
Hard rules: what was done is never called refused; what was lost is never done twice; half a listing is never a whole one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from syncd.connector import App
from syncd.errors import SyncdError, TransientError
from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import caught_up, check, known, listing, new, one, persons
from syncd.kit.worlds import ApiWorld, AppWorld
from syncd.model import Applied, Record, Rejected, Result, Write

AFTER: Final[dict[str, Said]] = {
    "the connection breaks": Said(cut=True),
    **{f"status {status}": Said(status=status, doc=b"<html>sorry</html>") for status in (500, 502, 503, 504)},
    "a login page": Said(doc=b"<html>log in</html>", headers={"Content-Type": "text/html"}),
}
"""What may come instead of the answer to something that was done."""
READING: Final[dict[str, Said]] = {
    **AFTER,
    "half a document": Said(doc=b'{"results": [{"id": "1", "na'),
    "too many requests": Said(status=429, headers={"Retry-After": "1"}),
}
HOLD: Final = 10_000
"""More requests than any check makes."""


class Watch:
    """Sees every request: which of them changed the app, and what is said instead of the answer to those."""

    def __init__(self, world: ApiWorld[Any], instead: Said | None = None) -> None:
        self._world, self._instead = world, instead
        self._held: object = None
        self.number = 0
        self.changes: list[tuple[int, Asked]] = []

    def before(self, asked: Asked) -> Said | None:
        self.number += 1
        self._held = self._world.everything()
        return None

    def after(self, asked: Asked, said: Said) -> Said:
        if self._world.everything() == self._held:
            return said
        self.changes.append((self.number, asked))
        return said if self._instead is None else self._instead


@contextlib.contextmanager
def watched(world: ApiWorld[Any], instead: Said | None = None) -> Iterator[Watch]:
    """Watch the wire while the block runs."""
    watch = Watch(world, instead)
    with wire(world, before=watch.before, after=watch.after):
        yield watch


@contextlib.contextmanager
def wire(
    world: ApiWorld[Any],
    *,
    before: Callable[[Asked], Said | None] = lambda _: None,
    after: Callable[[Asked, Said], Said] = lambda _, said: said,
) -> Iterator[None]:
    """Stand on the wire while the block runs."""
    server = world.wire
    usual = server.before, server.after
    server.before, server.after = before, after
    try:
        yield
    finally:
        server.before, server.after = usual


class Broken:
    """Says this instead of the answers to so many requests, from the given one on."""

    def __init__(self, said: Said, first: int, count: int) -> None:
        self._said, self._first, self._last = said, first, first + count - 1
        self._number = 0

    def __call__(self, asked: Asked) -> Said | None:
        self._number += 1
        return self._said if self._first <= self._number <= self._last else None


@check(lambda spec: spec.create, needs=("wire",))
def a_create_whose_answer_was_lost_made_one_record_that_can_be_found(world: ApiWorld[Any]) -> None:
    for number, (fault, instead) in enumerate(AFTER.items()):
        app = world.open()
        address = f"lost{number}@example.org"
        with watched(world, instead) as watch:
            result = one(app, new(app, number, email=address, first_name=f"Lost {number}"))
        assert watch.changes, "the create changed nothing"
        made = [each for each in listing(app).values() if str(each.fields["email"]).lower() == address]
        assert len(made) == 1, f"{fault}, and {len(made)} records were made"
        assert not isinstance(result, Rejected), f"{fault} after the create, and it is called refused"
        if isinstance(result, Applied):
            assert result.record == made[0]
        elif app.spec.rung in {"C", "D", "E"}:
            assert [each.id for each in app.find("email", address)] == [made[0].id], "it cannot be found again"


@check(lambda spec: spec.update, needs=("wire",))
def an_update_whose_answer_was_lost_is_never_called_refused(world: ApiWorld[Any]) -> None:
    ids = world.add_all(persons(len(AFTER)))
    app = world.open()
    for id_, (fault, instead) in zip(ids, AFTER.items(), strict=True):
        seen = known(app, id_)
        write = Write(
            kind="update", id=id_, fields={world.changed: "+49 40 1"}, expect=seen.fields, version=seen.version
        )
        with watched(world, instead) as watch:
            result = one(app, write)
        assert watch.changes, "the update changed nothing"
        assert not isinstance(result, Rejected), f"{fault} after the update, and it is called refused"
        record = known(app, id_)
        assert record.fields[world.changed] != seen.fields[world.changed]
        if isinstance(result, Applied):
            assert result.record == record


@check(lambda spec: spec.archive, needs=("wire",))
def an_archive_whose_answer_was_lost_is_never_called_refused(world: ApiWorld[Any]) -> None:
    ids = world.add_all(persons(len(AFTER)))
    app = world.open()
    for id_, (fault, instead) in zip(ids, AFTER.items(), strict=True):
        seen = known(app, id_)
        with watched(world, instead) as watch:
            result = one(app, Write(kind="archive", id=id_, fields={}, expect=seen.fields, version=seen.version))
        assert watch.changes, "the archive changed nothing"
        assert not isinstance(result, Rejected), f"{fault} after the archive, and it is called refused"
        assert app.get([id_]) == {}


@check(lambda spec: spec.create and spec.update, needs=("wire",))
def what_was_refused_for_now_is_done_once_or_not_at_all(world: ApiWorld[Any]) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    listing(app)
    refused: set[tuple[str, str, bytes]] = set()

    def once(asked: Asked) -> Said | None:
        """Refuse every request the first time."""
        mark = (asked.method, asked.path, asked.body)
        if mark in refused:
            return None
        refused.add(mark)
        return world.busy

    for number in range(2):
        with wire(world, before=once if number == 0 else lambda _: world.busy):
            results = app.write([
                new(app, number, email=f"busy{number}@example.org"),
                Write(kind="update", id=id_, fields={world.changed: f"+49 40 {number}"}),
            ])  # fmt: skip
        there = {str(each.fields["email"]).lower(): each for each in listing(app).values()}
        assert len(there) == len(listing(app)), "it was done twice"
        done = [f"busy{number}@example.org" in there, known(app, id_).fields[world.changed] == f"+49 40 {number}"]
        assert [isinstance(each, Applied) for each in results] == done
        assert all(isinstance(each, Applied) or is_busy(each) for each in results), "nothing was done: it is busy"
    with wire(world, before=lambda _: world.busy):
        assert raises_transient(lambda: list(app.read(None)))
        assert raises_transient(lambda: app.get([id_]))


@check(needs=("wire",))
def a_listing_that_breaks_off_is_never_taken_for_a_whole_one(world: ApiWorld[Any]) -> None:
    ids = set(world.add_all(persons(world.people)))
    app = world.open()
    caught_up(app)
    for fault, said in READING.items():
        for place, lasting in ((1, 1), (2, 1), (2, HOLD)):
            with wire(world, before=Broken(said, place, lasting)):
                pages, error = read_all(app)
            whole = bool(pages) and pages[-1][1]
            assert error is None or isinstance(error, TransientError), f"{fault}: {type(error).__name__}"
            assert (error is None) == whole, "a listing ends whole, or it raises"
            assert not whole or {each for some, _ in pages for each in some} == ids, f"{fault}: somebody is left out"
            assert not whole or lasting == 1, f"{fault} from the second page on, and it is called whole"
    assert listing(app).keys() == ids


@check(lambda spec: spec.update and spec.lost_update == "cas", needs=("wire",))
def an_edit_between_our_look_and_our_write_is_never_overwritten(world: ApiWorld[Any]) -> None:
    ids = world.add_all(persons(2))
    app = world.open()
    assert isinstance(one(app, Write(kind="update", id=ids[0], fields={"first_name": "Warm"})), Applied)
    with watched(world) as watch:
        assert isinstance(change_one(world, app, known(app, ids[0])), Applied)
    [at] = [number for number, _ in watch.changes]
    asked = [0]

    def edit_first(_: Asked) -> None:
        """Somebody is faster by a blink: right before the request that changes."""
        asked[0] += 1
        if asked[0] == at:
            world.edit(ids[1], **{world.changed: "+49 89 7"})

    with wire(world, before=edit_first):
        result = change_one(world, app, known(app, ids[1]))
    assert asked[0] >= at, "no request changed anything"
    assert isinstance(result, Rejected), "an edit at the same moment was overwritten"
    assert result.why == "moved"
    assert known(app, ids[1]).fields[world.changed] == "+49 89 7"


@check(lambda spec: spec.update, needs=("wire",))
def an_update_sends_nothing_that_nobody_named(world: ApiWorld[Any]) -> None:
    id_ = world.add(**{"email": "ada@example.org", "first_name": "Zebulon", world.changed: "+49 30 1"})
    app = world.open()
    seen = known(app, id_)
    with watched(world) as watch:
        assert isinstance(change_one(world, app, seen), Applied)
    sent = b"".join(asked.body + str(asked.query).encode() for _, asked in watch.changes)
    assert sent, "the update changed nothing"
    for text in (b"Zebulon", b"gold"):
        assert text not in sent or world.resends, (
            f"an update of `{world.changed}` also sent what nobody named ({text.decode()})"
        )


def change_one(world: AppWorld, app: App, seen: Record) -> Result:
    new = {world.changed: "+49 40 1"}
    return one(app, Write(kind="update", id=seen.id, fields=new, expect=seen.fields, version=seen.version))


def is_busy(result: Result) -> bool:
    return isinstance(result, Rejected) and result.why == "busy"


def read_all(app: App) -> tuple[list[tuple[list[str], bool]], SyncdError | None]:
    """Read everything as far as it goes: (ids, complete) of each page, and what was raised."""
    pages = []
    try:
        for page in app.read(None):
            pages.append(([record.id for record in page.records], page.complete))  # noqa: PERF401 - kept when it raises
    except SyncdError as error:
        return pages, error
    return pages, None


def raises_transient(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except TransientError:
        return True
    return False
