"""What came up while mutants were looked for: faults of the sound engine (tests/sim/FAULTS.md), and rules nobody had tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli.progress import CommandWorld
from syncd.daemon import WatchedWorld
from syncd.engine.seam import LiveWorld
from syncd.store.lease import Lease
from syncd.store.opening import open_store
from syncd.store.store import LeaseLost
from tests.story import agreed


def test_a_record_is_found_by_the_address_that_syncd_gave_it(tmp_path: Path) -> None:
    """The index knew it by its address of before only: where the first record went and came back, it got a second one."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    crm, news = story["crm"], story["news"]
    crm.put(crm.id_of("ann@x.org"), email="ann@new.org")
    story.sync()
    assert news.one("ann@new.org")
    crm.remove(crm.id_of("ann@new.org"))
    story.settle()
    before = len(news.rows())
    crm.put("again", email="ann@new.org")
    story.settle()
    assert len(news.rows()) == before
    assert story.contact("crm", "again") == story.contact("news", news.id_of("ann@new.org"))


@pytest.mark.parametrize("kind", ["command", "daemon"])
def test_nothing_is_written_once_the_lease_is_lost(tmp_path: Path, kind: str) -> None:
    """M36: nobody asked for the lease right before a send, neither in the daemon nor in a command."""
    store = open_store(f"sqlite:///{tmp_path}/syncd.db", tmp_path)
    with Lease(store, wait_seconds=0) as lease:
        world: LiveWorld = (
            CommandWorld(store, lease, None)
            if kind == "command"
            else WatchedWorld(store, lease, lambda: None, lambda: False)
        )
        written: list[str] = []
        world.call("crm", "write", written.append, "while it is held")
        (tmp_path / "syncd.db.lock").rename(tmp_path / "aside")
        with pytest.raises(LeaseLost):
            world.call("crm", "write", written.append, "too late")
        assert written == ["while it is held"]
    store.close()
