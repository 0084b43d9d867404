"""A real Mailman: its REST interface, a fresh list for each question. No mail leaves or arrives.

What it really does (and what surprises): no change feed, no time of change, and If-Match counts for nothing; the name of a
member is the address's, else the user's; another address must be the user's and verified first; a member who leaves is 404
at once, while the user stays; whether somebody takes mails is told beside the roster.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.kit import peers
from syncd.kit.servers import running

NAME = "mailman"
VERSION = "3.1"
USER = "restadmin"
PASSWORD = "restpass"
HOST = "lists.example.org"
CONFIG = """\
[mailman]
site_owner: owner@example.org
layout: test
[paths.test]
var_dir: {folder}/var
[webservice]
hostname: 127.0.0.1
port: {port}
admin_user: restadmin
admin_pass: restpass
workers: 1
[mta]
incoming: mailman.mta.null.NullMTA
"""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailman:
    """One list on the running server, and whoever manages it."""

    port: int
    name: str = ""
    """The list's id."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{VERSION}"

    def empty(self) -> Mailman:
        """Make an empty list on the server, which then knows nobody."""
        for user in self.entries("users"):
            self.done("DELETE", f"users/{user['user_id']}")
        for each in self.entries("lists"):
            self.done("DELETE", f"lists/{each['list_id']}")
        number = next(_numbers)
        self.done("POST", "lists", {"fqdn_listname": f"news{number}@{HOST}", "style_name": "legacy-announce"})
        return Mailman(port=self.port, name=f"news{number}.{HOST}")

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Send one request; the answer is its status and document."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.url}/{path}", data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                said = answer.read()
                return answer.status, json.loads(said) if said else answer.headers.get("Location")
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()

    def done(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request that must succeed; give its document, or the address of what it made."""
        status, said = self.request(method, path, body)
        assert status < 300, (status, said)
        return said

    def entries(self, path: str) -> list[dict[str, Any]]:
        """List something in one page."""
        joint = "&" if "?" in path else "?"
        found = self.done("GET", f"{path}{joint}count=1000&page=1").get("entries", [])
        return [{name: value for name, value in each.items() if name != "http_etag"} for each in found]

    def subscribe(self, email: str, name: str = "", **more: Any) -> str:
        """The list's owner subscribes somebody; give the id of the membership."""
        sure = {"pre_verified": True, "pre_confirmed": True, "pre_approved": True, "send_welcome_message": False}
        body = {"list_id": self.name, "subscriber": email, "display_name": name, **sure, **more}
        return str(self.done("POST", "members", body)).rpartition("/")[2]

    def member(self, id_: str) -> dict[str, Any]:
        """Give a membership, by its id or syncd's."""
        return dict(self.done("GET", f"members/{id_.partition('.')[0]}"))

    def delivery(self, id_: str, word: str | None = None) -> str:
        """Say whether somebody takes mails; change that if asked."""
        path = f"members/{id_.partition('.')[0]}/preferences"
        if word is not None:
            self.done("PATCH", path, {"delivery_status": word})
        return str(self.done("GET", path).get("delivery_status", "enabled"))

    def leave(self, id_: str) -> None:
        """Somebody leaves the list."""
        self.done("DELETE", f"members/{id_.partition('.')[0]}")

    def forget(self, id_: str) -> None:
        """The server's owner deletes a person."""
        self.done("DELETE", f"users/{id_.partition('.')[2]}")


def install() -> Path:
    """Install it; give the folder with its programs."""
    return peers.install(NAME)


@contextlib.contextmanager
def started() -> Iterator[Mailman]:
    """Run a server while the block runs. Raises NotInstalledError."""
    programs = peers.programs(NAME)
    with tempfile.TemporaryDirectory(prefix="syncd-mailman-") as folder:

        def command(port: int) -> list[str]:
            config = Path(folder) / "mailman.cfg"
            config.write_text(CONFIG.format(port=port, folder=folder))
            return [str(programs / "runner"), "-C", str(config), "--runner=rest:0:1"]

        with running(command, ready=None, stop=signal.SIGTERM) as (port, _):
            server = Mailman(port=port)
            server.done("POST", "domains", {"mail_host": HOST})
            yield server
