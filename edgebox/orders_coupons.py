"""The coupons that the fleet gave this box, and the codes it took back: `coupons.add`, `coupons.revoke`.

Owns: the fact `coupons`, and that what was revoked stays so. Never: redeems one (a later part asks this one).
"""

from __future__ import annotations

import msgspec

from edgebox.errors import OrderError
from sync.contract import JobPhase
from sync.contract_commands import CountResult, CouponsAddArgs, CouponsRevokeArgs
from sync.contract_content import CouponSpec
from sync.jobs import Doing, Ledger
from sync.steps import Ended

FACT = "coupons"
COUPONS_MAX = 2000  # 300 bytes each; a fact may have 1 MB
CODES_MAX = 5000  # revoked codes: 66 bytes each at the most
NO_CONSUMER = "no_consumer_yet"


class Coupons(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By id; `revoked`: ids that never come back; `codes`: single codes, as keyed hashes, oldest first."""

    coupons: dict[str, CouponSpec] = {}
    revoked: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class CouponDesk:
    """`is_used`: some part of this box redeems them."""

    def __init__(self, ledger: Ledger, *, is_used: bool = False) -> None:
        self.known = Coupons()
        self._ledger = ledger
        self._is_used = is_used

    async def open(self) -> None:
        """Reads what there is. StoreError."""
        raw = await self._ledger.get(FACT)
        self.known = msgspec.json.decode(raw, type=Coupons) if raw else Coupons()

    async def add(self, doing: Doing) -> Ended:
        """`coupons.add`."""
        args = doing.order.args
        assert isinstance(args, CouponsAddArgs), "the table of commands says so"
        gone = {coupon.id for coupon in args.coupons} & set(self.known.revoked)
        if gone:
            raise OrderError(f"{min(gone)} was revoked; a new coupon has a new id", reason="revoked")
        coupons = {**self.known.coupons, **{coupon.id: coupon for coupon in args.coupons}}
        if len(coupons) > COUPONS_MAX:
            raise OrderError(f"{len(coupons)} coupons, at most {COUPONS_MAX}", reason="full")
        return await self._keep(msgspec.structs.replace(self.known, coupons=coupons), len(args.coupons))

    async def revoke(self, doing: Doing) -> Ended:
        """`coupons.revoke`: also of coupons and codes that are not here yet."""
        args = doing.order.args
        assert isinstance(args, CouponsRevokeArgs), "the table of commands says so"
        revoked = tuple(dict.fromkeys((*self.known.revoked, *args.coupons)))
        codes = tuple(dict.fromkeys((*self.known.codes, *args.codes)))
        if len(revoked) > COUPONS_MAX or len(codes) > CODES_MAX:
            raise OrderError("too many revoked; what has expired needs no revoking", reason="full")
        coupons = {name: coupon for name, coupon in self.known.coupons.items() if name not in revoked}
        changed = len(revoked) - len(self.known.revoked) + len(codes) - len(self.known.codes)
        return await self._keep(Coupons(coupons=coupons, revoked=revoked, codes=codes), changed)

    async def _keep(self, now: Coupons, changed: int) -> Ended:
        await self._ledger.put(FACT, msgspec.json.encode(now))
        self.known = now
        result = CountResult(count=len(now.coupons), changed=changed, in_force=self._is_used)
        if self._is_used:
            return Ended(JobPhase.SUCCEEDED, result=result)
        return Ended(JobPhase.SUCCEEDED, NO_CONSUMER, "they are kept; no part of this box redeems yet", result)
