"""The tables that the managers' page asks: one row for each receipt, claim, redemption …, written with its journal row.

Owns: which event goes into which table, and what replaces what. Never: the journal (journal.py), a transaction
(writer.py), or more of an event than can be asked for: the whole of it is in the journal under the same place.

Each event costs a fixed number of statements, each of which finds its row by a key.
"""

from __future__ import annotations

import sqlite3

import msgspec

from edgebox.store.events import (
    AuditRecord,
    CardRecord,
    ClaimRecord,
    CorrectionRecord,
    Event,
    HealthRecord,
    JobRecord,
    OfferRecord,
    OfferState,
    ReceiptRecord,
    RedemptionRecord,
    RedemptionState,
    ScanRecord,
    VisitRecord,
)

_RECEIPT = f"INSERT INTO receipts VALUES ({', '.join('?' * 28)}) ON CONFLICT (session, document) DO NOTHING"
# The newest state of the highest revision stays: two lines that print one bill record in any order. What the printer
# has confirmed is no longer merely granted.
_CLAIM = f"""INSERT INTO claims VALUES ({", ".join("?" * 13)}) ON CONFLICT (claim) DO UPDATE SET
    place = excluded.place, at = excluded.at, state = excluded.state, url = excluded.url,
    amount_minor = excluded.amount_minor, currency = excluded.currency, decimals = excluded.decimals,
    points = excluded.points, revision = excluded.revision, line = excluded.line, session = excluded.session,
    document = excluded.document
    WHERE excluded.revision > revision
    OR (excluded.revision = revision AND NOT (state = 'on_paper' AND excluded.state = 'granted'))"""
_REDEMPTION = f"""INSERT INTO redemptions (place, at, request, code, state, reason, coupon, stock, value_minor, points,
    number, cashier, offline, source, channel, shift, line, ref) VALUES ({", ".join("?" * 18)})"""
_REVERSED = """UPDATE redemptions SET reversed = ?
    WHERE request = ? AND code = ? AND state = 'redeemed' AND reversed = 0"""
_CONCERNED = """SELECT place FROM redemptions WHERE request = ? AND code = ? AND state IN ('redeemed', 'reversed')
    AND number = CASE ? WHEN 0 THEN number ELSE ? END ORDER BY place LIMIT 1"""
_SETTLED = "UPDATE redemptions SET settled = ? WHERE place = ?"
# A verdict that comes again leaves alone who has seen it.
_CONFLICT = """INSERT INTO conflicts (place, number, at, reason, other, other_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (place) DO UPDATE SET at = excluded.at, reason = excluded.reason, other = excluded.other,
    other_at = excluded.other_at"""
_AGREED = "DELETE FROM conflicts WHERE place = ?"
_WITHDRAWN = "INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?)"
WITHDRAWN_KEPT = 2000  # the oldest are forgotten: the cloud has read long ago that they are withdrawn
_TOO_OLD = "DELETE FROM withdrawn WHERE request IN (SELECT request FROM withdrawn ORDER BY at DESC LIMIT -1 OFFSET ?)"
_DECIDED = "DELETE FROM withdrawn WHERE code = ?"
_CARD = "INSERT INTO card_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (serial) DO NOTHING"
_CARD_UNDONE = "UPDATE card_steps SET undone = 1 WHERE serial = ?"
_OWED = "INSERT OR IGNORE INTO owed_slips VALUES (?, ?, ?, ?, ?)"
_UNASKED = "DELETE FROM asked WHERE code = ?"
# The row of a coupon that was printed just before a kill may be missing: it is used all the same.
_SPENT = """INSERT INTO comebacks VALUES (?, ?, 0, 0, ?, ?)
    ON CONFLICT (serial) DO UPDATE SET spent_at = excluded.spent_at"""
_UNSPENT = "UPDATE comebacks SET spent_at = 0 WHERE serial = ?"
_POOL_CODE = "UPDATE pool_codes SET state = ?, place = ? WHERE ref = ? AND pool = ?"
_COMEBACK = "INSERT INTO comebacks (serial, value_minor, threshold_minor, last_day, at) VALUES (?, ?, ?, ?, ?)"
_SCAN = "INSERT INTO scans VALUES (?, ?, ?, ?, ?)"
_VISIT = """INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tag, at, zone) DO UPDATE SET
    place = excluded.place, until = excluded.until, role = excluded.role, nearest_cm = excluded.nearest_cm,
    why = excluded.why"""
_HEALTH = """INSERT INTO health VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (part) DO UPDATE SET
    place = excluded.place, at = excluded.at, state = excluded.state, words = excluded.words, value = excluded.value"""
_AUDIT = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)"
_CORRECTION = "INSERT OR IGNORE INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_JOB = """INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job) DO UPDATE SET
    place = excluded.place, at = excluded.at, state = excluded.state, expires = excluded.expires,
    body = excluded.body"""


def recorded_before(connection: sqlite3.Connection, receipt: ReceiptRecord) -> tuple[int, int]:
    """Places of a known document's receipt and claim; the claim's is 0 for none."""
    row: tuple[int, int] = connection.execute(
        "SELECT place, claim_place FROM receipts WHERE session = ? AND document = ?",
        (receipt.session, receipt.document),
    ).fetchone()
    return row


def enter_receipt(connection: sqlite3.Connection, event: ReceiptRecord, place: int, claim_place: int) -> bool:
    """Writes a receipt's row; False: the same document has one. `claim_place`: its claim's in the journal, or 0."""
    return connection.execute(_RECEIPT, _receipt(event, place, claim_place)).rowcount > 0


def enter(connection: sqlite3.Connection, event: Event, place: int, body: bytes, claim_place: int = 0) -> None:
    """Writes the event's row, if it has one, and no other of the same document. `claim_place`: as `enter_receipt`."""
    if isinstance(event, ReceiptRecord):
        enter_receipt(connection, event, place, claim_place)
    elif isinstance(event, ClaimRecord):
        connection.execute(_CLAIM, _claim(event, place))
    elif isinstance(event, JobRecord):
        row = (event.job, place, place, event.at, event.command, event.state, event.expires, body)
        connection.execute(_JOB, row)
    elif isinstance(event, HealthRecord):
        connection.execute(_HEALTH, (event.part, place, event.at, event.state, event.words, event.value))
    elif isinstance(event, AuditRecord):
        connection.execute(_AUDIT, (place, event.at, event.who, event.what, event.target, event.reason))
    else:
        _enter_rest(connection, event, place)


def _enter_rest(connection: sqlite3.Connection, event: Event, place: int) -> None:
    if isinstance(event, RedemptionRecord):
        _enter_redemption(connection, event, place)
    elif isinstance(event, OfferRecord):
        _enter_offer(connection, event, place)
    elif isinstance(event, CardRecord):
        _enter_card(connection, event, place)
    elif isinstance(event, ScanRecord):
        connection.execute(_SCAN, (place, event.at, event.scanner, event.kind, event.code))
    elif isinstance(event, CorrectionRecord):
        connection.execute(_CORRECTION, _correction(event, place))
    elif isinstance(event, VisitRecord):
        of, what = (event.tag, event.at, event.zone), (event.until, event.role, event.nearest_cm, event.why)
        connection.execute(_VISIT, (*of, place, *what))


def _enter_redemption(connection: sqlite3.Connection, event: RedemptionRecord, place: int) -> None:
    """The row, and what it means for others: a question that has its answer, a coupon that is used or no longer is.

    IntegrityError: the code was redeemed before.
    """
    connection.execute(_REDEMPTION, _redemption(event, place))
    if event.state in (RedemptionState.REDEEMED, RedemptionState.REFUSED, RedemptionState.REVERSED):
        connection.execute(_UNASKED, (event.code,))
        connection.execute(_DECIDED, (event.code,))
    if event.number:
        connection.execute(_OWED, (event.number, place, event.line, event.session, event.at))
    if event.state is RedemptionState.REDEEMED:
        if event.source == "comeback":
            connection.execute(_SPENT, (event.ref, event.value_minor, event.at, event.at))
    elif event.state is RedemptionState.REVERSED:
        connection.execute(_REVERSED, (place, event.request, event.code))
        if event.source == "comeback":
            connection.execute(_UNSPENT, (event.ref,))
    elif event.state in (RedemptionState.CONFIRMED, RedemptionState.CONFLICT):
        _enter_verdict(connection, event, place)
    elif event.state is RedemptionState.WITHDRAWN:
        connection.execute(_UNASKED, (event.code,))
        connection.execute(_WITHDRAWN, (event.request, event.at, event.code))
        connection.execute(_TOO_OLD, (WITHDRAWN_KEPT,))


def _enter_verdict(connection: sqlite3.Connection, event: RedemptionRecord, place: int) -> None:
    """What the cloud says of a redemption or reversal; a later word takes the place of an earlier one."""
    asked = (event.request, event.code, event.settles, event.settles)
    found = connection.execute(_CONCERNED, asked).fetchone()
    if found is None:
        return
    connection.execute(_SETTLED, (place, found[0]))
    if event.state is RedemptionState.CONFLICT:
        row = (found[0], event.settles, event.at, event.reason, event.other, event.other_at)
        connection.execute(_CONFLICT, row)
    else:
        connection.execute(_AGREED, (found[0],))


def _enter_card(connection: sqlite3.Connection, event: CardRecord, place: int) -> None:
    """IntegrityError: there is a step of that serial."""
    values = (event.serial, place, event.at, event.card, event.member, event.step.value, event.count)
    if not connection.execute(_CARD, (*values, event.amount_minor, event.bill)).rowcount:
        same = connection.execute("SELECT 1 FROM card_steps WHERE serial = ? AND place = ?", (event.serial, place))
        if same.fetchone() is None:
            raise sqlite3.IntegrityError(f"card step {event.serial} is there already")
    if event.undoes:
        connection.execute(_CARD_UNDONE, (event.undoes,))


def _enter_offer(connection: sqlite3.Connection, event: OfferRecord, place: int) -> None:
    """A pool's code is used up, whatever became of it; a comeback coupon is good from now on if it may be on paper."""
    if event.purpose != "comeback":
        connection.execute(_POOL_CODE, (event.state.value, place, event.ref, event.pool))
    elif event.state is not OfferState.BURNT:
        row = (event.ref, event.value_minor, event.threshold_minor, event.last_day, event.at)
        connection.execute(_COMEBACK + " ON CONFLICT DO NOTHING", row)


def _receipt(event: ReceiptRecord, place: int, claim_place: int) -> tuple[object, ...]:
    return (
        place,
        event.session,
        event.document,
        claim_place,
        event.at,
        event.line,
        event.kind,
        " ".join(event.modifiers),
        event.qualifies,
        event.amount_minor,
        event.currency,
        event.decimals,
        event.confidence,
        event.number,
        event.till,
        event.printed_date,
        event.printed_time,
        msgspec.json.encode(event.tenders).decode() if event.tenders else "[]",
        event.claim,
        event.points,
        event.revision,
        event.voided,
        event.result,
        event.hold_us,
        event.cashier,
        event.table,
        event.z_check,
        event.z_equal,
    )


def _claim(event: ClaimRecord, place: int) -> tuple[object, ...]:
    return (
        event.claim,
        place,
        event.at,
        event.state.value,
        event.url,
        event.amount_minor,
        event.currency,
        event.decimals,
        event.points,
        event.revision,
        event.line,
        event.session,
        event.document,
    )


def _redemption(event: RedemptionRecord, place: int) -> tuple[object, ...]:
    return (
        place,
        event.at,
        event.request,
        event.code,
        event.state.value,
        event.reason,
        event.coupon,
        event.stock,
        event.value_minor,
        event.points,
        event.number,
        event.cashier,
        event.offline,
        event.source,
        event.channel,
        event.shift,
        event.line,
        event.ref,
    )


def _correction(event: CorrectionRecord, place: int) -> tuple[object, ...]:
    return (
        place,
        event.at,
        event.session,
        event.document,
        event.state.value,
        event.was_minor,
        event.amount_minor,
        event.claim,
        event.who,
        event.reason,
    )
