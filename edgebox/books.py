"""What is written down about a document: its receipt, and what became of its claim.

Owns: the fields of both records, the state of a claim by the outcome of its slip, and the line about them in the log.
Never: text of the paper, sockets or the disk.
"""

from __future__ import annotations

import msgspec

from edgebox.awards import Award, Awards, Granted
from edgebox.errors import ClaimError
from edgebox.handout import Handed, Taken
from edgebox.line.frames import Outcome, Result
from edgebox.line_desk import Pending, Settled
from edgebox.lines import UNKNOWN, LineSession, result_name
from edgebox.loyalty import claims
from edgebox.model import format_minor
from edgebox.slips.facts import Money
from edgebox.store.events import ClaimRecord, ClaimState, OfferRecord, OfferState, ReceiptRecord
from edgebox.tills import shift_record


def settled(line: LineSession, pending: Pending, outcome: Outcome, awards: Awards) -> Settled:
    """Both records. A claim whose slip went out is known to `awards` from here on, so that a copy prints it again."""
    receipt, award = _receipt(line, pending, outcome), pending.decided.award
    offers = _offers(receipt, pending.decided.handed, outcome.result)
    if not receipt.claim:
        return Settled(receipt, None, award, offers)
    was_printed = award.again or awards.is_printed(bytes.fromhex(receipt.claim), receipt.url)
    voided = receipt.voided and not was_printed  # that a copy was not printed voids nothing
    amount_minor = claims.parse(receipt.url).claim.amount_minor  # a reprint's own amount may be another
    points = award.points if award.url else awards.points(amount_minor)  # another run answered: at least so many
    receipt = msgspec.structs.replace(receipt, voided=voided, points=points)
    granted = Granted(receipt.url, amount_minor, receipt.revision, printed=not voided, points=points)
    awards.remember(bytes.fromhex(receipt.claim), granted)
    state = _state(outcome.result, was_printed)
    return Settled(receipt, _claim(receipt, amount_minor, state) if state else None, award, offers)


def remember(awards: Awards, claim: ClaimRecord) -> None:
    """A claim of the past, as the awards want it."""
    printed = claim.state is not ClaimState.VOID
    granted = Granted(claim.url, claim.amount_minor, claim.revision, printed=printed, points=claim.points)
    awards.remember(bytes.fromhex(claim.claim), granted)


def _offers(receipt: ReceiptRecord, handed: Handed, result: int) -> tuple[OfferRecord, ...]:
    """What became of the codes. One on a slip of its own may or may not come out of the printer: it is used up."""
    state = OfferState.BURNT
    if result in (Result.INSERTED, UNKNOWN):
        state = OfferState.PRINTED if result == Result.INSERTED else OfferState.UNKNOWN
    return tuple(
        _offer(receipt, taken, OfferState.UNKNOWN if taken.slip in handed.own.names else state)
        for taken in handed.taken
    )


def _offer(receipt: ReceiptRecord, taken: Taken, state: OfferState) -> OfferRecord:
    value = taken.values.get("value")
    return OfferRecord(
        at=receipt.at,
        slip=taken.slip,
        purpose=taken.purpose.value,
        state=state,
        ref=taken.ref,
        pool=taken.pool,
        stock=taken.stock,
        value_minor=value.minor if isinstance(value, Money) else 0,
        threshold_minor=taken.terms.threshold_minor if taken.terms else 0,
        last_day=taken.terms.last_day if taken.terms else 0,
        line=receipt.line,
        session=receipt.session,
        document=receipt.document,
    )


def _state(result: int, was_printed: bool) -> ClaimState | None:
    """What the outcome makes of the claim; None: a copy that may not be on paper changes nothing."""
    if result == Result.INSERTED:
        return ClaimState.AGAIN if was_printed else ClaimState.GRANTED
    if was_printed:
        return None
    return ClaimState.UNKNOWN if result == UNKNOWN else ClaimState.VOID


def _claim(receipt: ReceiptRecord, amount_minor: int, state: ClaimState) -> ClaimRecord:
    return ClaimRecord(
        at=receipt.at,
        claim=receipt.claim,
        url=receipt.url,
        state=state,
        amount_minor=amount_minor,
        currency=receipt.currency,
        decimals=receipt.decimals,
        points=receipt.points,
        revision=receipt.revision,
        line=receipt.line,
        session=receipt.session,
        document=receipt.document,
    )


def _receipt(line: LineSession, pending: Pending, outcome: Outcome) -> ReceiptRecord:
    """The fields of the reading and what came of it; no text of the paper."""
    receipt, award, end = pending.decided.receipt, pending.decided.award, pending.end
    handed, inserted = pending.decided.handed, outcome.result == Result.INSERTED
    url, claim, revision = award.url, award.claim_id, award.revision
    if end.replay:  # another run of the engine answered: what it printed is in the ref
        url, claim, revision = _from_ref(outcome.ref or end.ref)
    return ReceiptRecord(
        session=line.session,
        document=outcome.document,
        line=line.name,
        at=pending.at,
        kind=receipt.kind.value,
        modifiers=tuple(modifier.value for modifier in receipt.modifiers),
        qualifies=receipt.qualifies,
        amount_minor=receipt.amount_minor,
        currency=receipt.currency,
        decimals=receipt.decimals,
        confidence=receipt.confidence.value,
        reasons=receipt.reasons,
        number=receipt.number,
        till=receipt.till,
        printed_date=receipt.printed_date,
        printed_time=receipt.printed_time,
        tenders=tuple((tender.kind.value, tender.amount_minor) for tender in receipt.tenders),
        claim=claim.hex(),
        url=url,
        points=award.points,
        revision=revision,
        voided=bool(url) and outcome.result not in (Result.INSERTED, UNKNOWN) and not award.again,
        result=result_name(outcome.result),
        result_reason=outcome.reason,
        hold_us=outcome.hold_us,
        replayed=end.replay,
        cashier=receipt.details.cashier,
        table=receipt.details.table,
        transaction=receipt.details.transaction,
        member=receipt.details.member,
        attached=receipt.details.attached,
        fiscal=receipt.details.fiscal,
        layout=receipt.details.layout,
        profile=receipt.details.profile,
        report=shift_record(receipt.details.report),
        slips=(*(handed.strip.names if inserted else ()), *handed.own.names),
        shadowed=handed.shadowed,
        slips_mm=_heights(handed, inserted=inserted),
        slip_mm=round((handed.strip.body.height_mm if inserted else 0) + handed.own.body.height_mm),
        why="" if url else award.why,
        campaigns=award.campaigns,
        pending=award.pending,
        flagged=award.flagged,
    )


def _heights(handed: Handed, *, inserted: bool) -> tuple[int, ...]:
    """Of each slip that was printed."""
    return tuple(round(mm) for mm in (*(handed.strip.heights_mm if inserted else ()), *handed.own.heights_mm))


def _from_ref(ref: bytes) -> tuple[str, bytes, int]:
    """URL, claim id and revision of what an earlier run of the engine had answered."""
    url = ref.decode("ascii", "replace")
    try:
        claim = claims.parse(url).claim
    except ClaimError:
        return "", b"", 0
    return url, claim.claim_id, claim.revision


def describe(record: ReceiptRecord, award: Award) -> str:
    """One line for a person: `line1: sale 33.90 CNY, 33 points, slip printed, held 0.4 ms (why)`."""
    amount = ""
    if record.amount_minor is not None:
        amount = f" {format_minor(record.amount_minor, record.decimals)} {record.currency}"
    if record.result == "inserted":
        outcome = f"{record.points} points, slip " + ("printed again" if award.again else "printed")
    elif record.url:
        outcome = f"slip {record.result}, claim void"
    else:
        outcome = "no slip"
    why = record.reasons[0] if record.url and record.reasons else award.why or record.result_reason
    modifiers = "".join(f" {modifier}" for modifier in record.modifiers)
    held = f", held {record.hold_us / 1000:.2f} ms" if record.hold_us else ""
    return f"{record.line}: {record.kind}{modifiers}{amount}, {outcome}{held}" + (f" ({why})" if why else "")
