"""The coupon desk as the box has it: codes in, slips and records out, its shift, and what it hears of cloud and lines.

Owns: how its parts hang together and what they are told of the shop. Never: judges a code (counter.py), or holds up a
receipt: everything here happens between documents, and waits for disk and cloud in tasks of its own.

Whoever reads a code that is ours (edgebox/scan by way of the engine, the managers' page) calls `redeem`.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from edgebox.desk import service_words, words
from edgebox.desk.answers import Answer
from edgebox.desk.asking import Cloud
from edgebox.desk.codes import Codes, Maker, Read, Scan
from edgebox.desk.counter import Around, Counter
from edgebox.desk.handover import Handover
from edgebox.desk.lockout import Lockout
from edgebox.desk.owed import OwedSlips
from edgebox.desk.paper import Paper, Printers
from edgebox.desk.redemption import Source
from edgebox.desk.said import Said
from edgebox.desk.service_words import Marks
from edgebox.desk.services import Services
from edgebox.desk.settlement import DAY_S, Patience, Settlement, look_at
from edgebox.desk.shift import Closed, Shifts
from edgebox.desk.signed import Verifier
from edgebox.desk.tallies import Tallies
from edgebox.desk.words import Say, Shop
from edgebox.errors import ConfigError, SlipError, StoreError
from edgebox.keys import field_key
from edgebox.loyalty.windows import When
from edgebox.notices import Health
from edgebox.own_secret import own_secret
from edgebox.scan.codes import Kind
from edgebox.settings import Config
from edgebox.slips.template import Purpose
from edgebox.store import redemptions
from edgebox.store.events import ReceiptRecord, Stream
from edgebox.store.redemptions import Entry
from edgebox.store.store import Store

SYNCED_EVERY_S = 600  # how often "the cloud is there" is written down; [offline_redeem] max_age is hours
REFUSAL_MS = 30_000  # a refusal that no paper was there for is no news any more
REFUSALS_MAX = 8  # waiting at once; more are only beeped, and counted
TITLES_MAX = 256  # of what was just redeemed, for its slip
_LABEL = b"edgebox desk hashes v1"
Fault = Callable[[str, str], None]


class Host(Printers, Protocol):
    """The engine."""

    config: Config
    clock: Callable[[], float]
    health: Health

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


class Desk:
    """Between `open` and `stop`. `coupon_title`, `is_revoked`: what the fleet said of a coupon or batch."""

    def __init__(self, host: Host) -> None:
        self.coupon_title: Callable[[str], str] = lambda coupon: ""
        self.is_revoked: Callable[[str], bool] = lambda name: False
        self.refusals_unsaid = 0
        self.counter: Counter | None = None
        self.shifts: Shifts | None = None
        self.tallies: Tallies | None = None
        self.settlement: Settlement | None = None
        self.handover: Handover | None = None
        self._host = host
        self._paper = Paper(host, host.config.desk.line)
        self._zone = ZoneInfo(host.config.shop.tz)
        shop = host.config.shop
        self._shop = Shop(shop.name, shop.currency, shop.decimals)
        self._store: Store | None = None
        self._owed: OwedSlips | None = None
        self._cloud: Cloud | None = None
        self._titles: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = 0
        self._synced_at = 0
        self.services = Services(host, self)

    # -- life

    async def open(self, store: Store) -> None:
        """Where the last run left off; slips that it owed go out. A fault is said: then every code is `busy`."""
        try:
            counter = Counter(store, self._codes(), self._around(), self._lockout())
            await counter.open()
            now, note = (lambda: int(self._host.clock())), self._host.health.note
            handover = Handover(store, now, time.monotonic, note, counter.go_on_behind)
            config = self._host.config
            # A new box has no coupon keys yet: its cloud sends them, and is asked before.
            await handover.open(alone=bool(config.desk.coupon_keys or config.sync.url))
            await self.services.open(store)
        except (StoreError, ConfigError) as fault:
            self._host.fault("desk", f"no coupons can be redeemed: {fault}")
            return
        self._store = store
        self._owed = OwedSlips(store, self._paper, self._say, self._fault)
        self.shifts = Shifts(store, counter, self._owed, self._written, self._fault)
        self.tallies = Tallies(store, self.shifts, self._paper, self._say_tally, self._fault)
        counter.on_redeemed = self._owed.due
        counter.cloud = self._cloud
        desk = self._host.config.desk
        patience = Patience(desk.withdraw_s, desk.unsettled_days * DAY_S)
        self.settlement = Settlement(store, counter, patience, lambda: int(self._host.clock()), self._host.health.note)
        self.counter, self.handover = counter, handover

    async def stop(self) -> None:
        """What is being written is written; what was not printed stays owed."""
        if self.counter is None or self._owed is None:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.counter.settled()
        await self._owed.stop()
        self.counter = None

    def use_cloud(self, cloud: Cloud | None) -> None:
        """Whom to ask; None: this shop has nobody."""
        self._cloud = cloud
        if self.counter is not None:
            self.counter.cloud = cloud

    # -- what people do

    async def redeem(self, scan: Scan) -> Said:
        """Uses a code up, or says why not. Its slip is on its way when this returns, and beeps are the caller's."""
        outcome = await self.book(scan)
        if outcome.answer is not Answer.REDEEMED and self.counter is not None:
            source = Source.MALL if scan.mall else Source.CLOUD
            say = service_words.refusal(source, outcome.answer, outcome.detail, self._local(), self._shop)
            self.tell(Purpose.REFUSAL, say, scan.line)
        return outcome

    async def book(self, scan: Scan, known: Read | None = None) -> Said:
        """The same, and a refusal is not printed. `known`: what a code was found to be."""
        if self.counter is None:
            return Said(Answer.BUSY)
        if self.handover is not None and self.handover.is_closed:
            return Said(Answer.OFFLINE)
        outcome = await self.counter.redeem(scan, known)
        if outcome.worth.title and outcome.answer is Answer.REDEEMED:
            self._titles[outcome.number] = outcome.worth.title
            while len(self._titles) > TITLES_MAX:
                del self._titles[next(iter(self._titles))]
        return outcome

    async def reverse(self, number: int, cashier: str = "", reason: str = "") -> Said:
        """Takes a redemption back; its own slip says so."""
        if self.counter is None:
            return Said(Answer.BUSY)
        return await self.counter.reverse(number, cashier, reason)

    async def close_shift(self, who: str = "", line: str = "", *, is_asked: bool = True) -> bool:
        """Ends the shift; its tally is on its way to the paper when this returns. Not asked for, only if it has a slip.

        False: that was not possible, and the shift goes on.
        """
        if self.shifts is None:
            return False
        try:
            closed = await self.shifts.close(who, int(self._host.clock()), is_asked=is_asked)
        except StoreError as fault:
            self._fault("desk", f"the shift was not closed: {fault}")
            return False
        if closed is not None and self.tallies is not None:
            self._begin(self.tallies.pay_all(line))
        return True

    async def print_tally(self, number: int = 0, line: str = "") -> bool:
        """A closed shift's tally once more, marked as a copy; 0: the last one's. False: it was not printed."""
        try:
            return self.tallies is not None and await self.tallies.again(number, line)
        except (StoreError, SlipError) as fault:
            self._fault("desk", f"no tally: {fault}")
            return False

    def hash_of(self, kind: Kind, code: str) -> str:
        """Under which a scan of this kind is recorded; a coupon's is that of its redemption. "": not open."""
        if self.counter is None:
            return ""
        return self.counter.codes.hash_of(kind, code)

    @property
    def cloud(self) -> Cloud | None:
        """Whom to ask; None: this shop has nobody."""
        return self._cloud

    @property
    def locked_s(self) -> float:
        """How long no code may be typed, after too many wrong ones; 0: one may."""
        return self.counter.lockout.left_s(time.monotonic()) if self.counter is not None else 0.0

    @property
    def line(self) -> str:
        """Whose printer gives the slips now; "": no line is there."""
        return self._where("")[0]

    # -- what it hears

    def line_joined(self) -> None:
        """A line has come: what could not be printed may go there."""
        if self._owed is not None:
            self._begin(self._owed.pay_all())
        if self.tallies is not None:
            self._begin(self.tallies.pay_all())

    def recorded(self, receipt: ReceiptRecord) -> None:
        """A document is on disk. Behind the till's own report come its check and, with it, the end of the shift."""
        if receipt.report is None or receipt.replayed or self.counter is None:
            return
        if receipt.z_check and self._host.decisions.is_shown(Purpose.Z_CHECK):
            name = f"z-{receipt.session}-{receipt.document}"
            self._begin(self._print(Purpose.Z_CHECK, self._check(receipt), receipt.line, name))
        if self._host.config.desk.tally_with_report:
            self._begin(self._closed_by_report(receipt))

    async def look(self) -> None:
        """Every few seconds: questions that nobody came back for, and that the cloud is there: its absence counts.

        It is there if it has acknowledged all that the desk recorded: a broker lets a box in with nobody behind it.
        """
        if self.settlement is not None and self.counter is not None:
            await look_at(self.settlement, self._fault)
        if self.handover is not None and self.handover.is_closed:
            self._begin(self._taken_over(self.handover))
            return
        now, store = self._host.clock(), self._store
        if self.counter is None or store is None or self._cloud is None or not self._cloud.is_connected:
            return
        if 0 <= now - self._synced_at < SYNCED_EVERY_S:
            return
        try:
            if (await store.backlog())[Stream.REDEMPTIONS].rows:
                return
            await store.change(lambda db: redemptions.put_synced(db, int(now)))
            self._synced_at = int(now)
        except StoreError as fault:
            self._fault("desk", f"not noted that the cloud is there: {fault}")

    async def _taken_over(self, handover: Handover) -> None:
        try:
            await handover.look(self._cloud)
        except StoreError as fault:
            self._fault("desk", f"what the cloud knows of coupons is not kept: {fault}")

    # -- paper

    def _say(self, entry: Entry, undone: int, is_copy: bool) -> tuple[Purpose, Say] | None:
        """What the slip of a row says; of a closed shift there is none any more."""
        assert self.counter is not None, "opened"
        shift = self.counter.shift
        if entry.shift != shift.number:
            return None
        title = self._titles.get(entry.number) or self.coupon_title(entry.coupon)
        local = self._local(entry.at)
        count = entry.number - shift.after
        own = self.services.slip(entry, self._titles.get(entry.number, ""), Marks(count, local, is_copy, undone))
        if own is not None:
            return own
        return Purpose.REDEMPTION, words.redemption(entry, count, title, local, self._shop, copy=is_copy, undone=undone)

    def _say_tally(self, closed: Closed, is_copy: bool, most: int) -> Say:
        since, ended = self._written(closed.shift.begun), self._local(closed.shift.ended)
        return words.tally(closed.tally, ended, since, self._shop, copy=is_copy, most=most)

    def tell(self, purpose: Purpose, say: Say, line: str) -> None:
        """News on paper, soon or not at all: a refusal, who a member is, prices."""
        if self._refusing >= REFUSALS_MAX:
            self.refusals_unsaid += 1
            return
        self._refusing += 1
        task = self._begin(self._print(purpose, say, line, "", expires_ms=REFUSAL_MS))
        task.add_done_callback(lambda _: self._said_no())

    def _said_no(self) -> None:
        self._refusing -= 1

    async def _print(self, purpose: Purpose, say: Say, line: str, name: str, *, expires_ms: int = 0) -> None:
        where = self._paper.where(line)
        if where is None:
            return
        try:
            body = self._paper.composed(purpose, say, where.line)
        except SlipError as fault:
            self._fault("desk", f"no {purpose.value} slip: {fault}")
            return
        if body is not None:
            await self._paper.print(where.line, name, body, expires_ms=expires_ms)

    def _check(self, receipt: ReceiptRecord) -> Say:
        report = receipt.report
        assert report is not None, "asked before"
        figures = (
            ("receipts", report.receipts, str), ("sum", report.sum_minor, self._shop.written),
            ("refunds", report.refunds, str), ("refunded", report.refund_minor, self._shop.written),
        )  # fmt: skip
        rows = [(name, write(value)) for name, value, write in figures if value is not None]
        return words.z_check(receipt.z_check, receipt.z_equal, rows, self._local(receipt.at), report.since, self._shop)

    async def _closed_by_report(self, receipt: ReceiptRecord) -> None:
        await self.close_shift(receipt.cashier, receipt.line, is_asked=False)

    # -- inside

    def _begin(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _fault(self, part: str, what: str) -> None:
        self._host.fault(part, what)

    def _local(self, at: int | None = None) -> datetime:
        return datetime.fromtimestamp(self._host.clock() if at is None else at, UTC).astimezone(self._zone)

    def _written(self, at: int) -> str:
        return self._local(at).strftime("%Y-%m-%d %H:%M") if at else ""

    def _where(self, wanted: str) -> tuple[str, str]:
        found = self._paper.where(wanted)
        return (found.line, found.session) if found else (wanted, "")

    def _now(self) -> When:
        return self._host.decisions.now(int(self._host.clock()))

    def _day(self, when: When) -> date:
        return when.local(self._zone).date()

    def _is_revoked(self, name: str) -> bool:
        return bool(name) and self.is_revoked(name)

    def _lockout(self) -> Lockout:
        desk = self._host.config.desk
        return Lockout(desk.typed_tries, desk.typed_lock_s)

    def _codes(self) -> Codes:
        """ConfigError: the box's own secret can't be had, or a coupon key is none."""
        config = self._host.config
        shared = field_key(self._host.decisions.awards.keys)
        key = shared or hmac.digest(own_secret(Path(config.engine.data)), _LABEL, "sha256")
        desk = config.desk
        return Codes(key, self._maker, config.slip.coupon_prefix, desk.signed_prefix, _verifiers(desk.coupon_keys))

    def _maker(self) -> Maker | None:
        found = self._host.decisions.coupon_maker()
        return Maker(*found) if found is not None else None

    def _around(self) -> Around:
        keys = self._host.decisions.awards.keys
        return Around(
            now=self._now,
            mono_s=time.monotonic,
            local_day=self._day,
            written=self._written,
            rules=lambda: self._host.decisions.awards.rules.offline_redeem,
            revoked=self._is_revoked,
            where=self._where,
            store_number=keys.store if keys is not None else 0,
            device=keys.device if keys is not None else 0,
            ask_s=self._host.config.desk.ask_ms / 1000,
            priced=self.services.priced,
        )


def _verifiers(texts: tuple[str, ...]) -> list[Verifier]:
    """The cloud's keys for coupons. ConfigError. The ciphers cost 5 MB, so only a shop that has keys loads them."""
    if not texts:
        return []
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found: list[Verifier] = []
    for text in texts:
        name, _, encoded = text.partition(":")
        try:
            found.append(Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True)))
        except ValueError as fault:
            raise ConfigError(f"[desk] coupon_keys: {name} is no key", reason="bad_coupon_key") from fault
    return found
