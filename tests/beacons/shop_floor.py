"""A radio's ears on simulated walkers: what presence makes of them."""

import math
from typing import NamedTuple

from edgebox.beacons.heard import Heard, TagKey, TagKind
from edgebox.beacons.presence import TILL, Moved, Presence, Step, Zone
from hw_sim.walkers import POWER_DBM, STAND_S, WALK_IN_S, Advert, Kind, Walker, Walkers

UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
SILENCE_S = 60  # behind the last frame, so that who is lost is told


def key(number: int = 1) -> TagKey:
    return TagKey(TagKind.IBEACON, UUID, 1, number)


def heard(metres: float, at_s: float, number: int = 1) -> Heard:
    """Without noise."""
    return Heard(key(number), round(POWER_DBM - 27 * math.log10(metres)), POWER_DBM, at_s)


class Told(NamedTuple):
    """A step, and when presence said so."""

    at_s: float
    moved: Moved


def told(presence: Presence, adverts: list[Advert], end_s: float = 0.0) -> list[Told]:
    """Feeds adverts with a look each second, as the box does."""
    found: list[Told] = []
    look_s = adverts[0].at_s if adverts else 0.0
    for advert in adverts:
        while look_s < advert.at_s:
            found += [Told(look_s, moved) for moved in presence.look(look_s)]
            look_s += 1.0
        one = Heard(key(advert.who), advert.rssi_dbm, POWER_DBM, advert.at_s)
        found += [Told(advert.at_s, moved) for moved in presence.hear(one)]
    for _ in range(SILENCE_S + int(max(0.0, end_s - look_s))):
        found += [Told(look_s, moved) for moved in presence.look(look_s)]
        look_s += 1.0
    return found


class Figures(NamedTuple):
    """Of so many customers, passers and people in a queue. Shares of 1; seconds."""

    lag_p50_s: float
    lag_p95_s: float
    missed: float
    flapped: float
    false_passers: float
    false_queue: float


def figures(seeds: range, *, gaps: bool = False, zone: Zone = TILL) -> Figures:
    """One of each kind for each seed."""
    lags, missed, flapped = [], 0, 0
    false = {Kind.PASSER: 0, Kind.QUEUE: 0}
    for seed in seeds:
        walkers = Walkers(seed)
        begin_s = 100.0 + seed * 1.7 % 15  # an adapter's rounds are nobody's steps
        customer = walkers.walker(Kind.CUSTOMER, begin_s)
        steps = _told_of(walkers, customer, gaps=gaps, zone=zone)
        entered = [one.at_s for one in steps if one.moved.step is Step.ENTERED]
        missed += not entered
        flapped += len(entered) > 1
        lags += [at_s - (begin_s + WALK_IN_S) for at_s in entered[:1] if at_s < begin_s + STAND_S]
        for kind in false:
            steps = _told_of(walkers, walkers.walker(kind, begin_s), gaps=gaps, zone=zone)
            false[kind] += any(one.moved.step is Step.ENTERED for one in steps)
    lags.sort()
    count = len(seeds)
    return Figures(
        lags[len(lags) // 2], lags[math.ceil(0.95 * len(lags)) - 1], missed / count, flapped / count,
        false[Kind.PASSER] / count, false[Kind.QUEUE] / count,
    )  # fmt: skip


def _told_of(walkers: Walkers, walker: Walker, *, gaps: bool, zone: Zone) -> list[Told]:
    return told(Presence((zone,)), list(walkers.adverts(walker, gaps=gaps)))
