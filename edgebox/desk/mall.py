"""The points mall: what its goods cost now, and whether a price that somebody names is the one in force.

Owns: the price list at a moment. Never: redeems (counter.py, with the cloud, whose is the balance), or keeps a price:
the catalogue is the rules' (`[[mall]]`), and a rules bundle's revision only goes up.

A price holds to the minute before its window's end: at 17:00 a window to 17:00 is over. Without a clock that can be
trusted no window is open.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.desk.answers import Answer
from edgebox.desk.redemption import Worth
from edgebox.desk.signed import Coupon
from edgebox.loyalty.offers import CouponKind, MallItem
from edgebox.loyalty.rules import Rules
from edgebox.loyalty.windows import When

LATE_S = 60  # the cloud's clock and ours are not the same; a price of a minute ago is no mistake of anybody's
STOCK = "{sku}@{rev}"  # of a signed code (signed.py)


class Price(NamedTuple):
    """What a tier pays now. `is_window`: a time of special prices."""

    sku: str
    title: str
    points: int
    is_window: bool = False


def prices(rules: Rules, tier: str, when: When) -> list[Price]:
    """All that the tier can have, in the catalogue's order; "", or one that is no more: the lowest tier."""
    tier = rules.tier(tier).id
    found = [(item, _price(item, tier, rules, when)) for item in rules.mall]
    return [Price(item.sku, item.title, points, _is_window(item, rules, when)) for item, points in found if points]


def price_of(rules: Rules, sku: str, tier: str, when: When) -> int | None:
    """What the tier pays for one; None: it can't have it, or there is no such thing."""
    item = next((one for one in rules.mall if one.sku == sku), None)
    return _price(item, rules.tier(tier).id, rules, when) if item is not None else None


def priced(coupon: Coupon, rules: Rules, when: When) -> Answer | None:
    """What is wrong with the price that a signed code names, without the cloud; None: it is in force.

    The code doesn't say whose it is: any tier's price of this minute will do, the cloud that signed it knew the tier.
    """
    if coupon.kind is not CouponKind.MALL:
        return None
    sku, _, revision = coupon.stock.rpartition("@")
    if revision != str(rules.rev):
        return Answer.PRICE
    asked = {price_of(rules, sku, tier.id, when) for tier in rules.tiers}
    return None if coupon.value in asked else Answer.PRICE


def agrees(worth: Worth, rules: Rules, when: When) -> bool:
    """What the cloud took is what our catalogue says, as far as it knows the goods and the tier."""
    if not worth.tier or worth.tier not in {tier.id for tier in rules.tiers}:
        return True
    ours = {price_of(rules, worth.coupon, worth.tier, when._replace(at=when.at - ago)) for ago in (0, LATE_S)}
    return ours == {None} or worth.points in ours


def title_of(rules: Rules, sku: str) -> str:
    """What the goods are called; else their number."""
    return next((one.title for one in rules.mall if one.sku == sku), "") or sku


def _price(item: MallItem, tier: str, rules: Rules, when: When) -> int | None:
    return item.price(tier, when.local(rules.zone), when.trusted)


def _is_window(item: MallItem, rules: Rules, when: When) -> bool:
    return item.in_window is not None and when.trusted and item.when.covers(when.local(rules.zone))
