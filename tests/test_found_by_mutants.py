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
from tests.story import MINUTE, agreed, given, held


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


def test_the_smallest_app_is_held_where_its_versions_say_that_all_of_it_went_back(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"desk": "memory", "crm": "memory"})
    desk, crm = story["desk"], story["crm"]
    backup = desk.saved()
    for email in ("ann@x.org", "bob@x.org"):
        crm.put(crm.id_of(email), company=f"New of {email}")
    story.settle()
    backup()
    outcome = story.sync()
    assert [(each["app"], each["verb"], each["count"], each["limit"]) for each in outcome.doc["held"]] == [
        ("desk", "restored", 2, 0)
    ]
    assert crm.one("ann@x.org")["company"] == "New of ann@x.org"


def test_who_was_being_typed_while_an_app_was_brought_up_to_date_is_brought_there_later(tmp_path: Path) -> None:
    """Three are fewer than would be noticed by themselves; what they show of before does not win all the same."""
    story = given(tmp_path, {"desk": "csv", "crm": "memory"})
    desk, crm = story["desk"], story["crm"]
    for number in range(12):
        desk.put(f"{number}", email=f"p{number}@x.org", last_name=f"Old{number}")
    story.sync(approve=True)
    story.settle()
    backup = desk.saved()
    for number in range(12):
        crm.put(crm.id_of(f"p{number}@x.org"), last_name=f"New{number}")
    story.sync(approve=True)
    story.settle()
    backup()
    story.configure(settle="10m")
    outcome = story.sync()
    assert held(outcome) == {("desk", "restored")}
    story.clock.now_ms += 10 * MINUTE
    for number in range(3):
        desk.put(f"{number}", company="Typed")
    story.approve(outcome.doc["run"])
    story.sync()
    assert [desk.rows()[f"{number}"]["last_name"] for number in (0, 1, 2, 3)] == ["Old0", "Old1", "Old2", "New3"]
    story.clock.now_ms += 10 * MINUTE
    story.settle()
    for app in (desk, crm):
        assert [app.one(f"p{number}@x.org")["last_name"] for number in range(12)] == [f"New{n}" for n in range(12)]
    assert crm.one("p1@x.org")["company"] == "Typed"
