"""A box for the tests of sync: a real store and an uplink on it, with waits that a test can sit through."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edgebox.settings import SyncSettings
from edgebox.store.events import Event, ReceiptRecord, SightingRecord, Stream
from edgebox.store.store import Store
from sync.inbox import Handlers
from sync.session.lane import Patience
from sync.session.window import Limits
from sync.uplink import Uplink

PATIENCE_S = 10.0  # a loaded machine's second
PATIENCE = Patience(ack_s=0.5, young_s=0.1)


class Hasty(random.Random):
    """Chance that always says: soon. A twentieth of what it might be."""

    def uniform(self, a: float, b: float) -> float:
        """Near `a`."""
        return a + (b - a) / 20


class Box:
    """Store, uplink and the uplink's task."""

    def __init__(self, store: Store, uplink: Uplink) -> None:
        self.store = store
        self.uplink = uplink
        self.task = asyncio.ensure_future(uplink.run())

    async def receipts(self, count: int, first: int = 0) -> None:
        """Records so many receipts, each by itself."""
        for number in range(first, first + count):
            await self.store.record(receipt(number))

    async def sightings(self, count: int) -> None:
        """Records so many sightings, a thousand at once."""
        for start in range(0, count, 1000):
            await self.store.record(*(sighting(number) for number in range(start, min(count, start + 1000))))

    async def marked(self, stream: Stream = Stream.RECEIPTS) -> int:
        """How far the store knows the cloud to have a stream."""
        return (await self.store.acknowledged())[stream][1]

    async def marks(self, through: int, stream: Stream = Stream.RECEIPTS) -> None:
        """Waits until the store knows the cloud to have so much."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.marked(stream) < through:  # noqa: ASYNC110 - another thread's doing
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """The uplink says goodbye."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def receipt(number: int) -> Event:
    """A sale."""
    return ReceiptRecord(at=1_795_000_000, session="5e55", document=number, line="line1", kind="sale", amount_minor=100)


def sighting(number: int) -> Event:
    """A beacon heard."""
    return SightingRecord(at=1_795_000_000, tag="t1", rssi_dbm=-60, distance_cm=number)


def settings(url: str, folder: Path, **values: Any) -> SyncSettings:
    """[sync] of a box."""
    defaults = {"tenant": "acme", "store": "store1", "box": "box1", "backoff_max_s": 1}
    return SyncSettings(url=url, **{"credentials": str(folder / "credentials"), **defaults, **values})


@asynccontextmanager
async def running(
    url: str,
    folder: Path,
    *,
    handlers: Handlers | None = None,
    limits: Limits | None = None,
    patience: Patience = PATIENCE,
    clock: Callable[[], float] | None = None,
    chance: random.Random | None = None,
    **values: Any,
) -> AsyncIterator[Box]:
    """A box whose uplink runs; its store is in `folder`/store and stays there."""
    store = Store.open(folder / "store")
    uplink = Uplink(
        settings(url, folder, **values),
        store,
        handlers=handlers,
        chance=chance or Hasty(),
        limits=limits,
        patience=patience,
        ack_every_s=0.05,
        **({"clock": clock} if clock else {}),
    )
    box = Box(store, uplink)
    try:
        yield box
    finally:
        await box.stop()
        await store.close()
