"""Loops, echoes and spellings: our own writes are recognised, and what somebody typed is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.merge import merge
from syncd.core.settle import degraded, refuse, settle, settle_all
from syncd.core.state import Entry, Seen, Sent, Stamp
from syncd.model import Raw
from syncd.store import codec
from tests.core_world import (
    World,
    agreed,
    contact,
    cut,
    linked,
    lower,
    simple,
)

MAIL = "a@x.org"


def test_behaviour_3_an_old_echo_never_undoes_a_newer_edit() -> None:
    world = agreed(World(rules=simple("company")), email=MAIL, company="v0")
    world.edit(1, company="v1")
    for intent in world.poll(1).decide():
        world.write(intent)
    world.edit(1, company="v2").poll(1).decide()
    link = world.links[2]
    link.seen = linked(2, seen={"email": MAIL, "company": "v1"}, at=world.now_ms, since=link.at_ms).seen
    assert [i.fields["company"].new for i in world.decide()] == ["v2"]
    assert world.value("company") == "v2"


def test_behaviour_4_what_we_created_is_not_written_back() -> None:
    world = World(rules=simple("company")).edit(1, email=MAIL, company="Acme")
    assert world.sync() == 1
    assert world.shows("company") == {1: "Acme", 2: "Acme"}
    assert world.sync() == 0


@pytest.mark.parametrize("spelling", ["n.n.", "N.N.", " n.n. "])
def test_behaviour_5_a_placeholder_never_becomes_data(spelling: str) -> None:
    maps = {2: {"company": {"required": True, "options": {"placeholder": "n.n."}}}}
    world = World(rules=simple("company", maps=maps)).edit(1, email=MAIL)
    world.sync()
    assert world.stored[2]["company"] == "n.n."
    world.edit(2, company=spelling).sync()
    assert world.value("company") is None
    world.edit(1, company="Acme").sync()
    assert world.shows("company") == {1: "Acme", 2: "Acme"}


def test_behaviour_45_a_cut_spelling_never_flows_back() -> None:
    maps = {2: {"company": {"max_length": 3, "options": {"overflow": "truncate"}}}}
    for world in (World(rules=simple("company", maps=maps)), World(rules=simple("company"), norms={2: cut(3)})):
        world.edit(1, email=MAIL, company="Annabel").sync()
        world.edit(2, email="b@x.org").sync()
        assert world.shows("company") == {1: "Annabel", 2: "Ann"}
        assert world.value("company") == "Annabel"
        world.edit(1, company="Annabella")
        assert world.sync() <= 1
        assert world.shows("company") == {1: "Annabella", 2: "Ann"}


def test_behaviour_47_formats_that_mean_the_same_are_not_written() -> None:
    maps = {1: {"phone": {"options": {"region": "DE"}}}}
    rules = simple("phone", maps=maps)
    lens = rules.apps[1].lenses["phone"]
    world = World(rules=rules).edit(1, email=MAIL, phone="+49 171 2345678").edit(2, email=MAIL, phone="+491712345678")
    assert lens.parse("+49 171 2345678") == "+491712345678"
    assert world.sync() == 0
    assert world.edit(1, email="A@X.org").sync() == 0


def test_an_owners_cut_spelling_is_not_what_it_owns() -> None:
    world = World(rules=simple("company", policy="owner", owners=(1,), apps=3), norms={1: cut(3)})
    world.edit(2, email=MAIL, company="Annabel").edit(3, email=MAIL).sync()
    world.edit(3, company="Other").sync()
    assert world.value("company") == "Annabel"
    assert world.shows("company") == {1: "Ann", 2: "Annabel", 3: "Annabel"}


@pytest.mark.parametrize(
    ("want", "raw", "is_ours"),
    [
        ("Annabel", "Ann", True),
        ("Annabel", "ANNABEL", True),
        ("A & B", "A &amp; B", True),
        ("+49 171 23456", "0049/17123456"[2:], True),
        ("Annabel", "Anna bel", True),
        ("caf\u00e9", "CAFE\u0301", True),
        ("12-34", "12 34", True),
        ("12-3", "12 3", False),
        ("1234", "1235", False),
        ("Annabel", " ", False),
        ("Annabel", "", False),
        ("Annabel", "Bell", False),
        ("Room 12345", "Hall 12345", False),
        (["a"], ["a"], False),
    ],
)
def test_only_a_poorer_spelling_of_what_was_sent_is_ours(want: Raw, raw: Raw, *, is_ours: bool) -> None:
    assert degraded(want, raw) is is_ours


def sent(app: int, **fields: tuple[Raw, str]) -> Sent:
    return Sent(
        app=app,
        contact=1,
        kind="update",
        record=f"r{app}",
        fields={n: raw for n, (raw, _) in fields.items()},
        golden={n: key for n, (_, key) in fields.items()},
        version=None,
        at_ms=90,
    )


def test_settle_leaves_what_a_person_typed_between_sending_and_reading() -> None:
    rules = simple("company")
    link = linked(2, seen={"company": "Human"}, company="Old")
    assert settle(link, sent(2, company=("Sent", "'Sent'")), rules.apps[2], rules, authored=False) == []
    assert link.base == {"company": "Old"}


def test_settle_of_a_reply_takes_whatever_is_stored_as_the_spelling() -> None:
    rules = simple("company")
    link = linked(2, seen={"company": "SENT LTD"}, company="Old")
    [note] = settle(link, sent(2, company=("Sent", "'Sent'")), rules.apps[2], rules, authored=True)
    why = "the app keeps its own spelling"
    assert note == Entry(kind="note", app=2, record="r2", field="company", old="Sent", new="SENT LTD", reason=why)
    assert (link.base, link.acks) == ({"company": "SENT LTD"}, {"company": ["'Sent'", "SENT LTD"]})


@pytest.mark.parametrize(("seconds", "ours"), [(31, True), (33, False)])
def test_an_update_without_an_answer_may_still_arrive_until_the_apps_horizon(seconds: int, *, ours: bool) -> None:
    """Seed 7175: looked up it had not happened, and then it did."""
    rules = simple("company")
    app = replace(rules.apps[2], spec=replace(rules.apps[2].spec, network=True, lag_seconds=2.0))
    link = linked(2, seen={"company": "Old"}, company="Old")
    assert settle_all(link, [sent(2, company=("Sent", "'Sent'"))], app, rules, 100) == []
    link = codec.read_link(2, link.id, 1, None, 0, codec.link_doc(link), None)
    for time_ms, shown in ((1_000, "Human"), (90 + seconds * 1000, "Human")):
        link.seen = Seen(fields={"company": shown}, version=None, at_ms=time_ms, since_ms=0)
        assert settle_all(link, [], app, rules, time_ms) == []
    assert bool(link.late) is ours
    link.seen = Seen(fields={"company": "SENT"}, version=None, at_ms=40_000, since_ms=0)
    settle_all(link, [], app, rules, 40_000)
    assert link.base == {"company": "SENT" if ours else "Old"}
    assert link.late == []


def test_an_update_to_an_app_on_this_machine_has_happened_or_never_will() -> None:
    rules = simple("company")
    link = linked(2, seen={"company": "Old"}, company="Old")
    settle_all(link, [sent(2, company=("Sent", "'Sent'"))], rules.apps[2], rules, 100)
    assert link.late == []


def test_settle_of_what_is_shown_takes_a_poorer_spelling_for_ours_and_keeps_it() -> None:
    rules = simple("company")
    link = linked(2, seen={"company": "ANNA"}, company="Old")
    link.flaws = {"company": "too long"}
    [note] = settle(link, sent(2, company=("Annabel", "'Annabel'")), rules.apps[2], rules, authored=False)
    assert (note.old, note.new) == ("Annabel", "ANNA")
    assert (link.base, link.acks) == ({"company": "ANNA"}, {"company": ["'Annabel'", "ANNA"]})
    assert link.flaws == {}, "it is there now"


def test_settle_of_what_was_stored_as_it_was_sent_needs_no_spelling() -> None:
    rules = simple("company", "city")
    link = linked(2, seen={"company": "Sent", "city": "Rome"}, company="Old", city="Oslo")
    link.acks = {"company": ["'Other'", "Old"]}
    written = sent(2, company=("Sent", "'Sent'"), gone=("x", "'x'"))
    assert settle(link, written, rules.apps[2], rules, authored=False) == []
    assert (link.base, link.acks) == ({"company": "Sent", "city": "Oslo"}, {}), "another field was not ours"


def test_what_an_undo_gave_back_and_the_app_keeps_is_marked_as_given_back() -> None:
    """An undo writes the app's own value, which is not the contact's: no spelling of it."""
    rules = simple("company")
    link = linked(2, seen={"company": "Its own"}, company="Ours")
    assert settle(link, sent(2, company=("Its own", "'Ours'")), rules.apps[2], rules, authored=True) == []
    assert link.acks == {"company": ["'Ours'", "Its own", "given back"]}
    cut_short = simple("company", maps={2: {"company": {"max_length": 3, "options": {"overflow": "truncate"}}}})
    link = linked(2, seen={"company": "Our"}, company="Old")
    assert settle(link, sent(2, company=("Our", "'Ours'")), cut_short.apps[2], cut_short, authored=True) == []
    assert link.acks == {"company": ["'Ours'", "Our"]}, "where the app holds a part only, that is its spelling"


def test_a_refusal_is_noted_with_the_value_that_the_app_keeps() -> None:
    link = linked(2, company="Old", city="Oslo")
    refuse(link, sent(2, company=("New", "'New'"), city=("Rome", "'Rome'")), ["company"], "no such option")
    assert (link.flaws, link.acks) == ({"company": "no such option"}, {"company": ["'New'", "Old", "refused"]})
    link = linked(2)
    refuse(link, sent(2, company=("New", "'New'")), ["company"], "no such option")
    assert (link.flaws, link.acks) == ({"company": "no such option"}, {}), "nobody knows what it keeps"


def test_a_poorer_spelling_that_was_there_before_is_no_echo() -> None:
    """What never arrived is written again, although the old value looks like a cut of the new one."""
    world = agreed(World(rules=simple("company")), email=MAIL, company="Ann")
    world.edit(1, company="Annabel")
    world.answers = ["never"]
    assert world.sync() == 2
    assert world.shows("company") == {1: "Annabel", 2: "Annabel"}


def test_a_refused_value_is_nothing_that_a_person_had_in_front_of_them() -> None:
    person, link = contact(company="New"), linked(2, seen={"company": "typed"}, company="Old", at=120, since=5)
    person.stamps["company"] = Stamp(1, 0, 100)
    refuse(link, sent(2, company=("New", "'New'")), ["company"], "no such option")
    merge(person, [linked(1, company="New"), link], simple("company"), 130)
    assert person.golden["company"] == "New"


def test_an_older_value_again_is_written_although_its_spelling_was_once_accepted() -> None:
    world = agreed(World(rules=simple("company"), norms={2: lower}), email=MAIL, company="one")
    for value in ("Two", "Three", "Two"):
        world.edit(1, company=value)
        assert world.sync() == 1
        assert world.shows("company") == {1: value, 2: value.lower()}
        assert world.sync() == 0
    world.edit(1, company="as it is").sync()
    assert world.links[2].acks == {}
