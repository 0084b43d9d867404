"""The laws of lenses: what is read back is what was written, as far as the app can hold it, and nothing is invented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.fields import TYPES, FieldType, Invalid, field_type
from syncd.core.transforms import CUTTABLE, Lens, make_lens
from syncd.model import FieldMap

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "-", "n/a", "a b", "a; b", "a, b", "Ünï", "a\u200cb", "👩‍👧", "e\u0301", "x" * 30]
)
WORDS = st.sampled_from(
    [
        "opted_in",
        "yes",
        "DE",
        "de-AT",
        "+491712345678",
        "2024-02-29",
        "2024-02-29T10:00:00Z",
        "1.50",
        "a@x.org",
        "x.org",
    ]
)
RAWS = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | TEXTS | WORDS
    | st.lists(TEXTS | WORDS, max_size=4) | st.dictionaries(TEXTS, TEXTS, max_size=3)
)  # fmt: skip


def lens_of(kind: FieldType, *, flat: bool = False, max_length: int | None = None, **options: Any) -> Lens:
    values = options.pop("values", None)
    required = "placeholder" in options
    where = FieldMap(path="f", max_length=max_length, options=options, values=values, required=required)
    return make_lens("f", where, kind, flat=flat)


def read(kind: FieldType, raw: Any) -> Any:
    value = kind.parse(raw)
    return None if isinstance(value, Invalid) else value


def key(kind: FieldType, value: Any) -> Any:
    return None if value is None else kind.key(value)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=60, deadline=None)
@given(raw=RAWS)
def test_what_is_written_is_read_back(name: str, raw: Any) -> None:
    kind = field_type(name)
    value, lens = read(kind, raw), lens_of(kind)
    assert key(kind, lens.parse(lens.render(value))) == key(kind, value)
    assert lens.render(None) is None


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=60, deadline=None)
@given(raw=RAWS)
def test_what_a_flat_or_short_app_can_hold_settles_at_once(name: str, raw: Any) -> None:
    """`proj` is idempotent: writing what was read back changes nothing any more."""
    kind = field_type(name)
    value = read(kind, raw)
    for lens in (lens_of(kind, flat=True), lens_of(kind, flat=True, max_length=5, overflow="truncate")):
        stored = lens.render(value)
        assert stored is None or isinstance(stored, str)
        if lens.truncate:
            assert stored is None or len(stored) <= 5
        kept = lens.parse(stored)
        if isinstance(kept, Invalid) or kept is None:
            continue  # plan.spelled refuses to write that
        again = lens.parse(lens.render(kept))
        assert key(kind, again) == key(kind, kept)


@pytest.mark.parametrize("name", sorted({*TYPES} - CUTTABLE))
@settings(max_examples=30, deadline=None)
@given(raw=RAWS)
def test_half_a_number_an_address_or_a_date_is_never_written(name: str, raw: Any) -> None:
    """Fault: `overflow: truncate` made another number of a phone number."""
    kind = field_type(name)
    value = read(kind, raw)
    assert lens_of(kind, max_length=3, overflow="truncate").render(value) == lens_of(kind).render(value)


@pytest.mark.parametrize("name", ["text", "choice", "set", "boolean", "consent", "country"])
@settings(max_examples=60, deadline=None)
@given(raw=RAWS)
def test_reading_words_never_raises_and_never_invents(name: str, raw: Any) -> None:
    kind = field_type(name)
    values = {"opted_in": "yes please", "yes": "J", "DE": "Germany", "a": "Ä", "b": 7}
    lens = lens_of(kind, values=values)
    value = lens.parse(raw)
    if raw is None:
        assert value is None
    elif not isinstance(value, Invalid) and value is not None:
        assert key(kind, lens.parse(lens.render(value))) in (
            key(kind, value),
            key(kind, read(kind, lens.render(value))),
        )


def test_words_travel_both_ways_whatever_their_case() -> None:
    lens = lens_of(field_type("choice"), values={"IT": "COMPUTER_SOFTWARE", "Trade": 7})
    assert [lens.parse(r) for r in ("computer_software", " COMPUTER_SOFTWARE ", 7, "7", "Other")] == [
        "IT", "IT", "Trade", "Trade", "Other",
    ]  # fmt: skip
    assert [lens.render(v) for v in ("it", "IT", "Trade", "Other", None)] == [
        "COMPUTER_SOFTWARE", "COMPUTER_SOFTWARE", 7, "Other", None,
    ]  # fmt: skip


def test_a_set_is_translated_element_by_element() -> None:
    """Fault: `values` of a set were compared with the whole list, and never met."""
    lens = lens_of(field_type("set"), values={"vip": "VIP customer", "new": "Neu"})
    assert lens.parse(["Neu", "other", "vip CUSTOMER"]) == ["new", "other", "vip"]
    assert lens.render(["new", "other", "vip"]) == ["Neu", "other", "VIP customer"]
    assert lens_of(field_type("set"), values={"vip": "V"}, flat=True).render(["new", "vip"]) == "new; V"
    lens = lens_of(field_type("set"), values={"vip": ["VIP customer", "Key account"]})
    assert (lens.parse(["key account", "x"]), lens.render(["vip"])) == (["vip", "x"], ["VIP customer"])


def test_of_several_words_for_one_value_the_first_is_written() -> None:
    lens = lens_of(field_type("consent"), values={"opted_out": ["nein", "abgemeldet"], "opted_in": "ja"})
    assert [lens.parse(word) for word in ("nein", "Abgemeldet", "ja")] == ["opted_out", "opted_out", "opted_in"]
    assert lens.render("opted_out") == "nein"


def test_a_value_of_no_type_is_not_translated() -> None:
    lens = lens_of(field_type("consent"), values={"maybe": "M", "opted_in": "S"})
    assert isinstance(lens.parse("M"), Invalid)
    assert lens.parse("S") == "opted_in"
    assert lens_of(field_type("text"), values={"n/a": "M"}).parse("M") == "M", "a blank is no value either"


@pytest.mark.parametrize("raw", ["Unbekannt", "unbekannt", " UNBEKANNT ", "Unbekannt\u00a0", "Unbek"])
def test_the_placeholder_is_blank_however_the_app_spells_it(raw: str) -> None:
    """Fault: one that came back in capitals was data."""
    lens = lens_of(field_type("text"), placeholder="Unbekannt", max_length=5, overflow="truncate")
    assert lens.parse(raw) is None
    assert lens.parse("Unbekannt GmbH") == "Unbekannt GmbH"


def test_an_unreadable_placeholder_does_not_make_everything_unreadable_blank() -> None:
    lens = lens_of(field_type("phone"), placeholder="none given")
    assert lens.parse("None Given") is None
    assert isinstance(lens.parse("what?"), Invalid)


@pytest.mark.parametrize(
    ("name", "placeholder", "raw"),
    [("date", "1.1.1900", "1900-01-01"), ("phone", "+49 171 0000000", "+491710000000"), ("number", 0, "0.0")],
)
def test_a_placeholder_is_blank_in_every_spelling_of_its_type(name: str, placeholder: Any, raw: str) -> None:
    lens = lens_of(field_type(name), placeholder=placeholder)
    assert lens.parse(placeholder) is None
    assert lens.parse(raw) is None


def test_a_placeholder_is_cut_as_the_app_cuts_it() -> None:
    lens = lens_of(field_type("text"), placeholder="not given", max_length=4, overflow="truncate")
    assert lens.parse("not") is None, "the blank at the end goes as well"
    assert lens.parse("no") == "no"
    assert lens.parse("not  given") is None


@pytest.mark.parametrize(
    ("name", "value", "raw"),
    [
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("text", "a", "a"),
        ("set", ["a", "b"], "a; b"),
        ("map", {"b": "ü", "a": "1"}, '{"a": "1", "b": "ü"}'),
    ],
)
def test_a_flat_app_holds_everything_as_one_text(name: str, value: Any, raw: str) -> None:
    assert lens_of(field_type(name), flat=True).render(value) == raw


def test_a_number_of_the_apps_own_words_is_spelled_as_text_in_a_flat_app() -> None:
    assert lens_of(field_type("choice"), values={"Trade": 7}, flat=True).render("Trade") == "7"


def test_a_lens_says_what_one_may_expect_of_it() -> None:
    text, words = field_type("text"), {"IT": "COMPUTER"}
    as_it_is = lens_of(text)
    assert (as_it_is.plain, as_it_is.lossy, as_it_is.truncate, as_it_is.field) == (True, False, False, "f")
    assert (as_it_is.required, as_it_is.placeholder, as_it_is.max_length) == (False, None, None)
    assert not lens_of(text, values=words).plain
    filled = lens_of(text, placeholder="n.n.")
    assert (filled.plain, filled.placeholder, filled.required) == (False, "n.n.", True)
    cut = lens_of(text, max_length=3, overflow="truncate")
    assert (cut.lossy, cut.truncate, cut.max_length) == (True, True, 3)
    assert not lens_of(text, max_length=3).truncate
    assert not lens_of(field_type("phone"), max_length=3, overflow="truncate").lossy
    assert (lens_of(field_type("set"), flat=True).lossy, lens_of(field_type("set")).lossy) == (True, False)
    assert not lens_of(text, flat=True).lossy


@pytest.mark.parametrize(
    ("direction", "reads", "writes"),
    [("in", True, False), ("out", False, True), ("both", True, True), ("none", False, False)],
)
def test_a_lens_travels_in_the_directions_that_are_said(direction: Any, *, reads: bool, writes: bool) -> None:
    lens = make_lens("f", FieldMap(path="f", direction=direction, defaulted=True), field_type("text"), flat=False)
    assert (lens.reads, lens.writes, lens.defaulted) == (reads, writes, True)


def test_a_text_may_be_as_long_as_the_app_holds() -> None:
    lens = lens_of(field_type("text"), max_length=3)
    assert lens.blocked("abc") is None
    assert lens.blocked("abcd") == "longer than the 3 characters that the app holds"
    assert lens.blocked(None) is None
    assert lens_of(field_type("text")).blocked("x" * 999) is None


def test_blank_lists_and_maps_can_be_written() -> None:
    """Fault: clearing a set raised."""
    for name in ("set", "emails", "map"):
        for flat in (True, False):
            assert lens_of(field_type(name), flat=flat).render(None) is None


def test_a_joined_list_is_cut_between_elements() -> None:
    """Fault: it ended in half an element, which came back as a tag of its own."""
    lens = lens_of(field_type("set"), flat=True, max_length=12, overflow="truncate")
    assert lens.render(["alpha", "beta", "gamma"]) == "alpha; beta"
    assert lens.render(["alphabetical order"]) == ""
    assert lens_of(field_type("set"), max_length=1, overflow="truncate").render(["alpha"]) == ["alpha"]


def test_a_word_is_never_cut() -> None:
    lens = lens_of(field_type("text"), values={"IT": "COMPUTER"}, max_length=3, overflow="truncate")
    assert (lens.render("IT"), lens.render("Trade")) == ("COMPUTER", "Tra")
    assert lens.blocked(lens.render("IT")) is not None


def test_blocked_says_no_value() -> None:
    why = lens_of(field_type("text"), max_length=3).blocked("secret")
    assert why is not None
    assert "secret" not in why
