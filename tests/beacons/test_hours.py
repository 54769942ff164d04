"""Opening hours as a shopkeeper writes them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.beacons.hours import read_hours

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, tzinfo=ZONE)


def at(day: int, clock: str) -> datetime:
    """`day`: 0 is Monday."""
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("lines", "inside", "outside"),
    [
        ([], [(0, "00:00"), (6, "23:59")], []),
        (["10:00-22:00"], [(0, "10:00"), (6, "21:59")], [(0, "09:59"), (0, "22:00")]),
        (["00:00-24:00"], [(0, "00:00"), (3, "23:59")], []),
        (["mon-fri 10:00-22:00"], [(4, "12:00")], [(5, "12:00")]),
        (
            ["sat sun 11:00-02:00"],
            [(5, "11:00"), (6, "01:59"), (7, "01:59")],
            [(5, "01:00"), (7, "02:00"), (4, "12:00")],
        ),
        (["mon-fri 10:00-14:00", "mon-fri 17:00-22:00"], [(0, "11:00"), (0, "18:00")], [(0, "15:00")]),
        (["fri-mon 10:00-22:00"], [(4, "12:00"), (0, "12:00")], [(1, "12:00"), (3, "12:00")]),
        (["SUN 10:00-24:00"], [(6, "23:59")], [(7, "00:00")]),
    ],
)
def test_hours_cover_what_they_say(
    lines: list[str], inside: list[tuple[int, str]], outside: list[tuple[int, str]]
) -> None:
    hours = read_hours(lines)
    assert [moment for moment in inside if not hours.covers(at(*moment))] == []
    assert [moment for moment in outside if hours.covers(at(*moment))] == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "10-22",
        "10:00-25:00",
        "24:00-10:00",
        "24:01-10:00",
        "10:00-10:00",
        "mo 10:00-22:00",
        "mon- 10:00-22:00",
        "22:00",
    ],
)
def test_what_are_no_hours_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"are no hours|is no day"):
        read_hours([line])


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    words = ""
    try:
        read_hours([text]).covers(MONDAY)
    except ValueError as fault:
        words = str(fault)
    assert not words or "no hours" in words or "no day" in words
