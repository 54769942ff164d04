"""Steps of commit-and-save cards: which serials there are, which stand, and the receipts from which they are made.

Owns: the statements on `card_steps`, for `Store.read`. Never: decides what is a step, or writes one: a step is an
event, and its row is written with the journal's (ledger.py).
"""

from __future__ import annotations

import sqlite3

import msgspec

from edgebox.loyalty.commit_card import Step
from edgebox.store.events import ReceiptRecord, Stream
from edgebox.store.places import EPOCH_MAX, span

STANDING_MAX = 64  # steps that one refund may be about
_decode = msgspec.json.Decoder(ReceiptRecord).decode
_FIRST, _LAST = span(Stream.RECEIPTS, 0)[0], span(Stream.RECEIPTS, EPOCH_MAX)[1]
_STEP = """SELECT serial, card, member, count, amount_minor, bill, at, undone FROM card_steps
    WHERE step = 'INCREASE'"""


def newest_receipt(connection: sqlite3.Connection) -> int:
    """The place of the last receipt; where the first would be, if there is none."""
    asked = "SELECT max(place) FROM journal WHERE place BETWEEN ? AND ?"
    found = connection.execute(asked, (_FIRST, _LAST)).fetchone()[0]
    return int(found) if found is not None else _FIRST


def receipts_behind(connection: sqlite3.Connection, place: int, limit: int) -> list[tuple[int, ReceiptRecord | None]]:
    """The next receipts, in order; None for one that can't be read."""
    asked = "SELECT place, body FROM journal WHERE place > ? AND place <= ? ORDER BY place LIMIT ?"
    return [(found, _read(body)) for found, body in connection.execute(asked, (place, _LAST, limit))]


def _read(body: bytes | None) -> ReceiptRecord | None:
    """A row whose page is broken is mended by the store, and has no step until then."""
    try:
        return _decode(body) if body else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def is_known(connection: sqlite3.Connection, serial: str) -> bool:
    """It was given out."""
    return connection.execute("SELECT 1 FROM card_steps WHERE serial = ?", (serial,)).fetchone() is not None


def has_any(connection: sqlite3.Connection) -> bool:
    """This box has ever made a step."""
    return connection.execute("SELECT 1 FROM card_steps LIMIT 1").fetchone() is not None


def settlement(connection: sqlite3.Connection, bill: str) -> int:
    """How often steps of this bill were voided."""
    asked = "SELECT count(DISTINCT at) FROM card_steps WHERE bill = ? AND step = 'DECREASE'"
    found: int = connection.execute(asked, (f"void {bill}",)).fetchone()[0]
    return found


def concerned(connection: sqlite3.Connection, number: str, member: str, since: int, until: int) -> list[Step]:
    """Steps of bills with this number, and of this member between the two times; also those that were taken back."""
    found: dict[str, Step] = {}
    if number:
        rows = connection.execute(
            f"{_STEP} AND bill >= ? AND bill < ? ORDER BY at DESC LIMIT ?", (f"{number}/", f"{number}0", STANDING_MAX)
        )
        found.update((row[0], _step(row)) for row in rows)
    if member:
        rows = connection.execute(
            f"{_STEP} AND member = ? AND at BETWEEN ? AND ? ORDER BY at DESC LIMIT ?",
            (member, since, until, STANDING_MAX),
        )
        found.update((row[0], _step(row)) for row in rows)
    return list(found.values())


def _step(row: tuple[str, str, str, int, int, str, int, int]) -> Step:
    serial, card, member, times, amount_minor, bill, at, undone = row
    return Step(serial, card, member, times, amount_minor, bill, at, bool(undone))
