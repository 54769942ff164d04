"""Today: what the shop's owner wants to know at a glance, and the receipts as they come."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from starlette.responses import RedirectResponse, Response, StreamingResponse

from edgebox.errors import ReportError, StoreError
from edgebox.reports.search import ReceiptRow
from edgebox.web import first_start
from edgebox.web.drawn import Drawn
from edgebox.web.pages.receipt import Told, sheet_of, told
from edgebox.web.roles import MANAGERS, SIGNED_IN, STAFF, Role
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One document: `session` and `document` name it. `amount_minor`: as corrected, if it was; None: there is none, or
    nobody could read it. `points`: of the code that was printed with it."""

    session: str
    document: int
    at: int
    line: str
    kind: str
    amount_minor: int | None
    currency: str
    decimals: int
    confidence: str
    number: str
    points: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of the shop's day, in minor units of its currency, as edgebox/reports/sums.py counts them: a bill once.

    `offered`: points codes that went out; `unread`: sales without an amount that could be read.
    """

    day: str
    sales: int
    sales_minor: int
    refunds: int
    refunds_minor: int
    offered: int
    points: int
    redeemed: int
    visits: int
    unread: int


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """Today's sums, and the newest receipts."""

    day: Day
    receipts: list[Receipt]


class Newest(NamedTuple):
    """The newest receipt as a person with its paper in the hand wants it: drawn, and why it has its total."""

    receipt: Receipt
    sheet: Drawn
    why: list[Told]


@page("/", SIGNED_IN, nav=Nav("today", 10))
async def today(visit: Visit) -> Response:
    """The owner's screen. An installer has to do with the box, not with the takings."""
    if visit.role is Role.INSTALLER:
        return RedirectResponse("/box", 303)
    found = await _today(visit)
    is_set_up = not await first_start.is_open(visit)
    return await visit.page(
        "today.html", day=found.day, receipts=found.receipts, newest=await _newest(visit, found), is_set_up=is_set_up
    )


@page("/today/now", STAFF)
async def now(visit: Visit) -> Response:
    """The sums and the receipts alone: fetched when a receipt has come."""
    found = await _today(visit)
    return await visit.part(
        "today_now.html", day=found.day, receipts=found.receipts, newest=await _newest(visit, found)
    )


@page("/wrong", SIGNED_IN)
async def wrong(visit: Visit) -> Response:
    """What is wrong now, alone: fetched when a part's state has changed."""
    return await visit.part("wrong.html")


@page("/live", SIGNED_IN)
async def live(visit: Visit) -> Response:
    """Events as they come."""
    visit.office.hub.check_room()
    stream = visit.office.hub.stream(visit.is_signed_in)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})


@api("GET", "/today", STAFF, gives=Today, summary="Today's sums and newest receipts")
async def api_today(visit: Visit) -> Today:
    """The same."""
    return await _today(visit)


async def _newest(visit: Visit, found: Today) -> Newest | None:
    """None: there is none, its paper can't be drawn (its own page says why), or papers aren't for this visitor."""
    if visit.role not in MANAGERS or not found.receipts:
        return None
    receipt = found.receipts[0]
    try:
        whole = await visit.office.reports.receipt(receipt.session, receipt.document)
        sheet = await sheet_of(visit, whole)
    except (ReportError, StoreError):  # the sums are worth more than one paper
        return None
    return Newest(receipt, sheet, told(visit, whole)) if sheet is not None else None


async def _today(visit: Visit) -> Today:
    found = await visit.office.reports.today()
    sums = found.sums
    day = Day(
        day=found.day.date.isoformat(), sales=sums.receipts, sales_minor=sums.sales_minor, refunds=sums.refunds,
        refunds_minor=sums.refunds_minor, offered=sums.offered, points=sums.points, redeemed=found.redeemed[0],
        visits=found.visits, unread=sums.unread,
    )  # fmt: skip
    return Today(day=day, receipts=[_receipt(row) for row in found.last])


def _receipt(row: ReceiptRow) -> Receipt:
    return Receipt(
        session=row.session, document=row.document, at=row.at, line=row.line, kind=row.kind,
        amount_minor=row.shown_minor, currency=row.currency,
        decimals=row.decimals, confidence=row.confidence, number=row.number,
        points=row.points if row.claim and not row.voided else 0,
    )  # fmt: skip
