"""Two accounts of one API over real HTTP, in as many calls as the arithmetic of pages and batches asks for, and not one more.

Counts, no timings. Beside them: what the fewest calls must not cost, the edits of others that fall between our own writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.fakeapi.sandbox import Sandbox
from syncd.http.sandbox import Asked, Said, Server, serving
from tests.commands import ROOT
from tests.hubs import Hub
from tests.hubs import person as row

PAGE, BATCH = 1000, 100
APP = "{{connector: fakeapi, network: private, settings: {{url: '{url}'}}, secrets: {{token: 'file:token'}}}}"


class Pair:
    """A hub between two accounts."""

    def __init__(self, folder: Path, a: Server, b: Server) -> None:
        self.hub, self.a, self.b = Hub(folder), a, b
        (folder / "token").write_text("token")
        for name, server in (("a", a), ("b", b)):
            self.hub.app(name, APP.format(url=server.url))

    def fill(self, count: int) -> list[str]:
        """Put so many people into the first account; say by which ids."""
        return [account(self.a).add(person(number)) for number in range(count)]

    def sync(self, *words: str) -> tuple[int, int]:
        """Sync, and say how many calls each account got."""
        for server in (self.a, self.b):
            server.asked.clear()
        self.hub.json("sync", "--approve", *words)
        return len(self.a.asked), len(self.b.asked)


def account(server: Server) -> Sandbox:
    assert isinstance(server.sandbox, Sandbox)
    return server.sandbox


def person(number: int) -> dict[str, Any]:
    return {
        "first_name": f"First{number}",
        "emails": [{"label": "work", "value": f"p{number}@example.com"}],
        "tags": ["vip", "press"] if number % 2 else [],
    }


def people(server: Server) -> dict[str, dict[str, Any]]:
    """Give everybody in an account, by the address: what is not the account's own."""
    own = ("id", "version", "created_at", "updated_at")
    return {
        each["emails"][0]["value"]: {name: value for name, value in each.items() if name not in own}
        for each in account(server).contacts.values()
        if not each.get("deleted")
    }


def meanwhile(server: Server, changes: dict[str, Any]) -> None:
    """Let somebody edit the first record right behind our first batch of writes."""

    def editing(asked: Asked, said: Said) -> Said:
        if asked.path.endswith("batch") and said.status == 200 and len(account(server).contacts) == 100:
            account(server).edit(next(iter(account(server).contacts)), changes)
        return said

    server.after = editing


def up(count: int, size: int) -> int:
    return -(-count // size)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(tmp_path, *(stack.enter_context(serving(Sandbox())) for _ in range(2)))


@pytest.mark.parametrize("count", [1000, 1100])
def test_a_sync_asks_no_more_than_arithmetic_does(pair: Pair, count: int) -> None:
    ids = pair.fill(count)

    assert pair.sync() == (up(count, PAGE), 1 + up(count, BATCH))
    assert people(pair.a) == people(pair.b)
    assert pair.sync() == (1, 1), "nothing to do"

    changed = count // 100
    theirs = list(account(pair.b).contacts)
    for number in range(changed):
        account(pair.a).edit(ids[number], {"notes": f"edit {number}"})
        account(pair.b).edit(theirs[-number - 1], {"job_title": f"Boss {number}"})
    assert pair.sync() == (1 + up(changed, BATCH), 1 + up(changed, BATCH))
    assert people(pair.a) == people(pair.b)
    assert pair.sync() == (1, 1), "nothing to do again"


def test_who_is_deleted_while_everybody_is_listed_is_noticed_by_the_next_sync(pair: Pair) -> None:
    ids = pair.fill(1100)
    pair.sync()

    def deleting(asked: Asked, said: Said) -> Said:
        if asked.query.get("cursor") and ids:
            account(pair.a).delete(ids.pop())
            ids.clear()
        return said

    gone = ids[0]
    ids[:] = [gone]
    pair.a.after = deleting
    pair.hub.json("resync")
    status = pair.hub.json("sync", code=0)

    assert status["apps"]["a"]["failed"] == 0
    linked = pair.hub.json("status")["apps"]
    assert [linked["a"]["linked"], linked["b"]["linked"]] == [1099, 1100]


def test_an_edit_between_few_writes_of_ours_is_heard_by_the_next_sync(pair: Pair) -> None:
    pair.fill(300)

    meanwhile(pair.b, {"job_title": "Typed meanwhile"})
    pair.sync()
    pair.sync()

    assert sum(each.get("job_title") == "Typed meanwhile" for each in people(pair.a).values()) == 1


def test_an_edit_between_very_many_writes_of_ours_is_heard_by_the_sweep(pair: Pair) -> None:
    pair.fill(1200)

    meanwhile(pair.b, {"job_title": "Typed meanwhile"})
    pair.sync()
    assert pair.sync() == (1, 1), "its own writes are not read again, and so it sees no edit among them"
    pair.hub.json("resync", "--app", "b")

    assert sum(each.get("job_title") == "Typed meanwhile" for each in people(pair.a).values()) == 1
    assert people(pair.a) == people(pair.b)


def test_where_consent_is_told_everything_is_read_again(tmp_path: Path) -> None:
    """An opt-out between our own writes waits for no sweep."""
    manifest = tmp_path / "mine" / "shop" / "manifest.yaml"
    manifest.parent.mkdir(parents=True)
    text = (ROOT / "connectors" / "fakeapi" / "manifest.yaml").read_text()
    manifest.write_text(text.replace("record:\n", "record:\n  any_path: true\n"))
    hub = Hub(tmp_path)
    (tmp_path / "token").write_text("token")
    with serving(Sandbox()) as server:
        consent = (
            "fields: {email_consent: {path: custom.mail, direction: in, values: {opted_out: 'no', opted_in: 'yes'}}}"
        )
        hub.app(
            "b", APP.format(url=server.url).replace("fakeapi", "./mine/shop", 1).removesuffix("}") + f", {consent}}}"
        )
        hub.csv("a", [row(number) for number in range(1200)])

        meanwhile(server, {"custom": {"mail": "no"}})
        hub.json("sync", "--approve")
        hub.run("sync")
    assert sum(each["email_consent"] == "opted_out" for each in hub.rows("a").values()) == 1
