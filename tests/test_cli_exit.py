"""What a command answers when something is wrong, and what it may show to whom (DESIGN 5, issue 2: bad input)."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.commands import COMMAND
from tests.hubs import Hub, environment, odd, person, three, until
from tests.radicale import Server

CANARY = "Canary-7319"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return three(tmp_path)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The same, synced, and only looked at by the tests that ask for it."""
    return three(tmp_path_factory.mktemp("settled")).synced()


# -- exit codes


WRONG = {
    "broken YAML": ("apps: [", ["sync"], "wrong.yaml:1:8: "),
    "no such connector": ("apps:\n  a: {connector: cvs}\n", ["sync"], 'did you mean "csv"'),
    "no such app": (None, ["plan", "--app", "cmr"], 'did you mean "crm"'),
    "no such field": (None, ["resync", "--fields", "frist_name"], 'did you mean "first_name"'),
    "no such time": (None, ["history", "--since", "yesterday"], "ISO 8601"),
    "both directions": (None, ["resync", "--pull-only", "--push-only"], "exclude each other"),
    "nothing to undo": (None, ["undo"], "--run"),
    "no such run": (None, ["approve", "77"], "no run 77"),
    "no such case": (None, ["inbox", "show", "77"], "no open case 77"),
    "two decisions": (None, ["inbox", "resolve", "1", "--keep", "--new"], "one decision"),
    "no such contact": (None, ["explain", "c77"], "no contact c77"),
    "no such record": (None, ["explain", "crm:77"], "crm has no such record"),
    "no such command": (None, ["stauts"], "Did you mean 'status'"),
    "no such option": (None, ["sync", "--aprove"], "--approve"),
    "no argument": (None, ["approve"], "RUN"),
    "no such connector to show": (None, ["connectors", "show", "cvs"], 'did you mean "csv"'),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_the_operator_typed_wrong_exits_2_with_the_near_miss_and_no_document(settled: Hub, what: str) -> None:
    text, words, message = WRONG[what]
    config: list[str] = []
    if text is not None:
        (settled.folder / "wrong.yaml").write_text(text)
        config = ["-c", "wrong.yaml"]
    said = settled.run(*words, "--json", *config)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert "Traceback" not in said.err


def test_every_problem_of_a_configuration_is_told_at_once(hub: Hub) -> None:
    hub.config.write_text("version: 1\napps:\n  crm: {connector: csv, setings: {}}\n  b: {connector: sql}\n")
    said = hub.run("sync")
    assert said.code == 2
    assert said.err.count("syncd: syncd.yaml:") >= 2


def test_a_missing_file_is_an_app_out_of_reach_and_the_others_go_on(hub: Hub) -> None:
    hub.synced()
    (hub.folder / "crm.csv").rename(hub.folder / "away.csv")
    hub.sql("books", "UPDATE people SET first_name = 'Zoe' WHERE id = 'b3'")
    said = hub.run("sync", "--json")
    assert said.code == 3
    assert said.doc["outcome"] == "partial"
    assert said.doc["apps"]["books"]["read"] == 3
    assert "crm.csv: there is no such file" in said.err
    (hub.folder / "away.csv").rename(hub.folder / "crm.csv")
    assert hub.json("sync")["apps"]["crm"]["updated"] == 1


def test_an_empty_file_is_an_app_out_of_reach_and_the_others_go_on(hub: Hub) -> None:
    hub.synced()
    kept = (hub.folder / "crm.csv").read_bytes()
    (hub.folder / "crm.csv").write_bytes(b"")
    said = hub.run("sync", "--json")
    assert (said.code, said.doc["outcome"], said.doc["apps"]["books"]["read"]) == (3, "partial", 3)
    assert "crm.csv: the file is empty" in said.err
    assert (hub.folder / "crm.csv").read_bytes() == b""
    (hub.folder / "crm.csv").write_bytes(kept)
    assert hub.json("sync")["outcome"] == "in_sync"


def test_a_wrong_table_exits_2_and_the_others_go_on(hub: Hub) -> None:
    hub.csv("news", [])
    hub.synced()
    hub.sql("books", "ALTER TABLE people RENAME TO persons")
    for name, words in (("Zoe", ["sync", "--json"]), ("Zora", ["sync"])):
        hub.write("crm", [person(1, first_name=name), person(2)])
        said = hub.run(*words)
        assert (said.code, said.out) == (2, "")
        assert "syncd: books: table: there is no 'people'" in said.err
        assert "syncd check -c syncd.yaml" in said.err
        assert "updated" in said.err
        assert hub.rows("news")["p1@example.com"]["first_name"] == name
    said = hub.run("plan", "--json")
    assert (said.code, said.out) == (2, "")
    assert "there is no 'people'" in said.err


def test_a_store_out_of_reach_exits_3_with_a_document(hub: Hub) -> None:
    hub.config.write_text(
        hub.config.read_text().replace("sqlite:///var/syncd.db", "postgresql+psycopg://a@127.0.0.1:9/a")
    )
    said = hub.run("sync", "--json")
    assert said.code == 3
    assert said.doc["outcome"] == "partial"
    assert said.doc["error"]["kind"] == "TransientError"
    assert hub.json("status", code=3)["error"]["kind"] == "TransientError"


def test_a_refused_password_exits_5_and_the_others_go_on(
    tmp_path: Path, radicale_server: Server, address_book: str
) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1)])
    secrets = "secrets: {username: env:CARD_USER, password: env:CARD_PASSWORD}, network: private"
    hub.app("book", f"{{connector: carddav, settings: {{url: '{address_book}'}}, {secrets}}}")
    env = {"CARD_USER": radicale_server.user, "CARD_PASSWORD": f"{CANARY}-wrong"}
    said = hub.run("sync", "--json", env=env)
    assert said.code == 5, said.err
    assert "book" in said.err
    assert CANARY not in said.err + said.out
    assert hub.run("check", "--json", env=env).code == 5


def test_a_fault_of_ours_is_one_line_and_exit_1(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [person(1)])
    (folder / "open").write_text("ZeroDivisionError")
    said = hub.run("sync", "--json")
    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 1
    assert "internal error: ZeroDivisionError" in said.err
    assert "--debug" in said.err
    assert "Traceback" in hub.run("sync", "--debug").err


def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [person(1)])
    hub.csv("news", [])
    (folder / "read").touch()
    process = hub.start("sync", "--approve")
    until((folder / "read.reached").exists, "it reads", alive=process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    err = (folder / "err").read_text()
    assert "interrupted" in err
    assert "Traceback" not in err
    (folder / "read").unlink()
    assert hub.run("sync", "--approve").code == 0
    assert set(hub.rows("news")) == {"p1@example.com"}


def test_a_sync_waits_for_another_one(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    folder = odd(hub, "crm", [person(1)])
    hub.csv("news", [])
    (folder / "read").touch()
    first = hub.start("sync", "--approve")
    until((folder / "read.reached").exists, "the first one reads", alive=first)
    second = subprocess.Popen([*COMMAND, "sync", "-c", "syncd.yaml", "--json"], cwd=folder, env=environment())
    assert hub.json("status")["contacts"] == 0  # looking needs no lease
    assert second.poll() is None
    (folder / "read").unlink()
    assert first.wait(60) == 0
    assert second.wait(60) == 0


# -- what may be shown where


def test_no_contact_value_reaches_stderr_or_a_document_that_is_not_about_contacts(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1, first_name=CANARY, phone=CANARY), person(2, email=f"{CANARY}@@")])
    hub.table("books", [person(1, last_name=CANARY), person(3, company=CANARY * 40)])
    with (hub.folder / "crm.csv").open("a") as file:
        file.write(f'9,{CANARY},too,many,cells,here,{CANARY},{CANARY}\n8,"{CANARY}\n')
    for words in (["sync"], ["sync", "--approve"], ["sync"], ["status"], ["check"], ["resync"]):
        said = hub.run(*words)
        assert CANARY not in said.err, words
        assert CANARY not in said.out, words
    for words in (
        ["explain", f"{CANARY}@example.com"],
        ["resync", "--contact", f"{CANARY}@example.com"],
        ["sync", f"{CANARY}@x.com"],
    ):
        said = hub.run(*words)
        assert said.code == 2
        assert CANARY not in said.err, words
    assert CANARY in hub.run("explain", "p1@example.com").out


def test_a_key_may_come_from_stdin(settled: Hub) -> None:
    assert settled.json("explain", "-", stdin="p1@example.com\n")["contact"].startswith("c")
    assert settled.run("explain", "-", stdin="").code == 2


def test_a_pipe_gets_neither_colour_nor_wrapping_nor_what_steers_a_terminal(hub: Hub) -> None:
    hub.write("crm", [person(1, company="\x1b[31mred\x07" + "x" * 200)])
    hub.synced()
    said = hub.run("explain", "p1@example.com")
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out
    assert "\\u001b[31mred" in said.out
    assert "…" not in said.out
    assert "x" * 200 in said.out
    assert "x" * 200 in hub.json("explain", "p1@example.com")["fields"]["company"]["value"]


def test_a_terminal_gets_a_table_and_nothing_that_steers_it(hub: Hub) -> None:
    hub.write("crm", [person(1, company="\x1b]0;owned\x07")])
    hub.synced()
    shown = on_terminal(hub, "explain", "p1@example.com")
    assert "\x1b]0;" not in shown
    assert "\x07" not in shown
    assert "─" in shown


def on_terminal(hub: Hub, *words: str) -> str:
    """Run a command on a pseudo-terminal; return what it shows."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words, "-c", "syncd.yaml"],
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=hub.folder,
        env=environment({"TERM": "xterm"}),
    )
    os.close(there)
    shown = b""
    while True:
        ready, _, _ = select.select([here], [], [], 60)
        try:
            block = os.read(here, 65536) if ready else b""
        except OSError:
            block = b""  # the other end is closed
        if not block:
            break
        shown += block
    os.close(here)
    assert process.wait(60) == 0
    return shown.decode()


def test_whoever_stops_reading_has_had_enough(settled: Hub) -> None:
    process = subprocess.Popen(
        [*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=settled.folder, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_check_and_sync_agree_about_a_column_that_is_not_there(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.csv("crm", [{"id": "1", "email": "a@example.com"}], more=", fields: {phone: {path: Telefon}}")
    hub.csv("news", [{"id": "1", "email": "a@example.com"}])
    checked, synced = hub.run("check"), hub.run("sync")
    assert (checked.code, synced.code) == (2, 2)
    assert "no column is named 'Telefon'" in checked.err
    assert "path Telefon" in synced.err
