"""What the faults share: a store that records in a process of its own until it is killed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import struct
import time
from pathlib import Path

from edgebox.settings import StoreSettings
from edgebox.store.store import Store
from tests.faults.ledger import Ledger, claim, receipt

_NUMBER = struct.Struct("<3Q")  # ours, the receipt's, the claim's
PRODUCERS = 4  # at once, so that commits hold several records


def record_until_killed(folder: Path, first: int, after: int, wait_s: float, ledger: Ledger) -> None:
    """A child records receipts with their claims; killed (-9) once `after` were accepted and `wait_s` has passed.

    It says each number on a pipe when record() has returned, before anything else: what comes out was accepted.
    """
    reading, writing = os.pipe()
    gc.collect()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(_record(folder, first, writing))
        finally:
            os._exit(3)
    os.close(writing)
    raw = b""
    while len(raw) < after * _NUMBER.size:
        part = os.read(reading, _NUMBER.size)
        if not part:
            raise AssertionError("the recorder ended by itself")
        raw += part
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    while part := os.read(reading, 1 << 16):
        raw += part
    os.close(reading)
    os.waitpid(child, 0)
    for number, *seqs in _NUMBER.iter_unpack(raw[: len(raw) // _NUMBER.size * _NUMBER.size]):
        ledger.accept(receipt(number), claim(number), seqs=seqs)


async def _record(folder: Path, first: int, writing: int) -> None:
    store = Store.open(folder)
    numbers = iter(range(first, 1 << 40))

    async def produce() -> None:
        for number in numbers:
            places = await store.record(receipt(number), claim(number))
            os.write(writing, _NUMBER.pack(number, *(place.seq for place in places)))

    await asyncio.gather(*(produce() for _ in range(PRODUCERS)))


def consume(
    folder: Path, ledger: Ledger, *, acknowledge: bool = True, settings: StoreSettings | None = None
) -> list[str]:
    """A new start: takes all that waits, and looks at what is stored; what the store had to say."""

    async def play() -> list[str]:
        store = Store.open(folder, settings)
        await ledger.consume(store, acknowledge=acknowledge)
        await ledger.audit(store)
        news = list(store.news)
        await store.close()
        return news

    return asyncio.run(play())


def numbers_of(ledger: Ledger) -> int:
    """A number that no receipt of this ledger has."""
    used = [int(key.split()[1]) for key in (*ledger.accepted, *ledger.stored, *ledger.delivered) if key]
    return max(used, default=0) + 10 * PRODUCERS
