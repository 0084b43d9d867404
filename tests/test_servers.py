"""The servers that other tests stand on run, are empty for each test, and are gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.kit.servers import ServerDiedError, is_alive, running
from tests.radicale import Server

ROOT = Path(__file__).parent.parent
ECHO = "import sys, time; print('ready', file=sys.stderr, flush=True); time.sleep(600)"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_postgresql_of_its_own(pg_url: str, turn: int) -> None:
    engine = sa.create_engine(pg_url)
    try:
        with engine.begin() as connection:
            assert sa.inspect(connection).get_table_names() == []
            connection.execute(sa.text("CREATE TABLE person (turn integer)"))
            connection.execute(sa.text("INSERT INTO person VALUES (:turn)"), {"turn": turn})
            assert connection.scalar(sa.text("SELECT turn FROM person")) == turn
            assert str(connection.scalar(sa.text("SHOW server_version"))).startswith("18.")
    finally:
        engine.dispose()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_address_book_of_its_own(radicale_server: Server, address_book: str, turn: int) -> None:
    card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u{turn}\r\nFN:Ada {turn}\r\nN:;Ada;;;\r\nEND:VCARD\r\n".encode()
    _, listing = radicale_server.request("PROPFIND", address_book, depth="1")
    assert listing.count(b"<response>") == 1  # the book itself

    href = f"{address_book}u{turn}.vcf"
    assert radicale_server.request("PUT", href, card, content_type="text/vcard", if_none_match="*")[0] == 201
    assert radicale_server.request("PUT", href, card, content_type="text/vcard", if_none_match="*")[0] == 412
    assert b"FN:Ada" in radicale_server.request("GET", href)[1]


def test_radicale_refuses_a_stranger(radicale_server: Server, address_book: str) -> None:
    stranger = Server(url=radicale_server.url, pid=radicale_server.pid, password="wrong")
    assert stranger.request("PROPFIND", address_book, depth="0")[0] == 401


def test_a_server_is_gone_after_its_block() -> None:
    with running(lambda _: [sys.executable, "-c", ECHO], ready="ready", stop=signal.SIGTERM) as (_, pid):
        assert is_alive(pid)
    assert not is_alive(pid)


def test_a_server_is_gone_when_the_session_is_killed() -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", STORY, ECHO], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert session.stdout is not None
    with session:
        pid = int(session.stdout.readline())
        assert is_alive(pid)
        session.kill()
        # The guard holds our pipe too: its end is the end of the server.
        assert session.stdout.read() == ""
    assert not is_alive(pid)


STORY = """
import signal, sys
from syncd.kit.servers import running
with running(lambda _: [sys.executable, "-c", sys.argv[1]], ready="ready", stop=signal.SIGTERM) as (_, pid):
    print(pid, flush=True)
    sys.stdin.read()
"""


def test_a_server_that_does_not_start_says_why() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such folder')"]
    with (
        pytest.raises(ServerDiedError, match="no such folder"),
        running(lambda _: command, ready="ready", stop=signal.SIGTERM),
    ):
        pass
