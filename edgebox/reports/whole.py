"""One receipt with all that hangs on it: its record, claim, codes handed out with it, corrections.

Owns: `Whole` and the question. Never: the paper (paper_view.py), or words for people.

The codes of a receipt stand in the journal's redemptions, written in the receipt's own transaction, so at its time by
the box's clock: rows around that time are looked at. After a jump of the clock they may not be found; then none are
shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from edgebox.errors import ReportError
from edgebox.model import Modifier
from edgebox.store.events import CorrectionRecord, CorrectionState, OfferRecord, ReceiptRecord, Stream
from edgebox.store.places import EPOCH_MAX, span, unpack
from edgebox.store.rebuild import believed

NEAR_ROWS = 64  # of redemptions, around the receipt's time: one receipt has few, and few tills print in one moment
_CLAIM = """SELECT claim, state, url, amount_minor, points, revision, at, line, session, document
    FROM claims WHERE claim = ?"""
_JOURNAL = "SELECT place, boot, mono_ms, at_ms, trusted, crc, body FROM journal WHERE place = ?"
_offer = msgspec.json.Decoder(OfferRecord).decode
_receipt = msgspec.json.Decoder(ReceiptRecord).decode


class ClaimRow(NamedTuple):
    """The newest state of a claim's highest revision, as in ClaimRecord."""

    claim: str
    state: str
    url: str
    amount_minor: int
    points: int
    revision: int
    at: int
    line: str
    session: str
    document: int


class Offered(NamedTuple):
    """A code that went with the receipt. `used_at`: a comeback coupon was brought back then; 0: not, or not known."""

    slip: str
    purpose: str
    state: str
    value_minor: int
    pool: str
    stock: str
    last_day: int
    used_at: int


class Whole(NamedTuple):
    """`is_own`: the claim is this document's, which is no copy of another and was not settled anew by another.
    `corrections`: newest first. `has_paper`: it can be drawn."""

    place: int
    record: ReceiptRecord
    claim: ClaimRow | None
    is_own: bool
    offers: tuple[Offered, ...]
    corrections: tuple[CorrectionRecord, ...]
    has_paper: bool

    @property
    def amount_minor(self) -> int | None:
        """The amount that counts: as corrected, else as read."""
        held = (one.amount_minor for one in self.corrections if one.state is CorrectionState.APPLIED)
        return next(held, self.record.amount_minor)


def find(db: sqlite3.Connection, session: str, document: int) -> Whole:
    """The receipt. ReportError `no_receipt`."""
    asked = "SELECT place FROM receipts WHERE session = ? AND document = ?"
    row = db.execute(asked, (session, document)).fetchone()
    record = record_at(db, row[0]) if row else None
    if row is None or record is None:
        raise ReportError("no such receipt", reason="no_receipt", hint="it may be older than the box keeps them")
    claim = claim_of(db, record.claim) if record.claim else None
    has_paper = db.execute("SELECT 1 FROM receipt_papers WHERE place = ?", (row[0],)).fetchone() is not None
    is_own = claim is not None and not _is_copy(record.modifiers) and not _is_settled_anew(db, claim, record)
    offers = tuple(_offers(db, row[0], record))
    return Whole(row[0], record, claim, is_own, offers, corrections(db, session, document), has_paper)


def _is_copy(modifiers: Collection[str]) -> bool:
    return any(modifier in (Modifier.REPRINT, Modifier.COPY) for modifier in modifiers)


def _is_settled_anew(db: sqlite3.Connection, claim: ClaimRow, record: ReceiptRecord) -> bool:
    """Another document, no copy, gave the claim a higher revision than this one."""
    asked = "SELECT modifiers, revision FROM receipts WHERE session = ? AND document = ?"
    row = db.execute(asked, (claim.session, claim.document)).fetchone()
    is_other = (claim.session, claim.document) != (record.session, record.document)
    return is_other and row is not None and not _is_copy(row[0].split()) and row[1] > record.revision


def record_at(db: sqlite3.Connection, place: int) -> ReceiptRecord | None:
    """A receipt's record by its place; made again from the page's tables if the card has turned its bits."""
    row = db.execute(_JOURNAL, (place,)).fetchone()
    body = believed(db, row) if row else b""
    try:
        return _receipt(body) if body else None
    except msgspec.MsgspecError:  # written by a newer version
        return None


def claim_of(db: sqlite3.Connection, claim: str) -> ClaimRow | None:
    """A claim by its id."""
    row = db.execute(_CLAIM, (claim,)).fetchone()
    return ClaimRow(*row) if row else None


def corrections(db: sqlite3.Connection, session: str, document: int) -> tuple[CorrectionRecord, ...]:
    """Of one receipt, newest first."""
    asked = """SELECT at, state, was_minor, amount_minor, claim, who, reason FROM corrections
        WHERE session = ? AND document = ? ORDER BY place DESC"""
    return tuple(
        CorrectionRecord(
            at=at, session=session, document=document, state=CorrectionState(state), was_minor=was,
            amount_minor=minor, claim=claim, who=who, reason=reason,
        )
        for at, state, was, minor, claim, who, reason in db.execute(asked, (session, document))
    )  # fmt: skip


def _offers(db: sqlite3.Connection, place: int, record: ReceiptRecord) -> list[Offered]:
    if not record.slips:
        return []
    written = db.execute("SELECT at_ms FROM journal WHERE place = ?", (place,)).fetchone()
    if written is None:
        return []
    ordinal = unpack(place)[1]
    low, high = span(Stream.REDEMPTIONS, min(ordinal, EPOCH_MAX))
    middle = _place_at(db, low, high, written[0])
    asked = "SELECT body FROM journal WHERE place > ? AND place <= ? AND place BETWEEN ? AND ?"
    bodies = db.execute(asked, (low, high, middle - NEAR_ROWS, middle + NEAR_ROWS)).fetchall()
    found = [offer for (body,) in bodies if (offer := _offer_of(body, record)) is not None]
    return [_offered(db, offer) for offer in found]


def _place_at(db: sqlite3.Connection, low: int, high: int, at_ms: int) -> int:
    """The first row of those places that was written at that time or later, as far as clocks go forward."""
    last = db.execute("SELECT max(place) FROM journal WHERE place BETWEEN ? AND ?", (low, high)).fetchone()[0] or low
    while low < last:
        middle = (low + last) // 2
        row = db.execute(
            "SELECT place, at_ms FROM journal WHERE place > ? AND place <= ? ORDER BY place LIMIT 1", (middle, high)
        ).fetchone()
        if row is None or row[1] >= at_ms:
            last = middle
        else:
            low = row[0]
    return low


def _offer_of(body: bytes, record: ReceiptRecord) -> OfferRecord | None:
    if b'"offer"' not in body or record.session.encode() not in body:
        return None
    try:
        offer = _offer(body)
    except msgspec.MsgspecError:  # another kind of row, or of a newer version
        return None
    return offer if (offer.session, offer.document) == (record.session, record.document) else None


def _offered(db: sqlite3.Connection, offer: OfferRecord) -> Offered:
    used = None
    if offer.purpose == "comeback":
        used = db.execute("SELECT spent_at FROM comebacks WHERE serial = ?", (offer.ref,)).fetchone()
    return Offered(
        offer.slip, offer.purpose, offer.state.value, offer.value_minor, offer.pool, offer.stock, offer.last_day,
        used[0] if used else 0,
    )  # fmt: skip
