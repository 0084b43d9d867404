"""How a directory is reached, on a running slapd and beside it: lost answers, limits, logins, settings, clocks, TLS."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from connectors.ldap.server import PASSWORD, READER, ROOT, ROOT_PASSWORD, SUFFIX, Slapd
from connectors.ldap.world import World as LdapWorld
from syncd.connector import Time
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.kit.worlds import opening
from syncd.model import FieldMap, Page, Unknown
from tests.branches import ADD, MODIFY, applied, connect, meanwhile, refused, update


@pytest.fixture
def world(directory: Slapd) -> Iterator[LdapWorld]:
    with contextlib.closing(LdapWorld(directory)) as made:
        yield made


# Answers that do not come -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "write"), [(MODIFY, "update"), (ADD, "create")])
def test_a_write_whose_answer_is_lost_is_unknown_and_what_follows_is_not_sent(
    kind: int, write: str, world: LdapWorld
) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    first = update(id_, first_name="Ada") if write == "update" else new(app, 1, email="new@example.org")
    with meanwhile(world, kind, do=world.door.shut):
        lost, after = app.write([first, update(id_, phone="+49 30 1")])
    assert isinstance(lost, Unknown)
    assert refused(after).why == "busy"


def test_a_connection_that_was_closed_meanwhile_is_opened_again(world: LdapWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    for ask in (lambda: known(app, id_), lambda: applied(one(app, update(id_, first_name="Ada"))), app.check):
        for each in list(world.door.inside):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        ask()
    assert known(app, id_).fields["first_name"] == "Ada"


ANSWERS = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\nada@example.org",
    "a length of 4 GiB": b"\x30\x84\xff\xff\xff\xff" + b"x" * 100,
    "an endless length": b"\x30\x80" + b"x" * 100,
    "a length of lengths": b"\x30\xff" + b"\xff" * 200,
    "an answer to something else": bytes.fromhex("300c02017f61070a010004000400"),
    "a number of nothing": bytes.fromhex("30080200610400000000"),
    "the end of the session": bytes.fromhex("300c02010078070a010304000400"),
    "nothing": b"",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_is_no_directory_is_out_of_reach_and_not_quoted(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                with contextlib.suppress(OSError):
                    there, _ = server.accept()
                    with there:
                        there.recv(4096)
                        there.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"ldap://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(TransientError) as raised:
            connect({"url": url, "base": SUFFIX, "starttls": False})
        server.shutdown(socket.SHUT_RDWR)  # nobody connects a second time
        thread.join(10)
    assert "ada@" not in str(raised.value)


# Limits and rights ------------------------------------------------------------------------------------------------------


def test_a_listing_that_the_server_cuts_is_never_a_complete_one(world: LdapWorld) -> None:
    ids = world.add_all(persons(world.people))
    world.more = {"bind_dn": READER}
    app = world.open()
    told: list[Page] = []
    with pytest.raises(AccessError, match=r"sizeLimitExceeded.*size\.prtotal"):
        told.extend(app.read(None))
    assert not any(page.complete or page.cursor for page in told)
    assert refused(one(app, update(ids[0], first_name="Ada"))).why == "readonly", "and it may only read"


def test_a_login_that_is_refused_is_told_without_the_password(world: LdapWorld) -> None:
    world.secrets = {"password": "not-the-password"}
    with pytest.raises(AccessError, match="invalidCredentials") as raised:
        world.open()
    assert "not-the-password" not in str(raised.value)
    world.secrets = {}
    with pytest.raises(ConfigError, match="go together"):  # slapd would let anybody in, as nobody
        world.open()
    world.more = {"bind_dn": None}
    assert listing(world.open()) == {}


def test_settings_that_cannot_be_right_are_told_all_at_once(world: LdapWorld) -> None:
    world.more = {"base": f"ou=nobody,{SUFFIX}"}
    for ask in (lambda app: app.check(), lambda app: list(app.read(None)), lambda app: app.get([ID])):
        with pytest.raises(ConfigError, match="no entry `base`"):
            ask(world.open())
    world.more = {"filter": "(objectClass=*", "naming": "a b", "archive_branch": world.branch.base, "archive_mark": "x"}
    with pytest.raises(ConfigError) as raised:
        world.open()
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == ["archive_mark", "naming", "filter"]
    world.more = {"archive_branch": f"ou=former,{world.branch.base}", "archive_mark": None}
    with pytest.raises(ConfigError, match="inside of `base`"):
        world.open()


ID = "00000000-0000-1000-8000-000000000000"


def test_a_refusal_names_the_field_and_no_value(world: LdapWorld) -> None:
    world.mapped = {"account_number": FieldMap(path="employeeNumber")}
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    phone = refused(one(app, update(id_, phone="Übel 123")))
    assert (phone.why, phone.field) == ("invalid", "phone")
    applied(one(app, update(other, account_number="K-4711")))
    twice = [one(app, update(id_, account_number="K-4711")), one(app, new(app, 1, account_number="K-4711"))]
    assert [refused(each).why for each in twice] == ["invalid", "exists"]
    assert "4711" not in str(twice)
    with meanwhile(world, MODIFY, do=lambda: world.branch.replace(world.branch.dn(other), employeeNumber=["K-99"])):
        assert refused(one(app, update(other, account_number="K-1"))).why == "moved"
    assert known(app, other).fields["account_number"] == "K-99"
    assert "Übel" not in str(phone)


# The clock --------------------------------------------------------------------------------------------------------------


def test_a_clock_of_ours_that_is_wrong_loses_nothing(world: LdapWorld) -> None:
    for now in (0.0, 4e9):
        connector, seconds = world.connector, itertools.count()
        time = Time(now=partial(float, now), clock=partial(_tick, seconds))
        given = opening(connector, world.settings(), network="private", secrets=world.secrets, time=time)
        with contextlib.closing(connector.open(given)) as app:
            id_ = world.add(email=f"p{now}@example.org")
            cursor = caught_up(app)
            world.edit(id_, first_name="Edited")
            told, _, _ = news(app, cursor)
            assert told[id_].fields["first_name"] == "Edited"


def _tick(seconds: Iterator[int]) -> float:
    return next(seconds) / 100


def test_an_edit_behind_a_listing_that_took_longer_than_the_overlap_is_told(world: LdapWorld) -> None:
    world.add_all(persons(1010))
    given = opening(
        world.connector,
        {**world.settings(), "overlap": 0},
        network="private",
        secrets=world.secrets,
        time=Time(clock=partial(_tick, itertools.count(step=200))),  # each look at the clock is two seconds
    )
    with contextlib.closing(world.connector.open(given)) as app:
        pages = app.read(None)
        first = next(pages).records[0].id
        world.edit(first, first_name="Edited")
        last = world.add(email="last@example.org")
        while world.branch.one(last)["modifyTimestamp"] <= world.branch.one(first)["modifyTimestamp"]:
            world.edit(last, first_name="Later")  # until a second has passed at the server
        cursor = list(pages)[-1].cursor
        told, _, _ = news(app, cursor)
        assert told[first].fields["first_name"] == "Edited"


# TLS --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def account() -> dict[str, Any]:
    return {"secrets": {"password": ROOT_PASSWORD}}


def test_tls_and_starttls_with_a_certificate_that_is_checked(directory: Slapd, account: dict[str, Any]) -> None:
    said = {"base": directory.base, "bind_dn": ROOT}
    trusted = {**said, "ca_file": str(directory.folder / "authority.pem")}
    urls = (directory.url, f"ldaps://127.0.0.1:{directory.tls_port}")
    for url in urls:
        with contextlib.closing(connect({**trusted, "url": url}, **account)) as app:
            assert listing(app) == {}
        with pytest.raises(AccessError, match="certificate is not trusted"):
            connect({**said, "url": url}, **account)
        with pytest.raises(AccessError, match="certificate is not trusted"):
            connect({**trusted, "url": url.replace("127.0.0.1", "localhost")}, **account)
    with pytest.raises(TransientError, match="is this a TLS port"):
        connect({**trusted, "url": f"ldaps://127.0.0.1:{directory.port}"}, **account)


def test_no_password_leaves_in_plain_text_or_to_a_private_address_unless_that_is_said() -> None:
    secrets = {"password": PASSWORD}
    for settings, why in (
        ({"url": "ldap://directory.example.org", "starttls": False}, "without TLS everybody"),
        ({"url": "ldaps://127.0.0.1"}, "its address is private"),
        ({"url": "http://directory.example.org"}, "looks like ldaps://"),
        ({"url": "ldaps://ada:pw@directory.example.org"}, "user name or password"),
        ({"url": "ldaps://directory.example.org/ou=people"}, "setting `base`"),
    ):
        with pytest.raises(ConfigError, match=why) as raised:
            connect({"base": SUFFIX, "bind_dn": ROOT, **settings}, network="public", secrets=secrets)
        assert "ada:pw" not in str(raised.value)


def test_a_server_that_refuses_starttls_gets_no_password() -> None:
    got: list[bytes] = []
    refusal = bytes.fromhex("300c02010178070a010204000400")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            there, _ = server.accept()
            with there:
                got.append(there.recv(4096))
                there.sendall(refusal)
                got.append(there.recv(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"ldap://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SyncdError, match="does not begin TLS"):
            connect({"url": url, "base": SUFFIX, "bind_dn": ROOT}, secrets={"password": PASSWORD})
    thread.join(10)
    assert PASSWORD.encode() not in b"".join(got)
