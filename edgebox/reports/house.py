"""The house-keeping pages' questions: health, audit, redemptions, visits, Z-checks, paper, disk, and who did what.

Owns: their rows and statements. Each takes a bounded number of rows by an index, newest first, and pages go by the
place of the last row. Never: changes anything.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from edgebox.paper_report import Printed
from edgebox.reports.wrong import Standing
from edgebox.store import receipt_papers
from edgebox.store.budget import Limits, Usage
from edgebox.store.events import Stream
from edgebox.store.places import EPOCH_MAX, span
from edgebox.store.upkeep import COUNTER

PAGE_MAX = 200
SCAN = 3000  # rows of the audit that one question looks at
WEAR_DAYS = 30
PAPER_ROWS = 250  # receipts of one question about paper: their JSON is read
_printed = msgspec.json.Decoder(Printed).decode


class AuditRow(NamedTuple):
    """As in AuditRecord."""

    place: int
    at: int
    who: str
    what: str
    target: str
    reason: str


class AuditWanted(NamedTuple):
    """`who`: exactly; `what`: a part of it; times in seconds, `until` outside; `before`: the place of the last row."""

    who: str = ""
    what: str = ""
    since: int = -(1 << 62)
    until: int = 1 << 62
    before: int = 0


class AuditPage(NamedTuple):
    """`next`: for `before`, 0 at the end."""

    rows: tuple[AuditRow, ...]
    next: int = 0


class RedemptionRow(NamedTuple):
    """As in RedemptionRecord. `reversed_by` 0: it stands."""

    place: int
    at: int
    state: str
    reason: str
    coupon: str
    value_minor: int
    points: int
    number: int
    cashier: str
    offline: bool
    source: str
    channel: str
    shift: int
    line: str
    reversed_by: int


class ZCheck(NamedTuple):
    """A till's report held against the receipts seen. `words`: the box's own."""

    place: int
    at: int
    session: str
    document: int
    line: str
    words: str
    is_equal: bool


class VisitRow(NamedTuple):
    """As in VisitRecord."""

    tag: str
    at: int
    until: int
    zone: str
    role: str
    nearest_cm: int


class Worn(NamedTuple):
    """What was written to the card on a day (UTC, 2026-11-18)."""

    day: str
    written_bytes: int


class DiskState(NamedTuple):
    """`pressure`: 0 there is room, to 4 nothing is recorded. `worn`: newest first."""

    usage: Usage
    limits: Limits
    pressure: int
    paper_bytes: int
    worn: tuple[Worn, ...]


class SyncState(NamedTuple):
    """`is_on`: there is a cloud; `waiting`: rows by stream that it hasn't got; `oldest_ms`: when the first of them was
    recorded, 0 for none; `refused`: what was not recorded, by what; `given_up`: rows that the cloud never got."""

    is_on: bool
    waiting: dict[str, int]
    oldest_ms: int
    refused: dict[str, int]
    given_up: int


def standings(db: sqlite3.Connection) -> list[Standing]:
    """All parts' newest states."""
    return [Standing(*row) for row in db.execute("SELECT part, state, words, at FROM health")]


def audit(db: sqlite3.Connection, wanted: AuditWanted, limit: int) -> AuditPage:
    """A page of the audit; shorter than `limit` where SCAN rows held no more."""
    top = wanted.before or span(Stream.AUDIT, EPOCH_MAX)[1]
    bottom = db.execute(
        "SELECT place FROM audit WHERE place < ? ORDER BY place DESC LIMIT 1 OFFSET ?", (top, SCAN - 1)
    ).fetchone()
    low = bottom[0] if bottom else 0
    limit = min(limit, PAGE_MAX)
    rows = db.execute(
        "SELECT place, at, who, what, target, reason FROM audit WHERE place < ?1 AND place >= ?2"
        " AND at >= ?3 AND at < ?4 AND (?5 = '' OR who = ?5) AND (?6 = '' OR instr(what, ?6) > 0)"
        " ORDER BY place DESC LIMIT ?7",
        (top, low, wanted.since, wanted.until, wanted.who, wanted.what, limit),
    ).fetchall()
    found = tuple(AuditRow(*row) for row in rows)
    if len(found) == limit:
        return AuditPage(found, found[-1].place)
    return AuditPage(found, low)


def redemptions(db: sqlite3.Connection, before: int, limit: int) -> list[RedemptionRow]:
    """What came to the desk, newest first."""
    top = before or span(Stream.REDEMPTIONS, EPOCH_MAX)[1]
    rows = db.execute(
        "SELECT place, at, state, reason, coupon, value_minor, points, number, cashier, offline, source, channel,"
        " shift, line, reversed FROM redemptions WHERE place < ? ORDER BY place DESC LIMIT ?",
        (top, min(limit, PAGE_MAX)),
    )
    return [RedemptionRow(*row)._replace(offline=bool(row[9])) for row in rows]


def redeemed(db: sqlite3.Connection, begin: int, end: int) -> tuple[int, int]:
    """How many coupons were redeemed and not taken back in that time, of what value together."""
    asked = """SELECT count(*), coalesce(sum(value_minor), 0) FROM redemptions
        WHERE at >= ? AND at < ? AND state = 'redeemed' AND reversed = 0"""
    count, minor = db.execute(asked, (begin, end)).fetchone()
    return count, minor


def by_cashier(db: sqlite3.Connection, begin: int, end: int) -> dict[str, Counter[str]]:
    """Redemptions and reversals in that time."""
    out: dict[str, Counter[str]] = {}
    asked = """SELECT cashier, state, count(*) FROM redemptions WHERE at >= ? AND at < ?
        AND state IN ('redeemed', 'reversed') GROUP BY cashier, state"""
    for cashier, state, count in db.execute(asked, (begin, end)):
        out.setdefault(cashier, Counter())["redemptions" if state == "redeemed" else "reversals"] += count
    return out


def z_checks(db: sqlite3.Connection, limit: int) -> list[ZCheck]:
    """The last reports with a check."""
    rows = db.execute(
        "SELECT place, at, session, document, line, z_check, z_equal FROM receipts INDEXED BY receipts_kind"
        " WHERE kind = 'report' AND z_check <> '' ORDER BY at DESC LIMIT ?",
        (min(limit, PAGE_MAX),),
    )
    return [ZCheck(*row)._replace(is_equal=bool(row[6])) for row in rows]


def visits(db: sqlite3.Connection, before: int, limit: int) -> list[VisitRow]:
    """Visits that began before that time (0: all), newest first."""
    rows = db.execute(
        "SELECT tag, at, until, zone, role, nearest_cm FROM visits WHERE at < ? ORDER BY at DESC LIMIT ?",
        (before or 1 << 62, min(limit, PAGE_MAX)),
    )
    return [VisitRow(*row) for row in rows]


def visits_in(db: sqlite3.Connection, begin: int, end: int) -> int:
    """How many began in that time."""
    found: int = db.execute("SELECT count(*) FROM visits WHERE at >= ? AND at < ?", (begin, end)).fetchone()[0]
    return found


def claim_states(db: sqlite3.Connection, begin: int, end: int) -> dict[str, int]:
    """Claims of receipts of that time, by their newest state."""
    asked = """SELECT c.state, count(*) FROM receipts r INDEXED BY receipts_at JOIN claims c ON c.claim = r.claim
        WHERE r.at >= ? AND r.at < ? AND r.claim <> '' AND r.session = c.session AND r.document = c.document
        GROUP BY c.state"""
    return dict(db.execute(asked, (begin, end)))


def worn(db: sqlite3.Connection) -> tuple[Worn, ...]:
    """What was written each day."""
    asked = "SELECT day, value FROM counters WHERE name = ? ORDER BY day DESC LIMIT ?"
    return tuple(Worn(*row) for row in db.execute(asked, (COUNTER, WEAR_DAYS)))


def given_up(db: sqlite3.Connection) -> int:
    """Rows that the cloud never got."""
    found = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM lost").fetchone()[0]
    return int(found)


def paper_bytes(db: sqlite3.Connection) -> int:
    """What kept papers take, about."""
    return receipt_papers.estimate(db)


def printed(db: sqlite3.Connection, after: tuple[int, int], end: int) -> tuple[list[Printed], tuple[int, int] | None]:
    """Slips printed with the next PAPER_ROWS receipts behind `after` (time, place) and before `end`; and where that
    ended, None: there are no more."""
    rows = db.execute(
        "SELECT r.at, r.place, j.body FROM receipts r INDEXED BY receipts_at CROSS JOIN journal j ON j.place = r.place"
        " WHERE r.at >= ?1 AND (r.at, r.place) > (?1, ?2) AND r.at < ?3 ORDER BY r.at, r.place LIMIT ?4",
        (*after, end, PAPER_ROWS),
    ).fetchall()
    return list(_all(rows)), (rows[-1][0], rows[-1][1]) if len(rows) == PAPER_ROWS else None


def first_at(db: sqlite3.Connection) -> int:
    """When the oldest receipt that is kept was printed; 0: there is none."""
    found = db.execute("SELECT min(at) FROM receipts").fetchone()[0]
    return int(found or 0)


def _all(rows: list[tuple[int, int, bytes]]) -> Iterator[Printed]:
    for _, _, body in rows:
        if b'"slips"' in body:
            try:
                yield msgspec.structs.replace(_printed(body), at=0)
            except msgspec.MsgspecError:  # its bits have turned: one receipt's paper is missing from a sum of thousands
                continue
