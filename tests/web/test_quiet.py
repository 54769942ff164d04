"""A page lets a receipt go first, and does not wait for one that never ends."""

import asyncio
import time

from edgebox.web import office
from tests.line_of_engine import RECEIPT, FakeLine
from tests.web.office import Shop, play


async def until(wanted) -> None:  # type: ignore[no-untyped-def]
    for _ in range(1000):
        if wanted():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come")


def test_a_page_waits_for_a_receipt_that_is_on_its_way() -> None:
    async def story(shop: Shop) -> None:
        owner = await shop.somebody()
        line = await FakeLine.connect(shop.engine)
        line.document(1, RECEIPT)
        await until(lambda: any(one.is_reading for one in shop.engine.lines.values()))
        asked = asyncio.create_task(owner.get("/more"))
        await asyncio.sleep(office.QUIET_S / 5)
        assert not asked.done(), "the customer goes first"
        line.end(1, RECEIPT)
        await line.next()
        await line.done(1)
        assert (await asyncio.wait_for(asked, office.QUIET_S)).status_code == 200
        line.close()

    play(story)


def test_a_receipt_that_never_ends_keeps_no_page_away() -> None:
    async def story(shop: Shop) -> None:
        owner = await shop.somebody()
        line = await FakeLine.connect(shop.engine)
        line.document(1, RECEIPT)
        await until(lambda: any(one.is_reading for one in shop.engine.lines.values()))
        began = time.monotonic()
        assert (await owner.get("/more")).status_code == 200
        assert office.QUIET_S <= time.monotonic() - began < 10 * office.QUIET_S
        line.close()

    play(story)
