"""A shop of 100,000 receipts for the page's questions, filled in seconds; and an engine beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from edgebox.engine import Engine
from edgebox.reports.reports import Reports
from edgebox.store import receipt_papers
from edgebox.store.clock import SystemClock
from edgebox.store.database import Database
from edgebox.store.events import (
    AuditRecord,
    ClaimRecord,
    ClaimState,
    HealthRecord,
    ReceiptRecord,
    RedemptionRecord,
    RedemptionState,
    Stream,
    VisitRecord,
)
from edgebox.store.journal import Journal, Stamp
from edgebox.store.ledger import enter
from edgebox.stored_paper import StoredItem, StoredLine, StoredPaper
from tests.line_of_engine import NOW, running
from tests.store.filled import amount_minor, claim_id, url

A_DAY = 1100  # receipts: 100,000 in 90 days
SESSION = "00ff00ff00ff00ff"
_ENCODE = msgspec.json.Encoder().encode


def at_of(number: int, receipts: int) -> int:
    """The last one was just now; a day's receipts lie within twelve hours."""
    day, place = divmod(receipts - 1 - number, A_DAY)
    return NOW - day * 86_400 - place * 43_200 // A_DAY


def receipt(number: int, receipts: int) -> ReceiptRecord:
    """One of every kind, now and then."""
    kind = "refund" if number % 50 == 7 else "void" if number % 200 == 3 else "sale"
    kind = "report" if number % A_DAY == A_DAY - 1 else kind
    has_claim = kind == "sale"
    return ReceiptRecord(
        session=SESSION,
        document=number,
        at=at_of(number, receipts),
        line="till-1" if number % 3 else "till-2",
        kind=kind,
        modifiers=("reprint",) if number % 97 == 5 else (),
        qualifies=has_claim,
        amount_minor=amount_minor(number) if kind != "report" else None,
        currency="CNY",
        confidence="high",
        reasons=("tendered 50.00 - change 16.10 = 33.90",),
        number=f"{number:06d}",
        printed_date="2026-11-18",
        printed_time="18:42:07",
        tenders=(("cash", 5000),),
        claim=claim_id(number) if has_claim else "",
        url=url(1) if has_claim else "",  # signing 100,000 would take longer than all else
        points=33,
        result="inserted",
        hold_us=410,
        cashier=f"{number % 7:02d}",
        z_check="equal: 1100 receipts" if kind == "report" else "",
        z_equal=kind == "report",
        slips=("points",) if has_claim else (),
        slip_mm=60 if has_claim else 0,
    )


def paper(number: int) -> StoredPaper:
    """Some thirty lines."""
    lines = ["CORNER SHOP", f"No: {number:06d}", "2026-11-18 18:42:07", "-" * 32]
    lines += [f"ITEM {(number * 7 + at) % 900:03d}        {at}.00" for at in range(1, 22)]
    total = amount_minor(number)
    lines += ["-" * 32, f"TOTAL           {total / 100:.2f}", f"CASH            {total / 100:.2f}", "THANK YOU"]
    at = len(lines) - 3
    items = tuple(StoredItem(f"ITEM {(number * 7 + at) % 900:03d}", 1000, None, at * 100) for at in range(1, 22))
    spot = (at, 16, len(lines[at]))
    return StoredPaper(1, tuple(map(StoredLine, lines)), spot, (1, 4, 10), -1, (), len(lines), items)


def fill(folder: Path, receipts: int, *, papers: int = 2000) -> None:
    """Makes the database. The last `papers` receipts have theirs."""
    with Database(folder, SystemClock()) as database:
        connection = database.connection
        journal = Journal(connection, database.epoch)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN IMMEDIATE")
        for number in range(receipts):
            stamp = Stamp(database.boot, 5_000, at_of(number, receipts) * 1000, True)
            _one(connection, journal, stamp, number, receipts, with_paper=number >= receipts - papers)
        connection.execute("COMMIT")
        journal.keep()


def _one(
    db: sqlite3.Connection, journal: Journal, stamp: Stamp, number: int, receipts: int, *, with_paper: bool
) -> None:
    record = receipt(number, receipts)
    claim_place = journal.next_place(Stream.CLAIMS) if record.claim else 0
    body = _ENCODE(record)
    place = journal.append(Stream.RECEIPTS, (body,), stamp)
    enter(db, record, place, body, claim_place)
    if with_paper:
        receipt_papers.enter(db, place, record.line, _ENCODE(paper(number)))
    more: list[tuple[Stream, object]] = []
    if record.claim:
        claim = ClaimRecord(
            at=record.at, claim=record.claim, url=record.url, state=ClaimState.GRANTED, currency="CNY", points=33,
            amount_minor=record.amount_minor or 0, line=record.line, session=SESSION, document=number,
        )  # fmt: skip
        more.append((Stream.CLAIMS, claim))
    if number % 20 == 0:
        redeemed = RedemptionRecord(
            at=record.at, request=f"r{number}", code=f"{number:016x}", state=RedemptionState.REDEEMED, value_minor=500,
            number=number // 20 + 1, shift=1, cashier=record.cashier, line=record.line, source="cloud",
        )  # fmt: skip
        visit = VisitRecord(at=record.at, tag=f"t{number}", until=record.at + 600, zone="door")
        audit = AuditRecord(
            at=record.at, who="owner" if number % 40 else "fleet", what="config.set", target="shop.name"
        )
        more += [(Stream.REDEMPTIONS, redeemed), (Stream.VISITS, visit), (Stream.AUDIT, audit)]
    if number == receipts - 1:
        more.append(
            (Stream.HEALTH, HealthRecord(at=record.at, part="printer till-1", state="failed", words="no paper"))
        )
    for stream, event in more:
        body = _ENCODE(event)
        enter(db, event, journal.append(stream, (body,), stamp), body)  # type: ignore[arg-type]


@asynccontextmanager
async def reported(folder: Path, *overrides: str, now: int = NOW) -> AsyncIterator[tuple[Engine, Reports]]:
    """An engine, and the page's way to it."""
    async with running(folder, *overrides, now=now) as engine:
        await asyncio.sleep(0)
        yield engine, Reports(engine)
