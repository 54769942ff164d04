"""What the managers' page asks, with 100,000 receipts in the store: each question's p50 and p95.

Owns: the questions that pages ask, each asked many times over a store as a shop has it after three months. Measured is
the answer as the page gets it; the longest single question in the store's thread, which is what a record may have to
wait for, stands beside it.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edgebox.reports.days import Span
from edgebox.reports.house import AuditWanted
from edgebox.reports.reports import Reports
from edgebox.reports.search import Wanted
from edgebox.store.store import Store
from tests.bench.figures import Section, met
from tests.reports.shop import SESSION, fill, reported

RECEIPTS, FEW = 100_000, 20_000
QUESTION_MS = 10.0
ROUNDS = 20
FIRST = ", for the first time"


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `pages`."""
    receipts = FEW if quick else RECEIPTS
    fill(folder / "data", receipts)
    try:
        rows = asyncio.run(_measure(folder, receipts))
    finally:
        gc.enable()
        gc.unfreeze()
    notes = [
        f"{receipts:,} receipts with claims in 90 days, 2,000 of them with papers; {ROUNDS} rounds",
        "question: the longest single one in the store's thread; a record that comes meanwhile waits for it",
        "for the first time: with nothing in memory; days that are over are added up once and kept",
    ]
    title = "What the managers' page asks"
    return [Section("pages", title, ("answer", "p50 ms", "p95 ms", "question, p95 ms", "aim", ""), rows, notes)]


def questions(reports: Reports, receipts: int) -> dict[str, Callable[[], Awaitable[Any]]]:
    """By name. What is kept in memory is forgotten before those that are asked FIRST."""
    last = receipts - 2
    return {
        f"today{FIRST}": reports.today,
        "today": reports.today,
        "chart of a day": lambda: reports.chart(Span.DAY),
        "chart of a week": lambda: reports.chart(Span.WEEK),
        f"chart of a month{FIRST}": lambda: reports.chart(Span.MONTH),
        "chart of a month": lambda: reports.chart(Span.MONTH),
        "what is wrong": reports.troubles,
        "receipts, newest": lambda: reports.search(Wanted()),
        "receipts, a kind": lambda: reports.search(Wanted(kind="void")),
        "receipts, a number": lambda: reports.search(Wanted(number=f"{last // 2:06d}")),
        "receipts, a number that is not there": lambda: reports.search(Wanted(number="x9999999")),
        "receipts, an amount": lambda: reports.search(Wanted(least_minor=3390, most_minor=3390)),
        "receipts, rare amounts in a range": lambda: reports.search(Wanted(least_minor=20_400, most_minor=20_401)),
        "receipts, a word on the paper": lambda: reports.search(Wanted(text="ITEM 777")),
        "one receipt": lambda: reports.receipt(SESSION, last),
        "its paper": lambda: reports.paper(SESSION, last),
        "z-checks": reports.z_checks,
        "redemptions": reports.redemptions,
        "the shift": reports.shift_tally,
        f"staff, 28 days{FIRST}": reports.staff,
        "staff, 28 days": reports.staff,
        f"paper of a month{FIRST}": lambda: reports.paper_cost("2026-11"),
        "paper of a month": lambda: reports.paper_cost("2026-11"),
        "sync": reports.sync,
        "disk": reports.disk,
        "audit, somebody's": lambda: reports.audit(AuditWanted(who="nobody")),
        "visits": reports.visits,
    }


async def _measure(folder: Path, receipts: int) -> list[list[str]]:
    async with reported(folder) as (_, reports):
        gc.collect()
        gc.freeze()
        gc.disable()  # as edgebox/process.py does
        timed = _Timed(reports.store)
        reports.store.read = timed.read  # type: ignore[method-assign]
        return [await _row(reports, timed, name, ask) for name, ask in questions(reports, receipts).items()]


class _Timed:
    """Each question's own time, on the store's thread."""

    def __init__(self, store: Store) -> None:
        self.longest_ms = 0.0
        self._read = store.read

    async def read(self, question: Callable[[sqlite3.Connection], Any]) -> Any:
        def timed(db: sqlite3.Connection) -> Any:
            began = time.perf_counter()
            try:
                return question(db)
            finally:
                self.longest_ms = max(self.longest_ms, (time.perf_counter() - began) * 1000)

        return await self._read(timed)


async def _row(reports: Reports, timed: _Timed, name: str, ask: Callable[[], Awaitable[Any]]) -> list[str]:
    whole, single = [], []
    for _ in range(ROUNDS):
        if name.endswith(FIRST):
            reports.figures._closed.clear()
            reports.figures._open.clear()
            reports._months.clear()
        timed.longest_ms = 0.0
        began = time.perf_counter()
        await ask()
        whole.append((time.perf_counter() - began) * 1000)
        single.append(timed.longest_ms)
    whole.sort()
    single.sort()
    late = ROUNDS * 95 // 100 - 1
    return [
        name, f"{whole[ROUNDS // 2]:.1f}", f"{whole[late]:.1f}", f"{single[late]:.1f}", f"≤ {QUESTION_MS:g}",
        met(single[late], QUESTION_MS),
    ]  # fmt: skip
