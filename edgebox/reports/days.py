"""The shop's days: where each begins and ends in its time zone, and the weeks and months made of them.

Owns: `Calendar`. Pure: zone, hour and times in. Never: a clock.

A day begins at `begins` o'clock by the shop's clock, and is named by the date on which it begins. The days on which
clocks are changed have 23 or 25 hours; their hours are counted from the day's beginning, so none is left out or twice.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

HOUR_S = 3600
DATE_MAX = date(9998, 12, 31)  # a day's end must be a date, too
DATE_MIN = date(1, 2, 1)


class Span(StrEnum):
    """What a chart shows."""

    DAY = "day"  # by hours
    WEEK = "week"  # by days, Monday first (ISO 8601)
    MONTH = "month"  # by days


class Day(NamedTuple):
    """`begin`, `end`: seconds since 1970, `end` outside."""

    date: date
    begin: int
    end: int


class Hour(NamedTuple):
    """`label`: as the shop's clock said at its beginning, `02:00`."""

    begin: int
    end: int
    label: str


class Calendar(NamedTuple):
    """`begins`: the hour at which a day begins."""

    zone: tzinfo
    begins: int = 0

    def day(self, name: date) -> Day:
        """The day of that date; far-off dates are brought to the nearest that a clock may show."""
        name = min(max(name, DATE_MIN), DATE_MAX)
        return Day(name, self._begin(name), self._begin(name + timedelta(1)))

    def day_at(self, at: int) -> Day:
        """The day of that moment."""
        local = datetime.fromtimestamp(at, self.zone).replace(tzinfo=None) - timedelta(hours=self.begins)
        found = self.day(local.date())
        if at < found.begin:
            return self.day(found.date - timedelta(1))
        return self.day(found.date + timedelta(1)) if at >= found.end else found

    def days(self, span: Span, name: date) -> tuple[Day, ...]:
        """The days of the span that holds that date."""
        if span is Span.DAY:
            return (self.day(name),)
        name = min(max(name, DATE_MIN), DATE_MAX)
        first, count = name - timedelta(name.weekday()), 7
        if span is Span.MONTH:
            first, count = name.replace(day=1), monthrange(name.year, name.month)[1]
        return tuple(self.day(first + timedelta(number)) for number in range(count))

    def hours(self, day: Day) -> tuple[Hour, ...]:
        """Its hours; the last is shorter where a change of the clocks is no whole hour."""
        return tuple(
            Hour(begin, min(begin + HOUR_S, day.end), f"{datetime.fromtimestamp(begin, self.zone):%H:%M}")
            for begin in range(day.begin, day.end, HOUR_S)
        )

    def _begin(self, name: date) -> int:
        return int(datetime.combine(name, time(self.begins), self.zone).timestamp())
