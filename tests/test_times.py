"""Days stay days; moments are UTC."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.fields import Invalid, field_type

DAY = field_type("date")
MOMENT = field_type("datetime")


@given(day=st.dates(min_value=date(1, 1, 2)))
def test_behaviour_43_a_birthday_never_moves(day: date) -> None:
    """Two apps keep days as moments in their own zones, UTC+13 and UTC-8; ten rounds through both."""
    value = DAY.parse(str(day))
    for _ in range(10):
        for spelling in ("T00:00:00+13:00", "T23:59:59.999-08:00", " 00:00:00", "T00:00:00Z", "T12:00-0800", ""):
            value = DAY.parse(f"{DAY.render(value)}{spelling}")
    assert value == str(day)


@pytest.mark.parametrize(
    "raw",
    [
        *("1980-02-01", "1980-02-01T00:00:00Z", "1980-02-01T23:00:00-08:00", "1980-02-01 00:00:00.000 +1300"),
        *("01.02.1980", "1.2.1980", "1. 2. 1980", "19800201", 19800201, "19800201T000000Z", "1980/02/01"),
    ],
)
def test_days_are_read(raw: object) -> None:
    assert DAY.parse(raw) == "1980-02-01"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("--0201", "--02-01"),
        ("--02-29", "--02-29"),
        ("13/02/1980", "1980-02-13"),
        ("02/13/1980", "1980-02-13"),
        ("05-05-1980", "1980-05-05"),
        ("0000-00-00", None),
        ("0001-01-01T00:00:00", None),
        ("--", None),
    ],
)
def test_unusual_days_are_read(raw: str, value: str | None) -> None:
    assert DAY.parse(raw) == value


def test_the_order_of_day_and_month_must_be_said() -> None:
    ambiguous = DAY.parse("01/02/1980")
    assert isinstance(ambiguous, Invalid)
    assert "order" in ambiguous.reason
    assert field_type("date", order="dmy").parse("01/02/1980") == "1980-02-01"
    assert field_type("date", order="mdy").parse("01-02-1980") == "1980-01-02"
    assert isinstance(field_type("date", order="dmy").parse("02/13/1980"), Invalid)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "1980-02-30",
            "1980-13-01",
            "--02-30",
            "99/99/1980",
            "1980-02",
            "1980",
            "1.2.80",
            "Feb 1, 1980",
            "1980-W05-5",
        ),
        *(True, 318211200000, ["1980-02-01"], "1980-02-01 and more", "1980-2-1-", "٠١.٠٢.١٩٨٠"),
    ],
)
def test_what_is_no_day_is_flagged(raw: object) -> None:
    assert isinstance(DAY.parse(raw), Invalid)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00:00+02:00", "2024-01-01T08:00:00Z"),
        ("2024-01-01 10:00:00 +0200", "2024-01-01T08:00:00Z"),
        ("2024-01-01 10:00:00 UTC", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00", "2024-01-01T10:00:00Z"),
        ("2024-01-01", "2024-01-01T00:00:00Z"),
        ("20240101T100000Z", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00:00.5000Z", "2024-01-01T10:00:00.5Z"),
        ("2024-01-01T10:00:00.123456789Z", "2024-01-01T10:00:00.123456Z"),
        (1700000000, "2023-11-14T22:13:20Z"),
        (1700000000.5, "2023-11-14T22:13:20.5Z"),
        (1700000000123, "2023-11-14T22:13:20.123Z"),
        (1700000000123456, "2023-11-14T22:13:20.123456Z"),
        ("1700000000", "2023-11-14T22:13:20Z"),
        ("1700000000.123456", "2023-11-14T22:13:20.123456Z"),
        (0, "1970-01-01T00:00:00Z"),
        ("0000-00-00 00:00:00", None),
        ("0001-01-02T00:00:00+14:00", None),
        ("none", None),
    ],
)
def test_moments_are_read(raw: object, value: str | None) -> None:
    assert MOMENT.parse(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        "2024-13-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "noon",
        1e30,
        -1e18,
        float("nan"),
        True,
        "2024-01-01T10:00:61Z",
    ],
)
def test_what_is_no_moment_is_flagged(raw: object) -> None:
    assert isinstance(MOMENT.parse(raw), Invalid)
