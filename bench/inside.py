"""A pass of the running daemon that finds nothing to do, looked at from inside: `inside.py DIR PASSES` prints JSON.

DIR is one that `once.py sql` made and synced. Counts the statements that reach each app's database and the store, and the
rows that were read of the apps; CPU is the mean of the passes after the first two, which make plans and open apps.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from syncd import logs, registry
from syncd.config import load_config
from syncd.daemon import KeptApps, Pass, WatchedWorld
from syncd.engine.runs import Session
from syncd.store.lease import Fenced, Lease
from syncd.store.opening import open_store

WARM = 2


def main(folder: Path, passes: int) -> dict[str, Any]:
    """Run the passes."""
    config = load_config(folder / "syncd.yaml", registry.spec)
    logs.set_up("error")
    store = open_store(config.store, config.data_dir)
    kept = KeptApps(config)
    statements: Counter[str] = Counter()

    def count(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:
        ours = connection.engine is store.engine
        settings = text.startswith(("PRAGMA", "BEGIN"))
        statements["settings" if settings else "store" if ours else "apps"] += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    cpu = 0.0
    try:
        for number in range(WARM + passes):
            if number == WARM:
                statements.clear()
                cpu = time.process_time()
            with Lease(store, wait_seconds=1.0) as lease:
                world = WatchedWorld(Fenced(store, lease), lease, lambda: None, lambda: False)
                session = Session(config=config, store=store, world=world, load=kept.load)
                Pass(session, world, kept, dict.fromkeys([app.name for app in config.apps], False)).run()
        cpu = time.process_time() - cpu
    finally:
        kept.close()
        store.close()
    apps = len(config.apps)
    return {
        "cpu_ms": cpu / passes * 1000,
        "queries_an_app": statements["apps"] / passes / apps,
        "store_statements": statements["store"] / passes,
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
