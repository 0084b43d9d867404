"""Passes of the running daemon, looked at from inside: `inside.py DIR PASSES CHANGES [API]` prints JSON.

DIR is one that `once.py sql` (with API, A's address: `once.py json`) made and synced. First passes that find nothing to do: the statements that reach each app's
database and the store, and the CPU. Then as many passes that find CHANGES changed rows in A: the CPU a change. The first two
passes, which open apps and make statements, do not count.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from people import change, settle

from syncd import logs, registry
from syncd.config import load_config
from syncd.daemon import Pass, WatchedWorld
from syncd.engine.kept import KeptApps
from syncd.engine.runs import Session
from syncd.engine.subscribing import Subscriptions
from syncd.store.lease import Fenced, Lease
from syncd.store.opening import open_store
from syncd.store.store import Store

WARM = 2


class Counting:
    """Counts statements by where they go."""

    def __init__(self, store: Store) -> None:
        self.of: Counter[str] = Counter()
        self._store = store.engine
        store.close()  # it asks the driver itself, and begins afresh with a connection that tells
        sa.event.listen(store.engine, "connect", lambda driver, _: driver.set_trace_callback(self._note))
        sa.event.listen(sa.Engine, "before_cursor_execute", self._count)

    def _note(self, text: str) -> None:
        self.of["settings" if text.startswith(("PRAGMA", "BEGIN", "COMMIT", "--")) else "store"] += 1

    def _count(self, connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:
        if connection.engine is not self._store:
            self.of["settings" if text.startswith(("PRAGMA", "BEGIN")) else "apps"] += 1


def edit(api: str, count: int, number: int) -> None:
    """Give so many contacts of an account another title, each time other ones."""
    asked = {"op": "update", "count": count, "offset": number, "field": "job_title", "value": f"Title {number}"}
    urllib.request.urlopen(f"{api}/_admin/mutate", json.dumps(asked).encode()).close()


def main(folder: Path, passes: int, changes: int, api: str) -> dict[str, Any]:
    """Run the passes. `api`: where A is an account, its address."""
    os.environ["API_TOKEN"] = "t"
    config = load_config(folder / "syncd.yaml", registry.spec)
    logs.set_up("error")
    store = open_store(config.store, config.data_dir)
    kept = KeptApps(lambda app: registry.load(app.connector_at, config.connector_folders))

    def timed(count: int) -> float:
        begun = time.process_time()
        for _ in range(count):
            with Lease(store, wait_seconds=1.0) as lease:
                world = WatchedWorld(Fenced(store, lease), lease, lambda: None, lambda: False)
                session = Session(config=config, store=store, world=world, load=kept.load)
                Pass(
                    session, world, kept, dict.fromkeys([app.name for app in config.apps], "poll"), Subscriptions("")
                ).run()
        return time.process_time() - begun

    def quieten() -> None:
        for name in () if api else ("a.db", "b.db"):
            settle(folder / name)
        timed(1)

    try:
        quieten()
        timed(WARM)
        found = {"cpu_ms": timed(passes) / passes * 1000}
        busy = []
        for number in range(passes):
            edit(api, changes, number) if api else change(folder / "a.db", changes, number)
            busy.append(timed(1) * 1000 / changes)
            quieten()
        counting = Counting(store)  # after the figures, for it takes some time of its own
        timed(1)
        found |= {"queries_an_app": counting.of["apps"] / len(config.apps), "store_statements": counting.of["store"]}
        return {**found, "changes": changes, "ms_a_change": statistics.median(busy)}
    finally:
        kept.close()
        store.close()


if __name__ == "__main__":
    if len(sys.argv) not in {4, 5}:
        sys.exit(__doc__)
    asked = (Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(main(*asked, sys.argv[4] if len(sys.argv) > 4 else "")))
