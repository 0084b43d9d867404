"""Consent: an opt-out anywhere wins everywhere, and nothing but evidence lifts it (DESIGN 4; invariants 12-15)."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.consent import IN, OUT, Evidence, Latch, to_ms
from syncd.core.scalars import CONSENT_WORDS
from syncd.core.settle import refuse
from syncd.core.state import Intent
from syncd.model import Raw
from tests.consents import ALL_BUT_OUT, MAIL, at, consent_rules, opt_in, world
from tests.core_world import CONSENT, EVIDENCE, World, app_rule, rule, rules_of

# -- opt-outs


@pytest.mark.parametrize("words", list(product([OUT, *ALL_BUT_OUT, None, "what?"], repeat=2)))
def test_an_opt_out_wins_over_everything_in_the_same_pass(words: tuple[Raw, Raw]) -> None:
    made = world(*words)
    out = OUT in words
    assert set(made.shows(CONSENT).values()) == ({OUT} if out else set(words))
    assert made.value(CONSENT) == (OUT if out else None)
    assert made.sync() == 0


def test_an_opt_out_wins_over_evidence_that_is_not_later() -> None:
    for order in permutations((1, 2)):
        made = world(None, None)
        made.edit(1, **{CONSENT: OUT})
        opt_in(made, 2, ms=made.now_ms)
        made.sync(*order)
        assert made.shows(CONSENT) == {1: OUT, 2: OUT}


def test_an_opt_out_that_took_back_an_opt_in_between_two_looks_is_one_more() -> None:
    """Fault: the word was the same as before, and the opt-in of another app, as late as the one taken back, won."""
    for order in permutations((1, 2)):
        made = world(OUT, None)
        opt_in(made, 1, ms=made.now_ms - 1)
        made.edit(1, **{CONSENT: OUT})
        opt_in(made, 2, ms=made.now_ms - 1)
        made.sync(*order)
        assert made.shows(CONSENT) == {1: OUT, 2: OUT}
        assert made.sync() == 0


def test_evidence_beside_an_opt_out_is_no_second_one_where_somebody_opted_in_since() -> None:
    """An app may keep its own no, and store the evidence that it was told (nobody is resubscribed by force)."""
    made = world(OUT, None)
    ms = made.now_ms - 1
    opt_in(made, 2, ms=ms)
    made.poll(2).decide()
    made.edit(1, consent_at=at(ms), consent_source="form").poll(1).decide()
    assert made.value(CONSENT) == IN
    made.edit(1, consent_at=at(ms), consent_source="another form").poll(1).decide()
    assert made.value(CONSENT) == OUT


def test_an_opt_out_stays_whatever_is_typed_over_it() -> None:
    made = world(OUT, None, None)
    for word in (*ALL_BUT_OUT, None, "what?"):
        made.edit(2, **{CONSENT: word}).sync()
        assert set(made.shows(CONSENT).values()) == {OUT}
    assert IN in made.lost(CONSENT), "what was overruled is in the journal"


def test_an_opt_out_in_other_words_is_no_second_one() -> None:
    made = world(OUT, None)
    made.events.clear()
    made.journal.clear()
    made.edit(1, **{CONSENT: "unsubscribed"}).sync()
    assert (made.events, made.journal) == ([], [])
    assert made.shows(CONSENT) == {1: "unsubscribed", 2: OUT}


def test_an_opt_out_is_its_own_intent_and_goes_first_to_every_record() -> None:
    made = world(None, None).edit(1, email="b@x.org", **{CONSENT: OUT})
    intents = made.poll().decide()
    assert [(i.kind, i.app, i.opt_out, sorted(i.fields)) for i in intents] == [
        ("consent", 2, True, [CONSENT]),
        ("update", 2, False, ["email"]),
    ]


def test_behaviour_39_a_new_record_is_created_opted_out_in_the_same_call() -> None:
    made = World(rules=consent_rules()).edit(1, email=MAIL, **{CONSENT: OUT})
    [intent] = made.poll().decide()
    assert (intent.kind, {n: c.new for n, c in intent.fields.items()}) == ("create", {"email": MAIL, CONSENT: OUT})


def test_opt_outs_reach_a_quarantined_record_and_nothing_else_does() -> None:
    made = World(rules=consent_rules(apps=1)).edit(1, email=MAIL)
    made.contact.review = True
    made.sync()
    proof = Evidence(at=at(1), at_ms=1, source="form")
    made.latches[CONSENT] = Latch(in_ms=1, evidence=proof, app=7)
    assert made.poll().decide() == []
    made.latches[CONSENT] = Latch(out_ms=2, app=7)
    [intent] = made.poll().decide()
    assert (intent.kind, intent.opt_out) == ("consent", True)


def test_a_quarantined_record_lifts_nobodys_opt_out() -> None:
    """Fault: nobody knew whose record it was, and its opt-in counted for the address."""
    made = World(rules=consent_rules(apps=1)).edit(1, email=MAIL)
    made.contact.review = True
    made.latches[CONSENT] = Latch(out_ms=500, app=7)
    opt_in(made, 1, ms=900).sync()
    assert made.latches[CONSENT].closed
    assert made.shows(CONSENT) == {1: OUT}


def test_a_latched_address_closes_whoever_has_it() -> None:
    made = world(None, None)
    made.latches[CONSENT] = Latch(out_ms=made.now_ms, app=9)
    made.edit(1, email="latched@x.org").sync()
    assert made.shows(CONSENT) == {1: OUT, 2: OUT}
    assert made.contact.stamps[CONSENT].app == 9


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_an_opt_out_counts_in_whatever_direction_the_field_travels(direction: str) -> None:
    """Fault: typed where syncd only writes, it was taken for read and written over with an opt-in."""
    made = World(rules=consent_rules(maps={2: {CONSENT: {"direction": direction}}})).edit(1, email=MAIL)
    made.edit(2, email=MAIL)
    opt_in(made, 1, ms=900).sync()
    assert made.stored[2][CONSENT] == (None if direction == "in" else IN)
    made.edit(2, **{CONSENT: OUT}).sync()
    assert made.shows(CONSENT) == {1: OUT, 2: OUT}


def test_an_opt_out_read_while_only_other_fields_take_part_is_not_consumed() -> None:
    """Fault: `resync --fields email` swallowed it."""
    made, narrow = world(None, None), consent_rules()
    made.edit(2, **{CONSENT: OUT})
    whole, made.rules = (
        made.rules,
        rules_of([app_rule(i, ("email",)) for i in (1, 2)], [rule("email")], consents=(CONSENT,)),
    )
    made.poll().decide()
    made.rules = whole
    made.read.clear()
    made.sync()
    assert narrow.apps.keys() == whole.apps.keys()
    assert made.shows(CONSENT) == {1: OUT, 2: OUT}


def test_writes_update_false_holds_for_consent_too() -> None:
    made = World(rules=consent_rules(update=False)).edit(1, email=MAIL, **{CONSENT: OUT}).edit(2, email=MAIL)
    assert made.poll().decide() == []


# -- opt-ins


def test_an_opt_in_without_evidence_stays_where_it_was_typed() -> None:
    made = world(IN, None, None)
    assert made.shows(CONSENT) == {1: IN, 2: None, 3: None}
    assert made.value(CONSENT) is None
    made.rules = consent_rules(apps=4)
    [create] = made.poll().decide()
    assert (create.kind, sorted(create.fields)) == ("create", ["email"])


@pytest.mark.parametrize(
    ("ms", "source", "lifts"),
    [
        (None, "form", False),
        (9_000, None, False),
        (9_000, "-", False),
        (1_000, "form", False),
        (99_999, "form", False),
        (9_000, "form", True),
    ],
    ids=["no time", "no source", "blank source", "before the opt-out", "in the future", "proven"],
)
def test_only_complete_later_evidence_lifts_an_opt_out(ms: int | None, source: Raw, *, lifts: bool) -> None:
    made = world(OUT, OUT, OUT)
    assert made.latches[CONSENT].out_ms < 8_000
    made.now_ms = 10_000
    made.edit(2, **{CONSENT: IN, "consent_at": None if ms is None else at(ms), "consent_source": source}).sync()
    assert set(made.shows(CONSENT).values()) == ({IN} if lifts else {OUT})
    assert made.latches[CONSENT].closed is not lifts
    assert (IN in [e.state for e in made.events]) is lifts
    if lifts:
        assert made.shows("consent_at") == {1: "1970-01-01T00:00:09Z", 2: at(9_000), 3: "1970-01-01T00:00:09Z"}
        assert made.contact.stamps[CONSENT].app == made.contact.stamps["consent_at"].app == 2
        assert [(e.state, e.app) for e in made.events][-1] == (IN, 2)
        made.edit(3, **{CONSENT: OUT}).sync()
        assert set(made.shows(CONSENT).values()) == {OUT}
        assert made.value("consent_at") is None


def test_evidence_may_follow_the_word() -> None:
    made = world(None, None).edit(1, **{CONSENT: IN})
    made.sync()
    made.edit(1, consent_at=at(made.now_ms)).sync()
    assert made.shows(CONSENT) == {1: IN, 2: None}
    made.hide(1, CONSENT).edit(1, consent_source="paper").sync()
    assert made.stored[2][CONSENT] == IN


def test_an_opt_out_that_is_typed_again_counts_from_then() -> None:
    made = world(OUT, OUT)
    between = made.now_ms + 1
    made.rules = consent_rules(maps={2: {CONSENT: {"direction": "in"}}})
    made.edit(2, **{CONSENT: IN}).sync()
    made.edit(2, **{CONSENT: OUT}).sync()
    opt_in(made, 1, ms=between).sync()
    assert made.latches[CONSENT].closed


def test_the_same_evidence_again_is_no_event() -> None:
    made = world(OUT, None)
    opt_in(made, 1, ms=made.now_ms + 5).sync()
    events = len(made.events)
    opt_in(made, 2, ms=made.now_ms, word=IN)
    made.stored[2] |= {name: made.stored[1][name] for name in EVIDENCE}
    made.edit(2, consent_source="copy of the form").sync()
    assert len(made.events) == events
    made.edit(1, **{CONSENT: OUT}).sync()
    made.edit(1, **{CONSENT: IN}).sync()
    assert set(made.shows(CONSENT).values()) == {OUT}, "old evidence lifts nothing"


@pytest.mark.parametrize("word", ["pending", "bounced", "what?"])
def test_an_opt_in_is_not_written_over_what_is_a_fact_of_that_app(word: str) -> None:
    made = world(None, word, None)
    opt_in(made, 1, ms=made.now_ms).sync()
    assert made.shows(CONSENT) == {1: IN, 2: word, 3: IN}


def test_an_app_with_several_channels_proves_only_what_was_typed_with_the_evidence() -> None:
    """Fault: the evidence of the newsletter proved an opt-in to text messages that somebody ticked later."""
    channels = (CONSENT, "sms_consent")
    made = World(rules=consent_rules(channels=channels)).edit(1, email=MAIL).edit(2, email=MAIL)
    made.sync()
    opt_in(made, 1, ms=made.now_ms).sync()
    made.edit(1, sms_consent=IN).sync()
    assert made.shows("sms_consent") == {1: IN, 2: None}
    made.edit(1, sms_consent=OUT).sync()
    assert made.shows("sms_consent") == {1: OUT, 2: OUT}
    assert made.shows(CONSENT) == {1: IN, 2: IN}
    assert made.value("consent_at") is not None, "what proves the newsletter is not forgotten with the other opt-out"


# -- apps that answer


@pytest.mark.parametrize("field", [CONSENT, "consent_at"])
def test_an_opt_in_that_an_app_refuses_is_not_tried_for_ever(field: str) -> None:
    made = world(None, None)
    opt_in(made, 1, ms=made.now_ms).poll()
    [intent] = made.decide()
    refuse(made.links[2], made._sent(intent), [field], "member in compliance state")
    assert made.plan() == []
    assert made.links[2].flaws[CONSENT] == "member in compliance state"
    made.edit(1, **{CONSENT: OUT})
    assert [i.opt_out for i in made.poll().decide()] == [True], "an opt-out is told all the same"


def test_of_consent_only_the_very_word_is_an_echo() -> None:
    made = world(None, None).edit(1, **{CONSENT: OUT})
    made.answers = ["lost"]
    for intent in made.poll().decide():
        made.write(intent)
    made.edit(2, **{CONSENT: "OPTED"}).poll()
    assert [i.opt_out for i in made.decide()] == [True]
    assert made.links[2].acks == {}


@pytest.mark.parametrize(
    ("answer", "again"), [(IN, True), ("pending", True), ("what?", True), (None, False), ("bounced", False)]
)
def test_an_opt_out_that_did_not_take_is_told_again(answer: Raw, *, again: bool) -> None:
    """Fault: an app that answered "subscribed" was believed to spell it so."""
    made = world(None, None).edit(1, **{CONSENT: OUT})
    made.norms[2] = lambda raw: answer if raw == OUT else raw
    for intent in made.poll().decide():
        made.write(intent)
    assert [i.opt_out for i in made.plan()] == [True] * again
    assert made.links[2].flaws == {CONSENT: "the app answered with another word"}


def test_an_opt_out_that_is_taken_at_last_is_parked_no_more() -> None:
    made = world(None, None).edit(1, **{CONSENT: OUT}).poll()
    [intent] = made.decide()
    refuse(made.links[2], made._sent(intent), [CONSENT], "not now")
    assert made.links[2].flaws == {CONSENT: "not now"}
    made.sync()
    assert (made.shows(CONSENT), made.links[2].flaws) == ({1: OUT, 2: OUT}, {})


# -- laws

EVIDENCES = st.none() | st.builds(
    lambda ms, source: Evidence(at=at(ms), at_ms=ms, source=source), st.integers(1, 3), st.sampled_from("ab")
)
LATCHES = st.builds(
    lambda out, app, proof: Latch(out_ms=out, app=app, in_ms=proof.at_ms if proof else 0, evidence=proof),
    st.integers(0, 3),
    st.integers(-2, 2),
    EVIDENCES,
)


@given(LATCHES, LATCHES, LATCHES)
@settings(max_examples=300, deadline=None)
def test_latches_are_a_semilattice(a: Latch, b: Latch, c: Latch) -> None:
    """Fault: of two opt-ins in one second the one asked first won."""
    assert a.joined(a) == a
    assert a.joined(b) == b.joined(a)
    assert a.joined(b.joined(c)) == a.joined(b).joined(c)
    assert a.joined(b).out_ms == max(a.out_ms, b.out_ms)


def test_an_opt_out_and_an_opt_in_of_one_instant_are_an_opt_out() -> None:
    proof = Evidence(at=at(5), at_ms=5, source="form")
    met = Latch(out_ms=5, app=1).joined(Latch(in_ms=5, evidence=proof))
    assert met.closed


SCRIPT = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from([*CONSENT_WORDS, None, "what?", "subscribed"]),
        st.sampled_from(["full", "no time", "no source", "future", "old", "none"]),
        st.booleans(),
    ),
    max_size=6,
)


def typed(made: World, app: int, word: Raw, proof: str) -> None:
    moment = {"no time": None, "none": None, "future": at(59_000), "old": at(1)}.get(proof, at(made.now_ms))
    source = None if proof in ("no source", "none") else "form"
    made.edit(app, **{CONSENT: word, "consent_at": moment, "consent_source": source})


def raises(intent: Intent) -> bool:
    return intent.fields.get(CONSENT) is not None and intent.fields[CONSENT].new == IN


@given(SCRIPT)
@settings(max_examples=250, deadline=None)
def test_nothing_but_evidence_ever_raises_consent(script: list[tuple[int, Raw, str, bool]]) -> None:
    """Any sequence of what three apps say: an opt-in leaves the hub only with evidence later than every opt-out."""
    made = World(rules=consent_rules(apps=3))
    for app in (1, 2, 3):
        made.edit(app, email=MAIL)
    made.sync()
    proven, seen_out_ms = False, 0
    for app, word, proof, read in script:
        typed(made, app, word, proof)
        proven = proven or proof in ("full", "old")
        if not read:
            continue
        if any(made.stored[a][CONSENT] == OUT != made.read[a][CONSENT] for a in made.stored):
            seen_out_ms = made.now_ms  # somebody opted out, and it is read now
        seen = len(made.written)
        made.sync()
        latch = made.latches[CONSENT]
        for intent in made.written[seen:]:
            if raises(intent):
                assert proven
                assert latch.evidence is not None
                assert latch.evidence.at_ms > seen_out_ms
                assert {"consent_at", "consent_source"} <= set(intent.fields)
        if latch.closed:
            assert set(made.shows(CONSENT).values()) == {OUT}
        assert made.plan() == []


@pytest.mark.parametrize("app", [1, 2, 3])
@pytest.mark.parametrize("others", list(product([*ALL_BUT_OUT, None], repeat=2)))
def test_behaviour_38_a_first_sync_raises_nobody(app: int, others: tuple[Raw, Raw]) -> None:
    words: list[Raw] = [*others]
    words.insert(app - 1, IN)
    made = world(*words)
    assert made.shows(CONSENT) == dict(enumerate(words, 1))
    assert not any(raises(i) for i in made.written)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-02", 86_400_000),
        ("soon", 0),
        ("", 0),
    ],
)
def test_moments_are_read_as_utc(text: str, ms: int) -> None:
    assert to_ms(text) == ms
