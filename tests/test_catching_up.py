"""An address book that was written to a lot is asked in the same run what it has to tell of that."""

from __future__ import annotations

from pathlib import Path

from tests.hubs import Hub
from tests.radicale import PASSWORD, USER
from tests.tinydav import TinyDav, tiny_dav
from tests.wire import Answer, Asked

MANY = 120


def _hub(folder: Path, dav: TinyDav, count: int) -> Hub:
    hub = Hub(folder)
    hub.csv("crm", [{"id": str(n), "email": f"p{n}@example.com", "first_name": f"P{n}"} for n in range(count)])
    for name, value in (("user", USER), ("password", PASSWORD)):
        (folder / name).write_text(value, "utf-8")
        (folder / name).chmod(0o600)
    secrets = '{username: "file:user", password: "file:password"}'
    hub.app("team", f"{{connector: carddav, network: private, settings: {{url: '{dav.url}'}}, secrets: {secrets}}}")
    return hub


def test_the_next_sync_is_not_told_of_our_own_writes(tmp_path: Path) -> None:
    with tiny_dav() as dav:
        hub = _hub(tmp_path, dav, MANY).synced()
        assert len(dav.cards) == MANY
        told = len(dav.asked)
        assert hub.json("sync")["apps"]["team"]["read"] == 0
        assert [asked.method for asked in dav.asked[told:]] == ["REPORT"]
        assert b"multiget" not in dav.asked[-1].body


def test_an_edit_among_the_writes_reaches_the_others_in_the_same_run(tmp_path: Path) -> None:
    with tiny_dav() as dav:

        def edits(asked: Asked, _: Answer) -> None:
            if asked.method == "PUT" and len(dav.cards) == MANY:
                href = next(iter(dav.cards))
                dav.put(href, dav.cards[href].replace("FN:", "ORG:Analytical Engines\r\nFN:"))

        dav.after = edits
        hub = _hub(tmp_path, dav, MANY).synced()
        assert [row["company"] for row in hub.rows("crm").values() if row["company"]] == ["Analytical Engines"]


def test_few_writes_are_left_to_the_next_run(tmp_path: Path) -> None:
    with tiny_dav() as dav:
        _hub(tmp_path, dav, 5).synced()
        reports = [asked for asked in dav.asked if asked.method == "REPORT" and b"sync-collection" in asked.body]
        assert len(reports) == 1
