"""Whatever happens to Bluetooth, who stands at the till stays there, and who is far stays far. Real bleak, dbus-fast.

Presence runs a hundred times as fast, as the radio does in these stories. Two tags send all the time; whether anybody
hears them is bluetoothd's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from edgebox.beacons import presence
from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import Battery, Deaf, Heard
from edgebox.beacons.presence import Moved, Presence, Step
from tests.beacons.bluetooth import TAG, Shop, needs_dbus, play
from tests.beacons.test_radio_losses import STORIES

pytestmark = needs_dbus

FAR = TAG._replace(minor=99)
FAST = {"LOST_S": 0.45, "HOLD_S": 0.1, "GONE_S": 0.3, "APART_S": 0.0, "WINDOW_S": 0.2, "PAST_S": 1.0}
EVERY_S = 0.02
AFTER_S = 0.6  # before and behind the loss: more than any step takes


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


@pytest.mark.parametrize("happens", STORIES, ids=lambda happens: happens.__name__)
def test_nobody_comes_or_goes_because_of(
    happens: Callable[[Shop], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
            await happens(shop)
            await shop.until(shop.is_well)
            await asyncio.sleep(AFTER_S)
            assert len(watch.found) == 2, watch.found
            assert {one.key for one in watch.presence.seen()} == {TAG, FAR}, "both are heard again"
        await shop.until(lambda: bool(watch.presence.look(asyncio.get_running_loop().time())))

    play(tmp_path, story)
