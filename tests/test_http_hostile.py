"""Vendors that answer nonsense: real answers with one thing in them replaced. A read raises a reaction, a write nothing."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from syncd.errors import SyncdError
from syncd.http.sandbox import Asked, Said
from syncd.kit.suite import caught_up, persons
from syncd.model import Applied, Page, Record, Rejected, Unknown, Write
from tests.conformance.vendors import VENDORS

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e300,
    "",
    "x",
    "\ud83d\ude00",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "9" * 5000,
    2**70,
)
ROUNDS = 40


def spoiled(chance: random.Random, doc: Any) -> Any:
    """Replace one thing somewhere in a document."""
    made = {"": copy.deepcopy(doc)}
    holder: Any = made
    key: Any = ""
    while isinstance(holder[key], dict | list) and holder[key] and chance.random() < 0.75:
        holder = holder[key]
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    if chance.random() < 0.2 and isinstance(holder, dict) and key:
        del holder[key]
    else:
        holder[key] = chance.choice(JUNK)
    return made[""]


def spoiler(chance: random.Random) -> Callable[[Asked, Said], Said]:
    def spoil(asked: Asked, said: Said) -> Said:
        if chance.random() < 0.3 or asked.parts[-1] == "token":
            return said
        status = chance.choice(
            [said.status, said.status, said.status, 200, 201, 204, 207, 304, 400, 404, 409, 412, 422, 500]
        )
        try:
            doc = orjson.loads(orjson.dumps(spoiled(chance, said.doc)))
        except TypeError:  # a number that JSON does not carry
            doc = b'{"n": 1' + b"0" * 400 + b"}"
        return Said(status=status, doc=doc, headers=said.headers)

    return spoil


@pytest.mark.parametrize("vendor", VENDORS)
def test_nonsense_is_a_reaction_and_never_a_fault_of_ours(vendor: str) -> None:
    with contextlib.closing(VENDORS[vendor]()) as world:
        ids = world.add_all(persons(4))
        app = world.open()
        app.check()
        cursor = caught_up(app)
        for seed in range(ROUNDS):
            chance = random.Random(f"{vendor} {seed}")
            world.server.after = spoiler(chance)
            reads: list[Callable[[], Any]] = [
                app.check,
                app.fingerprint,
                lambda: list(app.read(None)),
                lambda: list(app.read(cursor)),
                lambda: app.get([*ids, "12345"]),
                lambda: app.find("email", "person1@example.org") if app.spec.rung != "F" else [],
            ]
            for read in reads:
                with contextlib.suppress(SyncdError):
                    sound(read())
            updates = [Write(kind="update", id=id_, fields={"first_name": f"Name {seed}"}) for id_ in ids]
            creates = [
                Write(kind="create", id="", fields={"email": f"n{seed}@example.org", "first_name": f"N {seed}"})
            ] * 2
            for writes in (updates, updates[:1], creates, creates[:1]):
                results = app.write(writes)
                assert len(results) == len(writes)
                assert all(isinstance(result, Applied | Rejected | Unknown) for result in results)


def sound(told: Any) -> None:
    """What a read gives is what the hub can store."""
    records = told.values() if isinstance(told, dict) else told if isinstance(told, list) else []
    for each in records:
        for record in each.records if isinstance(each, Page) else [each]:
            if isinstance(record, Record):
                assert isinstance(record.id, str)
                assert record.id
                assert record.version is None or isinstance(record.version, str)
                orjson.dumps(record.fields)
