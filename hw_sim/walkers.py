"""A shop full of beacons: people who walk in, pass by, queue and leave, as a radio at the till would hear them.

Owns: paths, and what becomes of a signal on its way: distance, a body in between, reflections, lost frames, tags that
fall silent, adapters that listen part of the time. All by a seed. Never: judges; `truth` says where somebody was.

The signal: log-distance with n = 2.7; a person's own shade that stays with them (3 dB); fast fading of 4 dB, and in
15 of 100 frames a deep notch. [the house plan's prototype, which took the figures from published indoor measurements]
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

POWER_DBM = -59  # at one metre: what most tags say
N_DB = 27.0
SHADE_DB = 3.0
FADE_DB = 4.0
NOTCH_SHARE, NOTCH_DB = 0.15, 10.0
LOST_SHARE = 0.3  # of frames: three channels, one radio that also does other things
EARSHOT_M = 25.0
SCAN_S = (10.24, 15.24)  # an adapter that listens 10 s of every 15: a kernel's default background scan


class Kind(StrEnum):
    """What somebody does."""

    CUSTOMER = "customer"  # walks in, stands at the till, leaves
    PASSER = "passer"  # crosses in front of the till at 3.2 m
    QUEUE = "queue"  # waits 4 m away
    STAFF = "staff"  # is behind the till, goes to the back and returns
    STILL = "still"  # hangs on a wall


class Advert(NamedTuple):
    """One frame as the radio hears it. `who`: the walker's number."""

    at_s: float
    who: int
    rssi_dbm: int


class Walker(NamedTuple):
    """Somebody with a tag that sends every `every_s`. `shade_db`: what their body takes away, or adds."""

    who: int
    kind: Kind
    path: Callable[[float], float]
    begin_s: float
    end_s: float
    shade_db: float
    every_s: float = 0.3
    silent: tuple[tuple[float, float], ...] = ()

    def metres(self, at_s: float) -> float:
        """How far from the till."""
        return self.path(at_s - self.begin_s)


WALK_IN_S, STAND_S = 7.0, 60.0  # a customer's: 8 m at 1 m/s, then a minute at the till


def customer(t: float) -> float:
    """8 m away, walks up in 7 s, stands at 1 m until the first minute is over, leaves."""
    if t < WALK_IN_S:
        return 8.0 - t
    return 1.0 if t < STAND_S else 1.0 + (t - STAND_S) * 1.2


def passer(t: float) -> float:
    """Crosses at 1.2 m/s; nearest after 10 s, at 3.2 m."""
    return math.hypot(3.2, (t - 10.0) * 1.2)


def queue(_: float) -> float:
    """Stands."""
    return 4.0


def staff(t: float) -> float:
    """Four minutes at the till, one in the back."""
    return 0.8 if t % 300 < 240 else 9.0


_PATHS = {Kind.CUSTOMER: customer, Kind.PASSER: passer, Kind.QUEUE: queue, Kind.STAFF: staff}
_LASTS_S = {Kind.CUSTOMER: 90.0, Kind.PASSER: 24.0, Kind.QUEUE: 90.0, Kind.STAFF: 3600.0, Kind.STILL: 3600.0}


class Walkers:
    """Everybody of one seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0

    def walker(self, kind: Kind, begin_s: float = 0.0, *, every_s: float = 0.3, still_m: float = 3.0) -> Walker:
        """One of a kind, with a shade of their own."""
        self._count += 1
        path = _PATHS.get(kind, lambda _: still_m)
        shade = self._chance.gauss(0.0, SHADE_DB)
        return Walker(self._count, kind, path, begin_s, begin_s + _LASTS_S[kind], shade, every_s)

    def adverts(self, walker: Walker, *, gaps: bool = False) -> Iterator[Advert]:
        """What is heard of one. `gaps`: by an adapter that listens 10 s of 15."""
        at_s = walker.begin_s + self._chance.random() * walker.every_s
        while at_s < walker.end_s:
            metres = walker.metres(at_s)
            is_heard = metres < EARSHOT_M and self._chance.random() >= LOST_SHARE
            if gaps and at_s % SCAN_S[1] >= SCAN_S[0]:
                is_heard = False
            if is_heard and not any(since <= at_s < until for since, until in walker.silent):
                yield Advert(at_s, walker.who, self.rssi(metres, walker.shade_db))
            at_s += walker.every_s * self._chance.uniform(0.9, 1.1)

    def rssi(self, metres: float, shade_db: float) -> int:
        """One frame's strength."""
        chance = self._chance
        fade = -abs(chance.gauss(0.0, NOTCH_DB)) if chance.random() < NOTCH_SHARE else chance.gauss(0.0, FADE_DB)
        return round(POWER_DBM - N_DB * math.log10(max(metres, 0.3)) + shade_db + fade)

    def together(self, walkers: list[Walker], *, gaps: bool = False) -> Iterator[Advert]:
        """All of them, in order."""
        return heapq.merge(*(self.adverts(walker, gaps=gaps) for walker in walkers))
