"""Lists within records: which item a path means, what is sent, and what of the others stays."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.http.paths import REMOVED, compile_field_path, compile_path, find, is_shown, put

HOME = {"value": "h", "primary": False, "label": "home"}
WORK = {"value": "w", "primary": True, "label": "work"}
CAR = {"value": "c", "primary": False, "label": "car"}
PRESENT = {"phones": [HOME, WORK, CAR], "name": "Ada"}


def sent(path: str, value: Any, present: Any = PRESENT, *, blank: Any = None, **item: Any) -> Any:
    doc: dict[str, Any] = {}
    put(doc, compile_field_path(path), value, present, item=item, blank=blank)
    return doc["phones"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("phones[primary=true].value", "w"),
        ("phones[primary=false].value", "h"),
        ("phones[primary=false:].value", ["h", "c"]),
        ("phones[label=fax:].value", None),
        ("phones[1:].value", ["w", "c"]),
        ("phones[label=fax].value", None),
    ],
)
def test_what_a_path_means(path: str, found: Any) -> None:
    assert find(PRESENT, compile_field_path(path).steps) == found


def test_one_item_changes_and_the_others_stay() -> None:
    assert sent("phones[label=work].value", "x") == [HOME, {**WORK, "value": "x"}, CAR]
    assert PRESENT["phones"] == [HOME, WORK, CAR], "what was read is not what is sent"


def test_what_is_cleared_becomes_blank_or_goes() -> None:
    assert sent("phones[label=work].value", None) == [HOME, {**WORK, "value": None}, CAR]
    assert sent("phones[label=work].value", None, blank="") == [HOME, {**WORK, "value": ""}, CAR]
    assert sent("phones[label=work].value", None, blank=REMOVED) == [HOME, CAR]
    assert sent("phones[label=fax].value", None, blank=REMOVED) == [HOME, WORK, CAR]
    assert sent("phones[1].value", None) == [HOME, CAR]


def test_a_new_item_says_what_makes_it_the_one_that_is_found() -> None:
    assert sent("phones[label=fax].value", "x") == [HOME, WORK, CAR, {"label": "fax", "value": "x"}]
    [made] = sent("phones[primary=true].value", "x", {}, primary=True)
    assert made == {"primary": True, "value": "x"}
    assert made["primary"] is True


def test_all_items_of_a_word_are_replaced_and_those_that_stay_stay_as_they_are() -> None:
    assert sent("phones[primary=false:].value", ["c", "n"], primary=False, label="other") == [
        WORK,
        CAR,
        {"primary": False, "label": "other", "value": "n"},
    ]
    assert sent("phones[primary=false:].value", None) == [WORK]
    assert sent("phones[1:].value", ["c", "n"]) == [HOME, CAR, {"value": "n"}]


@pytest.mark.parametrize("path", ["phones[label].value", "phones[a=b=c].value", "phones[].value", "phones[:].value"])
def test_what_means_no_item_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        compile_field_path(path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [("name", True), ("blank", True), ("city", False), ("own.tier", True), ("own.city", False), ("blank.tier", False),
     ("phones[label=fax].value", True), ("faxes[0].value", False)],
)  # fmt: skip
def test_what_is_blank_is_shown_and_what_is_missing_is_not(path: str, shown: bool) -> None:
    assert is_shown({**PRESENT, "blank": None, "own": {"tier": None}}, compile_path(path)) is shown
