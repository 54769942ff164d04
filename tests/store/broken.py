"""A database as a power cut leaves it, to be broken in the tests."""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from edgebox.store.database import FILE, PAGE_BYTES
from edgebox.store.events import Event, Stream
from edgebox.store.pages import PageFile
from edgebox.store.places import pack
from edgebox.store.sidecar import Sidecar
from edgebox.store.store import Store
from tests.faults.ledger import Ledger, claim, receipt

PAIRS = 300
TOGETHER = 4  # receipts of one commit: a broken log may cost as many


def left_open(
    folder: Path, pairs: int = PAIRS, *, acknowledged: int = 0, more: Sequence[Event] = ()
) -> tuple[Path, Ledger]:
    """A folder with `pairs` receipts and claims, whose process ended without a word; and what was accepted."""
    ledger = Ledger()

    async def play(home: Path) -> None:
        store = Store.open(home)
        for first in range(1, pairs + 1, TOGETHER):
            numbers = range(first, min(first + TOGETHER, pairs + 1))
            found = await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in numbers))
            for number, places in zip(numbers, found, strict=True):
                ledger.accept(receipt(number), claim(number), seqs=[place.seq for place in places])
        for event in more:
            ((_stream, _epoch, seq),) = await store.record(event)
            ledger.accept(event, seqs=[seq])
        if acknowledged:
            for stream in (Stream.RECEIPTS, Stream.CLAIMS):
                await store.acknowledge(stream, store.epoch, acknowledged)
        shutil.copytree(home, folder)
        at_home(folder)
        await store.close()

    asyncio.run(play(folder.with_name(f"{folder.name}.alive")))
    return folder / FILE, ledger


def at_home(folder: Path) -> None:
    """A copy is as good as where it was copied from: a real one would begin a new epoch."""
    with closing(Sidecar(folder)) as sidecar:
        sidecar.write(sidecar.left, sidecar.ordinal)


def settle(path: Path) -> None:
    """Brings the log into the file, as a checkpoint does; the box still stopped without a word."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def spoil(path: Path, page: int, raw: bytes = bytes(PAGE_BYTES)) -> None:
    """Writes `raw` over a page, counted from 1."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(raw)


def consumed(folder: Path, ledger: Ledger) -> list[str]:
    """Opens the store and takes everything; what the store had to say."""

    async def play() -> list[str]:
        store = Store.open(folder)
        await ledger.consume(store)
        await ledger.audit(store)
        news = list(store.news)
        await store.close()
        return news

    return asyncio.run(play())


def pages_of(path: Path, table: str, seq: int) -> list[int]:
    """The pages on which the table's row of this receipt stands."""
    pages = PageFile(path)
    place = pack(Stream.RECEIPTS, 1, seq)
    found = [
        record.page for record in pages.records() if pages.tables.get(record.root) == table and record.rowid == place
    ]
    pages.close()
    return found
