"""What is special about files: bytes that stay, rows that cannot be read, spreadsheets that run formulas, crashes."""

from __future__ import annotations

import csv
import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import AccessError, ConfigError, TransientError
from syncd.model import Applied, FieldMap, Rejected
from tests.sheets import CELLS, SHEET, create, listed, opened, people, update

UNTIDY = (
    b'\xef\xbb\xbfid,"email ",first_name,Salutation,notes\r\n'
    b'1,"ada@example.org",Ada,"Ms ""A""","one\r\ntwo"\r\n'
    b"\r\n"
    b"2,  grace@example.org,Grace,,\n"
    b'3,linus@example.org,"Linus", Mr ,plain "inside" quotes\r\n'
    b",,,,\r\n"
    b'"4","x@example.org","X","","last line without an end"'
)


def test_what_is_not_named_stays_byte_for_byte(tmp_path: Path) -> None:
    path = people(tmp_path, UNTIDY)
    app = opened(path, {"email": FieldMap(path="email ")})
    assert {id_: record.problem for id_, record in listed(app).items()} == dict.fromkeys("1234"), "blank rows are none"
    [result] = app.write([update("3", first_name="Linus, the first")])
    assert isinstance(result, Applied)
    assert path.read_bytes() == UNTIDY.replace(b'"Linus"', b'"Linus, the first"')
    app.write([update("1", notes="three"), update("4", first_name="Y")])
    expected = UNTIDY.replace(b'"Linus"', b'"Linus, the first"').replace(b'"one\r\ntwo"', b'"three"')
    assert path.read_bytes() == expected.replace(b'"X"', b'"Y"')


def test_a_new_row_is_written_as_the_file_is(tmp_path: Path) -> None:
    path = people(tmp_path, b'"id";"email";"Kd-Nr"\r\n"1";"ada@example.org";"7"')
    app = opened(path, delimiter=";")
    app.write([create("2", email="grace@example.org"), create("3", email="a;b")])
    assert path.read_bytes() == (
        b'"id";"email";"Kd-Nr"\r\n"1";"ada@example.org";"7"\r\n"2";"grace@example.org";""\r\n"3";"a;b";""'
    )
    path = people(tmp_path, b"email,id\n")
    opened(path).write([create("2"), create("3", email="linus@example.org")])
    assert path.read_bytes() == b"email,id\n,2\nlinus@example.org,3\n"


def test_a_batch_writes_one_row_twice_in_order(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email,phone\n1,ada@example.org,\n")
    app = opened(path)
    writes = [create("2", email="b"), update("2", phone="+1"), update("1", email="c"), update("1", phone="+2")]
    assert all(isinstance(result, Applied) for result in app.write(writes))
    assert path.read_text() == "id,email,phone\n1,c,+2\n2,b,+1\n"


def test_a_row_that_cannot_be_read_costs_no_other_and_keeps_its_bytes(tmp_path: Path) -> None:
    bad = (
        b"1,ada@example.org,too,many,cells,here\n"  # ragged
        b"2,few\n"
        b"3,nul\0,x\n"
        b"4,M\xfcller,x\n"  # Latin-1
        b"5,twice,x\n"
        b"5,twice again,x\n"
        b",no key,x\n"
        b'6,"stray" quote,x\n'
    )
    data = b"id,email,first_name\n" + bad + b"7,grace@example.org,Grace\n"
    path = people(tmp_path, data)
    app = opened(path)
    found = listed(app)
    assert {id_ for id_, record in found.items() if record.problem} == {*"123456", "line:8"}
    assert found["7"].fields == {"email": "grace@example.org", "first_name": "Grace"}
    assert all("line" in (record.problem or "line") for record in found.values())
    assert not any("Müller" in str(record) or "twice" in str(record.fields) for record in found.values())
    assert app.get([*found, "8"]) == {**found, **app.get(["5"])}, "a broken row is no proof that it is gone"
    results = app.write([update(id_, first_name="X") for id_ in "1234567"])
    assert [isinstance(result, Applied) for result in results] == [False] * 6 + [True]
    assert {result.why for result in results if isinstance(result, Rejected)} == {"moved"}
    assert path.read_bytes() == data.replace(b"Grace", b"X")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_quote_that_is_not_closed_takes_nothing_with_it(tmp_path: Path, newline: bytes) -> None:
    data = newline.join(
        [b"id,email,first_name", b'1,"ada,Ada', b"2,grace@example.org,Grace", b"3,l@example.org,L", b""]
    )
    path = people(tmp_path, data)
    app = opened(path)
    found = listed(app)
    assert [id_ for id_, record in found.items() if record.problem] == ["1"]
    assert found["2"].fields["first_name"] == "Grace"
    [changed, made] = app.write([update("2", first_name="G"), create("4", email="new@example.org")])
    assert isinstance(changed, Applied)
    assert isinstance(made, Rejected), "a row behind an open quote may be swallowed by other programs"
    assert (made.why, "line 2" in made.message) == ("busy", True)
    assert path.read_bytes() == data.replace(b"Grace", b"G")


def test_a_row_whose_key_cannot_be_read_may_be_anybody(tmp_path: Path) -> None:
    path = people(tmp_path, b"email,id\nada@example.org,1\nM\xfcller\xff,\xff\nx,1,2\n")
    app = opened(path)
    assert {id_ for id_, record in listed(app).items() if record.problem} == {"line:3", "line:4"}
    assert app.get(["1", "2"])["2"].problem is not None
    [result] = app.write([update("2", email="x")])
    assert isinstance(result, Rejected)
    assert result.why == "busy"


def test_a_huge_cell_is_one_broken_row(tmp_path: Path) -> None:
    huge = b"x" * 10_000_001
    data = b"id,email,photo\n1,ada@example.org," + huge + b'\n2,g,"' + huge + b'"\n3,l,' + b"y" * 300_000 + b"\n"
    path = people(tmp_path, data)
    app = opened(path)
    found = listed(app)
    assert {id_ for id_, record in found.items() if record.problem} == {"1", "2"}
    assert found["3"].fields["email"] == "l"
    app.write([update("3", email="linus@example.org")])
    assert path.read_bytes() == data.replace(b"3,l,", b"3,linus@example.org,")


def test_a_line_of_any_length_is_passed_over(tmp_path: Path) -> None:
    line = b"1," + b"z" * (SHEET.RECORD_BYTES_MAX + 5)
    data = b"id,email\n" + line + b'\n2,"open\n' + line + b"\n3,linus@example.org\n"
    app = opened(people(tmp_path, data))
    found = listed(app)
    assert found["3"].fields["email"] == "linus@example.org"
    assert {id_ for id_, record in found.items() if record.problem} == {"1", "2"}
    app.write([update("3", email="x")])
    assert (tmp_path / "people.csv").read_bytes() == data.replace(b"linus@example.org", b"x")


def test_a_file_without_a_byte_is_out_of_reach(tmp_path: Path) -> None:
    """Somebody is writing it, or a disk was full: no fault of the configuration."""
    with pytest.raises(TransientError, match="is empty"):
        opened(people(tmp_path, ""))


def test_files_that_hold_nobody(tmp_path: Path) -> None:
    app = opened(people(tmp_path, "id,email"))
    [page] = app.read(None)
    assert (page.records, page.complete) == ([], True)
    app.write([create("1", email="ada@example.org")])
    assert (tmp_path / "people.csv").read_text() == "id,email\n1,ada@example.org"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("\n\n", "no header"),
        ("number,email\n1,a\n", "no column is named 'id'"),
        ("ID,email\n1,a\n", "did you mean 'ID'"),
        ("id;email\n1;a\n", "delimiter"),
        ("id,email,email\n1,a,b\n", "two columns are named email"),
        ("id,em\0ail\n1,a\n", "NUL"),
        ("id,email\r1,a\r2,b\r", "header cannot be read"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_so(tmp_path: Path, data: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(people(tmp_path, data))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"encoding": "utf-16"}, "not built on ASCII"),
        ({"encoding": "klingon"}, "Python does not know"),
        ({"delimiter": ",,"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(people(tmp_path, "id,email\n"), **settings)


def test_places_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="never created"):
        opened(tmp_path / "missing.csv")
    with pytest.raises(ConfigError, match="not a file"):
        opened(tmp_path)
    with pytest.raises(ConfigError, match="correct `path`"):
        opened(people(tmp_path, "id\n") / "people.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a file"):
        opened(tmp_path / "pipe")
    if os.geteuid():
        (tmp_path / "people.csv").chmod(0)
        with pytest.raises(AccessError, match="permission"):
            opened(tmp_path / "people.csv")


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email,x\n1,ada@example.org,a\n")
    app = opened(path)
    [page] = app.read(None)
    [same] = app.read(page.cursor)
    assert (same.records, same.complete, same.cursor) == ([], False, page.cursor)
    os.utime(path, (1, 1))
    assert not next(app.read(page.cursor)).complete, "what counts is the content"
    before = path.stat()
    path.write_text("id,email,x\n1,eda@example.org,a\n")  # same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    [changed] = app.read(page.cursor)
    assert changed.complete
    assert changed.records[0].version != page.records[0].version
    more = opened(path, {"phone": FieldMap(path="x")})
    assert next(more.read(changed.cursor)).complete, "another field is another reading"


def test_a_foreign_column_is_no_change_of_a_record(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email,x\n1,ada@example.org,a\n")
    before = listed(opened(path))
    path.write_text('x,"id",email\nb,"1","ada@example.org"\n')
    assert listed(opened(path)) == before


def test_columns_map_by_their_names(tmp_path: Path) -> None:
    header = "id,E-Mail,First Name,PHONE,phone,Telefon,notes"
    app = opened(
        people(tmp_path, f"{header}\n1,a,b,c,d,e,f\n"),
        {
            "email": FieldMap(path="E-Mail"),
            "company": FieldMap(path="Telefom"),
            "notes": FieldMap(path="notes", direction="none"),
        },
    )
    assert listed(app)["1"].fields == {"email": "a", "first_name": "b", "phone": "d"}
    [finding] = app.check()
    assert finding.field == "company"
    assert "Telefon" in finding.message
    [result] = app.write([update("1", company="x")])
    assert isinstance(result, Rejected)
    assert (result.why, result.field) == ("invalid", "company")


def test_a_key_that_is_a_field_is_not_drawn(tmp_path: Path) -> None:
    path = people(tmp_path, "email,phone\nada@example.org,1\n")
    app = opened(path, key="email")
    assert (app.spec.rung, app.spec.unique, app.new_id("f" * 16)) == ("D", ("email",), "")
    results = app.write([create("", email="ada@example.org"), create("", email="g@example.org"), create("", phone="2")])
    assert isinstance(results[0], Rejected)
    assert (results[0].why, results[0].existing) == ("exists", "ada@example.org")
    assert isinstance(results[1], Applied)
    assert isinstance(results[2], Rejected)
    assert (results[2].why, results[2].field) == ("invalid", "email")
    [result] = app.write([update("g@example.org", email="h@example.org")])
    assert isinstance(result, Rejected)
    assert result.why == "readonly"


def test_links_and_modes_stay(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email\n1,a\n")
    path.chmod(0o640)
    (tmp_path / "link.csv").symlink_to("people.csv")
    app = opened(tmp_path / "link.csv")
    (tmp_path / ".people.csv.syncd-new").write_text("left by a crash")
    assert isinstance(app.write([update("1", email="b")])[0], Applied)
    assert (tmp_path / "link.csv").is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text() == "id,email\n1,b\n"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.csv", "people.csv"]
    assert app.fingerprint() == opened(path).fingerprint()


NUMBERS = ["+49 (30) 123 456", "+49(30)123456", "-1", "+1", "-12.50", "+49.30.123", "+1 (2 3) 4"]
FORMULAS = ["=1+1", "@x", "-x", "+x", "\tx", "-", "+", "=", "-1+cmd|' /C calc'!A0", "+1=2", "'=1", "''@x", "+٣"]
FORMULAS += [
    "-1-1",
    "+1(2)-3",
    "+49 (30) 123-456",
    "+1 [2] 3",
    "-(1)",
    "+ 1",
    "+1+1",
    "+1/2",
    "+1*2",
    "+1()",
    "+1(",
    "+1)",
    "+1,2",
]


@pytest.mark.parametrize("text", [*NUMBERS, *FORMULAS, "plain", "'", "'plain", " =1"])
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    cell = CELLS.guarded(text)
    assert CELLS.shown(cell) == text
    assert (cell[:1] == "'") == (text in FORMULAS or text[:1] == "'")


@given(st.text(st.sampled_from("'=+-@\t 1a"), min_size=1) | st.text(min_size=1))
def test_what_is_guarded_is_shown_as_it_was(text: str) -> None:
    assert CELLS.shown(CELLS.guarded(text)) == text


cells = st.text(st.sampled_from("ab,;\"'\r\n =é\u2028"), max_size=6)
rows = st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(rows, st.sampled_from([",", ";"]), st.sampled_from(["\n", "\r\n"]), st.booleans(), cells, st.data())
def test_any_file_of_any_program_keeps_what_nobody_named(
    tmp_path_factory: pytest.TempPathFactory,
    cells: Any,
    delimiter: str,
    newline: str,
    quotes: bool,
    new: str,
    data: Any,
) -> None:
    text = io.StringIO(newline="")
    if not quotes:
        newline = "\r\n"  # else Python's own writer leaves a lone carriage return without quotes
    writer = csv.writer(
        text, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL
    )
    writer.writerow(["x", "id", "notes", "y"])
    writer.writerows([row[0], f"k{number}", *row[2:]] for number, row in enumerate(cells))
    whole = text.getvalue().encode()
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(whole if data.draw(st.booleans()) else whole.removesuffix(newline.encode()))
    app = opened(path, delimiter=delimiter)
    found = listed(app)
    assert not any(record.problem for record in found.values())
    chosen = data.draw(st.sampled_from(sorted(found)))
    [result] = app.write([update(chosen, notes=new or None)])
    assert isinstance(result, Applied)
    assert result.record == app.get([chosen])[chosen]
    assert result.record.fields["notes"] == (new or None)
    after = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), delimiter=delimiter))
    for number, (row, now) in enumerate(zip(cells, after[1:], strict=True)):
        assert (now[0], now[3]) == (row[0], row[3])
        assert f"k{number}" == chosen or now[2] == row[2]
