"""What every connector is asked: each claim of its Spec is proven both ways (claimed: it works; not claimed: it refuses).

Knows the contract (`syncd.connector`) and a `World`: one empty app, and what people do in it behind the connector's back.
No pytest here: a check is a function that returns or raises AssertionError, so that `syncd connectors test` can run it.
Hard rule: a check begins with an empty app and needs no other check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.connector import App
from syncd.kit.worlds import AppWorld
from syncd.model import Page, Raw, Record, Result, Spec, Write

NEEDS: Final = {
    "wire": "its world has no wire on which answers could be lost",
    "merge": "world.py does not say how people merge two records",
    "opt_out": "world.py does not say how people opt out",
    "samples": "it has no server on which sample answers could be given",
    "labels": "world.py names no field of the account's own",
    "letters": "its stand-in sends no webhooks",
}
"""What only some worlds can do -> why a check that needs it is not asked in others."""
NOT_CLAIMED: Final = "not claimed"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a connector."""

    name: str
    applies: Callable[[Spec], bool]
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()

    def missing(self, spec: Spec, world: AppWorld) -> str:
        """Say why it is not asked here; "" where it is."""
        if not self.applies(spec):
            return NOT_CLAIMED
        return next((NEEDS[each] for each in self.needs if not world.can(each)), "")


CHECKS: list[Check] = []


def check(
    applies: Callable[[Spec], bool] = lambda spec: True, *, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Any], None]], None]:
    """Enter a check in the list. It is asked where `applies` to what the app claims and the world can do what it `needs`."""

    def enter(run: Callable[[Any], None]) -> None:
        CHECKS.append(Check(run.__name__, applies, run, needs))

    return enter


def listing(app: App) -> dict[str, Record]:
    """Read everything; no id twice, and only the last page says that it was everything."""
    for _ in range(int(app.spec.lag_seconds)):
        list(app.read(None))
    pages = list(app.read(None))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True], "only the last page is complete"
    records = [record for page in pages for record in page.records]
    by_id = {record.id: record for record in records}
    assert len(by_id) == len(records), "an id was listed twice"
    return by_id


def last_cursor(pages: Sequence[Page]) -> str | None:
    """Give what the hub would store after these pages."""
    return next((page.cursor for page in reversed(pages) if page.cursor is not None), None)


def caught_up(app: App) -> str | None:
    """Read everything, and give the cursor."""
    for _ in range(int(app.spec.lag_seconds)):
        list(app.read(None))
    return last_cursor(list(app.read(None)))


def news(app: App, cursor: str | None) -> tuple[dict[str, Record], set[str], str | None]:
    """Read since the cursor, often enough for the app's lag; what it told last of each, the gone, the new cursor."""
    told: dict[str, Record] = {}
    gone: set[str] = set()
    for _ in range(1 + int(app.spec.lag_seconds)):
        pages = list(app.read(cursor))
        if any(page.expired for page in pages):
            assert len(pages) == 1, "an expired cursor is answered by one page"
            assert not pages[0].records, "an expired cursor is answered by no record"
            pages = list(app.read(None))
        told |= {record.id: record for page in pages for record in page.records}
        gone |= {id_ for page in pages for id_ in page.gone}
        cursor = last_cursor(pages) or cursor
    return told, gone, cursor


def one(app: App, write: Write) -> Result:
    """Ask for one thing."""
    results = app.write([write])
    assert len(results) == 1, "one result for one write"
    return results[0]


def new(app: App, number: int, **fields: Raw) -> Write:
    """Make the create that the hub would ask for."""
    id_ = app.new_id(f"{number:016x}")
    assert bool(id_) == (app.spec.rung in {"A", "B"}), "new_id gives an id on rungs A and B, and only there"
    return Write(kind="create", id=id_, fields=fields)


def known(app: App, id_: str) -> Record:
    """Give a record that is there."""
    found = app.get([id_])
    assert id_ in found, "get does not find a record that is there"
    assert found[id_].id == id_, "get gives a record under another id"
    return found[id_]


def persons(count: int) -> Iterator[dict[str, Any]]:
    """Give the fields of that many different people."""
    for number in range(count):
        yield {"email": f"person{number}@example.org", "first_name": f"Person {number}", "phone": f"+49 30 {number:06}"}


def offered(world: AppWorld, fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Leave out of somebody's fields what the app has no place for."""
    return {name: raw for name, raw in fields.items() if name in world.fields}


def besides(app: App, before: Record, after: Record, name: str) -> list[str]:
    """Name the other fields that an update of this one changed; what the app calculates may follow."""
    return sorted(
        each
        for each, raw in after.fields.items()
        if each != name and app.fields[each].direction != "in" and raw != before.fields.get(each)
    )
