"""How much room there is, and for whom: the decision, without a file or a disk.

Owns: the limits of each class of events, and what is to be done about a database that fills up. Never: touches the
database (retention.py does) or asks the system (`Usage` is handed in).

What fills the box first is what matters least. Four classes share the open part; the reserve is for money alone:

    0 ──────────── pressed ── sightings ── ordinary ── open ──── reserve ──── capacity
                   |          refused      refused     duties    receipts, claims and redemptions
                   sightings are given up from here    refused   refused

The capacity is `[store] max_mb`, or what the disk can still give if that is less. So somebody else's files that fill
the disk take the room of sightings first, and of receipts last.

What the cloud has is kept `keep_days` for the page, and shorter when the room is needed for what it hasn't: refusing a
new receipt to keep an old one that is safe elsewhere would be the wrong way round. What it hasn't got is never removed,
except sightings. Visits and sightings are about people, and are kept `visits_days` only; audit is kept `audit_days`,
whatever happens.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from edgebox.settings import StoreSettings
from edgebox.store.events import Event, SightingRecord, Stream

MB = 1 << 20
PRESSED = 0.85  # of the open part: a day of sightings is far less than the 5 % to the next limit
SIGHTINGS = 0.90
ORDINARY = 0.95
LOG_ROOM = 8 * MB  # for the log beside the database (1,000 pages of 4 KB, and as much while it is carried over)
DAY_MS = 86_400_000
SHORTEST_DAYS = 3  # a claim is good for 72 hours by default; its reprint must find it
DISK_SHARE = 0.5  # of a disk so small that LOG_ROOM is most of it


class Importance(IntEnum):
    """Who is refused first."""

    SIGHTING = 0
    ORDINARY = 1  # visits, scans, health: what the shop would like to know
    DUTY = 2  # jobs, audit: what somebody was promised
    MONEY = 3  # receipts, claims, redemptions


_MONEY = frozenset({Stream.RECEIPTS, Stream.CLAIMS, Stream.REDEMPTIONS})
_DUTIES = frozenset({Stream.JOBS, Stream.AUDIT})


class Pressure(IntEnum):
    """How far it has come."""

    NONE = 0
    PRESSED = 1  # sightings are given up
    TIGHT = 2  # visits, scans and health are refused
    RESERVE = 3  # only money is taken
    FULL = 4  # nothing is


class Usage(NamedTuple):
    """What the database takes up. Bytes: `used` in pages with content, `free` in pages without, `disk` left on disk."""

    used: int
    free: int
    disk: int


class Limits(NamedTuple):
    """Bytes in use at which each begins."""

    pressed: int
    sightings: int
    ordinary: int
    open: int
    capacity: int


def importance_of(event_type: type[Event], stream: Stream) -> Importance:
    """The class of an event."""
    if event_type is SightingRecord:
        return Importance.SIGHTING
    if stream in _MONEY:
        return Importance.MONEY
    return Importance.DUTY if stream in _DUTIES else Importance.ORDINARY


def limits(settings: StoreSettings, usage: Usage) -> Limits:
    """The limits with this much on the disk."""
    spare = max(usage.disk - LOG_ROOM, int(usage.disk * DISK_SHARE))
    capacity = min(settings.max_mb * MB, usage.used + usage.free + spare)
    wide = capacity - min(settings.reserve_mb * MB, capacity // 2)  # a reserve larger than the rest would be no reserve
    return Limits(int(wide * PRESSED), int(wide * SIGHTINGS), int(wide * ORDINARY), wide, capacity)


def refused(importance: Importance, settings: StoreSettings, usage: Usage) -> bool:
    """Whether an event of this class has no room."""
    found = limits(settings, usage)
    return usage.used >= (found.sightings, found.ordinary, found.open, found.capacity)[importance]


def has_spare_room(settings: StoreSettings, usage: Usage) -> bool:
    """Room for what the box can do without: papers. They end where sightings do."""
    return settings.paper_days > 0 and usage.used < limits(settings, usage).sightings


def pressure(settings: StoreSettings, usage: Usage) -> Pressure:
    """Where the database stands."""
    found = limits(settings, usage)
    passed = (found.pressed, found.ordinary, found.open, found.capacity)
    return Pressure(sum(usage.used >= limit for limit in passed))


def keep_ms(stream: Stream, settings: StoreSettings, now: Pressure) -> int:
    """How long a row of this stream stays after the cloud has it."""
    if stream is Stream.AUDIT:
        return settings.audit_days * DAY_MS
    days = min(settings.keep_days, settings.visits_days) if stream is Stream.VISITS else settings.keep_days
    if now >= Pressure.RESERVE or (now >= Pressure.PRESSED and stream not in _MONEY):
        days = min(days, SHORTEST_DAYS)
    return days * DAY_MS


def to_free(settings: StoreSettings, usage: Usage) -> int:
    """Bytes that sightings have to give up; 0 while there is room."""
    return max(0, usage.used - limits(settings, usage).pressed)
