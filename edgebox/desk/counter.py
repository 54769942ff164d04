"""The coupon desk: a code is presented, judged, used up on disk, and then there is paper that says so.

Owns: the order in which that happens, and one code at a time. Never: judges by itself (codes, allowance, the cloud do),
prints before the use is on disk, or keeps a code: only its hash is written down.

    form ─▶ used before? ─▶ its own terms ─▶ ask the cloud (2 s) ─▶ else alone, within limits ─▶ disk ─▶ beep, slip

A comeback coupon needs no cloud: this box printed it and knows all about it. A scanned one whose serial is not in the
book, but was this life of the database's to give out, is good: its record was lost in a kill after the printing, and
nobody but this box can have made its signature. One of an earlier life is not: that life's list of used ones is gone
with it, and what can't be known counts as used. Typed, it isn't good either: its terms are only in the book.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import msgspec

from edgebox.desk import allowance, asking
from edgebox.desk.allowance import Here, Spell
from edgebox.desk.answers import Answer, Channel
from edgebox.desk.codes import Codes, Read, Scan, judged
from edgebox.desk.lockout import Lockout
from edgebox.desk.redemption import Redemption, Source, Worth
from edgebox.desk.said import Said
from edgebox.desk.signed import Coupon
from edgebox.errors import StoreError
from edgebox.loyalty.comeback import SHORT_SERIALS, Terms
from edgebox.loyalty.offers import CouponKind, OfflineRedeem
from edgebox.loyalty.windows import When
from edgebox.slip_stock import SERIALS_PER_EPOCH
from edgebox.store import offers, redemptions
from edgebox.store.events import RedemptionRecord, RedemptionState
from edgebox.store.redemptions import Entry, Open, Owed, Question, Shift
from edgebox.store.store import Store

COMEBACK = "comeback"  # the stock of all comeback coupons
EPOCH = date(1970, 1, 1)
REASON_MAX = 120  # letters of a cashier's reason
T = TypeVar("T")


class Around(NamedTuple):
    """What the desk asks the rest of the box. `now`: the time and whether it is to be believed; `mono_s`: only forward.

    `revoked`: whether a batch, or a code by its hash, was withdrawn; `where`: name and session of the line that would
    print; `store_number`, `device`: this shop's and this box's; `priced`: what is wrong with a mall code's price.
    """

    now: Callable[[], When]
    mono_s: Callable[[], float]
    local_day: Callable[[When], date]
    written: Callable[[int], str]
    rules: Callable[[], OfflineRedeem]
    revoked: Callable[[str], bool]
    where: Callable[[str], tuple[str, str]]
    store_number: int
    device: int
    ask_s: float
    priced: Callable[[Coupon], Answer | None] = lambda coupon: None


class Counter:
    """One for the box. `cloud`: None without one; `on_redeemed`: told of each slip that is owed from now on."""

    def __init__(self, store: Store, codes: Codes, around: Around, lockout: Lockout) -> None:
        self.cloud: asking.Cloud | None = None
        self.on_redeemed: Callable[[Owed], None] | None = None
        self.shift = Shift()
        self.lockout = lockout
        self.unrecorded = 0  # refusals for which there was no room on the disk
        self._store = store
        self.codes = codes
        self._around = around
        self._number = 0
        self._at_work: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._numbering = asyncio.Lock()
        self._writing: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Where the last run left off. StoreError."""
        self._number = await self._store.read(redemptions.last_number)
        known = await self._store.read(redemptions.shift)
        if known is None:  # the first run, or a database whose fact was lost: no number comes twice
            before = await self._store.read(redemptions.last_shift)
            known = Shift(number=before + 1, begun=self._around.now().at, after=self._number)
            await self._store.change(lambda db: redemptions.put_shift(db, known))
        self.shift = known

    async def go_on_behind(self) -> None:
        """Numbers that another box of this name gave out have become known: none of them comes again. StoreError."""
        async with self._numbering:
            self._number = max(self._number, await self._store.read(redemptions.last_number))

    def between_numbers(self) -> asyncio.Lock:
        """Held while no number may be given out: a shift ends between two slips."""
        return self._numbering

    async def settled(self) -> None:
        """What was on its way to the disk is there, or isn't."""
        if self._writing:
            await asyncio.wait(self._writing)

    # -- what people do

    async def redeem(self, scan: Scan, known: Read | None = None) -> Said:
        """Uses a code up, or says why not. Never raises for a code; the slip is printed after this returns.

        `known`: what another desk has found the code to be.
        """
        now_s = self._around.mono_s()
        read = known or self.codes.read(scan)
        is_guess = scan.typed or read.short is not None  # bar codes of short codes can be printed at home
        if is_guess and self.lockout.is_locked(now_s):
            return Said(Answer.LOCKED)
        try:
            read = await self._identified(read)
            lock = self._at_work.setdefault(read.code, asyncio.Lock())
            async with lock:
                outcome = await self._redeem(scan, read)
        except StoreError:
            return Said(Answer.BUSY)
        if is_guess and outcome.answer in (Answer.UNKNOWN, Answer.FORGED):
            self.lockout.wrong(now_s)
        elif is_guess and outcome.answer is Answer.REDEEMED:
            self.lockout.right()
        return outcome

    async def reverse(self, number: int, cashier: str, reason: str) -> Said:
        """Takes the redemption with that slip's number back: the code may be used again. A reason is needed.

        One that the cloud knows of is free here at once, and there when it has read the record: it answers with a
        verdict (settlement.py), which is a conflict if who issued the code does not take it back.
        """
        try:
            entry = await self._store.read(lambda db: redemptions.numbered(db, number))
            if entry is None or entry.state != RedemptionState.REDEEMED or not reason.strip():
                return Said(Answer.UNKNOWN)
            return await self.to_its_end(self._taken_back(entry, cashier, reason))
        except StoreError:
            return Said(Answer.BUSY)

    async def to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """What it comes to. It goes on if who waits for it is canceled: locks are held until the disk has it."""
        task = asyncio.get_running_loop().create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    async def withdraw(self, question: Open, since: int) -> bool:
        """Asks it no more, unless it was asked again after `since` or has its answer. On disk when this returns.
        StoreError: it stays open."""
        async with self._at_work.setdefault(question.code, asyncio.Lock()):
            found = await self._store.read(lambda db: redemptions.open_question(db, question.code))
            now = self._around.now().at
            if found is None or found.request != question.request or since <= found.at <= now:
                return False
            await self._store.record(
                RedemptionRecord(
                    at=now, request=found.request, code=found.code, state=RedemptionState.WITHDRAWN, source=Source.CLOUD
                )
            )
            return True

    # -- one code

    async def _identified(self, read: Read) -> Read:
        """A typed comeback code with the terms that the book has under its serial."""
        short = read.short
        if short is None:
            return read
        found = await self._store.read(lambda db: offers.find_comeback(db, short.serial, SHORT_SERIALS))
        if found is not None and found.last_day:
            terms = Terms(self._around.device, found.serial, found.value_minor, found.threshold_minor, found.last_day)
            if self.codes.check_short(short, terms):
                return read._replace(code=self.codes.hash_of_serial(found.serial), terms=terms)
        code = self.codes.hash("short", f"{short.serial}-{short.mac}")
        return read._replace(code=code, refused=Answer.UNKNOWN)

    async def _redeem(self, scan: Scan, read: Read) -> Said:
        line, _ = self._around.where(scan.line)
        used = await self._store.read(lambda db: redemptions.used(db, read.code))
        question = Question(os.urandom(16).hex(), scan.amount_minor)  # 32 letters: as many as WeChat takes
        one = Redemption(
            question.request, read.code, read.source, scan.channel, scan.cashier, line, scan.amount_minor,
            worth=_named(read),
        )  # fmt: skip
        if used is not None:
            await self._note(one.refused(Answer.USED))
            return Said(Answer.USED, detail=self._when(used))
        refused = read.refused or await self._own_terms(read, scan)
        if refused is not None:
            await self._note(one.refused(refused))
            return Said(refused)
        worth = _comeback(read.terms) if read.terms is not None else read.worth
        if worth is not None and not read.asks:
            return await self._commit(one.granted(worth))
        return await self._asked(one, scan, read, question)

    async def _own_terms(self, read: Read, scan: Scan) -> Answer | None:
        """What the code itself says against its use. A clock that isn't to be trusted makes no coupon expire early:
        it is behind, if anything."""
        if read.terms is not None:
            refused = await self._not_given_out(read.terms)
            return refused or judged(read.terms, scan.amount_minor, self._here().today)
        if self._around.revoked(read.code) or (read.coupon is not None and self._around.revoked(read.coupon.stock)):
            return Answer.REVOKED
        if read.coupon is None:
            return None
        here = self._here()
        return allowance.judge_terms(read.coupon, here, scan.amount_minor) if here.trusted else None

    async def _not_given_out(self, terms: Terms) -> Answer | None:
        """None: this box's book has it, or may have lost it in a kill."""
        known = await self._store.read(lambda db: offers.find_comeback(db, terms.serial))
        if known is not None:
            return Answer.USED if known.spent_at else None  # what salvage could not know about counts as used
        head = self._store.epoch.partition("-")[0]
        first = int(head) * SERIALS_PER_EPOCH + 1 if head.isdigit() else 1
        is_of_this_life = first <= terms.serial < await self._store.read(offers.serials_taken)
        return None if is_of_this_life else Answer.UNKNOWN

    async def _asked(self, one: Redemption, scan: Scan, read: Read, new: Question) -> Said:
        """The cloud's answer, or the box's own where that may be."""
        at = self._around.now().at
        question = new
        if self.cloud is not None:
            question = await self._store.change(lambda db: redemptions.ask(db, one.code, new, at))
        one = replace(one, request=question.request).asked()
        what = asking.WHAT.get(one.source, asking.REDEEM)
        heard = await asking.ask(self.cloud, question, scan.code.strip(), scan.channel, self._around.ask_s, what)
        if heard.worth is not None:
            return await self._commit(one.granted(read.worth or _filled(heard.worth, one.worth)))
        if heard.refused is not None and heard.refused is not Answer.FAILURE:
            return await self._refuse(one, heard.refused)
        return await self._alone(one, scan, read, heard.refused)

    async def _alone(self, one: Redemption, scan: Scan, read: Read, heard: Answer | None) -> Said:
        """Without the cloud's word: a coupon of the shop's own, within what the rules allow."""
        if read.coupon is None:
            return await self._refuse(one, heard or self._nobody(scan))
        refused = await self.to_its_end(self._within_limits(one, scan, read.coupon))
        if isinstance(refused, Said):
            return refused
        return await self._refuse(one, heard if heard is not None and refused is Answer.OFFLINE else refused)

    async def _within_limits(self, one: Redemption, scan: Scan, coupon: Coupon) -> Said | Answer:
        """Redeemed, or why the box may not."""
        rules = self._around.rules()
        async with self._numbering:  # two at once must not both be the last one within the limits
            since, done, total = await self._store.read(redemptions.spell)
            here = self._here()
            refused = allowance.judge_alone(coupon, here, scan.amount_minor, rules, Spell(since, done, total))
            refused = refused or self._around.priced(coupon)
            if refused is not None:
                return refused
            return await self._written(one.granted(_of_coupon(coupon, scan.amount_minor), offline=True))

    def _nobody(self, scan: Scan) -> Answer:
        """A shop without any cloud knows no such code; with one, it can't be asked now."""
        return Answer.UNKNOWN if self.cloud is None and scan.channel is Channel.OWN else Answer.OFFLINE

    async def _refuse(self, one: Redemption, answer: Answer) -> Said:
        await self._note(one.refused(answer))
        return Said(answer)

    # -- the disk

    async def _commit(self, one: Redemption) -> Said:
        """On disk, whoever is canceled meanwhile; then the slip is owed."""

        async def numbered() -> Said:
            async with self._numbering:
                return await self._written(one)

        return await self.to_its_end(numbered())

    async def _written(self, one: Redemption) -> Said:
        """With the next number, which nobody else takes meanwhile."""
        at, number = self._around.now().at, self._number + 1
        try:
            await self._record(one.record(at, number, self.shift.number), number)
        except StoreError:
            used = await self._store.read(lambda db: redemptions.used(db, one.code))
            return Said(Answer.BUSY) if used is None else Said(Answer.USED, detail=self._when(used))
        done = one.committed(number, number - self.shift.after, at)
        return Said(Answer.REDEEMED, done.number, worth=done.worth, offline=done.offline)

    async def _record(self, record: RedemptionRecord, number: int) -> None:
        """With the line that is to print its slip, which is owed from the same commit on."""
        line, session = self._around.where(record.line)
        await self._store.record(msgspec.structs.replace(record, line=line or record.line, session=session))
        self._number = number
        if self.on_redeemed is not None:
            self.on_redeemed(Owed(number, line or record.line, session, record.at))

    async def _taken_back(self, entry: Entry, cashier: str, reason: str) -> Said:
        async with self._at_work.setdefault(entry.code, asyncio.Lock()):
            found = await self._store.read(lambda db: redemptions.numbered(db, entry.number))
            if found is None or found.reversed_by:
                return Said(Answer.USED, detail=str(entry.number))
            return await self._reversed(found, cashier, reason)

    async def _reversed(self, entry: Entry, cashier: str, reason: str) -> Said:
        async with self._numbering:
            number = self._number + 1
            words = "".join(char for char in reason.strip() if char.isprintable())[:REASON_MAX]
            record = RedemptionRecord(
                at=self._around.now().at, request=entry.request, code=entry.code, state=RedemptionState.REVERSED,
                reason=words, source=entry.source, channel=entry.channel, coupon=entry.coupon, stock=entry.stock,
                value_minor=entry.value_minor, points=entry.points, ref=entry.ref, number=number,
                shift=self.shift.number, cashier=cashier, line=entry.line, offline=entry.offline,
            )  # fmt: skip
            await self._record(record, number)
        worth = Worth(entry.coupon, entry.stock, "", entry.value_minor, entry.points, entry.ref)
        return Said(Answer.REDEEMED, number, worth=worth)

    async def _note(self, one: Redemption) -> None:
        """A no is recorded, too. Where the disk can't take it, it is counted: the answer is the same."""
        record = one.record(self._around.now().at)
        if not one.is_final:
            record = msgspec.structs.replace(record, state=RedemptionState.UNDECIDED)
        try:
            await self._store.record(record)
        except StoreError:
            self.unrecorded += 1

    # -- inside

    def _here(self) -> Here:
        now = self._around.now()
        today = (self._around.local_day(now) - EPOCH).days
        return Here(self._around.store_number, self._around.device, now.at, today, now.trusted)

    def _when(self, used: Entry) -> str:
        return f"{self._around.written(used.at)}  No. {used.number}"


def _named(read: Read) -> Worth:
    """What a signed code says of itself, used or not: campaigns are counted by it."""
    coupon = read.coupon
    if coupon is None:
        return Worth()
    return _of_coupon(coupon, None)._replace(value_minor=0, points=0)


def _filled(said: Worth, named: Worth) -> Worth:
    """What the cloud says, and where it says nothing what the code does."""
    return said._replace(coupon=said.coupon or named.coupon, stock=said.stock or named.stock, ref=said.ref or named.ref)


def _of_coupon(coupon: Coupon, amount_minor: int | None) -> Worth:
    """What a signed one is worth to a box that decides alone."""
    face = coupon.face_minor(amount_minor) or 0
    if coupon.kind is CouponKind.MALL:
        return Worth(coupon.stock.partition("@")[0], coupon.stock, "", face, coupon.value, coupon.serial)
    return Worth(coupon.kind.value, coupon.stock, "", face, ref=coupon.serial)


def _comeback(terms: Terms) -> Worth:
    return Worth(COMEBACK, COMEBACK, "", terms.value_minor, ref=terms.serial)
