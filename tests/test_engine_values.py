"""The engine's rooms as far as they are functions of values: keys, who came back, whose words count, which account this is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.config import FileName
from syncd.config.remembered import names_of
from syncd.core.consent import IN, OUT, Consented, Event, Evidence, Latch
from syncd.core.match import GONE, address_hash, id_key, key_hash
from syncd.core.rules import Rules
from syncd.core.state import Entry, Link, Seen, Sent
from syncd.engine.decide import unmerged
from syncd.engine.hearing import Heard, addresses, hashed, listen, shown_by, subject, subjects_of
from syncd.engine.keys import email_key, identity_keys, key_rows
from syncd.engine.readings import named
from syncd.engine.returning import Estate, Former, gone_rows, inherit
from syncd.model import Raw, Record
from tests.core_world import CONSENT, EVIDENCE, app_rule, contact, linked, rule, rules_of

FIELDS = ("email", "phone", "last_name", "company", CONSENT, *EVIDENCE)
PHONE = "+491712345678"


def rules(*match: tuple[str, ...]) -> Rules:
    """Make the rules of two apps; the second does not offer an address."""
    narrow = tuple(name for name in FIELDS if name != "email")
    return rules_of(
        [app_rule(1, FIELDS), app_rule(2, narrow)],
        [rule(name) for name in FIELDS[:4]],
        consents=(CONSENT,),
        match=match or (("email",),),
    )


BY_MAIL = rules()
BOTH = rules(("phone", "last_name"), ("email",))
BY_NAME = rules(("phone", "last_name"))
ADA: dict[str, Raw] = {"email": "Ada@X.org", "phone": PHONE, "last_name": "Lee"}
MAIL_KEY, NAME_KEY = address_hash("ada@x.org"), key_hash(("phone", "last_name"), (PHONE, "lee"))


# -- keys


def test_a_record_is_found_by_its_match_keys_and_always_by_its_address() -> None:
    assert identity_keys(ADA, BY_MAIL.apps[1], BY_MAIL) == [MAIL_KEY], "each once"
    assert identity_keys(ADA, BOTH.apps[1], BOTH) == [NAME_KEY, MAIL_KEY]
    assert identity_keys(ADA, BY_NAME.apps[1], BY_NAME) == [NAME_KEY, MAIL_KEY]
    assert identity_keys(ADA, BY_NAME.apps[2], BY_NAME) == [NAME_KEY], "this app has no addresses"
    assert identity_keys({"email": "Ada@X.org"}, BY_NAME.apps[1], BY_NAME) == [MAIL_KEY]
    record = Record(id="7", fields=ADA, version=None)
    assert key_rows(BOTH.apps[1], record, BOTH) == [
        {"key": NAME_KEY, "app": 1, "record": "7"},
        {"key": MAIL_KEY, "app": 1, "record": "7"},
    ]


@pytest.mark.parametrize("raw", [None, "", "no address", ["x"]])
def test_what_is_no_address_is_no_key(raw: Raw) -> None:
    assert email_key({"email": raw}, BY_MAIL.apps[1], BY_MAIL) is None
    assert email_key({}, BY_MAIL.apps[1], BY_MAIL) is None
    assert email_key({"email": "Ada@X.org"}, BY_MAIL.apps[1], BY_MAIL) == "ada@x.org"


# -- who came back


@pytest.mark.parametrize(
    ("base", "shown", "same"),
    [
        (ADA, {**ADA, "company": "Acme"}, True),
        (ADA, {**ADA, "email": "ada@x.org"}, True),
        (ADA, {**ADA, "email": "eve@x.org"}, False),
        (ADA, {"company": "Acme"}, False),
        ({}, ADA, False),
        ({}, {}, False),
        ({"company": "Acme", "phone": None}, {"company": "Acme", "last_name": ""}, True),
        ({"company": "Acme"}, {"company": "Other"}, False),
        ({"company": "Acme"}, {"company": "Acme", "last_name": "Lee"}, False),
    ],
)
def test_who_comes_back_is_told_by_the_keys_or_else_by_everything(
    base: dict[str, Raw], shown: dict[str, Raw], *, same: bool
) -> None:
    former = Former(estate=Estate(contact=contact(), base=base, past=()), apps=())
    assert former.is_shown_by(shown, BY_MAIL.apps[1], BY_MAIL) is same


def test_a_record_takes_up_what_was_agreed_on_where_it_shows_the_same() -> None:
    link = linked(1, seen={"email": "ada@x.org", "company": "ACME", "phone": PHONE, "last_name": None})
    acks = {"company": ["'Acme'", "ACME"], "phone": ["x", PHONE, "refused"], "email": ["a", "b"], "gone": ["c", "d"]}
    base: dict[str, Raw] = {"company": "ACME", "phone": PHONE, "email": "Ada@x.org", "last_name": None}
    inherit(link, Estate(contact=contact(), base=base, past=(), acks=acks), BY_MAIL.apps[1], BY_MAIL)
    assert link.base == {"company": "ACME", "phone": PHONE}, "a blank was no agreement, and other letters are none"
    assert link.acks == {"company": ["'Acme'", "ACME"]}, "a refusal is forgotten with the record that was refused"
    other = linked(1, seen={"company": "ACME"}, company="Old")
    inherit(other, Estate(contact=contact(), base={"company": "ACME"}, past=()), BY_MAIL.apps[1], BY_MAIL)
    assert (other.base, other.acks) == ({"company": "ACME"}, {})


@pytest.mark.parametrize(
    ("estate", "shown"),
    [
        ({}, {"company": "New"}),
        ({"base": {"company": None}}, {"company": "New"}),
    ],
)
def test_what_somebody_typed_into_a_record_that_takes_a_place_meets_what_was_agreed_on(
    estate: dict[str, Any], shown: dict[str, Raw]
) -> None:
    given = {"contact": contact(), "base": {"company": "Old name"}, "past": (), **estate}
    link = linked(1, seen=shown)
    inherit(link, Estate(**given), BY_MAIL.apps[1], BY_MAIL)
    assert link.base == given["base"]


@pytest.mark.parametrize(
    ("estate", "shown"),
    [
        ({}, {"company": " old"}),
        ({}, {"company": "-"}),
        ({}, {"company": None}),
        ({}, {}),
        ({"base": {}}, {"company": "New"}),
        ({"past": [Entry(kind="value", app=2, record="r", field="company", old="New", new="Old name", reason="")]}, {"company": "New"}),
        ({"late": [Sent(app=1, contact=1, kind="update", record="r", fields={"company": "x"}, golden={}, version=None, at_ms=0)]}, {"company": "New"}),
    ],
    ids=["poorer", "a word for blank", "blank", "not offered", "not known", "there before", "in doubt"],
)  # fmt: skip
def test_what_nobody_typed_since_meets_what_there_is_for_the_first_time(
    estate: dict[str, Any], shown: dict[str, Raw]
) -> None:
    given = {"contact": contact(), "base": {"company": "Old name"}, "past": (), **estate}
    link = linked(1, seen=shown)
    inherit(link, Estate(**given), BY_MAIL.apps[1], BY_MAIL)
    assert link.base == {}


def test_it_is_remembered_whose_a_record_was() -> None:
    link = linked(1)
    assert gone_rows(3, link, ()) == [{"key": id_key(3, "r1"), "app": GONE, "record": "1"}]
    assert gone_rows(3, replace(link, contact=0), ()) == [{"key": id_key(3, "r1"), "app": GONE, "record": "0"}]
    assert [row["key"] for row in gone_rows(3, link, {b"b", b"a"})] == [
        id_key(3, "r1"), id_key(3, "r1", b"a"), id_key(3, "r1", b"b"),
    ]  # fmt: skip


# -- whose words count


def test_a_person_is_known_by_every_address_that_a_record_shows_or_showed() -> None:
    person = contact(email="Ada@X.org")
    links = [linked(1, seen={"email": "new@x.org"}, email="old@x.org"), linked(2, email="hidden@x.org"), linked(1)]
    wanted = {address_hash(mail) for mail in ("ada@x.org", "new@x.org", "old@x.org")}
    assert addresses(person, links, BY_MAIL) == wanted
    assert shown_by(links) == [
        (1, {"email": "old@x.org"}),
        (1, {"email": "new@x.org"}),
        (2, {"email": "hidden@x.org"}),
    ]
    assert hashed(None, [(9, {"email": "ada@x.org"})], BY_MAIL) == set(), "of an app that is gone nothing is known"
    assert subjects_of([person], {1: links}, BY_MAIL) == sorted({subject(1), *wanted})
    assert subject(12) == b"c12"


def test_what_is_known_of_a_person_and_of_an_address_counts_together() -> None:
    person, link = contact(email="ada@x.org"), linked(1, seen={**ADA, CONSENT: IN}, email="ada@x.org")
    proof = Evidence(at="1970-01-01T00:00:00.050Z", at_ms=50, source="form")
    known = {subject(1): {CONSENT: Latch(in_ms=50, evidence=proof)}, MAIL_KEY: {CONSENT: Latch(out_ms=80, app=2)}}
    found = listen(person, [link], known, BY_MAIL, 100)
    assert (found.latches[CONSENT].out_ms, found.latches[CONSENT].in_ms) == (80, 50)
    assert person.golden[CONSENT] == OUT
    alone = contact(email="ada@x.org")
    other = {subject(2): known[subject(1)], b"another": known[MAIL_KEY]}
    assert listen(alone, [linked(1)], other, BY_MAIL, 100).latches == {CONSENT: Latch()}


def test_what_is_new_is_latched_for_the_person_and_every_address_and_nothing_twice() -> None:
    latch, event = Latch(out_ms=80, app=2), Event(channel=CONSENT, state=OUT, at_ms=80, app=2)
    consented = Consented(events=[event], latches={CONSENT: latch, "sms": Latch()})
    heard = Heard()
    heard.latch(contact(), [b"b", b"a"], consented, {b"a": {CONSENT: latch}})
    assert heard.latches == {(CONSENT, subject(1)): latch, (CONSENT, b"b"): latch}
    assert heard.addresses == {b"b"}, "nothing new is known of the other, and a person is no address"
    assert heard.events == [(subject(1), event), (b"a", event), (b"b", event)]


def test_what_a_record_says_of_consent_is_heard_before_it_is_merged() -> None:
    link = Link(app=1, id="r1", contact=1, seen=Seen(fields={**ADA, CONSENT: OUT}, version=None, at_ms=70, since_ms=0))
    person = contact(email="ada@x.org")
    found = listen(person, [link], {}, BY_MAIL, 100)
    assert [(event.state, event.at_ms, event.app) for event in found.events] == [(OUT, 70, 1)]
    assert (person.golden["email"], link.seen is not None) == ("ada@x.org", True), "the rest waits to be merged"


# -- what gets a contact


def test_what_was_merged_is_shown_afresh_to_its_new_contact() -> None:
    link = linked(1, email="ada@x.org", company="Acme")
    link.acks, link.flaws, link.unread, link.version = {"a": ["b", "c"]}, {"d": "e"}, frozenset({"f"}), "v7"
    unmerged(link, 90)
    assert link.seen == Seen(fields={"email": "ada@x.org", "company": "Acme"}, version="v7", at_ms=90, since_ms=0)
    assert (link.base, link.acks, link.flaws, link.unread, link.unheard, link.late) == (
        {}, {}, {}, frozenset(), frozenset(), [],
    )  # fmt: skip
    link = linked(1, seen={"company": "New"}, at=70, email="ada@x.org", company="Acme")
    unmerged(link, 90)
    assert link.seen is not None
    assert link.seen.fields == {"email": "ada@x.org", "company": "New"}, "what was read since is what it shows"
    assert (link.seen.at_ms, link.base) == (70, {})


# -- which account this is


@pytest.mark.parametrize(
    ("moves", "name"), [(True, "csv:crm.csv"), (False, "csv:/srv/crm.csv")], ids=["in the project", "elsewhere"]
)
def test_a_file_is_known_by_its_way_from_the_configuration_if_it_was_written_so(name: str, *, moves: bool) -> None:
    files: dict[str, Any] = {
        "/other": FileName(relative="x", moves=True),
        "/srv/crm.csv": FileName(relative="crm.csv", moves=moves),
    }
    assert names_of("csv:/srv/crm.csv", files) == (name, frozenset({"csv:crm.csv", "csv:/srv/crm.csv"}))
    assert names_of("account 7", files) == ("account 7", frozenset({"account 7"}))
    assert names_of("/srv/crm.csv+/srv/crm.csv", files)[1] == {"crm.csv+/srv/crm.csv", "/srv/crm.csv+/srv/crm.csv"}


def test_a_reading_is_the_same_in_whatever_order_its_words_are_written() -> None:
    """Else every value of the field would be read again as somebody sorts the configuration."""
    one = named("choice", {"region": "DE", "order": "dmy"}, {"opted_in": "yes", "opted_out": "no"})
    assert one == named("choice", {"order": "dmy", "region": "DE"}, {"opted_out": "no", "opted_in": "yes"})
    assert one != named("choice", {"order": "dmy", "region": "DE"}, {"opted_out": "yes", "opted_in": "no"})
