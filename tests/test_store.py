"""The store holds what it was given, refuses what must not be, and tells nobody a value; the same on both databases,
and in the model that simulations run on: what is true of one and not of another is a fault in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.consent import Event, Evidence, Latch
from syncd.core.match import ALIAS, Holder
from syncd.core.state import Contact, Entry, Intent, Link, Seen, Sent, Stamp
from syncd.store import codec, schema
from syncd.store.codec import KIND_NUMBER
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.stores import DATABASES, STORES, empty_store, opened_again

CRM, NEWS = 1, 2
CONSENT, UPDATE, CREATE, ARCHIVE = range(4)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = empty_store(request, tmp_path)
    yield store
    store.close()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store that knows SQL: for what the model has no way to do wrong."""
    store = empty_store(request, tmp_path)
    yield store
    store.close()


def row(
    id_: str, *, app: int = CRM, contact: int | None = None, problem: str | None = None, **given: Any
) -> dict[str, Any]:
    """Make a row as `insert_records` wants it; it waits to be merged unless it has a problem."""
    seen = (
        None if problem else codec.seen_doc(Seen(fields={"email": f"{id_}@x.org"}, version="v1", at_ms=5, since_ms=3))
    )
    filled = {"app": app, "id": id_, "contact": contact, "version": "v1", "digest": b"12345678", "at_ms": 5}
    return {**filled, "problem": problem, "doc": None, "seen": seen, **given}


def add(store: Store, *rows: dict[str, Any]) -> None:
    store.transact(lambda tx: tx.insert_records(rows))


def do(store: Store, *steps: Callable[[Tx], object]) -> None:
    """Run these steps in one transaction."""
    store.transact(lambda tx: [step(tx) for step in steps])


def contact(number: int) -> Contact:
    return Contact(id=number, secret=b"secret of %7d" % number)


def sql(store: Store, statement: str) -> Any:
    return store.transact(lambda tx: tx.connection.exec_driver_sql(statement).rowcount)


def refused(store: Store, step: Any) -> str:
    """Say why the database refuses a step."""
    with pytest.raises(store.errors) as caught:
        store.transact(step)
    return str(caught.value)


# -- what must not be


def test_a_contact_has_one_record_in_an_app(store: Store) -> None:
    add(store, row("a", contact=1), row("b", app=NEWS, contact=1), row("c"), row("d"))
    assert "record" in refused(store, lambda tx: tx.insert_records([row("e", contact=1)]))
    assert "record" in refused(store, lambda tx: tx.attach([Link(app=CRM, id="c", contact=1)]))
    assert store.read(lambda tx: tx.link_apps([1])) == {1: {CRM, NEWS}}


def test_a_record_is_there_once(store: Store) -> None:
    add(store, row("a"))
    assert "record" in refused(store, lambda tx: tx.insert_records([row("a")]))


def test_one_intent_lives_for_each_app_kind_and_contact(store: Store) -> None:
    intent = Intent(app=CRM, kind="update", contact=1, record="a", fields={})
    for _ in range(2):
        store.transact(lambda tx: tx.replace_intents([1], [intent, intent]))
    assert store.read(lambda tx: tx.intent_counts()) == [(CRM, UPDATE, 0, 0, 1)]


def test_a_second_intent_is_refused_whoever_writes_it(database: Store) -> None:
    intent = Intent(app=CRM, kind="update", contact=1, record="a", fields={})
    database.transact(lambda tx: tx.replace_intents([1], [intent]))
    assert "intent" in refused(
        database,
        lambda tx: tx.connection.execute(sa.insert(schema.intent), {"app": CRM, "kind": UPDATE, "contact": 1}),
    )


@pytest.mark.parametrize("log", ["journal", "consent_log"])
def test_logs_only_grow(database: Store, log: str) -> None:
    entry = Entry(kind="note", app=None, record=None, field=None, old=None, new=None, reason="x")
    event = Event(channel="email", state="opted_out", at_ms=1, app=CRM)
    do(
        database,
        lambda tx: tx.write_journal(1, 2, [(contact(1), [entry])]),
        lambda tx: tx.log_consent(1, 2, [(b"s", event)]),
    )
    changes = ["UPDATE {} SET run = 9", "DELETE FROM {}", *([] if database.sqlite else ["TRUNCATE {}"])]
    for change in changes:
        with pytest.raises(database.errors, match=f"{log} only grows"):
            sql(database, change.format(log))


def test_a_column_holds_its_type_only(database: Store) -> None:
    add(database, row("a"))
    with pytest.raises(database.errors):
        sql(database, "UPDATE record SET at_ms = 'soon'")


def test_contact_numbers_are_never_given_twice(store: Store, tmp_path: Path) -> None:
    assert store.read(lambda tx: tx.next_contact()) == 1
    store.transact(lambda tx: tx.insert_contacts([contact(1), contact(2), contact(3)]))
    do(store, lambda tx: tx.delete_contact(3), lambda tx: tx.delete_contact(2))
    assert store.read(lambda tx: tx.next_contact()) == 4
    store.transact(lambda tx: tx.insert_contacts([contact(4)]))
    store.transact(lambda tx: tx.delete_contact(4))
    again = opened_again(store, tmp_path)
    assert again.read(lambda tx: tx.next_contact()) == 5
    again.close()


# -- records


def test_marks_tell_what_is_known_of_a_page_of_records(store: Store) -> None:
    add(store, row("a"), row("b", contact=7), row("c", problem="torn"), row("a", app=NEWS))
    do(
        store,
        lambda tx: tx.see([{"k_app": CRM, "k_id": "b", "digest": b"new", "problem": None, "seen": b"[]"}]),
        lambda tx: tx.touch_versions([{"k_app": CRM, "k_id": "a", "version": "v2"}]),
        lambda tx: tx.set_digests([{"k_app": CRM, "k_id": "c", "digest": b"left", "problem": None}]),
    )
    marks = store.read(lambda tx: tx.marks(CRM, ["a", "b", "c", "nobody"]))
    assert {id_: (m.version, m.digest, m.contact, m.problem) for id_, m in marks.items()} == {
        "a": ("v2", b"12345678", None, None),
        "b": ("v1", b"new", 7, None),
        "c": ("v1", b"left", None, None),
    }
    assert store.read(lambda tx: tx.marks(CRM, [])) == {}


def test_of_two_rows_for_one_record_the_last_counts(store: Store) -> None:
    add(store, row("a"), row("b"))
    page = [{"k_app": CRM, "k_id": id_, "version": v} for id_, v in (("a", "1"), ("b", "x"), ("a", "2"), ("a", None))]
    store.transact(lambda tx: tx.touch_versions(page))
    assert store.read(lambda tx: {k: m.version for k, m in tx.marks(CRM, ["a", "b"]).items()}) == {"a": None, "b": "x"}
    latches = {("email", b"s"): Latch(out_ms=1), ("sms", b"s"): Latch(out_ms=2)}
    store.transact(lambda tx: tx.save_latches(latches))
    store.transact(lambda tx: tx.save_latches({("email", b"s"): Latch(out_ms=4)}))
    assert store.read(lambda tx: tx.latches([b"s"])) == {b"s": {"email": Latch(out_ms=4), "sms": Latch(out_ms=2)}}


@pytest.mark.parametrize("count", [1, 500, 12_000])
def test_pages_may_have_any_size(store: Store, count: int) -> None:
    ids = [f"r{number:06}" for number in range(count)]
    add(store, *(row(id_, contact=number + 1) for number, id_ in enumerate(ids)))
    links = store.read(lambda tx: tx.links_of(range(1, count + 1)))
    store.transact(lambda tx: tx.save_links([link for mine in links.values() for link in mine]))
    assert list(store.read(lambda tx: tx.marks(CRM, ids))) == ids
    assert [mine[0].id for mine in links.values()] == ids


def test_links_come_back_as_they_were_saved(store: Store) -> None:
    add(store, row("a", contact=1), row("b", app=NEWS, contact=1), row("c", contact=2))
    saved = Link(
        app=CRM, id="a", contact=1, version=None, at_ms=77, base={"email": "ä@x.org", "tags": ["x"], "phone": None},
        acks={"email": ["k", "A@X"]}, flaws={"phone": "too long"},
        seen=Seen(fields={"email": ""}, version="v9", at_ms=80, since_ms=77),
    )  # fmt: skip
    done = Link(app=NEWS, id="b", contact=1, version="v1", at_ms=5, base={})
    store.transact(lambda tx: tx.save_links([saved, done]))
    assert store.read(lambda tx: tx.links_of([2, 1, 3])) == {
        2: [store.read(lambda tx: tx.link(CRM, "c"))],
        1: [saved, done],
        3: [],
    }
    assert store.read(lambda tx: tx.link(CRM, "nobody")) is None
    assert store.read(lambda tx: (tx.parked_count(CRM), tx.parked_count(NEWS))) == (1, 0)


def test_unlinked_records_come_by_id_until_they_have_a_contact(store: Store) -> None:
    add(
        store, row("b"), row("é"), row("a"), row("B"), row("x", problem="torn"), row("z", app=NEWS), row("l", contact=1)
    )
    page = store.read(lambda tx: tx.unlinked(CRM, "", 3))
    assert [link.id for link in page] == ["B", "a", "b"]  # by its bytes, on every database
    assert page[0].seen == Seen(fields={"email": "B@x.org"}, version="v1", at_ms=5, since_ms=3)
    for link in page:
        link.contact = 10 + len(link.id)
    store.transact(lambda tx: tx.attach(page[:1]))
    assert [link.id for link in store.read(lambda tx: tx.unlinked(CRM, "", 9))] == ["a", "b", "é"]
    assert [link.id for link in store.read(lambda tx: tx.unlinked(CRM, "b", 9))] == ["é"]


def test_holders_of_keys_are_records_and_aliases(store: Store) -> None:
    add(store, row("a", contact=1), row("b"))
    keys = [(b"k", CRM, "a"), (b"k", CRM, "b"), (b"k", ALIAS, "7"), (b"other", CRM, "a"), (b"k", NEWS, "gone")]
    rows = [{"key": key, "app": app, "record": record} for key, app, record in keys]
    store.transact(lambda tx: tx.add_keys([*rows, rows[0]]))
    assert store.read(lambda tx: tx.holders([b"k", b"none"])) == {
        b"k": [Holder(ALIAS, "7", 7), Holder(CRM, "a", 1), Holder(CRM, "b", None), Holder(NEWS, "gone", None)]
    }
    store.transact(
        lambda tx: tx.drop_keys([{"k_key": b"k", "k_app": app, "k_record": record} for _, app, record in keys])
    )
    assert store.read(lambda tx: list(tx.holders([b"k", b"other"]))) == [b"other"]


# -- listings


def listed(tx: Tx, run: int, *ids: str) -> None:
    tx.begin_listing(CRM)
    tx.list_ids(CRM, [*ids, *ids])
    tx.count_misses(CRM, run)


def test_what_a_listing_does_not_show_is_missed_once_a_run(store: Store) -> None:
    add(store, row("a", contact=1), row("b", contact=2), row("c"), row("torn", problem="x"), row("n", app=NEWS))
    store.transact(lambda tx: listed(tx, 5, "a"))
    assert store.read(lambda tx: tx.missing(CRM, 9)) == [("b", 1, 5, 2)]  # nobody ever had c
    assert store.read(lambda tx: (tx.missing_count(CRM), tx.struck(CRM, 2, 9), tx.any_missed(CRM))) == (1, [], True)
    store.transact(lambda tx: listed(tx, 5, "a"))
    assert store.read(lambda tx: tx.struck(CRM, 2, 9)) == []
    store.transact(lambda tx: listed(tx, 6, "a", "c"))
    assert store.read(lambda tx: (tx.missing(CRM, 9), tx.struck(CRM, 2, 9))) == ([("b", 2, 6, 2)], ["b"])
    do(
        store,
        lambda tx: tx.clear_misses(CRM, ["b"]),
        lambda tx: tx.strike(CRM, ["c"], 2),
        lambda tx: tx.end_listing(CRM),
    )
    assert store.read(lambda tx: (tx.struck(CRM, 2, 9), tx.any_missed(NEWS))) == (["c"], False)


@pytest.mark.parametrize(
    ("shown", "left"),
    [(True, ["linked", "missing", "parked"]), (False, ["linked", "missing", "parked here", "stranger"])],
)
def test_strangers_of_a_listing_are_forgotten_with_their_keys(store: Store, shown: bool, left: list[str]) -> None:
    add(store, row("linked", contact=1), row("missing"), row("stranger"), row("stranger", app=NEWS))
    add(store, row("parked", problem="x"), row("parked here", problem="x"))
    keys = [{"key": b"k", "app": app, "record": "stranger"} for app in (CRM, NEWS)]
    do(
        store,
        lambda tx: tx.add_keys([*keys, {"key": b"k", "app": CRM, "record": "linked"}]),
        lambda tx: tx.list_ids(CRM, ["linked", "stranger", "parked here"]),
        lambda tx: tx.forget_strangers(CRM, shown=shown),
    )
    ids = ["linked", "missing", "parked", "parked here", "stranger"]
    assert store.read(lambda tx: sorted(tx.marks(CRM, ids))) == left
    assert store.read(lambda tx: tx.record_count(NEWS)) == 1
    holders = store.read(lambda tx: [(h.app, h.record) for h in tx.holders([b"k"])[b"k"]])
    assert holders == sorted([(CRM, "linked"), (NEWS, "stranger"), *([] if shown else [(CRM, "stranger")])])


# -- what is to be merged


def test_dirty_contacts_come_in_order_whoever_made_them_so(store: Store) -> None:
    add(store, row("a", contact=9), row("b", contact=2), row("b", app=NEWS, contact=2), row("c", contact=4, seen=None))
    add(store, row("d", app=NEWS, contact=6), row("e"))
    store.transact(lambda tx: tx.mark_dirty([3, 9, 11, 3]))
    assert store.read(lambda tx: tx.dirty_contacts([], 0, 99)) == [2, 3, 6, 9, 11]
    assert store.read(lambda tx: tx.dirty_contacts([], 0, 2)) == [2, 3]
    assert store.read(lambda tx: tx.dirty_contacts([], 3, 2)) == [6, 9]
    assert store.read(lambda tx: tx.dirty_contacts([NEWS], 0, 99)) == [2, 3, 9, 11]
    assert store.read(lambda tx: tx.dirty_contacts([CRM, NEWS], 0, 99)) == [3, 9, 11]
    store.transact(lambda tx: tx.clear_dirty([3, 9]))
    assert store.read(lambda tx: tx.dirty_contacts([], 0, 99)) == [2, 6, 9, 11]


def test_no_dirty_contact_is_skipped_where_contacts_have_many_records(store: Store) -> None:
    add(store, *(row(f"r{number}", app=app, contact=number) for number in range(1, 8) for app in range(1, 8)))
    store.transact(lambda tx: tx.mark_dirty([3, 5, 50]))

    def pages(tx: Tx) -> Iterator[int]:
        last = 0
        while page := tx.dirty_contacts([], last, 2):
            yield from page
            last = page[-1]

    assert store.read(lambda tx: list(pages(tx))) == [1, 2, 3, 4, 5, 6, 7, 50]


def test_contacts_come_back_as_they_were_saved(store: Store) -> None:
    full = contact(1)
    full.golden = {"email": "ä@x.org", "phone": None, "tags": ["a"]}
    full.stamps = {"email": Stamp(CRM, 1, 2), "phone": Stamp(NEWS, 3, 4), "tags": Stamp(CRM, 1, 2)}
    full.tombs, full.held, full.refused = {NEWS: 5}, {"phone": "ask"}, {CRM: "too long"}
    full.going = {NEWS: CRM}
    full.flips, full.review = {"email": [2, "k", 9]}, True
    odd = contact(2)  # whatever was stamped, and nothing else
    odd.golden, odd.stamps = {"email": "a", "phone": "1"}, {"email": Stamp(CRM, 1, 2), "gone": Stamp(CRM, 1, 2)}
    store.transact(lambda tx: tx.insert_contacts([contact(1), odd, contact(3)]))
    store.transact(lambda tx: tx.save_contacts([full]))
    assert store.read(lambda tx: tx.contacts([2, 1, 4, 3])) == {1: full, 2: odd, 3: contact(3)}
    assert store.read(lambda tx: (tx.review_contacts(0, 9), tx.refused_count())) == ([1], 0), "nobody has a record"
    store.transact(lambda tx: tx.insert_records([row("a", contact=1)]))
    assert store.read(lambda tx: tx.refused_count()) == 1


# -- intents


def sent(number: int, kind: Any = "update", **given: Any) -> Sent:
    made = {"record": "a", "fields": {"phone": "1"}, "golden": {"phone": "k"}, "version": None, "at_ms": 50, **given}
    return Sent(app=CRM, contact=number, kind=kind, **made)


def test_a_sent_row_outlives_every_plan_until_it_is_dropped(store: Store) -> None:
    plans = [Intent(app=CRM, kind="update", contact=n, record="a", fields={}, clears=n == 2) for n in (1, 2, 3)]
    store.transact(lambda tx: tx.replace_intents([1, 2, 3], plans))
    assert [tuple(new) for new in store.read(lambda tx: tx.new_intents(CRM, UPDATE, 0, 2))] == [
        (1, None, 0),
        (2, None, 1),
    ]
    store.transact(lambda tx: tx.mark_sent([sent(2)]))
    store.transact(lambda tx: tx.replace_intents([1, 2, 3], [plans[1]]))
    assert store.read(lambda tx: tx.intent_counts()) == [(CRM, UPDATE, 1, 1, 1)]
    assert store.read(lambda tx: (tx.sent(CRM), tx.sent_of([1, 2]), tx.sent(NEWS))) == ([sent(2)], {2: [sent(2)]}, [])
    store.transact(lambda tx: tx.unsend(CRM, UPDATE, [2]))
    assert store.read(lambda tx: (tx.sent(CRM), tx.new_intents(CRM, UPDATE, 0, 9)[0].contact)) == ([], 2)
    store.transact(lambda tx: tx.drop_intents(CRM, UPDATE, [2]))
    assert store.read(lambda tx: tx.intent_counts()) == []


def test_a_create_keeps_the_id_that_was_drawn_for_it(store: Store) -> None:
    plan = Intent(app=CRM, kind="create", contact=1, record="", fields={})
    do(store, lambda tx: tx.replace_intents([1], [plan]), lambda tx: tx.plan_archive(CRM, 2))
    do(store, lambda tx: tx.mark_sent([sent(1, "create", record="drawn")]), lambda tx: tx.unsend(CRM, CREATE, [1]))
    store.transact(lambda tx: tx.replace_intents([1, 2], [plan]))
    assert [tuple(new) for new in store.read(lambda tx: tx.new_intents(CRM, CREATE, 0, 9))] == [(1, "drawn", 0)]
    assert [new.contact for new in store.read(lambda tx: tx.new_intents(CRM, ARCHIVE, 0, 9))] == [2]  # an operator's


@pytest.mark.parametrize(
    ("kind", "record", "known"), [("create", "drawn", True), ("create", "", False), ("update", "a", False)]
)
def test_what_was_sent_under_an_id_of_ours_is_known_until_it_is_not_planned_any_more(
    store: Store, kind: Any, record: str, known: bool
) -> None:
    """The request may arrive after all. An app that gives its own ids proves nothing by one."""
    plan = Intent(app=CRM, kind=kind, contact=1, record="", fields={})
    do(store, lambda tx: tx.replace_intents([1], [plan]), lambda tx: tx.mark_sent([sent(1, kind, record=record)]))
    do(store, lambda tx: tx.unsend(CRM, KIND_NUMBER[kind], [1]))
    assert store.read(lambda tx: tx.sent_of([1])) == ({1: [sent(1, kind, record=record)]} if known else {})
    store.transact(lambda tx: tx.replace_intents([1], []))
    assert store.read(lambda tx: tx.sent_of([1])) == {}


@pytest.mark.parametrize("kind", ["update", "consent", "create"])
def test_what_was_not_sent_after_all_and_is_not_planned_any_more_is_forgotten(store: Store, kind: Any) -> None:
    plans = [Intent(app=CRM, kind=kind, contact=n, record="", fields={}) for n in (1, 2, 3)]
    store.transact(lambda tx: tx.replace_intents([1, 2, 3], plans))
    store.transact(lambda tx: tx.mark_sent([sent(n, kind, record=f"drawn{n}") for n in (1, 2, 3)]))
    store.transact(lambda tx: tx.unsend(CRM, KIND_NUMBER[kind], [1, 2]))
    store.transact(lambda tx: tx.replace_intents([1, 2, 3], plans[:1]))
    assert [new.contact for new in store.read(lambda tx: tx.new_intents(CRM, KIND_NUMBER[kind], 0, 9))] == [1]
    assert [x.contact for x in store.read(lambda tx: tx.sent(CRM))] == [3]


# -- consent


def test_latches_come_back_with_their_evidence(store: Store) -> None:
    proven = Latch(out_ms=1, in_ms=2, evidence=Evidence(at="2026-01-01", at_ms=2, source="form"), app=CRM)
    closed = Latch(out_ms=9, in_ms=0, app=NEWS)
    store.transact(
        lambda tx: tx.save_latches({("email", b"h"): proven, ("email", b"c1"): closed, ("sms", b"h"): closed})
    )
    assert store.read(lambda tx: tx.latches([b"h", b"c1", b"?"])) == {
        b"h": {"email": proven, "sms": closed},
        b"c1": {"email": closed},
    }
    store.transact(lambda tx: tx.save_latches({("email", b"h"): proven.joined(closed)}))
    assert store.read(lambda tx: tx.latches([b"h"])[b"h"]["email"].closed)


# -- runs and apps


def test_runs_and_apps_are_numbered(store: Store) -> None:
    assert [store.transact(lambda tx: tx.begin_run("sync", 5)) for _ in range(2)] == [1, 2]
    store.transact(lambda tx: tx.end_run(2, 6, "held", {"why": "x"}))
    assert store.read(lambda tx: (tx.run(2), tx.run(1), tx.run(3), tx.last_run("held"))) == (
        ("sync", "held", {"why": "x"}), ("sync", None, {}), None, 2,
    )  # fmt: skip
    do(
        store,
        lambda tx: tx.add_app("crm"),
        lambda tx: tx.add_app("news"),
        lambda tx: tx.save_app(2, cursor="c", covered=2),
    )
    apps = store.read(lambda tx: tx.apps())
    assert [(app.id, app.name, app.cursor, app.covered) for app in apps.values()] == [
        (1, "crm", None, 0),
        (2, "news", "c", 2),
    ]
