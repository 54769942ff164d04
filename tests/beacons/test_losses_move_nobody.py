"""Whatever happens to Bluetooth, who stands at the till stays there, and who is far stays far. Real bleak, dbus-fast.

Presence runs a hundred times as fast, as the radio does in these stories. Two tags send all the time; whether anybody
hears them is bluetoothd's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from drivers.scan_watch import ScanPatience
from edgebox.beacons import presence
from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import Battery, Deaf, Heard
from edgebox.beacons.presence import Moved, Presence, Step
from tests.beacons.bluetooth import TAG, Shop, needs_dbus, play

pytestmark = needs_dbus

FAR = TAG._replace(minor=99)
FAST = {"LOST_S": 0.45, "HOLD_S": 0.1, "GONE_S": 0.3, "APART_S": 0.0, "WINDOW_S": 0.2, "PAST_S": 1.0}
EVERY_S = 0.02
SCAN_PATIENCE = ScanPatience(*(seconds / 100 for seconds in ScanPatience()))
AFTER_S = 0.5  # before and behind the loss: more than any step takes


Mend = Callable[[], Awaitable[None]]


class Watch:
    """A listener of the radio."""

    def __init__(self) -> None:
        self.presence = Presence()
        self.found: list[Moved] = []

    def heard(self, heard: Heard) -> None:
        self.found += self.presence.hear(heard)

    def battery(self, battery: Battery) -> None:
        pass

    def deaf(self, deaf: Deaf) -> None:
        self.presence.deaf(deaf)


@contextlib.asynccontextmanager
async def all_day(shop: Shop, watch: Watch) -> AsyncIterator[None]:
    """One tag at half a metre, one at some twelve; and presence looks round."""

    async def go_on() -> None:
        while True:
            with contextlib.suppress(Exception):  # no bluetoothd, no adapter: nobody hears them
                shop.tag_sends(-52)
                shop.daemon.report(shop.adapter, "AA:BB:CC:00:11:99", -88, {APPLE: ibeacon(FAR, -59)})
            watch.found += watch.presence.look(asyncio.get_running_loop().time())
            await asyncio.sleep(EVERY_S)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def no_bluetoothd(shop: Shop) -> Mend:
    await shop.daemon.crash()
    return shop.bluetoothd


async def no_bus(shop: Shop) -> Mend:
    shop.bus.stop()
    await shop.daemon.crash()

    async def again() -> None:
        shop.bus.start()
        await shop.bluetoothd()

    return again


async def no_power(shop: Shop) -> Mend:
    shop.daemon.power(shop.adapter, False)

    async def again() -> None:
        shop.daemon.power(shop.adapter, True)

    return again


async def no_adapter(shop: Shop) -> Mend:
    shop.daemon.unplug(shop.adapter)

    async def again() -> None:
        shop.adapter = shop.daemon.plug("hci1")

    return again


async def a_stall(shop: Shop) -> Mend:
    shop.daemon.is_deaf = True  # nobody is told, and only a fresh scan helps

    async def again() -> None:
        assert not shop.daemon.is_deaf, "there was none"

    return again


async def a_scan_with_pauses(shop: Shop) -> Mend:
    shop.daemon.window_s = 0.1, 0.05  # 10 s and 5 s

    async def again() -> None:
        shop.daemon.window_s = None

    return again


async def a_discovery_that_ends(shop: Shop) -> Mend:
    shop.daemon.end_scans(shop.adapter)
    return nothing


async def nothing() -> None:
    """It is over by itself."""


LOSSES = [no_bluetoothd, no_bus, no_power, no_adapter, a_stall, a_scan_with_pauses, a_discovery_that_ends]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_nobody_comes_or_goes_while_there_is(
    loss: Callable[[Shop], Awaitable[Mend]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FAST.items():
        monkeypatch.setattr(presence, name, value)
    watch = Watch()

    async def story(shop: Shop) -> None:
        shop.radio.listeners.append(watch)
        await shop.all_there()
        async with all_day(shop, watch):
            await asyncio.sleep(AFTER_S)
            assert [(one.key, one.step) for one in watch.found] == [(TAG, Step.ENTERED)] * 2, "till and shop"
            mend = await loss(shop)
            await asyncio.sleep(3 * FAST["LOST_S"])
            await mend()
            await shop.until(shop.is_well)
            await asyncio.sleep(AFTER_S)
            assert len(watch.found) == 2, watch.found
            assert {one.key for one in watch.presence.seen()} == {TAG, FAR}, "both are heard again"
        await shop.until(lambda: bool(watch.presence.look(asyncio.get_running_loop().time())))

    play(tmp_path, story, scan_patience=SCAN_PATIENCE)
