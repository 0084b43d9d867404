"""A second vendor of each kind over real HTTP, the whole way: the real command line, the real engine, their sandboxes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.brevo.sandbox import Contact
from connectors.brevo.sandbox import Sandbox as Brevo
from connectors.freshdesk.sandbox import Sandbox as Freshdesk
from connectors.pipedrive.sandbox import Person
from connectors.pipedrive.sandbox import Sandbox as Pipedrive
from syncd.http.sandbox import Server, serving
from tests.hubs import Hub

APPS = {
    "crm": "connector: pipedrive, secrets: {token: file:token}, settings: {url: %s}",
    "news": "connector: brevo, secrets: {api_key: file:key}, settings: {url: %s/v3}, fields: {phone: {path: PHONE}}",
    "desk": "connector: freshdesk, secrets: {api_key: file:key}, settings: {url: %s/api/v2}",
}


@dataclass(slots=True, kw_only=True)
class Shop:
    """Three apps and the hub between them."""

    hub: Hub
    crm: Pipedrive
    news: Brevo
    desk: Freshdesk
    servers: dict[str, Server]

    def sync(self, *words: str) -> tuple[int, list[str]]:
        """Let time pass and sync; give the exit code and the writes that were asked."""
        for sandbox in (self.crm, self.news, self.desk):
            sandbox.clock.pass_seconds(300)
        for server in self.servers.values():
            server.asked.clear()
        said = self.hub.run("sync", *words)
        assert "Traceback" not in said.err, said.err
        return said.code, [
            f"{name} {asked.method} {asked.path}"
            for name, server in self.servers.items()
            for asked in server.asked
            if asked.method != "GET"
        ]

    def person(self, email: str) -> Person:
        return next(p for p in self.crm.persons.values() if any(e["value"] == email for e in p.fields["emails"]))

    def reader(self, email: str) -> Contact:
        return next(each for each in self.news.contacts.values() if each.email == email)

    def asker(self, email: str) -> dict[str, Any]:
        return next(each for each in self.desk.contacts.values() if each["email"] == email)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    crm, news, desk = Pipedrive(lag_seconds=9, step_seconds=1), Brevo(api_key="key"), Freshdesk()
    with contextlib.ExitStack() as stack:
        sandboxes: dict[str, Any] = {"crm": crm, "news": news, "desk": desk}
        servers = {name: stack.enter_context(serving(sandbox)) for name, sandbox in sandboxes.items()}
        desk.url = servers["desk"].url
        hub = Hub(tmp_path)
        for name in ("token", "key"):
            (tmp_path / name).write_text(name)
        for name, said in APPS.items():
            hub.app(name, f"{{network: private, {said % servers[name].url}}}")
        yield Shop(hub=hub, crm=crm, news=news, desk=desk, servers=servers)


def email(number: int) -> str:
    return f"p{number}@example.org"


def fill(shop: Shop) -> None:
    """Eight persons, some of them readers, some of them askers, a few more of each."""
    for n in range(8):
        emails = [{"value": email(n), "primary": True, "label": "work"}]
        phones = [{"value": f"+4930{n:07}", "primary": True, "label": "work"}]
        shop.crm.add({"name": f"First{n} Last{n}", "emails": emails, "phones": phones})
    for n in range(4, 11):
        shop.news.add(email(n).title(), {"FIRSTNAME": f"First{n}", "LASTNAME": f"Last{n}"})
    for n in (1, 5, 11):
        shop.desk.add({"name": f"First{n} Last{n}", "email": email(n)})


def test_three_apps_become_equal_and_stay_so(shop: Shop) -> None:
    fill(shop)
    shop.crm.set_status(str(shop.person(email(2)).id), "unsubscribed")
    shop.crm.set_status(str(shop.person(email(6)).id), "subscribed")
    for _ in range(2):
        code, _ = shop.sync("--approve")
        assert code in {0, 3, 4}, shop.hub.run("status").out
    everybody = {email(n) for n in range(12)}
    assert {each.email for each in shop.news.contacts.values()} == everybody
    assert {each["email"] for each in shop.desk.contacts.values()} == everybody
    primaries = [each.fields["emails"][0]["value"].lower() for each in shop.crm.persons.values()]
    assert sorted(primaries) == sorted(everybody)
    assert [each.email for each in shop.news.contacts.values() if each.blocked] == [email(2)]
    assert [p.fields["name"] for p in shop.crm.persons.values() if p.status == "subscribed"] == ["First6 Last6"]
    assert shop.asker(email(3))["phone"].replace(" ", "") == "+49300000003"

    # somebody edits, somebody opts out here and there, somebody is merged
    phones = [*shop.person(email(7)).fields["phones"], {"value": "+1 555", "primary": False, "label": "other"}]
    shop.crm.edit(str(shop.person(email(7)).id), {"phones": [{**phones[0], "value": "+49 40 999999"}, phones[1]]})
    shop.desk.edit(str(shop.asker(email(7))["id"]), {"email": "p7@example.com"})
    shop.news.block(str(shop.reader(email(9)).id))
    code, writes = shop.sync()
    assert code == 0, shop.hub.run("status").out
    shop.sync()
    assert shop.asker("p7@example.com")["phone"].replace(" ", "") == "+4940999999"
    moved = shop.person("p7@example.com").fields
    assert [each["value"] for each in moved["emails"]] == ["p7@example.com"]
    assert [each["label"] for each in moved["phones"]] == ["work", "other"]
    assert shop.reader("p7@example.com").attributes["PHONE"].replace(" ", "") == "+4940999999"
    assert shop.person(email(9)).status == "unsubscribed"
    assert not any("hard_delete" in each or each.startswith("DELETE") for each in writes)
    code, writes = shop.sync()
    assert (code, writes) == (0, []), shop.hub.run("status").out


def test_an_account_without_campaigns_is_told_of_no_consent(shop: Shop) -> None:
    said = APPS["crm"].replace("settings: {", "settings: {include: files_count, ") % shop.servers["crm"].url
    shop.hub.app("crm", f"{{network: private, {said}, fields: {{email_consent: {{direction: none}}}}}}")
    fill(shop)
    shop.news.block(str(shop.reader(email(5)).id))
    for _ in range(2):
        shop.sync("--approve")
    assert {each.status for each in shop.crm.persons.values()} == {"no_consent"}
    code, writes = shop.sync()
    assert (code, writes) == (0, []), shop.hub.run("status").out


def test_an_opt_out_that_the_app_ignores_is_no_quiet_success(shop: Shop) -> None:
    fill(shop)
    shop.crm.set_status(str(shop.person(email(5)).id), "subscribed")  # once, so that nothing changes it any more
    for _ in range(2):
        shop.sync("--approve")
    shop.news.block(str(shop.reader(email(5)).id))
    code, writes = shop.sync()
    assert writes == [f"crm PATCH /api/v2/persons/{shop.person(email(5)).id}"]
    for _ in range(2):
        assert code == 3, "it is parked, and said to be so after each run"
        code, writes = shop.sync()
        assert writes == []
    assert shop.person(email(5)).status == "subscribed"
    assert shop.reader(email(5)).blocked, "what the app holds on to opts nobody in elsewhere"
