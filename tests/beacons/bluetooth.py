"""A shop with Bluetooth for tests: real bleak, real dbus-fast, a private message bus, and a bluetoothd that isn't.

All waits of the product are shortened by a factor of some forty: what takes 15 s in a shop takes 0.4 s here.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.bluez import Patience
from drivers.scan_watch import ScanPatience
from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import Battery, Deaf, Heard, TagKey, TagKind
from edgebox.beacons.radio import Radio
from edgebox.settings import BeaconsSettings, Config, FrameSettings
from hw_sim.bluez import Bluetoothd
from hw_sim.message_bus import MessageBus

needs_dbus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: apt install dbus")

PATIENCE = Patience(again_s=0.1, call_s=0.5, settle_s=0.0, sure_s=0.0)
SCAN_PATIENCE = ScanPatience(silence_s=0.4, pause_s=0.2)
WITHIN_S = 5.0  # for anything to happen: far more than it takes, for a busy machine

SHOP = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
TAG = TagKey(TagKind.IBEACON, "11111111-2222-3333-4444-555555555555", 1, 2)
FRAME = FrameSettings(uuid=SHOP.upper(), major=10001, minor=7)
# Apple's frame for FRAME, as a controller sends it for one that nobody can connect to.
FRAME_ON_AIR = bytes.fromhex("1aff4c000215fda50693a4e24fb1afcfc6eb0764782527110007c5")


class Notes:
    """Health, as far as it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []

    def note(self, part: str, state: str, words: str = "") -> None:
        if not self.said or self.now.get(part) != (state, words):
            self.said.append((part, state, words))

    @property
    def now(self) -> dict[str, tuple[str, str]]:
        return {part: (state, words) for part, state, words in self.said}


class Box:
    """As much of an engine as the radio needs. `at`: the wall clock."""

    def __init__(self, **settings: Any) -> None:
        self.config = msgspec.structs.replace(Config(), beacons=BeaconsSettings(**settings))
        self.health: Any = Notes()
        self.faults: list[str] = []
        self.at = 1_795_000_000.0

    def clock(self) -> float:
        return self.at

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        self.faults.append(f"{line}: {what}: {error!r}")


class Shop:
    """The box's radio and the world around it. `heard`, `deaf`, `batteries`: what its listeners were told."""

    def __init__(
        self,
        folder: Path,
        *,
        patience: Patience = PATIENCE,
        scan_patience: ScanPatience = SCAN_PATIENCE,
        within_s: float = WITHIN_S,
        **settings: Any,
    ) -> None:
        self.within_s = within_s
        self.bus = MessageBus(folder)
        self.daemon = Bluetoothd(self.bus.address)
        self.adapter = ""
        self.box = Box(**{"scan": True, "listen": (TAG.space,), "send": (FRAME,), **settings})
        self.radio = Radio(self.box, synced=lambda: True, patience=patience, scan_patience=scan_patience)
        self.radio.listeners.append(self)
        self.told: list[Heard] = []
        self.losses: list[Deaf] = []
        self.batteries: list[Battery] = []

    # -- a listener

    def heard(self, heard: Heard) -> None:
        self.told.append(heard)

    def battery(self, battery: Battery) -> None:
        self.batteries.append(battery)

    def deaf(self, deaf: Deaf) -> None:
        self.losses.append(deaf)

    # -- the world

    async def bluetoothd(self, **adapter: Any) -> None:
        """Starts, with an adapter."""
        self.daemon = Bluetoothd(self.bus.address)
        await self.daemon.start()
        self.adapter = self.daemon.plug(**adapter)

    async def all_there(self) -> None:
        """Bus, daemon and adapter; the box's frame is on the air and its ear open."""
        self.bus.start()
        await self.bluetoothd()
        await self.radio.open(None)  # type: ignore[arg-type]  # the radio records nothing itself
        await self.until(self.is_well)

    def tag_sends(self, rssi_dbm: int = -60, address: str = "AA:BB:CC:00:11:22") -> bool:
        """One advertisement of TAG; false: nobody hears it."""
        return self.daemon.report(self.adapter, address, rssi_dbm, {APPLE: ibeacon(TAG, -59)})

    def is_well(self) -> bool:
        """On the air as configured, and listening: as bluetoothd sees it, not as the box says."""
        on_air = [advert.data for advert in self.daemon.adverts.values()]
        shown = all(one.registered for one in self.radio.shown())
        return (
            on_air == [FRAME_ON_AIR] and len(self.daemon.scanners) == 1 and shown and self.hears_health() != "warning"
        )

    def hears_health(self) -> str:
        words = self.radio.listening_stands()
        return "ok" if words[1] == "listens, and nobody is heard" else words[0]

    async def hears_again(self) -> None:
        """What a tag sends arrives."""
        before = len(self.told)

        def arrives() -> bool:
            self.tag_sends()
            return len(self.told) > before

        await self.until(arrives, every_s=0.02)

    async def until(self, is_so: Callable[[], bool], *, every_s: float = 0.005) -> None:
        """TimeoutError, with what is known, if it does not come to be."""
        try:
            async with asyncio.timeout(self.within_s):
                while not is_so():  # noqa: ASYNC110 - of another program
                    await asyncio.sleep(every_s)
        except TimeoutError as late:
            raise AssertionError(
                f"not within {self.within_s} s: {self.box.health.now} {self.radio.counters()}"
            ) from late

    async def end(self) -> None:
        """Whatever has gone wrong, no process is left."""
        try:
            await self.radio.stop()
            if self.daemon.is_running and self.bus.pid:
                async with asyncio.timeout(WITHIN_S):
                    while await self.daemon.others():  # noqa: ASYNC110 - of another program
                        await asyncio.sleep(0.005)
        finally:
            await self.daemon.crash()
            self.bus.stop()


def play(folder: Path, story: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    """Plays a story; at its end no task, no file and no fault of the radio's may be left."""

    async def whole() -> None:
        before = open_files()
        shop = Shop(folder, **settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", shop.bus.address)
            try:
                await story(shop)
            finally:
                await shop.end()
        async with asyncio.timeout(WITHIN_S):
            while open_files() != before:  # noqa: ASYNC110 - dbus-fast closes when it has read the end
                await asyncio.sleep(0.005)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        assert shop.box.faults == []

    asyncio.run(whole())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
