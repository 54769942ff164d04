"""Codes for slips, at hand: some of each pool and a block of serials, taken from the store ahead.

Owns: what is at hand, and getting more. Never: touches the disk while a cut waits: `take` is from memory, and an empty
pool means no slip. What a run leaves at hand is burnt by the next one, because it may be on paper.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

from edgebox.errors import StoreError
from edgebox.handout import Taken
from edgebox.loyalty.comeback import DAY_S, Terms, long_code, short_code
from edgebox.model import Receipt
from edgebox.slip_facts import Circumstances
from edgebox.slips.facts import Money
from edgebox.slips.template import Purpose, Template
from edgebox.store import offers
from edgebox.store.events import OfferRecord, OfferState
from edgebox.store.offers import Level, PoolCode
from edgebox.store.store import Store

AT_HAND = 16  # of each pool: as many receipts as a busy till prints while a slow card commits
SERIALS_AT_HAND = 64
SERIALS_PER_EPOCH = 1_000_000  # a restored database doesn't know the last serials: each of its lives has its own
BURN_AT_ONCE = 200  # records of one transaction
COUNT_S = 3600  # a pool's codes may also end by their date, without any receipt


class Maker(NamedTuple):
    """What signs comeback coupons: the box's own secret, its number, and what stands before a code."""

    key: bytes
    device: int
    prefix: str


class Stock:
    """All pools, and the serials. A `Source` of codes for coupon, source and comeback slips."""

    def __init__(self, fault: Callable[[str, str], None], maker: Maker | None = None) -> None:
        self.maker = maker
        self._fault = fault
        self._at_hand: dict[str, deque[PoolCode]] = {}
        self._serials: deque[int] = deque()
        self.low: tuple[Level, ...] = ()  # pools that are shown and run low, when last counted
        self._wants_serials = False
        self._wanted: frozenset[str] = frozenset()
        self._filling = asyncio.Lock()
        self._counted_at = 0

    def want(self, templates: Iterable[Template]) -> None:
        """The slips there are now: codes of their pools are kept at hand."""
        used = tuple(templates)
        self._wanted = frozenset(one.pool for one in used if one.pool)
        for pool in self._wanted:
            self._at_hand.setdefault(pool, deque())  # what a slip has at hand that isn't shown now waits for its return
        self._wants_serials = any(one.purpose is Purpose.COMEBACK for one in used)
        self._counted_at = 0

    @property
    def wanted(self) -> frozenset[str]:
        """Pools of the slips that are shown."""
        return self._wanted

    def is_due(self, now: int) -> bool:
        """Half of something has gone, or it is time to count again."""
        low = any(len(self._at_hand[pool]) < AT_HAND // 2 for pool in self._wanted)
        serials = self._wants_serials and len(self._serials) < SERIALS_AT_HAND // 2
        return low or serials or abs(now - self._counted_at) >= COUNT_S

    # -- for a receipt

    def take(self, template: Template, receipt: Receipt, around: Circumstances) -> Taken | None:
        """A code for this slip, now used; None: there is none, or it would be over today."""
        if template.purpose is Purpose.COMEBACK:
            return self._comeback(template, receipt, around)
        codes = self._at_hand.get(template.pool)
        while codes:
            code = codes.popleft()
            if code.until and around.trusted and code.until < around.local.date().isoformat():
                continue  # it stays reserved, and is burnt by the next run
            return Taken(template.purpose, template.name, code.ref, _fields(code, receipt), code.pool, code.stock)
        return None

    def give_back(self, taken: Taken) -> None:
        """It has not left the engine."""
        if taken.purpose is Purpose.COMEBACK:
            self._serials.appendleft(taken.ref)
        elif taken.pool in self._at_hand:
            value = taken.values.get("value")
            code = PoolCode(
                taken.ref,
                taken.pool,
                str(taken.values.get("code", "")),
                str(taken.values.get("url", "")),
                str(taken.values.get("title", "")),
                value.minor if isinstance(value, Money) else 0,
                str(taken.values.get("until", "")),
                taken.stock,
            )
            self._at_hand[taken.pool].append(code)  # at the end: one that never fits must not block the others

    def _comeback(self, template: Template, receipt: Receipt, around: Circumstances) -> Taken | None:
        """Its last day must be known, so without a trusted clock there is none."""
        if self.maker is None or not self._serials or not around.trusted:
            return None
        today = around.local.date()
        last_day = (today - date(1970, 1, 1)).days + template.valid_days
        terms = Terms(
            self.maker.device, self._serials.popleft(), template.value_minor, template.threshold_minor, last_day
        )
        until = datetime.fromtimestamp(last_day * DAY_S, UTC).date()
        values: dict[str, str | Money] = {
            "url": long_code(self.maker.key, self.maker.prefix, terms),
            "code": short_code(self.maker.key, terms),
            "value": Money(terms.value_minor, receipt.currency, receipt.decimals),
            "until": until.isoformat(),
        }
        return Taken(template.purpose, template.name, terms.serial, values, terms=terms)

    # -- from the store

    async def open(self, store: Store, now: int) -> None:
        """Burns what an earlier run had at hand, and fills up. A store that can't is said; slips go without."""
        try:
            left = await store.read(offers.left_reserved)
            for at in range(0, len(left), BURN_AT_ONCE):
                await store.record(*[_burnt(code, now) for code in left[at : at + BURN_AT_ONCE]])
        except StoreError as fault:
            self._fault("slips", f"codes left from before are not burnt: {fault}")
            return
        await self.fill(store, now)

    async def fill(self, store: Store, now: int) -> None:
        """Takes more of what is low, and counts what is left."""
        async with self._filling:
            today = datetime.fromtimestamp(now, UTC).date().isoformat()
            try:
                for pool in sorted(self._wanted):
                    codes = self._at_hand[pool]
                    if len(codes) < AT_HAND:
                        codes.extend(await store.change(_reserve(pool, AT_HAND - len(codes), today)))
                if self._wants_serials and len(self._serials) < SERIALS_AT_HAND:
                    least = _ordinal(store.epoch) * SERIALS_PER_EPOCH + 1
                    first = await store.change(lambda db: offers.take_serials(db, SERIALS_AT_HAND, least))
                    self._serials.extend(range(first, first + SERIALS_AT_HAND))
                pools = sorted(self._wanted)
                levels = await store.read(lambda db: [offers.level(db, pool, today) for pool in pools])
                self.low = tuple(one for one in levels if one.is_low)
                self._counted_at = now
            except StoreError as fault:
                self._fault("slips", f"no more codes: {fault}")

    async def withdraw(self, store: Store, stocks: Iterable[str]) -> int:
        """Codes of these batches are handed out no more; how many that is. One that a receipt has taken goes onto its
        paper. StoreError."""
        async with self._filling:  # none of them is on its way to our hand
            at_hand = {stock: self._let_go(stock) for stock in stocks}
            return await store.change(lambda db: sum(offers.revoke(db, *pair) for pair in at_hand.items()))

    def _let_go(self, stock: str) -> list[int]:
        """Codes of this batch are at hand no more; their rows."""
        gone = []
        for codes in self._at_hand.values():
            gone += [code.ref for code in codes if code.stock == stock]
            kept = [code for code in codes if code.stock != stock]
            codes.clear()
            codes.extend(kept)
        return gone


def _reserve(pool: str, count: int, today: str) -> Callable[[sqlite3.Connection], list[PoolCode]]:
    return lambda db: offers.reserve(db, pool, count, today)


def _ordinal(epoch: str) -> int:
    """The number in an epoch's name, `0003-9f2c11aa`."""
    head = epoch.partition("-")[0]
    return int(head) if head.isdigit() else 0


def _fields(code: PoolCode, receipt: Receipt) -> dict[str, str | Money]:
    values: dict[str, str | Money] = {"code": code.code, "url": code.url, "title": code.title, "until": code.until}
    if code.value_minor:
        values["value"] = Money(code.value_minor, receipt.currency, receipt.decimals)
    return values


def _burnt(code: PoolCode, now: int) -> OfferRecord:
    return OfferRecord(
        at=now, slip="", purpose="coupon", state=OfferState.BURNT, ref=code.ref, pool=code.pool, stock=code.stock
    )
