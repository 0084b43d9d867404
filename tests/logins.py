"""An app that is logged in to by `syncd auth`: a vendor's sandbox, the hub beside it, and a browser that does what people do."""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from connectors.hubspot.sandbox import Sandbox as HubSpot
from connectors.mailchimp.sandbox import Sandbox as Mailchimp
from connectors.pipedrive.sandbox import Sandbox as Pipedrive
from connectors.quickbooks.sandbox import Sandbox as QuickBooks
from connectors.xero.sandbox import Sandbox as Xero
from connectors.zendesk.sandbox import Sandbox as Zendesk
from syncd.http.sandbox import Sandbox, Server, serving
from tests.commands import COMMAND
from tests.hubs import Hub, environment, until

VENDORS: dict[str, tuple[type[Any], dict[str, str]]] = {
    "hubspot": (HubSpot, {"url": "", "authorize_url": "/oauth/authorize"}),
    "mailchimp": (Mailchimp, {"url": "/3.0", "login_url": "/oauth2", "=audience": "a1b2c3"}),
    "pipedrive": (Pipedrive, {"url": "", "token_url": "/oauth/token", "authorize_url": "/oauth/authorize"}),
    "quickbooks": (
        QuickBooks,
        {
            "url": "",
            "token_url": "/oauth2/v1/tokens/bearer",
            "authorize_url": "/connect/oauth2",
        },
    ),
    "xero": (
        Xero,
        {
            "url": "/api.xro/2.0",
            "token_url": "/connect/token",
            "authorize_url": "/identity/connect/authorize",
            "connections_url": "/connections",
        },
    ),
    "zendesk": (Zendesk, {"url": "/api/v2", "oauth_url": "/oauth"}),
}


@dataclass(slots=True)
class Account:
    """One app of a vendor, and the hub that is to log in to it."""

    hub: Hub
    server: Server
    sandbox: Any
    secrets: dict[str, str] = field(default_factory=lambda: {"client_id": "client", "client_secret": "secret"})

    def auth(self, *words: str) -> Waiting:
        out, err = self.hub.folder / "out", self.hub.folder / "err"
        with out.open("wb") as told, err.open("wb") as complained:
            process = subprocess.Popen(
                [*COMMAND, "auth", "crm", "-c", "syncd.yaml", *words],
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=complained,
                cwd=self.hub.folder,
                env=environment(),
            )
        return Waiting(process, out, err)


@dataclass(slots=True)
class Waiting:
    """A command that waits for the person."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def page(self) -> str:
        """Read the address that was printed."""
        pattern = re.compile(r"^ *(http://\S+\?\S*response_type=code\S*)$", re.MULTILINE)
        until(lambda: pattern.search(self.said()), "an address to open", alive=self.process)
        found = pattern.search(self.said())
        assert found is not None
        return found[1]

    def paste(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def end(self) -> tuple[int, str]:
        """Wait for the command's end; give its exit code and all that it said."""
        assert self.process.stdin is not None
        code = self.process.wait(30)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        assert "Traceback" not in self.said(), self.said()
        return code, self.said()


def fetched(url: str) -> tuple[int, str, str]:
    """Ask for a page as a browser does; give status, where it sends us, and text."""
    parts = urlsplit(url)
    with contextlib.closing(
        http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=20)
    ) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read().decode()


def agree(page: str) -> str:
    """Log in and agree; give where the browser is sent back to."""
    status, back, text = fetched(page)
    assert status == 302, text
    return back


@contextlib.contextmanager
def account(
    folder: Path, vendor: str = "xero", *, settings: Mapping[str, str] = MappingProxyType({}), **secrets: str
) -> Iterator[Account]:
    sandbox: Sandbox = VENDORS[vendor][0]()
    with serving(sandbox) as server:
        hub = Hub(folder)
        made = Account(hub, server, sandbox)
        made.secrets |= secrets
        for name, text in made.secrets.items():
            (folder / name).write_text(text)
        said = {
            name.removeprefix("="): value if name.startswith("=") else f"{server.url}{value}"
            for name, value in VENDORS[vendor][1].items()
        }
        told = ", ".join(f'{name}: "{value}"' for name, value in {**said, **settings}.items())
        kept = ", ".join(f"{name}: file:{name}" for name in made.secrets)
        hub.app("crm", f"{{connector: {vendor}, network: private, settings: {{{told}}}, secrets: {{{kept}}}}}")
        yield made
