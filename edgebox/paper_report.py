"""How much paper slips cost: what was printed in one month, slip by slip, and what a whole month comes to.

Owns: the sums, and the words and JSON for them. Never: opens a database (edgebox/commands_slip.py hands rows in) or
asks a clock.

Counted is what stands in the records of receipts: slips on them and behind them. Slips that a person asked for
(self-tests, reprints) are not; they are few.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import NamedTuple

import msgspec

DAY_S = 86_400


class Month(NamedTuple):
    """A month of the shop's calendar. `begin`, `end`: seconds since 1970, `end` outside; `name`: `2026-11`."""

    name: str
    begin: int
    end: int

    @property
    def days(self) -> float:
        """Calendar days; with a change of the clocks an hour more or less."""
        return (self.end - self.begin) / DAY_S


class Printed(msgspec.Struct, frozen=True):
    """Of a receipt's record, what this asks for."""

    at: int
    slips: tuple[str, ...] = ()
    slips_mm: tuple[int, ...] = ()
    slip_mm: int = 0


class Row(NamedTuple):
    """One slip. `mm_a_month`: what a whole month comes to at that rate."""

    name: str
    printed: int
    mm: int
    mm_a_month: int


class PaperReport(NamedTuple):
    """A month. `days`: how much of it the box has seen; `receipts`: with at least one slip."""

    month: str
    days: float
    of_days: int
    receipts: int
    total: Row
    slips: tuple[Row, ...]


def month_of(name: str, zone: tzinfo) -> Month:
    """`2026-11`. ValueError: no month."""
    begin = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
    year, month = (begin.year + 1, 1) if begin.month == 12 else (begin.year, begin.month + 1)
    return Month(f"{begin:%Y-%m}", int(begin.timestamp()), int(begin.replace(year=year, month=month).timestamp()))


def report(month: Month, records: Iterable[Printed], first_at: int, now: int) -> PaperReport:
    """The month's paper. `first_at`: the oldest receipt there is; before it the box was not there, or has forgotten."""
    counts: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    receipts = 0
    for record in records:
        receipts += bool(record.slips)
        for name, mm in zip(record.slips, _each(record), strict=True):
            counts[name] += 1
            lengths[name] += mm
    seen_s = min(month.end, now) - max(month.begin, first_at)
    days = min(month.days, max(1.0, seen_s / DAY_S))  # less than a day says nothing about a month
    share = month.days / days

    def row(name: str, printed: int, mm: int) -> Row:
        return Row(name, printed, mm, round(mm * share))

    slips = tuple(
        row(name, counts[name], mm) for name, mm in sorted(lengths.items(), key=lambda one: (-one[1], one[0]))
    )
    total = row("all", counts.total(), lengths.total())
    year, number = map(int, month.name.split("-"))
    return PaperReport(month.name, round(days, 1), monthrange(year, number)[1], receipts, total, slips)


def _each(record: Printed) -> tuple[int, ...]:
    """Of each slip; where the record has only the sum, all are taken to be alike."""
    if len(record.slips_mm) == len(record.slips):
        return record.slips_mm
    count = len(record.slips)
    return tuple(record.slip_mm * (at + 1) // count - record.slip_mm * at // count for at in range(count))


def words(found: PaperReport) -> str:
    """For a person."""
    if not found.receipts:
        return f"{found.month}: no slip was printed"
    head = (
        f"{found.month}, {found.days:g} of {found.of_days} days: {found.receipts} receipts with slips, "
        f"{_metres(found.total.mm)} m of paper; {_metres(found.total.mm_a_month)} m a month at that rate"
    )
    width = max(len("slip"), *(len(row.name) for row in found.slips))
    table = [f"{'slip':<{width}}  printed  metres  a month"]
    table += [
        f"{row.name:<{width}}  {row.printed:>7}  {_metres(row.mm):>6}  {_metres(row.mm_a_month):>7}"
        for row in found.slips
    ]
    return "\n".join([head, "", *table])


def as_json(found: PaperReport) -> str:
    """For a program. Millimetres, whole."""
    slips = [row._asdict() for row in found.slips]
    return msgspec.json.encode({**found._asdict(), "total": found.total._asdict(), "slips": slips}).decode("utf-8")


def _metres(mm: int) -> str:
    return f"{mm / 1000:.1f}"
