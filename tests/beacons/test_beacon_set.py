"""`beacon.set` from the fleet's signature to the bytes on the air: engine, store, orders and libraries are real."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgebox.beacons.radio import SENDS, Radio
from edgebox.engine import Engine
from edgebox.keys import load_keys
from edgebox.orders.changes import Source
from edgebox.store.events import Stream
from edgebox.store.places import EPOCH_MAX, span
from hw_sim.bluez import Bluetoothd
from hw_sim.message_bus import MessageBus
from tests.beacons.bluetooth import PATIENCE, SHOP, needs_dbus
from tests.box_of_orders import Box, flags, provision
from tests.line_of_engine import running
from tests.sync.fleet import NOW

pytestmark = needs_dbus

TWO: dict[str, Any] = {"frames": [{"uuid": SHOP, "major": 1, "minor": n} for n in (1, 2)], "interval_ms": 300}
_AUDIT = "SELECT body FROM journal WHERE place BETWEEN ? AND ?"


@contextlib.asynccontextmanager
async def box(folder: Path) -> AsyncIterator[tuple[Box, Radio]]:
    """One run of a box with a radio; nothing of beacons is in its settings."""
    provision(folder)
    async with running(folder, *flags(folder), keys=load_keys(folder / "keys.toml"), now=NOW) as engine:
        radio = Radio(engine, synced=lambda: True, patience=PATIENCE)
        engine.parts.append(radio)
        shop = Box(engine, Source(None, flags(folder)), NOW)
        await shop.orders.open()
        await radio.open(shop.store)
        try:
            yield shop, radio
        finally:
            await shop.orders.close()


def on_air(daemon: Bluetoothd) -> list[tuple[str, int]]:
    return sorted((advert.data[-5:].hex(), advert.interval_ms) for advert in daemon.adverts.values())


async def audited(engine: Engine) -> str:
    assert engine.store is not None
    low, high = span(Stream.AUDIT, 0)[0], span(Stream.AUDIT, EPOCH_MAX)[1]
    rows = await engine.store.read(lambda db: db.execute(_AUDIT, (low, high)).fetchall())
    return " ".join(bytes(body).decode() if isinstance(body, bytes) else str(body) for (body,) in rows)


def test_frames_of_the_fleet_are_on_the_air_at_once_and_behind_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MessageBus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    two = [("00010001c5", 300), ("00010002c5", 300)]

    async def whole() -> None:
        bus.start()
        daemon = Bluetoothd(bus.address)
        await daemon.start()
        daemon.plug()
        async with box(tmp_path) as (shop, radio):
            reply = await shop.give("beacon.set", {"revision": 1, "content": TWO}, "owner-1")
            assert reply.state == "succeeded"
            await shop.until(lambda: on_air(daemon) == two)
            await shop.until(lambda: shop.engine.health.states().get(SENDS) == "ok")
            assert "beacon.set" in await audited(shop.engine)
            refused = await shop.give("beacon.set", {"revision": 2, "content": TWO | {"hours": ["late"]}}, "owner-1")
            assert refused.state == "failed"
            assert "late" in str(refused)
            assert on_air(daemon) == two
        await shop.until(lambda: on_air(daemon) == [])
        async with box(tmp_path) as (shop, radio):
            await shop.until(lambda: on_air(daemon) == two)
            await shop.until(lambda: radio.sending_stands() == ("ok", "2 on the air"))
            nobody = await shop.give("beacon.set", {"revision": 3, "content": {"frames": []}}, "owner-1")
            assert nobody.state == "succeeded"
            await shop.until(lambda: on_air(daemon) == [])
        await daemon.crash()

    try:
        asyncio.run(whole())
    finally:
        bus.stop()
