"""A real box (store, uplink) and the stand-in on a real mosquitto: whatever the cloud does, each row is there once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from edgebox.envelope import Envelopes
from edgebox.keys import load_keys
from edgebox.store.events import Stream
from hw_sim.cloud.broker import PACKAGE, Access, Broker, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.consumer import Out
from hw_sim.cloud.desk import REDEEM, Coupon
from hw_sim.cloud.misbehaviour import Mode
from hw_sim.cloud.registry import Place
from sync.contract import Ack
from sync.session.window import Limits
from tests.hw_sim.boxes import SHOP
from tests.sync.box import Box, running

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
WAIT_S = 20.0


class Scene(NamedTuple):
    """A box that syncs with a cloud."""

    box: Box
    cloud: Cloud
    broker: Broker

    def has(self, count: int) -> bool:
        """The cloud has so many receipts, each once."""
        found = self.cloud.ledger.events("box1", "receipts")
        return len(found) == len(set(found)) == count

    async def until_it_has(self, count: int) -> None:
        """And the box knows that."""
        assert await asyncio.to_thread(self.cloud.wait, lambda: self.has(count), WAIT_S)
        await self.box.marks(count)


@asynccontextmanager
async def scene(folder: Path, access: Access = Access.PASSWORD) -> AsyncIterator[Scene]:
    """Small batches, so that there is something to put out of order."""
    with (
        Broker(folder / "broker", access=access, persistence=False) as broker,
        Cloud(folder / "cloud", broker, page_port=None) as cloud,
    ):
        enrolled = cloud.enroll(Place("acme", "store1", "box1"), SHOP, 1)
        cloud.furnish(enrolled, folder / "credentials", folder / "keys.toml")
        keys = cloud.signer.fleet_keys
        more = {"user": "box1"} if access is Access.PASSWORD else {}
        async with running(broker.url, folder, limits=Limits(batch_rows=5), fleet_keys=keys, **more) as box:
            keys_here = load_keys(folder / "keys.toml")
            box.uplink.envelopes = Envelopes("box1", lambda: keys_here)
            yield Scene(box, cloud, broker)


@pytest.mark.parametrize("mode", [Mode.NOTHING, Mode.REFUSE, Mode.DELAY, Mode.DUPLICATE, Mode.REORDER, Mode.DISAPPEAR])
def test_every_receipt_is_in_the_cloud_once_whatever_the_cloud_did(tmp_path: Path, mode: Mode) -> None:
    async def story() -> None:
        async with scene(tmp_path) as (box, cloud, broker):
            await box.receipts(20)
            await asyncio.to_thread(cloud.misbehave, mode, share=0.6, delay_ms=50)
            await box.receipts(60, first=20)
            await asyncio.to_thread(cloud.misbehave, Mode.NOTHING)
            await Scene(box, cloud, broker).until_it_has(80)
            assert cloud.ledger.alarms() == []

    asyncio.run(story())


def test_a_broker_that_refuses_one_box_for_a_while_costs_no_row(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as (box, cloud, broker):
            await box.receipts(5)
            await Scene(box, cloud, broker).until_it_has(5)
            broker.deny("box1")
            await box.receipts(20, first=5)
            assert await asyncio.to_thread(cloud.wait, lambda: bool(box.uplink.refused()), WAIT_S)
            broker.allow("box1")
            await Scene(box, cloud, broker).until_it_has(25)

    asyncio.run(story())


def test_a_forged_ack_costs_no_row_the_cloud_asks_for_what_it_never_got(tmp_path: Path) -> None:
    """Who owns the broker says in the cloud's name that it has everything, while the cloud is away."""

    async def story() -> None:
        async with scene(tmp_path) as (box, cloud, _):
            await box.receipts(5)
            await box.marks(5)
            cloud.misbehave(Mode.REFUSE)
            await box.receipts(5, first=5)
            ack = msgspec.json.encode(Ack(stream="receipts", epoch=box.store.epoch, through=10))
            async with asyncio.timeout(WAIT_S):
                while await box.marked() < 10:  # believed only of rows that were sent
                    cloud._publish(Out("edgebox/v1/acme/store1/box1/ack", ack))
                    await asyncio.sleep(0.05)
            cloud.misbehave(Mode.NOTHING)
            box.uplink.beat()
            assert await asyncio.to_thread(cloud.wait, lambda: bool(cloud.ledger.alarms("forged_ack")), WAIT_S)
            assert await box.uplink.resend("receipts", box.store.epoch, 6, 10), "what the command `resend` does"
            assert await asyncio.to_thread(
                cloud.wait, lambda: len(cloud.ledger.events("box1", Stream.RECEIPTS)) == 10, WAIT_S
            )

    asyncio.run(story())


def test_a_box_asks_for_a_coupon_and_hears_the_same_answer_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as (box, cloud, _):
            cloud.desk.issue(Coupon("C-100", "five off", "stock-7", 500))
            assert await asyncio.to_thread(cloud.wait, lambda: box.uplink.is_connected, WAIT_S)
            first = await box.uplink.ask(REDEEM, {"code": "C-100"}, "r-1", WAIT_S)
            assert (first.ok, first.result["value_minor"]) == (True, 500)
            assert await box.uplink.ask(REDEEM, {"code": "C-100"}, "r-1", WAIT_S) == first
            assert (await box.uplink.ask(REDEEM, {"code": "C-100"}, "r-2", WAIT_S)).reason == "used"

    asyncio.run(story())


def test_a_box_with_a_certificate_syncs_over_tls(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, Access.CERTIFICATE) as (box, cloud, broker):
            await box.receipts(10)
            await Scene(box, cloud, broker).until_it_has(10)
            assert await asyncio.to_thread(cloud.wait, lambda: cloud.fleet.is_online("box1"), WAIT_S)

    asyncio.run(story())


def test_a_cloud_that_was_away_and_lost_nothing_goes_on(tmp_path: Path) -> None:
    """Its broker keeps its session; what it had not committed comes again."""

    async def story() -> None:
        with Broker(tmp_path / "broker", persistence=False) as broker:
            place = Place("acme", "store1", "box1")
            with Cloud(tmp_path / "cloud", broker, page_port=None) as cloud:
                cloud.furnish(cloud.enroll(place, SHOP, 1), tmp_path / "credentials", tmp_path / "keys.toml")
            async with running(broker.url, tmp_path, user="box1") as box:
                await box.receipts(10)
                with Cloud(tmp_path / "cloud", broker, page_port=None) as cloud:
                    cloud.enroll(place, SHOP, 1)
                    await Scene(box, cloud, broker).until_it_has(10)
                await box.receipts(10, first=10)
                with Cloud(tmp_path / "cloud", broker, page_port=None) as cloud:
                    cloud.enroll(place, SHOP, 1)
                    await Scene(box, cloud, broker).until_it_has(20)

    asyncio.run(story())
