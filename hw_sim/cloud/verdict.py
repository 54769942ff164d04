"""What a shown claim is worth, when all that is known is on the table.

Owns: the rules. Pure: the token (its signature already proven), what the box itself has recorded, the shop's policy in;
a verdict out. Never: the database (points.py), or who holds the claim.

The rules, in order:

1. The box's own event for this very token (same URL) must be there. Not there: pending. If the box has recorded
   another amount for the same revision, the token contradicts it: refused, and an alarm, for somebody has its key.
2. The event must say the same as the token: amount and revision. Its receipt, once that is there too, must name this
   token; its amount may be another, for the shop's rules may let a part of it earn.
3. Void: not printed, or canceled afterwards. If the newest revision was granted and then canceled (a refund), the bill
   is gone, and with it the older revisions.
4. A bill settled again is worth what its newest revision says, never more, whichever slip is shown; and never more
   than the shown slip says. Two lines that print one bill at once give revisions 0 and 1 of one amount: all the same.
5. Weak ids, medium confidence, unknown tenders and what the box itself calls pending wait for a person where the shop
   wants that.
6. The slip promised "at least so many points": the box's own figure is the least, with whatever campaign it counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.loyalty.claims import Claim
from edgebox.model import Confidence
from edgebox.store.events import ClaimState

_HELD = frozenset({ClaimState.GRANTED, ClaimState.UNKNOWN, ClaimState.AGAIN, ClaimState.ON_PAPER})


class Doubt(StrEnum):
    """What a shop does with a claim that isn't beyond doubt."""

    CREDIT = "credit"
    REVIEW = "review"
    REFUSE = "refuse"


class Policy(NamedTuple):
    """The shop's choices."""

    weak: Doubt = Doubt.REVIEW
    medium: Doubt = Doubt.CREDIT
    tender_unknown: Doubt = Doubt.CREDIT
    pending: Doubt = Doubt.REVIEW  # what the shop's rules on the box call pending


class Outcome(StrEnum):
    """What becomes of a claim."""

    CREDIT = "credit"
    PENDING = "pending"  # the box's event has not come
    REVIEW = "review"  # a person decides
    VOID = "void"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"  # by policy


class Told(NamedTuple):
    """One claim event of a box, in the order of its journal. `points`: what the slip promised. `receipt_differs`: the
    receipt beside it is there and names another token; `receipt_pending`: it wants the cloud to confirm."""

    box: str
    url: str
    revision: int
    amount_minor: int
    state: ClaimState
    points: int = 0
    receipt_differs: bool = False
    receipt_pending: bool = False


class Verdict(NamedTuple):
    """`amount_minor`: what earns, and `least`: points for it at least, if the outcome is CREDIT or REVIEW. `reason`: a
    stable word."""

    outcome: Outcome
    amount_minor: int = 0
    reason: str = ""
    least: int = 0


def judge(url: str, claim: Claim, box: str, told: Sequence[Told], policy: Policy) -> Verdict:
    """The verdict on a genuine token of `box`. `told`: all events about this claim id, of all the store's boxes."""
    own = [event for event in told if event.box == box]
    about = [event for event in own if event.url == url]
    if not about:
        same = [event for event in own if event.revision == claim.revision]
        if any(event.amount_minor != claim.amount_minor for event in same):
            return Verdict(Outcome.CONTRADICTED, reason="amount")
        return Verdict(Outcome.PENDING, reason="not_uploaded")
    difference = _difference(claim, about)
    if difference:
        return Verdict(Outcome.CONTRADICTED, reason=difference)
    if about[-1].state is ClaimState.VOID:
        return Verdict(Outcome.VOID, reason=_why_void(about))
    newest = _newest(told)
    if _is_canceled(newest):
        return Verdict(Outcome.VOID, reason="canceled")
    amount = min(claim.amount_minor, *(event.amount_minor for event in newest))
    least = min(about[-1].points, *(event.points for event in newest))
    is_pending = any(event.receipt_pending for event in about)
    return _by_policy(claim, policy, is_pending)._replace(amount_minor=amount, least=least)


def _difference(claim: Claim, about: Sequence[Told]) -> str:
    """Where the box's words and the token differ; "" nowhere."""
    for event in about:
        if event.amount_minor != claim.amount_minor:
            return "amount"
        if event.revision != claim.revision:
            return "revision"
        if event.receipt_differs:
            return "receipt"
    return ""


def _newest(told: Sequence[Told]) -> list[Told]:
    """The events of the highest revision; several boxes may have settled the bill with the same number."""
    top = max(event.revision for event in told)
    return [event for event in told if event.revision == top]


def _is_canceled(events: Sequence[Told]) -> bool:
    """Some token was held by a customer, and was made void afterwards; and none is still good."""
    by_url: dict[str, list[Told]] = {}
    for event in events:
        by_url.setdefault(event.url, []).append(event)
    reasons = [_why_void(about) if about[-1].state is ClaimState.VOID else "" for about in by_url.values()]
    return "canceled" in reasons and "" not in reasons


def _why_void(about: Sequence[Told]) -> str:
    return "canceled" if any(event.state in _HELD for event in about) else "not_printed"


def _by_policy(claim: Claim, policy: Policy, is_pending: bool) -> Verdict:
    doubts = []
    if claim.weak_id:
        doubts.append((policy.weak, "weak_id"))
    elif claim.confidence is not Confidence.HIGH:
        doubts.append((policy.medium, "confidence"))
    if not claim.tender_known:
        doubts.append((policy.tender_unknown, "tender"))
    if is_pending and not claim.weak_id:  # a weak id is pending for being weak
        doubts.append((policy.pending, "unconfirmed"))
    for wanted, outcome in ((Doubt.REFUSE, Outcome.REFUSED), (Doubt.REVIEW, Outcome.REVIEW)):
        for doubt, reason in doubts:
            if doubt is wanted:
                return Verdict(outcome, reason=reason)
    return Verdict(Outcome.CREDIT)
