"""The whole path of docs/beacons.md: frame on the air → phone → coupon of the cloud → scanned → redeemed by stock.

The box registers its frame with a bluetoothd (hw_sim/bluez.py); the phone reads the very bytes that are on the air.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from edgebox.beacons.heard import TagKey
from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.store.events import RedemptionRecord, Stream
from edgebox.store.peek import bodies
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.nearby import PATH, Offer
from hw_sim.phone import Phone
from tests.beacons.bluetooth import FRAME_ON_AIR, SHOP, Shop, needs_dbus, play
from tests.desk.shop import FakeLine, shop
from tests.desk.test_stand_in import Link
from tests.hw_sim.boxes import PaperBox, Wall

PREFIX = "HTTPS://M.EXAMPLE.CN/"
FRAME = TagKey.from_text(f"{SHOP}:10001:7")
OFFER = Offer("Tea for 5 less", "BN:", "tea", "stock-near-7", 500, 1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def phone_of(head: Cloud) -> Phone:
    page = head.page
    assert page is not None
    return Phone(page.address)


def on_air(folder: Path) -> bytes:
    """What the box has registered, as a phone's radio gets it: without length, type and company."""
    found: list[bytes] = []

    async def story(world: Shop) -> None:
        await world.all_there()
        found.extend(advert.data for advert in world.daemon.adverts.values())

    (folder / "air").mkdir()
    play(folder / "air", story)
    assert found == [FRAME_ON_AIR]
    return found[0][4:]


@needs_dbus
def test_a_frame_on_the_air_becomes_a_coupon_that_the_desk_redeems_with_its_stock(folder: Path) -> None:
    frame = on_air(folder)

    async def whole() -> None:
        with Cloud(folder / "cloud", clock=Wall()) as head:
            box = PaperBox(head)
            head.near.hang(FRAME, OFFER)
            phone = phone_of(head)
            seen = await asyncio.to_thread(phone.near, frame, PREFIX, time.monotonic)
            assert seen.head.startswith("BN:")
            again = await asyncio.to_thread(phone.near, frame, PREFIX, time.monotonic)
            assert again.head == seen.head, "one code, however often they pass by"
            (folder / "box").mkdir()
            async with shop(folder / "box", 'slip.languages=["en"]') as engine:
                engine.desk.use_cloud(Link(head.desk, box))
                line = await FakeLine.connect(engine)
                outcome = await engine.desk.redeem(Scan(seen.head))
                assert (outcome.answer, outcome.worth.stock) == (Answer.REDEEMED, "stock-near-7")
                assert (await engine.desk.redeem(Scan(seen.head))).answer is Answer.USED
                line.close()

    asyncio.run(whole())
    records = [
        msgspec.json.decode(body, type=RedemptionRecord) for body in bodies(folder / "box" / "data", Stream.REDEMPTIONS)
    ]
    redeemed = [one for one in records if one.state == "redeemed"]
    assert [(one.stock, one.coupon, one.value_minor) for one in redeemed] == [("stock-near-7", "tea", 500)]
    assert b"BN:" not in json.dumps([msgspec.to_builtins(one) for one in records]).encode(), "a code is its hash"


def test_each_member_gets_one_code_and_a_copied_frame_no_more(tmp_path: Path) -> None:
    with Cloud(tmp_path, clock=Wall()) as head:
        PaperBox(head)
        head.near.hang(FRAME, OFFER)
        codes = {phone_of(head).near(FRAME_ON_AIR[4:], PREFIX, time.monotonic).head for _ in range(3)}
        assert len(codes) == 3
        copied = phone_of(head)
        assert len({copied.near(FRAME_ON_AIR[4:], PREFIX, time.monotonic).head for _ in range(5)}) == 1


def test_a_beacon_at_which_nothing_hangs_and_a_path_that_is_none_give_nothing(tmp_path: Path) -> None:
    with Cloud(tmp_path, clock=Wall()) as head:
        with pytest.raises(RuntimeError, match="404"):
            phone_of(head).near(FRAME_ON_AIR[4:], PREFIX, time.monotonic)
        for path in ("near/", "near/x/1/2", f"near/{SHOP}/99999/1"):
            with pytest.raises(RuntimeError, match="404"):
                phone_of(head).look(PREFIX + path, time.monotonic)
    assert urlsplit(PREFIX + "near/x").path.startswith(PATH)
