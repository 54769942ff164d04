"""A backup is put back: numbers don't come twice, and what was recorded since is taken over, or told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from edgebox.store.backup import backup, restore
from edgebox.store.database import FILE
from edgebox.store.store import Store
from tests.faults import Row, Scale
from tests.faults.ledger import AT, Ledger, claim, receipt
from tests.faults.trial import consume

TRIALS = 10
RECORDS = 30


def rows(scale: Scale) -> Iterator[Row]:
    """Three rows: what was recorded since the backup had been consumed, or had not, or can't be read any more."""
    trials = (("consumed before", True, True), ("never consumed", False, True), ("beyond reading", False, False))
    for name, consumed, is_readable in trials:
        ledger = Ledger()
        times = scale.times(TRIALS)
        for trial in range(times):
            with scale.folder() as home:
                _restored(home, ledger, trial * 10 * RECORDS, consumed, is_readable)
        yield ledger.row(f"backup restored, rows since {name}, {times} times")


def _restored(home: Path, ledger: Ledger, first: int, consumed: bool, is_readable: bool) -> None:
    box = home / "box"
    asyncio.run(_record(box, ledger, first))
    backup(box, home / "backup", AT * 1000)
    asyncio.run(_record(box, ledger, first + RECORDS))
    if consumed:
        consume(box, ledger)
    if not is_readable:
        (box / FILE).write_bytes(b"GARBAGE " * 5000)
    restore(box, home / "backup", AT * 1000)
    asyncio.run(_record(box, ledger, first + 2 * RECORDS))
    consume(box, ledger)


async def _record(box: Path, ledger: Ledger, first: int) -> None:
    store = Store.open(box)
    numbers = range(first + 1, first + 1 + RECORDS)
    await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in numbers))
    for number in numbers:
        ledger.accept(receipt(number), claim(number))
    await store.close()
