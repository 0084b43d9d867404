"""`syncd auth`: the real command line, the vendors' sandboxes over real HTTP, and a browser that does what a person does."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncd.http.sandbox import Said
from syncd.kit.servers import free_port
from tests.commands import COMMAND
from tests.hubs import environment, person, until
from tests.logins import VENDORS, Account, account, agree, fetched


@pytest.fixture
def xero(tmp_path: Path) -> Iterator[Account]:
    with account(tmp_path) as made:
        yield made


# -- the way it is meant


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_person_agrees_and_the_app_answers(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor) as there:
        before = there.hub.run("check")
        assert before.code == 5, before
        assert "syncd auth crm" in before.out
        waiting = there.auth()
        back = agree(waiting.page())
        status, _, text = fetched(back)
        code, said = waiting.end()
        assert (code, status) == (0, 200), said
        assert "Logged in" in text
        assert "crm: logged in" in said
        assert there.hub.run("check").code == 0
        told = dict(parse_qsl(urlsplit(back).query))
        kept = b"".join(file.read_bytes() for file in (tmp_path / "var").iterdir())
        for secret in (told["code"], *there.sandbox.login.tokens, there.sandbox.login.refresh):
            assert secret.encode() not in kept
            assert secret not in said + there.hub.run("check").out


@pytest.mark.parametrize("vendor", ["xero", "zendesk"])
def test_where_the_vendor_looks_at_it_the_code_is_bound_to_who_asked(tmp_path: Path, vendor: str) -> None:
    with account(tmp_path, vendor) as there:
        waiting = there.auth()
        query = dict(parse_qsl(urlsplit(waiting.page()).query))
        assert query["code_challenge_method"] == "S256"
        back = agree(waiting.page())
        [code] = there.sandbox.login.codes.values()
        assert len(code.challenge) == 43
        code.challenge = "A" * 43  # as if somebody else's code had been put into our address
        fetched(back)
        ended, said = waiting.end()
        assert ended == 5, said
        assert "the code was refused" in said


def test_a_login_lasts_over_processes_and_renewals(xero: Account) -> None:
    fetched(agree((waiting := xero.auth()).page()))
    assert waiting.end()[0] == 0
    assert xero.hub.run("check").code == 0
    xero.sandbox.clock.pass_seconds(7200)
    xero.sandbox.login.tokens.clear()
    for _ in range(2):
        assert xero.hub.run("check").code == 0
    assert [asked.path for asked in xero.server.asked].count("/connect/token") == 2


def test_a_login_that_was_revoked_is_told_and_done_again_while_the_other_apps_go_on(xero: Account) -> None:
    xero.hub.csv("list", [person(1)])
    said = xero.hub.run("sync", "--approve", "--json")
    assert said.code == 5
    assert "nobody has logged in yet; log in: syncd auth crm" in said.err
    assert said.doc["apps"]["list"]["read"] == 1
    for revoked in (False, True):
        if revoked:
            xero.sandbox.login.revoke()
            said = xero.hub.run("sync", "--json")
            assert said.code == 5
            assert "no longer good" in said.err
            assert "syncd auth crm" in said.err
            assert "syncd auth crm" in xero.hub.run("status").out
        waiting = xero.auth()
        fetched(agree(waiting.page()))
        assert waiting.end()[0] == 0
        assert xero.hub.run("sync", "--approve").code == 0
    assert [each["EmailAddress"] for each in xero.sandbox.contacts.values()] == ["p1@example.com"]


def test_the_daemon_takes_a_new_login_up_by_itself(xero: Account) -> None:
    xero.hub.csv("list", [person(1)], more=", poll: 1s")
    xero.hub.apps["crm"] = xero.hub.apps["crm"].replace("{connector", "{poll: 1s, connector", 1)
    xero.hub.configure()
    xero.hub.run("sync", "--approve")
    daemon = xero.hub.start("run", name="daemon-")
    try:
        until(lambda: b"nobody has logged in" in (xero.hub.folder / "daemon-err").read_bytes(), "told", alive=daemon)
        waiting = xero.auth()
        fetched(agree(waiting.page()))
        assert waiting.end()[0] == 0
        until(lambda: "/api.xro/2.0/Contacts" in {asked.path for asked in xero.server.asked}, "a read", alive=daemon)
    finally:
        daemon.terminate()
        daemon.wait(30)


def test_an_api_key_needs_no_browser(tmp_path: Path) -> None:
    with account(tmp_path, "hubspot", token="token") as there:
        assert there.hub.run("check").code == 0
        said = there.hub.run("auth", "crm")
        assert said.code == 2
        assert "another kind of login" in said.err


# -- the ways it goes wrong


def test_who_says_no_is_told_so(xero: Account) -> None:
    xero.sandbox.login.says = "access_denied"
    waiting = xero.auth("--json")
    _, _, text = fetched(agree(waiting.page()))
    code, said = waiting.end()
    assert code == 5
    assert "the person did not agree" in said
    assert '"error"' in waiting.out.read_text()
    assert "Not logged in" in text
    assert "said by a person" not in text + said


def test_an_answer_to_another_question_is_not_used_and_does_not_disturb(xero: Account) -> None:
    waiting = xero.auth()
    back = agree(waiting.page())
    other = re.sub(r"state=[^&]+", "state=forged", back).replace("code-1", "code-of-somebody")
    status, _, text = fetched(other)
    assert (status, "Not this one" in text, "code-of-somebody" in text) == (200, True, False)
    assert fetched(back.replace("/?", "/favicon.ico?"))[0] == 404
    assert "Logged in" in fetched(back)[2]
    code, said = waiting.end()
    assert code == 0
    assert "its state is not ours" in said
    assert "code-of-somebody" not in said


def test_a_code_that_is_refused_is_told(xero: Account) -> None:
    waiting = xero.auth()
    back = agree(waiting.page())
    xero.sandbox.clock.pass_seconds(700)
    assert "Not logged in" in fetched(back)[2]
    code, said = waiting.end()
    assert code == 5
    assert "the code was refused" in said


def test_a_client_that_is_refused_is_told(tmp_path: Path) -> None:
    with account(tmp_path, client_secret="wrong") as there:
        waiting = there.auth()
        fetched(agree(waiting.page()))
        code, said = waiting.end()
    assert code == 5
    assert "the client's name or secret is refused" in said
    assert "wrong" not in said


def test_who_does_not_come_back_is_not_waited_for(xero: Account) -> None:
    waiting = xero.auth("--wait", "1")
    page = waiting.page()
    visitor = socket.create_connection(
        ("127.0.0.1", urlsplit(dict(parse_qsl(urlsplit(page).query))["redirect_uri"]).port)
    )
    with visitor:
        code, said = waiting.end()
    assert code == 3
    assert "nobody came back from the browser in time" in said


def test_a_connection_that_says_nothing_does_not_keep_the_browser_out(xero: Account) -> None:
    waiting = xero.auth()
    back = agree(waiting.page())
    address = ("127.0.0.1", urlsplit(back).port)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(address)).sendall(b"GET /?")
        assert "Logged in" in fetched(back)[2]
    assert waiting.end()[0] == 0


def test_a_lost_answer_of_the_token_endpoint_keeps_nothing_and_says_so(xero: Account) -> None:
    xero.server.after = lambda asked, said: Said(cut=True) if asked.path == "/connect/token" else said
    waiting = xero.auth()
    fetched(agree(waiting.page()))
    code, said = waiting.end()
    assert code == 3
    assert "the connection broke" in said
    assert xero.hub.run("check").code == 5


def test_an_app_that_is_not_there_and_one_without_such_a_login(xero: Account) -> None:
    xero.hub.csv("list", [person(1)])
    assert "crm" in xero.hub.run("auth", "cmr").err
    said = xero.hub.run("auth", "list")
    assert said.code == 2
    assert "no login in a browser" in said.err


# -- registered addresses, other machines


@pytest.mark.parametrize("path", ["", "/callback"])
def test_a_vendor_that_knows_one_address_gets_that_one(xero: Account, path: str) -> None:
    port = free_port()
    xero.sandbox.login.redirects = (f"http://localhost:{port}{path or '/'}",)
    words = ("--redirect", f"http://localhost:{port}{path}") if path else ("--port", str(port))
    waiting = xero.auth(*words)
    assert "Logged in" in fetched(agree(waiting.page()))[2]
    assert waiting.end()[0] == 0


def test_a_port_that_is_taken_is_told(xero: Account) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = xero.hub.run("auth", "crm", "--port", str(listener.getsockname()[1]))
    assert said.code == 2
    assert "cannot be had" in said.err


@pytest.mark.parametrize(
    "url", ["localhost:1", "ftp://example.com/", "http://localhost/", "https://example.com/#x", "http://[", "/"]
)
def test_an_address_that_nobody_can_be_sent_to_is_told(xero: Account, url: str) -> None:
    said = xero.hub.run("auth", "crm", "--redirect", url)
    assert said.code == 2
    assert "--redirect is none of the addresses" in said.err


@pytest.mark.parametrize("form", ["{}", "  {}\r", "{}#_=_", "?query"])
def test_the_address_is_pasted_where_the_browser_is_somewhere_else(xero: Account, form: str) -> None:
    xero.sandbox.login.redirects = ("https://example.com/syncd",)
    waiting = xero.auth("--redirect", "https://example.com/syncd", "--json")
    back = agree(waiting.page())
    waiting.paste("")
    waiting.paste("https://example.com/syncd")
    waiting.paste(back.partition("?")[2] if form == "?query" else form.format(back))
    code, said = waiting.end()
    assert code == 0, said
    assert waiting.out.read_text() == '{"app":"crm","logged_in":true,"settings":{"tenant":"4711"}}\n'
    assert "this address holds no code" in said
    assert xero.hub.run("check").code == 0


def test_where_nothing_can_come_it_is_said_at_once(xero: Account) -> None:
    said = xero.hub.run("auth", "crm", "--redirect", "https://example.com/")
    assert said.code == 3
    assert "no address was given" in said.err


BROWSER = """#!{python}
import sys, urllib.request
open({note!r}, "a").write(sys.argv[1] + "\\n")
print(urllib.request.urlopen(sys.argv[1]).status)
"""


def test_on_a_terminal_a_browser_opens_and_no_list_of_processes_shows_the_question(xero: Account) -> None:
    note, browser = xero.hub.folder / "opened", xero.hub.folder / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, note=str(note)))
    browser.chmod(0o755)
    ours, theirs = pty.openpty()
    more = {"BROWSER": f"{browser} %s &", "TERM": "xterm", "DISPLAY": ""}
    process = subprocess.Popen(
        [*COMMAND, "auth", "crm", "-c", "syncd.yaml"], stdin=theirs, stdout=theirs, stderr=theirs,
        cwd=xero.hub.folder, env=environment(more),
    )  # fmt: skip
    os.close(theirs)
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(ours)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/start\n", note.read_text())
