"""What is sealed opens with the contact's secret only, and what cannot be read is an error: never an empty base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.state import Contact, Entry, Intent, Sent
from syncd.store import schema
from syncd.store.codec import Damaged, Sealer
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.stores import DATABASES, STORES, empty_store

CRM = 1


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store. The model encrypts nothing and holds nothing that could be damaged."""
    store = empty_store(request, tmp_path)
    yield store
    store.close()


@pytest.fixture(params=STORES)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store or a model."""
    store = empty_store(request, tmp_path)
    yield store
    store.close()


def do(store: Store, *steps: Callable[[Tx], object]) -> None:
    """Run these steps in one transaction."""
    store.transact(lambda tx: [step(tx) for step in steps])


def contact(number: int) -> Contact:
    return Contact(id=number, secret=b"secret of %7d" % number)


LINE = Entry(kind="value", app=CRM, record="a", field="phone", old=None, new="+49 171", reason="typed")


def journalled(store: Store) -> bytes:
    do(
        store,
        lambda tx: tx.insert_contacts([contact(1)]),
        lambda tx: tx.write_journal(1, 2, [(contact(1), [LINE, LINE])]),
    )
    return bytes(store.read(lambda tx: tx.connection.execute(sa.select(schema.journal.c.doc)).scalar_one()))


def test_the_journal_opens_with_the_contacts_secret_only(store: Store) -> None:
    doc = journalled(store)
    assert store.read(lambda tx: tx.journal_entries([1], None, None)) == {1: [LINE, LINE]}
    assert b"171" not in doc
    for sealer, secret in ((store.sealer, b"another secret"), (Sealer(b"x" * 32), contact(1).secret)):
        with pytest.raises(Damaged):
            sealer.open(secret, doc)
    store.transact(lambda tx: tx.connection.execute(sa.update(schema.contact).values(secret=b"")))  # erased
    with pytest.raises(Damaged):
        store.read(lambda tx: tx.journal_entries([1], None, None))


def test_one_flipped_bit_of_a_sealed_document_is_noticed(store: Store) -> None:
    doc = journalled(store)
    for bit in range(len(doc) * 8):
        flipped = bytearray(doc)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            store.sealer.open(contact(1).secret, bytes(flipped))


def test_equal_documents_are_sealed_differently(store: Store) -> None:
    assert len({store.sealer.seal(b"s", ["x"]) for _ in range(100)}) == 100


def test_who_gets_the_number_of_another_opens_nothing_of_his(any_store: Store) -> None:
    do(
        any_store,
        lambda tx: tx.insert_contacts([contact(1)]),
        lambda tx: tx.write_journal(1, 2, [(contact(1), [LINE])]),
        lambda tx: tx.open_case("conflict", contact(1), 1, 2, {"reason": "x"}),
        lambda tx: tx.delete_contact(1),
    )
    assert any_store.read(lambda tx: (tx.journal_entries([1], None, None), tx.cases(9), tx.open_cases())) == ({}, [], 1)
    any_store.transact(lambda tx: tx.insert_contacts([Contact(id=1, secret=b"somebody else's")]))
    for look in (lambda tx: tx.journal_entries([1], None, None), lambda tx: tx.cases(9)):
        with pytest.raises(Damaged):
            any_store.read(look)


def test_a_case_is_open_once_and_comes_back_sealed(any_store: Store) -> None:
    do(any_store, lambda tx: tx.insert_contacts([contact(1)]), lambda tx: tx.add_app("crm"))
    any_store.transact(lambda tx: tx.open_case("conflict", contact(1), 1, 2, {"reason": "first"}, field="phone"))
    any_store.transact(lambda tx: tx.open_case("conflict", contact(1), 1, 2, {"reason": "second"}, field="phone"))
    [case] = any_store.read(lambda tx: tx.cases(9))
    assert (case["kind"], case["field"], case["reason"], any_store.read(lambda tx: tx.open_cases())) == (
        "conflict", "phone", "second", 1,
    )  # fmt: skip
    assert any_store.transact(lambda tx: tx.close_cases(1, 3, field="other")) == 0
    assert any_store.transact(lambda tx: tx.close_cases(1, 3)) == 1
    any_store.transact(lambda tx: tx.open_case("conflict", contact(1), 2, 4, {"reason": "again"}, field="phone"))
    assert [case["reason"] for case in any_store.read(lambda tx: tx.cases(9))] == ["again"]


# -- damage


@pytest.mark.parametrize(
    "doc", [b"", b"{", b"[]", b"null", b"1", b'{"x": 1}', b'{"b": []}', b'{"b": {}, "k"', b"\xff\xfe"]
)
def test_a_row_that_does_not_decode_is_an_error_and_never_an_empty_base(store: Store, doc: bytes) -> None:
    filled: dict[str, Any] = {"app": CRM, "version": None, "digest": None, "at_ms": 5, "problem": None}
    rows: list[dict[str, Any]] = [
        {"id": "a", "contact": 1, "doc": doc, "seen": None},
        {"id": "b", "contact": None, "doc": None, "seen": doc},
    ]
    store.transact(lambda tx: tx.insert_records([{**filled, **each} for each in rows]))
    sent = Sent(app=CRM, contact=1, kind="update", record="a", fields={}, golden={}, version=None, at_ms=50)
    store.transact(lambda tx: tx.insert_contacts([contact(1)]))
    store.transact(lambda tx: tx.connection.execute(sa.update(schema.contact).values(doc=doc)))
    store.transact(
        lambda tx: tx.replace_intents([1], [Intent(app=CRM, kind="update", contact=1, record="a", fields={})])
    )
    store.transact(lambda tx: tx.mark_sent([sent]))
    store.transact(lambda tx: tx.connection.execute(sa.update(schema.intent).values(doc=doc)))
    for where, step in {
        "record a of app 1": lambda tx: tx.links_of([1]),
        "record a of app": lambda tx: tx.link(CRM, "a"),
        "record b of app 1": lambda tx: tx.unlinked(CRM, "", 9),
        "contact 1": lambda tx: tx.contacts([1]),
        "update of contact 1 in app 1": lambda tx: tx.sent(CRM),
    }.items():
        with pytest.raises(Damaged, match=f"{where}.*backup") as caught:
            store.read(step)
        assert caught.value.__cause__ is None  # it would quote the document
