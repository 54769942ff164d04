"""Clocks that jump a year, or start in 1970: order, numbers and retention don't care."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from edgebox.settings import StoreSettings
from edgebox.store.clock import Reading
from edgebox.store.events import Stream
from edgebox.store.retention import Retention
from edgebox.store.store import Store
from tests.faults import Row, Scale
from tests.faults.ledger import AT, Ledger, claim, receipt

YEAR_MS = 365 * 86_400_000
RECORDS = 50
SETTINGS = StoreSettings(keep_days=30)


class Jumping:
    """A clock whose wall time is set by the trial; uptime goes on."""

    def __init__(self) -> None:
        self.at_ms, self.mono_ms, self.synced, self.boot = AT * 1000, 0, True, "boot-1"

    def now(self) -> Reading:
        self.mono_ms += 1000
        self.at_ms += 1000
        return Reading(self.boot, self.mono_ms, self.at_ms, self.synced)


def rows(scale: Scale) -> Iterator[Row]:
    """Four rows; between the jumps rows are consumed and retention runs."""
    for name, jumps in TRIALS.items():
        ledger = Ledger()
        with scale.folder() as folder:
            asyncio.run(_play(folder, ledger, jumps))
        yield ledger.row(name)


async def _play(folder: Path, ledger: Ledger, jumps: tuple[tuple[int | None, bool, bool], ...]) -> None:
    clock = Jumping()
    number = 0
    for at_ms, synced, starts in jumps:
        clock.at_ms = AT * 1000 + at_ms if at_ms is not None else 0
        clock.synced = synced
        if starts:
            clock.boot, clock.mono_ms = f"boot-{number}", 0
        store = Store.open(folder, SETTINGS, clock=clock)
        keeper = Retention(store)
        for _ in range(RECORDS):
            number += 1
            await store.record(receipt(number), claim(number))
            ledger.accept(receipt(number), claim(number))
        await ledger.consume(store)
        for _ in range(10):
            await keeper.step()
        await ledger.audit(store)
        seqs = [row.seq for row in await store.rows(Stream.RECEIPTS, None, limit_rows=9999, limit_bytes=1 << 30)]
        if seqs != list(range(1, number + 1)):
            ledger.holes.append(f"{len(seqs)} of {number} receipts are kept")
        await store.close()


TRIALS: dict[str, tuple[tuple[int | None, bool, bool], ...]] = {
    # where the clock stands (None: 1970), whether NTP says it is right, whether the machine was started
    "clock a year ahead and back": ((0, True, False), (YEAR_MS, False, False), (1000, True, False)),
    "clock a year behind and back": ((0, True, False), (-YEAR_MS, False, False), (1000, True, False)),
    "started without a clock": ((0, True, False), (None, False, True), (None, False, False)),
    "started without a clock, set later": ((None, False, True), (0, True, False), (1000, True, True)),
}
