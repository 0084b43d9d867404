"""Pages, errors, limits and cursors of manifests, one by one. No network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest

from syncd.errors import TransientError
from syncd.http.cursors import Cursor, Mark, read_cursor
from syncd.http.faults import Answer, fault_of, wait_of
from syncd.http.pace import Pace
from syncd.http.pages import Turn, walk
from syncd.http.paths import compile_path
from syncd.http.replies import Reply
from syncd.http.terms import Bucket, Call, Limits, Listing, Paging, Quota, Rule
from syncd.http.texts import compile_text


def answer(doc: Any = None, status: int = 200, **headers: str) -> Answer:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Answer(Reply(status, pairs, b"" if doc is None else orjson.dumps(doc)))


# Pages ------------------------------------------------------------------------------------------------------------------


UNPAGED: Mapping[str, Any] = {"by": "", "size": 2}


def listing(**page: Any) -> Listing:
    call = Call(name="list", method="GET", path=compile_text("/"), empty=frozenset({204}))
    given: dict[str, Any] = {
        name: compile_path(value) if name in {"path", "more", "total", "done"} else value
        for name, value in page.items()
    }
    return Listing(call=call, items=compile_path("items"), page=Paging(**{**UNPAGED, **given}))


def walked(told: Listing, answers: list[Answer]) -> tuple[list[Any], list[Turn]]:
    """Walk through these answers; give the items and what was asked."""
    asked: list[Turn] = []
    script: Iterator[Answer] = iter(answers)

    def ask(turn: Turn) -> Answer:
        asked.append(turn)
        return next(script)

    items = [item for sheet in walk(told, {}, ask, "app", "https://a.example") for item in sheet.items]
    assert next(script, None) is None, "a page was not asked for"
    return items, asked


PAGERS: dict[str, tuple[Listing, list[Answer], str, list[Any]]] = {
    "cursor": (
        listing(by="cursor", path="next"),
        [answer({"items": [1, 2], "next": "c"}), answer({"items": [3], "next": None})],
        "cursor",
        [None, "c"],
    ),
    "cursor with more": (
        listing(by="cursor", path="next", more="more"),
        [answer({"items": [1, 2], "next": "c", "more": True}), answer({"items": [3], "next": "d", "more": False})],
        "cursor",
        [None, "c"],
    ),
    "cursor with done": (
        listing(by="cursor", path="next", done="end"),
        [answer({"items": [1, 2], "next": "c", "end": False}), answer({"items": [3], "next": "d", "end": True})],
        "cursor",
        [None, "c"],
    ),
    "header": (
        listing(by="header", header="X-Next"),
        [answer({"items": [1, 2]}, x_next="c"), answer({"items": [3]})],
        "cursor",
        [None, "c"],
    ),
    "offset": (
        listing(by="offset"),
        [answer({"items": [1, 2]}), answer({"items": [3]}), answer({"items": []})],
        "offset",
        [0, 2, 3],
    ),
    "offset with total": (
        listing(by="offset", total="n"),
        [answer({"items": [1, 2], "n": "3"}), answer({"items": [3], "n": 3})],
        "offset",
        [0, 2],
    ),
    "one-based": (
        listing(by="offset", start=1, short=True),
        [answer({"items": [1, 2]}), answer({"items": [3]})],
        "offset",
        [1, 3],
    ),
    "number": (
        listing(by="number", start=1, short=True),
        [answer({"items": [1, 2]}), answer({"items": [3]})],
        "page",
        [1, 2],
    ),
    "number, nothing there": (
        listing(by="number", start=1),
        [answer({"items": [1, 2]}), answer({"items": [3]}), answer(status=204)],
        "page",
        [1, 2, 3],
    ),
}


@pytest.mark.parametrize("pager", PAGERS)
def test_every_pager_goes_through_all_pages(pager: str) -> None:
    told, answers, name, marks = PAGERS[pager]
    items, asked = walked(told, answers)
    assert items == [1, 2, 3]
    assert [turn.values.get(name) for turn in asked] == marks
    assert all(turn.values["size"] == 2 for turn in asked)


def test_pages_by_key_begin_where_they_are_told_to() -> None:
    told = listing(by="last", path="id", first=compile_text("0"), short=True)
    _, asked = walked(told, [answer({"items": [{"id": 4}, {"id": 7}]}), answer({"items": []})])
    assert [turn.values["last"] for turn in asked] == ["0", "7"]


def test_the_address_of_the_next_page_is_followed_on_the_same_origin_only() -> None:
    there = "https://a.example/x?page=2"
    link = f'<https://a.example/first>; rel="first", <{there}>; rel="next"'
    for told, first in (
        (listing(by="next_url", path="next"), answer({"items": [1], "next": there})),
        (listing(by="next_url", path="next"), answer({"items": [1], "next": "/x?page=2"})),
        (listing(by="link"), answer({"items": [1]}, link=link)),
    ):
        _, asked = walked(told, [first, answer({"items": [2]})])
        assert [turn.target for turn in asked] == [None, "/x?page=2"]
    for wrong in (
        "https://b.example/x",
        "http://a.example/x",
        "//b.example/x",
        "https://u:p@a.example/",
        "https://a.example:8443/x",
    ):
        with pytest.raises(TransientError, match="another origin"):
            walked(listing(by="next_url", path="next"), [answer({"items": [1], "next": wrong})])


def test_a_list_that_stands_still_or_never_ends_is_told() -> None:
    same = answer({"items": [1, 2], "next": "c"})
    with pytest.raises(TransientError, match="stands still"):
        walked(listing(by="cursor", path="next"), [same, same])
    pages = [answer({"items": [n], "next": str(n)}) for n in range(5)]
    with pytest.raises(TransientError, match="does not end after 5 pages"):
        walked(listing(by="cursor", path="next", pages_max=5), pages)


# Errors -----------------------------------------------------------------------------------------------------------------

RULES = (
    Rule(then="exists", at=compile_path("code"), words=("dup",), existing=compile_path("said"), existing_in=re.compile("ID: ([0-9]+)")),
    Rule(then="invalid", status=(400,), at=compile_path("errors[0].text"), has="email", field="email"),
    Rule(then="busy", status=(403,), header=b"x-limit"),
    Rule(then="access", status=(403,)),
    Rule(then="later", status=(200,), at=compile_path("fault"), message="try later"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "then"),
    [
        (answer({"id": 1}), None),
        (answer(status=204), None),
        (answer(status=304), None),
        (answer({"code": "dup", "said": "ID: 77."}, 409), "exists"),
        (answer({"code": "dup"}), "exists"),
        (answer({"errors": [{"text": "Bad E-Mail or Email"}]}, 400), "invalid"),
        (answer({"errors": [{"text": "other"}]}, 400), "unknown"),
        (answer({}, 403, x_limit="yes"), "busy"),
        (answer({}, 403), "access"),
        (answer({"fault": "oops, ada@example.org"}), "later"),
        (answer({}, 500), "later"),
        (answer({}, 418), "unknown"),
        (answer({}, 301), "unknown"),
    ],
)
def test_the_first_rule_that_fits_decides(told: Answer, then: str | None) -> None:
    fault = fault_of(told, RULES)
    assert (fault and fault.then) == then
    if fault is not None:
        assert "ada@" not in fault.text()
        assert fault.existing == ("77" if told.doc.get("said") else None)


def test_the_longest_wait_that_is_told_counts() -> None:
    told = answer({}, 429, retry_after="3", x_reset="20").reply
    assert wait_of(told, (b"retry-after", b"x-reset"), 0.0) == 20
    assert wait_of(told, (b"x-other",), 0.0) is None
    assert wait_of(answer({}, 429, retry_after="99999").reply, (b"retry-after",), 0.0) == 300


# Limits -----------------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def paced(*buckets: Bucket, quota: tuple[Quota, ...] = ()) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace("app", Limits(buckets=buckets, quota=quota), clock=clock, sleep=clock.sleep), clock


def test_no_window_ever_holds_more_than_its_requests() -> None:
    pace, clock = paced(
        Bucket(most=5, per_seconds=1, calls=frozenset()),
        Bucket(most=2, per_seconds=1, calls=frozenset({"find"})),
    )
    sent: list[tuple[float, str]] = []
    for n in range(60):
        call = "find" if n % 3 == 0 else "list"
        pace.wait(call)
        sent.append((clock.now, call))
    for at, _ in sent:
        window = [call for when, call in sent if at <= when < at + 1 - 1e-9]
        assert len(window) <= 5
        assert window.count("find") <= 2
    assert clock.now < 1000 + 60 / 5 + 1, "no slower than the limit"


def test_a_limit_that_is_used_up_for_long_ends_the_pass() -> None:
    pace, clock = paced(Bucket(most=1, per_seconds=86_400, calls=frozenset()))
    pace.wait("list")
    with pytest.raises(TransientError) as caught:
        pace.wait("list")
    assert caught.value.retry_after_seconds == 86_400
    assert clock.now == 1000


@pytest.mark.parametrize(
    ("how", "text", "seconds"),
    [("seconds", "7", 7), ("ms", "7000", 7), ("unix", "507", 7), ("date", "Thu, 01 Jan 1970 00:08:27 GMT", 7), ("seconds", "?", 9), ("seconds", "nan", 9)],
)  # fmt: skip
def test_when_nothing_is_left_the_end_of_the_window_is_waited_for(how: Any, text: str, seconds: float) -> None:
    pace, clock = paced(quota=(Quota(remaining=b"left", reset=b"reset", reset_in=how, window_seconds=9),))
    pace.landed("list", answer(left="1", reset=text).reply, 500.0)
    pace.wait("list")
    assert clock.now == 1000
    pace.landed("list", answer(left="0", reset=text).reply, 500.0)
    pace.wait("list")
    assert seconds <= clock.now - 1000 < seconds + 0.1


def played(pace: Pace, clock: Any, seconds: float, vendor: Callable[[float], dict[str, str] | None]) -> int:
    """Ask as fast as may be; count what is granted. `vendor` gives what is left, None where it refuses."""
    granted, end = 0, clock.now + seconds
    while clock.now < end:
        pace.wait("list")
        clock.now += 0.001  # a fast vendor
        told = vendor(clock.now)
        assert told is not None, "too many requests"
        granted += 1
        pace.landed("list", answer(None, 200, **told).reply, clock.now)
    return granted


def test_a_window_that_ends_all_at_once_is_used_to_the_full() -> None:
    pace, clock = paced(quota=(Quota(remaining=b"left", reset=b"reset"),))
    used: dict[int, int] = {}

    def vendor(now: float) -> dict[str, str] | None:
        window = int(now)
        used[window] = used.get(window, 0) + 1
        return {"left": str(40 - used[window]), "reset": f"{window + 1 - now:.3f}"} if used[window] <= 40 else None

    assert played(pace, clock, 30, vendor) >= 0.95 * 40 * 30


@pytest.mark.parametrize("others", [0, 3])
def test_a_window_that_slides_is_used_to_the_full_also_where_others_ask_too(others: int) -> None:
    quota = Quota(remaining=b"left", reset=b"window", reset_in="ms", rolling=True)
    pace, clock = paced(quota=(quota,))
    sent: list[float] = []
    theirs: list[float] = [clock.now] * others

    def vendor(now: float) -> dict[str, str] | None:
        if others and now - theirs[-1] > 10 / others:
            theirs.append(now)  # somebody else asks, evenly, all the time
        lately = [at for at in (*sent, *theirs) if at > now - 10]
        sent.append(now)
        return {"left": str(max(99 - len(lately), 0)), "window": "10000"} if len(lately) < 100 + 2 * others else None

    assert played(pace, clock, 300, vendor) >= 0.95 * (100 - others) * 30


def test_what_is_left_to_others_is_not_used() -> None:
    for quota, told in (
        (
            Quota(remaining=b"left", limit=b"limit", reserve_percent=10, window_seconds=50),
            {"left": "501", "limit": "5000"},
        ),
        (Quota(remaining=b"left", most=5000, reserve_percent=10, window_seconds=50), {"left": "501"}),
        (Quota(used_of=b"info", reserve_percent=10, window_seconds=50), {"info": "api-usage=4499/5000; x"}),
    ):
        pace, clock = paced(quota=(quota,))
        pace.landed("list", answer(None, 200, **told).reply, 500.0)
        pace.wait("list")
        assert clock.now == 1000
        pace.wait("list")  # nothing was told of the first one yet
        assert clock.now == pytest.approx(1050, abs=0.1)


def test_what_an_operation_costs_is_counted() -> None:
    limits = Limits(
        buckets=(Bucket(most=100, per_seconds=10, tokens=True),),
        quota=(Quota(remaining=b"left", tokens=True, window_seconds=30),),
        cost={"list": 20, "find": 40, "changes": 500},
    )
    clock = Clock()
    pace = Pace("crm", limits, clock=lambda: clock.now, sleep=clock.sleep)
    waits = {
        "list": 1000,
        "find": 1000,
        "get": 1000,
        "changes": 1010,
    }  # 20 + 40 + 1; more than there ever is: all of it
    for call, at in waits.items():
        pace.wait(call)
        pace.landed(call, None, 0.0)
        assert clock.now == at
    clock.now += 100
    pace.wait("get")
    pace.landed("get", answer(left="39").reply, 0.0)
    pace.wait("list")
    pace.landed("list", None, 0.0)
    assert clock.now == 1110
    pace.wait("list")
    assert clock.now == pytest.approx(1140, abs=0.1)


def test_what_is_under_way_is_counted_until_its_answer_says_more() -> None:
    pace, clock = paced(quota=(Quota(remaining=b"left", window_seconds=30),))
    for _ in range(4):
        pace.wait("list")
    pace.landed("list", answer(left="5").reply, 0.0)  # three are flying: between two and five are left
    for _ in range(2):
        pace.wait("list")
    assert clock.now == 1000
    for left in ("4", "3", "2", "1"):  # the first three had not been counted, and both of the others are now
        pace.landed("list", answer(left=left).reply, 0.0)
    pace.landed("list", answer(left="0").reply, 0.0)
    pace.wait("list")
    assert clock.now == pytest.approx(1030, abs=0.1)


def test_what_one_of_us_was_told_to_wait_holds_for_all() -> None:
    pace, clock = paced()
    pace.hold(7)
    pace.wait("list")
    assert clock.now == 1007


# Cursors ----------------------------------------------------------------------------------------------------------------


def test_a_cursor_reads_back_and_what_is_none_is_none() -> None:
    cursor = Cursor(changes=Mark(since_us=5, token="t"), deleted=Mark(since_us=6), deleted_at_us=7, at_us=8)
    assert read_cursor(cursor.text()) == cursor
    for wrong in (
        "",
        "x",
        "[]",
        '{"v":1}',
        '{"v":2}',
        cursor.text().replace("5", "-5"),
        cursor.text().replace("8", "true"),
        "1" * 20_000,
    ):
        assert read_cursor(wrong) is None
