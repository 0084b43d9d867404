"""CardDAV: against Radicale for what a real server does, against a tiny one for what is read and how cursors go on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import pytest

from syncd.errors import AccessError, ConfigError, TransientError
from syncd.model import Applied, FieldMap, Page, Rejected, Write
from tests.davbook import ADA, book, closing, everything, one, tag, update, vcard
from tests.radicale import USER, Server
from tests.tinydav import BOOK, multistatus, row, tiny_dav
from tests.wire import Answer, Asked, reply

_leave_nothing_open = pytest.fixture(autouse=True)(closing)


# A real server ------------------------------------------------------------------------------------------------------


def test_a_life_on_radicale(address_book: str, radicale_server: Server) -> None:
    """Given an empty book, people and syncd make, change and delete cards; each side sees the other."""
    app = book(address_book)
    assert app.check() == []
    records, _, cursor = everything(app)
    assert records == {}

    id_ = app.new_id("0123456789abcdef")
    fields = {"email": "ada@example.org", "first_name": "Ada", "last_name": "Løvelace; née B", "tags": ["vip", "a,b"]}
    made = one(app, Write(kind="create", id=id_, fields=fields))
    assert made.record.fields.items() >= fields.items()
    assert app.get([id_]) == {id_: made.record}

    status, _ = radicale_server.request("PUT", f"{address_book}hers.vcf", vcard("FN:Grace", "N:;Grace;;;").encode())
    assert status == 201
    records, gone, cursor = everything(app, cursor)
    assert (records[id_], gone) == (made.record, set())
    hers = next(record for record in records.values() if record.fields["first_name"] == "Grace")

    changed = one(app, update(made.record, first_name="Augusta", tags=["vip"]))
    assert changed.record.fields["tags"] == ["vip"]
    assert app.get([id_])[id_] == changed.record
    stale = one(app, update(made.record, first_name="Adele"))
    assert (stale.why, one(app, Write(kind="create", id=id_, fields={})).why) == ("moved", "exists")

    assert radicale_server.request("DELETE", f"{address_book}hers.vcf")[0] == 200
    records, gone, cursor = everything(app, cursor)
    assert (set(records), gone) == ({id_}, {hers.id})
    assert list(app.read(cursor)) == [Page(records=[], cursor=cursor)]
    lost = one(app, update(hers, first_name="Nobody"))
    assert isinstance(lost, Rejected)
    assert app.get([hers.id, id_]).keys() == {id_}
    records, gone, _ = everything(book(address_book))
    assert (set(records), gone) == ({id_}, set()), "a first sync does not tell of tombstones"


def test_what_nobody_maps_survives_radicale(address_book: str, radicale_server: Server) -> None:
    text = vcard("FN:Ada", "N:;Ada;;;", "X-SHOE;X-FOOT=left:43", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=", "TEL:+44 1")
    radicale_server.request("PUT", f"{address_book}ada.vcf", text.encode())
    app = book(address_book)
    [record] = everything(app)[0].values()
    assert isinstance(one(app, update(record, first_name="Augusta")), Applied)
    _, body = radicale_server.request("GET", f"{address_book}ada.vcf")
    assert {"X-SHOE;X-FOOT=left:43", "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=", "TEL:+44 1", "UID:u1"} <= {
        *body.decode().split("\r\n")
    }


def test_a_second_card_with_the_same_uid_is_refused(address_book: str, radicale_server: Server) -> None:
    token = "00000000000000aa"
    radicale_server.request("PUT", f"{address_book}other.vcf", vcard("FN:X", uid=token).encode())
    app = book(address_book)
    result = one(app, Write(kind="create", id=app.new_id(token), fields={"first_name": "Ada"}))
    assert (result.why, "409" in result.message) == ("exists", True)


@pytest.mark.parametrize("secrets", [{"username": USER, "password": "wrong"}, {"username": "eve", "password": "x"}, {}])
def test_a_wrong_password_stops_the_app(address_book: str, secrets: dict[str, str]) -> None:
    app = book(address_book, secrets=secrets)
    id_ = app.new_id("1" * 16)
    for ask in (app.check, lambda: list(app.read(None)), lambda: list(app.read("sync:x")), lambda: app.get([id_])):
        with pytest.raises(AccessError, match=r"team: .*password"):
            ask()
    writes = [Write(kind="create", id=app.new_id(f"{n:016}"), fields={"first_name": "Ada"}) for n in range(3)]
    assert {result.why for result in app.write(writes)} == {"busy"}


def test_the_account_instead_of_the_book_is_told_with_the_book(address_book: str, radicale_server: Server) -> None:
    for url in (radicale_server.url, f"{radicale_server.url}{USER}/", f"{radicale_server.url}{USER}"):
        with pytest.raises(ConfigError, match="not an address book") as caught:
            book(url).check()
        assert address_book in str(caught.value)


def test_a_book_that_is_not_there_is_no_empty_one(radicale_server: Server) -> None:
    app = book(f"{radicale_server.url}{USER}/nowhere/")
    for ask in (app.check, lambda: list(app.read(None)), lambda: list(app.read("sync:x"))):
        with pytest.raises(TransientError, match="nothing is there"):
            ask()
    assert one(app, Write(kind="create", id=app.new_id("1" * 16), fields={"first_name": "A"})).why in {"busy", "exists"}


def test_a_forgotten_token_is_told(address_book: str) -> None:
    app = book(address_book)
    for cursor in ("sync:http://radicale.org/ns/sync/unknown", "sync:", "ctag:1", "x", ""):
        assert list(app.read(cursor)) == [Page(records=[], expired=True)]


# What goes over the wire --------------------------------------------------------------------------------------------


def test_a_change_touches_nothing_else_byte_for_byte() -> None:
    """The server's XML has turned line ends into line feeds; what is put back has them as they were."""
    with tiny_dav() as dav:
        before = vcard(
            *("PRODID:-//x//EN", "item1.X-ABLabel:_$!<Other>!$_", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "X-empty:"),
            *("NOTE:a very long note that somebody has folded in the middle of a wor", " d\\, and with <&> in it"),
            *("EMAIL;TYPE=home;PREF=1:ada@home.example", "TEL;VALUE=uri:tel:+44-1", "x-lower;a=b:C", "GEO:1;2"),
            *("PHOTO;ENCODING=b:" + "A" * 58, " " + "B" * 74, " =="),
            version="4.0",
        )
        dav.put("ada.vcf", before)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        done = one(app, update(record, phone="+44 2"))
        sent = dav.asked[-1]
        assert (sent.method, sent.target, sent.headers["if-match"]) == ("PUT", f"{BOOK}ada.vcf", record.version)
        assert sent.headers["content-type"] == "text/vcard; charset=utf-8"
        assert sent.body.decode() == before.replace("TEL;VALUE=uri:tel:+44-1", "TEL:+44 2")
        assert done.record == everything(app)[0][record.id]


def test_a_new_card_is_put_under_an_id_of_ours_and_only_if_it_is_new() -> None:
    with tiny_dav() as dav:
        app = book(dav.url, fields={"account_number": FieldMap(path="X-ACCOUNT"), "full_name": FieldMap(path="FN")})
        fields = {"email": "ada@example.org", "account_number": "A-1", "full_name": "Ada L."}
        done = one(app, Write(kind="create", id=app.new_id("00112233445566aa"), fields=fields))
        [sent] = dav.asked
        assert (sent.target, sent.headers["if-none-match"]) == (f"{BOOK}00112233445566aa.vcf", "*")
        lines = sent.body.decode().split("\r\n")
        assert {"UID:00112233445566aa", "EMAIL;TYPE=INTERNET:ada@example.org", "X-ACCOUNT:A-1", "FN:Ada L."} <= {*lines}
        assert done.record.fields["account_number"] == "A-1"
        assert done.record.fields["phone"] is None
        assert done.record == app.get([done.record.id])[done.record.id]


def test_nothing_changed_costs_one_request() -> None:
    with tiny_dav() as dav:
        for number in range(3):
            dav.put(f"{number}.vcf", ADA)
        app = book(dav.url)
        cursor = everything(app)[2]
        asked = len(dav.asked)
        assert list(app.read(cursor)) == [Page(records=[], cursor=cursor)]
        assert len(dav.asked) == asked + 1


def test_a_first_read_costs_one_request_and_one_for_each_250_cards() -> None:
    with tiny_dav() as dav:
        for number in range(501):
            dav.put(f"{number}.vcf", ADA)
        records, _, _ = everything(book(dav.url))
        assert len(records) == 501
        assert [asked.method for asked in dav.asked] == ["REPORT"] * 4


def test_what_the_hub_has_is_not_downloaded() -> None:
    with tiny_dav() as dav:
        ids = [dav.put(f"{number}.vcf", vcard(f"FN:{number}")) for number in range(4)]
        app = book(dav.url)
        records, _, cursor = everything(app)
        asked_for: list[str] = []

        def known(wanted: Sequence[str]) -> Mapping[str, str | None]:
            asked_for.extend(wanted)
            return {id_: record.version for id_, record in records.items() if id_ in wanted}

        app.known_versions = known
        assert list(app.read(None)) == [Page(records=[], same=tuple(ids), cursor=cursor, complete=True)]
        assert asked_for == ids
        dav.put("1.vcf", vcard("FN:other"))
        dav.put("2.vcf", dav.cards[ids[2]])
        [page] = list(app.read(cursor))
        assert [record.id for record in page.records] == [ids[1]]
        assert dav.asked[-1].body.count(b"<href>") == 1


def test_a_batch_of_updates_is_fetched_at_once_and_only_where_it_is_not_remembered() -> None:
    with tiny_dav() as dav:
        for number in range(5):
            dav.put(f"{number}.vcf", vcard(f"N:;P{number};;;", f"FN:P{number}"))
        app = book(dav.url)
        records = list(everything(app)[0].values())
        asked = len(dav.asked)
        app.write([update(record, job_title="x") for record in records])
        assert [request.method for request in dav.asked[asked:]] == ["PUT"] * 5
        fresh = book(dav.url)
        records = list(fresh.get([record.id for record in records]).values())
        other, asked = book(dav.url), len(dav.asked)
        results = other.write([update(record, job_title=None) for record in records])
        assert all(isinstance(result, Applied) for result in results)
        assert [request.method for request in dav.asked[asked:]] == ["REPORT", *["PUT"] * 5]


def test_what_is_so_already_is_not_put() -> None:
    with tiny_dav() as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        asked = len(dav.asked)
        done = one(app, Write(kind="update", id=record.id, fields={"first_name": "Ada"}, version=record.version))
        assert (done.record, len(dav.asked)) == (record, asked)


@pytest.mark.parametrize(
    "name", ["a b.vcf", "a%b.vcf", "ä.vcf", "a@b+c;d.vcf", "%2F..vcf", "a&b<c>.vcf", "\\.vcf", "?.vcf"]
)
def test_an_id_is_one_spelling_of_an_href_and_leads_back(name: str) -> None:
    with tiny_dav() as dav:
        ids = set()
        for spelling in {quote(name), quote(name, safe="@+;&"), quote(name).replace("%2F", "%2f")}:
            dav.cards.clear()
            dav.log.clear()
            dav.put(spelling, ADA)
            app = book(dav.url)
            [record] = everything(app)[0].values()
            assert record.problem is None
            assert isinstance(one(app, update(record, first_name="Augusta")), Applied)
            ids.add(record.id)
        assert len(ids) == 1


def test_an_href_may_be_a_whole_url() -> None:
    with tiny_dav() as dav:
        dav.put("ada.vcf", ADA)
        dav.after = lambda _, answer: _as_xml(_xml_of(answer).replace(f">{BOOK}".encode(), f">{dav.url}".encode()))
        assert set(everything(book(dav.url))[0]) == {f"{BOOK}ada.vcf"}


# What is no card ----------------------------------------------------------------------------------------------------


def test_what_is_no_card_is_no_record() -> None:
    def after(asked: Asked, answer: Answer) -> Answer | None:
        rows = [row(f"{BOOK}sub/", "<D:resourcetype><D:collection/></D:resourcetype>"), row(f"{BOOK}sub/x.vcf", tag())]
        rows += [row(f"{BOOK}list.txt", tag()), row("https://evil.example/x.vcf", tag()), row("mailto:x", tag())]
        if b"multiget" in asked.body:
            rows = [row(f"{BOOK}list.txt", tag())]
        return _as_xml(_xml_of(answer).replace(b"</D:multistatus>", "".join(rows).encode() + b"</D:multistatus>"))

    with tiny_dav(after=after) as dav:
        dav.put("ada.vcf", ADA)
        app = book(dav.url)
        assert set(everything(app)[0]) == {f"{BOOK}ada.vcf"}
        assert not any(b"sub/" in asked.body or b"evil" in asked.body for asked in dav.asked)


def _xml_of(answer: Answer) -> bytes:
    assert isinstance(answer, bytes)
    return answer.partition(b"\r\n\r\n")[2]


def _as_xml(body: bytes) -> bytes:
    return reply(207, body, content_type="application/xml")


@pytest.mark.parametrize("broken", ["no card", "BEGIN:VCARD\r\nEND:VCARD\r\n" * 2, vcard(version="9.0"), ""])
def test_a_card_that_cannot_be_read_is_parked_and_stays(broken: str) -> None:
    with tiny_dav() as dav:
        bad, good = dav.put("bad.vcf", broken), dav.put("good.vcf", ADA)
        app = book(dav.url)
        records, _, _ = everything(app)
        assert records[good].problem is None
        assert records[bad].problem
        result = one(app, Write(kind="update", id=bad, fields={"first_name": "Ada"}, version=records[bad].version))
        assert isinstance(result, Rejected)
        assert dav.cards[bad] == broken


@pytest.mark.parametrize("inner", [False, True])
def test_a_card_that_may_not_be_read_is_parked(inner: bool) -> None:
    denied = row(f"{BOOK}a.vcf", "<C:address-data/>" if inner else "", "403 Forbidden")
    with tiny_dav(before=lambda asked: multistatus(denied) if b"multiget" in asked.body else None) as dav:
        dav.put("a.vcf", ADA)
        app = book(dav.url)
        [record] = everything(app)[0].values()
        assert "403" in (record.problem or "")
        assert app.get([record.id])[record.id].problem == record.problem


def test_a_card_that_the_server_passes_over_is_asked_for_by_itself() -> None:
    """Absence is proven by a 404, never by silence."""
    with tiny_dav() as dav:
        dav.put("a.vcf", ADA), dav.put("b.vcf", ADA)
        dav.before = lambda asked: multistatus() if b"multiget" in asked.body else None
        app = book(dav.url)
        assert app.get([f"{BOOK}{name}.vcf" for name in "abc"]).keys() == {f"{BOOK}a.vcf", f"{BOOK}b.vcf"}
        dav.before = lambda asked: reply(500) if asked.method == "GET" else multistatus()
        with pytest.raises(TransientError):
            app.get([f"{BOOK}a.vcf"])


def test_a_row_that_failed_is_no_absence() -> None:
    with tiny_dav(before=lambda asked: multistatus(row(f"{BOOK}a.vcf", status="500 Oops"))) as dav:
        for ask in (lambda: list(book(dav.url).read(None)), lambda: book(dav.url).get([f"{BOOK}a.vcf"])):
            with pytest.raises(TransientError):
                ask()


def test_a_large_card_is_fetched_with_fewer_others() -> None:
    with tiny_dav() as dav:
        photo = "PHOTO;ENCODING=b:" + "A" * (5 << 20)
        for number in range(4):
            dav.put(f"{number}.vcf", vcard("FN:x", photo))
        dav.put("huge.vcf", vcard("FN:x", photo * 4))
        records, _, _ = everything(book(dav.url))
        assert len(records) == 5
        assert [name for name, record in records.items() if record.problem] == [f"{BOOK}huge.vcf"]


# Cursors ------------------------------------------------------------------------------------------------------------


def test_a_cut_answer_is_followed_to_its_end() -> None:
    with tiny_dav(limit=3) as dav:
        for number in range(10):
            dav.put(f"{number}.vcf", ADA)
        dav.put("3.vcf", None)
        app = book(dav.url)
        records, gone, cursor = everything(app)
        assert (len(records), gone) == (9, {f"{BOOK}3.vcf"})
        assert len(dav.asked) == 7
        for number in range(5, 9):
            dav.put(f"{number}.vcf", vcard("FN:again"))
        pages = list(app.read(cursor))
        assert [page.cursor for page in pages] == ["sync:urn:tiny:14", "sync:urn:tiny:15"], "each part may be stored"
        assert len({record.id for page in pages for record in page.records}) == 4


def test_an_answer_that_is_cut_for_ever_is_given_up() -> None:
    rows = (row(BOOK, status="507 Insufficient Storage"), "<D:sync-token>urn:same</D:sync-token>")
    with tiny_dav(before=lambda _: multistatus(*rows)) as dav:
        with pytest.raises(TransientError, match="does not get on"):
            list(book(dav.url).read("sync:urn:same"))
        with pytest.raises(TransientError, match="does not get on"):
            list(book(dav.url).read(None))
        assert len(dav.asked) < 6
    tokens = itertools.cycle("abc")
    cut = row(BOOK, status="507 Insufficient Storage")
    with tiny_dav(before=lambda _: multistatus(cut, f"<D:sync-token>{next(tokens)}</D:sync-token>")) as dav:
        with pytest.raises(TransientError, match="does not get on"):
            list(book(dav.url).read(None))
        assert len(dav.asked) == 4


@pytest.mark.parametrize("status", [400, 409, 410, 412])
def test_a_token_that_is_no_longer_good_expires(status: int) -> None:
    with tiny_dav(oldest=5) as dav:
        assert list(book(dav.url).read("sync:urn:tiny:1")) == [Page(records=[], expired=True)]
    with tiny_dav(before=lambda _: reply(status)) as dav:
        assert list(book(dav.url).read("sync:urn:tiny:1")) == [Page(records=[], expired=True)]


def test_a_right_that_was_lost_is_not_taken_for_a_lost_token() -> None:
    with tiny_dav(before=lambda _: reply(403, "<html>no")) as dav:
        for cursor in (None, "sync:urn:tiny:1"):
            with pytest.raises(AccessError):
                list(book(dav.url).read(cursor))


@pytest.mark.parametrize("ctags", [True, False])
def test_a_server_without_sync_collection_is_listed(ctags: bool) -> None:
    with tiny_dav(syncs=False, ctags=ctags) as dav:
        ids = [dav.put(f"{number}.vcf", vcard(f"FN:{number}")) for number in range(3)]
        app = book(dav.url)
        assert [finding.level for finding in app.check()] == ["note"]
        *_, last = list(app.read(None))
        assert ({record.id for record in last.records}, last.complete) == ({*ids}, True)
        assert not app.spec.incremental
        if not ctags:
            assert last.cursor is None
            return
        asked = len(dav.asked)
        assert list(app.read(last.cursor)) == [Page(records=[], cursor=last.cursor)]
        assert len(dav.asked) == asked + 1
        dav.put("1.vcf", None)
        assert list(app.read(last.cursor)) == [Page(records=[], expired=True)]
        *_, last = list(app.read(None))
        assert {record.id for record in last.records} == {ids[0], ids[2]}
