"""What is told of consent: in the journal, with the contact, and of words that nobody knows."""

from __future__ import annotations

from syncd.core.consent import IN, OUT, Evidence, Latch, observe_consent, unheard
from syncd.core.state import NOBODY, Change, Entry, Intent
from tests.consents import MAIL, at, consent_rules, opt_in, world
from tests.core_world import CONSENT, EVIDENCE, World, contact, linked


def test_the_journal_says_who_said_what_about_consent() -> None:
    made = world(None, None).edit(1, **{CONSENT: OUT}).poll()
    made.journal.clear()
    [intent] = made.decide()
    said = Entry(kind="consent", app=1, record="r1", field=CONSENT, old=None, new=OUT, reason="opted out")
    assert made.journal == [said]
    told = {CONSENT: Change(old=None, new=OUT, reason="opted out")}
    assert intent == Intent(app=2, kind="consent", contact=1, record="r2", fields=told, opt_out=True)
    made.sync()
    made.journal.clear()
    opt_in(made, 1, ms=made.now_ms).poll().decide()
    why = f"opted in with evidence of {made.value('consent_at')}"
    said = Entry(kind="consent", app=1, record="r1", field=CONSENT, old=OUT, new=IN, reason=why)
    assert made.journal == [said]
    [intent] = made.plan()
    assert (intent.opt_out, {change.reason for change in intent.fields.values()}) == (False, {why})
    assert sorted(intent.fields) == sorted([CONSENT, *EVIDENCE])


def test_the_journal_says_what_an_opt_out_overruled() -> None:
    made = world(OUT, None).edit(2, **{CONSENT: IN})
    made.journal.clear()
    made.poll().decide()
    why = "an opt-out stands, and there is no later evidence of an opt-in"
    assert made.journal == [Entry(kind="lost", app=2, record="r2", field=CONSENT, old=IN, new=OUT, reason=why)]


def test_an_opt_in_says_what_stood_there_before_of_word_and_evidence() -> None:
    made = world(None, None)
    opt_in(made, 1, ms=made.now_ms).sync()
    old = dict(made.stored[2])
    made.edit(1, **{CONSENT: OUT}).sync()
    opt_in(made, 1, ms=made.now_ms, source="phone").poll()
    [intent] = made.decide()
    assert {name: change.old for name, change in intent.fields.items()} == {
        CONSENT: OUT,
        "consent_at": old["consent_at"],
        "consent_source": "form",
    }
    assert {name: change.new for name, change in intent.fields.items()} == {
        CONSENT: IN,
        "consent_at": made.value("consent_at"),
        "consent_source": "phone",
    }


def test_what_is_known_of_consent_names_the_app_that_said_it() -> None:
    made = world(None, None, None)
    made.edit(3, **{CONSENT: OUT}).sync()
    assert made.contact.stamps[CONSENT].app == 3
    opt_in(made, 2, ms=made.now_ms).sync()
    assert {made.contact.stamps[name].app for name in (CONSENT, *EVIDENCE)} == {2}
    made.edit(1, **{CONSENT: OUT}).sync()
    assert made.contact.stamps[CONSENT].app == 1
    assert not {*EVIDENCE} & (made.contact.golden.keys() | made.contact.stamps.keys()), "it proves nothing any more"


def test_an_opt_in_that_is_known_from_elsewhere_has_no_app_of_its_own() -> None:
    made = world(None, None)
    made.latches[CONSENT] = Latch(in_ms=1, evidence=Evidence(at=at(1), at_ms=1, source="form"), app=7)
    made.edit(1, email="b@x.org").sync()
    assert made.shows(CONSENT) == {1: IN, 2: IN}
    assert made.contact.stamps[CONSENT].app == NOBODY


def test_a_consent_that_no_word_tells_is_unheard_until_somebody_writes_a_word() -> None:
    made = world("what?", None, OUT)
    link, rules = made.links[1], made.rules
    link.base[CONSENT] = "what?"
    assert unheard(link, rules) == {CONSENT}
    assert unheard(made.links[2], rules) == frozenset()
    assert unheard(linked(1, email=MAIL), rules) == frozenset(), "it was never read"
    stranger = linked(9)
    stranger.unheard = frozenset({"sms_consent"})
    assert unheard(stranger, rules) == {"sms_consent"}, "of an app that is gone nothing changes"


def test_a_consent_field_that_was_set_aside_is_so_until_the_app_says_something_else() -> None:
    made = world(None, None)
    link = made.links[2]
    link.flaws = {CONSENT: "not now", "company": "too long"}
    made.edit(2, email="b@x.org").sync(2)
    assert link.flaws == {CONSENT: "not now", "company": "too long"}, "it says the same"
    made.edit(2, **{CONSENT: "pending"}).sync(2)
    assert link.flaws == {"company": "too long"}


def test_of_two_proofs_the_newest_stands_and_of_one_moment_always_the_same() -> None:
    channels = (CONSENT, "sms_consent")
    made = World(rules=consent_rules(channels=channels))
    for sources in (("a", "b"), ("b", "a")):
        made = World(rules=consent_rules(channels=channels)).edit(1, email=MAIL)
        made.latches = {
            channel: Latch(in_ms=5, evidence=Evidence(at=at(5), at_ms=5, source=source))
            for channel, source in zip(channels, sources, strict=True)
        }
        made.poll().decide()
        assert (made.value("consent_at"), made.value("consent_source")) == (at(5), "b")
    made.latches[CONSENT] = Latch(in_ms=6, evidence=Evidence(at=at(6), at_ms=6, source="a"))
    made.edit(1, email="b@x.org").poll().decide()
    assert (made.value("consent_at"), made.value("consent_source")) == (at(6), "a")


def test_a_word_that_can_be_read_from_now_on_is_said_now() -> None:
    """The operator has told syncd what it means."""
    made = world(None, None)
    made.links[1].base[CONSENT] = "what?"
    made.links[1].unheard = unheard(made.links[1], made.rules)
    made.stored[1][CONSENT] = made.read[1][CONSENT] = "what?"
    made.rules = consent_rules(maps={1: {CONSENT: {"values": {OUT: "what?"}}}})
    made.decide()
    assert (made.value(CONSENT), [event.state for event in made.events]) == (OUT, [OUT])


def test_of_two_opt_outs_in_one_instant_the_first_app_is_named() -> None:
    one, other = Latch(out_ms=5, app=1), Latch(out_ms=5, app=2)
    assert one.joined(other).app == other.joined(one).app == 1


def test_who_has_a_word_that_nobody_latched_is_heard_as_anybody_else() -> None:
    person = contact(**{"email": MAIL, CONSENT: IN})
    link = linked(1, seen={"email": MAIL, CONSENT: OUT}, email=MAIL, email_consent=IN)
    found = observe_consent(person, [link], {}, consent_rules(), 1_000)
    assert (person.golden[CONSENT], [event.state for event in found.events]) == (OUT, [OUT])
