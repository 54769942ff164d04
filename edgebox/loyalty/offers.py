"""What a shop gives for points or for a code: coupons, the exchange list, and how far it may go offline.

Owns: their terms as the rules file says them, and the price in points that is in force. Never: redeems anything, or
knows a balance or stock; those are the cloud's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from edgebox.loyalty.windows import ALWAYS, Window


class CouponKind(StrEnum):
    """What a coupon is worth: `value` is minor units, percent, nothing, or the new price; of MALL, which no [[coupon]]
    is, points."""

    AMOUNT_OFF = "amount_off"
    PERCENT_OFF = "percent_off"
    GIFT = "gift"
    EXCHANGE = "exchange"
    FIXED_PRICE = "fixed_price"
    MALL = "mall"


class Proof(StrEnum):
    """What makes a coupon good while the cloud is away."""

    SIGNED_CODE = "signed_code"
    ALLOW_LIST = "allow_list"


class Coupon(NamedTuple):
    """`threshold`: the least spend. `stores`: ids, or `*`. `stack_with`: what it may be used together with."""

    id: str
    kind: CouponKind
    value: int = 0
    threshold: int = 0
    valid: Window = ALWAYS
    stores: tuple[str, ...] = ("*",)
    stack_with: tuple[str, ...] = ()
    per_member_day: int = 0

    def is_open(self, store: str, amount_minor: int, local: datetime) -> bool:
        """Whether this store, spend and time are within its terms."""
        here = "*" in self.stores or store in self.stores
        return here and amount_minor >= self.threshold and self.valid.covers(local)


class OfflineRedeem(NamedTuple):
    """How far the box may go by itself. Codes that others issued are always refused offline."""

    enabled: bool = False
    kinds: tuple[CouponKind, ...] = ()
    require: Proof = Proof.SIGNED_CODE
    max_face: int = 0
    max_count: int = 0
    max_total: int = 0
    max_age_s: int = 12 * 3600  # a working day: what was taken back yesterday must be known today


class MallItem(NamedTuple):
    """Something to be had for points; prices by tier. `in_window`: while `when` is open; `title`: as a slip says it."""

    sku: str
    price_points: Mapping[str, int]
    when: Window = ALWAYS
    in_window: Mapping[str, int] | None = None
    stock_source: str = "cloud"
    slip: str = ""
    title: str = ""

    def price(self, tier: str, local: datetime, trusted: bool) -> int | None:
        """Points that the tier pays now; None: this tier can't have it. Without a trusted clock: outside the window."""
        inside = self.in_window is not None and trusted and self.when.covers(local)
        prices = self.in_window if inside and self.in_window is not None else self.price_points
        return prices.get(tier, self.price_points.get(tier))
