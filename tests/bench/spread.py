"""Numbers from many noisy rounds, and how far to trust them.

Owns: percentiles, medians and the bootstrap interval. Never: measures. A shared machine is fast now and slow then, so
candidates are compared within a round, and only the ratios of rounds are put together.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

RESAMPLES = 2000  # the interval's ends then move by less than its width's twentieth from seed to seed
COVERAGE = 0.95


class Interval(NamedTuple):
    """A median with the interval in which 95 % of bootstrap medians lie."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; nearest rank, no interpolation."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def interval(values: Sequence[float], seed: int = 1) -> Interval:
    """Median and 95 % percentile bootstrap. The same values and seed give the same interval."""
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    outside = (1 - COVERAGE) / 2
    low, high = medians[int(outside * RESAMPLES)], medians[int((1 - outside) * RESAMPLES) - 1]
    return Interval(statistics.median(values), low, high)
