"""Power cuts: syncd dies, and of its store only what was synced to the disk is left. The vendors are other machines.

Two verdicts: whatever a vendor has got, the store that is left knows of; and it all ends as if nothing had happened.
Hard rule: with `synchronous=NORMAL` the first verdict must be another one, or this proves nothing.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.crash.disk import Disk, steps
from tests.crash.lab import APPS
from tests.crash.sweep import Figures
from tests.crash.trial import Bench, is_killed

STORE: Final = ("syncd.db", "syncd.db-wal")
FORGOTTEN: Final = "unsent"
"""The kind of what must not be: a vendor holds a record that the store knows nothing of."""


def cut_power(bench: Bench, places: Iterable[str], *, lazy: bool = False, seed: int | None = None) -> Figures:
    """Cut the power at each of these. `seed`: some of what was not synced survives; none of it otherwise.

    `lazy` is the control: only the first verdict is asked for.
    """
    figures, log = Figures(), bench.three.folder.with_name("disk.log")
    chance = None if seed is None else random.Random(seed)
    for place in places:
        bench.renew()
        store, before = bench.three.folder / "var", {app: {*bench.three.rows(app)} for app in APPS}
        disk = Disk(
            {str(store / name): (store / name).read_bytes() for name in STORE if (store / name).exists()}, chance
        )
        killed = is_killed(bench.syncd(*bench.scene.words, point=place, disk=log, lazy=lazy))
        if not killed:
            figures.missed.append(f"{bench.scene.name} {place}, power")
        for step in steps(log):
            if Path(step[1]).name in STORE:
                disk.take(step)
        for name in (*STORE, "syncd.db-shm"):
            (store / name).unlink(missing_ok=True)
        for file, data in disk.after_the_cut().items():
            Path(file).write_bytes(data)
        figures.trials["power_cuts"] += 1
        found = [f"{FORGOTTEN}: {what}" for what in _forgotten(bench, before)]
        found += [] if lazy else bench.verdict()
        figures.wrong += [f"{bench.scene.name} {place}, power: {text}" for text in found]
    return figures


def _forgotten(bench: Bench, before: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Name what the vendors were made to create, and of which there is neither a record in the store nor a SENT row."""
    with closing(sqlite3.connect(bench.three.folder / "var" / "syncd.db")) as store:
        if not store.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'intent'").fetchone()[0]:
            yield "the store has no tables any more"
            return
        sound = store.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            yield f"the store is damaged: {sound}"
            return
        for app in APPS:
            created = bench.three.rows(app).keys() - {*before[app]}
            known = {id_ for (id_,) in store.execute(_RECORDS, [app])}
            sent = [id_ for (id_,) in store.execute(_SENT, [app])]
            unknown = sorted(created - known - {*sent})
            if len(unknown) > sum(not id_ for id_ in sent):  # where the app draws ids, the SENT row has none yet
                yield f"{app} was sent {unknown}"


_RECORDS: Final = "SELECT record.id FROM record JOIN app ON app.id = record.app WHERE app.name = ?"
_SENT: Final = "SELECT record FROM intent JOIN app ON app.id = intent.app WHERE app.name = ? AND kind = 2 AND sent = 1"
