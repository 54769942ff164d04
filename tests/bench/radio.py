"""Bluetooth: what an advertisement costs with the real libraries, and how long each loss lasts.

The stand-in for bluetoothd sends from a process of its own, over a real message bus, so that only our side is counted.
The losses are those of tests/beacons/test_radio_losses.py, here with the waits that a shop has.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.bluez import Patience
from drivers.scan_watch import ScanPatience
from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import TagKey, TagKind
from hw_sim.bluez import Bluetoothd
from hw_sim.message_bus import MessageBus
from tests.beacons.bluetooth import TAG, Shop
from tests.beacons.test_radio_losses import STORIES, crowd
from tests.bench.box import Broken
from tests.bench.figures import Section, met

CPU_MS = 0.15  # an advert, in all [issue]; presence has its share (presence.py)
BACK_S = 30.0  # [issue]
PER_S = 100
SENDERS, LISTED = 50, 10
STRANGER = "99999999-2222-3333-4444-555555555555"
WITHIN_S = 60.0


async def sending(address: str, count: int) -> None:
    """The other process: fifty devices, ten of them listed, `PER_S` advertisements a second."""
    daemon = Bluetoothd(address)
    await daemon.start()
    path = daemon.plug()
    while not daemon.scanners:  # noqa: ASYNC110 - of another program
        await asyncio.sleep(0.01)
    began = time.monotonic()
    for number in range(count):
        who = number % SENDERS
        key = TagKey(TagKind.IBEACON, TAG.space if who < LISTED else STRANGER, 1, who)
        daemon.report(path, f"AA:BB:CC:00:00:{who:02X}", -60 - number % 7, {APPLE: ibeacon(key, -59)})
        await asyncio.sleep(max(0.0, began + number / PER_S - time.monotonic()))
    await daemon.settle()
    print("sent", flush=True)
    await asyncio.sleep(1.0)
    await daemon.crash()


async def cost(folder: Path, count: int) -> float:
    """Milliseconds of CPU an advert, from the bus to whoever listens."""
    bus = MessageBus(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        bus.start()
        command = [sys.executable, "-m", "tests.bench.radio", bus.address, str(count)]
        sender = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        shop = Shop(folder, send=())
        try:
            await shop.radio.open(None)  # type: ignore[arg-type]
            await shop.until(lambda: bool(shop.told))
            before, began = shop.radio.counters(), time.process_time()
            assert sender.stdout is not None, "piped"
            await sender.stdout.readline()
            cpu_ms = (time.process_time() - began) * 1000
            after = shop.radio.counters()
            heard = sum(after[name] - before[name] for name in ("ears: heard", "ears: strangers"))
        finally:
            await shop.radio.stop()
            await sender.wait()
            bus.stop()
    if heard < 0.9 * count:
        raise Broken(f"{heard} of {count} advertisements arrived")
    return cpu_ms / heard


async def back(folder: Path, happens: Callable[[Shop], Awaitable[None]]) -> float:
    """Seconds from a loss until the box is on the air and hears again, with the waits of a shop."""
    shop = Shop(folder, patience=Patience(), scan_patience=ScanPatience(), within_s=WITHIN_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", shop.bus.address)
        try:
            await shop.all_there()
            await shop.hears_again()
            began = time.monotonic()
            await happens(shop)
            await shop.until(shop.is_well)
            await shop.hears_again()
            return time.monotonic() - began
        finally:
            await shop.end()


async def stall(shop: Shop) -> None:
    """Nothing is heard any more, and nothing says so."""
    await crowd(shop)
    shop.daemon.is_deaf = True
    await shop.until(lambda: not shop.daemon.is_deaf)


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Sections `radio` and `radio-losses`."""
    if not MessageBus.is_installed():
        raise Broken("no dbus-daemon: apt install dbus")
    count = 300 if quick else 3000
    cpu_ms = asyncio.run(cost(_fresh(folder, "cost"), count))
    found = Section(
        "radio",
        "An advertisement on its way in",
        ("", "found", "target"),
        [("CPU an advert, ms", f"{cpu_ms:.3f}", f"{CPU_MS}: {met(cpu_ms, CPU_MS)}")],
        [f"{count} adverts, {PER_S} a second, from the socket through dbus-fast and bleak to whoever listens"],
    )
    rows = []
    for happens in [*STORIES, *([] if quick else [stall])]:
        name = happens.__name__.replace("_", " ")
        lasted_s = asyncio.run(back(_fresh(folder, happens.__name__), happens))
        rows.append((name, f"{lasted_s:.1f}", f"{BACK_S:.0f} s: {met(lasted_s, BACK_S)}"))
    notes = ["from the loss until the frame is on the air and a tag is heard; the world itself takes no time here"]
    return [found, Section("radio-losses", "Losses of Bluetooth", ("", "back after s", "target"), rows, notes)]


def _fresh(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


if __name__ == "__main__":
    asyncio.run(sending(sys.argv[1], int(sys.argv[2])))
