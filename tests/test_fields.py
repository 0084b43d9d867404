"""Field types: what apps hold is read into one form, the same on every reading, and nothing is invented.

First the laws, for any JSON whatever; then tables of what people and vendors really write.
"""

from __future__ import annotations

import json
import string
from itertools import pairwise

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.core import addresses
from syncd.core.fields import STANDARD, TYPES, FieldType, Invalid, field_type
from syncd.core.values import VALUE_BYTES_MAX

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in TYPES},
    "text, multiline": ("text", {"multiline": True}),
    "choice of three": ("choice", {"choices": ["Hot", "Cold", "N/A"]}),
    "date, dmy": ("date", {"order": "dmy"}),
    "phone in DE": ("phone", {"region": "DE"}),
    "phone in US": ("phone", {"region": "US"}),
    "phone in IT": ("phone", {"region": "IT"}),
    "set by comma": ("set", {"separator": ","}),
}

SAMPLES = (
    "Bob@X.com|bob@münchen.de|bob@xn--mnchen-3ya.de|'a b'@x.com|+49 171 2345678|0171/2345678|(415) 555-0100|110|*100#|"
    "1-800-FLOWERS|030 1234 ext. 12|+49 00171 1234|tel:+1-201-555-0123|1980-02-01|--0201|1.2.1980|01/02/1980|-0.50|1e3|"
    "2024-01-01T10:00:00.5+02:00|1700000000|DE|Deutschland|USA|pt_BR|English (US)|a; B,b|N/A|none|yes|off|opted_in|"
    'cleaned|Example.com/A/?q=1|//x.y/|sw1a  1aa|01067|{"a": "b", "c": 1}|Main St 1\r\nApt 4|  two  spaces |Zoë\u0308|'
    "می‌خواهم|👨‍👩‍👧|İstanbul|Straße|0000-00-00|9999-12-31T23:59:59-14:00|0001-01-02T00:00:00+14:00|ﬀ|é"
).split("|")
NOISE = st.text(alphabet=" \t\n\u00a0\u200b\u200c\u200d\u0301.,;:+-@/()x0é\x00\ud800", max_size=2)
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet=string.printable),
    st.text(alphabet=" 0123456789+-.()/x;"),
    st.text(alphabet="aA\u0301\u0308\u200c\u200d\u200b \u00a0\u212bकİß\uac00\u11a8"),
    st.builds(
        lambda a, b, c, cut: f"{a}{b[:cut]}{c}{b[cut:]}", NOISE, st.sampled_from(SAMPLES), NOISE, st.integers(0, 9)
    ),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=6,
)
each_kind = pytest.mark.parametrize("label", KINDS)


def kind_of(label: str) -> FieldType:
    """Make the type of this label: in the test, so that what makes it is tested as well."""
    name, options = KINDS[label]
    return field_type(name, **options)


def reads(kind: FieldType, raw: object) -> object:
    value = kind.parse(raw)
    assert not isinstance(value, Invalid), value.reason
    return value


def key_of(kind: FieldType, raw: object) -> object:
    return kind.key(reads(kind, raw))


@each_kind
@given(raw=JSON)
@settings(max_examples=300, deadline=None)  # the first use of a type may read tables
def test_what_is_read_is_settled(label: str, raw: object) -> None:
    kind = kind_of(label)
    value = kind.parse(raw)
    if value is None:
        return
    if isinstance(value, Invalid):
        assert value.reason
        return
    assert kind.parse(kind.render(value)) == value
    assert kind.parse(value) == value
    hash(kind.key(value))
    assert json.loads(json.dumps(value).encode()) == value
    assert value not in ("", [], {})


@each_kind
@pytest.mark.parametrize("raw", [None, "", "  ", "\n\u200b", "N/A", "?", "-", "."])
def test_blank_is_none(label: str, raw: object) -> None:
    value = kind_of(label).parse(raw)
    assert value is None or (value == "N/A" and label == "choice of three")


@each_kind
@pytest.mark.parametrize(
    "raw",
    ["x" * (VALUE_BYTES_MAX + 1), ["y" * 40000, "z" * 40000], "\ud800", 10**5000, b"x", {1}],
    ids=["long text", "long list", "half a character", "huge number", "bytes", "set"],
)
def test_what_cannot_be_held_is_flagged(label: str, raw: object) -> None:
    assert isinstance(kind_of(label).parse(raw), Invalid)


def test_the_limit_counts_bytes() -> None:
    assert reads(kind_of("text"), "x" * VALUE_BYTES_MAX)
    assert reads(kind_of("text"), "é" * (VALUE_BYTES_MAX // 2))
    assert isinstance(kind_of("text").parse("é" * (VALUE_BYTES_MAX // 2 + 1)), Invalid)
    assert isinstance(kind_of("map").parse({str(number): "x" * 700 for number in range(100)}), Invalid)


@pytest.mark.parametrize("kind", ["text", "name", "notes", "street", "postal_code", "choice", "phone"])
def test_numbers_are_read_as_they_are_written(kind: str) -> None:
    assert reads(kind_of(kind), 5550100) == reads(kind_of(kind), 5550100.0) == "5550100"
    assert isinstance(kind_of(kind).parse(float("nan")), Invalid)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("text", "  a \u00a0 b\n", "a b"),
        ("text", "e\u0301", "é"),
        ("text", "\ufeffa\u200bb\x00\u202e", "ab"),
        ("text", "None", None),
        ("text", True, "true"),
        ("text", 1e-7, "0.0000001"),
        ("text", -0.0, "0"),
        ("text", "👨‍👩‍👧", "👨‍👩‍👧"),
        ("text", "می‌خواهم", "می‌خواهم"),
        ("text", "a\u200db", "ab"),
        ("name", "None", "None"),
        ("name", "null", "null"),
        ("name", "n/a", None),
        ("name", "O'Neil", "O'Neil"),
        ("notes", "a\r\n  b  c \u2028\n", "a\n  b  c"),
        ("street", "Main St 1\r\nApt 4", "Main St 1\nApt 4"),
        ("street", " Main St 1", "Main St 1"),
        ("postal_code", "01067", "01067"),
        ("postal_code", "sw1a  1aa", "SW1A 1AA"),
        ("choice of three", "hot", "Hot"),
        ("choice of three", "n/a", "N/A"),
        ("choice of three", "--", None),
        ("choice", "Lead", "Lead"),
        ("set", ["b", "A", "a", None, ""], ["b", "A"]),
        ("set", "x; z,y;;", ["x", "z", "y"]),
        ("set", [], None),
        ("set", ["a,b", 7], ["a,b", "7"]),
        ("set by comma", "a;b,c", ["a;b", "c"]),
        ("map", {"b": 1, "a": "x", "c": None}, {"a": "x", "b": "1"}),
        ("map", '{"linkedin": "bob"}', {"linkedin": "bob"}),
        ("map", {}, None),
        ("emails", "B@x.com; a@x.com\nb@X.com", ["a@x.com", "B@x.com"]),
        ("url", " Example.com/ ", "Example.com/"),
    ],
)
def test_text_is_read(kind: str, raw: object, value: object) -> None:
    assert reads(kind_of(kind), raw) == value


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", "می‌خواهم", "میخواهم"),
        ("notes", "a\n\tb  c", "a\nb c"),
        ("street", "Main St 1\nApt 4", "Main St 1, Apt 4"),
        ("postal_code", "SW1A 1AA", "sw1a1aa"),
        ("choice", "Lead", "LEAD"),
        ("set", ["Ünder", "a"], "A;ünder"),
        ("map", {"a": "1"}, '{"a": 1}'),
        ("emails", ["A@x.com"], "a@X.com"),
        ("url", "Example.com", "https://example.com/"),
        ("url", "HTTP://example.com/A/", "http://EXAMPLE.com/A"),
    ],
)
def test_values_are_the_same(kind: str, one: object, other: object) -> None:
    assert key_of(kind_of(kind), one) == key_of(kind_of(kind), other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", "Acme", "ACME"),
        ("name", "MacDonald", "Macdonald"),
        ("notes", "a\nb", "a b"),
        ("url", "x.com/a", "x.com/A"),
        ("url", "x.com/aX", "x.com/a"),
        ("url", "x.com/a?b", "x.com/a"),
        ("url", "http://x.com", "https://x.com"),
        ("email", "bob+news@x.com", "bob@x.com"),
        ("email", "b.ob@x.com", "bob@x.com"),
        ("email", "weiß@x.com", "weiss@x.com"),
        ("email", "bob@x.com", "bоb@x.com"),  # the second has a Cyrillic о
    ],
)
def test_values_are_not_the_same(kind: str, one: object, other: object) -> None:
    assert key_of(kind_of(kind), one) != key_of(kind_of(kind), other)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("choice of three", "Other"),
        ("map", {"a": {"b": 1}}),
        ("map", {"a": 1, "a ": 2}),
        ("map", "linkedin"),
        ("map", '{"a":' * 20000),
        ("set", [["x"]]),
        ("emails", "a@x.com; Bob"),
        ("url", "my page"),
        ("url", "javascript:alert(1)"),
        ("url", "ftp://x.com"),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("number", "1,234"),
        ("number", "12 EUR"),
        ("number", True),
        ("number", float("inf")),
        ("number", "1e999"),
        ("consent", "active"),
        ("consent", 2),
        ("consent", "opted-in?"),
    ],
)
def test_unreadable_is_flagged(kind: str, raw: object) -> None:
    value = kind_of(kind).parse(raw)
    assert isinstance(value, Invalid)
    assert str(raw) not in value.reason


def test_behaviour_23_email_case_is_one_identity_and_is_kept() -> None:
    email = kind_of("email")
    assert reads(email, "Bob@X.com") == email.render(reads(email, "Bob@X.com")) == "Bob@X.com"
    assert key_of(email, "Bob@X.com") == key_of(email, "bob@x.com")


@pytest.mark.parametrize(
    ("raw", "value", "key"),
    [
        (" Bob@x.com ", "Bob@x.com", "bob@x.com"),
        ("bob@x.com.", "bob@x.com", "bob@x.com"),
        ("\u200bbob@x.com", "bob@x.com", "bob@x.com"),
        ("bob@MÜNCHEN.de", "bob@MÜNCHEN.de", "bob@xn--mnchen-3ya.de"),
        ("bob@mu\u0308nchen.de", "bob@münchen.de", "bob@xn--mnchen-3ya.de"),
        ("bob@XN--mnchen-3ya.de", "bob@XN--mnchen-3ya.de", "bob@xn--mnchen-3ya.de"),
        ("bob@ｘ。com", "bob@x.com", "bob@x.com"),
        ("Jü@x.com", "Jü@x.com", "jü@x.com"),
        ('"Bob B"@x.com', '"Bob B"@x.com', '"bob b"@x.com'),
        ('"Bob"@x.com', "Bob@x.com", "bob@x.com"),
        ("Info@x.com", "Info@x.com", "info@x.com"),
        ("bob@corp.local", "bob@corp.local", "bob@corp.local"),
        ("bob@MÜ.test", "bob@MÜ.test", "bob@xn--m-eha.test"),
    ],
)
def test_emails_are_read(raw: str, value: str, key: str) -> None:
    assert reads(kind_of("email"), raw) == value
    assert key_of(kind_of("email"), raw) == key


@pytest.mark.parametrize(
    "raw",
    [
        *("bob", "bob@", "@x.com", "bob@x", "a..b@x.com", "bob@-x.com", "bob@1.2.3.4", "bob@xn--a.com"),
        *("bob@x.com\n", "bob@x.com\r\nBcc: eve@x.com", "bo\x00b@x.com"),
        *("Bob <bob@x.com>", "a@x.com, b@x.com", f"{'x' * 250}@x.com", 5, ["bob@x.com"]),
    ],
)
def test_what_is_no_email_is_flagged(raw: object) -> None:
    assert isinstance(kind_of("email").parse(raw), Invalid)


@given(text=st.from_regex(addresses._PLAIN, fullmatch=True).filter(lambda text: "--" not in text and len(text) <= 254))
@example("Info@X.COM")
@settings(max_examples=300, deadline=None)
def test_the_short_way_for_emails_is_what_email_validator_says(text: str) -> None:
    assert kind_of("email").parse(text) == text
    if text.rpartition(".")[2].lower() in addresses._RESERVED:
        with pytest.raises(EmailNotValidError, match="special-use"):
            validate_email(text, check_deliverability=False)
    else:
        found = validate_email(text, check_deliverability=False)
        assert (
            found.normalized.lower()
            == f"{found.local_part}@{found.ascii_domain}".lower()
            == key_of(kind_of("email"), text)
        )


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        *((5, "5"), (-3, "-3"), (12.5, "12.5"), ("12.50", "12.5"), ("007", "7"), ("-0", "0"), (-0.0, "0"), ("+1", "1")),
        *((2**70, str(2**70)), (1e22, "1" + "0" * 22), ("1e3", "1000"), (".5", "0.5"), ("5.", "5"), (0.1, "0.1")),
        ("0.1000000000000000000000000000000000000000001", "0.1000000000000000000000000000000000000000001"),
        ("-", None),
    ],
)
def test_numbers_keep_every_digit(raw: object, value: object) -> None:
    assert reads(kind_of("number"), raw) == value


def test_yes_and_no_have_keys_of_their_own() -> None:
    assert [key_of(kind_of("boolean"), raw) for raw in ("yes", True, "no", False)] == ["true", "true", "false", "false"]


@pytest.mark.parametrize(
    ("raw", "value"), [("10.50", "10.5"), ("10.0", "10"), ("100", "100"), ("-0.5", "-0.5"), (".5", "0.5"), ("5.", "5")]
)
def test_what_says_nothing_in_a_number_goes(raw: str, value: str) -> None:
    assert reads(kind_of("number"), raw) == value


def test_choices_are_read_in_the_spelling_that_was_given() -> None:
    kind = kind_of("choice of three")
    assert [reads(kind, raw) for raw in ("hot", " COLD ", "n/a", "-", "")] == ["Hot", "Cold", "N/A", None, None]
    assert (kind.key("HOT"), kind.name) == (kind.key("hot"), "choice")
    assert reads(field_type("choice", choices=["-", "x"]), "-") == "-", "a choice that looks blank is one all the same"
    assert reads(field_type("choice"), "Whatever") == "Whatever"
    assert field_type("choice").name == "choice"


def test_names_without_a_value_are_left_out_of_a_map_and_the_rest_stays() -> None:
    assert reads(kind_of("map"), {"a": None, "b": "1", "c": "-", "d": "2"}) == {"b": "1", "d": "2"}


def test_yes_and_no() -> None:
    for raw in (True, 1, 1.0, "1", "Yes", "y", "TRUE", "t", " on ", "Ja"):
        assert reads(kind_of("boolean"), raw) is True
    for raw in (False, 0, 0.0, "0", "No", "n", "FALSE", "f", "off", "nein"):
        assert reads(kind_of("boolean"), raw) is False


@pytest.mark.parametrize(
    ("word", "raws"),
    [
        ("opted_in", [True, 1, "yes", "Opted In", "opt-in", "SUBSCRIBED", "1"]),
        ("opted_out", [False, 0, "no", "unsubscribed", "Opt-Out", "do not contact", "complained"]),
        ("pending", ["pending", "unconfirmed"]),
        ("bounced", ["bounced", "cleaned", "Hard Bounce"]),
        ("unknown", ["unknown", "never subscribed"]),
        (None, [None, "", "n/a", "none"]),
    ],
)
def test_consent_is_read(word: str | None, raws: list[object]) -> None:
    assert [reads(kind_of("consent"), raw) for raw in raws] == [word] * len(raws)


def test_every_type_goes_by_its_name() -> None:
    assert [field_type(name).name for name in TYPES] == list(TYPES)


def test_every_standard_field_has_a_type() -> None:
    assert len(STANDARD) == 34
    assert all(field_type(name).name == name for name in STANDARD.values())
    assert all(one < other for one, other in pairwise(TYPES))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("emial", {}, "unknown field type 'emial', did you mean 'email'?"),
        ("zzz", {}, "unknown field type 'zzz'"),
        ("phone", {"regoin": "DE"}, "the field type phone has no option 'regoin', did you mean 'region'?"),
        ("email", {"region": "DE"}, "the field type email has no option 'region'"),
        ("phone", {"region": "UK"}, "region: a country code such as DE is wanted"),
        ("phone", {"region": ["DE"]}, "region: a country code such as DE is wanted"),
        ("date", {"order": "ymd"}, "order: dmy or mdy is wanted"),
        ("choice", {"choices": "ab"}, "choices: a list of texts is wanted"),
        ("choice", {"choices": ["a", " "]}, "a choice is a text that is not empty"),
        ("choice", {"choices": ["a", "A"]}, "two choices differ by letter case only: 'a', 'A'"),
        ("set", {"separator": "x"}, "separator: one or more characters that are neither letters nor digits"),
        ("text", {"multiline": 1}, "multiline: true or false is wanted"),
    ],
)
def test_wrong_types_and_options_are_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        field_type(name, **options)
    assert str(caught.value) == message
