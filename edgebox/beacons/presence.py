"""Who is near: from single advertisements to "has come" and "has gone". Pure: what was heard and a clock value in.

Owns: smoothing, distance, hysteresis, and what silence means. Never: knows whose tag it is (tags.py), writes anything
down (visits.py), or reads a clock: `mono_s` is time.monotonic(), so that a wall clock that jumps moves nobody.

Signal strength is noise with some distance in it. So all is decided on the middle half of the last WINDOW_S, its
mean, in decibels of path loss (the power at one metre, as the beacon says and calibration corrects it, less what
arrived), and each step wants time and samples: near for HOLD_S with SAMPLES of them near, far for GONE_S, silent for
LOST_S. Between the two distances of a zone nothing changes.

Who has come has moved: a tag whose signal has not changed by MOVED_DB must look near over all of PAST_S. Of 2,000
people who wait 4 m away for 90 s, 10 are taken for near; without this 30, and with the house plan's plain median over
5 s 42, twice its own target of 1 %. [walkers and seeds of `python -m tests.bench presence`, which prints the first]

While nothing could be heard (`deaf`), silence means nothing: that time is not counted, and no step goes on across it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from edgebox.beacons.heard import Deaf, Heard, TagKey

WINDOW_S = 4.0  # shorter is noise, longer is late: with 5 s the slowest 5 % of entries are seen 6 s late, not 5.4
APART_S = 0.0625  # samples are taken so far apart: iBeacons send every 100 ms, and 64 samples are a full window
SAMPLES_MAX = 64  # of a window, whatever is sent: WINDOW_S / APART_S
PAST_S = 20.0  # what was before: long enough for four windows that have nothing in common
PAST_APART_S = 0.25  # kept of it, so that it has 64 samples, too
PAST_MAX = 64
PAST_SAMPLES = 6  # fewer say nothing about before
MOVED_DB = 7.0  # from 3.6 m to 2 m; noise alone does that once in 5,000 windows
SAMPLES = 3  # near ones that a step wants
HOLD_S = 2.0  # near for so long: has come. Who walks past is faster
GONE_S = 6.0  # far for so long: has gone. Who turns round with the tag in a pocket is back by then
LOST_S = 45.0  # unheard for so long: has gone. Three rounds of an adapter that hears 10 s of 15
FRESH_S = 3.0  # heard so lately: is still where it was
N_DB = 27.0  # per decade of distance: 10 * n, n = 2.7 in a furnished shop [log-distance model, house plan §12]
TRACKS_MAX = 256  # tags at once, at most 12 KB each; a crowd of shoppers with tags is dozens
RSSI_DBM = (-120, 20)  # 127 is "not available" [Bluetooth Core 5.4, vol 4 part E, 7.7.65.2]
POWER_DBM = (-110, 0)  # at one metre; what lies outside says nothing about distance
NEAREST_M = 0.1  # nearer than this is an artefact of the model


class Zone(NamedTuple):
    """A circle round the box, in metres: entered within `enter_m`, left beyond `exit_m`."""

    name: str
    enter_m: float
    exit_m: float


TILL = Zone("till", 2.0, 4.0)
SHOP = Zone("shop", 8.0, 16.0)  # the till's ratio of distances, so the same 8 dB between; beyond 16 m few are heard
ZONES = (TILL, SHOP)


class Step(StrEnum):
    """What has happened."""

    ENTERED = "entered"
    LEFT = "left"  # it was heard far away
    LOST = "lost"  # it was not heard any more
    DROPPED = "dropped"  # nobody listens for it any more


class Moved(NamedTuple):
    """A tag has come into or gone out of a zone. `mono_s`: when that began to show, not when it was certain; of a
    tag that was lost, when it was last heard. `began_s`: its entry; `nearest_m`: since then."""

    key: TagKey
    zone: str
    step: Step
    mono_s: float
    began_s: float
    nearest_m: float


class Seen(NamedTuple):
    """A tag as it stands. `zones`: those it is in; `samples` of the window."""

    key: TagKey
    distance_m: float
    rssi_dbm: float
    zones: tuple[str, ...]
    last_s: float
    samples: int


def loss_at(metres: float) -> float:
    """Decibels lost between one metre and so many."""
    return N_DB * math.log10(max(metres, NEAREST_M))


def metres_at(loss_db: float) -> float:
    """The other way round."""
    return max(NEAREST_M, math.pow(10.0, min(loss_db, 200.0) / N_DB))


def _middle(losses: list[float]) -> float:
    """The mean of the middle half, of values in order: as deaf to outliers as a median, with a third less noise."""
    cut = len(losses) // 4
    return sum(losses[cut : len(losses) - cut]) / (len(losses) - 2 * cut)


class _Circle:
    """A tag and a zone. `since`: the step that is going on began; `count`: samples for it."""

    __slots__ = ("began_s", "count", "inside", "nearest_db", "since")

    def __init__(self) -> None:
        self.inside = False
        self.since = -1.0
        self.count = 0
        self.began_s = 0.0
        self.nearest_db = math.inf


class _Track:
    """One tag."""

    __slots__ = ("alive_s", "circles", "key", "last_s", "loss_db", "losses", "past", "power_db", "reach_s", "samples")

    def __init__(self, key: TagKey, zones: int, now: float) -> None:
        self.key = key
        self.last_s = now  # heard
        self.alive_s = now  # heard, or excused until then
        self.samples: deque[tuple[float, float]] = deque()
        self.losses: list[float] = []  # of the samples, in order
        self.past: deque[tuple[float, float]] = deque(maxlen=PAST_MAX)  # those before
        self.loss_db = math.inf  # of the middle half
        self.power_db = 0.0
        self.reach_s = -1.0  # within reach since then
        self.circles = [_Circle() for _ in range(zones)]

    def take(self, now: float, loss: float) -> None:
        """One more sample; old ones become the past."""
        samples, losses = self.samples, self.losses
        if samples and now - samples[-1][0] > WINDOW_S:
            self.forget()  # nothing goes on across a silence as long as the window
        while samples and (now - samples[0][0] > WINDOW_S or len(samples) >= SAMPLES_MAX):
            sample = samples.popleft()
            del losses[bisect_left(losses, sample[1])]
            self._keep(sample)
        samples.append((now, loss))
        insort(losses, loss)
        self.loss_db = _middle(losses)

    def is_near(self, limit_db: float) -> bool:
        """Has come that near: it has moved, or was there all the time."""
        if self.loss_db > limit_db:
            return False
        last = self.samples[-1][0]
        before = sorted([loss for at, loss in self.past if last - at <= PAST_S])
        if len(before) < PAST_SAMPLES or _middle(before) - self.loss_db >= MOVED_DB:
            return True
        return _middle(sorted(before + self.losses)) <= limit_db

    def _keep(self, sample: tuple[float, float]) -> None:
        if not self.past or sample[0] - self.past[-1][0] >= PAST_APART_S:
            self.past.append(sample)

    def forget(self) -> None:
        """What was heard so far brings nobody nearer any more; where it is, and was, stands."""
        for sample in self.samples:
            self._keep(sample)
        self.samples.clear()
        self.losses.clear()
        self.reach_s = -1.0
        for circle in self.circles:
            circle.since = -1.0


class Presence:
    """All tags. `reach_m`: who is within, for HOLD_S, stands at the till's front. `counters`: `crowded`, `nonsense`,
    `backwards` adverts that were dropped."""

    def __init__(self, zones: Iterable[Zone] = ZONES, *, reach_m: float = 1.0, tracks_max: int = TRACKS_MAX) -> None:
        """ValueError: a zone that is left nearer than it is entered."""
        self.counters: Counter[str] = Counter()
        self._zones = tuple(zones)
        if any(not 0 < zone.enter_m < zone.exit_m for zone in self._zones):
            raise ValueError("a zone is entered nearer than it is left")
        self._limits = tuple((loss_at(zone.enter_m), loss_at(zone.exit_m)) for zone in self._zones)
        self._reach_db = loss_at(reach_m)
        self._tracks_max = tracks_max
        self._tracks: dict[TagKey, _Track] = {}
        self._deaf_s: float | None = None  # since then

    def __len__(self) -> int:
        return len(self._tracks)

    # -- what comes in

    def hear(self, heard: Heard, offset_db: float = 0.0) -> list[Moved]:
        """One advertisement. `offset_db`: of the tag's calibration, added to the power it claims."""
        now = heard.mono_s
        loss = heard.power_dbm + offset_db - heard.rssi_dbm
        if not (
            RSSI_DBM[0] <= heard.rssi_dbm <= RSSI_DBM[1]  # false for NaN, too
            and POWER_DBM[0] <= heard.power_dbm <= POWER_DBM[1]
            and math.isfinite(loss)
            and math.isfinite(now)
        ):
            self.counters["nonsense"] += 1
            return []
        track = self._tracks.get(heard.key)
        moved: list[Moved] = []
        if track is None:
            track = self._new(heard.key, now)
            if track is None:
                self.counters["crowded"] += 1
                return []
        elif now < track.last_s:
            self.counters["backwards"] += 1
            return []
        elif now - track.alive_s > LOST_S and self._deaf_s is None:
            moved = self._gone(track, Step.LOST)  # `look` would have said so
            track.forget()
        track.last_s = track.alive_s = now
        if track.samples and now - track.samples[-1][0] < APART_S:
            return moved
        track.power_db = loss + heard.rssi_dbm
        track.take(now, loss)
        moved += self._steps(track, now)
        return moved

    def deaf(self, deaf: Deaf) -> None:
        """Nothing could be heard: that time is nobody's silence. Of one that lasts, the end is told later."""
        since, until = deaf
        if until is None:
            self._deaf_s = since if math.isfinite(since) else None
            return
        self._deaf_s = None
        if not (math.isfinite(since) and since < until < math.inf):
            return
        for track in self._tracks.values():
            if track.last_s < until:
                track.alive_s = max(track.alive_s, min(track.alive_s + until - max(since, track.last_s), until))
                track.forget()

    def look(self, now: float) -> list[Moved]:
        """Once a second: who has not been heard for LOST_S is gone."""
        if self._deaf_s is not None or not math.isfinite(now):
            return []
        moved: list[Moved] = []
        for track in [track for track in self._tracks.values() if now - track.alive_s > LOST_S]:
            moved += self._gone(track, Step.LOST)
            del self._tracks[track.key]
        return moved

    def drop(self, key: TagKey) -> list[Moved]:
        """Nobody listens for it any more."""
        track = self._tracks.pop(key, None)
        return self._gone(track, Step.DROPPED) if track is not None else []

    # -- what is asked

    @property
    def is_deaf(self) -> bool:
        """Nothing can be heard now."""
        return self._deaf_s is not None

    def seen(self) -> Iterator[Seen]:
        """All that are known now."""
        for track in self._tracks.values():
            rssi = track.power_db - track.loss_db
            zones = tuple(zone.name for zone, circle in zip(self._zones, track.circles, strict=True) if circle.inside)
            yield Seen(track.key, metres_at(track.loss_db), rssi, zones, track.last_s, len(track.samples))

    def within_reach(self, now: float) -> list[TagKey]:
        """Who has been within `reach_m` for HOLD_S, and still was a moment ago. Nobody while nothing can be heard."""
        if self._deaf_s is not None:
            return []
        return [
            track.key
            for track in self._tracks.values()
            if track.reach_s >= 0
            and track.last_s - track.reach_s >= HOLD_S
            and now - track.last_s <= FRESH_S
            and bisect_right(track.losses, self._reach_db) >= SAMPLES
        ]

    def is_fresh(self, key: TagKey, now: float, within_s: float) -> bool:
        """It was heard so lately."""
        track = self._tracks.get(key)
        return track is not None and now - track.last_s <= within_s

    def inside(self, zone: str) -> Iterator[TagKey]:
        """Who is in a zone now."""
        at = next((at for at, one in enumerate(self._zones) if one.name == zone), None)
        if at is not None:
            yield from (track.key for track in self._tracks.values() if track.circles[at].inside)

    # -- inside

    def _new(self, key: TagKey, now: float) -> _Track | None:
        """Room for one more: the one outside of all zones that was heard longest ago makes place; else none."""
        if len(self._tracks) >= self._tracks_max:
            outside = [one for one in self._tracks.values() if not any(circle.inside for circle in one.circles)]
            oldest = min(outside, key=lambda one: one.last_s, default=None)
            if oldest is None or now - oldest.last_s < WINDOW_S:
                return None
            del self._tracks[oldest.key]
        track = self._tracks[key] = _Track(key, len(self._zones), now)
        return track

    def _steps(self, track: _Track, now: float) -> list[Moved]:
        moved: list[Moved] = []
        loss, losses = track.loss_db, track.losses
        if loss > self._reach_db:
            track.reach_s = -1.0
        elif track.reach_s < 0:
            track.reach_s = now
        for at, (enter_db, exit_db) in enumerate(self._limits):
            circle = track.circles[at]
            if circle.inside and loss < circle.nearest_db:
                circle.nearest_db = loss
            if not (loss > exit_db if circle.inside else track.is_near(enter_db)):
                circle.since = -1.0
                continue
            if circle.since < 0:
                circle.since, circle.count = now, 0
            circle.count += 1
            if circle.count < SAMPLES or now - circle.since < (GONE_S if circle.inside else HOLD_S):
                continue
            if circle.inside:
                moved.append(self._out(track, at, Step.LEFT, circle.since))
            elif bisect_right(losses, enter_db) >= SAMPLES:
                circle.inside, circle.began_s, circle.nearest_db = True, circle.since, loss
                circle.since = -1.0
                moved.append(self._moved(track, at, Step.ENTERED, circle.began_s))
        return moved

    def _gone(self, track: _Track, step: Step) -> list[Moved]:
        return [self._out(track, at, step, track.last_s) for at, one in enumerate(track.circles) if one.inside]

    def _out(self, track: _Track, at: int, step: Step, when_s: float) -> Moved:
        circle = track.circles[at]
        moved = self._moved(track, at, step, max(when_s, circle.began_s))
        circle.inside, circle.since, circle.nearest_db = False, -1.0, math.inf
        return moved

    def _moved(self, track: _Track, at: int, step: Step, when_s: float) -> Moved:
        circle = track.circles[at]
        return Moved(track.key, self._zones[at].name, step, when_s, circle.began_s, metres_at(circle.nearest_db))
