"""Pick-ups and the mall over a real mosquitto: the list comes signed, the cloud is asked, what happened goes up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.config import load
from edgebox.desk.answers import Answer
from edgebox.engine import Engine
from edgebox.orders.orders import Orders
from edgebox.process import _cloud, load_keyring, take_orders
from hw_sim.cloud.broker import PACKAGE, Access, Broker, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.counter_services import Order
from hw_sim.cloud.misbehaviour import Mode
from hw_sim.cloud.registry import Box, Place
from sync.contract import BundleKind
from tests.desk.test_mall import RULES
from tests.hw_sim.boxes import SHOP

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
WAIT_S = 20.0
NAME = "box-1"


class Scene(NamedTuple):
    """A box that syncs with a cloud."""

    engine: Engine
    head: Cloud
    box: Box

    async def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < end, "it never came to be"
            await asyncio.sleep(0.01)

    def rows(self) -> int:
        return len(self.head.ledger.events(NAME, "redemptions"))

    async def take(self, revision: int, orders: list[Order]) -> None:
        self.head.desk.pick_ups.add(self.box, orders)
        content = self.head.desk.pick_ups.content(self.box)
        await asyncio.to_thread(self.head.desire, BundleKind.PICK_UPS, content, [NAME], revision=revision)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    with (
        Broker(folder / "broker", access=Access.PASSWORD, persistence=False) as broker,
        Cloud(folder / "cloud", broker, page_port=None) as head,
    ):
        box = head.enroll(Place("demo", "shop-1", NAME), SHOP, 1)
        head.furnish(box, folder / "credentials", folder / "keys.toml")
        path = folder / "edgebox.toml"
        own = (
            f'[shop]\ntz = "UTC"\n[engine]\nsocket = "{folder}/e.sock"\nscan_socket = ""\ndata = "{folder}/data"\n'
            f'[claims]\nkeys = "{folder}/keys.toml"\n'
        )
        path.write_text(own + head.sync_section(box, folder / "credentials"), "utf-8")
        config = load(path, [])
        engine = Engine(config, load_keyring(config), synced=lambda: True)
        orders: Orders | None = None

        async def obey() -> None:
            nonlocal orders
            orders = await take_orders(engine, path, [], lambda: None)

        await engine.start(obey)
        link = _cloud(engine, orders)
        try:
            assert engine.store is not None
            assert orders is not None
            link.start(engine.store)
            engine.desk.use_cloud(link)
            yield Scene(engine, head, box)
        finally:
            if orders is not None:
                await orders.close()
            await link.stop()
            await engine.stop()


def ready(day: str) -> list[Order]:
    return [Order(f"PU-{place}", f"A{place}", f"B{place}", "tea", day) for place in range(10)]


def test_the_list_comes_signed_works_without_the_cloud_and_what_was_handed_out_goes_up(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as shop:
            services, head = shop.engine.desk.services, shop.head
            head.desk.mall.rules = RULES
            head.desk.mall.give("anna", 500)
            head.desk.mall.issue("MC-1", "COFFEE-M", "anna", "gold")
            await shop.until(lambda: head.fleet.is_online(NAME))
            day = time.strftime("%Y-%m-%d", time.gmtime())
            await shop.take(7, ready(day))
            await shop.until(lambda: len(services.pick_ups) == 10)
            await shop.until(lambda: shop.engine.desk.cloud is not None and shop.engine.desk.cloud.is_connected)
            given = await services.mall("MC-1")
            assert (given.answer, given.worth.coupon) == (Answer.REDEEMED, "COFFEE-M")
            assert head.desk.mall.balance("anna") == 500 - given.worth.points
            await asyncio.to_thread(head.misbehave, Mode.DISAPPEAR)
            assert (await services.pick_up("PU-7")).answer is Answer.REDEEMED
            assert (await services.pick_up("A7")).answer is Answer.USED
            assert (await services.mall("MC-1")).answer is Answer.USED
            await asyncio.to_thread(head.misbehave, Mode.NOTHING)
            await shop.until(lambda: shop.rows() == 4)
            await shop.take(6, ready(day)[:1])
            await shop.take(8, [Order("PU-77", "A77", "Z1", "cake", day)])
            await shop.until(lambda: len(services.pick_ups) == 11)
            assert (await services.pick_up("PU-7")).answer is Answer.USED, "whatever a later list says"
            assert (await services.pick_up("A77")).answer is Answer.REDEEMED

    asyncio.run(play())


def test_an_order_of_any_box_is_asked_for_over_the_wire_and_handed_out_at_one(tmp_path: Path) -> None:
    async def play() -> None:
        async with scene(tmp_path) as shop:
            services, head = shop.engine.desk.services, shop.head
            day = time.strftime("%Y-%m-%d", time.gmtime())
            await shop.until(lambda: head.fleet.is_online(NAME))
            head.desk.pick_ups.add(shop.box, ready(day))
            content = head.desk.pick_ups.content(shop.box, whose="*")
            await asyncio.to_thread(head.desire, BundleKind.PICK_UPS, content, [NAME])
            await shop.until(lambda: len(services.pick_ups) == 10)
            await shop.until(lambda: shop.engine.desk.cloud is not None and shop.engine.desk.cloud.is_connected)
            other = head.enroll(Place("demo", "shop-1", "box-2"), SHOP, 2)
            with head.ledger.commit():
                assert head.desk.pick_ups.answer(other, "r1", "PU-1").ok, "the other till was first"
            assert (await services.pick_up("PU-1")).answer is Answer.USED
            assert (await services.pick_up("A2")).answer is Answer.REDEEMED
            with head.ledger.commit():
                assert head.desk.pick_ups.answer(other, "r2", "PU-2").reason == "used"

    asyncio.run(play())
