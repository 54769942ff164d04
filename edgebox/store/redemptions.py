"""The desk's ledger: what was redeemed under which number and in which shift, questions without an answer, owed slips.

Owns: the statements on `redemptions`, `asked` and `owed_slips`, for `Store.change` and `Store.read`. Never: decides
whether a code is good. A redemption itself is an event, and its row is written with the journal's (ledger.py).

Rows of what was redeemed are kept for ever: they are the list of coupons that are used. Numbers, not times, say what
came after what: a clock may be set back.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from edgebox.store.writer import PUT_FACT

SHIFT_FACT = "desk.shift"
SYNCED_FACT = "desk.synced"
ASKED_MAX = 1000  # questions without an answer; beyond it the oldest are forgotten: their codes ask anew
_ROW = """SELECT number, at, state, reason, coupon, stock, value_minor, points, cashier, offline, source, channel,
    shift, line, ref, request, code, reversed, place FROM redemptions"""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The shift that is open. `begun`: seconds since 1970; `after`: the last slip's number of the one before."""

    number: int = 1
    begun: int = 0
    after: int = 0


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """When the cloud last answered or acknowledged, and the last slip's number then."""

    at: int = 0
    after: int = 0


class Entry(NamedTuple):
    """A row with a number: a redemption or its reversal. `reversed_by` 0: it stands."""

    number: int
    at: int
    state: str
    reason: str
    coupon: str
    stock: str
    value_minor: int
    points: int
    cashier: str
    offline: bool
    source: str
    channel: str
    shift: int
    line: str
    ref: int
    request: str
    code: str
    reversed_by: int
    place: int


class Question(NamedTuple):
    """One that the cloud has not finally answered. `bill_minor` None: asked without an amount."""

    request: str
    bill_minor: int | None


class Owed(NamedTuple):
    """A slip that may not be out. `session`: of the line that was to print it."""

    number: int
    line: str
    session: str
    at: int


def used(connection: sqlite3.Connection, code: str) -> Entry | None:
    """The redemption of this code that stands."""
    where = " WHERE code = ? AND state = 'redeemed' AND reversed = 0"
    return _entry(connection.execute(_ROW + where, (code,)).fetchone())


def numbered(connection: sqlite3.Connection, number: int) -> Entry | None:
    """The row that has this slip's number."""
    where = " WHERE number = ? AND number > 0 ORDER BY place DESC LIMIT 1"
    return _entry(connection.execute(_ROW + where, (number,)).fetchone())


def undone(connection: sqlite3.Connection, entry: Entry) -> int:
    """The number of the redemption that this row takes back; 0: it is none that does."""
    asked = "SELECT number FROM redemptions WHERE code = ? AND request = ? AND reversed = ?"
    found = connection.execute(asked, (entry.code, entry.request, entry.place)).fetchone()
    return found[0] if found else 0


def last_number(connection: sqlite3.Connection) -> int:
    """The highest slip's number."""
    found = connection.execute("SELECT max(number) FROM redemptions WHERE number > 0").fetchone()[0]
    return found or 0


def of_shift(connection: sqlite3.Connection, shift: Shift) -> list[Entry]:
    """All rows with a number of a shift, in order."""
    rows = connection.execute(_ROW + " WHERE number > ? AND shift = ? ORDER BY number", (shift.after, shift.number))
    return [entry for entry in map(_entry, rows) if entry is not None]


def count_of_shift(connection: sqlite3.Connection, shift: Shift) -> int:
    """How many slips it has."""
    asked = "SELECT count(*) FROM redemptions WHERE number > ? AND shift = ?"
    found: int = connection.execute(asked, (shift.after, shift.number)).fetchone()[0]
    return found


# -- facts


def shift(connection: sqlite3.Connection) -> Shift | None:
    """The open one; None: there never was one."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (SHIFT_FACT,)).fetchone()
    return msgspec.json.decode(row[0], type=Shift) if row else None


def put_shift(connection: sqlite3.Connection, now: Shift) -> None:
    """Another one is open from now on."""
    connection.execute(PUT_FACT, (SHIFT_FACT, msgspec.json.encode(now)))


def synced(connection: sqlite3.Connection) -> Synced:
    """When the cloud was last there."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (SYNCED_FACT,)).fetchone()
    return msgspec.json.decode(row[0], type=Synced) if row else Synced()


def put_synced(connection: sqlite3.Connection, at: int) -> None:
    """It is there `at`: what is redeemed without it is counted from here."""
    now = Synced(at=at, after=last_number(connection))
    connection.execute(PUT_FACT, (SYNCED_FACT, msgspec.json.encode(now)))


def spell(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """When the cloud was last there, and how many were redeemed without it since, of what value together."""
    since = synced(connection)
    count, total = connection.execute(
        "SELECT count(*), coalesce(sum(value_minor), 0) FROM redemptions"
        " WHERE number > ? AND offline = 1 AND state = 'redeemed' AND reversed = 0",
        (since.after,),
    ).fetchone()
    return since.at, count, total


# -- questions without an answer


def ask(connection: sqlite3.Connection, code: str, new: Question, at: int) -> Question:
    """The question about this code that is open, else `new`, which is open from now on."""
    found = connection.execute("SELECT request, bill_minor FROM asked WHERE code = ?", (code,)).fetchone()
    if found:
        return Question(found[0], None if found[1] < 0 else found[1])
    bill = -1 if new.bill_minor is None else new.bill_minor
    connection.execute("INSERT INTO asked VALUES (?, ?, ?, ?)", (code, new.request, bill, at))
    connection.execute(
        "DELETE FROM asked WHERE code IN (SELECT code FROM asked ORDER BY at DESC LIMIT -1 OFFSET ?)", (ASKED_MAX,)
    )
    return new


# -- slips


def owed(connection: sqlite3.Connection) -> list[Owed]:
    """Slips that may not be out, in order."""
    rows = connection.execute("SELECT number, line, session, at FROM owed_slips ORDER BY number")
    return [Owed(*row) for row in rows]


def handed(connection: sqlite3.Connection, number: int, line: str, session: str) -> None:
    """It goes to that line."""
    connection.execute("UPDATE owed_slips SET line = ?, session = ? WHERE number = ?", (line, session, number))


def paid(connection: sqlite3.Connection, number: int) -> None:
    """It is out, or nobody waits for it any more."""
    connection.execute("DELETE FROM owed_slips WHERE number = ?", (number,))


def unsettled(connection: sqlite3.Connection, limit: int) -> list[Entry]:
    """What was redeemed without the cloud and has not had its word yet."""
    where = " WHERE offline = 1 AND settled = 0 AND number > 0 AND state = 'redeemed' ORDER BY number LIMIT ?"
    return [entry for entry in map(_entry, connection.execute(_ROW + where, (limit,))) if entry is not None]


def _entry(row: tuple[object, ...] | None) -> Entry | None:
    if row is None:
        return None
    entry = Entry(*row)  # type: ignore[arg-type]  # as the table's columns are
    return entry._replace(offline=bool(entry.offline))  # SQLite has no truth of its own
