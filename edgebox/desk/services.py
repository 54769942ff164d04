"""The counter's other services: orders are picked up, goods given for points, members known by their code.

Owns: what a code of each kind leads to, and the words that go with it. Never: makes a use certain or numbers a slip
(counter.py), knows a balance (the cloud), or gives points: a member who is known is a name on the next receipt.

Whoever reads such a code (edgebox/scan_desk.py by `handlers`, the managers' page by the methods) gets the same answer.
Beeps are the caller's; the slip is on its way when a method returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from edgebox.decisions import Decisions
from edgebox.desk import mall, service_words
from edgebox.desk.answers import Answer
from edgebox.desk.codes import Read, Scan
from edgebox.desk.counter import Counter
from edgebox.desk.mall import Price
from edgebox.desk.pick_ups import PickUps, Spec
from edgebox.desk.redemption import Source
from edgebox.desk.said import Handler, Said, Scanned
from edgebox.desk.service_words import Known, Marks
from edgebox.desk.signed import Coupon
from edgebox.desk.words import Say, Shop
from edgebox.errors import StoreError
from edgebox.keys import field_key
from edgebox.lines import LineSession
from edgebox.loyalty.windows import When
from edgebox.receipt.redact import Pseudonyms
from edgebox.scan.codes import Kind, is_private
from edgebox.settings import Config
from edgebox.slips.template import Purpose
from edgebox.store import redemptions
from edgebox.store.redemptions import Entry
from edgebox.store.store import Store

MEMBER_MAX = 128  # characters of a member's code; WeChat's and Alipay's have some 20


class Host(Protocol):
    """The engine."""

    config: Config
    clock: Callable[[], float]
    lines: dict[str, LineSession]
    decisions: Decisions

    def fault(self, line: str, what: str, error: BaseException | None = None) -> None:
        """Counted and logged."""


class Front(Protocol):
    """The coupon desk, which these share counter and paper with."""

    counter: Counter | None

    async def redeem(self, scan: Scan) -> Said:
        """As Desk."""

    async def book(self, scan: Scan, known: Read | None = None) -> Said:
        """The same, and a refusal is not printed."""

    def tell(self, purpose: Purpose, say: Say, line: str) -> None:
        """News on paper, soon or not at all."""


class Services:
    """Between the desk's `open` and `stop`."""

    def __init__(self, host: Host, front: Front) -> None:
        self.pick_ups = PickUps(host.config.sync.box)
        self.prices_apart = 0  # times that the cloud took other points than the catalogue says
        self._host = host
        self._front = front
        self._zone = ZoneInfo(host.config.shop.tz)
        shop = host.config.shop
        self._shop = Shop(shop.name, shop.currency, shop.decimals)
        self._store: Store | None = None

    async def open(self, store: Store) -> None:
        """StoreError: not possible."""
        await self.pick_ups.open(store)
        self._store = store

    @property
    def handlers(self) -> Mapping[Kind, Handler]:
        """Who takes which scanned code."""
        return {Kind.PICK_UP: self._pick_up, Kind.MALL: self._mall, Kind.MEMBER: self._member}

    async def _pick_up(self, one: Scanned) -> Said:
        return await self.pick_up(one.code, one.cashier, one.line)

    async def _mall(self, one: Scanned) -> Said:
        return await self.mall(one.code, one.cashier, one.line)

    async def _member(self, one: Scanned) -> Said:
        return self.member(one.code, one.line)

    # -- pick-ups

    async def use_list(self, revision: int, orders: Iterable[Spec], box: str) -> None:
        """The fleet's list is in force. StoreError: the one before is; `busy`: the desk is not open."""
        counter = self._front.counter
        if counter is None:
            raise StoreError("the desk is not open; see the box's log", reason="busy")
        today = self._day(self._now())
        await self.pick_ups.use(revision, orders, box, counter.codes.hash, today)

    async def pick_up(self, code: str, cashier: str = "", line: str = "", *, typed: bool = False) -> Said:
        """Hands an order out, by the code that is shown or the order's number. `typed`: by hand, which may lock."""
        counter = self._front.counter
        if counter is None:
            return Said(Answer.BUSY)
        now = self._now()
        found = self.pick_ups.find(code, counter.codes, self._day(now) if now.trusted else None)
        said = await self._front.book(Scan(code, cashier, typed=typed, line=line), found.read)
        said = said._replace(detail=found.detail)
        if said.answer is Answer.USED:
            said = said._replace(detail=await self._used_at(found.read.code))
        if said.answer is not Answer.REDEEMED:
            local = now.local(self._zone)
            say = service_words.refusal(Source.PICK_UP, said.answer, said.detail, local, self._shop)
            self._front.tell(Purpose.REFUSAL, say, line)
        return said

    async def _used_at(self, code: str) -> str:
        assert self._store is not None, "opened"
        try:
            entry = await self._store.read(lambda db: redemptions.used(db, code))
        except StoreError:
            return ""
        return self._written(entry.at) if entry is not None else ""

    # -- the mall

    async def mall(self, code: str, cashier: str = "", line: str = "", *, typed: bool = False) -> Said:
        """Gives goods for the points that the cloud takes. Alone only by a signed code with the price in force."""
        said = await self._front.redeem(Scan(code, cashier, typed=typed, line=line, mall=True))
        rules = self._host.decisions.awards.rules
        if said.answer is Answer.REDEEMED and not said.offline and not mall.agrees(said.worth, rules, self._now()):
            self.prices_apart += 1
            self._host.fault("mall", f"the cloud took other points for {said.worth.coupon} than rules {rules.rev} say")
        return said

    def prices(self, tier: str = "") -> list[Price]:
        """What the mall asks of this tier now; "": of the lowest. Rules with a fault: nothing is to be had."""
        awards = self._host.decisions.awards
        return [] if awards.refusal else mall.prices(awards.rules, tier, self._now())

    def print_prices(self, tier: str = "", line: str = "") -> bool:
        """The same on paper; False: there is nothing to be had."""
        found = self.prices(tier)
        if found:
            say = service_words.prices(found, tier, self._now().local(self._zone), self._shop)
            self._front.tell(Purpose.PRICES, say, line)
        return bool(found)

    def priced(self, coupon: Coupon) -> Answer | None:
        """What is wrong with the price that a signed code names; None: nothing."""
        awards = self._host.decisions.awards
        return mall.priced(coupon, awards.rules, self._now()) if not awards.refusal else Answer.OFFLINE

    # -- members

    def member(self, code: str, line: str = "") -> Said:
        """Whose code this is, as far as the table says; the next sale of the line is theirs, known or not."""
        text = code.strip()
        is_code = len(text) <= MEMBER_MAX and not is_private(text)
        hashed = self._hashes().of("member", text) if is_code else ""
        till = self._till(line) if hashed else ""
        if till:
            self._host.decisions.at_till.show(till, hashed, self._host.config.desk.member_s)
        known = self._known(hashed)._replace(waits=bool(till))
        self._front.tell(Purpose.MEMBER, service_words.member(known, self._now().local(self._zone), self._shop), line)
        return Said(known.answer, detail=_in_short(known))

    def _known(self, hashed: str) -> Known:
        table, now = self._host.decisions.members, self._now()
        if table is None:
            return Known(Answer.STRANGER)
        as_of = self._written(table.as_of)
        if not table.is_believed(now.at, clock_trusted=now.trusted):
            return Known(Answer.STALE, as_of=as_of)
        found = table.find(hashed, now.at) if hashed else None
        return Known(Answer.MEMBER if found else Answer.STRANGER, found, as_of)

    def _hashes(self) -> Pseudonyms:
        """As those of receipts: without claim keys none, and then nobody is known."""
        return Pseudonyms(field_key(self._host.decisions.awards.keys))

    def _till(self, line: str) -> str:
        """Whose next sale it is: a scanner that names no line has one only where there is but one."""
        lines = set(self._host.lines) or {row.name for row in self._host.config.line}
        return line or (next(iter(lines)) if len(lines) == 1 else "")

    # -- slips

    def slip(self, entry: Entry, title: str, marks: Marks) -> tuple[Purpose, Say] | None:
        """The slip of a row that is ours; None: it is a coupon's."""
        if entry.source == Source.PICK_UP:
            return Purpose.PICK_UP, service_words.pick_up(entry, self.pick_ups.known(entry.code), marks, self._shop)
        if entry.source == Source.MALL:
            title = title or mall.title_of(self._host.decisions.awards.rules, entry.coupon)
            return Purpose.MALL, service_words.mall(entry, title, marks, self._shop)
        return None

    # -- inside

    def _now(self) -> When:
        return self._host.decisions.now(int(self._host.clock()))

    def _day(self, when: When) -> date:
        """The shop's day: a bar's ends when it closes."""
        return (when.local(self._zone) - timedelta(hours=self._host.config.shop.day_begins)).date()

    def _written(self, at: int) -> str:
        """14:03, of today; else with its date."""
        local = datetime.fromtimestamp(at, self._zone)
        is_today = local.date() == self._now().local(self._zone).date()
        return local.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def _in_short(known: Known) -> str:
    """For the page: `gold 1,200+ (09:00)`."""
    if known.member is None:
        return known.as_of if known.answer is Answer.STALE else ""
    points = f"{known.member.points:,}+ ({known.as_of})" if known.member.points else ""
    return " ".join(filter(None, (known.member.tier, points)))
