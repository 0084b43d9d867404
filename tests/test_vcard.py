"""The vCard codec: what is read, what a change touches, and what it leaves byte for byte. Its laws are in test_vcard_laws."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.carddav.lines import parameters
from connectors.carddav.vcard import DEFAULT_PATHS, BadCard, BadValue, change, fields, new, parse, target

PATHS = {**DEFAULT_PATHS, "full_name": "FN", "account_number": "X-ACCOUNT", "unit": "ORG.unit", "work": "TEL[work]"}


def card(*lines: str, version: str = "3.0", newline: str = "\r\n") -> str:
    return newline.join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def read(text: str | bytes) -> dict[str, Any]:
    return {name: value for name, value in fields(parse(text), PATHS).items() if value is not None}


def changed(text: str, paths: dict[str, str] = PATHS, /, **values: object) -> str:
    return change(parse(text), values, paths)


def body(text: str) -> list[str]:
    """The lines between VERSION and END."""
    return text.removesuffix("\r\n").split("\r\n")[2:-1]


APPLE = card(
    *("PRODID:-//Apple Inc.//macOS 14//EN", "N:Lovelace;Ada;King;Dr.;PhD", "FN:Ada Lovelace", "ORG:Acme\\, Inc.;R\\;D"),
    *("TITLE:Engineer", "EMAIL;type=INTERNET;type=HOME:ada@home.example"),
    *("item1.EMAIL;type=INTERNET;type=pref:ada@acme.example", "item1.X-ABLabel:_$!<Other>!$_"),
    *("TEL;type=FAX:+441", "TEL;type=CELL;type=VOICE:+442", "TEL;type=WORK;type=VOICE;type=pref:+443"),
    *("ADR;type=HOME:;;1 Low St;Leeds;ENG;LS1;GB", "ADR;type=WORK:PO 7;Floor 2;9 High St\\nYard;York;ENG;YO1;GB"),
    *(
        "BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-10",
        "URL;type=WORK:https\\://a.example/x?a=1",
        "NOTE:two\\nlines\\, one \\\\",
    ),
    *("CATEGORIES:vip,a\\,b", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ", " SkZJRgABAQ==", "X-ACCOUNT:A-1", "UID:7"),
)


def test_a_card_is_read() -> None:
    assert read(APPLE) == {
        "email": "ada@acme.example", "other_emails": ["ada@home.example"], "full_name": "Ada Lovelace", "first_name": "Ada",
        "last_name": "Lovelace", "prefix": "Dr.", "job_title": "Engineer", "company": "Acme, Inc.", "unit": "R;D", "phone": "+443",
        "mobile": "+442", "work": "+443", "street": "9 High St\nYard", "city": "York", "region": "ENG", "postal_code": "YO1", "country": "GB",
        "birthday": "--12-10", "website": "https://a.example/x?a=1", "notes": "two\nlines, one \\", "tags": ["vip", "a,b"],
        "account_number": "A-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "version", "expected"),
    [
        (["EMAIL;PREF=9:a@x", "EMAIL;PREF=2:b@x"], "4.0", {"email": "b@x", "other_emails": ["a@x"]}),
        (["EMAIL:a@x", "EMAIL;TYPE=home,PREF:b@x"], "3.0", {"email": "b@x", "other_emails": ["a@x"]}),
        (["EMAIL:a@x", 'EMAIL;TYPE="home,pref":b@x'], "4.0", {"email": "b@x", "other_emails": ["a@x"]}),
        (["EMAIL;INTERNET:a@x", "EMAIL;PREF;INTERNET:b@x"], "2.1", {"email": "b@x", "other_emails": ["a@x"]}),
        (["EMAIL:", "EMAIL:b@x", "EMAIL:B@X"], "3.0", {"email": "b@x"}),
        (["TEL;WORK;VOICE:1", "TEL;CELL:2", "TEL;FAX:3"], "2.1", {"phone": "1", "mobile": "2", "work": "1"}),
        (["TEL;VALUE=uri;TYPE=cell:tel:+1-555;ext=7"], "4.0", {"mobile": "+1-555;ext=7"}),
        (["ADR;LABEL=\"1: a;b,c\":;;S;C;R;P;L"], "4.0", dict(zip(("street", "city", "region", "postal_code", "country"), "SCRPL", strict=True))),
        (["ADR:;;S,T;C"], "3.0", {"street": "S,T", "city": "C"}),
        (["ADR;TYPE=home:;;H", "ADR;TYPE=work:;;W"], "3.0", {"street": "W"}),
        (["ADR;TYPE=home,pref:;;H", "ADR;TYPE=work:;;W"], "3.0", {"street": "H"}),
        (["BDAY:1980-02-01"], "3.0", {"birthday": "1980-02-01"}),
        (["BDAY;VALUE=date:19800201"], "3.0", {"birthday": "1980-02-01"}),
        (["BDAY:--0201"], "4.0", {"birthday": "--02-01"}),
        (["BDAY:19800201T000000Z"], "4.0", {"birthday": "19800201T000000Z"}),
        (["BDAY:1980-02-01T00:00:00Z"], "3.0", {"birthday": "1980-02-01T00:00:00Z"}),
        (["BDAY;VALUE=text:circa 1800"], "4.0", {"birthday": "circa 1800"}),
        (["GENDER:F;grrrl", "LANG:fr", "TZ:Europe/Paris", "ROLE:CTO"], "4.0", {"gender": "F", "language": "fr", "timezone": "Europe/Paris", "role": "CTO"}),
        (["CATEGORIES:a,b", "item1.Categories:b,c"], "3.0", {"tags": ["a", "b", "c"]}),
        (["TITLE:", "NOTE:", "ADR:;;;;;;", "CATEGORIES:,", "ORG:;x"], "3.0", {"unit": "x"}),
        (["NO", " TE;LANGUAGE=e", "\tn:a", "  b"], "3.0", {"notes": "a b"}),
        (["NOTE:C:\\\\new\\x\\Nz\\"], "3.0", {"notes": "C:\\new\\x\nz\\"}),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:a=C3=A9=0D=0Ab=", "=3D=", "END"], "2.1", {"notes": "aé\nb=END"}),
        (["N;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:M=FCller;J=F6rg\\;X"], "2.1", {"last_name": "Müller", "first_name": "Jörg;X"}),
        (["TITLE;QUOTED-PRINTABLE:C:\\new"], "2.1", {"job_title": "C:\\new"}),
    ],
)  # fmt: skip
def test_the_forms_of_a_property(lines: list[str], version: str, expected: dict[str, object]) -> None:
    text = card(*lines, version=version)
    assert read(text) == expected
    assert str(parse(text)) == text
    assert changed(text, **expected) == text


def test_no_version_line_ends_of_unix_a_byte_order_mark_and_blank_lines_are_tolerated() -> None:
    text = "\ufeff\nbegin:vcard\nEMAIL:a@x\r\n\nTITLE:x\n y\nend:VCARD  \n\n"
    assert read(text) == {"email": "a@x", "job_title": "xy"}
    assert changed(text, email="b@x", job_title="z") == text.replace("a@x", "b@x").replace("x\n y", "z")
    assert "NOTE:n\nend" in changed(text, notes="n")
    assert "NOTE:n\r\nEND" in changed("BEGIN:VCARD\r\nTITLE:x\nEND:VCARD", notes="n")


def test_bytes_are_utf_8_even_where_a_fold_splits_a_character() -> None:
    assert read(card("NOTE:Zoë").encode()) == {"notes": "Zoë"}
    assert read(b"BEGIN:VCARD\r\nNOTE:Zo\xc3\r\n \xab!\r\nEND:VCARD") == {"notes": "Zoë!"}


def test_parameters_lose_quotes_and_carets() -> None:
    head = 'item1.ADR;TYPE="a,b";LABEL="x: ^n^^;^\'y^\'";PREF=1;HOME'
    assert [*parameters(head)] == [("TYPE", "a,b"), ("LABEL", 'x: \n^;"y"'), ("PREF", "1"), ("HOME", "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not a vCard"),
        ("Secret", "line 1: a property is expected"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "line 1: not a vCard"),
        ("BEGIN:VCARD\nN:Secret;;;;\n", "line 3: END:VCARD is missing"),
        ("BEGIN:VCARD\nN:Secret\nEND:VEVENT", "line 3: END:VCARD is expected"),
        ("BEGIN:VCARD\nN:a\n b\nSecret\nEND:VCARD", "line 4: a property is expected"),
        ("BEGIN:VCARD\nNOTE\nEND:VCARD", "line 2: a property is expected"),
        ('BEGIN:VCARD\nN;X="Secret:a\nEND:VCARD', "line 2: a property is expected"),
        ("BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nEND:VCARD\nEND:VCARD", "line 3: a second BEGIN"),
        ("BEGIN:VCARD\nEND:VCARD\nN:Secret", "line 3: END:VCARD is expected"),
        ("BEGIN:VCARD\nVERSION:Secret\nEND:VCARD", "line 2: VERSION is none of"),
        ("BEGIN:VCARD\nN:Sec\0ret\nEND:VCARD", "line 2: character U+0000"),
        ("BEGIN:VCARD\nN:Sec\udc80ret\nEND:VCARD", "line 2: character U+DC80"),
        (b"BEGIN:VCARD\nN:Secr\xe9t\nEND:VCARD", "line 2: not UTF-8"),
        ("BEGIN:VCARD\nN;QUOTED-PRINTABLE:=E9Secret\nEND:VCARD", "line 2: quoted-printable"),
        ("BEGIN:VCARD\nN;CHARSET=punycode;QUOTED-PRINTABLE:Secret\nEND:VCARD", "line 2: quoted-printable"),
    ],
)
def test_what_is_no_card_is_told_with_its_line_and_without_its_values(text: str | bytes, message: str) -> None:
    with pytest.raises(BadCard) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    assert "ecr" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [("N", "one of N.family"), ("ADR.town", "one of ADR.pobox"), ("TITLE.x", "no parts"), ("END", "no field"),
     ("ADR[rest].city", "no list"), ("CATEGORIES[x]", "list of its own"), ("e mail", "a path is NAME")],
)  # fmt: skip
def test_a_wrong_path_says_what_is_right(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        target(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("notes", "se\x00cret", "notes: character U+0000"), ("notes", "se\ud800", "notes: character U+D800"),
     ("notes", ["secret"], "notes: several values"), ("tags", [["secret"]], "tags: several values"),
     ("nothing", "secret", "nothing: no path"), ("uid", "secret", "uid: UID names the card")],
)  # fmt: skip
def test_what_a_card_cannot_hold_is_told_without_its_value(field: str, value: object, message: str) -> None:
    with pytest.raises(BadValue, match=re.escape(message)) as caught:
        change(parse(APPLE), {field: value}, {**PATHS, "uid": "UID"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "old", "now"),
    [
        ({"job_title": "CTO, R;D\\"}, "TITLE:Engineer", "TITLE:CTO\\, R\\;D\\\\"),
        ({"email": "new@x"}, "pref:ada@acme.example", "pref:new@x"),
        ({"email": "ADA@acme.example"}, "pref:ada@acme.example", "pref:ADA@acme.example"),
        ({"other_emails": ["b@x"]}, "HOME:ada@home.example", "HOME:b@x"),
        ({"other_emails": None}, "EMAIL;type=INTERNET;type=HOME:ada@home.example\r\n", ""),
        ({"other_emails": ["Ada@Acme.example"]}, "EMAIL;type=INTERNET;type=HOME:ada@home.example\r\n", ""),
        ({"other_emails": ["c@x", "ada@home.example"]}, "END:", "EMAIL;TYPE=INTERNET:c@x\r\nEND:"),
        ({"company": None}, "ORG:Acme\\, Inc.;", "ORG:;"),
        ({"company": None, "unit": ""}, "ORG:Acme\\, Inc.;R\\;D\r\n", ""),
        ({"city": "Hull", "country": None}, "Yard;York;ENG;YO1;GB", "Yard;Hull;ENG;YO1;"),
        ({"prefix": None}, ";Dr.;PhD", ";;PhD"),
        ({"phone": "+449"}, "pref:+443", "pref:+449"),
        ({"mobile": None}, "TEL;type=CELL;type=VOICE:+442\r\n", ""),
        ({"birthday": "1815-12-10"}, "BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-10", "BDAY:1815-12-10"),
        ({"tags": ["a,b", "new"]}, "vip,a\\,b", "a\\,b,new"),
        ({"tags": []}, "CATEGORIES:vip,a\\,b\r\n", ""),
        ({"website": "https://b.example/?q=1;2,3"}, "https\\://a.example/x?a=1", "https://b.example/?q=1\\;2\\,3"),
        ({"notes": "é" * 40}, "NOTE:two\\nlines\\, one \\\\", f"NOTE:{'é' * 35}\r\n {'é' * 5}"),
        ({"gender": "F"}, "END:", "GENDER:F\r\nEND:"),
        ({"account_number": 12}, "X-ACCOUNT:A-1", "X-ACCOUNT:12"),
        ({"first_name": "Eve"}, "Lovelace;Ada;King;Dr.;PhD\r\nFN:Ada", "Lovelace;Eve;King;Dr.;PhD\r\nFN:Eve"),
        ({"full_name": None}, "FN:Ada Lovelace\r\n", ""),
    ],
)  # fmt: skip
def test_a_change_touches_its_line_only(values: dict[str, object], old: str, now: str) -> None:
    expected = APPLE.replace(old, now)
    if "full_name" in values:  # FN is required: composed again
        expected = expected.replace("END:", "FN:Ada Lovelace\r\nEND:")
    assert expected != APPLE
    assert changed(APPLE, **values) == expected


def test_another_address_of_the_card_becomes_the_preferred_one_and_none_is_lost() -> None:
    for version, lines, expected in [
        ("3.0", ["EMAIL;TYPE=WORK,pref:a@x", "EMAIL;TYPE=HOME:b@x"], ["EMAIL;TYPE=WORK:a@x", "EMAIL;TYPE=HOME;TYPE=pref:b@x"]),
        ("3.0", ["EMAIL:a@x", "i.EMAIL:b@x"], ["EMAIL:a@x", "i.EMAIL;TYPE=pref:b@x"]),
        ("2.1", ["EMAIL;PREF;HOME:a@x", "EMAIL:b@x"], ["EMAIL;HOME:a@x", "EMAIL;PREF:b@x"]),
        ("4.0", ["EMAIL;PREF=1:a@x", "EMAIL;PREF=3:b@x"], ["EMAIL:a@x", "EMAIL;PREF=1:b@x"]),
        ("4.0", ['EMAIL;TYPE="pref,home":a@x', "EMAIL:b@x"], ['EMAIL;TYPE="home":a@x', "EMAIL;PREF=1:b@x"]),
    ]:  # fmt: skip
        text = changed(card(*lines, version=version), email="b@x")
        assert body(text) == expected
        assert read(text) == {"email": "b@x", "other_emails": ["a@x"]}
    text = changed(card("EMAIL:a@x", "EMAIL:b@x"), email="b@x", other_emails=["c@x"])
    assert body(text) == ["EMAIL:c@x", "EMAIL;TYPE=pref:b@x"]
    assert read(changed(card("TEL:1", "TEL;TYPE=WORK:2"), phone="2")) == {"phone": "2", "work": "2"}


def test_where_one_is_removed_the_next_of_its_kind_is_read() -> None:
    text = changed(APPLE, email=None)
    assert read(text)["email"] == "ada@home.example"
    assert "other_emails" not in read(text)


def test_parameters_that_describe_the_old_value_go_and_the_others_stay() -> None:
    for version, line, values, expected in [
        ("4.0", "TEL;VALUE=uri;TYPE=cell:tel:+1", {"mobile": "+2-3"}, "TEL;VALUE=uri;TYPE=cell:tel:+2-3"),
        ("4.0", "TEL;VALUE=uri;TYPE=cell:tel:+1", {"mobile": "+2 3"}, "TEL;TYPE=cell:+2 3"),
        ("4.0", 'ADR;LABEL="1;a";PREF=1:;;S;C;;;', {"city": "D"}, "ADR;PREF=1:;;S;D;;;"),
        ("4.0", "BDAY;VALUE=text:circa 1800", {"birthday": "1801-02-03"}, "BDAY:18010203"),
        ("4.0", "BDAY:18010203", {"birthday": "spring"}, "BDAY;VALUE=text:spring"),
        ("4.0", "BDAY:18010203", {"birthday": "--02-03"}, "BDAY:--0203"),
        ("3.0", "BDAY;VALUE=date:18010203", {"birthday": "1801-02-04"}, "BDAY;VALUE=date:1801-02-04"),
        ("3.0", "TZ:-05:00", {"timezone": "Europe/Paris"}, "TZ;VALUE=text:Europe/Paris"),
        ("3.0", "NOTE;CHARSET=latin1;LANGUAGE=de;QUOTED-PRINTABLE:=FC", {"notes": "x"}, "NOTE;LANGUAGE=de:x"),
        ("2.1", "TITLE;LANGUAGE=de:x", {"job_title": "ä;\n"}, "TITLE;LANGUAGE=de;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=A4\\;=0D=0A"),
    ]:  # fmt: skip
        assert body(changed(card(line, version=version), **values)) == [expected]


@pytest.mark.parametrize(
    ("lines", "values", "full_name"),
    [
        (["N:B;A;;;", "FN:A B"], {"last_name": "C"}, "A C"),
        (["N:B;A;;Dr.;", "FN:Dr. A B"], {"last_name": "C"}, "Dr. A C"),
        (["N:B;A;M;Dr.;PhD", "FN:Dr. A  M B PhD"], {"first_name": "Z"}, "Dr. Z M B PhD"),
        (["N:B;A;;;", "FN:B, A"], {"first_name": "C"}, "B, C"),
        (["N:B;A;;;", "FN:B A"], {"first_name": "C"}, "B C"),
        (["N:B;A;;;", "FN:Nick"], {"first_name": "C"}, "Nick"),
        (["N:B;A;;;", "FN:A  B"], {"email": "c@x"}, "A  B"),
        (["N:B;A;;;", "FN:"], {"first_name": "C"}, "C B"),
        (["N:B;A;;;", "ORG:O", "FN:A B"], {"first_name": None, "last_name": None}, "O"),
        (["N:;;;;", "ORG:O", "FN:O"], {"company": "P"}, "P"),
        (["N:;;;;", "ORG:O", "FN:O"], {"first_name": "A"}, "A"),
        (["N:B;A;;;", "FN:A B"], {"first_name": None, "last_name": None}, "A B"),
        (["N:B;A;;;", "FN:A B"], {"first_name": "C", "full_name": "D"}, "D"),
    ],
)  # fmt: skip
def test_the_full_name_follows_what_it_was_composed_of(lines: list[str], values: dict[str, object], full_name: str) -> None:  # fmt: skip
    assert read(changed(card(*lines), **values))["full_name"] == full_name


@pytest.mark.parametrize(
    ("values", "full_name"),
    [
        ({"first_name": "A", "last_name": "B", "company": "O"}, "A B"), ({"first_name": "A", "full_name": "X"}, "X"),
        ({"company": "O", "email": "a@x"}, "O"), ({"email": "a@x", "mobile": "1"}, "a@x"), ({"mobile": "1"}, "1"),
        ({"prefix": "Dr."}, "Dr."),
    ],
)  # fmt: skip
def test_a_new_card_has_a_full_name(values: dict[str, object], full_name: str) -> None:
    assert read(new("u", values, DEFAULT_PATHS))["full_name"] == full_name


def test_a_new_card_is_complete() -> None:
    text = new("u-1", {"first_name": "Ada", "email": "a@x", "mobile": "1", "tags": {"b", "a"}, "notes": None}, PATHS)
    lines = ["UID:u-1", "FN:Ada", "N:;Ada;;;", "EMAIL;TYPE=INTERNET:a@x", "TEL;TYPE=CELL:1", "CATEGORIES:a,b"]
    assert text == card(*lines)
    assert "VERSION:4.0\r\nUID:u\r\nFN:\r\nN:;;;;\r\nEND" in new("u", {}, PATHS, version="4.0")
