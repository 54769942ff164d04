"""Sync and print jobs of a box with a head office: the real orders and uplink, and a broker that can't be reached."""

import contextlib
import time
from collections.abc import AsyncIterator

import msgspec

from edgebox.orders.orders import Orders
from edgebox.print_jobs.print_jobs import New
from edgebox.process import _cloud, take_orders
from edgebox.web.roles import Role
from sync.contract_print import PrintArgs
from tests.web.office import Shop, play

SETTINGS = ("sync.url=mqtt://127.0.0.1:1", "sync.tenant=acme", "sync.store=s1", "sync.box=b1", "desk.line=line1")


@contextlib.asynccontextmanager
async def head_office(shop: Shop) -> AsyncIterator[Orders]:
    """What it may have done, and the way there."""
    orders = await take_orders(shop.engine, None, SETTINGS, lambda: None)
    assert orders is not None
    cloud = _cloud(shop.engine, orders)
    cloud.start(shop.office.store)
    try:
        yield orders
    finally:
        await orders.close()
        await cloud.stop()


def test_a_box_that_can_not_reach_head_office_says_what_waits_and_that_nothing_is_lost() -> None:
    async def story(shop: Shop) -> None:
        await shop.record()
        async with head_office(shop):
            browser = await shop.somebody(Role.INSTALLER)
            text = (await browser.get("/sync")).text
            assert "Not connected" in text
            assert "sent once it is back" in text
            assert "mqtt://127.0.0.1:1" in text
            program = await shop.token(Role.INSTALLER)
            found = (await program.get("/api/v1/sync")).json()
            assert (found["is_on"], found["connected"], found["waiting"]["receipts"]) == (True, False, 1)
            assert (await browser.get("/devices/doctor")).status_code == 200

    play(story, *SETTINGS)


def test_a_paper_of_head_office_is_seen_waiting_and_is_canceled_before_it_begins() -> None:
    async def story(shop: Shop) -> None:
        async with head_office(shop) as orders:
            args = msgspec.convert({"blocks": [{"block": "text", "text": "birthday"}], "line": "line1"}, PrintArgs)
            await orders.print_jobs.submit(New("print/x1", "c1", args, int(time.time()) + 3600))
            browser = await shop.somebody(Role.MANAGER)
            text = (await browser.get("/jobs")).text
            assert "1 waiting" in text
            assert "birthday" not in text
            assert (await browser.send_form("/jobs/cancel", job="print/x1")).status_code == 303
            program = await shop.token(Role.MANAGER)
            (job,) = (await program.get("/api/v1/jobs")).json()["jobs"]
            assert (job["state"], job["waits"], job["id"]) == ("canceled", False, "x1")
            assert "canceled" in (await browser.get("/jobs")).text
            assert "print job canceled" in [row[3] for row in await shop.rows_of("audit")]

    play(story, *SETTINGS)
