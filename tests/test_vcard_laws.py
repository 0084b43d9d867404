"""The laws of the vCard codec, on generated cards and bytes, and vobject as the oracle of what its words mean."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import vobject
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.carddav.vcard import DEFAULT_PATHS, BadCard, change, fields, new, parse, target

PATHS = {**DEFAULT_PATHS, "full_name": "FN", "account_number": "X-ACCOUNT", "unit": "ORG.unit", "work": "TEL[work]"}


LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no clock decides a test
SHAPE = """BEGIN:VCARD
VERSION:3.0
UID:7
FN:Zoë Sørensen
N:Sørensen;Zoë;;;
ORG:Blüte \\& Co\\; GmbH
TITLE:Head of Sales
EMAIL;TYPE=WORK:zoe@blüte.example
EMAIL;TYPE=HOME:zoe@home.example
TEL;TYPE=CELL:+447000000001
ADR;TYPE=WORK:;;7 Main Street;Kraków;MA;30-001;PL
BDAY:1980-02-01
CATEGORIES:customer,vip
NOTE:Met at event 9.
END:VCARD
""".replace("\n", "\r\n")


def card(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""])


def read(text: str | bytes) -> dict[str, Any]:
    return {name: value for name, value in fields(parse(text), PATHS).items() if value is not None}


def as_set(value: object) -> object:
    return {*value} if isinstance(value, list) else value


def changed(text: str, **values: object) -> str:
    return change(parse(text), values, PATHS)


TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n\n\\\\,;:"^=n é漢'), min_size=1, max_size=120
)
TEXTS = TEXTS.filter(lambda text: text.strip("; \t\n") and not text.lower().startswith("tel:"))
DATES = st.dates(min_value=date(1000, 1, 1)).map(str) | st.sampled_from(
    ["--02-29", "1980", "19800201T101010Z", "spring"]
)
SETS = st.lists(TEXTS, min_size=1, max_size=4, unique_by=str.casefold)
PLAIN = sorted({*PATHS} - {"email", "other_emails", "work", "tags", "birthday", "full_name"})
VALUES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(PLAIN, TEXTS) | {"birthday": DATES, "tags": SETS, "email": TEXTS}
)
VERSIONS = st.sampled_from(["2.1", "3.0", "4.0"])

HEADS = st.sampled_from(
    ["N", "FN", "ORG", "item1.ORG", "EMAIL;TYPE=WORK", "EMAIL;PREF=1", "item2.email;type=pref", "TEL;CELL", 'TEL;TYPE="work,voice"',
     "TEL;VALUE=uri;TYPE=home", "ADR;TYPE=HOME", 'ADR;LABEL="a;b:c,^n"', "BDAY;VALUE=date", "NOTE;LANGUAGE=de", "URL", "CATEGORIES",
     "X-ACCOUNT", "item1.X-ABLabel", "PHOTO;ENCODING=b", "TITLE", "title;X=1"]
)  # fmt: skip
RAW = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\\;,: "), max_size=200)


@st.composite
def cards(draw: st.DrawFn) -> str:
    """Any properties in any order, folded anywhere, with line ends of one kind or mixed."""
    lines = [f"{draw(HEADS)}:{draw(RAW)}" for _ in range(draw(st.integers(0, 8)))]
    end = draw(st.sampled_from(["\r\n", "\n", "mixed"]))
    text = ""
    for line in ["BEGIN:VCARD", f"VERSION:{draw(VERSIONS)}", *lines, "END:VCARD"]:
        newline = draw(st.sampled_from(["\r\n", "\n"])) if end == "mixed" else end
        cut = draw(st.integers(1, max(len(line), 1)))
        text += line[:cut] + newline + " " + line[cut:] + newline if draw(st.booleans()) else line + newline
    return text


def others(text: str, name: str) -> list[str]:
    """The lines as they stand, without those of this name and without FN, which may follow."""
    return [line.raw for line in parse(text).lines if line.name not in {name, "FN"}]


@LAW
@given(cards())
def test_what_is_parsed_prints_as_it_was(text: str) -> None:
    assert str(parse(text)) == text
    assert str(parse(text.encode())) == text
    assert change(parse(text), {}, PATHS) == text
    assert change(parse(text), {name: value for name, value in read(text).items() if name != "work"}, PATHS) == text


@LAW
@given(cards(), st.sampled_from(PLAIN), TEXTS | st.none())
@example(card("ORG:;"), "company", None)
def test_a_change_leaves_all_other_lines_byte_for_byte(text: str, field: str, value: str | None) -> None:
    after = changed(text, **{field: value})
    name = target(PATHS[field])[0].name
    assert others(after, name) == others(text, name)
    seen = fields(parse(after), PATHS)
    same_property = {other for other in PATHS if target(PATHS[other])[0].name == name} | {"full_name"}
    assert {k: v for k, v in read(text).items() if k not in same_property} == {
        k: v for k, v in seen.items() if v is not None and k not in same_property
    }
    if value is not None:
        assert seen[field] == value
    written = {*after.split("\n")} - {*text.split("\n")}
    assert max((len(line.rstrip("\r").encode()) for line in written), default=0) <= 76


@LAW
@given(cards(), VALUES)
def test_what_is_written_is_read(text: str, values: dict[str, Any]) -> None:
    after = changed(text, **values)
    seen = read(after)
    assert {name: as_set(seen.get(name)) for name in values} == {name: as_set(value) for name, value in values.items()}
    assert changed(after, **values) == after


@LAW
@given(cards(), TEXTS, SETS)
def test_addresses_are_a_preferred_one_and_the_set_of_the_others(text: str, email: str, rest: list[str]) -> None:
    before = read(text)
    seen = read(changed(text, email=email))
    known = {before.get("email"), *before.get("other_emails", [])}
    if email.casefold() in {str(one).casefold() for one in known}:  # promoted, so none is lost
        assert {one.casefold() for one in [seen["email"], *seen.get("other_emails", [])]} == {
            str(one).casefold() for one in known
        }
    assert seen["email"] == email
    seen = read(changed(text, email=email, other_emails=rest))
    assert seen["email"] == email
    assert {*seen.get("other_emails", [])} == {one for one in rest if one.casefold() != email.casefold()}


@LAW
@given(VALUES, VERSIONS)
def test_a_new_card_holds_its_values(values: dict[str, Any], version: str) -> None:
    seen = read(new("u", values, PATHS, version=version))
    assert {name: value for name, value in seen.items() if name not in {"full_name", "work"}} == values


@LAW
@given(st.binary(max_size=300) | cards().map(str.encode), st.binary(max_size=4), st.data())
def test_anything_is_a_card_or_a_bad_card(octets: bytes, junk: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(octets)))
    octets = octets[:at] + junk + octets[at + data.draw(st.integers(0, 2)) :]
    try:
        found = parse(octets)
    except BadCard:
        return
    fields(found, PATHS)
    again = parse(change(found, dict.fromkeys(PATHS, "x"), PATHS))
    assert fields(again, PATHS)["job_title"] == "x"


@pytest.mark.parametrize(
    "line", ["NOTE:{}", "NOTE;{}:x", 'NOTE;X="{}":x', "NOTE;QUOTED-PRINTABLE:{}", "CATEGORIES:{}", "ORG:{}"]
)
@pytest.mark.parametrize("unit", ["a", "\\", "\r\n ", ";", ",", "é", "=\r\n", '"', "^n", "a.", "\\;", "\r"])
def test_megabytes_take_linear_time(line: str, unit: str) -> None:
    """In quadratic time this would take an hour."""
    text = card(line.format(unit * (300_000 // len(unit))))
    try:
        found = parse(text)
    except BadCard:
        return
    assert change(found, {"job_title": "x"}, PATHS) == text.replace("END:", "TITLE:x\r\nEND:")
    change(found, {"notes": "é" * 300_000, "company": unit.strip(), "tags": ["x"]}, PATHS)


def test_ten_megabytes_of_note() -> None:
    note = "Zoë, \\ and;\n" * 800_000
    text = changed(SHAPE, notes=note)
    assert read(text)["notes"] == note
    assert max(map(len, text.encode().split(b"\r\n"))) == 75


# The oracle ---------------------------------------------------------------------------------------------------------

ORACLE = {"family": "last_name", "given": "first_name", "prefix": "prefix"}, {
    "street": "street", "city": "city", "region": "region", "code": "postal_code", "country": "country"
}  # fmt: skip
ONE_LINE = {
    "TITLE": "job_title",
    "ROLE": "role",
    "NOTE": "notes",
    "URL": "website",
    "X-ACCOUNT": "account_number",
    "EMAIL": "email",
}


def whole(value: object) -> str:
    """A part with bare commas is a list to vobject."""
    return ",".join(value) if isinstance(value, list) else str(value)


def by_vobject(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in vobject.readOne(text).getChildren():
        if line.name in {"N", "ADR"}:
            names = ORACLE[line.name == "ADR"]
            found |= {ours: whole(getattr(line.value, theirs)) for theirs, ours in names.items()}
        elif line.name == "ORG":
            found |= dict(zip(("company", "unit"), map(whole, line.value), strict=False))
        elif line.name == "CATEGORIES":
            found["tags"] = line.value
        elif line.name in ONE_LINE:
            found.setdefault(ONE_LINE[line.name], line.value)
    return {name: value for name, value in found.items() if value}


COMPARED = {*ORACLE[0].values(), *ORACLE[1].values(), *ONE_LINE.values(), "company", "unit", "tags"}


@LAW
@given(VALUES)
def test_vobject_reads_what_we_write(values: dict[str, Any]) -> None:
    expected = {name: value for name, value in values.items() if name in COMPARED}
    assert by_vobject(new("u", values, PATHS)) == expected
    assert by_vobject(changed(SHAPE, **values)) == {**by_vobject(SHAPE), **expected}


@LAW
@given(VALUES, st.sampled_from(["3.0", "4.0"]))
def test_what_radicale_stores_in_its_own_words_means_the_same(values: dict[str, Any], version: str) -> None:
    text = new("u", values, PATHS, version=version)
    assert read(vobject.readOne(text).serialize()) == read(text)


def test_vobject_and_we_read_a_usual_card_alike() -> None:
    seen = {name: value for name, value in read(SHAPE).items() if name in COMPARED}
    assert by_vobject(SHAPE) == seen


@LAW
@given(VALUES)
def test_we_read_what_vobject_writes(values: dict[str, Any]) -> None:
    made = vobject.vCard()
    made.add("fn").value = "x"
    names, parts = ({theirs: values[ours] for theirs, ours in one.items() if ours in values} for one in ORACLE)
    made.add("n").value = vobject.vcard.Name(**names)
    made.add("adr").value = vobject.vcard.Address(**parts)
    made.add("org").value = [values.get("company", ""), values.get("unit", "")]
    if "tags" in values:
        made.add("categories").value = values["tags"]
    for theirs, ours in ONE_LINE.items():
        if ours in values:
            made.add(theirs.lower()).value = values[ours]
    text = made.serialize()
    assert read(text) == {"full_name": "x"} | {name: value for name, value in values.items() if name in COMPARED}
    assert str(parse(text)) == text
