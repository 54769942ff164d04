"""Today's figures and charts: days added up once, and kept.

Owns: `Figures`: rows of a day are asked for in pieces of ROWS, added up in a DayBook, and a day that is over is kept
as its sums alone (24 rows), so that a month costs 31 questions once and none after that. Never: holds the store up: a
piece takes 2 ms, and records go between two pieces.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from edgebox.reports.days import Calendar, Day, Hour, Span
from edgebox.reports.sums import DayBook, Row, Sums
from edgebox.store.store import Store

ROWS = 250  # of one question: 1 ms in the store's thread, and 1 ms to add up on the loop
DAYS_MAX = 420  # kept: a year and the month before; 24 rows of 13 small numbers each, 2 MB in all
SETTLED_S = 3600  # after its end a day may still get a document that waited in a line's spool
_DAY = """SELECT place, at, kind, modifiers, coalesce((SELECT c.amount_minor FROM corrections c
        WHERE c.session = r.session AND c.document = r.document AND c.state = 'applied'
        ORDER BY c.place DESC LIMIT 1), amount_minor),
    currency, till, number, printed_date, qualifies, claim, voided, points, result, cashier
    FROM receipts r INDEXED BY receipts_at WHERE at >= ? AND at < ? AND place > ? ORDER BY place LIMIT ?"""


class Bar(NamedTuple):
    """One bar of a chart: an hour, or a day. `label`: `02:00`, or `2026-11-18`."""

    begin: int
    end: int
    label: str
    sums: Sums


class Chart(NamedTuple):
    """`total`: of all bars."""

    span: Span
    first: date
    bars: tuple[Bar, ...]
    total: Sums


class _Closed(NamedTuple):
    hours: tuple[Sums, ...]
    total: Sums
    cashiers: Mapping[str, Counter[str]]


class Figures:
    """Of one store. `currency`: the shop's."""

    def __init__(self, store: Store, calendar: Calendar, currency: str) -> None:
        self.calendar = calendar
        self._store = store
        self._currency = currency
        self._closed: OrderedDict[date, _Closed] = OrderedDict()
        self._open: dict[date, DayBook] = {}

    def forget(self, at: int) -> None:
        """The day of that moment has changed: a total was corrected."""
        name = self.calendar.day_at(at).date
        self._closed.pop(name, None)
        self._open.pop(name, None)

    async def day(self, name: date, now: int) -> Sums:
        """A day's sums. StoreError."""
        return (await self._of(self.calendar.day(name), now)).total

    async def chart(self, span: Span, name: date, now: int) -> Chart:
        """The chart that holds that date. StoreError."""
        days = self.calendar.days(span, name)
        bars: list[Bar] = []
        for day in days:
            found = await self._of(day, now)
            if span is Span.DAY:
                bars += [_hour(hour, sums) for hour, sums in zip(self.calendar.hours(day), found.hours, strict=True)]
            else:
                bars.append(Bar(day.begin, day.end, day.date.isoformat(), found.total))
        total = Sums()
        for bar in bars:
            total = total.plus(bar.sums)
        return Chart(span, days[0].date, tuple(bars), total)

    async def cashiers(self, days: tuple[Day, ...], now: int) -> dict[str, Counter[str]]:
        """What each cashier did in those days, counted. StoreError."""
        out: dict[str, Counter[str]] = {}
        for day in days:
            for name, counts in (await self._of(day, now)).cashiers.items():
                out.setdefault(name, Counter()).update(counts)
        return out

    # -- inside

    async def _of(self, day: Day, now: int) -> _Closed:
        known = self._closed.get(day.date)
        if known is not None:
            self._closed.move_to_end(day.date)
            return known
        if day.begin > now:
            return _nothing(len(self.calendar.hours(day)))
        book = await self._read(day)
        found = _Closed(book.hours, book.total, book.cashiers)
        if day.end + SETTLED_S < now:
            self._open.pop(day.date, None)
            self._closed[day.date] = found
            if len(self._closed) > DAYS_MAX:
                self._closed.popitem(last=False)
        return found

    async def _read(self, day: Day) -> DayBook:
        book = self._open.get(day.date)
        if book is None:
            if len(self._open) >= 2:  # today and, in its first hour, yesterday
                self._open.pop(next(iter(self._open)))
            book = self._open[day.date] = DayBook(day.begin, len(self.calendar.hours(day)), self._currency)
        while True:
            rows = await self._store.read(lambda db, after=book.last_place: _rows(db, day, after))  # type: ignore[misc]
            for row in rows:
                if row.place > book.last_place:  # another may have added it meanwhile
                    book.add(row)
            if len(rows) < ROWS:
                return book


def _rows(db: sqlite3.Connection, day: Day, after: int) -> list[Row]:
    return [Row(*row) for row in db.execute(_DAY, (day.begin, day.end, after, ROWS))]


def _nothing(hours: int) -> _Closed:
    return _Closed((Sums(),) * hours, Sums(), {})


def _hour(hour: Hour, sums: Sums) -> Bar:
    return Bar(hour.begin, hour.end, hour.label, sums)
