"""Two apps that are one account over HTTP are refused; two parts of one account are not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.hubspot.sandbox import Sandbox as HubSpot
from syncd.config import load_config
from syncd.config.twins import Known, twins_among
from syncd.http.sandbox import Server, serving
from syncd.registry import load
from tests.hubs import Hub, person

ONE = "this is the same account, file or table as"


@pytest.fixture(name="hub")
def begin(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("list", [person(1)])
    for name in ("token", "other"):
        (tmp_path / name).write_text("token")
    return hub


@pytest.fixture(name="crm")
def serve_crm() -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(serving(HubSpot()))


def test_one_account_by_two_tokens_is_refused(hub: Hub, crm: Server) -> None:
    for name, token in (("crm", "token"), ("crm2", "other")):
        hub.app(
            name,
            f"{{connector: hubspot, network: private, settings: {{url: '{crm.url}'}}, secrets: {{token: file:{token}}}}}",
        )
    checked = hub.run("check")
    assert (checked.code, checked.err.count(ONE)) == (2, 2)
    crm.asked.clear()
    said = hub.run("sync", "--approve")
    assert (said.code, said.err.count(ONE)) == (2, 2)
    assert not [asked for asked in crm.asked if "contacts" in asked.path]
    hub.run("pause", "crm2")
    assert hub.json("sync", "--approve")["apps"]["crm"]["created"] == 1


@pytest.mark.parametrize("vendor", ["freshdesk", "mautic", "quickbooks", "roundup", "tryton", "zendesk"])
def test_where_each_account_has_an_address_two_logins_of_it_are_one_account(vendor: str) -> None:
    assert load(vendor).spec.names_account


NEWS = "connector: mailchimp, settings: {url: 'https://us19.api.mailchimp.com/3.0', audience: %s}, secrets: {api_key: file:%s}"
DESK = "connector: freshdesk, settings: {url: 'https://example.freshdesk.com/api/v2'}, secrets: {api_key: file:%s}"
MINE = "connector: fakeapi, settings: {url: 'https://contacts.example.com'}, secrets: {token: file:%s}"
STAFF = "connector: ldap, settings: {url: 'ldaps://dir.example.org', base: 'dc=example,dc=org', filter: '%s'}"


@pytest.mark.parametrize(
    ("one", "other", "told", "are_one"),
    [
        (NEWS % ("a1", "token"), NEWS % ("a1", "other"), "us19#a1", True),
        (NEWS % ("a1", "token"), NEWS % ("b2", "token"), "us19", False),  # a part that its account does not name
        (NEWS % ("a1", "token"), NEWS % ("a1", "token"), None, True),  # out of reach
        (NEWS % ("a1", "token"), NEWS % ("b2", "token"), None, False),
        (DESK % "token", DESK % "third", "freshdesk", True),  # each account has an address of its own
        (MINE % "token", MINE % "other", "fakeapi", True),  # another file, the same key in it
        (MINE % "token", MINE % "third", "fakeapi", False),  # an address that many accounts share
        (DESK % "token", DESK % "third", None, False),
        (DESK % "token", DESK % "missing", None, False),
        (STAFF % "(o=a)", STAFF % "(o=b)", "ldap", False),
        (STAFF % "(o=a)", STAFF % "(o=a)", "ldap", True),
        (STAFF % "(o=a)", "connector: memory, settings: {store: x}", "ldap", False),
    ],
)
def test_parts_of_an_account_are_no_twins(
    tmp_path: Path, one: str, other: str, told: str | None, *, are_one: bool
) -> None:
    for name, text in (("token", "token-1"), ("other", "token-1"), ("third", "token-3")):
        (tmp_path / name).write_text(text)
    file = tmp_path / "syncd.yaml"
    file.write_text(f"version: 1\nstore: sqlite:///s.db\napps:\n  one: {{{one}}}\n  two: {{{other}}}\n")
    config = load_config(file, lambda name, folders: load(name, folders).spec, resolve=False)
    known = [Known(settings=app, spec=load(app.connector).spec, fingerprint=told) for app in config.apps]
    assert twins_among(known) == ({"one": "two", "two": "one"} if are_one else {})


def test_a_file_is_the_same_however_it_was_remembered(tmp_path: Path) -> None:
    file = tmp_path / "syncd.yaml"
    (tmp_path / "link.csv").symlink_to("a.csv")
    apps = [
        ("csv", "path: a.csv", f"csv:{tmp_path}/a.csv#id"),
        ("csv", "path: ./a.csv, key: nr", "csv:a.csv#nr"),
        ("csv", "path: link.csv", None),
        ("sql", "url: 'sqlite:///a.db', table: people", "sqlite:///a.db#people#id"),
        ("sql", "url: 'sqlite:///./a.db', table: people", f"sqlite:///{tmp_path}/a.db#people#id"),
        ("sql", "url: 'sqlite:///a.db', table: other", f"sqlite:///{tmp_path}/a.db#other#id"),
    ]
    lines = "".join(f"  app{n}: {{connector: {c}, settings: {{{text}}}}}\n" for n, (c, text, _) in enumerate(apps))
    file.write_text(f"version: 1\nstore: sqlite:///s.db\napps:\n{lines}")
    config = load_config(file, lambda name, folders: load(name, folders).spec)
    known = [
        Known(settings=app, spec=load(app.connector).spec, fingerprint=told)
        for app, (_, _, told) in zip(config.apps, apps, strict=True)
    ]
    assert twins_among(known) == {"app0": "app1", "app1": "app0", "app2": "app0", "app3": "app4", "app4": "app3"}
