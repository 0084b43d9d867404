"""The words of a manifest one by one: paths, texts, times, values. No network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from syncd.http.coding import KINDS, joined
from syncd.http.paths import compile_field_path, compile_path, find, put
from syncd.http.stamps import FORMATS, iso_text, read_stamp
from syncd.http.texts import ABSENT, compile_text, fill, form

DOC: Mapping[str, Any] = {
    "a": {"b": 1},
    "emails": [{"value": "x", "type": "work"}, {"value": "y", "type": "home"}, {"value": "z"}],
    "flags": [True, False],
    "none": None,
}


# Paths ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".", DOC),
        ("a", {"b": 1}),
        ("a.b", 1),
        ("a.b.c", None),
        ("none.x", None),
        ("emails[0].value", "x"),
        ("emails[1:].value", ["y", "z"]),
        ("emails[3:].value", None),
        ("emails[9]", None),
        ("emails[type=home].value", "y"),
        ("emails[type=fax].value", None),
        ("flags[0]", True),
        ("a[0]", None),
        ("emails.value", None),
    ],
)
def test_a_path_finds_what_lies_there(path: str, value: Any) -> None:
    assert find(DOC, compile_path(path).steps) == value


@pytest.mark.parametrize("path", ["", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "[0]", "a b", "a[0", "{a}"])
def test_a_path_that_is_none_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        compile_path(path)


PUTS: list[tuple[str, Any, Any, Any]] = [
    ("a", 1, None, {"a": 1}),
    ("a", None, None, {"a": ""}),
    ("a.b.c", 1, {"a": {"other": 2}}, {"a": {"b": {"c": 1}}}),
    ("l[0].v", 1, None, {"l": [{"new": True, "v": 1}]}),
    ("l[0].v", 1, {"l": [{"v": 0, "k": "x"}, {"v": 9}]}, {"l": [{"v": 1, "k": "x"}, {"v": 9}]}),
    ("l[0].v", None, {"l": [{"v": 0}, {"v": 9}]}, {"l": [{"v": 9}]}),
    ("l[0].v", None, None, {"l": []}),
    ("l[1:].v", [3, 9], {"l": [{"v": 0}, {"v": 9, "k": 1}, {"v": 8}]}, {"l": [{"v": 0}, {"new": True, "v": 3}, {"v": 9, "k": 1}]}),
    ("l[1:].v", None, {"l": [{"v": 0}, {"v": 9}]}, {"l": [{"v": 0}]}),
    ("l[t=x].v", 1, {"l": [{"t": "y", "v": 0}]}, {"l": [{"t": "y", "v": 0}, {"new": True, "t": "x", "v": 1}]}),
    ("l[t=y].v", None, {"l": [{"t": "y", "v": 0, "k": 1}]}, {"l": [{"t": "y", "v": "", "k": 1}]}),
    ("l[t=x].v", None, None, {"l": []}),
    ("l[0:]", ["a"], {"l": ["b"]}, {"l": ["a"]}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "present", "made"), PUTS, ids=[f"{p[0]}={p[1]}" for p in PUTS])
def test_a_value_is_put_and_nothing_else_changes(path: str, value: Any, present: Any, made: Any) -> None:
    doc: dict[str, Any] = {}
    before = orjson.dumps(present)
    put(doc, compile_field_path(path), value, present, item={"new": True}, blank="")
    assert doc == made
    assert orjson.dumps(present) == before, "what was read stays as it was"


# Texts ------------------------------------------------------------------------------------------------------------------


def test_a_name_is_put_in_and_one_without_value_leaves_its_member_out() -> None:
    body = {
        "n": compile_text("{n}"),
        "t": compile_text("n is {n}"),
        "gone": compile_text("{nothing}"),
        "b": compile_text("{{x}}"),
    }
    assert fill(
        {**body, "l": [compile_text("{nothing}"), 1], "...": compile_text("{doc}")}, {"n": 5, "doc": {"t": 0}}
    ) == {
        "n": 5,
        "t": 0,
        "b": "{x}",
        "l": [1],
    }
    assert fill(compile_text("{nothing}"), {}) is ABSENT
    assert compile_text("/a/{id}").text({"id": "x/..?#ü"}, quoted=True) == "/a/x%2F..%3F%23%C3%BC"
    assert compile_text("{ids}").text({"ids": ["a", "b"]}) == "a,b"


def test_a_form_has_its_nested_members_in_brackets() -> None:
    doc = {"name": "Ada", "address": {"line1": "x"}, "tags": ["a", "b"], "vip": True, "none": None}
    told = [("name", "Ada"), ("address[line1]", "x"), ("tags[]", "a"), ("tags[]", "b"), ("vip", "true"), ("none", "")]
    assert list(form(doc)) == told


# Times ------------------------------------------------------------------------------------------------------------------

NOON = 1_700_049_600_123_456


@pytest.mark.parametrize("spelled", FORMATS)
def test_a_time_that_is_written_reads_back_not_later(spelled: str) -> None:
    told = read_stamp(FORMATS[spelled](NOON), spelled) if spelled != "http_date" else None
    if told is not None:
        assert 0 <= NOON - told < 86_400_000_000


@pytest.mark.parametrize(
    ("value", "spelled", "text"),
    [
        ("/Date(1573755038314+0000)/", "naive_s", "2019-11-14T18:10:38.314Z"),
        ("2026-01-01T10:00:00-06:00", "rfc3339", "2026-01-01T16:00:00Z"),
        ("2026-01-01T10:00:00.123456789Z", "rfc3339", "2026-01-01T10:00:00.123Z"),
        ("2026-01-01 10:00:00", "rfc3339", "2026-01-01T10:00:00Z"),
        (1700000000, "unix", "2023-11-14T22:13:20Z"),
        ("1700000000000", "unix_ms", "2023-11-14T22:13:20Z"),
        ("yesterday", "rfc3339", None),
        (True, "unix", None),
        (None, "unix", None),
        ({}, "unix", None),
    ],
)
def test_times_of_vendors_are_read(value: Any, spelled: str, text: str | None) -> None:
    told = read_stamp(value, spelled)
    assert (None if told is None else iso_text(told)) == text


# Values -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wire", "raw"),
    [
        ("text", "x", "x"),
        ("text", "", None),
        ("text", 5, "5"),
        ("text", None, None),
        ("number", 5, 5),
        ("boolean", False, False),
        ("texts", ["a", "", None], ["a"]),
        ("texts", [], None),
        ("object", {}, None),
        ("joined", "a; b;", ["a", "b"]),
        ("unix", 1700000000, "2023-11-14T22:13:20Z"),
    ],
)
def test_what_the_wire_holds_is_read(kind: str, wire: Any, raw: Any) -> None:
    assert KINDS[kind].read(wire) == raw
    if raw is not None and kind != "text":
        assert KINDS[kind].read(KINDS[kind].make(raw)) == raw


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text", 5),
        ("text", ["a"]),
        ("text", "half \ud800"),
        ("number", "x"),
        ("number", float("nan")),
        ("number", 1 << 60),
        ("number", True),
        ("boolean", "yes"),
        ("texts", [1]),
        ("object", "x"),
        ("unix", "x"),
        ("joined", ["a;b"]),
    ],
)
def test_what_the_wire_cannot_hold_is_refused_without_the_value(kind: str, raw: Any) -> None:
    with pytest.raises(ValueError, match=r"^[a-zA-Z (),-]+$"):
        KINDS[kind].make(raw)
    assert joined(",").make(["a;b"]) == "a;b"


def test_a_parameter_that_is_a_list_is_repeated_where_it_is_said_as_one() -> None:
    plain, each = compile_text("x{ids}"), replace(compile_text("x{ids}"), each=True)
    assert plain.texts({"ids": [1, 2]}) == ["x1,2"]
    assert each.texts({"ids": [1, 2]}) == ["x1", "x2"]
    assert each.texts({"ids": 3}) == ["x3"]
    assert each.texts({"ids": []}) == plain.texts({}) == each.texts({}) == []
