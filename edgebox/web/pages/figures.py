"""Figures: a day, a week or a month as a chart, with the same numbers in a table; and the tills' reports, checked.

Owns: these two pages. Never: adds anything up (edgebox/reports does), or counts a bill otherwise than Today.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.reports.days import Span
from edgebox.reports.sums import Sums
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit
from edgebox.web.z_words import z_said

Z_SHOWN = 60  # reports: two months of days
FIRST, LAST = date(2020, 1, 1), date(2099, 12, 31)  # nobody has older receipts in a box, or younger ones


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`date`: a day in it, ISO; "": today."""

    span: Span = Span.WEEK
    date: Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Sums in minor units of the shop's currency, as those of Today. `label`: `14:00`, or `2026-11-18`."""

    label: str
    begin: int
    sales: int
    sales_minor: int
    refunds: int
    refunds_minor: int
    offered: int
    points: int
    unread: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A bar for each hour of a day, or day of a week or month. `before`, `after`: dates of the neighbours."""

    span: Span
    first: str
    before: str
    after: str
    bars: list[Figure]
    total: Figure


class ZCheckSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A till's report against the receipts that the box saw. `words`: the box's own."""

    at: int
    line: str
    session: str
    document: int
    words: str
    is_equal: bool


class ZChecks(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    checks: list[ZCheckSeen]


@page("/figures", MANAGERS, nav=Nav("figures", 25), takes=Wanted)
async def figures(visit: Visit, query: Wanted) -> Response:
    """Chart and table."""
    found = await _figures(visit, query)
    first, last = date.fromisoformat(found.first), date.fromisoformat(found.first)
    if found.span is not Span.DAY:
        last += timedelta(len(found.bars) - 1)
    return await visit.page(
        "figures.html", figures=found, named=_named(visit, found), first=first, last=last, spans=list(Span)
    )


@page("/figures/z-checks", MANAGERS)
async def z_checks(visit: Visit) -> Response:
    """The tills' last reports."""
    checks = (await _checks(visit)).checks
    return await visit.page("z_checks.html", checks=[(one, z_said(visit.t, one.words)) for one in checks])


@api("GET", "/figures", MANAGERS, takes=Wanted, gives=Figures, summary="A day by hours, a week or month by days")
async def api_figures(visit: Visit, query: Wanted) -> Figures:
    """The same."""
    return await _figures(visit, query)


@api("GET", "/z-checks", MANAGERS, gives=ZChecks, summary="The tills' reports, against what the box saw")
async def api_z_checks(visit: Visit) -> ZChecks:
    """The same."""
    return await _checks(visit)


# -- inside


async def _figures(visit: Visit, query: Wanted) -> Figures:
    chart = await visit.office.reports.chart(query.span, day_of(query.date))
    days = len(chart.bars) if chart.span is not Span.DAY else 1
    after = chart.first + timedelta(days)
    return Figures(
        span=chart.span, first=chart.first.isoformat(), before=(chart.first - timedelta(1)).isoformat(),
        after=after.isoformat() if after <= visit.write.local(visit.office.now).date() else "",
        bars=[_figure(bar.label, bar.begin, bar.sums) for bar in chart.bars], total=_figure("", 0, chart.total),
    )  # fmt: skip


def day_of(text: str) -> date | None:
    """The date that was asked for; None: today. PageError `bad_input`: no such day, or far off."""
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as fault:
        raise refused("bad_input", "date") from fault
    if not FIRST <= found <= LAST:
        raise refused("bad_input", "date")
    return found


def _figure(label: str, begin: int, sums: Sums) -> Figure:
    return Figure(
        label=label, begin=begin, sales=sums.receipts, sales_minor=sums.sales_minor, refunds=sums.refunds,
        refunds_minor=sums.refunds_minor, offered=sums.offered, points=sums.points, unread=sums.unread,
    )  # fmt: skip


def _named(visit: Visit, found: Figures) -> list[tuple[str, Figure]]:
    """Each bar with what people call it: an hour, or a day of the week."""
    if found.span is Span.DAY:
        return [(one.label, one) for one in found.bars]
    return [(visit.write.day(date.fromisoformat(one.label)), one) for one in found.bars]


async def _checks(visit: Visit) -> ZChecks:
    rows = await visit.office.reports.z_checks(Z_SHOWN)
    return ZChecks(
        checks=[
            ZCheckSeen(
                at=one.at, line=one.line, session=one.session, document=one.document, words=one.words,
                is_equal=one.is_equal,
            )
            for one in rows
        ]
    )  # fmt: skip
