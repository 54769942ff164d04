"""Events for tests, and a database that holds many of them without taking minutes to fill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from edgebox.loyalty import claims
from edgebox.store.clock import Reading, SystemClock
from edgebox.store.database import Database
from edgebox.store.events import ClaimRecord, ClaimState, ReceiptRecord, Stream
from edgebox.store.journal import Journal, Stamp
from edgebox.store.ledger import enter
from hw_sim.cloud_keys import keyring

KEYS = keyring(b"m" * 32, 4711, 12, 1_795_000_000)
NOW = 1_795_000_000  # 2026-11-18
NOW_MS = NOW * 1000
SESSION = "0102030405060708"
SPREAD = 0x9E3779B97F4A7C15  # odd, so that times it every number has another 64-bit one: claim ids look random
ROWS_OF_A_COMMIT = 20_000


def receipt(number: int, session: str = SESSION) -> ReceiptRecord:
    """A sale as an engine writes it: some 700 bytes of JSON."""
    return ReceiptRecord(
        session=session,
        document=number,
        at=NOW + number,
        line="till-1",
        kind="sale" if number % 20 else "refund",
        qualifies=True,
        amount_minor=amount_minor(number),
        currency="CNY",
        confidence="high",
        reasons=("tendered 50.00 - change 16.10 = 33.90",),
        number=f"{number:06d}",
        printed_date="2026-11-18",
        printed_time="18:42:07",
        tenders=(("cash", 5000),),
        claim=claim_id(number),
        url=url(number),
        points=33,
        result="inserted",
        hold_us=410,
        cashier="03",
        layout="0a1b2c3d4e5f6071" * 5,
    )


def claim(number: int, state: ClaimState = ClaimState.GRANTED, session: str = SESSION) -> ClaimRecord:
    """Its claim."""
    return ClaimRecord(
        at=NOW + number,
        claim=claim_id(number),
        url=url(number),
        state=state,
        amount_minor=amount_minor(number),
        currency="CNY",
        points=33,
        line="till-1",
        session=session,
        document=number,
    )


def amount_minor(number: int) -> int:
    """5.00 to 205.00."""
    return 500 + number * 7919 % 20_000


def claim_id(number: int) -> str:
    """Sixteen hex digits, in no order, as claim ids are."""
    return f"{number * SPREAD % (1 << 64):016x}"


@lru_cache(maxsize=4)
def url(number: int) -> str:
    """A real one."""
    return claims.mint(KEYS, bytes.fromhex(claim_id(number)), amount_minor(number), NOW)


class StillClock:
    """A clock that a test sets."""

    def __init__(self, boot: str = "boot-1") -> None:
        self.reading = Reading(boot, 5_000, NOW_MS, True)

    def now(self) -> Reading:
        """What the test has set."""
        return self.reading

    def set(self, **changes: object) -> None:
        """Changes some of it."""
        self.reading = self.reading._replace(**changes)  # type: ignore[arg-type]


def fill(folder: Path, receipts: int) -> None:
    """Makes or goes on with the database in `folder` until it holds so many receipts, each with its claim."""
    with Database(folder, SystemClock()) as database:
        journal = Journal(database.connection, database.epoch)
        stamp = Stamp(database.boot, 5_000, NOW_MS, True)
        database.connection.execute("PRAGMA synchronous=OFF")
        for numbers in _chunks(journal.end(Stream.RECEIPTS, database.epoch.ordinal), receipts):
            _fill(database.connection, journal, stamp, numbers)


def _chunks(first: int, end: int) -> Iterator[range]:
    for start in range(first, end, ROWS_OF_A_COMMIT):
        yield range(start, min(start + ROWS_OF_A_COMMIT, end))


def _fill(connection: sqlite3.Connection, journal: Journal, stamp: Stamp, numbers: range) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for number in numbers:
        claim_place = journal.next_place(Stream.CLAIMS)
        for stream, event in ((Stream.RECEIPTS, receipt(number, "00ff00ff00ff00ff")), (Stream.CLAIMS, claim(number))):
            body = msgspec.json.encode(event)
            enter(connection, event, journal.append(stream, (body,), stamp), body, claim_place)
    connection.execute("COMMIT")
    journal.keep()
