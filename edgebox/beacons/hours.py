"""When the shop is on the air: opening hours as a person writes them.

Owns: how hours are spelled, and whether an instant is inside. Never: reads a clock.

`10:00-22:00` every day; `mon-fri 10:00-22:00` and `sat sun 11:00-02:00` on those. Hours that cross midnight belong to
the day on which they began (edgebox/loyalty/windows.py, which also says what becomes of them when clocks change).
No hours at all: always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from edgebox.loyalty.windows import DAYS, Window

_TIMES = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY_MINUTES = 24 * 60


class Hours(NamedTuple):
    """Some windows; inside one is inside."""

    windows: tuple[Window, ...] = ()

    def covers(self, local: datetime) -> bool:
        """`local`: the shop's own wall clock."""
        return not self.windows or any(window.covers(local) for window in self.windows)


def read_hours(lines: Sequence[str]) -> Hours:
    """ValueError names the line that can't be read."""
    return Hours(tuple(_window(line) for line in lines))


def _window(line: str) -> Window:
    *days, times = line.lower().split() or [""]
    match = _TIMES.fullmatch(times)
    if match is None:
        raise ValueError(f"{line!r} are no hours: as `10:00-22:00` or `mon-fri 10:00-22:00`")
    begin, end = (int(match[i]) * 60 + int(match[i + 1]) for i in (1, 3))
    if max(begin, end) > _DAY_MINUTES or begin in (_DAY_MINUTES, end):
        raise ValueError(f"{line!r} are no hours: they begin before 24:00, and end at another time")
    if (begin, end) == (0, _DAY_MINUTES):
        return Window(days=_days(days, line))
    return Window(days=_days(days, line), from_minute=begin, to_minute=end)


def _days(words: Sequence[str], line: str) -> frozenset[int]:
    found: set[int] = set()
    for word in words:
        first, dash, last = word.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{word!r} in {line!r} is no day: {', '.join(DAYS)}, or as mon-fri")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return frozenset(found)
