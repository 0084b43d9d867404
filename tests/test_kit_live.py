"""`syncd connectors test --against live`: reads only unless asked, one marked record of its own, put away however it ends."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.fakeapi.sandbox import Sandbox
from syncd.http.sandbox import Asked, Said, Server, serving
from tests.hubs import Said as Answered

CONFIG = """
version: 1
apps:
  people:
    connector: fakeapi
    network: private
    settings: {{url: "{url}"}}
    secrets: {{token: env:PEOPLE_TOKEN}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve an account with three people in it."""
    sandbox = Sandbox()
    for name in ("Ada", "Grace", "Hedy"):
        sandbox.add({"first_name": name, "emails": [{"value": f"{name.lower()}@private.example"}]})
    with serving(sandbox) as server:
        (tmp_path / "syncd.yaml").write_text(CONFIG.format(url=server.url))
        yield server


def live(folder: Path, *words: str, token: str = "token") -> Answered:
    command = [sys.executable, "-m", "syncd", "connectors", "test", "fakeapi", "--against", "live", "-c", "syncd.yaml"]
    ran = subprocess.run(
        [*command, *words],
        cwd=folder,
        env={**os.environ, "PEOPLE_TOKEN": token},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Answered(code=ran.returncode, out=ran.stdout, err=ran.stderr)


def people(server: Server) -> dict[str, Any]:
    assert isinstance(server.sandbox, Sandbox)
    return copy.deepcopy(server.sandbox.contacts)


def verdicts(said: Answered) -> dict[str, str]:
    return {each["check"]: each["verdict"] for each in said.doc["checks"]}


def test_without_a_yes_nothing_is_asked(server: Server, tmp_path: Path) -> None:
    said = live(tmp_path)
    assert said.code == 2
    assert "--yes" in said.err
    assert not server.asked


def test_it_reads_and_writes_nothing_and_says_what_it_did_not_prove(server: Server, tmp_path: Path) -> None:
    before = people(server)
    said = live(tmp_path, "--yes")
    assert said.code == 0, said.out + said.err
    assert people(server) == before
    assert {asked.method for asked in server.asked} <= {"GET", "POST"}
    assert all(asked.path.endswith("/batch/read") for asked in server.asked if asked.method == "POST")
    assert "not proven  writing: only with --write" in said.out
    assert "green  a listing is whole" in said.out


def test_it_writes_one_record_of_its_own_and_puts_it_away(server: Server, tmp_path: Path) -> None:
    before = people(server)
    said = live(tmp_path, "--yes", "--write", "--json")
    assert said.code == 0, said.out + said.err
    found = verdicts(said)
    assert found["everything_is_put_away"] == found["a_stale_version_is_refused"] == found["reads_show_it"] == "green"
    assert found["nobody_was_opted_in"] == "not asked"
    after = people(server)
    [made] = after.keys() - before.keys()
    assert after.pop(made)["deleted"]
    assert after == before, "somebody else was written to"
    sent = b"".join(asked.body for asked in server.asked if asked.method != "GET")
    assert b"private.example" not in sent
    assert b"@example.com" in sent


def test_what_it_made_is_put_away_when_a_promise_does_not_hold(server: Server, tmp_path: Path) -> None:
    before = people(server)

    def other(asked: Asked, said: Said) -> Said:
        """The app changes another field as well."""
        if asked.method == "PATCH":
            sandbox = server.sandbox
            assert isinstance(sandbox, Sandbox)
            sandbox.edit(asked.parts[-1], {"company": "Somebody else's"})
        return said

    server.after = other
    said = live(tmp_path, "--yes", "--write", "--json")
    assert said.code == 3
    assert verdicts(said)["an_update_changes_what_it_names"] == "failed"
    after = people(server)
    [made] = after.keys() - before.keys()
    assert after[made]["deleted"]
    assert "private.example" not in said.out, "somebody's address is shown"


def test_what_cannot_be_put_away_is_named(server: Server, tmp_path: Path) -> None:
    server.before = lambda asked: Said(status=403, doc={}) if asked.method == "DELETE" else None
    said = live(tmp_path, "--yes", "--write")
    assert said.code == 3
    assert "left behind, please remove: 1" in said.out


def test_a_create_whose_answer_was_lost_is_looked_for_and_put_away(server: Server, tmp_path: Path) -> None:
    before = people(server)
    server.after = lambda asked, said: Said(status=500) if asked.method == "POST" and said.status == 201 else said
    said = live(tmp_path, "--yes", "--write", "--json")
    assert verdicts(said)["a_record_is_made_as_asked"] == "failed"
    after = people(server)
    [made] = after.keys() - before.keys()
    assert after[made]["deleted"]
    assert verdicts(said)["everything_is_put_away"] == "green"


def test_a_wrong_token_is_a_failure_and_shows_no_secret(server: Server, tmp_path: Path) -> None:
    said = live(tmp_path, "--yes", token="not-this-one")
    assert said.code == 3
    assert "not-this-one" not in said.out + said.err
    assert "check the people's secrets" in said.out or "secrets" in said.out


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--app", "crm"), "no app of this connector"), (("--against", "sandbox", "--write"), "--against live")],
)
def test_what_makes_no_sense_is_told(words: tuple[str, ...], message: str, server: Server, tmp_path: Path) -> None:
    said = live(tmp_path, "--yes", *words)
    assert said.code == 2
    assert message in said.err
