"""What is peculiar to a directory, on a running slapd: values without order or capitals, names that are data, races, limits, TLS."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from connectors.ldap.directory import Directory
from connectors.ldap.layout import Root, layout_of, root_of
from connectors.ldap.session import Session
from syncd import registry
from syncd.connector import App, Time
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.kit.suite import caught_up, known, listing, new, news, one, persons
from syncd.kit.worlds import opening
from syncd.model import Applied, FieldMap, Page, Record, Rejected, Result, Unknown, Write
from tests.conformance.peers import LdapWorld
from tests.peers.slapd import PASSWORD, READER, ROOT, ROOT_PASSWORD, SUFFIX, Slapd

MODIFY, ADD = 0x66, 0x68


@pytest.fixture
def world(directory: Slapd) -> Iterator[LdapWorld]:
    with contextlib.closing(LdapWorld(directory)) as made:
        yield made


def update(id_: str, **fields: Any) -> Write:
    return Write(kind="update", id=id_, fields=fields)


def refused(result: Result) -> Rejected:
    assert isinstance(result, Rejected), result
    return result


def applied(result: Result) -> Record:
    assert isinstance(result, Applied), result
    assert result.record is not None
    return result.record


def mails(world: LdapWorld, id_: str) -> list[str]:
    return [each.decode() for each in world.branch.one(id_)["mail"]]


# Several values ---------------------------------------------------------------------------------------------------------


def test_only_the_value_that_is_ours_changes_and_the_others_keep_their_order(world: LdapWorld) -> None:
    id_ = world.branch.add("ada", mail=["ada@example.org", "b@example.org", "C@example.org"])
    app = world.open()
    assert known(app, id_).fields["other_emails"] == ["b@example.org", "C@example.org"]
    record = applied(one(app, update(id_, email="new@example.org")))
    assert mails(world, id_) == ["new@example.org", "b@example.org", "C@example.org"]
    assert record == known(app, id_), "what is told is what is: the new value is not put at the end"
    applied(one(app, update(id_, other_emails=["z@example.org"])))
    assert mails(world, id_) == ["new@example.org", "z@example.org"]


def test_a_value_that_is_there_in_other_capitals_is_not_written_twice(world: LdapWorld) -> None:
    id_ = world.branch.add("ada", mail=["ada@example.org", "Second@Example.org"])
    record = applied(one(world.open(), update(id_, email="second@example.org")))
    assert mails(world, id_) == ["second@example.org"], "slapd would refuse both: they are the same to it"
    assert record.fields["other_emails"] is None


def test_a_value_in_a_language_is_another_one(world: LdapWorld) -> None:
    id_ = world.branch.add("ada", **{"description;lang-de": "Notiz", "description": "note"})
    world.mapped = {"role": FieldMap(path="description;lang-de")}
    app = world.open()
    assert (known(app, id_).fields["role"], known(app, id_).fields["notes"]) == ("Notiz", "note")
    applied(one(app, update(id_, notes=None)))
    assert (known(app, id_).fields["role"], known(app, id_).fields["notes"]) == ("Notiz", None)


def test_an_attribute_may_be_mapped_by_any_of_its_names(world: LdapWorld) -> None:
    world.mapped = {"last_name": FieldMap(path="surname"), "region": FieldMap(path="stateOrProvinceName")}
    id_ = world.branch.add("ada", sn="Lovelace", st="Kent")
    app = world.open()
    assert (known(app, id_).fields["last_name"], known(app, id_).fields["region"]) == ("Lovelace", "Kent")
    assert applied(one(app, update(id_, region="Essex"))).fields["region"] == "Essex"


def test_the_label_of_a_web_site_stays(world: LdapWorld) -> None:
    id_ = world.branch.add("ada", labeledURI="https://old.example.org her page")
    app = world.open()
    assert known(app, id_).fields["website"] == "https://old.example.org"
    assert (
        applied(one(app, update(id_, website="https://new.example.org"))).fields["website"] == "https://new.example.org"
    )
    assert world.branch.one(id_)["labeledURI"] == [b"https://new.example.org her page"]


def test_what_is_no_text_is_a_problem_of_that_record_only(world: LdapWorld) -> None:
    world.mapped = {"notes": FieldMap(path="jpegPhoto")}
    id_, other = world.add(email="ada@example.org"), world.branch.add("grace", mail="grace@example.org")
    seen = listing(world.open())
    assert "jpegphoto" in (seen[id_].problem or "")
    assert seen[other].problem is None


# Names that must be there -----------------------------------------------------------------------------------------------


def test_a_name_that_nobody_knows_is_a_dash_and_reads_as_blank(world: LdapWorld) -> None:
    app = world.open()
    record = applied(one(app, new(app, 1, email="ada@example.org")))
    assert (record.fields["last_name"], record.fields["full_name"]) == (None, None)
    held = world.branch.one(record.id)
    assert (held["sn"], held["cn"]) == ([b"-"], [b"-"])
    named = applied(one(app, update(record.id, last_name="Lovelace")))
    assert named.fields["last_name"] == "Lovelace"
    assert applied(one(app, update(record.id, last_name=None))).fields["last_name"] is None
    both = applied(one(app, new(app, 2, first_name="Grace", last_name="Hopper")))
    assert both.fields["full_name"] == "Grace Hopper"


def test_what_classes_do_not_allow_is_not_offered_and_what_they_ask_for_is_told(world: LdapWorld) -> None:
    app = world.open()
    assert "country" not in app.fields, "inetOrgPerson holds no c"
    assert not [each for each in app.check() if each.level == "error"]
    world.mapped = {"country": FieldMap(path="c")}
    [wrong] = [each for each in world.open().check() if each.level == "error"]
    assert (wrong.field, "hold no c" in wrong.message) == ("country", True)
    world.mapped, world.more = {}, {"object_classes": ["inetOrgPerson", "simpleSecurityObject"]}
    closed = world.open()
    assert not closed.spec.create
    assert any("userpassword" in each.message for each in closed.check())
    assert refused(one(closed, Write(kind="create", id="", fields={"email": "x@example.org"}))).why == "readonly"
    world.more = {"object_classes": ["inetOrgPersn"]}
    with pytest.raises(ConfigError, match="knows no 'inetOrgPersn'"):
        world.open()


# Names of entries -------------------------------------------------------------------------------------------------------

HOSTILE = (
    "x,ou=admins", "a+b=c", 'say "hi"', "back\\slash", "<tag>; #1", "#hash", " lead", "trail ", "  ", "*", "(x)(uid=*)",
    "nul\0", "new\nline", "Ünïcödé 你好 🎉", "=", "\\2c", "\\", "a" * 300,
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_names_one_entry_below_the_branch(name: str, world: LdapWorld) -> None:
    world.more = {"naming": "cn"}
    app = world.open()
    result = one(app, new(app, 1, full_name=name, email="ada@example.org"))
    if isinstance(result, Rejected):
        assert (result.why, world.branch.all()) == ("invalid", []), (
            "what slapd does not take is refused, and nothing is there"
        )
        return
    record = applied(result)
    assert record.fields["full_name"] == name
    [held] = world.branch.all()
    assert held["dn"].endswith(f",{world.branch.base}")
    assert app.find("full_name", name) == [record] == [known(app, record.id)]
    assert applied(one(app, update(record.id, notes="x"))).fields["notes"] == "x", "it is found again by this name"


def test_most_hostile_names_are_taken(world: LdapWorld) -> None:
    world.more = {"naming": "cn"}
    app = world.open()
    results = [one(app, new(app, number, full_name=name)) for number, name in enumerate(HOSTILE)]
    assert sum(isinstance(each, Applied) for each in results) >= len(HOSTILE) - 4


@pytest.mark.parametrize("value", ["*", "*)(objectClass=*", "ada*", "ada@example.org)(uid=*", "\\2a", "a\0"])
def test_a_search_for_a_value_is_no_pattern(value: str, world: LdapWorld) -> None:
    world.add(email="ada@example.org", notes="something")
    app = world.open()
    assert app.find("email", value) == app.find("notes", value) == []
    id_ = world.add(email="grace@example.org", notes=value)
    assert [each.id for each in app.find("notes", value)] == [id_]


def test_who_is_renamed_stays_who_it_is(world: LdapWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    cursor = caught_up(app)
    assert world.branch.root.modify_dn(world.branch.dn(id_), "uid=lovelace")
    told, _, _ = news(app, cursor)
    assert told.keys() == {id_} == listing(app).keys()
    assert applied(one(app, update(id_, first_name="Ada"))).id == id_


def test_a_value_in_the_name_is_not_written_and_nobody_is_renamed(world: LdapWorld) -> None:
    world.more = {"naming": "cn"}
    app = world.open()
    id_ = applied(one(app, new(app, 1, full_name="Ada"))).id
    result = refused(one(app, update(id_, full_name="Augusta")))
    assert (result.why, result.field) == ("readonly", "full_name")
    taken = refused(one(app, new(app, 2, full_name="ada")))
    assert (taken.why, taken.existing) == ("exists", id_)


# At the same moment -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def meanwhile(world: LdapWorld, kind: int, *, do: Any) -> Iterator[None]:
    """Do something as soon as a request of this kind is on its way, before it arrives."""
    done = threading.Event()

    def passing(data: bytes) -> None:
        if not done.is_set() and kind in data[:12]:
            done.set()
            do()

    world.passing = passing
    yield
    world.passing = lambda data: None
    assert done.is_set(), "no such request was sent"


@pytest.mark.parametrize("edit", [{"phone": "+49 30 2"}, {"phone": "+49301"}, {"email": "ADA@example.org"}])
def test_an_edit_between_our_look_and_our_write_is_never_overwritten(edit: dict[str, str], world: LdapWorld) -> None:
    """Also one by capitals or blanks only, which is none to slapd as it compares values."""
    id_ = world.add(email="ada@example.org", phone="+49 30 1")
    app = world.open()
    seen = known(app, id_)
    write = Write(kind="update", id=id_, fields={"phone": "+49 30 3"}, expect=seen.fields, version=seen.version)
    with meanwhile(world, MODIFY, do=lambda: world.edit(id_, **edit)):
        result = refused(one(app, write))
    assert result.why == "moved"
    now = known(app, id_)
    assert {name: now.fields[name] for name in edit} == edit
    assert now.fields["phone"] != "+49 30 3"


def test_who_is_renamed_or_replaced_between_our_look_and_our_write_is_left_alone(world: LdapWorld) -> None:
    id_ = world.add(email="ada@example.org")
    app = world.open()
    dn = world.branch.dn(id_)

    def replace() -> None:
        assert world.branch.root.modify_dn(dn, "uid=lovelace")
        world.branch.add("h1", mail="stranger@example.org")  # under the name that she had

    with meanwhile(world, MODIFY, do=replace):
        assert refused(one(app, update(id_, first_name="Ada"))).why == "moved"
    assert all("givenName" not in each for each in world.branch.all())


def test_without_the_assertion_control_only_values_that_were_read_are_taken_away(world: LdapWorld) -> None:
    id_ = world.add(email="ada@example.org", phone="+49 30 1")
    given = opening(world.connector, world.settings(), network="private", secrets=world.secrets)
    session = Session(given)
    root = root_of(session)
    bare = Root(schema=root.schema, controls=frozenset())
    app: App = Directory(world.connector.spec, given, session, bare, layout_of(given, root.schema))
    assert app.spec.lost_update == "blind"
    assert any("may be overwritten" in each.message for each in app.check())
    assert applied(one(app, update(id_, phone="+49 30 2"))) == known(app, id_)
    with meanwhile(world, MODIFY, do=lambda: world.edit(id_, phone="+49 30 99")):
        assert refused(one(app, update(id_, phone="+49 30 3"))).why == "moved"
    assert known(app, id_).fields["phone"] == "+49 30 99"
    assert mails(world, id_) == ["ada@example.org", "second@example.com"]
    app.close()


def test_who_may_not_see_the_version_overwrites_nobody(world: LdapWorld) -> None:
    secret = f"ou=secret,{world.branch.base}"
    assert world.branch.root.add(secret, "organizationalUnit")
    assert world.branch.root.add(f"uid=x,{secret}", "inetOrgPerson", {"cn": "-", "sn": "-"})
    world.more = {"base": secret}
    app = world.open()
    [id_] = listing(app)
    before = world.branch.all()
    assert refused(one(app, update(id_, first_name="Ada"))).why == "readonly"
    assert refused(one(app, Write(kind="archive", id=id_, fields={}))).why == "readonly"
    assert world.branch.all() == before
    assert any("no entryCSN" in each.message for each in app.check())


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
    thread.join(10)
    assert "ada@" not in str(raised.value)


def connect(settings: dict[str, Any], **more: Any) -> App:
    connector = registry.load("ldap")
    return connector.open(opening(connector, settings, **{"network": "private", **more}))


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


# New entries, and those who go ------------------------------------------------------------------------------------------


def test_a_new_entry_that_the_filter_would_not_show_is_taken_back(world: LdapWorld) -> None:
    world.more = {"filter": "(&(objectClass=inetOrgPerson)(employeeType=staff))"}
    app = world.open()
    result = refused(one(app, new(app, 1, email="ada@example.org")))
    assert (result.why, "new_values" in result.message, world.branch.all()) == ("invalid", True, [])
    world.more["new_values"] = ["employeeType=staff"]
    record = applied(one(world.open(), new(app, 1, email="ada@example.org")))
    assert listing(app).keys() == {record.id}


def test_an_entry_is_archived_by_a_branch_of_its_own(world: LdapWorld) -> None:
    former = f"ou=former,{world.branch.base}"
    assert world.branch.root.add(former, "organizationalUnit")
    world.more = {"archive_mark": None, "archive_branch": former, "scope": "one"}
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    app = world.open()
    seen = known(app, id_)
    world.edit(id_, first_name="Ada")
    archive = Write(kind="archive", id=id_, fields={}, expect=seen.fields)
    assert refused(one(app, archive)).why == "moved"
    assert isinstance(one(app, Write(kind="archive", id=id_, fields={})), Applied)
    assert listing(app).keys() == {other} == app.get([id_, other]).keys()
    assert world.branch.one(id_)["dn"] == f"uid=h1,{former}", "she is there, with all that she held"


def test_nobody_is_archived_where_nobody_says_how(world: LdapWorld) -> None:
    world.more = {"archive_mark": None}
    id_ = world.add(email="ada@example.org")
    app = world.open()
    assert not app.spec.archive
    assert refused(one(app, Write(kind="archive", id=id_, fields={}))).why == "readonly"


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
