"""CardDAV: what every answer to a write means, what the operator set, and servers that mean harm."""

from __future__ import annotations

import itertools
import sys

import pytest

from syncd.errors import ConfigError, SyncdError, TransientError
from syncd.model import Applied, FieldMap, Rejected, Unknown, Write
from tests.davbook import ADA, FOLDER, book, closing, everything, one, tag, update, vcard
from tests.radicale import PASSWORD
from tests.tinydav import BOOK, multistatus, row, tiny_dav
from tests.wire import Cut, reply, wire

_leave_nothing_open = pytest.fixture(autouse=True)(closing)


# Writes and their answers -------------------------------------------------------------------------------------------


def test_a_lost_answer_to_a_put_is_unknown_and_the_card_is_there() -> None:
    with tiny_dav() as dav:
        app = book(dav.url)
        dav.after = lambda asked, answer: Cut() if asked.method == "PUT" else None
        write = Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "Ada"})
        assert isinstance(one(app, write), Unknown)
        assert len(dav.asked) == 1, "not sent again by itself"
        dav.after = lambda asked, answer: None
        again = one(app, write)
        assert (again.why, again.existing) == ("exists", write.id)
        assert app.get([write.id])[write.id].fields["first_name"] == "Ada"
        record = app.get([write.id])[write.id]
        dav.after = lambda asked, answer: Cut() if asked.method == "PUT" else None
        assert isinstance(one(app, update(record, first_name="Augusta")), Unknown)
        dav.after = lambda asked, answer: None
        assert one(app, update(record, first_name="Augusta")).why == "moved"


EXPECTED = {
    400: ("invalid", "invalid"),
    401: ("busy", "busy"),
    403: ("readonly", "readonly"),
    404: ("gone", "busy"),
    405: ("readonly", "readonly"),
    409: ("invalid", "exists"),
    410: ("gone", "busy"),
    412: ("moved", "exists"),
    413: ("invalid", "invalid"),
    415: ("invalid", "invalid"),
    422: ("invalid", "invalid"),
    423: ("busy", "busy"),
    429: ("busy", "busy"),
    507: ("busy", "busy"),
    **dict.fromkeys((202, 203, 207, 300, 301, 302, 307, 308, 402, 406, 418, 424, 500, 501, 502, 503, 504), ("", "")),
}


@pytest.mark.parametrize("status", EXPECTED)
def test_every_answer_to_a_put_has_a_meaning(status: int) -> None:
    answer = reply(status, retry_after="301")
    with tiny_dav() as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        dav.before = lambda asked: answer if asked.method == "PUT" else None
        changed = one(app, update(record, first_name="Augusta"))
        made = one(app, Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "Ada"}))
        expected = EXPECTED[status]
        for result, why in zip((changed, made), expected, strict=True):
            assert isinstance(result, Rejected if why else Unknown)
            assert str(status) in result.message
            assert getattr(result, "why", "") == why


def test_a_page_instead_of_an_answer_is_unknown() -> None:
    page = reply(200, "<html>log in", content_type="text/html; charset=utf-8")
    with tiny_dav(before=lambda _: page) as dav:
        app = book(dav.url)
        assert isinstance(one(app, Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "A"})), Unknown)
        for ask in (app.check, lambda: list(app.read(None)), lambda: app.get([f"{BOOK}a.vcf"])):
            with pytest.raises(TransientError, match="login page"):
                ask()


@pytest.mark.parametrize("etags", ["weak", "silent"])
def test_without_a_strong_etag_the_hub_asks_what_is_there(etags: str) -> None:
    with tiny_dav(etags=etags) as dav:
        app = book(dav.url)
        id_ = app.new_id("1" * 16)
        assert one(app, Write(kind="create", id=id_, fields={"first_name": "Ada"})) == Applied(record=None)
        record = app.get([id_])[id_]
        assert one(app, update(record, first_name="Augusta")) == Applied(record=None)
        assert app.get([id_])[id_].fields["first_name"] == "Augusta"


def test_a_card_without_an_etag_is_never_overwritten() -> None:
    with tiny_dav(etags="none") as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        assert one(app, update(record, first_name="Augusta")).why == "readonly"
        assert dav.cards[record.id] == ADA


def test_an_edit_between_look_and_write_is_never_overwritten() -> None:
    with tiny_dav() as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        theirs = dav.cards[dav.put("ada.vcf", ADA.replace("A-1", "A-2"))]
        assert one(app, update(record, first_name="Augusta")).why == "moved"
        assert one(book(dav.url), update(record, first_name="Augusta")).why == "moved"
        assert dav.cards[record.id] == theirs
        dav.put("ada.vcf", None)
        assert one(book(dav.url), update(record, first_name="Augusta")).why == "gone"
        assert one(app, update(record, first_name="Augusta")).why in {"gone", "moved"}
        assert dav.cards == {}


def test_what_stops_one_write_stops_those_behind_it() -> None:
    with tiny_dav(before=lambda _: reply(503, retry_after="301")) as dav:
        app = book(dav.url)
        writes = [Write(kind="create", id=app.new_id(f"{n:016}"), fields={"first_name": "A"}) for n in range(5)]
        first, *others = app.write(writes)
        assert isinstance(first, Unknown), "a proxy says 503 after the server is done, too"
        assert [result.why for result in others] == ["busy"] * 4
        assert len(dav.asked) == 1
    numbers = itertools.count()
    with tiny_dav(before=lambda _: Cut() if next(numbers) < 3 else None) as dav:
        app = book(dav.url)
        results = app.write(writes)
        assert [type(result) for result in results] == [Unknown] * 3 + [Rejected] * 2
        assert len(dav.asked) == 3


def test_a_field_that_is_only_read_or_unknown_is_not_written() -> None:
    with tiny_dav() as dav:
        app = book(dav.url, fields={"notes": FieldMap(path="NOTE", direction="in")})
        for name, why in (("notes", "readonly"), ("shoe_size", "invalid")):
            result = one(app, Write(kind="create", id=app.new_id("1" * 16), fields={name: "x"}))
            assert (result.why, result.field) == (why, name)
        result = one(app, Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "a\x00b"}))
        assert (result.why, result.field) == ("invalid", "first_name")
        assert one(app, Write(kind="archive", id=f"{BOOK}a.vcf", fields={})).why == "readonly"
        for id_ in ("", "nobody", "/other/x.vcf", f"{BOOK}sub/x.vcf", f"{BOOK}../x.vcf", BOOK, f"{BOOK}\ud800"):
            assert one(app, Write(kind="create", id=id_, fields={"first_name": "x"})).why == "invalid"
            assert one(app, Write(kind="update", id=id_, fields={"first_name": "x"})).why == "gone"
            assert app.get([id_]) == {}
        assert dav.asked == []


# Settings -----------------------------------------------------------------------------------------------------------


def test_a_path_of_the_operators_own() -> None:
    with tiny_dav() as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url, fields={"account_number": FieldMap(path="X-ACCOUNT"), "phone": FieldMap(path="tel[cell]")})
        [record] = everything(app)[0].values()
        assert (record.fields["account_number"], record.fields["phone"]) == ("A-1", "+44 1")
        assert "mobile" not in record.fields, "two fields in one place"
        assert isinstance(one(app, update(record, account_number="A-2")), Applied)
        assert "X-ACCOUNT:A-2\r\n" in dav.cards[record.id]


def test_a_path_that_is_none_is_a_mistake() -> None:
    fields = {"a": FieldMap(path="ADR.planet"), "b": FieldMap(path="no path"), "c": FieldMap(path="NOTE")}
    with pytest.raises(ConfigError) as caught:
        book("http://127.0.0.1/x/", fields=fields)
    assert "field a" in str(caught.value)
    assert "field b" in str(caught.value)
    assert "field c" not in str(caught.value)


def test_opening_sends_nothing_and_the_fingerprint_has_no_secret() -> None:
    with wire([]) as server:
        app = book(f"{server.url}dav/ada/book", secrets={"username": "ada", "password": "hunter2"})
        assert app.fingerprint() == f"carddav:http://127.0.0.1:{server.port}/dav/ada/book/"
        assert server.connections == 0


def test_plain_http_over_a_network_is_warned_of() -> None:
    with tiny_dav() as dav:
        assert dav.server is not None
        url = dav.url.replace("127.0.0.1", "127.0.0.2")
        assert book(dav.url).check() == []
        with pytest.raises(SyncdError):  # nobody listens there; what counts is the address
            book(url).check()


def test_other_paths_than_the_url_are_a_mistake() -> None:
    rows = (row("/principals/ada/default/x.vcf", tag()), "<D:sync-token>1</D:sync-token>")
    with (
        tiny_dav(before=lambda _: multistatus(*rows)) as dav,
        pytest.raises(ConfigError, match="/principals/ada/default/"),
    ):
        list(book(dav.url).read(None))


@pytest.mark.parametrize("rights", [("read",), ("read", "write-content"), ("all",), ()])
def test_a_book_that_may_only_be_read_is_told(rights: tuple[str, ...]) -> None:
    granted = "".join(f"<D:privilege><D:{right}/></D:privilege>" for right in rights)
    kind = "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
    props = f"{kind}<D:current-user-privilege-set>{granted}</D:current-user-privilege-set>"
    with tiny_dav(before=lambda _: multistatus(row(BOOK, props))) as dav:
        assert bool(book(dav.url).check()) == (rights == ("read",))


# Hostile servers ----------------------------------------------------------------------------------------------------

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8))
    + "]><D:multistatus xmlns:D='DAV:'>&i;</D:multistatus>"
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        b"\xef\xbb\xbf" + BOMB.encode(),
        BOMB.encode("utf-16"),
        ("<!-- x -->\n<?pi?>" + BOMB.partition("?>")[2]).encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        BOMB.replace('version="1.0"', 'version="1.0" encoding="utf-7"').encode(),
        b"<D:multistatus xmlns:D='DAV:'>",
        b"<html/>",
        b"",
        b"{}",
        b"<a>" * 3_000_000,
        b"\x00<a/>",
        b'<?xml version="1.0" encoding="cp037"?><a/>',
    ],
    ids=range(13),
)
def test_an_answer_that_is_dangerous_or_none_is_refused(body: bytes) -> None:
    with tiny_dav(before=lambda _: reply(207, body, content_type="text/xml")) as dav:
        app = book(dav.url)
        for ask in (app.check, lambda: list(app.read(None)), lambda: list(app.read("sync:1"))):
            with pytest.raises(TransientError):
                ask()


def test_what_looks_like_an_entity_in_a_card_is_text() -> None:
    with tiny_dav() as dav:
        dav.put("a.vcf", vcard("FN:A", 'NOTE:<!DOCTYPE x [<!ENTITY a "b">]>&a;'))
        [record] = everything(book(dav.url))[0].values()
        assert record.fields["notes"] == '<!DOCTYPE x [<!ENTITY a "b">]>&a;'


def test_the_password_is_in_no_message() -> None:
    """Whatever goes wrong: no reaction tells the secret, what was sent, or what came back."""
    answers = [
        reply(status, f"{PASSWORD} private", location=f"https://x/?{PASSWORD}")
        for status in (301, 307, 401, 403, 404, 418, 500)
    ]
    for answer in [*answers, Cut(), Cut(b"HTTP/1.1 207 X\r\nContent-Length: 9\r\n\r\n"), reply(207, PASSWORD)]:
        with tiny_dav(before=lambda _, answer=answer: answer) as dav:
            app = book(dav.url)
            assert PASSWORD not in repr(app)
            with pytest.raises(SyncdError) as caught:
                list(app.read("sync:1"))
            assert PASSWORD not in f"{caught.value} {caught.value.detail}"
            for result in app.write([Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "Zaphod"})]):
                assert not {PASSWORD, "Zaphod", "private"} & {*result.message.split()}


def test_the_memory_of_texts_is_bounded() -> None:
    texts = sys.modules[f"{FOLDER}.texts"].Texts()
    for number in range(5000):
        texts.put(str(number), "e", "x")
    assert (texts.get("4999", "e"), texts.get("0", "e"), texts.get("4999", "f")) == ("x", None, None)
    for number in range(100):
        texts.put(str(number), "e", "x" * 1_000_000)
    assert sum(texts.get(str(number), "e") is not None for number in range(100)) == 16
    texts.put("large", "e", "x" * 10_000_000)
    assert texts.get("large", "e") is None
