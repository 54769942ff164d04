"""A shop's day ends when the shop says so, on days of 23 and 25 hours, too."""

import itertools
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.reports.days import Calendar, Span

ZONES = ("Asia/Shanghai", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
moments = st.integers(0, 4_000_000_000)
calendars = st.builds(Calendar, st.sampled_from(ZONES).map(ZoneInfo), st.integers(0, 12))


@given(calendars, moments)
def test_every_moment_is_in_one_day_and_in_one_hour_of_it(calendar: Calendar, at: int) -> None:
    day = calendar.day_at(at)
    assert day.begin <= at < day.end
    assert day == calendar.day(day.date)
    hours = calendar.hours(day)
    assert sum(hour.begin <= at < hour.end for hour in hours) == 1
    assert [hours[0].begin, hours[-1].end] == [day.begin, day.end]
    assert all(above.end == below.begin for above, below in itertools.pairwise(hours))


@given(calendars, moments, st.sampled_from(Span))
def test_the_days_of_a_span_follow_each_other_and_hold_the_date(calendar: Calendar, at: int, span: Span) -> None:
    name = calendar.day_at(at).date
    days = calendar.days(span, name)
    assert name in [day.date for day in days]
    assert all(above.end == below.begin for above, below in itertools.pairwise(days))
    assert len(days) == {Span.DAY: 1, Span.WEEK: 7}.get(span, len(days))


@pytest.mark.parametrize(("name", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_the_days_on_which_clocks_change_have_23_and_25_hours(name: date, hours: int) -> None:
    calendar = Calendar(ZoneInfo("Europe/Lisbon"))
    labels = [hour.label for hour in calendar.hours(calendar.day(name))]
    assert len(labels) == hours
    assert ("01:00" in labels) == (hours != 23)
    assert labels.count("01:00") == {23: 0, 24: 1, 25: 2}[hours]


def test_a_bar_that_closes_at_three_has_its_night_in_one_day() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    calendar = Calendar(zone, 4)
    late = int(datetime(2026, 11, 19, 2, 59, tzinfo=zone).timestamp())
    assert calendar.day_at(late).date == date(2026, 11, 18)
    assert calendar.day_at(late + 3661).date == date(2026, 11, 19)


@pytest.mark.parametrize("name", [date.min, date.max])
def test_dates_that_no_clock_shows_are_brought_near(name: date) -> None:
    for span in Span:
        days = Calendar(ZoneInfo("UTC")).days(span, name)
        assert days[0].date < days[-1].date + timedelta(1)
