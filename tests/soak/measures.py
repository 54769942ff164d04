"""Figures out of what was seen: robust slopes, what was disturbed and what was not, bytes a receipt.

Owns: the arithmetic. Never: says whether a figure is good (verdict.py). Pure.
"""

from __future__ import annotations

import statistics
from bisect import bisect
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from tests.soak.plan import QUIET, What
from tests.soak.seen import Depth, Paper, Sample, Seen, Setting, Trouble

HOUR_S = 3600.0
POINTS_MAX = 240  # of a slope: 28,680 pairs
BEFORE_S, AFTER_S = 0.5, 2.0  # a kill is felt so long before it was written down, and so long after all is started
OTHERS = 1.0  # load above the machine's cores; the shop's own, hardware and all, is about one
LOAD_S = 60.0
SLOW_START_S = 20.0  # of an engine, on a machine that others use
ENGINE_AWAY_S = 5.0  # an engine needs up to so long on a busy machine until its lines have it again
# What a 32 GB eMMC takes: 3,000 erase cycles of its TLC blocks (makers' data sheets say 3,000 to 5,000), of which small
# synced writes use up four times their bytes (a page of 16 KB for 4 KB of ours).
EMMC_BYTES, CYCLES, AMPLIFIED = 32e9, 3000, 4.0

AnySeen = TypeVar("AnySeen", bound=Seen)


class Point(NamedTuple):
    """One value at one time."""

    at_s: float
    value: float


class Told:
    """What was seen, by kind; `hours(x)` and `quiet` count from the run's beginning."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self._seen = seen
        self.setting = self.only(Setting)[0]
        self.papers = self.only(Paper)
        self.troubles = self.only(Trouble)
        self._depths = self.only(Depth)

    def only(self, kind: type[AnySeen]) -> list[AnySeen]:
        """In order of time, as they were written."""
        return [one for one in self._seen if isinstance(one, kind)]

    @property
    def quiet(self) -> tuple[float, float]:
        """The part of the run in which no process was ended."""
        whole_s, began_s = self.setting.minutes * 60, self.setting.at_s
        return began_s + QUIET[0] * whole_s, began_s + QUIET[1] * whole_s

    def lives(self) -> dict[str, list[Sample]]:
        """Samples of the quiet part, of processes that lived all through it."""
        found: dict[str, list[Sample]] = defaultdict(list)
        since, until = self.quiet
        for one in self.only(Sample):
            if since <= one.at_s <= until:
                found[one.name].append(one)
        return {name: samples for name, samples in found.items() if len({one.pid for one in samples}) == 1}

    def torn_by(self, line: str, since_s: float, until_s: float) -> bool:
        """Something that destroys what is on its way happened to this line."""
        return any(
            one.destroys and one.where in ("", line) and overlaps(one, since_s - AFTER_S, until_s + BEFORE_S)
            for one in self.troubles
        )

    def spool_lost(self, paper: Paper) -> bool:
        """Its line was killed while the engine was away: what waits in a line's memory is gone then (docs/scale.md)."""
        kills = [one.at_s for one in self.troubles if one.what == What.LINE_KILL and one.where == paper.line]
        away = [one.at_s for one in self.troubles if one.what in (What.ENGINE_KILL, What.ENGINE_RESTART)]
        return any(
            since - BEFORE_S <= paper.at_s <= kill <= since + SLOW_START_S for since in away for kill in kills
        ) or self.torn_by(paper.line, paper.began_s, paper.at_s)

    def disturbed(self, paper: Paper) -> bool:
        """Anything but the broker was in trouble while it was printed, or the shop had not begun."""
        return (
            paper.tries > 1
            or paper.began_s < self.setting.at_s + AFTER_S
            or any(
                overlaps(one, paper.began_s - _lasts_s(one), paper.at_s + BEFORE_S)
                for one in self.troubles
                if one.what != What.BROKER and one.where in ("", paper.line)
            )
        )

    def calm(self) -> list[Paper]:
        """Papers that came out with nothing in trouble."""
        return [one for one in self.papers if one.sure and not self.disturbed(one)]

    def is_alone(self, paper: Paper) -> bool:
        """Nobody else used the machine: else times say nothing about the box."""
        if not self._depths:
            return True
        around = (paper.at_s, paper.at_s + LOAD_S)  # the load is the average of the last minute
        places = (min(bisect(self._depths, at_s, key=_at_s), len(self._depths) - 1) for at_s in around)
        return all(self._depths[place].load <= self.setting.cores + OTHERS for place in places)

    def written(self, names: Collection[str], since_s: float, until_s: float) -> Iterator[Point]:
        """Bytes that these processes, in all their lives, have given to the disk since then."""
        total, before = 0, dict[int, int]()
        first_s = min((one.at_s for one in self.only(Sample)), default=0.0)
        for one in self.only(Sample):
            if one.name in names and one.at_s <= until_s:
                # A life that began meanwhile counts from its first byte.
                was = before.get(one.pid, one.written if one.at_s == first_s else 0)
                before[one.pid] = one.written
                if one.at_s >= since_s:
                    total += one.written - was
                    yield Point(one.at_s, total)


def _at_s(one: Seen) -> float:
    return one.at_s


def overlaps(one: Trouble, since_s: float, until_s: float) -> bool:
    """It lasted at some moment between the two."""
    return one.at_s <= until_s and one.until_s >= since_s


def _lasts_s(one: Trouble) -> float:
    return ENGINE_AWAY_S if one.what in (What.ENGINE_KILL, What.ENGINE_RESTART, What.LINE_KILL) else AFTER_S


def slope_an_hour(points: Sequence[Point]) -> float:
    """Theil–Sen: the median of the slopes between all pairs; a jump or some outliers don't move it. 0: too few."""
    each = max(1, len(points) // POINTS_MAX)
    few = points[::each]
    slopes = [
        (later.value - one.value) / (later.at_s - one.at_s)
        for place, one in enumerate(few)
        for later in few[place + 1 :]
        if later.at_s > one.at_s
    ]
    return statistics.median(slopes) * HOUR_S if slopes else 0.0


def years(bytes_a_day: float) -> float:
    """How long a 32 GB eMMC lives."""
    return EMMC_BYTES * CYCLES / AMPLIFIED / (bytes_a_day * 365)


def repeated(values: Iterable[str]) -> list[str]:
    """Those that come more than once."""
    known, twice = set[str](), list[str]()
    for value in values:
        if value in known:
            twice.append(value)
        known.add(value)
    return twice
