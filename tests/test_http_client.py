"""The HTTP client: what it sends and gives away, and what it makes of every kind of answer."""

from __future__ import annotations

import gzip
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import AccessError, ConfigError, OutcomeUnknown, SyncdError, TransientError
from syncd.http.client import TRIES, Reply, TooLarge
from syncd.http.replies import RETRY_AFTER_MAX, refused, retry_after_seconds
from tests.httpclients import Naps, client, closing, failure
from tests.wire import Answer, Asked, Cut, Silence, reply, wire

_leave_nothing_open = pytest.fixture(autouse=True)(closing)


# What goes out ------------------------------------------------------------------------------------------------------


def test_a_request_is_sent_as_it_was_meant() -> None:
    with wire([reply(200, "yes", x_mark="1")]) as server:
        answer = client(server).read("REPORT", "/dav/a%20b@c?token=1", body=b"<x/>", headers=[(b"Depth", b"0")])
        assert (answer.status, answer.body, answer.header(b"x-mark")) == (200, b"yes", "1")
        [asked] = server.asked
    assert (asked.method, asked.target, asked.body) == ("REPORT", "/dav/a%20b@c?token=1", b"<x/>")
    assert asked.headers["authorization"] == "Basic YWRhOmh1bnRlcjItcHc="
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["depth"] == "0"
    assert "cookie" not in asked.headers


def test_one_connection_serves_many_requests() -> None:
    with wire(lambda _: reply(200, "x" * 100_000)) as server:
        one = client(server)
        for _ in range(5):
            one.read("GET", "/")
        one.close()
        one.close()
        assert (len(server.asked), server.connections) == (5, 1)


def test_cookies_are_not_kept() -> None:
    with wire(lambda _: reply(200, set_cookie="session=1")) as server:
        one = client(server)
        one.read("GET", "/")
        one.read("GET", "/")
        assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire([]) as proxy, wire([reply(200)]) as server:
        monkeypatch.setenv(name, proxy.url)
        client(server).read("GET", "/")
        assert proxy.connections == 0


def test_without_secrets_nothing_is_authorised() -> None:
    with wire([reply(200)]) as server:
        client(server, username="", password="").read("GET", "/")
        assert "authorization" not in server.asked[0].headers


def test_a_user_name_with_a_colon_is_a_mistake() -> None:
    with wire([]) as server:
        assert isinstance(failure(lambda: client(server, username="a:b")), ConfigError)


# What comes back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reaction"),
    [
        (reply(401, "private text"), AccessError),
        (reply(403, "private text"), AccessError),
        (reply(404), TransientError),
        (reply(400, "private text"), TransientError),
        (reply(418), TransientError),
        (reply(202), TransientError),
        (reply(301, location="https://other.example/x?token=1"), ConfigError),
        (reply(308, location="/elsewhere/?token=1"), ConfigError),
        (reply(302, location="https://ada:hunter2-pw@other.example/x?token=1"), TransientError),
        (reply(307, location="http://[::1"), TransientError),
        (reply(303), TransientError),
    ],
)
def test_an_answer_that_is_final_is_not_asked_for_again(answer: bytes, reaction: type[SyncdError]) -> None:
    with wire([answer]) as server:
        error = failure(lambda: client(server).read("GET", "/dav/?token=1"))
    assert type(error) is reaction
    assert "crm" in str(error)
    assert "/dav/" in str(error)


def test_a_login_of_another_kind_is_named() -> None:
    with wire([reply(401, www_authenticate='Digest realm="x", nonce="y"')]) as server:
        assert "Digest" in str(failure(lambda: client(server).read("GET", "/")))


def test_a_redirect_names_the_place_and_gives_nothing_away() -> None:
    with wire([]) as elsewhere, wire([reply(307, location=f"{elsewhere.url}login?token=1")]) as server:
        error = failure(lambda: client(server).read("GET", "/"))
        assert f"127.0.0.1:{elsewhere.port}/login" in str(error)
        assert elsewhere.connections == 0


def test_a_redirected_write_is_not_repeated_elsewhere() -> None:
    with wire([]) as elsewhere, wire([reply(307, location=elsewhere.url)]) as server:
        assert client(server).write("PUT", "/x", body=b"1").status == 307
        assert elsewhere.connections == 0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again_within_bounds(status: int) -> None:
    naps = Naps()
    with wire([reply(status, retry_after="7"), reply(status, retry_after="0"), reply(200, "ok")]) as server:
        assert client(server, sleep=naps).read("GET", "/").body == b"ok"
    assert naps == [7.0, 0.0]
    with wire([reply(status)] * TRIES) as server:
        error = failure(lambda: client(server).read("GET", "/"))
    assert isinstance(error, TransientError)


def test_a_long_wait_is_left_to_the_next_pass() -> None:
    naps = Naps()
    with wire([reply(503, retry_after="120")]) as server:
        error = failure(lambda: client(server, sleep=naps).read("GET", "/"))
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == 120
    assert naps == []


def test_a_connection_that_breaks_is_asked_again() -> None:
    with wire([Cut(), Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"), reply(200, "whole")]) as server:
        assert client(server).read("GET", "/").body == b"whole"


@pytest.mark.parametrize(
    "broken",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 99_999,
    ],
)
def test_an_answer_that_is_no_http_is_a_reaction(broken: bytes) -> None:
    with wire(lambda _: Cut(broken)) as server:
        assert isinstance(failure(lambda: client(server).read("GET", "/")), TransientError)


@pytest.mark.parametrize("drip", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_server_that_never_finishes_is_given_up(drip: bytes) -> None:
    with wire(lambda _: Silence(drip)) as server:
        started = time.monotonic()
        error = failure(lambda: client(server, timeout_seconds=0.15).read("GET", "/"))
        assert time.monotonic() - started < 10
        assert "0.15 seconds" in str(error)
        assert len(server.asked) == 1, "who waits once more waits for the others as well"


def test_a_body_that_never_ends_is_given_up() -> None:
    def answer(asked: Asked) -> Answer:
        return Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 2000001\r\n\r\n" + b"x" * 2_000_001)

    with wire(answer) as server:
        error = failure(lambda: client(server).read("GET", "/", body_max=1 << 20))
        assert isinstance(error, TooLarge)
        assert len(server.asked) == 1


def test_a_packed_answer_is_unpacked_within_the_same_bound() -> None:
    with wire([reply(200, gzip.compress(b"<x/>"), content_encoding="gzip")]) as server:
        assert client(server).read("GET", "/").body == b"<x/>"
    bomb = gzip.compress(bytes(200 << 20))
    with wire([reply(200, bomb, content_encoding="gzip")]) as server:
        assert isinstance(failure(lambda: client(server).read("GET", "/", body_max=1 << 20)), TooLarge)


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"not packed", "gzip"), (gzip.compress(b"x" * 999, mtime=0)[:-9], "gzip"), (b"x", "br"), (b"x", "gzip, gzip")],
)
def test_a_body_that_cannot_be_unpacked_is_a_reaction(body: bytes, coding: str) -> None:
    with wire(lambda _: reply(200, body, content_encoding=coding)) as server:
        assert isinstance(failure(lambda: client(server).read("GET", "/")), TransientError)


def test_a_login_page_is_no_answer() -> None:
    with wire([reply(200, "<html>private text", content_type="text/html")]) as server:
        error = failure(lambda: client(server).read("REPORT", "/", kind="xml"))
    assert "login page" in str(error)


def test_nobody_there_is_transient() -> None:
    with wire([]) as server:
        pass
    naps = Naps()
    assert isinstance(failure(lambda: client(server, sleep=naps).read("GET", "/")), TransientError)
    assert len(naps) == TRIES - 1


def test_a_connection_that_takes_too_long_is_transient_and_not_tried_again() -> None:
    tried: list[float] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(timeout)
        raise TimeoutError

    with wire([]) as server:
        one = client(server, connect=connect)
        assert "in time" in str(failure(lambda: one.read("GET", "/")))
        assert isinstance(failure(lambda: one.write("PUT", "/", body=b"")), TransientError)
        assert tried == [pytest.approx(10), pytest.approx(10)]


# Writes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Cut(), Cut(b"HTTP/1.1 201"), Silence(), Cut(b"rubbish\r\n\r\n")])
def test_a_write_whose_answer_is_lost_is_unknown_and_not_repeated(answer: Answer) -> None:
    with wire([answer]) as server:
        error = failure(lambda: client(server, timeout_seconds=0.2).write("PUT", "/x", body=b"card"))
        assert isinstance(error, OutcomeUnknown)
        assert len(server.asked) == 1


def test_a_write_that_never_left_is_transient() -> None:
    with wire([]) as server:
        pass
    assert isinstance(failure(lambda: client(server).write("PUT", "/x", body=b"card")), TransientError)


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404, 409, 412, 500, 502])
def test_a_write_gives_every_answer_back(status: int) -> None:
    with wire([reply(status)]) as server:
        assert client(server).write("PUT", "/x", body=b"card").status == status


def test_a_write_that_was_not_executed_is_repeated() -> None:
    naps = Naps()
    with wire([reply(429), reply(503, retry_after="2"), reply(201)]) as server:
        assert client(server, sleep=naps).write("PUT", "/x", body=b"card").status == 201
        assert [asked.body for asked in server.asked] == [b"card"] * 3
    assert naps[1] == 2.0
    with wire([reply(429, retry_after="1")] * TRIES) as server:
        assert client(server).write("PUT", "/x", body=b"card").status == 429
    with wire([reply(429, retry_after="3000")]) as server:
        assert client(server).write("PUT", "/x", body=b"card").status == 429
    with wire([reply(503)]) as server:
        assert client(server).write("PUT", "/x", body=b"card").status == 503


def test_a_huge_answer_to_a_write_leaves_it_unknown() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + bytes((64 << 20) + 1)
    with wire([Cut(endless)]) as server:
        assert isinstance(failure(lambda: client(server).write("PUT", "/x", body=b"card")), OutcomeUnknown)


# Retry-After --------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def wait(text: str, **headers: str) -> float | None:
    pairs = {"retry-after": text, **headers}
    answer = Reply(503, [(name.encode(), value.encode("latin-1", "replace")) for name, value in pairs.items()], b"")
    return retry_after_seconds(answer, NOW.timestamp())


@given(st.floats(0, 10**8, allow_nan=False), st.timedeltas(timedelta(days=-9999), timedelta(days=9999)))
def test_retry_after_is_read_in_all_its_forms(seconds: float, later: timedelta) -> None:
    assert wait(str(int(seconds))) == min(int(seconds), RETRY_AFTER_MAX)
    assert wait(format_datetime(NOW + later, usegmt=True)) == pytest.approx(
        min(max(later.total_seconds() // 1, 0), RETRY_AFTER_MAX), abs=1
    )


def test_the_senders_clock_counts() -> None:
    theirs = NOW + timedelta(hours=5)
    at = format_datetime(theirs + timedelta(seconds=20), usegmt=True)
    assert wait(at, date=format_datetime(theirs, usegmt=True)) == 20
    assert wait(at) == RETRY_AFTER_MAX


@given(
    st.one_of(
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n")),
        st.from_regex(r"[+-]?[0-9]{1,6000}(\.[0-9]+)?(e[0-9]+)?", fullmatch=True),
        st.sampled_from(
            ["nan", "inf", "-1", "1e9", "99999999999999999999", "Wed, 99 Xxx 9999 99:99:99 GMT", "0x10", "١٢"]
        ),
    )
)
def test_an_absurd_retry_after_is_harmless(text: str) -> None:
    found = wait(text)
    assert found is None or 0 <= found <= RETRY_AFTER_MAX


@given(st.integers(100, 599).filter(lambda status: status not in {200, 207}))
def test_every_status_has_a_reaction(status: int) -> None:
    assert isinstance(refused("crm: https://x/", Reply(status, [], b"private text"), 0.0), SyncdError)
