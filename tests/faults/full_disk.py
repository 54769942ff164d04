"""The disk is full at every stage of a database's life; then there is room again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

from edgebox.errors import StoreError
from edgebox.settings import StoreSettings
from edgebox.store.backup import backup
from edgebox.store.database import FILE
from edgebox.store.events import Event, Stream
from edgebox.store.retention import Gate, Retention
from edgebox.store.store import Store
from tests.faults import Row, Scale
from tests.faults.ledger import AT, Ledger, claim, receipt, sighting, visit
from tests.faults.small_disk import fill, free, small_disk, why_not
from tests.faults.trial import consume
from tests.store.broken import spoil

SETTINGS = StoreSettings(max_mb=64, reserve_mb=1)
FEW = 60
ROOMY_BYTES = 40 << 20  # a backup leaves 16 MB where it goes
_numbers = count(1_000_000)
LEFT = (0, 4096, 40_960, 400_000)  # bytes that are left: a stage fails in other places with each
Stage = Callable[[Store, Path], Awaitable[object]]


def rows(scale: Scale) -> Iterator[Row]:
    """One row a stage; none without the right to mount a disk."""
    if why := why_not():
        print(f"full disk: not tried: {why}")
        return
    times = scale.times(len(LEFT))
    with scale.folder() as home:
        for name, stage in STAGES.items():
            ledger = Ledger()
            for left in LEFT[:times]:
                with small_disk(home / "disk") as disk:
                    asyncio.run(play(disk, ledger, stage, left))
                    consume(disk, ledger)
            yield ledger.row(f"disk full while it {name}, {min(times, len(LEFT))} times")
        for name, trial in TRIALS.items():
            ledger = Ledger()
            for left in LEFT[:times]:
                with small_disk(home / "disk", ROOMY_BYTES) as disk:
                    trial(disk, ledger, left)
            yield ledger.row(f"disk full while it {name}, {min(times, len(LEFT))} times")


async def play(disk: Path, ledger: Ledger, stage: Stage, left: int) -> None:
    """Rows are recorded before, while and after the disk is full; without a new start."""
    store = Store.open(disk, SETTINGS)
    Retention(store)
    await record(store, ledger, FEW)
    fill(disk, left)
    await attempt(ledger, stage(store, disk))
    await record(store, ledger, FEW)
    await attempt(ledger, stage(store, disk))
    free(disk)
    gate = store._writer.gate
    assert isinstance(gate, Gate)
    await store.work(lambda _: gate.look())  # as it does four times a second
    refused = ledger.refused
    await record(store, ledger, FEW)
    await stage(store, disk)
    ledger.unreported += ledger.refused - refused  # there is room: nothing may be refused any more
    await store.close()


async def record(store: Store, ledger: Ledger, times: int) -> None:
    """Receipts with claims, visits, sightings: what is accepted, and what is refused with a reason."""
    first = len(ledger.accepted) + ledger.refused
    for number in range(first + 1, first + times + 1):
        events: tuple[Event, ...] = (visit(number),) if number % 3 == 0 else (receipt(number), claim(number))
        try:
            await store.record(*events)
            ledger.accept(*events)
        except StoreError as fault:
            ledger.refused += len(events)
            ledger.unreported += len(events) * (fault.reason not in ("disk", "budget", "io"))


async def attempt(ledger: Ledger, what: Awaitable[object]) -> None:
    """It works, or says why not."""
    try:
        await what
    except StoreError as fault:
        ledger.unreported += fault.reason not in ("disk", "budget", "io")


# -- stages of an open store


async def _recording(store: Store, disk: Path) -> None:
    for _ in range(200):
        store.record_soon(sighting(next(_numbers)))
    await store.flush()


async def _checkpoint(store: Store, disk: Path) -> None:
    await store.work(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


async def _acknowledging(store: Store, disk: Path) -> None:
    for stream in (Stream.RECEIPTS, Stream.CLAIMS):
        waiting = await store.acknowledged()
        await store.acknowledge(stream, store.epoch, waiting[stream][1] + 0)


async def _pruning(store: Store, disk: Path) -> None:
    keeper = Retention(store, consumer=True)
    for _ in range(3):
        await keeper.step()


async def _vacuum(store: Store, disk: Path) -> None:
    await store.work(lambda db: db.execute("PRAGMA incremental_vacuum(8)").fetchall())


async def _facts(store: Store, disk: Path) -> None:
    await store.put("fact", bytes(200_000))


STAGES: dict[str, Stage] = {
    "records": _recording,
    "copies its log": _checkpoint,
    "acknowledges": _acknowledging,
    "prunes": _pruning,
    "gives space back": _vacuum,
    "keeps a fact": _facts,
}


# -- stages of one that is not open


def _opening(disk: Path, ledger: Ledger, left: int) -> None:
    asyncio.run(_filled(disk, ledger))
    fill(disk, left)
    _try_to_open(disk, ledger)
    free(disk)
    consume(disk, ledger)


def _beginning(disk: Path, ledger: Ledger, left: int) -> None:
    fill(disk, left)
    _try_to_open(disk, ledger)
    free(disk)
    asyncio.run(_filled(disk, ledger))
    consume(disk, ledger)


def _mending(disk: Path, ledger: Ledger, left: int) -> None:
    asyncio.run(_filled(disk, ledger))
    spoil(disk / FILE, 1)
    fill(disk, left)
    _try_to_open(disk, ledger)
    free(disk)
    consume(disk, ledger)


def _backing_up(disk: Path, ledger: Ledger, left: int) -> None:
    asyncio.run(_filled(disk, ledger))
    target = disk / "backup"
    backup(disk, target, AT * 1000)
    old = target.read_bytes()
    try:
        backup(disk, target, AT * 1000, progress=lambda done, pages: fill(disk, left))
    except StoreError as fault:
        ledger.unreported += fault.reason != "disk" or target.read_bytes() != old
    free(disk)
    backup(disk, target, AT * 1000)
    consume(disk, ledger)


async def _filled(disk: Path, ledger: Ledger) -> None:
    store = Store.open(disk, SETTINGS)
    await record(store, ledger, FEW)
    await store.close()


def _try_to_open(disk: Path, ledger: Ledger) -> None:
    try:
        Store.open(disk, SETTINGS).close_now()
    except StoreError as fault:
        ledger.unreported += fault.reason not in ("disk", "io")


TRIALS: dict[str, Callable[[Path, Ledger, int], None]] = {
    "opens": _opening,
    "begins": _beginning,
    "mends": _mending,
    "is backed up": _backing_up,
}
