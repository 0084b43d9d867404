"""Fuzz: whatever becomes of a stored document, it is read as it was written or not at all, never as an empty base."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.state import Contact, Link, Seen, Sent, Stamp
from syncd.store import codec
from syncd.store.codec import Damaged
from tests.hubs import Hub

VALUES = (
    st.none()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5), max_size=3)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
)
FIELDS = st.dictionaries(st.text(max_size=8), VALUES, max_size=6)
SEEN = Seen(fields={"email": "a@x.org"}, version="v", at_ms=1, since_ms=0)


def _link(raw: bytes) -> Any:
    return codec.read_link(1, "r", 1, None, 0, raw, None).base


def _seen(raw: bytes) -> Any:
    found = codec.read_link(1, "r", 1, None, 0, None, raw).seen
    assert found is not None
    return found.fields


def _contact(raw: bytes) -> Any:
    return codec.read_contact(1, 0, b"", raw).golden


def _sent(raw: bytes) -> Any:
    return codec.read_sent(1, 1, 1, "r", 0, raw).fields


def _contact_doc(fields: dict[str, Any]) -> bytes:
    return codec.contact_doc(Contact(id=1, secret=b"", golden=fields, stamps=dict.fromkeys(fields, Stamp(1, 2, 3))))


def _sent_doc(fields: dict[str, Any]) -> bytes:
    return codec.sent_doc(
        Sent(app=1, contact=1, kind="update", record="r", fields=fields, golden={}, version=None, at_ms=0)
    )


KINDS: dict[str, tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any]]] = {
    "link": (lambda fields: codec.link_doc(Link(app=1, id="r", contact=1, base=fields)), _link),
    "seen": (lambda fields: codec.seen_doc(Seen(fields=fields, version=None, at_ms=0, since_ms=0)), _seen),
    "contact": (_contact_doc, _contact),
    "sent": (_sent_doc, _sent),
}


@st.composite
def damages(draw: Any, doc: bytes) -> bytes:
    """Flip a bit, lose the end, lose a piece, or put something else in its place."""
    kind = draw(st.sampled_from(["flip", "end", "piece", "other"]))
    place = draw(st.integers(0, len(doc) - 1))
    if kind == "flip":
        flipped = doc[place] ^ (1 << draw(st.integers(0, 7)))
        return doc[:place] + bytes([flipped]) + doc[place + 1 :]
    if kind == "end":
        return doc[:place]
    if kind == "piece":
        return doc[:place] + doc[draw(st.integers(place + 1, len(doc))) :]
    other: bytes = draw(st.binary(max_size=40) | st.just(b"{}") | st.just(b"null") | st.just(b"\0" * len(doc)))
    return other


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), fields=FIELDS)
def test_a_document_is_read_as_it_was_written_or_not_at_all(kind: str, data: st.DataObject, fields: Any) -> None:
    write, read = KINDS[kind]
    doc = write(fields)
    assert read(doc) == fields
    damaged = data.draw(damages(doc))
    if damaged != doc:
        with pytest.raises(Damaged) as told:
            read(damaged)
        assert told.value.__cause__ is None


@pytest.mark.parametrize(("table", "column"), [("record", "doc"), ("contact", "doc")])
def test_a_bit_that_flipped_on_the_disk_stops_the_run_before_any_write(tmp_path: Path, table: str, column: str) -> None:
    hub = Hub(tmp_path)
    people = [{"id": str(n), "email": f"p{n}@example.com", "first_name": "Ada"} for n in range(3)]
    hub.csv("crm", people)
    hub.csv("news", people)
    hub.synced()
    with closing(sqlite3.connect(tmp_path / "var" / "syncd.db")) as database, database:
        row, doc = database.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid LIMIT 1").fetchone()
        at = doc.index(b"Ada")
        doc = doc[:at] + b"Bda" + doc[at + 3 :]
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (doc, row))
    for person in people:
        person["last_name"] = "Lovelace"
    hub.write("crm", people)
    before = hub.rows("news")
    said = hub.run("sync", "--json")
    assert said.code == 2
    assert "damaged" in said.err
    assert "backup" in said.err
    assert "Ada" not in said.err
    assert hub.rows("news") == before
