"""How many points a sale is worth, at least, and why: the shop's rules, in integers.

Owns: the rules as types and `evaluate`. Never: reads a file (edgebox/rules_file.py does), a clock or a balance. The box
promises "at least N" on paper; the cloud, which knows the member, decides.

Three things hold for any rules, and tests hold the code to them. Nothing depends on the order in which rules are
written. Points are never negative. And spending more never earns less: a campaign's minimum that would lower the points
(because the campaign stops or excludes a better one) counts as not reached; only `max_spend` ends earning.
There is no float in here: floor(100 × 1.15 / 115) is 0 with floats and 1 in truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import NamedTuple

from edgebox.loyalty.campaigns import PLAIN_PCT, Boost, Campaign, combine, in_force, thresholds
from edgebox.loyalty.commit_card import CommitCard
from edgebox.loyalty.item_rules import ItemRule, line_weights, weigh
from edgebox.loyalty.offers import Coupon, MallItem, OfflineRedeem
from edgebox.loyalty.sales import Basis, Earning, Sale, earning
from edgebox.loyalty.windows import When
from edgebox.model import Confidence, DocumentKind, TenderKind, format_minor

HOUR_S = 3600


class Rounding(StrEnum):
    """Which way a part of a point goes."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEIL = "ceil"


class Unsure(StrEnum):
    """What happens to a sale that the box isn't sure of."""

    NO_QR = "no_qr"
    QR_PENDING = "qr_pending"  # a claim that the cloud must confirm
    EARN = "earn"  # only for unknown tenders: as if it were known


class Refusal(StrEnum):
    """Why a sale earns nothing; stable words for events. An amount that can't be known adds its own, as `no_tax`."""

    KIND = "kind"
    UNPROVEN = "unproven"  # the reader found no proof of payment, or something against it
    UNSURE = "unsure"
    TENDER = "tender"  # paid in a way that earns elsewhere
    UNKNOWN_TENDER = "unknown_tender"
    AMOUNT = "amount"  # must be known and isn't
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    NO_POINTS = "no_points"  # below one point
    DAY_CAP = "day_cap"


class Tier(NamedTuple):
    """`spend_per_point`: minor units for one point."""

    id: str
    spend_per_point: int


class Qualify(NamedTuple):
    """Which sales earn at all. `max_spend` 0: no limit."""

    kinds: frozenset[DocumentKind] = frozenset({DocumentKind.SALE})
    min_spend: int = 0
    max_spend: int = 0
    skip_tender: frozenset[TenderKind] = frozenset()
    unknown_tender: Unsure = Unsure.QR_PENDING
    low_confidence: Unsure = Unsure.NO_QR


class Caps(NamedTuple):
    """0: no cap. The day's is the box's own alarm; caps per member are the cloud's."""

    points_per_receipt: int = 0
    points_per_device_day: int = 0


class ClaimTerms(NamedTuple):
    """`ttl_s`: how long a claim is good; `ttl_by_trade`: where the trade wants another."""

    ttl_s: int = 72 * HOUR_S
    ttl_by_trade: tuple[tuple[str, int], ...] = ()
    reprint_again: bool = True
    url: str = ""
    mac: str = "hmac-sha256-96"

    def lifetime_s(self, trade: str) -> int:
        """How long a claim of a shop of this trade is good."""
        return dict(self.ttl_by_trade).get(trade, self.ttl_s)


class Rules(NamedTuple):
    """All rules of a shop. `rev` only goes up. Money in minor units of `currency`; windows by the clock of `zone`."""

    rev: int
    currency: str
    tiers: tuple[Tier, ...]
    zone: tzinfo = UTC
    basis: Basis = Basis()
    qualify: Qualify = Qualify()
    rounding: Rounding = Rounding.FLOOR
    by_line: bool = False
    campaigns: tuple[Campaign, ...] = ()
    item_rules: tuple[ItemRule, ...] = ()
    caps: Caps = Caps()
    claim: ClaimTerms = ClaimTerms()
    coupons: tuple[Coupon, ...] = ()
    offline_redeem: OfflineRedeem = OfflineRedeem()
    mall: tuple[MallItem, ...] = ()
    cards: tuple[CommitCard, ...] = ()

    def tier(self, tier: str) -> Tier:
        """The tier of that id; the lowest one for a member that isn't known, or a tier that no longer exists."""
        lowest = max(self.tiers, key=lambda one: (one.spend_per_point, one.id))
        return next((one for one in self.tiers if one.id == tier), lowest)


class Points(NamedTuple):
    """`points`: at least so many. `refusal`: why none; `steps`: how it came about, in words for a person.

    `pending`: the cloud must confirm. `earning_minor`: the amount that earns, for the claim. `applied`: ids of the
    campaigns that made a difference. `flagged`: a person should look at it.
    """

    points: int
    steps: tuple[str, ...]
    pending: bool = False
    applied: tuple[str, ...] = ()
    earning_minor: int | None = None
    tier: str = ""
    refusal: Refusal | None = None
    flagged: bool = False


def evaluate(rules: Rules, sale: Sale, when: When, tier: str = "", *, day_points: int = 0) -> Points:
    """What the sale is worth to a member of `tier` ("": nobody is known). `day_points`: promised today by this box."""
    earned = earning(sale, rules.basis)
    refusal = _refusal(rules.qualify, sale, earned)
    if refusal is not None:
        words = _refusal_words(refusal, rules, sale, earned)
        return Points(0, (words,), refusal=refusal, flagged=refusal is Refusal.MAXIMUM)
    amount = earned.amount_minor
    assert amount is not None, "an amount that isn't known is refused"
    rate = rules.tier(tier)
    worth = _worth(rules, sale, amount, rate, when)
    points, capped = _capped(worth.points, rules.caps, day_points)
    unsure = _unsure(rules.qualify, sale)
    steps = (*_amount_steps(rules, sale, earned, amount), *worth.steps, *capped, *unsure)
    if points == 0:
        refusal = Refusal.DAY_CAP if worth.points else Refusal.NO_POINTS
        return Points(0, steps, earning_minor=amount, tier=rate.id, refusal=refusal, flagged=bool(worth.points))
    over_day = bool(capped) and points < _cap(worth.points, rules.caps.points_per_receipt)
    pending = bool(unsure) or over_day
    return Points(points, steps, pending, worth.applied, amount, rate.id, flagged=over_day)


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """A fraction ≥ 0 as whole points."""
    if rounding is Rounding.FLOOR:
        return numerator // denominator
    if rounding is Rounding.CEIL:
        return -(-numerator // denominator)
    return (2 * numerator + denominator) // (2 * denominator)


# -- inside: who earns


def _refusal(qualify: Qualify, sale: Sale, earned: Earning) -> Refusal | None:
    amount = earned.amount_minor
    low = sale.confidence is Confidence.LOW
    checks = (
        (sale.kind not in qualify.kinds, Refusal.KIND),
        (any(tender.kind in qualify.skip_tender for tender in sale.tenders), Refusal.TENDER),
        (low and qualify.low_confidence is not Unsure.QR_PENDING, Refusal.UNSURE),
        (not low and not sale.qualifies, Refusal.UNPROVEN),
        (_has_unknown_tender(sale) and qualify.unknown_tender is Unsure.NO_QR, Refusal.UNKNOWN_TENDER),
        (amount is None, Refusal.AMOUNT),
        (amount is not None and amount < max(1, qualify.min_spend), Refusal.MINIMUM),
        (amount is not None and bool(qualify.max_spend) and amount > qualify.max_spend, Refusal.MAXIMUM),
    )
    return next((refusal for holds, refusal in checks if holds), None)


def _refusal_words(refusal: Refusal, rules: Rules, sale: Sale, earned: Earning) -> str:
    qualify = rules.qualify
    paid = next((tender.kind.value for tender in sale.tenders if tender.kind in qualify.skip_tender), "")
    money = _money(rules, sale, earned.amount_minor or 0)
    return {
        Refusal.KIND: f"a {sale.kind.value.replace('_', '-')} earns nothing",
        Refusal.TENDER: f"{paid} earns elsewhere",
        Refusal.UNSURE: "not sure of the total",
        Refusal.UNPROVEN: sale.why or "no proof of payment",
        Refusal.UNKNOWN_TENDER: "not known how it was paid",
        Refusal.AMOUNT: f"the amount that earns can't be known: {earned.why}",
        Refusal.MINIMUM: f"{money} is below the minimum of {_money(rules, sale, max(1, qualify.min_spend))}",
        Refusal.MAXIMUM: f"{money} is above the maximum of {_money(rules, sale, qualify.max_spend)}",
    }[refusal]


def _has_unknown_tender(sale: Sale) -> bool:
    return not sale.tenders or any(tender.kind is TenderKind.OTHER for tender in sale.tenders)


def _unsure(qualify: Qualify, sale: Sale) -> list[str]:
    """What the cloud must confirm."""
    words = []
    if sale.confidence is Confidence.LOW:
        words.append("pending: not sure of the total")
    if _has_unknown_tender(sale) and qualify.unknown_tender is Unsure.QR_PENDING:
        words.append("pending: not known how it was paid")
    return words


# -- inside: how much


class _Worth(NamedTuple):
    points: int
    steps: tuple[str, ...]
    applied: tuple[str, ...]


def _worth(rules: Rules, sale: Sale, amount: int, tier: Tier, when: When) -> _Worth:
    """The best of what the amount earns with each minimum spend that it reaches, counted as reached or not."""
    open_now = in_force(rules.campaigns, when.local(rules.zone), when.trusted)
    boosts = [combine(open_now, threshold) for threshold in thresholds(open_now, amount)]
    weights, words = _weights(rules, sale, amount)
    each = [_points(rules, weights, tier, boost) for boost in boosts]
    best = max(range(len(each)), key=lambda place: (each[place], place))
    boost = boosts[best]
    steps = [*words, f"{_money(rules, sale, tier.spend_per_point)} a point ({tier.id})"]
    if boost.applied:
        factor = f"{PLAIN_PCT * boost.numerator // boost.denominator} %"
        bonus = f", {boost.bonus} on top" if boost.bonus else ""
        steps.append(f"campaigns {', '.join(boost.applied)}: {factor}{bonus}")
    if not when.trusted and any(not campaign.when.is_always for campaign in rules.campaigns):
        steps.append("the clock is not sure: campaigns with hours or dates don't count")
    return _Worth(each[best], (*steps, f"{each[best]} points"), boost.applied)


def _weights(rules: Rules, sale: Sale, amount: int) -> tuple[Sequence[int], list[str]]:
    """What is rounded to points, each by itself, in hundredths of a minor unit; and words about it."""
    if rules.by_line:
        lines = line_weights(amount, sale.items, rules.item_rules)
        if lines is not None:
            return lines, [f"rounded line by line: {len(lines)} items"]
    weighed = weigh(amount, sale.items, rules.item_rules)
    words = [f"{_money(rules, sale, weighed.excluded_minor)} of it earns nothing"] if weighed.excluded_minor else []
    if weighed.weighted:
        words.append(f"some items earn at their own rate: as {_money(rules, sale, weighed.weight // PLAIN_PCT)}")
    return [weighed.weight], words


def _points(rules: Rules, weights: Sequence[int], tier: Tier, boost: Boost) -> int:
    """weight is in hundredths, so the divisor has a hundred in it."""
    divisor = PLAIN_PCT * boost.denominator * tier.spend_per_point
    return sum(divide(weight * boost.numerator, divisor, rules.rounding) for weight in weights) + boost.bonus


def _capped(points: int, caps: Caps, day_points: int) -> tuple[int, list[str]]:
    words = []
    kept = _cap(points, caps.points_per_receipt)
    if kept < points:
        words.append(f"capped at {kept} points a receipt")
    if caps.points_per_device_day and kept + day_points > caps.points_per_device_day:
        kept = max(0, caps.points_per_device_day - day_points)
        words.append(f"this box has promised {day_points} of {caps.points_per_device_day} points today: {kept} left")
    return kept, words


def _cap(points: int, cap: int) -> int:
    return min(points, cap) if cap else points


def _amount_steps(rules: Rules, sale: Sale, earned: Earning, amount: int) -> list[str]:
    steps = [f"{rules.basis.amount.value} earns: {_money(rules, sale, amount)}"]
    return steps + [f"without {_money(rules, sale, minor)} {part}" for part, minor in earned.taken]


def _money(rules: Rules, sale: Sale, minor: int) -> str:
    return f"{format_minor(minor, sale.decimals)} {rules.currency}"
