"""LDAP's small languages beside another implementation of them: BER, filters, names, schema, and what values make of an entry."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.ldap import ber, filters, messages, names
from connectors.ldap.ber import BadAnswer
from connectors.ldap.places import Place, changed, place_of, read
from connectors.ldap.schema import Schema, schema_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it uses names of pyasn1 that are going away
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.utils.asn1 import encode
    from ldap3.utils.dn import parse_dn

BASE = "ou=people,dc=example,dc=org"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


# BER ------------------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**62), 2**62))
def test_a_number_comes_back(value: int) -> None:
    [(tag, body)] = ber.parts(ber.integer(value))
    assert (tag, ber.number(body)) == (0x02, value)


@given(st.lists(st.binary(max_size=300)), st.integers(0, 255))
def test_elements_come_back(bodies: list[bytes], tag: int) -> None:
    assert ber.parts(b"".join(ber.tlv(tag, body) for body in bodies)) == [(tag, body) for body in bodies]


@given(st.binary(max_size=200))
@example(b"\x30\x84\xff\xff\xff\xff")
@example(b"\x30\x80")
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read_it in (ber.parts, messages.taken_apart, messages.entry_of, lambda each: messages.answer_of(each, {})):
        try:
            read_it(data)
        except BadAnswer:
            continue


# Filters --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(objectClass=inetOrgPerson)", "(&(a=b)(|(c=*)(d=e*f*g)(d=*x)(d=x*))(!(h>=1)))", "(a<=2)", "(a~=b)", r"(a=\2a\28x\29)",
        "(cn;lang-de=Müller)", "(1.2.840.113556=5)", "(entryDN:dnSubtreeMatch:=ou=x,dc=y)", "(ou:dn:caseExactMatch:=x)",
        "(a:=b)", "(&)",
    ],
)  # fmt: skip
def test_a_filter_is_what_another_implementation_makes_of_it(text: str) -> None:
    if text == "(&)":
        assert filters.parsed(text) == filters.all_of()
        return
    root = parse_filter(text, None, False, False, None, False).elements[0]
    assert filters.parsed(text) == encode(compile_filter(root))


@pytest.mark.parametrize(
    "text", ["", "a=b", "(a=b", "(a=b))", "((a=b))", "(!(a=b)(c=d))", "(=b)", "(a=**)", r"(a=\zz)", "(a=b(c)", "(&(a=b)", "(",
             "(!)", "(" * 100, "(&" * 100, "(:=x)"],
)  # fmt: skip
def test_what_is_no_filter_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|missing|ends before|takes one|write|nothing|too many"):
        filters.parsed(text)


@given(TEXTS)
def test_a_value_in_a_filter_is_that_value(value: str) -> None:
    body = filters.equal("mail", value)
    [(tag, inside)] = ber.parts(body)
    assert (tag, ber.parts(inside)) == (0xA3, [(4, b"mail"), (4, value.encode())])


# Names ----------------------------------------------------------------------------------------------------------------


@given(TEXTS.filter(bool))
@example("x,ou=admins")
@example(" ")
@example("\\")
@example("a\\ ")
def test_a_name_has_one_part_more_whatever_the_value(value: str) -> None:
    dn = names.below(BASE, "cn", value)
    assert len(names.split(dn)) == 4
    assert names.own(dn) == [("cn", value.encode())]
    assert names.is_below(dn, BASE)
    assert not names.is_below(BASE, dn)
    parsed = parse_dn(dn)
    assert [(attribute, ending) for attribute, _, ending in parsed[1:]] == [("ou", ","), ("dc", ","), ("dc", "")]


def test_names_are_the_same_whatever_their_spelling() -> None:
    assert names.folded("OU=People, DC=Example,dc=org") == names.folded("ou=people,dc=example,dc=org")
    assert names.folded(r"cn=a\2cb,dc=x") == names.folded(r"cn=a\,b,dc=x") != names.folded("cn=a,cn=b,dc=x")
    assert names.folded("cn=a+uid=b,dc=x") == names.folded("UID=B+CN=A,dc=x")
    assert not names.is_below("ou=mypeople,dc=example,dc=org", "ou=people,dc=example,dc=org")
    for wrong in ("people", "ou=people,", "ou=people,,dc=x", ",dc=x", "=x", 'cn="a,dc=x'):
        with pytest.raises(ValueError, match=r"name"):
            names.split(wrong)


# Schema and values ----------------------------------------------------------------------------------------------------

SCHEMA = schema_of(
    [
        b"( 2.5.4.41 NAME 'name' DESC 'MUST not NAME' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
        b"( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC4519' SUP name )",
        b"( 2.5.4.20 NAME 'telephoneNumber' EQUALITY telephoneNumberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50{32} )",
        b"( 2.16.840.1.113730.3.1.39 NAME 'preferredLanguage' EQUALITY caseIgnoreMatch SINGLE-VALUE )",
        b"( 1.2.3 NAME 'exact' EQUALITY caseExactMatch )",
        b"garbage",
        b"\xff\xfe",
    ],
    [
        b"( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( surname $ cn ) MAY ( telephoneNumber ) )",
        b"( 9.9 NAME 'staff' SUP person MAY exact )",
        b"( 9.10 NAME 'loop' SUP loop )",
    ],
)


def test_a_schema_says_what_entries_hold() -> None:
    assert SCHEMA.must(["staff"]) == {"sn", "cn"}
    assert SCHEMA.allows("SURNAME;lang-de", ["Staff"])
    assert SCHEMA.allows("exact", ["staff"])
    assert not SCHEMA.allows("exact", ["person"])
    assert SCHEMA.allows("anything", ["person", "extensibleObject"])
    assert SCHEMA.missing(["person", "nobody", "loop"]) == ["nobody"]
    assert SCHEMA.is_single("preferredLanguage")
    assert not SCHEMA.is_single("sn")
    assert Schema().allows("anything", ["person"])
    assert Schema().missing(["person"]) == []


@pytest.mark.parametrize(
    ("attribute", "one", "other", "same"),
    [("sn", b"ADA  X ", b"ada x", True), ("telephoneNumber", b"+49 30-1", b"+49301", True), ("exact", b"A", b"a", False),
     ("unknown", b"A", b"a", False), ("sn", "Ü".encode(), "ü".encode(), True)],
)  # fmt: skip
def test_values_are_the_same_as_the_directory_compares_them(
    attribute: str, one: bytes, other: bytes, same: bool
) -> None:
    assert (SCHEMA.key(attribute, one) == SCHEMA.key(attribute, other)) is same


@pytest.mark.parametrize(
    "path", ["", "a b", "mail[first]", "mail[", "objectClass", "entryUUID", "userPassword", "preferredLanguage[rest]"]
)
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|field|one value"):
        place_of(path, SCHEMA)


PLACES = {"first": Place("x"), "rest": Place("x", "rest")}
VALUES = st.lists(st.text("abc", min_size=1, max_size=2), unique=True, max_size=4)


@given(VALUES, st.none() | st.text("abc", max_size=2), st.none() | VALUES, st.sampled_from(["first", "rest", "both"]))
def test_what_is_written_is_read_and_what_is_not_stays(held: list[str], first: Any, rest: Any, which: str) -> None:
    fields = {name: value for name, value in {"first": first, "rest": rest}.items() if which in {name, "both"}}
    entry = {"x": [each.encode() for each in held]}
    after = {"x": [*entry["x"]]} | changed(entry, fields, PLACES, Schema(), frozenset())
    now = [each.decode() for each in after["x"]]
    assert len(set(now)) == len(now)
    stays = (set(held[1:]) if "rest" not in fields else set()) | (set(held[:1]) if "first" not in fields else set())
    asked = {first or ""} & {first} if "first" in fields else set()
    assert stays | (asked - {"", None}) | set((rest or []) if "rest" in fields else []) == set(now)
    if fields.get("first"):
        assert read(after, PLACES, frozenset())["first"] == first
    assert changed(after, fields if first else {}, PLACES, Schema(), frozenset()) == {}, (
        "to write it again changes nothing"
    )
