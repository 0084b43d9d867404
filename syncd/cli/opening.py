"""From the operator's file to a session that can run: configuration, store, world, lease.

Hard rule: whatever was opened is closed, and a lease that was taken is given back, however the command ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncd.cli import show

if TYPE_CHECKING:
    from syncd.config import Config, Process
    from syncd.engine.runs import Session

LEASE_SECONDS: Final = 60.0
"""How long a command waits for another one, or for the daemon's pass, to end (DESIGN 5)."""


def process() -> Process:
    """Read the settings of this process."""
    from syncd.config import process_settings

    return process_settings()


def configured(file: Path | None, *, resolve: bool = True) -> Config:
    """Read and check the configuration. Raises ConfigError with every problem in it."""
    from syncd import registry
    from syncd.config import load_config

    settings = process()
    return load_config(file or settings.config, registry.spec, process=settings, resolve=resolve)


@contextmanager
def opened(file: Path | None, *, lease: bool = False) -> Iterator[Session]:
    """Open the store for a command that only looks, or that changes no app. `lease`: for one that writes, alone."""
    from syncd import registry
    from syncd.cli.progress import command_world
    from syncd.engine.first import WENT_BACK, look_again
    from syncd.engine.runs import Session
    from syncd.engine.setup import trapped
    from syncd.store.lease import Lease
    from syncd.store.opening import open_store

    config = configured(file)
    store = open_store(config.store, config.data_dir, key=config.key)
    held = Lease(store, wait_seconds=LEASE_SECONDS, went_back=look_again) if lease else None
    try:
        with held or nullcontext(), command_world(store, held) as world:
            if held is not None and held.store_went_back:
                show.complain(WENT_BACK)
            yield Session(
                config=config,
                store=store,
                world=trapped(world, config),
                load=lambda app: registry.load(app.connector_at, config.connector_folders),
            )
    finally:
        store.close()


def leased(file: Path | None) -> AbstractContextManager[Session]:
    """Open the store for a command that writes: alone, waiting for others as long as people do."""
    return opened(file, lease=True)
