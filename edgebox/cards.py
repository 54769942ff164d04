"""Commit-and-save cards at the till: each receipt of a known member that counts becomes a step in the journal, once.

Owns: reading recorded receipts in their order, which of them is a step or takes one back, and how far that has come.
Never: says what counts (edgebox/loyalty/commit_card.py), or holds up a receipt: the steps are made when it is on disk.

What a receipt counts for is decided when it is read, for its items are in no record, and stands in the receipt's row.
From that row the step is made, in the order of rows, behind a mark on disk. A kill between the two costs nothing: the
rows behind the mark are read again at the next start, and a serial that is there already makes no second step.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from edgebox.decisions import Decisions
from edgebox.errors import StoreError
from edgebox.line_desk import Pending
from edgebox.loyalty import commit_card
from edgebox.loyalty.commit_card import CommitCard, Refund
from edgebox.loyalty.rules import Rules
from edgebox.member_at_till import BY_TAG
from edgebox.model import DocumentKind, NumberScope
from edgebox.settings import Config
from edgebox.store import card_steps
from edgebox.store.events import CardRecord, CardStep, ReceiptRecord
from edgebox.store.store import Store

FACT = "cards.through"  # the place of the last receipt that was looked at
ROWS = 100  # of one look
_TAKES_BACK = (DocumentKind.REFUND.value, DocumentKind.VOID.value)
_NO_STEP = ("reprint", "copy")


class Host(Protocol):
    """The engine."""

    config: Config
    decisions: Decisions
    counters: Counter[str]

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


def with_cards(record: ReceiptRecord, pending: Pending, decisions: Decisions) -> ReceiptRecord:
    """The record with what it counts for. Blocks for nothing: most shops have no cards."""
    rules: Rules = decisions.awards.rules
    if not rules.cards:
        return record
    receipt = pending.decided.receipt
    found = commit_card.counts(rules.cards, receipt, decisions.when(receipt, pending.at), rules.zone)
    return msgspec.structs.replace(record, cards=found)


class Cards:
    """A part of the engine. The shop's number is in its serials, so that no two shops of a merchant have one alike.

    Counted: `cards: steps`, `cards: taken back`, `cards: no member` (it would have counted), `cards: refund of nothing
    known`, `cards: known` (the same bill again).
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._store: Store | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._through = 0
        self._gate = asyncio.Lock()  # rows are looked at in their order
        self._zone = ZoneInfo(host.config.shop.tz)
        self._scope = NumberScope(host.config.till.number_scope)

    async def open(self, store: Store) -> None:
        """Where the last run left off; what it did not come to is done now. StoreError."""
        raw = await store.get(FACT)
        if raw is None:  # receipts from before there were cards count for nothing
            self._through = await store.read(card_steps.newest_receipt)
            await store.put(FACT, str(self._through).encode())
        else:
            self._through = int(raw)
        self._store = store
        self._wake.set()
        self._task = asyncio.create_task(self._run(store), name="cards")

    def recorded(self, receipt: ReceiptRecord) -> None:
        """A receipt is on disk."""
        if receipt.cards or receipt.kind in _TAKES_BACK:
            self._wake.set()

    async def look(self) -> None:
        """What could not be written before is tried again."""
        self._wake.set()

    async def stop(self) -> None:
        """What is on disk stays; the rest is done at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def caught_up(self) -> None:
        """All receipts that are on disk have been looked at. StoreError."""
        assert self._store is not None, "opened"
        while await self._some(self._store):
            pass

    # -- inside

    def _store_number(self) -> int:
        keys = self._host.decisions.awards.keys
        return keys.store if keys is not None else 0

    async def _run(self, store: Store) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await self._some(store):
                    pass
            except StoreError as fault:  # tried again within ten seconds
                self._host.fault("cards", f"steps are not written down: {fault}")

    async def _some(self, store: Store) -> bool:
        """The next rows; False: there is none, or no card that they could be a step of."""
        if not self._host.decisions.awards.rules.cards and not await store.read(card_steps.has_any):
            return False
        async with self._gate:
            return await self._next(store)

    async def _next(self, store: Store) -> bool:
        rows = await store.read(lambda db: card_steps.receipts_behind(db, self._through, ROWS))
        for place, receipt in rows:
            if receipt is not None:
                for step in await self._steps(store, receipt):
                    await self._write(store, step)
            if place > self._through:
                self._through = place
        if rows:
            await store.put(FACT, str(self._through).encode())
        return bool(rows)

    async def _steps(self, store: Store, receipt: ReceiptRecord) -> list[CardRecord]:
        if receipt.kind in _TAKES_BACK and not set(_NO_STEP) & set(receipt.modifiers):
            return await self._taken_back(store, receipt)
        if not receipt.cards:
            return []
        if not receipt.member or BY_TAG in receipt.attached:  # a tag can be copied: it is worth nothing by itself
            self._host.counters["cards: no member"] += 1
            return []
        bill = self._bill(receipt)
        settlement = await store.read(lambda db: card_steps.settlement(db, bill))
        return [self._step(receipt, CardStep.INCREASE, card, count, bill, settlement) for card, count in receipt.cards]

    def _step(
        self, receipt: ReceiptRecord, step: CardStep, card: str, count: int, bill: str, settlement: int
    ) -> CardRecord:
        serial = commit_card.increase_serial(self._store_number(), card, bill, settlement)
        return CardRecord(
            at=receipt.at, serial=serial, card=card, member=receipt.member, step=step, count=count,
            amount_minor=receipt.amount_minor or 0, bill=bill, session=receipt.session, document=receipt.document,
        )  # fmt: skip

    async def _taken_back(self, store: Store, receipt: ReceiptRecord) -> list[CardRecord]:
        """A refund's or void's steps."""
        if receipt.amount_minor is None or not await store.read(card_steps.has_any):
            return []
        day = receipt.printed_date or self._day(receipt.at)
        is_void = receipt.kind == DocumentKind.VOID.value
        member = receipt.member if BY_TAG not in receipt.attached else ""
        refund = Refund(receipt.number, day, member, abs(receipt.amount_minor), is_void)
        begins = int(datetime.fromtimestamp(receipt.at, self._zone).replace(hour=0, minute=0, second=0).timestamp())
        known = await store.read(lambda db: card_steps.concerned(db, receipt.number, member, begins, receipt.at))
        cards: tuple[CommitCard, ...] = self._host.decisions.awards.rules.cards
        undone = commit_card.undone_by(refund, known, cards)
        if not undone:
            self._host.counters["cards: refund of nothing known"] += 1
        return [
            CardRecord(
                at=receipt.at, serial=commit_card.decrease_serial(self._store_number(), one.serial), card=one.card,
                member=one.member, step=CardStep.DECREASE, count=one.times, amount_minor=refund.amount_minor,
                bill=f"{'void' if is_void else 'refund'} {one.bill}", undoes=one.serial, session=receipt.session,
                document=receipt.document,
            )
            for one in undone
        ]  # fmt: skip

    async def _write(self, store: Store, step: CardRecord) -> None:
        """Once: a serial that is there already is no fault."""
        if await store.read(lambda db: card_steps.is_known(db, step.serial)):
            self._host.counters["cards: known"] += 1
            return
        await store.record(step)
        self._host.counters["cards: steps" if step.step is CardStep.INCREASE else "cards: taken back"] += 1

    def _bill(self, receipt: ReceiptRecord) -> str:
        """A document's own name where nothing printed names the bill."""
        found = commit_card.bill_of(receipt.number, receipt.printed_date, receipt.till, self._scope)
        return found or f"/{receipt.session}/{receipt.document}"

    def _day(self, at: int) -> str:
        return datetime.fromtimestamp(at, UTC).astimezone(self._zone).date().isoformat()
