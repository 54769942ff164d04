"""Visits as the shop asks for them: those that have no end yet, and how many there were in an hour.

Owns: the table `visit_hours` and its age. Never: a name in it. Visits themselves are events (events.py), written by the
ledger; of those, one row each says who, for `[store] visits_days`. Counts stay, and nobody is in them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

HOUR_S = 3600
COUNTS_DAYS = 800  # two years of hours, to compare a season with the last: 40,000 rows of 30 bytes at the most
_COUNT = """INSERT INTO visit_hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hour, zone, role) DO UPDATE SET
    visits = visits + excluded.visits, people = people + excluded.people, dwell_s = dwell_s + excluded.dwell_s"""


class Slot(NamedTuple):
    """What is counted together. `hour`: its first second since 1970."""

    hour: int
    zone: str
    role: str


class Count(NamedTuple):
    """So many came; `people`: different tags; `dwell_s`: of those that began then, as far as they have ended."""

    visits: int = 0
    people: int = 0
    dwell_s: int = 0

    def plus(self, visits: int = 0, people: int = 0, dwell_s: int = 0) -> Count:
        """And so many more."""
        return Count(self.visits + visits, self.people + people, self.dwell_s + dwell_s)


class Open(NamedTuple):
    """A visit without an end. `at`: seconds since 1970."""

    tag: str
    at: int
    zone: str
    role: str
    nearest_cm: int


def unfinished(db: sqlite3.Connection) -> list[Open]:
    """Visits that no run has ended, oldest first."""
    asked = "SELECT tag, at, zone, role, nearest_cm FROM visits WHERE until = 0 ORDER BY at"
    return [Open(*row) for row in db.execute(asked)]


def add(db: sqlite3.Connection, counts: Mapping[Slot, Count]) -> None:
    """More of each."""
    db.executemany(_COUNT, [(*slot, *count) for slot, count in counts.items()])


def between(db: sqlite3.Connection, since: int, until: int) -> dict[Slot, Count]:
    """The counts of hours that begin at `since` or later, and before `until`; in order."""
    asked = "SELECT * FROM visit_hours WHERE hour >= ? AND hour < ? ORDER BY hour, zone, role"
    return {Slot(*row[:3]): Count(*row[3:]) for row in db.execute(asked, (since, until))}


def forget_counts(db: sqlite3.Connection, now: int) -> int:
    """Those that nobody compares with any more; how many."""
    return db.execute("DELETE FROM visit_hours WHERE hour < ?", (now - COUNTS_DAYS * 86_400,)).rowcount
