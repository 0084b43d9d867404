"""Phone numbers: the same number is the same however it is written, and nothing is guessed."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from phonenumbers.phonemetadata import PhoneMetadata

from connectors.csv.cells import guarded
from syncd.core import phones
from syncd.core.fields import FieldType, Invalid, field_type
from syncd.core.values import one_line

GERMAN = field_type("phone", region="DE")
BRITISH = field_type("phone", region="GB")
AMERICAN = field_type("phone", region="US")
ANYWHERE = field_type("phone")

REGIONS = st.sampled_from([None, *phones._NATIONAL])
DIGITS = st.text(alphabet="0123456789", min_size=4, max_size=14)
SEPARATED = st.lists(st.sampled_from(["", "", "", " ", "-", ".", "(", ")", "\u00a0", " - "]), min_size=20, max_size=20)


def key(kind: FieldType, raw: object) -> object:
    value = kind.parse(raw)
    assert isinstance(value, str)
    return kind.key(value)


def test_behaviour_47_formats_of_one_number_are_equal() -> None:
    stored = "+491712345678"
    for typed in (
        *("0171 2345678", "0171-2345678", "0171/2345678", "(0171) 2345678", "0171.234.5678", "01712345678"),
        *("+49 171 2345678", "+49 (0)171 2345678", "+49 (0) 171-2345678", "(+49) 171 2345678", "0049 171 2345678"),
        *("tel:+49-171-2345678", "＋４９ １７１ ２３４５６７８", "٠١٧١ ٢٣٤٥٦٧٨", "0171\u00a02345678", "0171–2345678"),
        *("1712345678", 1712345678),  # a numeric column has lost the zero
    ):
        assert GERMAN.parse(typed) == stored
        assert key(GERMAN, typed) == key(GERMAN, stored)


def test_behaviour_47_without_a_region_formats_are_equal() -> None:
    assert ANYWHERE.parse("0171 23") == "0171 23"
    assert key(ANYWHERE, "0171 23") == key(ANYWHERE, "0171-23") == key(ANYWHERE, "(0171)23") == "017123"
    assert key(ANYWHERE, "+49 171 2345678") == "+491712345678"


@pytest.mark.parametrize(
    ("kind", "raw", "value", "key"),
    [
        (GERMAN, "030 1234567 ext. 12", "+49301234567;ext=12", "+49301234567;ext=12"),
        (GERMAN, "030 1234567 x012", "+49301234567;ext=012", "+49301234567;ext=012"),
        (GERMAN, "tel:+49-30-1234567;ext=12", "+49301234567;ext=12", "+49301234567;ext=12"),
        (ANYWHERE, "030 1234567 ext. 12", "030 1234567 ext. 12", "0301234567;ext=12"),
        (GERMAN, "110", "110", "110"),
        (GERMAN, "116117", "116117", "116117"),
        (GERMAN, "*100#", "*100#", "*100#"),
        (GERMAN, "123 456", "123 456", "123456"),  # within some town
        (AMERICAN, "555-0100", "555-0100", "5550100"),
        (AMERICAN, "911", "911", "911"),
        (AMERICAN, "1 (201) 555-0123", "+12015550123", "+12015550123"),
        (AMERICAN, "1-800-FLOWERS", "+18003569377", "+18003569377"),
        (ANYWHERE, "+1 800 FLOWERS", "+18003569377", "+18003569377"),
        (ANYWHERE, "1-800-FLOWERS", "1-800-FLOWERS", "18003569377"),
        (GERMAN, "0800 REISE00", "+498007347300", "+498007347300"),
        (ANYWHERE, "+39 02 1234567", "+39021234567", "+39021234567"),  # Italy keeps its zero
        (ANYWHERE, "+49 00171 2345678", "+491712345678", "+491712345678"),
        (GERMAN, 491712345678, "491712345678", "491712345678"),  # a lost plus, or the area code 04917? not guessed
        (GERMAN, "n/a", None, None),
        (ANYWHERE, "0049 (0)30 2312-5044", "+493023125044", "+493023125044"),
        (AMERICAN, "0049 30 23125044", "+493023125044", "+493023125044"),
        (ANYWHERE, "00 12345", "00 12345", "0012345"),  # nowhere a number
        (BRITISH, "030 123456", "030 123456", "030123456"),  # valid in Germany: a user's list was not all British
        (BRITISH, "555-CALL-NOW", "555-CALL-NOW", "5552255669"),
        (BRITISH, "0044 30 1234 5678", "+443012345678", "+443012345678"),  # its country is written: taken as it is
        (BRITISH, "020 7946 0000 x12", "+442079460000;ext=12", "+442079460000;ext=12"),
    ],
)
def test_phones_are_read(kind: FieldType, raw: object, value: str | None, key: str | None) -> None:
    assert kind.parse(raw) == value
    assert value is None or kind.key(value) == key


@pytest.mark.parametrize("kind", [GERMAN, AMERICAN, ANYWHERE])
@pytest.mark.parametrize(
    "raw",
    [
        *("ask Bob", "()", "+", "+0", "+999 12345", "+49 1", "x" * 200, True, ["+491712345678"], 1.5),
        *("12 Main Street", "030 123456 (home)", "Bob 030 123456", "030 123456 after 5 pm"),
        *("030 1234567 / 0171 2345678", "+49301234567 +491712345678", "0301234567 x 01712345678"),
        *("+491234567890123456", "030 1234567, 0171 2345678"),
    ],
)
def test_what_is_no_phone_is_flagged(kind: FieldType, raw: object) -> None:
    value = kind.parse(raw)
    assert isinstance(value, Invalid) or (raw == 1.5 and value == "1.5")


@pytest.mark.parametrize("code", phones._TRUNK)
def test_the_table_of_trunk_prefixes_is_that_of_the_library(code: str) -> None:
    region = phonenumbers.region_code_for_country_code(int(code))
    plan = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    assert plan is not None
    prefixes = (plan.national_prefix_for_parsing or "-").split("|")
    assert set(phones._TRUNK[code]) == {prefix[0] for prefix in prefixes}
    assert plan.national_prefix_transform_rule is None


@given(
    start=st.sampled_from(["", "0", "1", "3", "00", *(f"+{code}" for code in phones._TRUNK)]),
    digits=DIGITS,
    separators=SEPARATED,
    region=REGIONS,
)
@settings(max_examples=1500, deadline=None)
def test_the_short_way_is_what_the_library_says(
    start: str, digits: str, separators: list[str], region: str | None
) -> None:
    text = start[:1] + "".join(map("".join, zip(start[1:] + digits, separators, strict=False)))
    quick = phones._quick(text, region)
    assume(quick is not None)
    assert quick == phones._parse_unusual(one_line(text), region)
    assert quick == phonenumbers.format_number(phonenumbers.parse(text, region), phonenumbers.PhoneNumberFormat.E164)


@given(text=st.text(alphabet="0123456789 +-.()/x;,#*AWext", max_size=24), region=REGIONS)
@settings(max_examples=1500, deadline=None)
def test_what_is_read_is_settled(text: str, region: str | None) -> None:
    kind = phones.phone_type(region)
    value = kind.parse(text)
    if isinstance(value, str):
        assert kind.parse(value) == value
        assert kind.key(value)


@pytest.mark.parametrize(
    ("kind", "raw", "says"),
    [
        *((GERMAN, raw, "written") for raw in ("+33 1 23 45 67 89", "0033 1 23 45 67 89", "tel:+49-171-2345678")),
        *((GERMAN, raw, "assumed") for raw in ("01 23 45 67 89", "0171 2345678", 1712345678, "tel:0171-2345678")),
        *((GERMAN, raw, "assumed") for raw in ("112", "0123456789")),  # left alone, and no match for a written one
        *((GERMAN, raw, "plain") for raw in (None, "", "ask at reception", ["0171 2345678"])),
        (ANYWHERE, "0171 2345678", "assumed"),
        *(
            (kind, raw, "written")
            for kind in (ANYWHERE, AMERICAN)
            for raw in ("0033 1 23 45 67 89", "(0033) 1 23 45 67 89")
        ),
        *((AMERICAN, raw, "written") for raw in ("011 49 171 2345678", "+1 (212) 555-0100")),
        (AMERICAN, "(212) 555-0100", "assumed"),
        (field_type("text"), "0171 2345678", "plain"),
    ],
)
def test_a_number_says_whether_its_country_is_written(kind: FieldType, raw: object, says: str) -> None:
    assert kind.certainty(raw) == says


@given(st.one_of(DIGITS, st.text(max_size=20), st.from_regex(r"(\+|00)[1-9][0-9 ]{6,12}", fullmatch=True)), REGIONS)
def test_what_is_assumed_is_completed_by_the_region_or_not_at_all(raw: str, region: str | None) -> None:
    kind = field_type("phone", **({"region": region} if region else {}))
    says, value = kind.certainty(raw), kind.parse(raw)
    if says == "assumed":
        assert ANYWHERE.parse(raw) != value or not str(value).startswith("+")
    if "+" in raw and isinstance(value, str) and value[0] == "+":
        assert says == "written"


@pytest.mark.parametrize(
    ("raw", "known", "is_it"),
    [
        ("030 23125053", "+493023125053", True),
        (3023125053, "+493023125053", True),
        ("030 23125053 x12", "+493023125053;ext=12", True),
        ("030 23125053 x12", "+493023125053", False),
        ("030 23125053", "+493023125053;ext=12", False),
        ("030 23125053 x2", "+493023125053;ext=12", False),
        ("030 23125053", "+ask at reception", False),
        ("030 23125054", "+493023125053", False),
        ("+44 30 23125053", "+493023125053", False),
        ("112", "+49112", False),
        ("ask at reception", "+493023125053", False),
        ("030 23125053", "030 23125053", False),
    ],
)
def test_a_known_number_is_the_same_without_its_country(raw: object, known: str, is_it: bool) -> None:
    assert GERMAN.completes(raw, known) is BRITISH.completes(raw, known) is is_it


@pytest.mark.parametrize(
    ("country", "region", "abroad"), [("AT", "DE", True), ("DE", "DE", False), ("CA", "US", False), ("GB", "US", True)]
)
def test_a_country_is_abroad_if_its_numbers_begin_otherwise(country: str, region: str, *, abroad: bool) -> None:
    assert phones.is_abroad(country, region) is abroad


def test_an_extension_is_written_as_mailers_read_it() -> None:
    """A user's newsletter got `;ext=12`, which nothing dials."""
    assert GERMAN.render("+493023125044;ext=12") == "+493023125044 ext. 12"
    assert GERMAN.parse("+493023125044 ext. 12") == "+493023125044;ext=12"
    assert GERMAN.render("+493023125044") == "+493023125044"
    assert guarded("+493023125044 ext. 12") == "+493023125044 ext. 12"
    assert guarded("+493023125044 ext. 12(1)").startswith("'")


def test_a_type_of_numbers_without_a_region_knows_as_well_what_completes_what() -> None:
    """An app that shows 030 23125053 of +493023125053 has no say: the country would be lost everywhere."""
    assert phones.phone_type().completes("030 23125053", "+493023125053")
    assert phones.phone_type("FR").completes("030 23125053", "+493023125053")


@pytest.mark.parametrize("typed", ["703062", "89032892"])
def test_a_number_within_a_town_is_not_completed_although_it_would_be_a_number_of_the_country(typed: str) -> None:
    assert phones.parse_phone(typed, region="DE") == typed
    assert str(phones.parse_phone(f"0{typed}", region="DE")).startswith("+49")
