"""Everything that can happen to Bluetooth, with the real libraries: it comes back by itself, and nobody is misled.

Each story is one row of what was seen on real machines. After each the box is on the air with the same bytes, hears its
tags, has counted the loss, and has told presence from when until when it was deaf.
"""

import asyncio
import getpass
from pathlib import Path

import pytest

from edgebox.beacons.frames import EDDYSTONE
from edgebox.beacons.heard import Battery, TagKey, TagKind
from hw_sim.bluez import Bluetoothd, OnAir
from tests.beacons.bluetooth import FRAME_ON_AIR, SCAN_PATIENCE, TAG, Shop, needs_dbus, play

pytestmark = needs_dbus


def loss_is_told(shop: Shop, *, since: int = 0) -> None:
    """Each loss was told when it was seen and when it was over, in order, and without a gap in what was heard."""
    losses = shop.losses[since:]
    assert losses, "nothing was told"
    assert losses[-1].until is not None, "it hears again, and nobody was told"
    for seen, over in zip(losses[::2], losses[1::2], strict=True):
        assert (seen.until, seen.since) == (None, over.since)
        assert over.until is not None
        assert over.since <= over.until


def test_the_frame_on_the_air_is_the_one_configured(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        assert list(shop.daemon.adverts.values()) == [OnAir(FRAME_ON_AIR, connectable=False, interval_ms=200)]
        assert shop.radio.sending_stands() == ("ok", "1 on the air")

    play(tmp_path, story)


def test_with_flags_it_is_apples_thirty_bytes(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd()
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: bool(shop.daemon.adverts))
        (advert,) = shop.daemon.adverts.values()
        assert advert == OnAir(bytes.fromhex("020106") + FRAME_ON_AIR, connectable=True, interval_ms=200)
        assert len(advert.data) == 30

    play(tmp_path, story, flags=True)


def test_a_tag_is_heard_with_its_strength_and_without_its_address(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        for rssi_dbm in (-60, -60, -63):
            shop.tag_sends(rssi_dbm)
        await shop.until(lambda: len(shop.told) == 3)
        assert [(heard.key, heard.rssi_dbm, heard.power_dbm) for heard in shop.told] == [
            (TAG, -60, -59),
            (TAG, -60, -59),
            (TAG, -63, -59),
        ]
        assert "AA:BB:CC" not in repr(shop.told)
        loss_is_told(shop)  # the time before it began

    play(tmp_path, story)


def test_a_battery_is_heard_behind_its_tags_name(tmp_path: Path) -> None:
    uid = TagKey(TagKind.EDDYSTONE, "00112233445566778899", 0x0123456789AB)

    async def story(shop: Shop) -> None:
        await shop.all_there()
        name = bytes([0, 0xEE]) + bytes.fromhex("001122334455667788990123456789ab0000")
        shop.daemon.report(shop.adapter, "AA:BB:CC:00:00:01", -60, service={EDDYSTONE: name})
        await shop.until(lambda: bool(shop.told))
        tlm = bytes.fromhex("20000bb819800000000100000002")
        shop.daemon.report(shop.adapter, "AA:BB:CC:00:00:01", -60, service={EDDYSTONE: tlm})
        await shop.until(lambda: bool(shop.batteries))
        assert shop.batteries == [Battery(uid, 3000, shop.batteries[0].mono_s)]

    play(tmp_path, story, listen=(uid.space,))


# -- what may be missing at the beginning


def test_it_waits_for_a_bus_a_daemon_an_adapter_and_its_power_and_says_which(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        async def says(words: str) -> None:
            await shop.until(
                lambda: words in shop.radio.listening_stands()[1] and words in shop.radio.sending_stands()[1]
            )
            assert (shop.radio.listening_stands()[0], shop.radio.sending_stands()[0]) == ("warning", "warning")

        await shop.radio.open(None)  # type: ignore[arg-type]
        await says("no D-Bus")
        shop.bus.start()
        await says("bluetoothd is not running")
        await shop.daemon.start()
        await says("no Bluetooth adapter")
        shop.adapter = shop.daemon.plug(powered=False)
        await says("adapter is off")
        shop.daemon.power(shop.adapter, False, blocked=True)
        await says("rfkill")
        shop.daemon.power(shop.adapter, True)
        await shop.until(shop.is_well)
        await shop.hears_again()
        loss_is_told(shop)

    play(tmp_path, story)


def test_a_bus_that_forbids_bluetooth_is_named_and_asked_again(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start(closed=True)
        await shop.bluetoothd()
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: "group bluetooth" in shop.radio.listening_stands()[1])
        await shop.daemon.crash()
        shop.bus.stop()
        shop.bus.start()
        await shop.bluetoothd()
        await shop.until(shop.is_well)

    play(tmp_path, story)


def test_the_packages_leave_is_enough_on_a_bus_that_forbids_bluetooth(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "systemd" / "dbus-edgebox.conf").read_text("utf-8")
    policy = text[text.index("<policy") : text.index("</busconfig>")]
    assert 'user="edgebox"' in policy, "as systemd/sysusers.conf makes it"

    leave = policy.replace('user="edgebox"', f'user="{getpass.getuser()}"')
    # Of bluetoothd, as its package's bluetooth.conf has it for root; on this bus we play both.
    leave = leave.replace("</policy>", '<allow send_interface="org.bluez.LEAdvertisement1"/></policy>')

    async def story(shop: Shop) -> None:
        shop.bus.start(closed=True, leave=leave)
        await shop.bluetoothd()
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(shop.is_well)
        await shop.hears_again()

    play(tmp_path, story)


def test_an_adapter_that_only_knows_classic_bluetooth_is_named(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd(roles=("peripheral",))
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: "no Bluetooth Low Energy" in shop.radio.listening_stands()[1])
        await shop.until(lambda: bool(shop.daemon.adverts))

    play(tmp_path, story)


# -- what may go later


async def crash_of_bluetoothd(shop: Shop) -> None:
    await shop.daemon.crash()
    await shop.until(lambda: "bluetoothd is not running" in shop.radio.listening_stands()[1])
    await shop.bluetoothd()


async def quick_restart_of_bluetoothd(shop: Shop) -> None:
    await shop.daemon.crash()
    await shop.bluetoothd()


async def restart_of_the_bus(shop: Shop) -> None:
    shop.bus.stop()
    await shop.until(lambda: "no D-Bus" in shop.radio.listening_stands()[1])
    await shop.daemon.crash()
    shop.bus.start()
    await shop.bluetoothd()


async def power_cycle(shop: Shop) -> None:
    shop.daemon.power(shop.adapter, False)
    await shop.until(lambda: "adapter is off" in shop.radio.listening_stands()[1])
    shop.daemon.power(shop.adapter, True)


async def quick_power_cycle(shop: Shop) -> None:
    shop.daemon.power(shop.adapter, False)
    shop.daemon.power(shop.adapter, True)


async def adapter_yanked_and_put_back(shop: Shop) -> None:
    shop.daemon.unplug(shop.adapter)
    await shop.until(lambda: "no Bluetooth adapter" in shop.radio.listening_stands()[1])
    shop.adapter = shop.daemon.plug()


async def adapter_put_into_another_socket(shop: Shop) -> None:
    shop.daemon.unplug(shop.adapter)
    shop.adapter = shop.daemon.plug("hci1")


async def discovery_that_ends_by_itself(shop: Shop) -> None:
    shop.daemon.end_scans(shop.adapter)
    await shop.until(lambda: shop.radio.counters()["listening: ended"] == 1)


STORIES = [
    crash_of_bluetoothd,
    quick_restart_of_bluetoothd,
    restart_of_the_bus,
    power_cycle,
    quick_power_cycle,
    adapter_yanked_and_put_back,
    adapter_put_into_another_socket,
    discovery_that_ends_by_itself,
]


@pytest.mark.parametrize("happens", STORIES, ids=lambda happens: happens.__name__)
def test_it_comes_back_by_itself_after(happens, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()
        began = len(shop.losses)
        await happens(shop)
        await shop.until(shop.is_well)
        await shop.hears_again()
        loss_is_told(shop, since=began)
        assert sum(n for name, n in shop.radio.counters().items() if "lost" in name or "ended" in name) >= 1

    play(tmp_path, story)


def test_a_hung_bluetoothd_is_named_and_used_again_when_it_lives(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()
        shop.daemon.hangs = True
        shop.daemon.power(shop.adapter, False)
        shop.daemon.power(shop.adapter, True)
        await shop.until(lambda: "does not answer" in shop.radio.listening_stands()[1])
        shop.daemon.hangs = False
        await shop.until(shop.is_well)
        await shop.hears_again()

    play(tmp_path, story)


def test_a_scan_that_is_refused_is_tried_again_and_says_why(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd()
        shop.daemon.refuses["StartDiscovery"] = "InProgress", "Operation already in progress"
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: shop.radio.counters()["listening: refused"] >= 3)
        assert "already in progress" in shop.radio.listening_stands()[1]
        shop.daemon.refuses.clear()
        await shop.until(shop.is_well)

    play(tmp_path, story)


# -- silence


async def crowd(shop: Shop, minds: bool = True) -> None:
    """Five senders, each once."""
    for number in range(5):
        shop.tag_sends(address=f"AA:BB:CC:00:00:{number:02X}")
    if minds:
        await shop.until(lambda: len(shop.told) >= 5)


def test_a_stall_in_a_full_shop_is_a_loss_and_a_fresh_scan_ends_it(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await crowd(shop)
        began = len(shop.losses)
        last_s = shop.told[-1].mono_s
        shop.daemon.is_deaf = True
        await shop.until(lambda: len(shop.losses) > began)
        assert shop.losses[began] == (last_s, None), "told before anybody could be thought lost"
        await shop.until(lambda: not shop.daemon.is_deaf)
        await shop.hears_again()
        loss_is_told(shop, since=began)
        assert shop.radio.counters()["listening: silences"] >= 1

    play(tmp_path, story)


def test_a_silence_of_one_tag_is_no_loss_unless_a_fresh_scan_hears_it_at_once(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()
        began = len(shop.losses)
        await shop.until(lambda: shop.radio.counters()["listening: silences"] >= 2)
        assert shop.losses[began:] == [], "it has gone home"
        last_s = shop.told[-1].mono_s
        await shop.until(shop.is_well)
        await shop.hears_again()
        assert [loss.since for loss in shop.losses[began:]] == [last_s], "it was there all the time"
        assert shop.radio.counters()["listening: stalls"] == 1

    play(tmp_path, story)


def test_an_empty_shop_is_no_news_however_often_the_scan_begins_anew(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()
        await shop.until(lambda: shop.box.health.now["beacons: listening"] == ("ok", "listens"))
        said = len(shop.box.health.said)
        await shop.until(lambda: shop.radio.counters()["listening: silences"] >= 3)
        await shop.until(shop.is_well)
        assert shop.box.health.said[said:] == [], "each would be a row on disk, a night long"

    play(tmp_path, story)


def test_pauses_of_the_scan_are_no_loss(tmp_path: Path) -> None:
    """bluetoothd scans 10 s and pauses 5: here 0.2 s and 0.1 s. Discovering is off meanwhile."""

    async def story(shop: Shop) -> None:
        await shop.all_there()
        await shop.hears_again()
        began = len(shop.losses)
        shop.daemon.window_s = SCAN_PATIENCE.silence_s / 2, SCAN_PATIENCE.silence_s / 4
        heard = len(shop.told)
        for _ in range(60):
            shop.daemon.toggle(shop.adapter, shop.tag_sends())
            await asyncio.sleep(0.02)
        assert len(shop.told) > heard + 10
        assert shop.losses[began:] == []
        counters = shop.radio.counters()
        assert (counters["listening: silences"], counters["listening: ended"]) == (0, 0)

    play(tmp_path, story)


def test_a_scan_that_ends_makes_nobody_jump(tmp_path: Path) -> None:
    """BlueZ takes every device's strength back then, which bleak calls an advertisement of -127 dBm."""

    async def story(shop: Shop) -> None:
        await shop.all_there()
        await crowd(shop)
        began = len(shop.losses)
        await asyncio.sleep(0.05)
        shop.daemon.end_scans(shop.adapter)
        await shop.until(lambda: len(shop.losses) > began)
        assert shop.losses[began:] == [(shop.told[-1].mono_s, None)], "nobody was heard since"
        assert min(heard.rssi_dbm for heard in shop.told) == -60

    play(tmp_path, story)


# -- what BlueZ may refuse an advertisement


def test_without_intervals_it_is_sent_all_the_same_and_that_is_said(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        shop.daemon = Bluetoothd(shop.bus.address, takes_intervals=False)
        await shop.daemon.start()
        shop.adapter = shop.daemon.plug()
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: bool(shop.daemon.adverts))
        assert list(shop.daemon.adverts.values()) == [OnAir(FRAME_ON_AIR, connectable=False, interval_ms=0)]
        await shop.until(lambda: shop.radio.sending_stands() == ("ok", "1 on the air, at BlueZ's own interval"))

    play(tmp_path, story)


@pytest.mark.parametrize("interval_ms", [100, 10_240])
def test_the_shortest_and_the_longest_interval_are_taken(interval_ms: int, tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        assert [advert.interval_ms for advert in shop.daemon.adverts.values()] == [interval_ms]
        assert shop.radio.sending_stands() == ("ok", "1 on the air")

    play(tmp_path, story, interval_ms=interval_ms)


def test_a_full_adapter_is_named_and_used_when_there_is_room(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.bus.start()
        await shop.bluetoothd()
        shop.daemon.refuses["RegisterAdvertisement"] = "NotPermitted", "Maximum advertisements reached"
        await shop.radio.open(None)  # type: ignore[arg-type]
        await shop.until(lambda: shop.radio.counters()["sending: refused"] >= 3)
        assert shop.radio.sending_stands() == ("warning", "the adapter carries no more advertisements")
        shop.daemon.refuses.clear()
        await shop.until(shop.is_well)

    play(tmp_path, story)


@pytest.mark.parametrize("how", ["release", "forget_adverts"])
def test_an_advertisement_that_bluez_drops_is_registered_again(how: str, tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.all_there()
        getattr(shop.daemon, how)()
        assert shop.daemon.adverts == {}
        await shop.until(shop.is_well)
        counters = shop.radio.counters()
        assert counters["sending: released"] + counters["sending: lost"] == 1

    play(tmp_path, story)


# -- for years


def test_nothing_piles_up_over_many_losses(tmp_path: Path) -> None:
    """Match rules, objects and bleak's memory of devices; files and tasks are looked at behind every story."""

    async def story(shop: Shop) -> None:
        from bleak.backends.bluezdbus import manager

        await shop.all_there()
        for number in range(6):
            await crowd(shop, minds=False)
            await STORIES[number % 2](shop)
            await shop.until(shop.is_well)
        (known,) = manager._global_instances.values()
        assert len(known._properties) == 1, "the adapter; devices of crashed daemons are forgotten"
        bluez = shop.radio._bluez
        assert bluez is not None
        assert bluez.bus is not None
        rules = await bluez._call("org.freedesktop.DBus", "/org/freedesktop/DBus", STATS, "GetAllMatchRules", "", ())
        counts = sorted(len(list(each.value if hasattr(each, "value") else each)) for each in rules[0].values())
        assert counts == [1, 3, 11], "the stand-in's, bleak's, ours"
        assert list(bluez.bus._path_exports) == [path for _, path in shop.daemon.adverts]

    play(tmp_path, story)


STATS = "org.freedesktop.DBus.Debug.Stats"
