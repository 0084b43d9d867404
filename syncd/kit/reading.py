"""What reads must do: complete listings, cursors that lose nothing, gets that prove."""

from __future__ import annotations

from collections.abc import Callable

from syncd.errors import TransientError
from syncd.kit.suite import caught_up, check, known, last_cursor, listing, news, persons
from syncd.kit.worlds import AppWorld
from syncd.model import Record, Rejected, Unknown, Write


@check()
def an_empty_app_is_a_complete_listing_of_nothing(world: AppWorld) -> None:
    app = world.open()
    assert listing(app) == {}
    assert app.get(["nobody"]) == {}


@check()
def a_listing_is_complete_and_comes_in_pages(world: AppWorld) -> None:
    ids = set(world.add_all(persons(world.people)))
    app = world.open()
    assert listing(app).keys() == ids
    assert len(list(app.read(None))) > 1, "so many records are more than a page"


@check()
def reading_changes_nothing(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    before = world.everything()
    app = world.open()
    app.check()
    listing(app)
    app.get([id_])
    app.fingerprint()
    app.close()
    assert world.everything() == before


@check()
def two_readings_of_the_same_give_the_same(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    first, second = listing(app)[id_], listing(app)[id_]
    assert first == second == known(app, id_) == known(world.open(), id_)


@check()
def blank_is_none_and_unknown_is_absent(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    for record in (listing(app)[id_], known(app, id_)):
        assert record.problem is None
        assert record.fields["email"] == "ada@example.org"
        assert record.fields["first_name"] is None, "a field that the app has and that holds nothing is None"
        assert record.fields.keys() <= app.fields.keys(), "a record holds a field that is not in effect"
        assert "" not in record.fields.values(), "blank is None, never an empty text"


@check(lambda spec: spec.versions != "none")
def a_version_changes_with_the_record_and_only_then(world: AppWorld) -> None:
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    before = listing(app)
    world.edit(id_, first_name="Ada")
    after = listing(app)
    assert before[id_].version != after[id_].version
    assert before[other].version == after[other].version
    assert after[id_].version == known(app, id_).version
    if app.spec.versions == "ordered":
        assert (before[id_].version or "") < (after[id_].version or ""), "ordered versions grow"


@check(lambda spec: spec.versions == "none")
def no_version_is_given_where_none_is_claimed(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    assert known(world.open(), id_).version is None


@check()
def every_change_is_seen_from_a_cursor(world: AppWorld) -> None:
    kept, edited = world.add(email="kept@example.org"), world.add(email="edited@example.org")
    app = world.open()
    cursor = caught_up(app)
    world.edit(edited, first_name="Edited")
    added = world.add(email="added@example.org")
    told, _, later = news(app, cursor)
    assert told[edited].fields["first_name"] == "Edited"
    assert told[added].fields["email"] == "added@example.org"
    again, _, _ = news(app, cursor)
    assert again.keys() >= {edited, added}, "an old cursor tells it again: the hub may have crashed"
    repeated, gone, _ = news(app, later)
    truth = listing(app)
    assert all(truth[id_] == record for id_, record in repeated.items()), "what is told again is what is"
    assert not gone
    assert truth.keys() == {kept, edited, added}


@check()
def nothing_is_lost_that_happens_in_one_second(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="0")
    app = world.open()
    cursor = caught_up(app)
    state: dict[str, Record] = listing(app)
    for number in range(1, 6):
        world.edit(id_, first_name=str(number))
        added = world.add(email=f"person{number}@example.org")
        told, _, cursor = news(app, cursor)
        state |= told
        assert state[id_].fields["first_name"] == str(number)
        assert added in state
    assert state == listing(app)


@check(lambda spec: spec.incremental)
def a_cursor_spares_what_did_not_change(world: AppWorld) -> None:
    world.add_all(persons(world.people))
    app = world.open()
    cursor = caught_up(app)
    _, _, cursor = news(app, cursor)
    pages = list(app.read(cursor))
    assert not any(page.complete or page.expired for page in pages), "a read from a cursor is no listing"
    assert last_cursor(pages) is not None
    assert world.overlaps or not any(page.records or page.gone for page in pages)


@check(lambda spec: not spec.incremental)
def a_read_is_a_listing_or_nothing_where_no_feed_is_claimed(world: AppWorld) -> None:
    ids = set(world.add_all(persons(3)))
    app = world.open()
    cursor = caught_up(app)
    pages = list(app.read(cursor))
    unchanged = len(pages) == 1 and not pages[0].records and not pages[0].complete and pages[0].cursor == cursor
    assert unchanged or (pages[-1].complete and {record.id for page in pages for record in page.records} == ids)
    ids.add(world.add(email="new@example.org"))
    pages = list(app.read(cursor))
    assert pages[-1].complete, "what is no feed lists everything when something has changed"
    assert {record.id for page in pages for record in page.records} == ids


@check(lambda spec: spec.incremental)
def a_cursor_that_is_none_is_told_so(world: AppWorld) -> None:
    world.add(email="ada@example.org")
    app = world.open()
    listing(app)
    for wrong in ("", "nonsense", "{}", "[]", "null", '{"v": 1}'):
        pages = list(app.read(wrong))
        assert len(pages) == 1
        assert pages[0].expired
        assert not pages[0].records


@check()
def get_proves_what_is_there_and_what_is_gone(world: AppWorld) -> None:
    ids = world.add_all(persons(4))
    app = world.open()
    listed = listing(app)
    assert app.get(ids) == listed
    assert app.get([]) == {}
    world.delete(ids[1])
    assert app.get([*ids, "nobody", ids[0]]).keys() == {ids[0], ids[2], ids[3]}
    assert ids[1] not in listing(app)


@check(lambda spec: not spec.reuses_ids)
def the_id_of_who_was_deleted_is_not_given_to_somebody_else(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    world.delete(id_)
    assert world.add(email="grace@example.org", first_name="Grace") != id_


@check(lambda spec: spec.reports_gone)
def a_deletion_is_named(world: AppWorld) -> None:
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    cursor = caught_up(app)
    world.delete(id_)
    told, gone, cursor = news(app, cursor)
    assert gone == {id_}
    assert id_ not in told
    assert listing(app).keys() == {other}


@check(lambda spec: not spec.reports_gone)
def no_deletion_is_named_where_none_is_claimed(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.add(email="grace@example.org")
    app = world.open()
    cursor = caught_up(app)
    world.delete(id_)
    _, gone, _ = news(app, cursor)
    assert not gone


@check(lambda spec: spec.rung in {"C", "D", "E"})
def find_gives_what_is_stored_exactly_so(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    other = world.add(email="grace@example.org", first_name="Ada")
    app = world.open()
    listing(app)  # as often as the app's lag wants it: a search may not know yet what was just made
    assert app.find("email", "ada@example.org") == [known(app, id_)]
    assert {record.id for record in app.find("first_name", "Ada")} == {id_, other}
    assert app.find("email", "nobody@example.org") == []


@check()
def the_fingerprint_names_the_account(world: AppWorld) -> None:
    app = world.open()
    name = app.fingerprint()
    world.add(email="ada@example.org")
    assert app.fingerprint() == name == world.open().fingerprint()
    assert world.open_other().fingerprint() != name


@check()
def an_app_that_cannot_be_reached_is_never_an_empty_one(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    caught_up(app)
    world.break_off()
    update = Write(kind="update", id=id_, fields={"first_name": "Ada"})
    for ask in (world.open, app.check, lambda: list(app.read(None)), lambda: app.get([id_])):
        assert raises_transient(ask), "an app that cannot be reached answered"
    [result] = app.write([update])
    if app.spec.update:
        assert isinstance(result, Unknown) or (isinstance(result, Rejected) and result.why == "busy")
    else:
        assert isinstance(result, Rejected)
    assert not world.is_there(), "an app was made where there was none"


def raises_transient(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except TransientError:
        return True
    return False


@check()
def closing_twice_is_harmless(world: AppWorld) -> None:
    app = world.open()
    listing(app)
    app.close()
    app.close()


@check()
def an_account_claims_no_more_than_its_connector(world: AppWorld) -> None:
    spec, fields = world.open().spec, world.open().fields
    assert set(spec.unique) <= set(fields)
    assert spec.write_batch > 0
    assert all(field.path for field in fields.values())
    assert set(world.fields) <= set(fields)
