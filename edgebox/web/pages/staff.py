"""Staff: what looks odd at one cashier beside the others, in words and with all its numbers, and everybody's counts.

Owns: this page. Never: finds a signal (edgebox/reports/staff.py), or calls anybody dishonest: a count is a question.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.reports.staff import MEASURES, signals
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

DAYS = (7, 28, 90)  # what the page offers; the reports take 92 at most


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The last so many days."""

    days: Annotated[int, Meta(ge=1, le=92)] = 28


class SignalSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`events` of `measure` at `receipts` receipts; the others had `others_events` at `others_receipts`, so that
    `expected` were to be expected. `one_in`: how often chance alone does that."""

    cashier: str
    measure: str
    events: int
    receipts: int
    expected: float
    others_events: int
    others_receipts: int
    one_in: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a cashier did. `events`: by measure."""

    cashier: str
    receipts: int
    events: dict[str, int]


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """The oddest signal first; the cashiers by name."""

    days: int
    signals: list[SignalSeen]
    counts: list[Counts]


@page("/staff", MANAGERS, nav=Nav("staff", 44), takes=Wanted)
async def staff(visit: Visit, query: Wanted) -> Response:
    """Signals, then a table."""
    return await visit.page("staff.html", staff=await _staff(visit, query.days), spans=DAYS, measures=MEASURES)


@api("GET", "/staff", MANAGERS, takes=Wanted, gives=Staff, summary="Counts by cashier, and those that look odd")
async def api_staff(visit: Visit, query: Wanted) -> Staff:
    """The same."""
    return await _staff(visit, query.days)


async def _staff(visit: Visit, days: int) -> Staff:
    counts = await visit.office.reports.staff_counts(days)
    found = [
        SignalSeen(
            cashier=one.cashier, measure=one.measure, events=one.events, receipts=one.receipts, expected=one.expected,
            others_events=one.others_count, others_receipts=one.others_receipts, one_in=one.one_in,
        )
        for one in signals(counts)
    ]  # fmt: skip
    return Staff(days=days, signals=found, counts=[_counts(name, counts[name]) for name in sorted(counts)])


def _counts(name: str, found: dict[str, int]) -> Counts:
    events = {measure: found.get(measure, 0) for measure in MEASURES}
    return Counts(cashier=name, receipts=found.get("receipts", 0), events=events)
