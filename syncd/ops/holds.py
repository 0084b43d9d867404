"""Holds: which of what guards held waits for a person, and what has gone since.

A later run that read an app and did not hold it has shown that its cause is gone; an undo, or the performing of a plan,
reads without a guard and shows nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import select

from syncd.errors import ConfigError
from syncd.ops.times import iso
from syncd.store import schema as s
from syncd.store.tx import Tx

GUARDED: Final = ("sync", "resync")
UNGUARDED: Final = ("apply", "undo")
RUNS_MAX: Final = 50
"""So many runs are looked through; whoever is held is held again at every read."""
GONE: Final = "waits no more: what it held was approved and used up, or later runs read the app and did not hold it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run that ended."""

    number: int
    guarded: bool
    at_ms: int
    ended_ms: int
    held: list[dict[str, Any]]


def held_run(tx: Tx, names: Collection[str]) -> dict[str, Any] | None:
    """Return the newest run of which something waits for an approval, with what that is; of these apps only."""
    runs = _newest(tx)
    for place, run in enumerate(runs):
        if not run.held or tx.meta(f"approved {run.number}") is not None:
            continue
        if held := [each for each in _waiting(tx, runs, place) if each["app"] in names]:
            return {"run": run.number, "since": iso(run.at_ms), "held": held}
    return None


def demand_waiting(tx: Tx, number: int) -> None:
    """Raise ConfigError for a run of which later runs have shown that nothing it held waits any more."""
    runs = _newest(tx)
    place = next((place for place, run in enumerate(runs) if run.number == number), None)
    approved = tx.meta(f"approved {number}") is not None
    if place is not None and runs[place].held and not approved and not _waiting(tx, runs, place):
        raise ConfigError(f"run {number} {GONE}")


def _newest(tx: Tx) -> list[_Run]:
    """List the runs that ended last, newest first."""
    c = s.run.c
    where = (c.kind.in_((*GUARDED, *UNGUARDED)), c.outcome.is_not(None))
    query = select(c.id, c.kind, c.at_ms, c.ended_ms, c.doc).where(*where).order_by(c.id.desc())
    return [
        _Run(
            number=row.id,
            guarded=row.kind in GUARDED,
            at_ms=row.at_ms,
            ended_ms=row.ended_ms or row.at_ms,
            held=orjson.loads(row.doc).get("held", []) if row.doc else [],
        )
        for row in tx.connection.execute(query.limit(RUNS_MAX))
    ]


def _waiting(tx: Tx, runs: Sequence[_Run], place: int) -> list[dict[str, Any]]:
    """Leave out of what a run held the apps that were read with guards since they were held for it last."""
    read_ms = {name: state.read_ms for name, state in tx.apps().items()}
    return [
        held
        for held in runs[place].held
        if not _looked_at(read_ms.get(held["app"], 0), runs, _last_held(runs, place, held))
    ]


def _last_held(runs: Sequence[_Run], place: int, held: Mapping[str, Any]) -> int:
    """Find the newest run that held this app for this, which may be the same one."""
    what = held["app"], held["verb"]
    return next(i for i in range(place + 1) if any((each["app"], each["verb"]) == what for each in runs[i].held))


def _looked_at(read_ms: int, runs: Sequence[_Run], place: int) -> bool:
    """Say whether an app that was read last at this moment was looked at after a run."""
    unguarded = any(not each.guarded and each.at_ms <= read_ms <= each.ended_ms for each in runs[:place])
    return read_ms > runs[place].ended_ms and not unguarded
