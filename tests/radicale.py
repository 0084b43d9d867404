"""A real CardDAV server for the tests: Radicale, in a process of its own, from the development environment.

One server a test process, one fresh address book a test. What it really does (and what surprises): the initial
sync-collection lists tombstones, `<limit>` is ignored, GET does not answer the bytes that were PUT, a second card
with the same UID is 409.
"""

from __future__ import annotations

import base64
import itertools
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import bcrypt
import pytest

from syncd.kit.servers import running

USER = "sync"
PASSWORD = "sync-pw"

CONFIG = """\
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/htpasswd
htpasswd_encryption = bcrypt
cache_logins = True
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}/collections
[web]
type = none
"""

MKCOL = b"""<?xml version="1.0"?>
<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop>
<resourcetype><collection/><C:addressbook/></resourcetype><displayname>test</displayname>
</prop></set></mkcol>"""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running Radicale: its address and its one account. Other paths than `/<user>/` are 403."""

    url: str
    pid: int
    user: str = USER
    password: str = PASSWORD

    def request(self, method: str, url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Send one authorised request; the answer is its status and body. Headers: `if_match` is If-Match."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        request = urllib.request.Request(
            url, data=body, method=method, headers={"Authorization": f"Basic {token}", **named}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()


@pytest.fixture(scope="session")
def radicale_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("radicale")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4))
    (folder / "htpasswd").write_bytes(USER.encode() + b":" + hashed + b"\n")

    def command(port: int) -> list[str]:
        (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
        return [sys.executable, "-m", "radicale", "--config", str(folder / "config")]

    with running(command, ready="Radicale server ready", stop=signal.SIGTERM) as (port, pid):
        yield Server(url=f"http://127.0.0.1:{port}/", pid=pid)


@pytest.fixture
def address_book(radicale_server: Server) -> Iterator[str]:
    """Give the URL of a fresh, empty address book."""
    url = f"{radicale_server.url}{USER}/book{next(_numbers)}/"
    status, body = radicale_server.request("MKCOL", url, MKCOL, content_type="application/xml")
    assert status == 201, body
    yield url
    status, body = radicale_server.request("DELETE", url)
    assert status in {200, 204, 404}, body
