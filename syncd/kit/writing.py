"""What writes must do: only what was asked, only where it still holds, one result each, and nothing raised."""

from __future__ import annotations

from typing import Any

from syncd.kit.suite import caught_up, check, known, listing, new, news, offered, one, persons
from syncd.kit.worlds import AppWorld
from syncd.model import Applied, Rejected, Unknown, Write

TEXTS = (
    "=1+1",
    '=HYPERLINK("http://example.org")',
    "'=x",
    "''=x",
    "'x",
    "@home",
    "-later",
    "+more",
    "\tindented",
    "+49 (30) 123-456",
    "-1",
    "+",
    'a, b; "c" | d',
    '"',
    "two\nlines",
    "two\r\nlines",
    "Ünïcödé 你好 🎉",
    "a\u2028b\u0085c\x0bd",
    "O'Brien",
    "100 %s %(x)s :x ?",
    "\\N",
    "NULL",
    "x" * 10_000,
)
HOSTILE: tuple[Any, ...] = (
    "nul\0here",
    "half \ud800 a pair",
    ["a", "b"],
    {"a": 1},
    True,
    10**400,
    float("nan"),
    1.5,
    "x" * 200_000,
)


@check(lambda spec: spec.create)
def a_create_makes_what_was_asked(world: AppWorld) -> None:
    app = world.open()
    cursor = caught_up(app)
    asked = offered(world, {"email": "ada@example.org", "first_name": "Ada", "phone": None})
    result = one(app, new(app, 1, **asked))
    assert isinstance(result, Applied)
    assert result.record is not None
    record = result.record
    assert record == known(app, record.id) == listing(app)[record.id]
    assert all(record.fields[name] is None for name, raw in asked.items() if raw is None)
    if world.exact:
        assert (record.fields["email"], record.fields["first_name"]) == ("ada@example.org", "Ada")
    told, _, _ = news(app, cursor)
    assert told[record.id] == record, "our own write is read back as an echo"


@check(lambda spec: not spec.create)
def no_create_where_none_is_claimed(world: AppWorld) -> None:
    app, before = world.open(), world.everything()
    result = one(app, Write(kind="create", id="1" * 16, fields={"email": "ada@example.org"}))
    assert isinstance(result, Rejected)
    assert world.everything() == before


@check(lambda spec: spec.create and spec.rung == "A")
def a_create_that_is_repeated_makes_one_record(world: AppWorld) -> None:
    app = world.open()
    write = new(app, 1, email="ada@example.org", first_name="Ada")
    assert isinstance(one(app, write), Applied)
    before = world.everything()
    again = one(app, write)
    assert isinstance(again, Rejected)
    assert (again.why, again.existing) == ("exists", write.id)
    stranger = Write(kind="create", id=write.id, fields={"email": "grace@example.org"})
    result = one(world.open(), stranger)
    assert isinstance(result, Rejected)
    assert result.why == "exists"
    assert world.everything() == before
    assert len(listing(app)) == 1


@check(lambda spec: spec.create and spec.rung == "A")
def ids_that_are_drawn_differ(world: AppWorld) -> None:
    app = world.open()
    tokens = [f"{number:016x}" for number in (0, 1, 2, 2**63, 2**63 + 2, 2**64 - 1)]
    ids = [app.new_id(token) for token in tokens]
    assert len(set(ids)) == len(ids)
    assert ids == [world.open().new_id(token) for token in tokens], "the id of a token is always the same"


@check(lambda spec: spec.create and bool(spec.unique))
def what_may_be_there_once_is_there_once(world: AppWorld) -> None:
    app = world.open()
    name = app.spec.unique[0]
    first = one(app, new(app, 1, **{"email": "ada@example.org", name: "ada@example.org"}))
    assert isinstance(first, Applied)
    assert first.record is not None
    before = world.everything()
    again = one(app, new(app, 2, **{"email": "ada@example.org", name: "ada@example.org"}))
    assert isinstance(again, Rejected)
    assert (again.why, again.field, again.existing) == ("exists", name, first.record.id)
    assert world.everything() == before


@check(lambda spec: spec.update)
def an_update_changes_the_named_fields_only(world: AppWorld) -> None:
    ids = world.add_all(persons(5))
    app = world.open()
    cursor = caught_up(app)
    before, untouched = listing(app), world.untouched(ids[2])
    old = before[ids[2]]
    result = one(
        app,
        Write(kind="update", id=old.id, fields={world.changed: "+49 40 1"}, expect=old.fields, version=old.version),
    )
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record == known(app, old.id) == listing(app)[old.id]
    changed = {name for name, value in result.record.fields.items() if value != old.fields[name]}
    assert changed == {world.changed}
    assert world.untouched(ids[2]) == untouched, "something was changed that nobody named"
    told, _, _ = news(app, cursor)
    assert told[old.id] == result.record


@check(lambda spec: spec.update)
def none_clears(world: AppWorld) -> None:
    there = {"email": "ada@example.org", "first_name": "Ada", world.changed: "+49 30 1"}
    id_ = world.add(**there)
    app = world.open()
    result = one(app, Write(kind="update", id=id_, fields={world.changed: None}, expect={world.changed: "+49 30 1"}))
    assert isinstance(result, Applied)
    record = known(app, id_)
    assert {name: record.fields[name] for name in there} == {**there, world.changed: None}


@check(lambda spec: spec.update)
def what_is_already_so_stays_so(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    result = one(app, Write(kind="update", id=id_, fields={"email": "ada@example.org"}))
    assert isinstance(result, Applied)
    assert known(app, id_).fields["email"] == "ada@example.org"
    assert isinstance(one(app, Write(kind="update", id=id_, fields={})), Applied)


@check(lambda spec: spec.update and spec.lost_update == "cas")
def an_edit_that_the_hub_has_not_seen_is_never_overwritten(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada", phone="+49 30 1")
    app = world.open()
    seen = known(app, id_)
    world.edit(id_, phone="+49 30 2")
    before = world.everything()
    for fields in ({"phone": "+49 30 3"}, {"first_name": "Augusta", "phone": "+49 30 3"}, {"phone": None}):
        result = one(
            app,
            Write(kind="update", id=id_, fields=fields, expect={"phone": seen.fields["phone"]}, version=seen.version),
        )
        assert isinstance(result, Rejected)
        assert result.why == "moved"
    assert world.everything() == before


@check(lambda spec: spec.update and spec.lost_update == "jump" and spec.versions == "ordered")
def an_edit_that_was_overwritten_shows_in_the_version(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", phone="+49 30 1")
    app = world.open()
    seen = known(app, id_)
    quiet = one(app, Write(kind="update", id=id_, fields={"phone": "+49 30 2"}, expect=seen.fields))
    assert isinstance(quiet, Applied)
    assert quiet.record is not None
    world.edit(id_, phone="+49 30 3")
    loud = one(app, Write(kind="update", id=id_, fields={"phone": "+49 30 4"}, expect=quiet.record.fields))
    assert isinstance(loud, Applied), "no comparison is claimed"
    assert loud.record is not None
    steps = [int(record.version or 0) for record in (seen, quiet.record, loud.record)]
    assert (steps[1] - steps[0], steps[2] - steps[1]) == (1, 2)


@check(lambda spec: spec.update)
def an_update_of_nobody_makes_nobody(world: AppWorld) -> None:
    ids = world.add_all(persons(2))
    app = world.open()
    listing(app)
    world.delete(ids[0])
    before = world.everything()
    for id_ in ("nobody", ids[0]):
        result = one(app, Write(kind="update", id=id_, fields={"first_name": "Ada"}, expect={"phone": "+49 30 000000"}))
        assert isinstance(result, Rejected)
        assert result.why == "gone"
    assert world.everything() == before


@check(lambda spec: not spec.update)
def no_update_where_none_is_claimed(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app, before = world.open(), world.everything()
    assert isinstance(one(app, Write(kind="update", id=id_, fields={"first_name": "Ada"})), Rejected)
    assert world.everything() == before


@check(lambda spec: spec.archive)
def an_archived_record_is_gone(world: AppWorld) -> None:
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    cursor = caught_up(app)
    seen = known(app, id_)
    world.edit(id_, first_name="Ada")
    if app.spec.lost_update == "cas":
        moved = one(app, Write(kind="archive", id=id_, fields={}, expect=seen.fields, version=seen.version))
        assert isinstance(moved, Rejected)
        assert moved.why == "moved"
    seen = known(app, id_)
    result = one(app, Write(kind="archive", id=id_, fields={}, expect=seen.fields, version=seen.version))
    assert isinstance(result, Applied)
    assert app.get([id_, other]).keys() == {other} == listing(app).keys()
    _, gone, _ = news(app, cursor)
    assert gone == ({id_} if app.spec.reports_gone else set())
    again = one(app, Write(kind="archive", id=id_, fields={}))
    assert isinstance(again, Rejected)
    assert again.why == "gone"


@check(lambda spec: not spec.archive)
def no_archive_where_none_is_claimed(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app, before = world.open(), world.everything()
    assert isinstance(one(app, Write(kind="archive", id=id_, fields={})), Rejected)
    assert world.everything() == before


@check(lambda spec: spec.create and spec.update)
def one_bad_write_stops_only_itself(world: AppWorld) -> None:
    ids = world.add_all(persons(4))
    app = world.open()
    update = [Write(kind="update", id=id_, fields={"first_name": "Better"}) for id_ in ids]
    bad = Write(kind="update", id=ids[1], fields=world.refused or {"no_such_field": "x"})
    nobody = Write(kind="update", id="nobody", fields={"first_name": "Better"})
    stale = Write(kind="update", id=ids[2], fields={"first_name": "Better"}, expect={"email": "other@example.org"})
    batch = [nobody, update[0], bad, stale if app.spec.lost_update == "cas" else update[2], update[3]]
    batch += [new(app, number, email=f"new{number}@example.org") for number in range(3)]
    results = app.write(batch)
    assert len(results) == len(batch)
    good = [isinstance(result, Applied) for result in results]
    assert good == [False, True, False, app.spec.lost_update != "cas", True, True, True, True]
    for write, result in zip(batch, results, strict=True):
        if isinstance(result, Applied):
            assert result.record is not None
            assert write.id in {"", result.record.id}, "results come in the order of the writes"
            assert known(app, result.record.id) == result.record
    truth = listing(app)
    assert truth[ids[1]].fields["first_name"] == "Person 1"
    assert len(truth) == 7


@check(lambda spec: spec.create)
def a_full_batch_is_taken(world: AppWorld) -> None:
    app = world.open()
    assert app.write([]) == []
    count = min(app.spec.write_batch, 3 * world.people)
    writes = [new(app, number, **offered(world, fields)) for number, fields in enumerate(persons(count))]
    results = app.write(writes)
    truth = listing(app)
    assert len(truth) == count
    for number, result in enumerate(results):
        assert isinstance(result, Applied)
        assert result.record == truth[result.record.id if result.record else ""]
        assert (result.record.fields["email"] or "").lower() == f"person{number}@example.org"


@check(lambda spec: spec.update)
def every_text_comes_back_as_it_was(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    name = world.fields[-1]
    for text in TEXTS:
        result = one(app, Write(kind="update", id=id_, fields={name: text}))
        record = known(app, id_)
        if isinstance(result, Applied):
            assert result.record == record
            assert record.fields[name] == text or not world.exact, f"{text[:40]!r} came back as another text"
        else:
            assert isinstance(result, Rejected)
            assert result.field == name
            assert record.fields[name] != text
    assert known(app, id_).fields["email"] == "ada@example.org"


@check(lambda spec: spec.create and spec.update)
def no_value_makes_a_write_raise(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    name = world.fields[-1]
    for number, value in enumerate(HOSTILE):
        for write in (Write(kind="update", id=id_, fields={name: value}), new(app, number, email="x", **{name: value})):
            result = one(app, write)
            assert isinstance(result, Applied | Rejected | Unknown)
            if isinstance(result, Rejected):
                assert str(value)[:200] not in result.message, "a message holds a value"
                assert result.why in {"invalid", "exists"}
            if isinstance(result, Applied):
                assert result.record is not None
                assert result.record == known(app, result.record.id)
    for odd in ("", "nobody", "nul\0", "\ud800", "x" * 5000, "'; DROP TABLE people; --", "9" * 50, "line:1"):
        result = one(app, Write(kind="update", id=odd, fields={name: "x"}))
        assert isinstance(result, Rejected)
        assert result.why == "gone"
    assert id_ in listing(app), "the app is no longer readable"


@check(lambda spec: spec.create and spec.update)
def a_field_that_is_not_offered_is_refused(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app, before = world.open(), world.everything()
    for write in (
        Write(kind="update", id=id_, fields={"no_such_field": "x", "first_name": "Ada"}),
        new(app, 1, no_such_field="x", email="grace@example.org"),
    ):
        result = one(app, write)
        assert isinstance(result, Rejected)
        assert (result.why, result.field) == ("invalid", "no_such_field")
    for name, field in app.fields.items():
        if field.direction == "in":
            result = one(app, Write(kind="update", id=id_, fields={name: "x"}))
            assert isinstance(result, Rejected)
            assert (result.why, result.field) == ("readonly", name)
    assert world.everything() == before


@check(lambda spec: spec.create)
def what_is_required_is_asked_for(world: AppWorld) -> None:
    app = world.open()
    for name, field in app.fields.items():
        if field.required and field.direction != "in":
            before = world.everything()
            result = one(app, new(app, 1, **{"first_name": "Ada", name: None}))
            assert isinstance(result, Rejected)
            assert (result.why, result.field) == ("invalid", name)
            assert world.everything() == before


@check(lambda spec: spec.update)
def consent_is_written_like_any_other_field(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    result = one(app, Write(kind="consent", id=id_, fields={"first_name": "opted_out"}, expect={"first_name": None}))
    assert isinstance(result, Applied)
    assert (known(app, id_).fields["first_name"] or "").lower() == "opted_out"


@check(lambda spec: spec.update and any(where.max_length for where in spec.fields.values()))
def a_text_of_full_length_is_kept_and_a_longer_one_is_refused_or_read_back(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    for name, field in app.fields.items():
        if name not in world.fields or name == "email" or field.max_length is None:
            continue
        for length in (field.max_length, field.max_length + 1):
            before = known(app, id_)
            result = one(app, Write(kind="update", id=id_, fields={name: "x" * length}))
            after = known(app, id_)
            if isinstance(result, Applied):
                assert result.record == after, "what was cut is told as it was sent"
                assert length > field.max_length or after.fields[name] == "x" * length
            else:
                assert isinstance(result, Rejected)
                assert (result.why, result.field) == ("invalid", name)
                assert after == before
                assert length > field.max_length, "a text that the field says it holds is refused"
