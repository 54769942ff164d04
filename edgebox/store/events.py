"""What is recorded: one frozen type for each thing that happens, and the stream it belongs to.

Owns: the names and fields of all that the box writes down and sends. Never: raw print bytes, names, phones, card
numbers, payment codes, a customer's words or a device's address: what is not in these types can't reach the disk.

The JSON of an event (msgspec, `type` first) is at once the journal's row and what the cloud gets; a consumer must
accept fields that it does not know. Times: `at` is seconds since 1970 by the box's clock; whether that clock was right
stands on the journal row. Amounts are minor units. Hashes and ids are lower-case hex.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec


class Stream(StrEnum):
    """What the cloud consumes separately. In order of importance: the first are sent first, kept longest."""

    RECEIPTS = "receipts"
    CLAIMS = "claims"
    REDEMPTIONS = "redemptions"
    JOBS = "jobs"
    AUDIT = "audit"
    SCANS = "scans"
    HEALTH = "health"
    VISITS = "visits"

    __hash__ = str.__hash__  # as it is equal to its text; and Enum's own is a Python function, ten times slower


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What all have in common. `at`: seconds since 1970 when it happened."""

    at: int


class ShiftRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A till's own report, as edgebox.model.ShiftReport."""

    receipts: int | None = None
    sum_minor: int | None = None
    refunds: int | None = None
    refund_minor: int | None = None
    tenders: tuple[tuple[str, int | None], ...] = ()
    since: str = ""
    until: str = ""


class ReceiptRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="receipt"):
    """One document as it was read, and what came of it.

    `session` (hex) and `document` name it for ever. `at`: when it ended. `claim` and `url`: the claim that was minted;
    `voided`: its slip was not printed, so the claim is void. `result`: frames.Result's name. `transaction` and
    `member`: keyed hashes. `z_check`: what came of comparing a report with the receipts seen. `slips`: by name, what
    was printed with it; `shadowed`: what would have been; `slip_mm`: the paper that slips took, `slips_mm`: each of
    them. `attached`: whom the paper does not name, and how they were known (`member scan`, `member tag`, `cashier
    tag`). `why`: it has no claim; `pending`: the cloud must confirm the points; `flagged`: a person should look at it.
    `cards`: how many steps of which commit-and-save cards it is for its member.
    """

    session: str
    document: int
    line: str
    kind: str
    modifiers: tuple[str, ...] = ()
    qualifies: bool = False
    amount_minor: int | None = None
    currency: str = ""
    decimals: int = 2
    confidence: str = "low"
    reasons: tuple[str, ...] = ()
    number: str = ""
    till: str = ""
    printed_date: str = ""
    printed_time: str = ""
    tenders: tuple[tuple[str, int | None], ...] = ()
    claim: str = ""
    url: str = ""
    points: int = 0
    revision: int = 0
    voided: bool = False
    result: str = ""
    result_reason: str = ""
    hold_us: int = 0
    replayed: bool = False
    cashier: str = ""
    table: str = ""
    transaction: str = ""
    member: str = ""
    fiscal: str = ""
    layout: str = ""
    profile: str = ""
    report: ShiftRecord | None = None
    z_check: str = ""
    z_equal: bool = False
    slips: tuple[str, ...] = ()
    shadowed: tuple[str, ...] = ()
    slip_mm: int = 0
    slips_mm: tuple[int, ...] = ()
    why: str = ""
    campaigns: tuple[str, ...] = ()
    pending: bool = False
    flagged: bool = False
    attached: tuple[str, ...] = ()
    cards: tuple[tuple[str, int], ...] = ()


class ClaimState(StrEnum):
    """What became of a claim's slip."""

    GRANTED = "granted"  # its bytes went to the printer
    UNKNOWN = "unknown"  # the line died before it could say: it may be on paper
    VOID = "void"  # late, refused or not printed: nobody can hold it
    AGAIN = "again"  # the stored token was printed once more
    ON_PAPER = "on_paper"  # the printer confirmed it


class ClaimRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="claim"):
    """A claim and what became of it; recorded in one transaction with its receipt, where there is one.

    The cloud credits a claim only if this event agrees with the token that the customer shows.
    """

    claim: str
    url: str
    state: ClaimState
    amount_minor: int
    currency: str = ""
    decimals: int = 2
    points: int = 0
    revision: int = 0
    line: str = ""
    session: str = ""
    document: int = 0


class RedemptionState(StrEnum):
    """What a redemption record says."""

    REDEEMED = "redeemed"  # used; the slip is printed after this is on disk
    REFUSED = "refused"  # `reason` says why
    UNDECIDED = "undecided"  # nobody could say: the question to the cloud stays open under its id
    REVERSED = "reversed"  # what `request` had redeemed may be used again; `reason` is the cashier's
    CONFIRMED = "confirmed"  # the cloud agrees with what was redeemed without it
    CONFLICT = "conflict"  # it doesn't: somebody was earlier. The customer has had it; a person looks at it
    WITHDRAWN = "withdrawn"  # the question `request` is asked no more: if the cloud used the code for it, it is free


class RedemptionRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="redemption"):
    """A coupon's one-time use, or why there was none. `code`: keyed hash; `request`: the unchanged request id.

    `number`: the slip's, without a gap on this box, 0: there is no slip; `shift`: of this box. `source`: who said yes
    (comeback, signed, cloud), or what it was if it was no coupon (mall, pick_up); `channel`: who issued it, "" the shop
    itself; `ref`: a comeback or signed coupon's serial. `line`, `session`: who was to print the slip. Of confirmed and
    conflict: `settles`: the number of the slip that the cloud's word is about; `other`, `other_at`: where and when the
    code was used before.
    """

    request: str
    code: str
    state: RedemptionState
    reason: str = ""
    source: str = ""
    channel: str = ""
    coupon: str = ""
    stock: str = ""
    value_minor: int = 0
    points: int = 0
    number: int = 0
    shift: int = 0
    cashier: str = ""
    line: str = ""
    session: str = ""
    ref: int = 0
    offline: bool = False
    settles: int = 0
    other: str = ""
    other_at: int = 0


class CardStep(StrEnum):
    """Which way a commit-and-save card moves (先享卡, add-user-records)."""

    INCREASE = "INCREASE"
    DECREASE = "DECREASE"


class CardRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="card"):
    """A step of a member's commit-and-save card. `serial`: of this step, at most 32 letters, never given out twice.

    `card`: id of the rule; `member`: keyed hash; `bill`: whose step it is, a hash; `undoes`: the serial that a DECREASE
    takes back, "": it can't be known which. `session`, `document`: the receipt.
    """

    serial: str
    card: str
    member: str
    step: CardStep
    count: int = 1
    amount_minor: int = 0
    bill: str = ""
    undoes: str = ""
    session: str = ""
    document: int = 0


class OfferState(StrEnum):
    """What became of a code that was handed out on a slip."""

    PRINTED = "printed"
    UNKNOWN = "unknown"  # the line died before it could say: it may be on paper
    BURNT = "burnt"  # reserved and not printed: it is never used again


class OfferRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="offer"):
    """A coupon, parametric code or comeback coupon that went with a receipt.

    `purpose`: coupon, source or comeback; `ref`: the code's row in its pool, or the comeback coupon's serial; `code`:
    keyed hash. `last_day` in days since 1970, in the shop.
    """

    slip: str
    purpose: str
    state: OfferState
    ref: int
    code: str = ""
    pool: str = ""
    stock: str = ""
    value_minor: int = 0
    threshold_minor: int = 0
    last_day: int = 0
    line: str = ""
    session: str = ""
    document: int = 0


class ScanRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="scan"):
    """One code of ours read by a scanner. `code`: keyed hash; codes that are not ours are not recorded."""

    scanner: str
    kind: str
    code: str = ""


class VisitRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="visit"):
    """A presence. `at`: its start; `until`: its end, 0 while it lasts. Known by tag, start and zone.

    `tag`: a listed tag's name, of a member's the beginning of their keyed hash. `why` it ended: left, lost (not heard
    any more), dropped (no longer listed), stopped, restart (the box did not see the end).
    """

    tag: str
    until: int = 0
    zone: str = ""
    role: str = ""
    nearest_cm: int = 0
    why: str = ""


class SightingRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="sighting"):
    """One advertisement of a listed beacon. Written in groups; the first thing given up when the disk is short."""

    tag: str
    rssi_dbm: int
    distance_cm: int = 0


class HealthRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="health"):
    """A part's state has changed. `state`: ok, warning or failed."""

    part: str
    state: str
    words: str = ""
    value: float = 0.0


class AuditRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="audit"):
    """Who changed what. Never holds a secret: values of secret settings are left out by who records it."""

    who: str
    what: str
    target: str = ""
    before: str = ""
    after: str = ""
    reason: str = ""


class CorrectionState(StrEnum):
    """What becomes of a correction."""

    APPLIED = "applied"  # smaller, or there was no amount: it holds from now on
    REQUESTED = "requested"  # larger than what was read: for the cloud to decide


class CorrectionRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="correction"):
    """The total of a receipt as a person reads it on its paper. `session`, `document`: the receipt's.

    Where a claim was out and the amount is smaller, a claim's event with the next revision and the smaller amount
    stands in the same transaction: that is what the cloud credits by, whichever slip is shown.
    """

    session: str
    document: int
    state: CorrectionState
    amount_minor: int
    was_minor: int | None = None
    claim: str = ""
    who: str = ""
    reason: str = ""


class JobRecord(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="job"):
    """A step of a command or print job. `args`: the command's arguments as JSON, without secrets."""

    job: str
    command: str
    state: str
    progress: float = 0.0
    reason: str = ""
    by: str = ""
    expires: int = 0
    args: str = ""
    result: str = ""


Event: TypeAlias = (
    ReceiptRecord
    | ClaimRecord
    | RedemptionRecord
    | OfferRecord
    | CardRecord
    | ScanRecord
    | VisitRecord
    | SightingRecord
    | HealthRecord
    | AuditRecord
    | CorrectionRecord
    | JobRecord
)

STREAM_OF: dict[type[Event], Stream] = {
    ReceiptRecord: Stream.RECEIPTS,
    ClaimRecord: Stream.CLAIMS,
    RedemptionRecord: Stream.REDEMPTIONS,
    OfferRecord: Stream.REDEMPTIONS,
    CardRecord: Stream.REDEMPTIONS,
    ScanRecord: Stream.SCANS,
    VisitRecord: Stream.VISITS,
    SightingRecord: Stream.VISITS,
    HealthRecord: Stream.HEALTH,
    AuditRecord: Stream.AUDIT,
    CorrectionRecord: Stream.AUDIT,
    JobRecord: Stream.JOBS,
}
