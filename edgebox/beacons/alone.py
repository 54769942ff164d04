"""Beacons without a box: the same radio, watch and table, for a person at a terminal where no engine runs.

Owns: what stands in for the engine. Never: sends anything on the air, or keeps anything: its database is the caller's
to throw away.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec

from edgebox.beacons.heard import Heard, TagKey
from edgebox.beacons.radio import Radio
from edgebox.beacons.watch import BeaconWatch
from edgebox.beacons.window import EVERY_S, Frame, Table
from edgebox.member_at_till import AtTill
from edgebox.notices import Health
from edgebox.settings import Config
from edgebox.store.store import Store

FRAMES_MAX = 1000  # that wait for a slow terminal; more are missed


class _Box:
    """What the parts want of an engine."""

    def __init__(self, config: Config) -> None:
        beacons = msgspec.structs.replace(config.beacons, scan=True, send=())
        self.config = msgspec.structs.replace(config, beacons=beacons)
        self.clock: Callable[[], float] = time.time
        self.health = Health(lambda event: None, self.clock)
        self.counters: Counter[str] = Counter()
        self.said = ""

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Shown below the table."""
        self.said = f"{what}: {error}" if error is not None else what


async def listening(config: Config, key: TagKey | None, folder: Path) -> AsyncGenerator[Table | Frame, None]:
    """A table each second and, of one tag, its frames. EdgeboxError."""
    box = _Box(config)
    store = await asyncio.to_thread(Store.open, folder)
    watch, radio = BeaconWatch(box, AtTill()), Radio(box)
    watch.on_spaces = radio.listen
    radio.listeners.append(watch)
    frames: asyncio.Queue[Frame] = asyncio.Queue(FRAMES_MAX)
    try:
        await watch.open(store)
        if key is not None:
            watch.want(key, wanted=True)
            watch.listeners.append(lambda heard: _keep(frames, heard, key))
        await radio.open(store)
        while True:
            _, words = radio.listening_stands()
            yield Table(watch.rows(), box.said or ("" if words == "listens" else words))
            next_s = time.monotonic() + EVERY_S
            while (left_s := next_s - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    yield await asyncio.wait_for(frames.get(), left_s)
    finally:
        await radio.stop()
        await watch.stop()
        box.health.stop()
        await store.close()


def _keep(frames: asyncio.Queue[Frame], heard: Heard, key: TagKey) -> None:
    if heard.key == key and not frames.full():
        frames.put_nowait(Frame(heard.rssi_dbm, heard.power_dbm))
