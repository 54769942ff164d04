"""The numbers of one stream that have come: how far without a gap, and what is missing behind that.

Owns: `Counted`, for one box, epoch and stream. Pure. Never: the rows themselves (ledger.py).

Numbers count from 1. Kept as disjoint ranges in order: a box sends in order, so there are few; with more than
RANGES_MAX gaps the newest numbers are not taken, and the box sends them again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

RANGES_MAX = 10_000  # gaps of one stream; each costs about 150 bytes
MISSING_MAX = 64  # ranges in one Ack (sync/contract.py)


class Counted:
    """What has come of one stream and epoch."""

    __slots__ = ("_ends", "_starts", "through")

    def __init__(self, through: int = 0) -> None:
        self.through = through
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, first: int, last: int) -> bool:
        """Takes note of first…last. False: not taken, there are too many gaps."""
        first = max(first, self.through + 1)
        if last < first:
            return True
        low = bisect_left(self._ends, first - 1)
        high = bisect_right(self._starts, last + 1)
        if low == high and len(self._starts) >= RANGES_MAX and first > self.through + 1:
            return False
        if low < high:
            first, last = min(first, self._starts[low]), max(last, self._ends[high - 1])
        self._starts[low:high], self._ends[low:high] = [first], [last]
        if self._starts[0] <= self.through + 1:
            self.through = self._ends[0]
            del self._starts[0], self._ends[0]
        return True

    def __contains__(self, number: int) -> bool:
        if number <= self.through:
            return number > 0
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    @property
    def highest(self) -> int:
        """The highest number that has come."""
        return self._ends[-1] if self._ends else self.through

    @property
    def is_whole(self) -> bool:
        """Nothing is missing below the highest."""
        return not self._starts

    def missing(self, limit: int = MISSING_MAX) -> tuple[tuple[int, int], ...]:
        """The gaps, lowest first, at most `limit`."""
        firsts = [self.through + 1, *(end + 1 for end in self._ends[:-1])]
        return tuple((first, start - 1) for first, start in zip(firsts[:limit], self._starts, strict=False))

    def gaps(self, limit: int = MISSING_MAX) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Up to which number the gaps are told, and they: with more than `limit` of them the rest waits its turn."""
        missing = self.missing(limit)
        return (self._ends[len(missing) - 1] if missing else self.through), missing
