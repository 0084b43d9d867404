"""From end to end on a server: an address book, a file and a table, kept in one hub whose store is PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.davbook import vcard
from tests.hubs import Hub, Said, person, until
from tests.radicale import PASSWORD, USER, Server

PEOPLE = 40
ENV = {"DAV_USER": USER, "DAV_PASSWORD": PASSWORD}


@pytest.fixture
def hub(tmp_path: Path, pg_url: str, address_book: str, radicale_server: Server) -> Hub:
    hub = Hub(tmp_path)
    hub.store = pg_url
    hub.csv("desk", [person(n, company=f"Desk {n}") for n in range(PEOPLE) if n % 2])
    hub.table("books", [person(n, phone=f"+4930231250{n:02}") for n in range(PEOPLE) if n % 3])
    for n in range(0, PEOPLE, 4):
        row = person(n)
        lines = [f"N:{row['last_name']};{row['first_name']};;;", "FN:x", f"EMAIL:{row['email']}"]
        body = vcard(*lines, uid=f"u{n}").encode()
        status, _ = radicale_server.request("PUT", f"{address_book}{n}.vcf", body, content_type="text/vcard")
        assert status == 201
    secrets = "{username: env:DAV_USER, password: env:DAV_PASSWORD}"
    hub.app(
        "team", f"{{connector: carddav, network: private, settings: {{url: '{address_book}'}}, secrets: {secrets}}}"
    )
    hub.configure("guards: {creates: 1000, updates: 1000}\n")
    return hub


def syncd(hub: Hub, *words: str, code: int = 0) -> Said:
    said = hub.run(*words, env=ENV)
    assert said.code == code, (said.code, said.out, said.err)
    return said


def cards(server: Server, book: str) -> list[dict[str, str]]:
    """Read every card of the book, line by line: name -> value."""
    _, listing = server.request("PROPFIND", book, depth="1")
    hrefs = re.findall(r"<href>([^<]+\.vcf)</href>", listing.decode())
    texts = [server.request("GET", server.url.rstrip("/") + href)[1].decode() for href in hrefs]
    lines = [[line.partition(":") for line in text.splitlines()] for text in texts]
    return [{name.partition(";")[0]: value for name, _, value in card} for card in lines]


def emails(hub: Hub, radicale_server: Server, book: str) -> list[list[str]]:
    table = [email for (email,) in hub.sql("books", "SELECT email FROM people")]
    team = [card["EMAIL"] for card in cards(radicale_server, book)]
    with (hub.folder / "desk.csv").open(encoding="utf-8") as file:
        desk = [line.split(",")[1] for line in file.read().splitlines()[1:]]
    return [sorted(table), sorted(team), sorted(desk)]


def test_first_contact_a_day_and_silence(hub: Hub, radicale_server: Server, address_book: str) -> None:
    everybody = sorted(person(n)["email"] for n in range(PEOPLE) if n % 2 or n % 3 or n % 4 == 0)
    preview = syncd(hub, "sync", "--json", code=4).doc
    assert preview["outcome"] == "held"
    assert len(emails(hub, radicale_server, address_book)[1]) == PEOPLE / 4
    syncd(hub, "approve", str(preview["run"]))
    assert syncd(hub, "sync", "--json").doc["outcome"] == "in_sync"
    assert emails(hub, radicale_server, address_book) == [everybody] * 3

    hub.sql("books", "UPDATE people SET phone = '+493023125999', email_consent = 'opted_out' WHERE email LIKE 'p5@%'")
    done = syncd(hub, "sync", "--json").doc["apps"]
    assert (done["team"]["updated"], done["desk"]["updated"] + done["desk"]["consents"]) == (1, 2)
    assert hub.rows("desk")["p5@example.com"]["email_consent"] == "opted_out"
    assert {card["EMAIL"]: card.get("TEL") for card in cards(radicale_server, address_book)}[
        "p5@example.com"
    ] == "+493023125999"
    for words in (("sync", "--json"), ("resync", "--json")):
        said = syncd(hub, *words).doc
        assert {app["created"] + app["updated"] + app["consents"] for app in said["apps"].values()} == {0}
    assert syncd(hub, "status", "--json").doc["contacts"] == len(everybody)
    assert "+493023125999" in syncd(hub, "explain", "p5@example.com", "--json").out
    assert syncd(hub, "db", "upgrade", "--json").doc == {"from": "0001", "to": "0001"}


def test_two_at_once_write_once(hub: Hub, radicale_server: Server, address_book: str) -> None:
    before = sum(map(len, emails(hub, radicale_server, address_book)))
    both = [hub.start("sync", "--approve", "--json", env=ENV, name=name) for name in ("one", "two")]
    codes = [process.wait(60) for process in both]
    assert codes == [0, 0], [(hub.folder / f"{name}err").read_text("utf-8") for name in ("one", "two")]
    created = sorted(_created(hub.folder / f"{name}out") for name in ("one", "two"))
    held = emails(hub, radicale_server, address_book)
    assert held[0] == held[1] == held[2] == sorted(set(held[0]))
    assert created == [0, sum(map(len, held)) - before]  # one waited for the other, and found nothing left to do


def test_a_sync_beside_the_daemon(hub: Hub, radicale_server: Server, address_book: str) -> None:
    syncd(hub, "sync", "--approve")
    daemon = hub.start("run", env=ENV, name="daemon")
    try:
        until(lambda: b"pass" in (hub.folder / "daemonerr").read_bytes(), "a pass of the daemon", alive=daemon)
        for number in range(3):
            hub.sql("books", "INSERT INTO people (id, email) VALUES (?, ?)", f"n{number}", f"n{number}@example.com")
            assert syncd(hub, "sync", "--json").doc["outcome"] == "in_sync"
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0
    held = emails(hub, radicale_server, address_book)
    assert held[0] == held[1] == held[2] == sorted(set(held[0]))
    assert "n2@example.com" in held[1]


def _created(file: Path) -> int:
    said = Said(code=0, out=file.read_text("utf-8"), err="").doc
    return sum(int(app["created"]) for app in said["apps"].values())
