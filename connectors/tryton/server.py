"""A real Tryton: one server for many questions, with no parties in it at the beginning of each.

What it really does (and what surprises): every fault is HTTP 200; somebody's new e-mail address does not move the party's date;
inactive records are in no search that does not name `active`; telephone numbers are rewritten, and refused if they are none.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.kit import peers
from syncd.kit.servers import running

NAME = "tryton"
USER = "admin"
PASSWORD = "admin-pw"
DATABASE = "books"
CONFIG = """\
[database]
uri = sqlite://
path = {folder}
[session]
authentications = password
[web]
listen = 127.0.0.1:{port}
"""


@dataclass(slots=True, kw_only=True)
class Tryton:
    """A running server, and its admin."""

    port: int
    file: Path
    """The database."""
    session: str = ""

    def login(self) -> None:
        """Begin a session of the admin's."""
        user, token = self.call("common.db.login", USER, {"password": PASSWORD}, "en")[:2]
        self.session = base64.b64encode(f"{USER}:{user}:{token}".encode()).decode()

    def end_sessions(self) -> None:
        """End every session but this one, as their age does."""
        token = base64.b64decode(self.session).decode().rpartition(":")[2]
        with contextlib.closing(sqlite3.connect(self.file)) as database, database:
            assert database.execute("DELETE FROM ir_session WHERE key != ?", [token]).rowcount > 0

    def call(self, method: str, *params: Any) -> Any:
        """Call something; give its result."""
        headers = {"Content-Type": "application/json", "Authorization": f"Session {self.session}"}
        if not self.session:
            del headers["Authorization"]
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        url = f"http://127.0.0.1:{self.port}/{DATABASE}/rpc/"
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.loads(answer.read())
        assert "error" not in said, said
        return said["result"]

    def create(self, parties: Sequence[Mapping[str, Any]]) -> list[str]:
        """Make parties; give their ids."""
        return [str(id_) for id_ in self.call("model.party.party.create", list(parties), {})]

    def write(self, model: str, id_: Any, **values: Any) -> None:
        """Change one record."""
        self.call(f"model.{model}.write", [int(id_)], values, {})

    def delete(self, model: str, id_: Any) -> None:
        """Delete one record for good."""
        self.call(f"model.{model}.delete", [int(id_)], {})

    def parties(self) -> dict[str, Any]:
        """Give all parties, also those that are put away, with what belongs to them; the times are part of it."""
        names = ["name", "code", "active", "write_date", "contact_mechanisms.type", "contact_mechanisms.value",
                 "contact_mechanisms.write_date", "addresses.street", "addresses.city", "addresses.postal_code"]  # fmt: skip
        every = [["active", "in", [True, False]]]
        found = self.call("model.party.party.search_read", every, 0, None, [["id", "ASC"]], names, {})
        return {str(each["id"]): each for each in found}

    def mechanism(self, id_: str, kind: str) -> Any:
        """Give somebody's first mechanism of a kind; None where there is none."""
        return next((each for each in self.parties()[id_]["contact_mechanisms."] if each["type"] == kind), None)

    def empty(self) -> Tryton:
        """Delete all parties; give the database without them."""
        self.call("model.party.party.delete", [int(id_) for id_ in self.parties()], {})
        return self


def _make(programs: Path, folder: Path) -> None:
    (folder / f"{DATABASE}.sqlite").touch()
    (folder / "password").write_text(PASSWORD)
    (folder / "trytond.conf").write_text(CONFIG.format(folder=folder, port=0))
    command = [str(programs / "trytond-admin"), "-c", str(folder / "trytond.conf"), "-d", DATABASE]
    environ = {**os.environ, "TRYTONPASSFILE": str(folder / "password")}
    rest = ["--email", "admin@example.org", "-u", "party", "--activate-dependencies"]
    subprocess.run([*command, *rest], check=True, capture_output=True, env=environ)


def install() -> Path:
    """Install it; give the folder with its programs."""
    return peers.install(NAME)


@contextlib.contextmanager
def started() -> Iterator[Tryton]:
    """Run a server while the block runs. Raises NotInstalledError."""
    programs, empty = peers.programs(NAME), peers.template(NAME, Path(__file__), _make)
    with tempfile.TemporaryDirectory(prefix="syncd-tryton-") as made:
        folder = Path(made)
        shutil.copy(empty / f"{DATABASE}.sqlite", folder)

        def command(port: int) -> list[str]:
            (folder / "trytond.conf").write_text(CONFIG.format(folder=folder, port=port))
            return [str(programs / "trytond"), "-c", str(folder / "trytond.conf"), "-d", DATABASE]

        with running(command, ready=None, stop=signal.SIGTERM) as (port, _):
            server = Tryton(port=port, file=folder / f"{DATABASE}.sqlite")
            server.login()
            yield server
