"""Four apps over real HTTP, the whole way: the real command line, the real engine, the vendors' sandboxes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from connectors.xero.sandbox import Sandbox as Xero
from connectors.zendesk.sandbox import Sandbox as Zendesk
from syncd.http.sandbox import Server, serving
from tests.hubs import Hub, person

WRITES = ("POST", "PUT", "PATCH", "DELETE")
READS = ("search", "read", "token")
"""Last steps of paths that are asked by POST and change nothing."""


@dataclass(slots=True, kw_only=True)
class Shop:
    """Four apps and the hub between them."""

    hub: Hub
    crm: HubSpot
    news: Mailchimp
    books: Xero
    desk: Zendesk
    servers: dict[str, Server]

    def sync(self, *words: str) -> tuple[int, list[str]]:
        """Sync; give the exit code and the writes that were asked."""
        for server in self.servers.values():
            server.asked.clear()
        said = self.hub.run("sync", *words)
        assert "Traceback" not in said.err, said.err
        return said.code, [
            f"{name} {asked.method} {asked.path}"
            for name, server in self.servers.items()
            for asked in server.asked
            if asked.method in WRITES and asked.parts[-1] not in READS
        ]

    def later(self, seconds: float = 300) -> None:
        """Let time pass: indexes catch up, blind minutes end."""
        for sandbox in (self.crm, self.news, self.books, self.desk):
            sandbox.clock.pass_seconds(seconds)

    def member(self, email: str) -> Any:
        return next(each for each in self.news.members.values() if each.email.lower() == email)

    def person(self, email: str) -> dict[str, str]:
        return next(each.properties for each in self.crm.contacts.values() if each.properties.get("email") == email)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    crm, news, books = HubSpot(lag_seconds=9, step_seconds=1), Mailchimp(step_seconds=1), Xero(step_seconds=1)
    desk = Zendesk(step_seconds=1)
    with contextlib.ExitStack() as stack:
        sandboxes: dict[str, Any] = {"crm": crm, "news": news, "books": books, "desk": desk}
        servers = {name: stack.enter_context(serving(sandbox)) for name, sandbox in sandboxes.items()}
        desk.url = servers["desk"].url
        hub = Hub(tmp_path)
        (tmp_path / "secret").write_text("token")
        told = {
            "crm": ("hubspot", "", {}, {"token": "token"}),
            "news": ("mailchimp", "/3.0", {"audience": "a1b2c3"}, {"api_key": "key-us19"}),
            "books": (
                "xero",
                "/api.xro/2.0",
                {"tenant": "4711", "token_url": f"{servers['books'].url}/connect/token"},
                {"client_id": "client", "client_secret": "secret", "refresh_token": "refresh-0"},
            ),
            "desk": ("zendesk", "/api/v2", {"agent": "agent@example.com"}, {"token": "token"}),
        }
        for name, (connector, path, settings, secrets) in told.items():
            given = {"url": f"{servers[name].url}{path}", **settings}
            for secret, value in secrets.items():
                (tmp_path / f"{name}-{secret}").write_text(value)
            hub.app(
                name,
                f"{{connector: {connector}, network: private, settings: {_flow(given)}, "
                f"secrets: {_flow({secret: f'file:{name}-{secret}' for secret in secrets})}}}",
            )
        yield Shop(hub=hub, crm=crm, news=news, books=books, desk=desk, servers=servers)


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}: "{value}"' for name, value in values.items()) + "}"


def test_four_apps_become_equal_and_stay_so(shop: Shop) -> None:
    for n in range(12):
        shop.crm.add(
            {"email": f"p{n}@example.org", "firstname": f"First{n}", "lastname": f"Last{n}", "phone": f"+4930{n:07}"}
        )
    for n in range(6, 15):
        shop.news.add(f"P{n}@example.org", {"FNAME": f"First{n}", "LNAME": f"Last{n}"})
    shop.books.add({"Name": "Last3 Ltd", "EmailAddress": "p3@example.org", "FirstName": "First3", "LastName": "Last3"})
    shop.desk.add({"name": "First5 Last5", "email": "p5@example.org"})
    shop.later()
    code, _ = shop.sync("--approve")
    assert code in {0, 3, 4}, shop.hub.run("status").out
    shop.later()
    shop.sync("--approve")
    shop.later()
    emails = {f"p{n}@example.org" for n in range(15)}
    assert {each.properties["email"] for each in shop.crm.contacts.values()} == emails
    assert {each.email.lower() for each in shop.news.members.values()} == emails
    assert {each["EmailAddress"].lower() for each in shop.books.contacts.values()} == emails
    assert {each["email"] for each in shop.desk.users.values()} == emails
    assert shop.books.contacts[min(shop.books.contacts)]["Name"] == "Last3 Ltd"
    assert shop.member("p0@example.org").status == "transactional", (
        "nobody is subscribed because they are somewhere else"
    )
    assert shop.member("p8@example.org").status == "subscribed"

    # somebody edits, somebody opts out, somebody deletes
    [crm_id] = [id_ for id_, each in shop.crm.contacts.items() if each.properties["email"] == "p7@example.org"]
    shop.crm.edit(str(crm_id), {"phone": "+49 40 999"})
    member = shop.member("p8@example.org")
    shop.news.edit(member.contact_id, status="unsubscribed", FNAME="Renamed")
    shop.later()
    shop.sync()
    shop.later()
    assert shop.member("p7@example.org").merge["PHONE"].replace(" ", "") == "+4940999"
    assert shop.person("p8@example.org")["firstname"] == "Renamed"
    assert "p8@example.org" in shop.crm.opted_out
    shop.sync()
    shop.later()
    code, writes = shop.sync()
    assert writes == [], "the next pass writes nothing"
    assert code == 0, shop.hub.run("status").out


def test_writes_without_an_answer_are_told_and_wait_as_long_as_they_may_arrive(tmp_path: Path) -> None:
    """The run said "partly in sync" and all zeros, and nobody knew why or for how long."""
    hub, crm = Hub(tmp_path), HubSpot()
    (tmp_path / "token").write_text("token")
    with serving(crm) as server:
        hub.app(
            "crm",
            f"{{connector: hubspot, settings: {{url: '{server.url}'}}, secrets: {{token: 'file:token'}}, network: private}}",
        )
        hub.csv("news", [])
        hub.synced()
        hub.write("news", [person(1), person(2)])
        server.after = lambda asked, said: replace(said, cut=asked.path.endswith("create") or said.cut)
        first = hub.run("sync")
        assert first.code == 3
        assert "crm: 2 writes have no answer, and may still arrive until 20" in first.out
        server.after = lambda _, said: said
        crm.clock.pass_seconds(60)
        assert "have no answer" not in hub.run("sync").out
    assert [each.properties["email"] for each in crm.contacts.values()] == ["p1@example.com", "p2@example.com"]
