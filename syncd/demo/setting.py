"""Where the story plays: a folder with the configuration that a person would write, and the four apps that it names.

Hard rule: secrets lie in files that only their owner reads, and the configuration names them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from syncd.demo import mess
from syncd.demo.apps import App, Books, Crm, Desk, News
from syncd.demo.people import Person, people
from syncd.demo.screen import Screen
from syncd.demo.servers import RunningClock, Vendor, vendor
from syncd.kit.servers import free_port

CONFIG: Final = """\
version: 1
store: sqlite:///../var/syncd.db          # relative to this file

apps:                                     # the order decides between changes at the same time
  crm:
    connector: hubspot
    settings: {{url: "{crm}"}}
    secrets: {{token: file:secrets/crm.token, app_secret: file:secrets/crm.app_secret}}
    network: private                      # here, the vendors are on this machine
    hooks: true                           # webhooks, besides the polls
  news:
    connector: mailchimp
    settings: {{url: "{news}/3.0", audience: a1b2c3}}
    secrets: {{api_key: file:secrets/news.api_key, hook_secret: file:secrets/news.hook_secret}}
    network: private
    hooks: true
  books:
    connector: xero
    settings: {{url: "{books}/api.xro/2.0", token_url: "{books}/connect/token", tenant: "4711"}}
    secrets:
      client_id: file:secrets/books.client_id
      client_secret: file:secrets/books.client_secret
      refresh_token: file:secrets/books.refresh_token     # good once; syncd keeps the next one
      hook_key: file:secrets/books.hook_key
    network: private
    hooks: true
  desk:
    connector: zendesk
    settings: {{url: "{desk}/api/v2", agent: agent@example.com}}
    secrets: {{token: file:secrets/desk.token, hook_secret: file:secrets/desk.hook_secret}}
    network: private
    hooks: true
    fields:                               # user fields that this helpdesk has made for itself
      first_name: {{path: user_fields.first_name}}
      last_name: {{path: user_fields.last_name}}
      company: {{path: user_fields.company}}
      job_title: {{path: user_fields.job_title}}
      email_consent:
        path: user_fields.newsletter
        values: {{opted_in: "yes", opted_out: ["no", "no thanks"]}}

match:                                    # who is who: by address, else by number and name
  - [email]
  - [phone, last_name]

fields:
  phone: {{region: DE}}                     # a number without a country is assumed to be German
  address: {{policy: {{owner: books}}}}       # the accountant knows where invoices go
  last_name: {{policy: ask}}                # nobody gets another name unless a person says so
"""
SECRETS: Final = {
    "crm.token": "token",
    "crm.app_secret": "what-hubspot-signs-with",
    "news.api_key": "key-us19",
    "news.hook_secret": "0123456789abcdef",
    "books.client_id": "client",
    "books.client_secret": "secret",
    "books.refresh_token": "refresh-0",
    "books.hook_key": "what-xero-signs-with",
    "desk.token": "token",
    "desk.hook_secret": "what-zendesk-signs-with",
}
"""None of them opens anything but a sandbox."""
SIGNED_BY: Final = {"crm": "crm.app_secret", "books": "books.hook_key", "desk": "desk.hook_secret"}
"""Apps whose webhooks are switched on by hand, and what they are signed with."""
A_MINUTE_BOOKS, A_MINUTE_DESK, TEN_SECONDS_CRM = 60, 200, 100
"""Requests that the vendors allow on their smallest plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the story plays with."""

    folder: Path
    screen: Screen
    everyone: list[Person]
    clock: RunningClock
    port: int
    """Where the daemon listens for webhooks."""
    crm: Crm
    news: News
    books: Books
    desk: Desk
    records: dict[str, int]
    """App -> how many it had at first."""

    @property
    def apps(self) -> Mapping[str, App]:
        return {"crm": self.crm, "news": self.news, "books": self.books, "desk": self.desk}

    def email(self, number: int) -> str:
        found = self.everyone[number].email
        assert found is not None, "the people of the story have an address"
        return found

    def later(self, minutes: float = 3) -> None:
        """Let time pass for the vendors."""
        self.clock.pass_seconds(minutes * 60)

    def writes(self) -> int:
        """Count the requests for changes that the four servers got since the last time."""
        return sum(app.vendor.writes() for app in self.apps.values())

    def listen_to(self) -> None:
        """Type the address of webhooks in at the vendors, where that is done by hand."""
        url = f"http://127.0.0.1:{self.port}/hooks"
        for name, app in self.apps.items():
            if name in SIGNED_BY:
                app.vendor.sandbox.hook = (f"{url}/{name}", SECRETS[SIGNED_BY[name]])
            app.vendor.sandbox.letters()  # what there was before is not told


@contextlib.contextmanager
def stage(folder: Path, out: TextIO) -> Iterator[Stage]:
    """Start the four apps, fill them with a mess, write the configuration. `out`: where the story is told."""
    clock = RunningClock()
    with contextlib.ExitStack() as stack:

        def started(connector: str, **settings: Any) -> Vendor:
            return stack.enter_context(vendor(connector, clock=clock, **settings))

        crm = Crm(started("hubspot", burst=TEN_SECONDS_CRM, lag_seconds=5))
        news = News(started("mailchimp"))
        books = Books(started("xero", a_minute=A_MINUTE_BOOKS))
        desk = Desk(started("zendesk", a_minute=A_MINUTE_DESK, lag_seconds=30))
        desk.vendor.sandbox.url = desk.vendor.server.url
        everyone = people()
        built = Stage(
            folder=folder,
            screen=Screen(folder, os.environ, out),
            everyone=everyone,
            clock=clock,
            port=free_port(),
            crm=crm,
            news=news,
            books=books,
            desk=desk,
            records={
                "crm": crm.fill(mess.crm(everyone)),
                "news": news.fill(mess.news(everyone)),
                "books": books.fill(mess.books(everyone)),
                "desk": desk.fill(mess.desk(everyone)),
            },
        )
        built.later()
        _write_down(built)
        yield built


def _write_down(stage: Stage) -> None:
    config = stage.folder / "config"
    (config / "secrets").mkdir(parents=True, mode=0o700)
    urls = {name: app.vendor.server.url for name, app in stage.apps.items()}
    (config / "syncd.yaml").write_text(CONFIG.format(**urls), "utf-8")
    for name, text in SECRETS.items():
        secret = config / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text(text, "utf-8")
    listen = f"SYNCD_BIND_ADDRESS=127.0.0.1:{stage.port}\nSYNCD_PUBLIC_URL=http://127.0.0.1:{stage.port}\n"
    (stage.folder / ".env").write_text(listen, "utf-8")
