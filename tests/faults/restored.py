"""A backup is put back: numbers don't come twice, and what was recorded since is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from edgebox.store.backup import backup, restore
from edgebox.store.store import Store
from tests.faults import Row, Scale
from tests.faults.ledger import AT, Ledger, claim, receipt
from tests.faults.trial import consume

TRIALS = 10
RECORDS = 30


def rows(scale: Scale) -> Iterator[Row]:
    """Two rows: what was recorded since the backup had been consumed, or had not."""
    for name, consumed in (("consumed before", True), ("never consumed", False)):
        ledger = Ledger()
        times = scale.times(TRIALS)
        for trial in range(times):
            with scale.folder() as home:
                _restored(home, ledger, trial * 10 * RECORDS, consumed)
        yield ledger.row(f"backup restored, rows since {name}, {times} times")


def _restored(home: Path, ledger: Ledger, first: int, consumed: bool) -> None:
    box = home / "box"
    asyncio.run(_record(box, ledger, first))
    backup(box, home / "backup", AT * 1000)
    asyncio.run(_record(box, ledger, first + RECORDS))
    if consumed:
        consume(box, ledger)
    restore(box, home / "backup", AT * 1000)
    asyncio.run(_record(box, ledger, first + 2 * RECORDS))
    consume(box, ledger)


async def _record(box: Path, ledger: Ledger, first: int) -> None:
    store = Store.open(box)
    for number in range(first + 1, first + 1 + RECORDS):
        await store.record(receipt(number), claim(number))
        ledger.accept(receipt(number), claim(number))
    await store.close()
