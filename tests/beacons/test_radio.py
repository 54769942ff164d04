"""The radio as a part of the engine: hours, the fleet's wishes, health, and a box that has no Bluetooth at all."""

import asyncio
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edgebox.beacons import radio as module
from edgebox.beacons import sending
from edgebox.beacons.hours import read_hours
from edgebox.beacons.radio import Radio
from edgebox.errors import ConfigError
from edgebox.settings import BeaconsSettings, FrameSettings
from tests.beacons.bluetooth import FRAME, FRAME_ON_AIR, PATIENCE, SHOP, TAG, Box, Shop, needs_dbus, play

CONTENT: dict[str, Any] = {"frames": [{"uuid": SHOP, "major": 1, "minor": n} for n in (1, 2)], "interval_ms": 300}


def content(**more: Any) -> bytes:
    return msgspec.json.encode({**CONTENT, **more})


def at(clock: str) -> float:
    """A Monday, by the shop's clock."""
    return datetime.fromisoformat(f"2026-11-23T{clock}").replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


# -- what is to be sent


def test_frames_of_settings_and_fleet_come_to_the_same() -> None:
    settings = BeaconsSettings(send=tuple(FrameSettings(uuid=SHOP.upper(), major=1, minor=n) for n in (1, 2)),
                               interval_ms=300, hours=("mon-fri 10:00-22:00",))  # fmt: skip
    assert sending.of_settings(settings) == sending.of_content(content(hours=["mon-fri 10:00-22:00"]))
    assert sending.rejected(content()) == {}


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"hours": ["22:00"]}, "hours"),
        ({"frames": CONTENT["frames"] * 2}, "frames"),
        ({"hours": ["10:00-10:00"]}, "hours"),
    ],
)
def test_what_the_fleet_may_not_have_is_named(more: dict[str, Any], key: str) -> None:
    assert set(sending.rejected(content(**more))) == {key}


def test_settings_that_can_not_be_sent_are_told() -> None:
    with pytest.raises(ConfigError, match="a frame is there twice"):
        sending.of_settings(BeaconsSettings(send=(FRAME, msgspec.structs.replace(FRAME, power_dbm=-70))))


# -- without Bluetooth


def test_a_box_that_wants_none_loads_none_and_does_nothing() -> None:
    """In a process of its own: bleak and dbus-fast cost 5 MB."""
    story = """
import asyncio, sys
from edgebox.beacons.radio import Radio
from edgebox.settings import Config
class Box:
    config = Config()
async def whole():
    radio = Radio(Box())
    await radio.open(None)
    await radio.look()
    assert len(asyncio.all_tasks()) == 1
    await radio.stop()
asyncio.run(whole())
print(sorted({"bleak", "dbus_fast"} & {name.partition(".")[0] for name in sys.modules}))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=False, cwd=root)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("library", ["dbus_fast", "bleak"])
@needs_dbus
def test_without_a_library_the_box_runs_and_says_so(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd()
        monkeypatch.setitem(sys.modules, library, None)
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: "not installed" in shop.radio.listening_stands()[1])
        assert shop.radio.listening_stands()[0] == "warning"
        await shop.radio.look()

    play(tmp_path, story)


# -- opening hours


@needs_dbus
def test_the_frame_is_on_the_air_while_the_shop_is_open(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        async def look(clock: str, is_on: bool) -> None:
            shop.box.at = at(clock)
            await shop.radio.look()
            await shop.until(lambda: bool(shop.daemon.adverts) is is_on)
            assert shop.box.health.now["beacons: sending"][0] == "ok"

        shop.bus.start()
        await shop.bluetoothd()
        shop.box.at = at("09:59")
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: shop.hears_health() == "ok")
        assert shop.daemon.adverts == {}
        assert shop.radio.sending_stands() == ("ok", "closed: off the air")
        await look("10:00", True)
        await look("02:30", False)
        await look("01:30", True)

    play(tmp_path, story, hours=("10:00-02:00",))


def test_a_clock_that_nobody_has_set_closes_no_shop() -> None:
    box = Box(send=(FRAME,), hours=("10:00-22:00",))
    box.at = at("03:00")
    clocks: list[tuple[bool, bool]] = []
    for synced in (True, False):
        radio = Radio(box, synced=lambda synced=synced: synced)  # type: ignore[misc]
        radio._sending = sending.of_settings(box.config.beacons)
        clocks.append((synced, radio.is_due))
    assert clocks == [(True, False), (False, True)]
    assert not read_hours(["10:00-22:00"]).covers(datetime.fromtimestamp(box.at, ZoneInfo("Asia/Shanghai")))


# -- the fleet


@needs_dbus
def test_the_fleet_changes_the_frames_at_once_and_gives_them_back(tmp_path: Path) -> None:
    def on_air(shop: Shop) -> list[tuple[bytes, int]]:
        return sorted((advert.data[-5:], advert.interval_ms) for advert in shop.daemon.adverts.values())

    async def story(shop: Shop) -> None:
        await shop.all_there()
        shop.radio.use(sending.of_content(content()))
        two = [(bytes.fromhex("00010001c5"), 300), (bytes.fromhex("00010002c5"), 300)]
        await shop.until(lambda: on_air(shop) == two)
        await shop.until(lambda: shop.radio.sending_stands() == ("ok", "2 on the air"))
        bluez = shop.radio._bluez
        assert bluez is not None
        assert bluez.bus is not None
        assert sorted(bluez.bus._path_exports) == sorted(path for _, path in shop.daemon.adverts)
        await shop.daemon.crash()
        await shop.bluetoothd()
        await shop.until(lambda: on_air(shop) == two)
        shop.radio.use(sending.of_content(content(frames=[])))
        await shop.until(lambda: on_air(shop) == [])
        assert shop.radio.sending_stands() == ("ok", "nothing to send")
        shop.radio.use(None)
        await shop.until(lambda: [one.data for one in shop.daemon.adverts.values()] == [FRAME_ON_AIR])

    play(tmp_path, story)


@needs_dbus
def test_the_fleet_gives_frames_to_a_box_that_had_none(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd()
        shop.radio.use(sending.of_content(content()))  # before the engine's parts are open, as bundles are
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: len(shop.daemon.adverts) == 2)
        assert shop.daemon.scanners == {}

    play(tmp_path, story, send=(), scan=False)


@needs_dbus
def test_what_is_listened_for_may_change_while_it_listens(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        shop.tag_sends()
        await shop.until(lambda: shop.radio.counters()["ears: strangers"] == 1)
        assert shop.told == []
        shop.radio.listen([TAG.space])
        await shop.hears_again()

    play(tmp_path, story, listen=())


# -- bugs


def test_a_bug_in_a_task_costs_seconds_of_the_radio_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    box = Box(send=(FRAME,))
    radio = Radio(box, synced=lambda: True, patience=PATIENCE)
    runs: list[int] = []

    async def whole() -> None:
        ended = asyncio.Event()

        async def run() -> None:
            runs.append(len(runs))
            if len(runs) < 3:
                raise RuntimeError("a bug")
            ended.set()

        radio._begin("sending", run)
        await asyncio.wait_for(ended.wait(), 5)
        await radio.stop()

    asyncio.run(whole())
    assert (runs, len(box.faults)) == ([0, 1, 2], 2)
    assert "a bug" in box.faults[0]


@needs_dbus
def test_a_listener_with_a_bug_costs_nobody_else_anything(tmp_path: Path) -> None:
    class Clumsy:
        def heard(self, heard: object) -> None:
            raise RuntimeError("clumsy")

        battery = deaf = heard

    async def story(shop: Shop) -> None:
        shop.radio.listeners.insert(0, Clumsy())
        await shop.all_there()
        await shop.hears_again()
        await shop.hears_again()
        assert "clumsy" in shop.box.faults[0]
        shop.radio.listeners.pop(0)
        shop.box.faults.clear()

    play(tmp_path, story)


@needs_dbus
def test_it_stops_in_time_although_bluetoothd_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.1)

    async def story(shop: Shop) -> None:
        shop.radio._patience = PATIENCE._replace(call_s=60.0)
        await shop.all_there()
        shop.daemon.hangs = True
        async with asyncio.timeout(3.0):
            await shop.radio.stop()

    play(tmp_path, story)


@needs_dbus
def test_health_is_told_when_something_has_changed(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()

        def said() -> tuple[str, str]:
            state: tuple[str, str] = shop.box.health.now["beacons: listening"]
            return state

        assert said() == ("ok", "listens")
        await shop.daemon.crash()
        await shop.until(lambda: said()[0] == "warning")
        assert "bluetoothd is not running" in said()[1]

    play(tmp_path, story)
