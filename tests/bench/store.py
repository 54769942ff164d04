"""What recording costs: receipts on disk a second, sightings, and the same with a million receipts in the database.

Owns: plain sqlite3 writing the very rows that the store writes, as a yardstick, and the store beside it, in the same
rounds. Never: compares across rounds: the disk is fast now and slow then.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebox.config import load
from edgebox.engine import Engine
from edgebox.store import ledger
from edgebox.store.clock import SystemClock
from edgebox.store.database import FILE, PAGE_BYTES, PRAGMAS, Database
from edgebox.store.events import ClaimRecord, ReceiptRecord, SightingRecord, Stream
from edgebox.store.places import pack, sum_of
from edgebox.store.store import SOON_MAX, Store
from edgebox.store.upkeep import written
from tests.bench.figures import Section, met
from tests.bench.spread import Interval, interval
from tests.store.filled import KEYS, NOW_MS, claim, fill, receipt

PRODUCERS = 8
SEQUENTIAL, TOGETHER, SIGHTINGS, WORK, START_S = 0.60, 1.50, 50_000, 1.1, 1.0
FEW = 1_000
WORK_OF = 300  # receipts counted; every hundredth splits a page
Events = tuple[ReceiptRecord, ClaimRecord]


class Work(NamedTuple):
    """Of one receipt with its claim: SQLite's instructions, pages written to the log; and bytes to the card."""

    steps: float
    pages: float
    card: float


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `store`."""
    rounds, receipts, many = (5, 200, 100_000) if quick else (15, 500, 1_000_000)
    rates = _rates(folder / "rates", rounds, receipts)
    fill(folder / "few", FEW)
    fill(folder / "many", many)
    few, more = _work(folder / "few"), _work(folder / "many")
    start_s = _start_s(folder / "many")
    rows = [
        *_rate_rows(rates),
        _times("SQLite instructions a receipt", more.steps, few.steps),
        _times("pages to the log a receipt", more.pages, few.pages),
        _row("MB to the card for 1,000 receipts", f"{more.card / 1000:.0f}", _of(more.card, few.card), ""),
        _row("engine's start, s", f"{start_s:.2f}", f"≤ {START_S:g}", met(start_s, START_S)),
    ]
    notes = [
        "a receipt is one with its claim: two rows of the journal, two of the page's tables, eight indexes; "
        f"{len(msgspec.json.encode(receipt(1))) + len(msgspec.json.encode(claim(1)))} bytes of JSON",
        "plain sqlite3: the same rows, places and JSON made beforehand, in a loop with BEGIN and COMMIT, same PRAGMAs",
        f"{rounds} rounds of {receipts} receipts, every candidate once a round, in random order",
        f"instructions, pages, MB and start: with {many:,} receipts, and how many times that with {FEW:,} (aim: 1.1)",
        "the MB are what the kernel gave to the block layer, checkpoints and all (0 on a RAM disk)",
    ]
    return [Section("store", "Recording", ("what", "figure", "aim or ratio", ""), rows, notes)]


def _row(*cells: str) -> list[str]:
    return list(cells)


def _times(what: str, value: float, base: float) -> list[str]:
    return [what, f"{value:.1f}", _of(value, base), met(value, WORK * base)]


def _of(value: float, base: float) -> str:
    return f"{value / base:.3f} times" if base else "-"


# -- rates


def _rates(folder: Path, rounds: int, receipts: int) -> dict[str, list[float]]:
    return asyncio.run(_measure(folder, rounds, receipts))


async def _measure(folder: Path, rounds: int, receipts: int) -> dict[str, list[float]]:
    store = Store.open(folder / "store")
    plain = _plain(folder / "plain")
    numbers = count(1)
    sequential: Callable[[], Awaitable[float]] = lambda: _sequential(store, _events(numbers, receipts))  # noqa: E731
    candidates: dict[str, Callable[[], Awaitable[float]]] = {
        "plain": lambda: _plain_rate(plain, _events(numbers, receipts)),
        "plain, one row": lambda: _one_row_rate(plain, _events(numbers, receipts)),
        "one after the other": sequential,
        "together": lambda: _together(store, _events(numbers, receipts)),
        "sightings": lambda: _sightings(store, SOON_MAX),
    }
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name in random.sample(list(candidates), len(candidates)):
            rate = await candidates[name]()
            if number:  # the first round warms up
                rates[name].append(rate)
    plain.close()
    await store.close()
    return rates


def _events(numbers: count[int], receipts: int) -> list[Events]:
    return [(receipt(number), claim(number)) for number in (next(numbers) for _ in range(receipts))]


def _plain(folder: Path) -> sqlite3.Connection:
    """A database with the same tables, made by the store and opened by hand."""
    Database(folder, SystemClock()).close()
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    return connection


async def _plain_rate(connection: sqlite3.Connection, events: list[Events]) -> float:
    rows = []
    for one, its_claim in events:
        places = pack(Stream.RECEIPTS, 1, one.document), pack(Stream.CLAIMS, 1, one.document)
        bare = [
            ((place, 1, 5000, NOW_MS, 1), msgspec.json.encode(event))
            for place, event in zip(places, (one, its_claim), strict=True)
        ]
        bodies = [(*head, sum_of(*head, body), body) for head, body in bare]
        rows.append((bodies, ledger._receipt(one, *places), ledger._claim(its_claim, places[1])))
    began = time.perf_counter()
    for (first, second), receipt_row, claim_row in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", first)
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", second)
        connection.execute(ledger._RECEIPT, receipt_row)
        connection.execute(ledger._CLAIM, claim_row)
        connection.execute("COMMIT")
    return len(rows) / (time.perf_counter() - began)


async def _one_row_rate(connection: sqlite3.Connection, events: list[Events]) -> float:
    bodies = [msgspec.json.encode(one) for one, _ in events]
    began = time.perf_counter()
    for body in bodies:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO one (body) VALUES (?)", (body,))
        connection.execute("COMMIT")
    return len(bodies) / (time.perf_counter() - began)


async def _sequential(store: Store, events: list[Events]) -> float:
    began = time.perf_counter()
    for pair in events:
        await store.record(*pair)
    return len(events) / (time.perf_counter() - began)


async def _together(store: Store, events: list[Events]) -> float:
    async def produce(mine: list[Events]) -> None:
        for pair in mine:
            await store.record(*pair)

    began = time.perf_counter()
    await asyncio.gather(*(produce(events[at::PRODUCERS]) for at in range(PRODUCERS)))
    return len(events) / (time.perf_counter() - began)


async def _sightings(store: Store, rows: int) -> float:
    dropped = store.dropped
    began = time.perf_counter()
    for number in range(rows):
        store.record_soon(SightingRecord(at=number, tag="0102-3", rssi_dbm=-60))
    await store.flush()
    rate = rows / (time.perf_counter() - began)
    assert store.dropped == dropped, "what is dropped is quickly done"
    return rate


def _rate_rows(rates: dict[str, list[float]]) -> list[list[str]]:
    plain, one_row, sightings = (interval(rates[name]).median for name in ("plain", "plain, one row", "sightings"))
    after, together = (_ratio(rates, name, "plain") for name in ("one after the other", "together"))
    of_one_row = _ratio(rates, "one after the other", "plain, one row")
    return [
        _row("plain sqlite3, receipts/s", f"{plain:,.0f}", "", ""),
        _row("plain sqlite3, one row of one table each, commits/s", f"{one_row:,.0f}", "", ""),
        _aim("store, one after the other, times plain", str(after), after.median, SEQUENTIAL),
        _row("store, one after the other, times one row each", str(of_one_row), "", ""),
        _aim(f"store, {PRODUCERS} producers, times plain", str(together), together.median, TOGETHER),
        _aim("store, sightings in groups, rows/s", f"{sightings:,.0f}", sightings, SIGHTINGS),
    ]


def _aim(what: str, figure: str, value: float, least: float) -> list[str]:
    return [what, figure, f"≥ {least:,g}", met(value, least, at_least=True)]


def _ratio(rates: dict[str, list[float]], name: str, to: str) -> Interval:
    return interval([one / other for one, other in zip(rates[name], rates[to], strict=True)])


# -- work


def _work(folder: Path) -> Work:
    store = Store.open(folder)
    try:
        return asyncio.run(_worked(store))
    finally:
        store.close_now()


async def _worked(store: Store) -> Work:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    log = store.path.with_name(f"{FILE}-wal")
    await store.work(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    await store.work(lambda db: db.set_progress_handler(step, 1))
    before = await store.work(lambda _: written())
    for number in range(WORK_OF):
        await store.record(receipt(number), claim(10_000_000 + number))
    await store.work(lambda db: db.set_progress_handler(None, 0))
    pages = log.stat().st_size / (PAGE_BYTES + 24)
    await store.work(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    after = await store.work(lambda _: written())
    return Work(steps / WORK_OF, pages / WORK_OF, (after.to_card - before.to_card) / WORK_OF)


def _start_s(folder: Path) -> float:
    """A whole engine, from nothing to listening."""

    async def start() -> float:
        engine = Engine(load(None, [f"engine.data={folder}", f"engine.socket={folder}/engine.sock"]), KEYS)
        began = time.perf_counter()
        await engine.start()
        took = time.perf_counter() - began
        await engine.stop()
        return took

    with closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(start())
