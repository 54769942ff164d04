"""Today: what the shop's owner wants to know at a glance, and the receipts as they come."""

from __future__ import annotations

import sqlite3
from datetime import datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import RedirectResponse, Response, StreamingResponse

from edgebox.web.roles import SIGNED_IN, STAFF, Role
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

RECEIPTS = 30  # newest ones on the page; the rest is on the page of receipts


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One document. `id`: its place. `amount_minor` None: it has none, or nobody could read it."""

    id: int
    at: int
    line: str
    kind: str
    amount_minor: int | None
    currency: str
    decimals: int
    confidence: str
    number: str
    points: int
    has_claim: bool
    voided: bool


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a day in the shop's time. `offered`: points codes that were printed; `claimed` is the cloud's to know."""

    day: str
    sales: int
    amount_minor: int
    refunds: int
    offered: int
    points: int
    redeemed: int
    visits: int
    unread: int


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """Today's sums, and the newest receipts."""

    day: Day
    receipts: list[Receipt]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """So many receipts."""

    limit: Annotated[int, Meta(ge=1, le=200)] = RECEIPTS


@page("/", SIGNED_IN, nav=Nav("today", 10))
async def today(visit: Visit) -> Response:
    """The owner's screen. An installer has to do with the box, not with the takings."""
    if visit.role is Role.INSTALLER:
        return RedirectResponse("/box", 303)
    found = await _today(visit, RECEIPTS)
    return await visit.page("today.html", day=found.day, receipts=found.receipts)


@page("/today/now", STAFF)
async def now(visit: Visit) -> Response:
    """The sums and the receipts alone: fetched when a receipt has come."""
    found = await _today(visit, RECEIPTS)
    return await visit.part("today_now.html", day=found.day, receipts=found.receipts)


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


@api("GET", "/today", STAFF, takes=Limit, gives=Today, summary="Today's sums and newest receipts")
async def api_today(visit: Visit, query: Limit) -> Today:
    """The same."""
    return await _today(visit, query.limit)


async def _today(visit: Visit, limit: int) -> Today:
    begin, end = _bounds(visit.write.local(visit.office.now))

    def read(db: sqlite3.Connection) -> Today:
        return Today(day=_day(db, begin, end), receipts=_newest(db, limit))

    return await visit.office.store.read(read)


def _bounds(local: datetime) -> tuple[datetime, datetime]:
    """The day's midnights. In the zone's own time: a day may have 23 hours."""
    midnight = datetime.combine(local.date(), time(), local.tzinfo)
    return midnight, datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)


def _day(db: sqlite3.Connection, begin: datetime, end: datetime) -> Day:
    within = int(begin.timestamp()), int(end.timestamp())
    sums: tuple[Any, ...] = db.execute(
        """SELECT coalesce(sum(kind = 'sale'), 0), coalesce(sum(amount_minor) FILTER (WHERE kind = 'sale'), 0),
            coalesce(sum(kind = 'refund'), 0), coalesce(sum(claim <> '' AND voided = 0), 0),
            coalesce(sum(points) FILTER (WHERE claim <> '' AND voided = 0), 0),
            coalesce(sum(kind = 'sale' AND amount_minor IS NULL), 0)
        FROM receipts WHERE at >= ? AND at < ?""",
        within,
    ).fetchone()
    (redeemed,) = db.execute(
        "SELECT count(*) FROM redemptions WHERE at >= ? AND at < ? AND state = 'redeemed' AND reversed = 0", within
    ).fetchone()
    (visits,) = db.execute("SELECT count(*) FROM visits WHERE at >= ? AND at < ?", within).fetchone()
    sales, amount, refunds, offered, points, unread = sums
    return Day(
        day=begin.date().isoformat(), sales=sales, amount_minor=amount, refunds=refunds, offered=offered,
        points=points, redeemed=redeemed, visits=visits, unread=unread,
    )  # fmt: skip


def _newest(db: sqlite3.Connection, limit: int) -> list[Receipt]:
    rows = db.execute(
        """SELECT place, at, line, kind, amount_minor, currency, decimals, confidence, number, points, claim <> '',
            voided FROM receipts ORDER BY place DESC LIMIT ?""",
        (limit,),
    ).fetchall()
    names = [field.name for field in msgspec.structs.fields(Receipt)]
    return [msgspec.convert(dict(zip(names, row, strict=True)), Receipt, strict=False) for row in rows]
