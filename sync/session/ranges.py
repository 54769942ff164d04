"""A set of row numbers as ranges: what is on its way, what the broker has.

Owns: union, difference and the search for gaps. Never: more than RANGES_MAX ranges; what does not fit is forgotten,
which costs rows sent twice and loses none.

Rows mostly go out in order, so a stream of a million rows is one range here. Holes come from refusals and lost
connections, and there are at most as many of them as there are messages out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

RANGES_MAX = 4096  # four times the largest window: every message out could stand alone


class Ranges:
    """Whole numbers, kept as ordered ranges that neither touch nor overlap. Both ends belong to a range."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __len__(self) -> int:
        """How many ranges."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and self._lasts[at] >= number

    @property
    def count(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    @property
    def last(self) -> int:
        """The highest number; 0 when empty."""
        return self._lasts[-1] if self._lasts else 0

    def add(self, first: int, last: int) -> bool:
        """All numbers from `first` through `last`. False: no room for one more range, nothing was added."""
        if first > last:
            return True
        low = bisect_left(self._lasts, first - 1)  # the first range that touches or overlaps
        high = bisect_right(self._firsts, last + 1)
        if low == high and len(self._firsts) >= RANGES_MAX:
            return False
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high], self._lasts[low:high] = [first], [last]
        return True

    def remove(self, first: int, last: int) -> None:
        """None of the numbers from `first` through `last`."""
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        if first > last or low >= high:
            return
        left, right = self._firsts[low], self._lasts[high - 1]
        kept = [pair for pair in ((left, first - 1), (last + 1, right)) if pair[0] <= pair[1]]
        if len(kept) > high - low and len(self._firsts) >= RANGES_MAX:
            kept.pop()
        self._firsts[low:high] = [pair[0] for pair in kept]
        self._lasts[low:high] = [pair[1] for pair in kept]

    def gap(self, first: int, last: int) -> tuple[int, int] | None:
        """The first run of numbers from `first` through `last` that is not here."""
        at = bisect_right(self._firsts, first) - 1
        if at >= 0 and self._lasts[at] >= first:
            first = self._lasts[at] + 1
        if at + 1 < len(self._firsts):
            last = min(last, self._firsts[at + 1] - 1) if self._firsts[at + 1] > first else last
        return (first, last) if first <= last else None

    def through(self, start: int) -> int:
        """The end of the range that holds `start` + 1; `start` itself when none does."""
        at = bisect_right(self._firsts, start + 1) - 1
        return max(start, self._lasts[at]) if at >= 0 else start
