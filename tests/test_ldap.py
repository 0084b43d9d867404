"""What is peculiar to a directory, on a running slapd."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from connectors.ldap.directory import Directory
from connectors.ldap.layout import Root, layout_of, root_of
from connectors.ldap.server import Slapd
from connectors.ldap.session import Session
from connectors.ldap.world import World as LdapWorld
from syncd.connector import App
from syncd.errors import ConfigError
from syncd.kit.suite import caught_up, known, listing, new, news, one
from syncd.kit.worlds import opening
from syncd.model import Applied, FieldMap, Rejected, Write
from tests.branches import MODIFY, applied, mails, meanwhile, refused, update


@pytest.fixture
def world(directory: Slapd) -> Iterator[LdapWorld]:
    with contextlib.closing(LdapWorld(directory)) as made:
        yield made


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


def test_what_the_directory_cannot_look_for_is_found_all_the_same(world: LdapWorld) -> None:
    """A fax number has no rule of equality: a filter for one finds nobody and is no error; nor can one of several be taken away."""
    world.mapped = {"mobile": FieldMap(path="facsimileTelephoneNumber")}
    id_ = world.branch.add(
        "ada", facsimileTelephoneNumber=["+49 30 1", "+49 30 2"], labeledURI="https://ada.example.org Ada"
    )
    app = world.open()
    assert app.find("mobile", "+49 30 1") == app.find("website", "https://ada.example.org") == [known(app, id_)]
    assert applied(one(app, update(id_, mobile="+49 30 3"))).fields["mobile"] == "+49 30 3"
    assert world.branch.one(id_)["facsimileTelephoneNumber"] == [b"+49 30 3", b"+49 30 2"]


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


# New entries, and those who go ------------------------------------------------------------------------------------------


def test_a_new_entry_that_the_filter_would_not_show_is_taken_back(world: LdapWorld) -> None:
    world.more = {"filter": "(&(objectClass=inetOrgPerson)(employeeType=staff))"}
    app = world.open()
    result = refused(one(app, new(app, 1, email="ada@example.org")))
    assert (result.why, "new_values" in result.message, world.branch.all()) == ("invalid", True, [])
    world.more["new_values"] = ["employeeType=staff", "preferredLanguage=en", "description=new", "description=new"]
    world.mapped = {"language": FieldMap(path="preferredLanguage")}
    record = applied(one(world.open(), new(app, 1, email="ada@example.org", language="de")))
    assert listing(app).keys() == {record.id}
    held = world.branch.one(record.id)
    assert (held["preferredLanguage"], held["description"]) == ([b"de"], [b"new"])


def test_an_entry_is_archived_by_a_branch_of_its_own(world: LdapWorld) -> None:
    former = f"ou=former,{world.branch.base}"
    assert world.branch.root.add(former, "organizationalUnit")
    world.more = {"archive_mark": None, "archive_branch": former, "scope": "one"}
    id_, other = world.add(email="ada@example.org"), world.add(email="grace@example.org")
    world.branch.replace(world.branch.dn(id_), employeeNumber=["K-1"])  # looked after by `unique`
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
