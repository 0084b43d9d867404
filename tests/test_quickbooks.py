"""What is peculiar to QuickBooks: a version that every change needs, change capture that is cut, whole updates that erase."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncd.http.sandbox import Said
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.model import Applied, Rejected, Write
from tests.conformance.vendors import QuickBooksWorld


@pytest.fixture
def world() -> Iterator[QuickBooksWorld]:
    with contextlib.closing(QuickBooksWorld()) as made:
        yield made


def test_a_balance_that_moved_the_version_makes_a_write_wait(world: QuickBooksWorld) -> None:
    ids = world.add_all(persons(2))
    app = world.open()
    seen = app.get(ids)
    world.sandbox.edit(ids[0], {"Balance": 99.0})
    writes = [
        Write(kind="update", id=id_, fields={"notes": "x"}, expect={"notes": None}, version=seen[id_].version)
        for id_ in ids
    ]
    results = app.write(writes)
    assert [result.why if isinstance(result, Rejected) else "done" for result in results] == ["moved", "done"]
    assert world.sandbox.customers[int(ids[0])]["Balance"] == 99.0


def test_every_update_is_sparse(world: QuickBooksWorld) -> None:
    ids = world.add_all(persons(12))
    app = world.open()
    app.write([Write(kind="update", id=id_, fields={"notes": "x"}) for id_ in ids])
    one(app, Write(kind="update", id=ids[0], fields={"notes": "y"}))
    one(app, Write(kind="archive", id=ids[1], fields={}))
    sent = [asked.json() for asked in world.server.asked if asked.method == "POST" and asked.parts[0] == "v3"]
    customers = [
        each for doc in sent for item in doc.get("BatchItemRequest", [doc]) if (each := item.get("Customer", item))
    ]
    assert len(customers) == 14
    assert all(each["sparse"] is True and each["SyncToken"] for each in customers)
    assert all(each["Balance"] == 12.5 for each in world.sandbox.customers.values())


def test_more_changes_than_are_captured_are_read_anew(world: QuickBooksWorld) -> None:
    world.sandbox.captured_max = 1000
    ids = set(world.add_all(persons(5)))
    app = world.open()
    cursor = caught_up(app)
    ids |= {world.add(**fields) for fields in persons(1000)}
    [page] = list(app.read(cursor))
    assert page.expired
    told, _, _ = news(app, cursor)
    assert told.keys() == ids


def test_a_cursor_of_last_month_is_no_longer_good(world: QuickBooksWorld) -> None:
    app = world.open()
    cursor = caught_up(app)
    world.sandbox.clock.pass_seconds(28 * 86_400)
    assert not any(page.expired for page in app.read(cursor))
    world.sandbox.clock.pass_seconds(2 * 86_400)
    assert [page.expired for page in app.read(cursor)] == [True]


def test_a_lost_answer_is_asked_for_again_by_its_request_id(world: QuickBooksWorld) -> None:
    app = world.open()
    app.check()
    lost = iter([Said(cut=True)])
    world.server.after = lambda asked, said: next(lost, said) if asked.parts[-1] == "batch" else said
    results = app.write([new(app, number, **fields) for number, fields in enumerate(persons(3))])
    assert all(isinstance(result, Applied) for result in results)
    assert len(listing(app)) == 3


def test_one_name_is_there_once(world: QuickBooksWorld) -> None:
    app = world.open()
    results = app.write([
        new(app, number, first_name="Ada", last_name="Lovelace", email=f"ada{number}@example.org") for number in range(2)
    ])  # fmt: skip
    assert [result.why if isinstance(result, Rejected) else "made" for result in results] == ["exists", "made"]
    assert len(listing(app)) == 1


def test_a_blank_is_sent_as_a_text_and_read_as_none(world: QuickBooksWorld) -> None:
    [id_] = world.add_all([{"email": "ada@example.org", "company": "Engines Ltd"}])
    app = world.open()
    assert isinstance(one(app, Write(kind="update", id=id_, fields={"company": None})), Applied)
    assert known(app, id_).fields["company"] is None
