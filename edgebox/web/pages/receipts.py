"""Receipts: found by number, amount, day, kind or a word on the paper; newest first, a page at a time."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.model import DocumentKind
from edgebox.reports.search import AT_MAX, PAGE_MAX, Found, ReceiptRow, Wanted
from edgebox.web.amounts import minor_of
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, api, page
from edgebox.web.visit import Visit

ROWS = 30  # of a page: two screens of a phone
Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Amount = Annotated[str, Meta(max_length=24)]
Cursor = Annotated[str, Meta(max_length=64)]
Only = Literal["", "codes", "unread", "reports"]
Minor = Annotated[int, Meta(ge=-(10**15), le=10**15)]
Seconds = Annotated[int, Meta(ge=0, le=10**11)]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """As people fill it in. `amount` alone: exactly that; `until`: the last day, included."""

    number: Annotated[str, Meta(max_length=32)] = ""
    amount: Amount = ""
    amount_to: Amount = ""
    day: Day = ""
    until: Day = ""
    kind: Annotated[str, Meta(max_length=24)] = ""
    text: Annotated[str, Meta(max_length=64)] = ""
    only: Only = ""
    after: Cursor = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """As programs ask. Amounts in minor units, both included; `until` outside; `after`: `next` of the page before."""

    number: Annotated[str, Meta(max_length=32)] = ""
    least_minor: Minor | None = None
    most_minor: Minor | None = None
    since: Seconds = 0
    until: Seconds = 10**11
    kind: Annotated[str, Meta(max_length=24)] = ""
    line: Annotated[str, Meta(max_length=32)] = ""
    text: Annotated[str, Meta(max_length=64)] = ""
    only: Only = ""
    after: Annotated[str, Meta(pattern=r"^(-?\d{1,18}\.\d{1,18})?$")] = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class FoundReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One document; `session` and `document` name it. `amount_minor`: the one that counts; `read_minor`: as it was
    read, if a person has corrected it; None: none. `code`: "printed", "void" or "" none, with its `points`."""

    session: str
    document: int
    at: int
    line: str
    kind: str
    amount_minor: int | None
    read_minor: int | None
    currency: str
    decimals: int
    confidence: str
    number: str
    till: str
    cashier: str
    code: Literal["printed", "void", ""]
    points: int


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `next`: where to go on, "" at the end; `is_whole` false: more may follow even if few are here."""

    receipts: list[FoundReceipt]
    next: str
    is_whole: bool


@page("/receipts", MANAGERS, nav=Nav("receipts", 15), takes=Query)
async def receipts(visit: Visit, query: Query) -> Response:
    """A form, and what it found."""
    wanted, fault = _wanted(visit, query)
    found = await visit.office.reports.search(wanted, ROWS) if wanted is not None else Found(())
    fields = {name: value for name, value in msgspec.structs.asdict(query).items() if value and name != "after"}
    older = urlencode({**fields, "after": found.next}) if found.next else ""
    return await visit.page(
        "receipts.html", status=422 if fault else 200, receipts=[listed(row) for row in found.rows], query=query,
        older=older, found=found, fault=fault, kinds=[kind.value for kind in DocumentKind],
        has_more=any((query.amount_to, query.until, query.text, query.only)),
        is_asked=bool(fields), is_first=not query.after,
    )  # fmt: skip


@api("GET", "/receipts", MANAGERS, takes=Listed, gives=Receipts, summary="Receipts, the newest first")
async def api_receipts(visit: Visit, query: Listed) -> Receipts:
    """The same."""
    wanted = Wanted(
        query.number, query.least_minor, query.most_minor, query.since, query.until, query.kind, query.line,
        query.text, query.only, query.after,
    )  # fmt: skip
    found = await visit.office.reports.search(wanted, query.limit)
    return Receipts(receipts=[listed(row) for row in found.rows], next=found.next, is_whole=found.is_whole)


def listed(row: ReceiptRow) -> FoundReceipt:
    """As pages and programs see it."""
    return FoundReceipt(
        session=row.session, document=row.document, at=row.at, line=row.line, kind=row.kind,
        amount_minor=row.shown_minor, read_minor=row.amount_minor if row.corrected_minor is not None else None,
        currency=row.currency, decimals=row.decimals, confidence=row.confidence, number=row.number, till=row.till,
        cashier=row.cashier, code="" if not row.claim else "void" if row.voided else "printed", points=row.points,
    )  # fmt: skip


def _wanted(visit: Visit, query: Query) -> tuple[Wanted | None, str]:
    """What to search, or the field that can't be read."""
    decimals = visit.office.config.shop.decimals
    least = minor_of(query.amount, decimals) if query.amount.strip() else None
    most = minor_of(query.amount_to, decimals) if query.amount_to.strip() else None
    if (query.amount.strip() and least is None) or (query.amount_to.strip() and most is None):
        return None, "amount"
    span = _span(visit, query)
    if span is None:
        return None, "day"
    kind = query.kind if query.kind in set(DocumentKind) else ""
    most = least if most is None else most
    return Wanted(query.number, least, most, *span, kind, "", query.text, query.only, query.after), ""


def _span(visit: Visit, query: Query) -> tuple[int, int] | None:
    """Of the shop's own days. None: no such day."""
    calendar = visit.office.reports.calendar
    try:
        first = calendar.day(date.fromisoformat(query.day)) if query.day else None
        last = calendar.day(date.fromisoformat(query.until)) if query.until else first
    except (ValueError, OverflowError):
        return None
    return (first.begin if first else -AT_MAX, last.end if last else AT_MAX)
