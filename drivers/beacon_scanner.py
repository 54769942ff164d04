"""The box's ear on the air: bleak scans, and every advertisement goes to whoever asked.

Owns: bleak, which is loaded here and only when there is something to scan with. Never: decides when to scan
(scan_watch.py) or what an advertisement says (edgebox/beacons/ears.py).

Active scan: a passive one tells the strength only when it has changed by 8 dB. bleak keeps one connection to the bus
for each loop, with all devices that it ever saw; after a loss that connection is closed, so that the next scan begins
with what there is. BlueZ ends a scan with the connection of whoever began it, so nobody is asked who is not there any
more. Whatever `stop` says, a scanner is used once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from drivers.bluez import Bluez, Patience
from drivers.bluez_picture import Picture
from drivers.scan_watch import Do, ScanPatience, ScanWatch
from edgebox.beacons.heard import Deaf
from sync.backoff import full_jitter

if TYPE_CHECKING:
    from bleak import BleakScanner
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

log = logging.getLogger("drivers.beacon_scanner")

NO_RSSI = -127  # what bleak says when a device has changed and no advertisement came

# sender, manufacturer data, service data, strength in dBm, time.monotonic()
Take = Callable[[str, Mapping[int, bytes], Mapping[str, bytes], int, float], None]


class BeaconScanner:
    """One box's. `take`: an advertisement; it must not wait. `deaf`: hearing ended or began again."""

    def __init__(
        self,
        bluez: Bluez,
        take: Take,
        deaf: Callable[[Deaf], None] = lambda deaf: None,
        changed: Callable[[], None] = lambda: None,
        *,
        patience: Patience = Patience(),  # noqa: B008 - immutable
        scan_patience: ScanPatience = ScanPatience(),  # noqa: B008 - immutable
        chance: random.Random | None = None,
    ) -> None:
        self._bluez = bluez
        self._take = take
        self._deaf = deaf
        self._changed = changed
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        wait_s = partial(_wait_s, chance or random.Random(), patience)
        self._watch = ScanWatch(self._clock(), wait_s, scan_patience)
        self._scanner: BleakScanner | None = None
        self._has_bleak = False
        self._wake = asyncio.Event()
        bluez.on_change(self._look)

    @property
    def counters(self) -> Counter[str]:
        """Losses by kind."""
        return self._watch.counters

    @property
    def is_scanning(self) -> bool:
        """A scan is on, as far as anybody knows."""
        return self._watch.is_scanning

    def state(self) -> str:
        """What it waits for, in words; "": it listens."""
        return self._watch.state()

    async def run(self) -> None:
        """Until it is cancelled; then nothing of bleak's is left."""
        self._look()
        try:
            while True:
                self._wake.clear()
                while todo := self._watch.next(self._clock()):
                    self._tell()  # what is to be done may take its time
                    await (self._start() if todo is Do.START else self._stop())
                    self._changed()
                self._tell()
                try:
                    async with asyncio.timeout(self._watch.due_s(self._clock())):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await self._stop()
            await self._forget_bus()

    # -- bleak

    async def _start(self) -> None:
        adapter = self._bluez.picture.adapter
        assert adapter is not None, "there is a place"
        fault = ""
        try:
            from bleak import BleakScanner

            self._has_bleak = True
            logging.getLogger("bleak").setLevel(logging.ERROR)  # its losses are ours to tell
            self._scanner = BleakScanner(self._seen, scanning_mode="active", bluez={"adapter": adapter.name})
            async with asyncio.timeout(self._patience.call_s):
                await self._scanner.start()
        except ImportError:
            fault = "bleak is not installed: run make setup"
        except TimeoutError:
            fault = "bluetoothd does not answer: systemctl restart bluetooth"
        except Exception as error:  # bleak's own, dbus-fast's, and assertions of both
            fault = f"no scan: {str(error) or type(error).__name__}"
            log.info("%s", fault)
        if fault:
            self._scanner = None
            await self._forget_bus()
        self._watch.started(fault, self._clock())

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None and not self._watch.is_lost:
            try:
                async with asyncio.timeout(self._patience.call_s):
                    await scanner.stop()
            except Exception as error:  # there may be nothing left to stop
                log.info("the scan's end: %s", str(error) or type(error).__name__)
        await self._forget_bus()
        self._watch.stopped(self._clock())

    async def _forget_bus(self) -> None:
        """Closes bleak's connection. It has no way to ask for that; without it, devices of a bluetoothd that crashed
        would be kept for ever."""
        if not self._has_bleak:
            return
        from bleak.backends.bluezdbus import manager

        known = manager._global_instances.pop(asyncio.get_running_loop(), None)
        if known is not None and known._bus is not None:
            known._bus.disconnect()
            if known._bus_watcher_task is not None:
                await asyncio.wait({known._bus_watcher_task}, timeout=self._patience.call_s)

    def _seen(self, device: BLEDevice, said: AdvertisementData) -> None:
        if said.rssi == NO_RSSI:
            return
        now = self._clock()
        source = device.address
        self._watch.advert(source, now)
        if self._watch.news:
            self._tell()
        self._take(source, said.manufacturer_data, said.service_data, said.rssi, now)

    # -- telling

    def _look(self) -> None:
        self._watch.see(self._bluez.picture, self._clock())
        self._wake.set()
        self._changed()

    def _tell(self) -> None:
        news, self._watch.news = self._watch.news, []
        for deaf in news:
            self._deaf(deaf)
        if news:
            self._changed()

    @property
    def picture(self) -> Picture:
        """What Bluetooth there is."""
        return self._bluez.picture


def _wait_s(chance: random.Random, patience: Patience, attempt: int) -> float:
    return full_jitter(chance, attempt, patience.again_s)
