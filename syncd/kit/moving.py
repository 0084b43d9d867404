"""What reads must do while the app moves: pages under edits, many changes in one second, merges, clocks of other places."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from syncd.connector import App
from syncd.errors import TransientError
from syncd.kit.suite import caught_up, check, known, last_cursor, listing, news, one, persons
from syncd.kit.worlds import AppWorld
from syncd.model import Page, Record, Rejected, Write

ZONES = ("EAST-14", "WEST+11", "UTC0")
"""As POSIX spells them: no data of time zones is needed."""


@check()
def what_happens_during_a_listing_is_in_it_or_told_after_it(world: AppWorld) -> None:
    ids = world.add_all(persons(world.people))
    app = world.open()
    caught_up(app)
    pages = app.read(None)
    first = next(pages)
    assert not first.complete, "so many records are more than a page"
    edited, deleted = first.records[0].id, first.records[-1].id
    world.edit(edited, first_name="Edited")
    world.delete(deleted)
    added = world.add(email="added@example.org")
    all_pages = [first, *rest_of(app, pages)]
    shown = {record.id: record for page in all_pages for record in page.records}
    if app.spec.proven_listing:
        left_out = set(ids) - {edited, deleted} - shown.keys()
        assert not left_out, "a proven listing left out somebody who was there all the time"
    told, gone, _ = news(app, last_cursor(all_pages))
    gone |= {id_ for page in all_pages for id_ in page.gone}
    state = {id_: record for id_, record in (shown | told).items() if id_ not in gone}
    assert state[edited] == known(app, edited), "an edit behind the listing's back is not told by its cursor"
    assert state.get(added) == known(app, added), "who was added during the listing is not told by its cursor"
    assert not app.spec.reports_gone or deleted not in state, (
        "who was deleted during the listing is not told to be gone"
    )
    assert listing(app).keys() == {*ids, added} - {deleted}


def rest_of(app: App, pages: Iterator[Page]) -> list[Page]:
    """Read on; an app that notices that it has moved may say so, and is read anew."""
    try:
        return list(pages)
    except TransientError:
        return list(app.read(None))


@check(lambda spec: spec.incremental)
def changes_in_one_second_with_a_read_between_them_are_all_told(world: AppWorld) -> None:
    ids = world.add_all(persons(3))
    app = world.open()
    cursor = caught_up(app)
    state: dict[str, Record] = {}
    with world.at_once():
        world.edit(ids[0], first_name="First")
        pages = list(app.read(cursor))
        state |= {record.id: record for page in pages for record in page.records}
        cursor = last_cursor(pages) or cursor
        world.edit(ids[1], first_name="Second")
        added = world.add(email="third@example.org")
    told, _, _ = news(app, cursor)
    state |= told
    for id_ in (ids[0], ids[1], added):
        assert state.get(id_) == known(app, id_), "a change in the second in which a read ended was lost"


@check(lambda spec: spec.incremental)
def more_changes_at_once_than_an_answer_holds_are_all_told(world: AppWorld) -> None:
    ids = world.add_all(persons(world.people))
    app = world.open()
    cursor = caught_up(app)
    with world.at_once():
        world.edit_all(ids, first_name="Renamed")
    told, gone, _ = news(app, cursor)
    assert not gone
    lost = [id_ for id_ in ids if id_ not in told or told[id_].fields["first_name"] in {None, ""}]
    assert not lost, f"{len(lost)} of {len(ids)} changes with one stamp were lost"
    assert told == listing(app) | told, "what is told is what is"


@check()
def the_time_zone_of_this_machine_does_not_matter(world: AppWorld) -> None:
    ids = world.add_all(persons(3))
    with zone("UTC0"):
        app = world.open()
        cursor = caught_up(app)
        before = listing(app)
    for number, name in enumerate(ZONES):
        with zone(name):
            assert listing(app) == before, f"read in the zone {name} it is something else"
            world.edit(ids[number], first_name=f"Changed {number}")
            told, _, cursor = news(app, cursor)
            before[ids[number]] = known(app, ids[number])
            assert told.get(ids[number]) == before[ids[number]], f"a change is lost in the zone {name}"


@check(needs=("merge",))
def who_was_merged_is_gone_and_is_never_written_to(world: AppWorld) -> None:
    kept, lost = world.add(email="kept@example.org"), world.add(email="lost@example.org")
    app = world.open()
    cursor = caught_up(app)
    seen = listing(app)[lost]
    world.merge(kept, lost)
    assert app.get([kept, lost]).keys() == {kept}, "who was merged into another is gone"
    assert listing(app).keys() == {kept}
    told, _, _ = news(app, cursor)
    assert lost not in told or not app.spec.incremental
    before = world.everything()
    for kind in ("update", "archive"):
        if getattr(app.spec, kind):
            fields = {"first_name": "Lost"} if kind == "update" else {}
            result = one(app, Write(kind=kind, id=lost, fields=fields, expect=seen.fields, version=seen.version))
            assert isinstance(result, Rejected), "who was merged was written to, and the other one holds it now"
            assert result.why in {"gone", "moved"}
    assert world.everything() == before


@contextlib.contextmanager
def zone(name: str) -> Iterator[None]:
    """Let the clock of this process be one of another place."""
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = name
        time.tzset()
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
