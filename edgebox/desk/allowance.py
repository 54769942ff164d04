"""How far the box may go without the cloud: which coupons, for how much, how long after it last heard from it.

Owns: that judgement. Never: counts (the store does, edgebox/store/redemptions.py), or checks a signature (signed.py).

Only the shop's own coupons, each signed and naming this shop and this box; a code that somebody else issued is never
redeemed alone, whatever the rules file says. Without a clock that can be trusted nothing is: neither the coupon's days
nor the time since the last sync are known.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.desk.answers import Answer
from edgebox.desk.signed import Coupon
from edgebox.loyalty.offers import CouponKind, OfflineRedeem, Proof


class Here(NamedTuple):
    """Where and when. `today`: days since 1970 in the shop; `now`: seconds since 1970; `trusted`: both are right."""

    store: int
    device: int
    now: int
    today: int
    trusted: bool


class Spell(NamedTuple):
    """What was redeemed alone since the cloud last answered, `synced_at` (0: it never did)."""

    synced_at: int
    done: int = 0
    total_minor: int = 0


def judge_terms(coupon: Coupon, here: Here, amount_minor: int | None) -> Answer | None:
    """What its own terms say against it; None: nothing. An amount that isn't known is the cashier's to look at."""
    if coupon.store != here.store:
        return Answer.WRONG_STORE
    if here.today < coupon.first_day:
        return Answer.NOT_STARTED
    if here.today > coupon.last_day:
        return Answer.EXPIRED
    is_bought = coupon.kind is not CouponKind.MALL  # what is paid with points needs no bill
    if is_bought and amount_minor is not None and amount_minor < coupon.threshold:
        return Answer.THRESHOLD
    return None


def judge_alone(
    coupon: Coupon, here: Here, amount_minor: int | None, rules: OfflineRedeem, spell: Spell
) -> Answer | None:
    """Why the box may not redeem it without the cloud; None: it may."""
    if not here.trusted or not _is_ours(coupon, here, rules):
        return Answer.OFFLINE
    refused = judge_terms(coupon, here, amount_minor)
    if refused is not None:
        return refused
    if not 0 <= here.now - spell.synced_at <= rules.max_age_s:
        return Answer.OFFLINE
    face = coupon.face_minor(amount_minor)
    if face is None or face > rules.max_face:
        return Answer.LIMIT
    if spell.done + 1 > rules.max_count or spell.total_minor + face > rules.max_total:
        return Answer.LIMIT
    return None


def _is_ours(coupon: Coupon, here: Here, rules: OfflineRedeem) -> bool:
    """The rules let boxes redeem such coupons, and this is the box that may. An allow-list isn't kept on the box: with
    `require = "allow_list"` nothing is redeemed alone."""
    if not rules.enabled or rules.require is not Proof.SIGNED_CODE or coupon.kind not in rules.kinds:
        return False
    return coupon.store != here.store or 0 != coupon.device == here.device  # 0: no box may, nor one without a number
