"""A total that was misread, put right by a person: what may be done here, and what only the cloud may.

Owns: the rules (`judge`), and the events of a correction. Pure. Never: the store, or the memory of claims (reports.py).

Downward holds at once: nobody gains by it. Upward, and where no total was read at all, is a request: the cloud may
credit the difference, a box in a shop may not.

The customer may hold a slip that is signed with the larger amount. That token can't be taken back, so the claim is
settled anew: its next revision with the smaller amount goes into the journal with the correction. The cloud credits by
the newest revision, whichever slip is shown (docs/cloud.md), and takes back what it had credited too much. A reprint
gives the new token. A claim that would be worth nothing is made void, its revision with it. After the 15th revision
nothing can be settled anew: only the cloud can help.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from edgebox.errors import ClaimError, ReportError
from edgebox.loyalty import claims
from edgebox.loyalty.keyring import Keyring
from edgebox.model import DocumentKind
from edgebox.reports.whole import ClaimRow, Whole
from edgebox.store.events import (
    AuditRecord,
    ClaimRecord,
    ClaimState,
    CorrectionRecord,
    CorrectionState,
    Event,
    ReceiptRecord,
)

AMOUNT_MAX = 10**12  # as [points] has it
REASON_MAX = 200  # letters
WHAT = "receipt corrected"
_KINDS = (DocumentKind.SALE, DocumentKind.DELIVERY_PLATFORM, DocumentKind.REFUND, DocumentKind.VOID)


class Effect(StrEnum):
    """What comes of it."""

    LOWERED = "lowered"  # it holds; no claim was out
    SETTLED = "settled"  # it holds, and the claim is worth less
    VOIDED = "voided"  # it holds, and the claim is worth nothing
    REQUESTED = "requested"  # the cloud decides


class Corrected(NamedTuple):
    """`claim`: its new event, if it was settled anew or made void."""

    effect: Effect
    correction: CorrectionRecord
    claim: ClaimRecord | None = None

    def events(self) -> tuple[Event, ...]:
        """All that is recorded, together."""
        one = self.correction
        before = "" if one.was_minor is None else str(one.was_minor)
        audit = AuditRecord(
            at=one.at, who=one.who, what=f"{WHAT}: {self.effect.value}", target=f"{one.session}:{one.document}",
            before=before, after=str(one.amount_minor), reason=one.reason,
        )  # fmt: skip
        return (*([self.claim] if self.claim else []), one, audit)


class Known(NamedTuple):
    """What a correction needs besides the receipt. `revision`: the highest that is remembered of its claim, -1 none;
    `points`: at least so many for an amount."""

    keys: Keyring | None
    now: int
    revision: int
    points: Callable[[int], int]


def judge(whole: Whole, amount_minor: int, who: str, reason: str, known: Known) -> Corrected:
    """What comes of it. ReportError `amount`, `same`, `kind`, `revision`, `no_keys`, `reprint`."""
    record, was = whole.record, whole.amount_minor
    if record.kind not in _KINDS:
        raise ReportError(f"a {record.kind} has no total to correct", reason="kind")
    if not 0 < amount_minor <= AMOUNT_MAX:
        raise ReportError("an amount above zero", reason="amount")
    if record.claim and not whole.is_own:
        raise ReportError(
            "a copy of another receipt", reason="reprint", hint="correct the first print, or the last settlement"
        )
    if was is not None and abs(was) == amount_minor:
        raise ReportError("it has that total", reason="same")
    is_lower = was is not None and amount_minor < abs(was)
    state = CorrectionState.APPLIED if is_lower else CorrectionState.REQUESTED
    signed = -amount_minor if was is not None and was < 0 else amount_minor
    correction = CorrectionRecord(
        at=known.now, session=record.session, document=record.document, state=state, amount_minor=signed,
        was_minor=was, claim=record.claim, who=who, reason=reason[:REASON_MAX],
    )  # fmt: skip
    if not is_lower:
        return Corrected(Effect.REQUESTED, correction)
    assert was is not None, "a lower one was read"
    claim = whole.claim
    if claim is None or claim.state == ClaimState.VOID or record.kind not in _KINDS[:2]:
        return Corrected(Effect.LOWERED, correction)
    worth = claim_minor(claim.amount_minor, amount_minor, abs(was))
    if worth == claim.amount_minor:
        return Corrected(Effect.LOWERED, correction)
    settled = _settled(record, claim, worth, known)
    return Corrected(Effect.SETTLED if worth else Effect.VOIDED, correction, settled)


def claim_minor(claim_minor: int, amount_minor: int, was_minor: int) -> int:
    """What the claim is worth at the new total: the same share of it, rounded down, and never more than all of it."""
    return min(claim_minor * amount_minor // was_minor, amount_minor, claim_minor)


def _settled(record: ReceiptRecord, claim: ClaimRow, worth: int, known: Known) -> ClaimRecord:
    event = ClaimRecord(
        at=known.now, claim=claim.claim, url=claim.url, state=ClaimState.VOID, amount_minor=claim.amount_minor,
        currency=record.currency, decimals=record.decimals, points=0, revision=claim.revision, line=record.line,
        session=record.session, document=record.document,
    )  # fmt: skip
    if not worth:
        return event
    revision = max(claim.revision, known.revision) + 1
    url = _url(claim, worth, revision, known)
    points = min(known.points(worth), claim.points)
    granted = msgspec.structs.replace(event, url=url, state=ClaimState.GRANTED, amount_minor=worth, points=points)
    return msgspec.structs.replace(granted, revision=revision)


def _url(claim: ClaimRow, worth: int, revision: int, known: Known) -> str:
    """A token as the first one but for amount and revision: issued when that was, so that it is good no longer."""
    if known.keys is None:
        raise ReportError("the box has no claim keys now", reason="no_keys", hint="see Keys on the devices' page")
    before = claims.parse(claim.url).claim
    for at in (before.issued_minute * 60, known.now):
        try:
            return claims.mint(
                known.keys, before.claim_id, worth, at, revision=revision, confidence=before.confidence,
                weak_id=before.weak_id, tender_known=before.tender_known, clock_trusted=before.clock_trusted,
            )  # fmt: skip
        except ClaimError as fault:
            if fault.reason != "epoch":
                raise ReportError(str(fault), reason=fault.reason) from fault
    raise ReportError("no claim key for this time", reason="no_keys", hint="see Keys on the devices' page")
