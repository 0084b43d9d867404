"""A real Roundup: one server for many questions, an empty tracker for each.

The tracker lies in SQLite files and is opened anew for each request, so that an empty one is a copy of files. What it really
does (and what surprises): every refusal of a value is a 409, null is no value, a retired user is still there when asked for
by its address, times without an offset are those of the account, and one that it does not understand is no filter.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import itertools
import json
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.kit import peers
from syncd.kit.servers import running

NAME = "roundup"
USER = "admin"
PASSWORD = "admin-pw"
TRACKER = "desk"
_numbers = itertools.count(1)
MAKE_ALL = """
import json, sys
from roundup import instance
db = instance.open(sys.argv[1]).open("admin")
print(json.dumps([db.user.create(roles="User", **each) for each in json.load(sys.stdin)]))
db.commit()
db.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roundup:
    """A running tracker: its port, its one admin, and its files."""

    port: int
    home: Path
    programs: Path
    new: Path
    """How its files were when it was new."""

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """Spell its address, as it is reached by this port."""
        return f"http://127.0.0.1:{port}/{TRACKER}/"

    def empty(self) -> Roundup:
        """Make it as it was when it was new; give it."""
        self._put_away()
        shutil.copytree(self.new / "db", self.home / "db")
        return self

    def _put_away(self) -> None:
        """Rename the data: the thread that answered last may still be closing them."""
        (self.home / "db").rename(self.home / f"db{next(_numbers)}")

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str
    ) -> tuple[int, Mapping[str, Any]]:
        """Send one request as the admin; the answer is its status and document. Headers: `if_match` is If-Match."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        origin = "/".join(self.url.split("/")[:3])
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.url}rest/data/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Basic {token}", "X-Requested-With": "test", "Origin": origin,
                     "Content-Type": "application/json", **named},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                body_read = refusal.read()
                return refusal.code, json.loads(body_read) if refusal.headers.get_content_subtype() == "json" else {}

    def add(self, **members: Any) -> str:
        """An agent makes a user; give its id."""
        status, doc = self.request("POST", "user", {"roles": "User", **members})
        assert status == 201, doc
        return str(doc["data"]["id"])

    def add_all(self, people: Iterable[Mapping[str, Any]]) -> list[str]:
        """Import many at once, by Roundup's own program interface."""
        command = [str(self.programs / "python"), "-c", MAKE_ALL, str(self.home)]
        done = subprocess.run(command, input=json.dumps(list(people)), capture_output=True, text=True, check=True)
        return [str(id_) for id_ in json.loads(done.stdout)]

    def one(self, id_: str) -> Mapping[str, Any]:
        """Give a user with everything that it holds, be it retired."""
        status, doc = self.request("GET", f"user/{id_}")
        assert status == 200, doc
        return dict(doc["data"])

    def edit(self, id_: str, **members: Any) -> None:
        """An agent changes a user."""
        status, doc = self.request("PATCH", f"user/{id_}", members, if_match=self.one(id_)["@etag"])
        assert status == 200, doc

    def retire(self, id_: str) -> None:
        """An agent retires a user."""
        status, doc = self.request("DELETE", f"user/{id_}", if_match=self.one(id_)["@etag"])
        assert status == 200, doc

    def everything(self) -> Any:
        """Give all users who are not retired, with all that they hold."""
        _, doc = self.request("GET", "user?@fields=username,realname,address,alternate_addresses,phone,organisation,"
                              "roles,timezone,activity&@sort=id")  # fmt: skip
        return doc["data"]["collection"]


def _make(programs: Path, folder: Path) -> None:
    home = folder / "tracker"
    admin = [str(programs / "roundup-admin"), "-i", str(home)]
    subprocess.run([*admin, "install", "classic", "sqlite"], check=True, capture_output=True)
    config = home / "config.ini"
    said = {"web": "http://127.0.0.1/", "domain": "localhost", "api_failed_login_limit": "0",
            "password_pbkdf2_default_rounds": "1000"}  # fmt: skip
    config.write_text("".join(_line(line, said) for line in config.read_text().splitlines(keepends=True)))
    subprocess.run([*admin, "initialise", PASSWORD], check=True, capture_output=True)


def _line(line: str, said: Mapping[str, str]) -> str:
    name = line.lstrip("#").partition(" = ")[0]
    return f"{name} = {said[name]}\n" if " = " in line and name in said else line


def install() -> Path:
    """Install it; give the folder with its programs."""
    return peers.install(NAME)


@contextlib.contextmanager
def started() -> Iterator[Roundup]:
    """Run a server while the block runs. Raises NotInstalledError."""
    programs, new = peers.programs(NAME), peers.template(NAME, Path(__file__), _make) / "tracker"
    with tempfile.TemporaryDirectory(prefix="syncd-roundup-") as made:
        home = Path(made) / "tracker"
        shutil.copytree(new, home)

        def command(port: int) -> list[str]:
            config = home / "config.ini"
            said = {"web": f"http://127.0.0.1:{port}/{TRACKER}/"}
            config.write_text("".join(_line(line, said) for line in config.read_text().splitlines(keepends=True)))
            server = [str(programs / "roundup-server"), "-n", "127.0.0.1", "-p", str(port), "-t", "thread"]
            return ["/bin/sh", "-c", 'exec "$@" >&2', "sh", *server, "-u", getpass.getuser(), f"{TRACKER}={home}"]

        with running(command, ready="Roundup server started", stop=signal.SIGTERM) as (port, _):
            yield Roundup(port=port, home=home, programs=programs, new=new)
