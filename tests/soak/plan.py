"""What happens to the shop, and when: decided before it begins, by a seed.

Owns: the plan. Never: does anything. Pure. What ends a process comes in the first half and in the last moments; between
them each process lives long enough to see whether it grows (verdict.py), while the broker goes up and down, printers
run out of paper and scans go on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class What(StrEnum):
    """What can be done to a shop."""

    BROKER = "broker"  # kill -9, and so many seconds until it is back
    ENGINE_KILL = "engine kill"  # kill -9; started again at once, as systemd does
    ENGINE_RESTART = "engine restart"  # SIGTERM, and started again
    LINE_KILL = "line kill"  # kill -9, as the engine's
    COVER = "cover"  # of the printer, open for so many seconds
    PAPER = "paper"  # out; somebody looks for a roll
    POWER = "power"  # the printer's plug is out
    SCAN = "scan"


PRINTER = (What.PAPER, What.COVER, What.POWER)
CODES = ("goods", "payment", "coupon", "member", "goods", "coupon again")
LINES = ("line1", "line2")
BOX_OWN = ("engine", *LINES, "scan")  # what runs on a box
DRAIN_S = 45.0  # at the end the cloud has all within this: alone it takes two seconds
QUIET = (0.5, 0.95)  # of the run: no process is ended
LONG_MIN = 10.0  # a shorter run has one of each
HISTORY = 12_000  # receipts recorded before a long run: above what the engine remembers by number (10,000 claims)
OUTAGE_S = (4.0, 45.0)
LONG_OUTAGE_S = 180.0
# For a minute: what, where, at which part of it, for how many seconds.
SHORT = (
    (What.BROKER, "", 0.12, 8.0),
    (What.PAPER, "line1", 0.15, 4.0),
    (What.ENGINE_KILL, "", 0.25, 0.0),
    (What.LINE_KILL, "line1", 0.53, 0.0),
    (What.COVER, "line2", 0.45, 3.0),
    (What.BROKER, "", 0.50, 6.0),
    (What.POWER, "line2", 0.66, 2.0),
    (What.ENGINE_RESTART, "", 0.78, 0.0),
    (What.LINE_KILL, "line2", 0.58, 0.0),
)
# Of a long run: what ends a process. The last ones are for a shop that has run for long.
ENDINGS = (
    (What.ENGINE_KILL, "", 0.08),
    (What.LINE_KILL, "line1", 0.14),
    (What.ENGINE_RESTART, "", 0.20),
    (What.LINE_KILL, "line2", 0.25),
    (What.ENGINE_KILL, "", 0.31),
    (What.LINE_KILL, "line1", 0.36),
    (What.LINE_KILL, "line2", 0.42),
    (What.ENGINE_KILL, "", 0.955),
    (What.LINE_KILL, "line1", 0.965),
)


class Planned(NamedTuple):
    """One thing. `at_s`: after the beginning; `for_s`: until it is well again, by itself or by us."""

    at_s: float
    what: What
    where: str = ""
    for_s: float = 0.0


def plan(minutes: float, seed: int) -> list[Planned]:
    """In order of time."""
    chance, whole_s = random.Random(seed), minutes * 60
    scans = list(_scans(whole_s, chance))
    if minutes < LONG_MIN:
        return sorted([*scans, *(Planned(part * whole_s, what, where, s) for what, where, part, s in SHORT)])
    endings = [Planned(part * whole_s, what, where) for what, where, part in ENDINGS]
    return sorted([*scans, *endings, *_outages(whole_s, chance), *_printers(whole_s, chance)])


def _scans(whole_s: float, chance: random.Random) -> Iterator[Planned]:
    at_s, number = 5.0, 0
    while at_s < whole_s - 3.0:
        yield Planned(at_s, What.SCAN, CODES[number % len(CODES)])
        at_s, number = at_s + chance.uniform(2.0, 9.0), number + 1


def _outages(whole_s: float, chance: random.Random) -> Iterator[Planned]:
    """Of the broker: every few minutes, one of them long."""
    at_s, long_at_s = 100.0, 0.62 * whole_s
    while at_s < 0.97 * whole_s:
        is_long = long_at_s < at_s < long_at_s + 300.0
        for_s = LONG_OUTAGE_S if is_long else chance.uniform(*OUTAGE_S)
        long_at_s = whole_s if is_long else long_at_s
        yield Planned(at_s, What.BROKER, "", for_s)
        at_s += for_s + chance.uniform(100.0, 220.0)


def _printers(whole_s: float, chance: random.Random) -> Iterator[Planned]:
    """Of each printer: something every few minutes."""
    for line in LINES:
        at_s, number = chance.uniform(60.0, 150.0), 0
        while at_s < 0.94 * whole_s:
            yield Planned(at_s, PRINTER[number % len(PRINTER)], line, chance.uniform(2.0, 8.0))
            at_s, number = at_s + chance.uniform(150.0, 330.0), number + 1
