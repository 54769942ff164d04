"""When something is in force: days of the week, hours, first and last date, by the shop's own clock on the wall.

Owns: `Window`, `When`, and whether two clocks agree. Never: reads a clock or knows a time zone's rules; the instant and
the zone are handed in.

A window is asked about an instant, not about a time of day: in the night when clocks go back, 02:30 comes twice and is
inside twice; in the night when they go forward it does not come at all. Hours that cross midnight belong to the day on
which they began: `days = ["fri"], from = "22:00", to = "02:00"` ends on Saturday at two.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
# Tills are set by hand and drift; two clocks that agree so closely are not both wrong by a boot without a clock, which
# is wrong by months.
AGREE_S = 600


class When(NamedTuple):
    """An instant in seconds since 1970, and whether the clock that told it is to be believed."""

    at: int
    trusted: bool = True

    def local(self, zone: tzinfo) -> datetime:
        """The wall clock in the shop."""
        return datetime.fromtimestamp(self.at, zone)


class Window(NamedTuple):
    """`days`: 0 is Monday, none: all. Minutes since midnight, `to_minute` outside; None: all day. Dates are inside."""

    days: frozenset[int] = frozenset()
    from_minute: int | None = None
    to_minute: int | None = None
    start: date | None = None
    end: date | None = None

    @property
    def is_always(self) -> bool:
        """No clock is needed to say that it is in force."""
        return self == ALWAYS

    def covers(self, local: datetime) -> bool:
        """Whether the wall clock's time is inside."""
        day = self._day(local)
        if day is None or (self.days and day.weekday() not in self.days):
            return False
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)

    def _day(self, local: datetime) -> date | None:
        """The day on which the hours began that `local` is in; None: it is outside of them."""
        if self.from_minute is None or self.to_minute is None:
            return local.date()
        minute = local.hour * 60 + local.minute
        crosses_midnight = self.to_minute <= self.from_minute
        if crosses_midnight and minute < self.to_minute:
            return local.date() - timedelta(days=1)
        inside = self.from_minute <= minute and (crosses_midnight or minute < self.to_minute)
        return local.date() if inside else None


ALWAYS = Window()


def till_agrees(when: When, zone: tzinfo, printed_date: str, printed_time: str) -> bool:
    """The till's printed time (ISO date, `18:42` or `18:42:07`) bears the box's clock out to AGREE_S seconds.

    Both are wall clocks, so that the hour that comes twice in autumn does no harm. Nothing printed: False.
    """
    try:
        printed = datetime.fromisoformat(f"{printed_date} {printed_time}")
    except ValueError:
        return False
    return abs(printed - when.local(zone).replace(tzinfo=None)) <= timedelta(seconds=AGREE_S)
