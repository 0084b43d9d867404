"""Real open systems and a file, the whole way: the real command line, the real engine, the running servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.ldap import server as slapd
from connectors.mailman import server as mailman
from connectors.roundup import server as roundup
from tests.hubs import Hub

COLUMNS = ("id", "email", "full_name", "phone", "email_consent")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A file, a helpdesk and a mailing list, and the hub between them."""

    hub: Hub
    desk: roundup.Roundup
    news: mailman.Mailman

    def sync(self) -> Any:
        said = self.hub.run("sync", "--approve", "--json")
        assert said.code in {0, 3}, (said.out, said.err)
        return said.doc

    def quiet(self) -> None:
        """Sync until nothing is left to do, then once more: nothing is written."""
        for _ in range(4):
            self.sync()
        before = self.state()
        self.sync()
        assert self.state() == before

    def state(self) -> Any:
        """Give all that the apps hold; Roundup's time of change is in it, so that a write that changes nothing shows."""
        return self.desk.everything(), self.members(), self.hub.rows("people")

    def members(self) -> dict[str, tuple[str, str]]:
        entries = self.news.entries(f"lists/{self.news.name}/roster/member")
        return {
            each["email"]: (each.get("display_name", ""), self.news.delivery(each["member_id"])) for each in entries
        }

    def users(self) -> dict[str, Any]:
        return {each["address"]: each for each in self.desk.everything() if each["roles"] == "User"}


@pytest.fixture
def house(tmp_path: Path, tracker: roundup.Roundup, mailing_list: mailman.Mailman) -> House:
    hub = Hub(tmp_path)
    (tmp_path / "desk-password").write_text(roundup.PASSWORD)
    (tmp_path / "news-password").write_text(mailman.PASSWORD)
    hub.app(
        "desk",
        f'{{connector: roundup, network: private, settings: {{url: "{tracker.url}", username: {roundup.USER}}}, '
        "secrets: {password: file:desk-password}}",
    )
    hub.app(
        "news",
        f'{{connector: mailman, network: private, settings: {{url: "{mailing_list.url}", list: {mailing_list.name}}}, '
        "secrets: {password: file:news-password}}",
    )
    return House(hub=hub, desk=tracker, news=mailing_list)


def row(id_: str, name: str, phone: str = "", consent: str = "") -> dict[str, str]:
    return {
        "id": id_,
        "email": f"{name.lower()}@example.org",
        "full_name": f"{name} Example",
        "phone": phone,
        "email_consent": consent,
    }


def test_a_file_a_helpdesk_and_a_list_become_equal_and_stay_so(house: House) -> None:
    people = [row("1", "Ada", "+493012345"), row("2", "Grace", consent="opted_out")]
    house.hub.csv("people", people, columns=COLUMNS)
    house.desk.add(username="ada", address="Ada@example.org", organisation="Analytical")
    hedy = house.desk.add(username="hedy", address="hedy@example.org", realname="Hedy Example")
    mary = house.news.subscribe("mary@example.org", "Mary Example")
    house.quiet()
    emails = {"ada@example.org", "grace@example.org", "hedy@example.org", "mary@example.org"}
    rows = house.hub.rows("people")
    assert rows.keys() == emails == house.members().keys()
    assert {address.lower(): user["realname"] for address, user in house.users().items()} == {
        email: each["full_name"] for email, each in rows.items()
    }
    assert house.users()["Ada@example.org"]["phone"] is not None
    deliveries = {email: delivery for email, (_, delivery) in house.members().items()}
    assert deliveries == {
        "ada@example.org": "by_moderator",
        "grace@example.org": "by_user",
        "hedy@example.org": "by_moderator",
        "mary@example.org": "enabled",
    }, "nobody gets mails because they are somewhere else"

    house.desk.edit(hedy, realname="Hedy Lamarr")
    house.news.leave(mary)
    house.hub.write(
        "people", [{**each, "phone": each["phone"] or "+493099"} for each in rows.values()], columns=COLUMNS
    )
    house.quiet()
    rows = house.hub.rows("people")
    assert rows["hedy@example.org"]["full_name"] == house.members()["hedy@example.org"][0] == "Hedy Lamarr"
    assert house.desk.one(hedy)["attributes"]["phone"] is not None
    assert rows["mary@example.org"]["email_consent"] == "opted_out", "leaving is an opt-out"
    assert "mary@example.org" not in house.members(), "and nobody subscribes her again"


NAMES = ("id", "email", "first_name", "last_name", "company", "phone", "email_consent")


def test_a_file_and_a_directory_become_equal_and_stay_so(tmp_path: Path, directory: slapd.Slapd) -> None:
    hub = Hub(tmp_path)
    (tmp_path / "password").write_text(slapd.PASSWORD)
    consent = "email_consent: {path: employeeType, values: {opted_in: yes-please, opted_out: no-thanks}}"
    hub.app(
        "staff",
        f'{{connector: ldap, network: private, settings: {{url: "ldaps://127.0.0.1:{directory.tls_port}", '
        f'base: "{directory.base}", bind_dn: "{slapd.ACCOUNT}", ca_file: {directory.folder}/authority.pem}}, '
        f"secrets: {{password: file:password}}, fields: {{{consent}}}}}",
    )
    rows = [
        {"id": "1", "email": "ada@example.org", "first_name": "Ada", "phone": "+493012345", "company": "Analytical"},
        {"id": "2", "email": "grace@example.org", "last_name": "Hopper", "email_consent": "opted_out"},
        {"id": "3", "email": "nameless@example.org"},
    ]
    hub.csv("people", rows, columns=NAMES)
    directory.add("ada", sn="Lovelace", mail=["Ada@Example.org", "second@example.org"], telephoneNumber="+49 30 12345")
    hedy = directory.add("hedy", sn="Lamarr", givenName="Hedy", mail="hedy@example.org")

    def quiet() -> dict[str, dict[str, Any]]:
        for _ in range(4):
            said = hub.run("sync", "--approve", "--json")
            assert said.code in {0, 3}, (said.out, said.err)
        before = (directory.all(), hub.rows("people"))
        assert hub.run("sync", "--json").code == 0
        assert (directory.all(), hub.rows("people")) == before, "nothing is left to do, so that nothing is written"
        return {each["mail"][0].decode().lower(): each for each in before[0]}

    def equal(entries: dict[str, dict[str, Any]]) -> None:
        people = hub.rows("people")
        assert people.keys() == entries.keys()
        for email, person in people.items():
            held = {name: entries[email].get(path, [b""])[0].decode() for name, path in LDAP.items()}
            assert {name: person[name] for name in LDAP} == {**held, "last_name": held["last_name"].strip("-")}

    entries = quiet()
    equal(entries)
    assert entries.keys() == {f"{name}@example.org" for name in ("ada", "grace", "nameless", "hedy")}
    assert entries["grace@example.org"]["employeeType"] == [b"no-thanks"]
    assert entries["nameless@example.org"]["sn"] == [b"-"]
    assert entries["ada@example.org"]["mail"] == [b"Ada@Example.org", b"second@example.org"], "it is the same address"

    directory.replace(directory.dn(hedy), employeeType=["no-thanks"], o=["Film"])
    people = [{**each, "first_name": each["first_name"] or "Changed"} for each in hub.rows("people").values()]
    hub.write("people", people, columns=NAMES)
    assert directory.root.modify_dn(entries["ada@example.org"]["dn"], "uid=lovelace")
    entries = quiet()
    equal(entries)
    assert hub.rows("people")["hedy@example.org"]["email_consent"] == "opted_out"
    assert entries["grace@example.org"]["givenName"] == [b"Changed"]
    assert len(entries) == 4, "who was renamed is nobody else"


LDAP = {"first_name": "givenName", "last_name": "sn", "company": "o"}
