"""A shop at work, until its power goes: receipts through line and engine, coupons redeemed, more tills at the store.

Owns: who does what at once. What has been accepted is told at once, and only then: `Store.record` has returned. Never:
ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from itertools import count

from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.store.events import ClaimRecord, ClaimState, Event, ReceiptRecord, SightingRecord
from edgebox.store.store import Store
from tests.vm.guest.cuts.box import Box, Places, at_work
from tests.vm.guest.cuts.names import names_of
from tests.vm.guest.cuts.words import Accepted

MORE_TILLS = 3  # that record beside the line's, so that commits hold several records
REST_S = 0.02  # of theirs, so that the line's till gets its turn, too
BUSY_S, QUIET_S = (
    1.2,
    0.9,
)  # a rest is longer than the store's patience: it copies its log into the file (writer.IDLE_S)

Tell = Callable[[Accepted], None]


async def trade(places: Places, tell: Tell, first: int) -> None:
    """From receipt `first` on, until the power goes."""
    async with at_work(places) as box:
        store = box.engine.store
        assert store is not None
        run = os.urandom(8).hex()
        busy = asyncio.Event()
        async with asyncio.TaskGroup() as shop:
            shop.create_task(_come_and_go(busy))
            shop.create_task(_sell(box, tell, first, busy))
            shop.create_task(_hear(store, busy))
            for till in range(MORE_TILLS):
                shop.create_task(_record(store, tell, f"{run}{till:02x}", busy))


async def _come_and_go(busy: asyncio.Event) -> None:
    """Customers come, and for a moment none does."""
    while True:
        busy.set()
        await asyncio.sleep(BUSY_S)
        busy.clear()
        await asyncio.sleep(QUIET_S)


async def _sell(box: Box, tell: Tell, first: int, busy: asyncio.Event) -> None:
    """Each receipt brings a coupon, and each coupon is redeemed."""
    for number in count(first):
        await busy.wait()
        paper = await box.prints(number)
        record = paper.record
        tell(Accepted(names=granted(record), number=number, claim=record.claim, url=record.url))
        code = await box.coupon()
        said = await box.engine.desk.redeem(Scan(code))
        if said.answer is Answer.REDEEMED:
            tell(Accepted(names=[f"coupon {said.worth.ref}", f"slip {said.number}"], code=code))


def granted(record: ReceiptRecord) -> list[str]:
    """A receipt's names, with its claim's if that is out."""
    claim = [f"claim {record.claim} {record.revision}"] if record.claim and record.result == "inserted" else []
    return [*names_of(record), *claim]


async def _record(store: Store, tell: Tell, session: str, busy: asyncio.Event) -> None:
    for document in count(1):
        await busy.wait()
        events = sale(session, document)
        await store.record(*events)
        tell(Accepted(names=names_of(*events)))
        await asyncio.sleep(REST_S)


async def _hear(store: Store, busy: asyncio.Event) -> None:
    """What is written in groups, and may be lost."""
    while True:
        await busy.wait()
        store.record_soon(SightingRecord(at=int(time.time()), tag="anna", rssi_dbm=-60))
        await asyncio.sleep(REST_S)


def sale(session: str, document: int) -> tuple[Event, Event]:
    """A receipt and its claim, as an engine records them."""
    claim, at = os.urandom(8).hex(), int(time.time())
    url = f"HTTPS://P.EXAMPLE/{claim:0>58}"
    receipt = ReceiptRecord(
        at=at, session=session, document=document, line="line2", kind="sale", qualifies=True, amount_minor=3390,
        currency="CNY", confidence="high", number=f"{document:06d}", printed_date="2026-11-18",
        printed_time="18:42:07", claim=claim, url=url, points=33,
    )  # fmt: skip
    return receipt, ClaimRecord(at=at, claim=claim, url=url, state=ClaimState.GRANTED, amount_minor=3390)
