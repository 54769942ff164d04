"""Visits: what presence says of tags, as the shop writes it down. Pure: steps and two clock values in, records out.

Owns: a visit's begin, end and length, how many rows a day may have, and the counts of the hour. Never: who is near
(presence.py), the disk (watch.py), or a name of somebody who is not listed: those are counted at most.

Begin and end are the wall clock's, the length between is the steady clock's: a clock that is set meanwhile makes no
visit shorter than nothing. Whatever is on the air, a day has no more rows than `day_max`, and one tag no more than its
share: what is above is counted by the hour like all else, and not written down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edgebox.beacons.heard import TagKey
from edgebox.beacons.presence import Moved, Step
from edgebox.beacons.tags import Tag
from edgebox.store.events import VisitRecord
from edgebox.store.visits import HOUR_S, Count, Slot

ROWS = 2  # of a visit: its begin and its end
TAG_DAY_MAX = 200  # rows of one tag in a day: fifty visits to two zones; who comes more often wears a broken tag
DAY_S = 86_400.0
UNLISTED = "unlisted"  # the role in counts
PEOPLE_MAX = 10_000  # different tags that are told apart within an hour; more are counted as visits alone
WHY = {Step.LEFT: "left", Step.LOST: "lost", Step.DROPPED: "dropped"}
STOPPED, RESTART = "stopped", "restart"


class Moment(NamedTuple):
    """Now: seconds of time.monotonic(), and since 1970."""

    mono_s: float
    at: float


class Budget:
    """So many a day: half of it at once, the other half over the day, so that no 24 hours have more."""

    __slots__ = ("_left", "_rate", "_since", "_top")

    def __init__(self, day_max: int, mono_s: float) -> None:
        self._top = day_max / 2
        self._left = self._top
        self._rate = self._top / DAY_S
        self._since = mono_s

    def has(self, count: int, mono_s: float) -> bool:
        """There is room for so many."""
        self._left = min(self._top, self._left + (mono_s - self._since) * self._rate)
        self._since = mono_s
        return self._left >= count

    def take(self, count: int) -> None:
        """They are used."""
        self._left -= count


class Going(NamedTuple):
    """A visit that goes on. `began_s` by the steady clock; `is_recorded`: its begin is written down."""

    tag: str
    role: str
    zone: str
    at: int
    began_s: float
    is_recorded: bool


class Visits:
    """`day_max`: rows. `counters`: `not_recorded` visits for which there was no room."""

    def __init__(self, day_max: int, mono_s: float) -> None:
        self.counters: Counter[str] = Counter()
        self._budget = Budget(day_max, mono_s)
        self._shares: dict[TagKey, Budget] = {}
        self._going: dict[tuple[TagKey, str], Going] = {}
        self._counts: dict[Slot, Count] = {}
        self._people: set[tuple[TagKey, str]] = set()
        self._hour = 0

    def moved(self, moved: Moved, tag: Tag | None, now: Moment, why: str = "") -> VisitRecord | None:
        """A step; None where nothing is to be written down. No `tag`: of somebody who is not listed. `why` it ended,
        where the step does not say."""
        if moved.step is Step.ENTERED:
            return self._begun(moved, tag, now)
        going = self._going.pop((moved.key, moved.zone), None)
        if going is None:
            return None
        return self._ended(going, moved.mono_s - going.began_s, moved.nearest_m, why or WHY[moved.step])

    def forget(self, keys: Iterable[TagKey]) -> None:
        """Tags that are no longer listed have no share any more."""
        for key in keys:
            self._shares.pop(key, None)

    def going(self) -> Iterator[tuple[TagKey, Going]]:
        """Visits that go on."""
        yield from ((key, going) for (key, _), going in self._going.items())

    def take_counts(self) -> dict[Slot, Count]:
        """What has been counted since the last time."""
        counts, self._counts = self._counts, {}
        return counts

    # -- inside

    def _begun(self, moved: Moved, tag: Tag | None, now: Moment) -> VisitRecord | None:
        at = int(now.at - (now.mono_s - moved.mono_s))
        role = tag.role.value if tag is not None else UNLISTED
        wanted = tag is not None and tag.zone in ("", moved.zone)
        if tag is not None and not wanted:
            return None
        is_recorded = wanted and self._has_room(moved.key, now.mono_s)
        shown = tag.shown if tag is not None else ""
        going = Going(shown, role, moved.zone, at, moved.mono_s, is_recorded)
        self._going[moved.key, moved.zone] = going
        self._count(going, visits=1, people=self._is_new(moved, at))
        return VisitRecord(at=at, tag=shown, zone=moved.zone, role=role) if is_recorded else None

    def _ended(self, going: Going, length_s: float, nearest_m: float, why: str) -> VisitRecord | None:
        dwell_s = max(1, round(length_s))
        self._count(going, dwell_s=dwell_s)
        if not going.is_recorded:
            return None
        return VisitRecord(
            at=going.at, until=going.at + dwell_s, tag=going.tag, zone=going.zone, role=going.role,
            nearest_cm=round(nearest_m * 100), why=why,
        )  # fmt: skip

    def _has_room(self, key: TagKey, mono_s: float) -> bool:
        """Both for all and for this one; the end is paid for, too."""
        share = self._shares.setdefault(key, Budget(TAG_DAY_MAX, mono_s))
        if not (self._budget.has(ROWS, mono_s) and share.has(ROWS, mono_s)):
            self.counters["not_recorded"] += 1
            return False
        self._budget.take(ROWS)
        share.take(ROWS)
        return True

    def _is_new(self, moved: Moved, at: int) -> int:
        hour = at - at % HOUR_S
        if hour not in (self._hour, self._hour - HOUR_S):  # who came at 9:59:58 may be told behind who came at 10:00:01
            self._hour = hour
            self._people.clear()
        one = (moved.key, moved.zone)
        if one in self._people or len(self._people) >= PEOPLE_MAX:
            return 0
        self._people.add(one)
        return 1

    def _count(self, going: Going, *, visits: int = 0, people: int = 0, dwell_s: int = 0) -> None:
        slot = Slot(going.at - going.at % HOUR_S, going.zone, going.role)
        self._counts[slot] = self._counts.get(slot, Count()).plus(visits, people, dwell_s)
