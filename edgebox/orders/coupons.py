"""The coupons and codes that the fleet gave this box, those it took back, and its word on those that were redeemed:
`coupons.add`, `coupons.revoke`, `coupons.settle`, `desk.tally`.

Owns: the fact `coupons`, what goes into the pools that slips take codes from, and that what was revoked stays so.
Never: redeems one (edgebox/desk asks this one), and never shows a code to a log, a reply or an error's words: whoever
holds one may use it. They come sealed, and lie in the database's own table alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from edgebox.desk.settlement import Settlement
from edgebox.desk.shift import Closed, Shifts
from edgebox.errors import OrderError
from edgebox.sealed import SealKey
from edgebox.slip_stock import Stock
from edgebox.store import offers
from edgebox.store.offers import PoolCode
from edgebox.store.store import Store
from sync.contract import JobPhase
from sync.contract_commands import (
    CouponsAddArgs,
    CouponsResult,
    CouponsRevokeArgs,
    CouponsSettleArgs,
    SettleResult,
    TallyArgs,
    TallyResult,
)
from sync.contract_content import CodeGift, CouponSpec
from sync.jobs import Doing
from sync.steps import Ended

FACT = "coupons"
COUPONS_MAX = 2000  # 300 bytes each; a fact may have 1 MB
CODES_MAX = 5000  # revoked codes: 66 bytes each at the most
GIFT_MAX = 1500  # codes of one command: its sealed text has 48 KB, so more would not fit
LISTED_MAX = 100  # of one kind in a tally's reply: 16 KB of it are kept [sync/steps.py]
NO_CONSUMER = "no_consumer_yet"
_NOBODY = "they are kept; no part of this box redeems yet"
_NO_SLIP = "they are kept; no slip that is shown hands them out"
_Gift = Annotated[list[CodeGift], Meta(min_length=1, max_length=GIFT_MAX)]


class Coupons(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By id; `revoked`: ids that never come back; `codes`: single codes, as keyed hashes, oldest first."""

    coupons: dict[str, CouponSpec] = {}
    revoked: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class Pools(NamedTuple):
    """Where codes go. `box`: to whom they are sealed; `now`: seconds since 1970."""

    seal: SealKey
    box: str
    stock: Stock
    now: Callable[[], int]


class CouponDesk:
    """`settlement`, `shifts`: of who redeems them; None: nobody on this box does."""

    def __init__(
        self,
        store: Store,
        pools: Pools,
        settlement: Callable[[], Settlement | None] | None = None,
        shifts: Callable[[], Shifts | None] | None = None,
    ) -> None:
        self.known = Coupons()
        self._store = store
        self._pools = pools
        self._settlement = settlement
        self._shifts = shifts
        self._is_used = settlement is not None

    async def open(self) -> None:
        """Reads what there is. StoreError."""
        raw = await self._store.get(FACT)
        self.known = msgspec.json.decode(raw, type=Coupons) if raw else Coupons()

    async def add(self, doing: Doing) -> Ended:
        """`coupons.add`. A code that was there before stays as it is, used or not: sent again, it does no harm."""
        args = doing.order.args
        assert isinstance(args, CouponsAddArgs), "the table of commands says so"
        gift = self._opened(args.codes, doing.order.command.command) if args.codes else ()
        gone = ({coupon.id for coupon in args.coupons} | {code.stock for code in gift}) & set(self.known.revoked)
        if gone:
            raise OrderError(f"{min(gone)} was revoked; a new coupon has a new id", reason="revoked")
        coupons = {**self.known.coupons, **{coupon.id: coupon for coupon in args.coupons}}
        if len(coupons) > COUPONS_MAX:
            raise OrderError(f"{len(coupons)} coupons, at most {COUPONS_MAX}", reason="full")
        new = await self._store.change(lambda db: offers.add_codes(db, gift)) if gift else 0
        await self._keep(msgspec.structs.replace(self.known, coupons=coupons))
        if gift:
            await self._pools.stock.fill(self._store, self._pools.now())
        unused = {code.pool for code in gift} - self._pools.stock.wanted
        result = CouponsResult(
            count=len(coupons),
            changed=len(args.coupons),
            in_force=not unused and (self._is_used or not args.coupons),
            new=new,
            known=len(gift) - new,
        )
        return self._ended(result, _NO_SLIP if unused else _NOBODY)

    async def revoke(self, doing: Doing) -> Ended:
        """`coupons.revoke`: also of coupons and codes that are not here yet. Codes of a coupon, or of a batch of that
        name, that are not on paper yet never will be."""
        args = doing.order.args
        assert isinstance(args, CouponsRevokeArgs), "the table of commands says so"
        revoked = tuple(dict.fromkeys((*self.known.revoked, *args.coupons)))
        codes = tuple(dict.fromkeys((*self.known.codes, *args.codes)))
        if len(revoked) > COUPONS_MAX or len(codes) > CODES_MAX:
            raise OrderError("too many revoked; what has expired needs no revoking", reason="full")
        coupons = {name: coupon for name, coupon in self.known.coupons.items() if name not in revoked}
        changed = len(revoked) - len(self.known.revoked) + len(codes) - len(self.known.codes)
        await self._keep(Coupons(coupons=coupons, revoked=revoked, codes=codes))
        waited = await self._pools.stock.withdraw(self._store, args.coupons)
        in_force = self._is_used or not args.codes
        return self._ended(CouponsResult(count=len(coupons), changed=changed + waited, in_force=in_force), _NOBODY)

    async def settle(self, doing: Doing) -> Ended:
        """`coupons.settle`. Cut short in the middle, the cloud sends it again: what is written down stays."""
        args = doing.order.args
        assert isinstance(args, CouponsSettleArgs), "the table of commands says so"
        settlement = self._settlement() if self._settlement is not None else None
        if settlement is None:
            raise OrderError("the coupon desk is not open; see the box's log", reason="no_desk")
        found = await settlement.settle(args.verdicts)
        return Ended(JobPhase.SUCCEEDED, result=SettleResult(new=found.new, known=found.known, unknown=found.unknown))

    async def tally(self, doing: Doing) -> Ended:
        """`desk.tally`."""
        args = doing.order.args
        assert isinstance(args, TallyArgs), "the table of commands says so"
        shifts = self._shifts() if self._shifts is not None else None
        if shifts is None:
            raise OrderError("the coupon desk is not open; see the box's log", reason="no_desk")
        found = await (shifts.closed(args.shift) if args.shift else shifts.so_far())
        if found is None:
            raise OrderError(f"there is no shift {args.shift}", reason="no_such_shift")
        return Ended(JobPhase.SUCCEEDED, result=_sums(found))

    # -- the coupon desk (edgebox/desk)

    def title(self, coupon: str) -> str:
        """A coupon's words by its id; "" if there are none."""
        known = self.known.coupons.get(coupon)
        return known.title if known is not None else ""

    def is_revoked(self, name: str) -> bool:
        """A coupon, or the batch of that name, or a single code by its hash (docs/desk.md) was taken back."""
        return name in self.known.revoked or name in self.known.codes

    # -- inside

    def _opened(self, sealed: str, purpose: str) -> tuple[PoolCode, ...]:
        """The codes. OrderError `sealed`, `bad_sealed`: no word of them in either."""
        text = self._pools.seal.open(sealed, purpose, self._pools.box)
        try:
            given = msgspec.json.decode(text, type=_Gift)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise OrderError("what was sealed is no list of codes", reason="bad_sealed") from None
        return tuple(
            PoolCode(0, one.pool, one.code, one.url, one.title, one.value_minor, one.until, one.stock) for one in given
        )

    async def _keep(self, now: Coupons) -> None:
        if now != self.known:
            await self._store.put(FACT, msgspec.json.encode(now))
            self.known = now

    def _ended(self, result: CouponsResult, words: str) -> Ended:
        if result.in_force:
            return Ended(JobPhase.SUCCEEDED, result=result)
        return Ended(JobPhase.SUCCEEDED, NO_CONSUMER, words, result)


def _sums(found: Closed) -> TallyResult:
    shift, sums = found
    first, last = sums.slips
    return TallyResult(
        shift=shift.number, begun=shift.begun, ended=shift.ended, first=first, last=last, total=sums.total,
        by_cashier=dict(sums.by_cashier[:LISTED_MAX]), by_coupon=dict(sums.by_coupon[:LISTED_MAX]),
        by_batch=dict(sums.by_stock[:LISTED_MAX]), taken_back=sums.reversed[:LISTED_MAX],
        offline=sums.offline[:LISTED_MAX],
    )  # fmt: skip
