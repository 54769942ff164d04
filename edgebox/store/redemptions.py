"""The desk's ledger: what was redeemed under which number and in which shift, questions without an answer, owed slips.

Owns: the statements on `redemptions`, `asked` and `owed_slips`, for `Store.change` and `Store.read`. Never: decides
whether a code is good. A redemption itself is an event, and its row is written with the journal's (ledger.py).

Rows of what was redeemed are kept for ever: they are the list of coupons that are used. Numbers, not times, say what
came after what: a clock may be set back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from edgebox.store.events import Stream
from edgebox.store.places import span
from edgebox.store.writer import PUT_FACT

SHIFT_FACT = "desk.shift"
SYNCED_FACT = "desk.synced"
UNKNOWN_FACT = "desk.unknown"  # a backup was put back, and what was redeemed since is not known [backup.py]
WITHDRAWN_MAX = 8  # withdrawn questions that a new one names; a code that is scanned all day in vain has more
ASKED_MAX = 1000  # questions without an answer; beyond it the oldest are forgotten: their codes ask anew
_ROW = """SELECT number, at, state, reason, coupon, stock, value_minor, points, cashier, offline, source, channel,
    shift, line, ref, request, code, reversed, place FROM redemptions"""

_CLOSED = "SELECT number, begun, ended, after, last, who, line, session, is_out FROM closed_shifts"
_UNCONFIRMED = "offline = 1 AND settled = 0 AND number > 0 AND state = 'redeemed'"
_UNRETURNED = "state = 'reversed' AND settled = 0 AND source <> 'comeback' AND number > 0"
_CONFLICT = "at, reason, other, other_at, seen_at, seen_by"


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The shift that is open. `begun`: seconds since 1970; `after`: the last slip's number of the one before."""

    number: int = 1
    begun: int = 0
    after: int = 0


class ClosedShift(NamedTuple):
    """`after`, `last`: its slips are those behind the one, through the other. `line`, `session`: where its tally was to
    be printed; `is_out`: that is on paper, or nobody waits for it."""

    number: int
    begun: int
    ended: int
    after: int
    last: int
    who: str
    line: str = ""
    session: str = ""
    is_out: bool = False

    @property
    def shift(self) -> Shift:
        """As it was while it was open."""
        return Shift(number=self.number, begun=self.begun, after=self.after)


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """When the cloud last answered or acknowledged, and the last slip's number then."""

    at: int = 0
    after: int = 0


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """What was redeemed since the backup isn't known. `answered_by`: who opens the desk all the same; "": nobody."""

    answered_by: str = ""


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
    """One that the cloud has not finally answered. `bill_minor` None: asked without an amount.

    `instead_of`: questions about the same code that were withdrawn, whose use the cloud may not have given back yet.
    """

    request: str
    bill_minor: int | None
    instead_of: tuple[str, ...] = ()


class Open(NamedTuple):
    """A question that is open. `at`: last asked."""

    code: str
    request: str
    at: int


class Conflict(NamedTuple):
    """A slip that the cloud does not agree with. `other`, `other_at`: where and when the code was used before; of a
    reversal, `reason` says why it was refused. `seen_at` 0: nobody has looked at it."""

    entry: Entry
    at: int
    reason: str
    other: str
    other_at: int
    seen_at: int
    seen_by: str


class ToldUse(NamedTuple):
    """A use that another box of this name made, as the cloud tells it. `number`: of its slip."""

    code: str
    at: int
    number: int


class Owed(NamedTuple):
    """A slip that may not be out. `session`: of the line that was to print it."""

    number: int
    line: str
    session: str
    at: int


def used(connection: sqlite3.Connection, code: str) -> Entry | None:
    """The redemption of this code that stands, this box's or the one's that it took over from."""
    where = " WHERE code = ? AND state = 'redeemed' AND reversed = 0"
    return _entry(connection.execute(_ROW + where, (code,)).fetchone()) or _told(connection, code)


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
    """The highest slip's number; none that a box of this name has given out comes again."""
    asked = "SELECT max(number) FROM (SELECT number FROM redemptions UNION ALL SELECT number FROM told_uses)"
    found: int | None = connection.execute(asked).fetchone()[0]
    return max(found or 0, 0)


def of_shift(connection: sqlite3.Connection, shift: Shift) -> list[Entry]:
    """All rows with a number of a shift, in order; open or closed."""
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


def close_shift(connection: sqlite3.Connection, closed: ClosedShift, following: Shift) -> None:
    """One ends and the next begins, and its tally is owed; its slips are not any more."""
    values = (*closed[:8], int(closed.is_out))
    connection.execute("INSERT OR REPLACE INTO closed_shifts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    put_shift(connection, following)
    connection.execute("DELETE FROM owed_slips WHERE number <= ?", (closed.last,))


def closed_shifts(connection: sqlite3.Connection, limit: int) -> list[ClosedShift]:
    """The newest first."""
    return [_closed(row) for row in connection.execute(f"{_CLOSED} ORDER BY number DESC LIMIT ?", (limit,))]


def closed_shift(connection: sqlite3.Connection, number: int) -> ClosedShift | None:
    """The one of that number."""
    row = connection.execute(f"{_CLOSED} WHERE number = ?", (number,)).fetchone()
    return _closed(row) if row else None


def tallies_owed(connection: sqlite3.Connection, limit: int) -> list[ClosedShift]:
    """Shifts whose tally may not be on paper: the newest so many, in order."""
    rows = connection.execute(f"{_CLOSED} WHERE is_out = 0 ORDER BY number DESC LIMIT ?", (limit,)).fetchall()
    return [_closed(row) for row in reversed(rows)]


def tally_handed(connection: sqlite3.Connection, number: int, line: str, session: str) -> None:
    """It goes to that line."""
    connection.execute("UPDATE closed_shifts SET line = ?, session = ? WHERE number = ?", (line, session, number))


def tally_out(connection: sqlite3.Connection, number: int) -> None:
    """It is on paper, and so nobody waits for those before it either."""
    connection.execute("UPDATE closed_shifts SET is_out = 1 WHERE number <= ?", (number,))


def last_shift(connection: sqlite3.Connection) -> int:
    """The highest number that a shift had; 0: there was none."""
    found = connection.execute("SELECT max(shift) FROM redemptions").fetchone()[0] or 0
    return max(found, connection.execute("SELECT max(number) FROM closed_shifts").fetchone()[0] or 0)


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


# -- taking over


def unknown(connection: sqlite3.Connection) -> Unknown | None:
    """None: it is known."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (UNKNOWN_FACT,)).fetchone()
    return msgspec.json.decode(row[0], type=Unknown) if row else None


def is_unused(connection: sqlite3.Connection) -> bool:
    """Nothing was ever redeemed here, and no comeback coupon printed."""
    asked = "SELECT EXISTS (SELECT 1 FROM redemptions) OR EXISTS (SELECT 1 FROM comebacks)"
    return not connection.execute(asked).fetchone()[0]


def put_unknown(connection: sqlite3.Connection, answered_by: str = "") -> None:
    """From now on it isn't known."""
    connection.execute(PUT_FACT, (UNKNOWN_FACT, msgspec.json.encode(Unknown(answered_by=answered_by))))


def put_known(connection: sqlite3.Connection) -> None:
    """It is, or somebody has answered for it."""
    connection.execute("DELETE FROM facts WHERE key = ?", (UNKNOWN_FACT,))


def put_told(connection: sqlite3.Connection, uses: Iterable[ToldUse]) -> None:
    """Uses that the cloud knows of; the earlier one of a code stays."""
    connection.executemany("INSERT OR IGNORE INTO told_uses VALUES (?, ?, ?)", uses)


def ends(connection: sqlite3.Connection) -> dict[str, int]:
    """By each epoch's name: the number of the last row of redemptions that is here."""
    found = {}
    for ordinal, name in connection.execute("SELECT epoch, name FROM epochs").fetchall():
        low, high = span(Stream.REDEMPTIONS, ordinal)
        last = connection.execute("SELECT max(place) FROM redemptions WHERE place BETWEEN ? AND ?", (low, high))
        found[name] = max((last.fetchone()[0] or low) - low, 0)
    return found


def _told(connection: sqlite3.Connection, code: str) -> Entry | None:
    row = connection.execute("SELECT number, at FROM told_uses WHERE code = ?", (code,)).fetchone()
    if row is None:
        return None
    return Entry(row[0], row[1], "redeemed", "", "", "", 0, 0, "", False, "", "", 0, "", 0, "", code, 0, 0)


# -- questions without an answer


def ask(connection: sqlite3.Connection, code: str, new: Question, at: int) -> Question:
    """The question about this code that is open, else `new`, which is open from now on."""
    sql = "SELECT request FROM withdrawn WHERE code = ? ORDER BY at DESC, request LIMIT ?"
    instead_of = tuple(row[0] for row in connection.execute(sql, (code, WITHDRAWN_MAX)))
    found = connection.execute("SELECT request, bill_minor FROM asked WHERE code = ?", (code,)).fetchone()
    if found:
        connection.execute("UPDATE asked SET at = ? WHERE code = ?", (at, code))
        return Question(found[0], None if found[1] < 0 else found[1], instead_of)
    bill = -1 if new.bill_minor is None else new.bill_minor
    connection.execute("INSERT INTO asked VALUES (?, ?, ?, ?)", (code, new.request, bill, at))
    connection.execute(
        "DELETE FROM asked WHERE code IN (SELECT code FROM asked ORDER BY at DESC LIMIT -1 OFFSET ?)", (ASKED_MAX,)
    )
    return new._replace(instead_of=instead_of)


def open_question(connection: sqlite3.Connection, code: str) -> Open | None:
    """The one about this code."""
    row = connection.execute("SELECT code, request, at FROM asked WHERE code = ?", (code,)).fetchone()
    return Open(*row) if row else None


def left_open(connection: sqlite3.Connection, since: int, until: int) -> list[Open]:
    """Questions that were last asked before `since`, or later than `until`: then somebody has set the clock back."""
    sql = "SELECT code, request, at FROM asked WHERE at < ? OR at > ? ORDER BY at LIMIT ?"
    return [Open(*row) for row in connection.execute(sql, (since, until, ASKED_MAX))]


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


# -- the cloud's word


def unsettled(connection: sqlite3.Connection, limit: int) -> list[Entry]:
    """What was redeemed without the cloud, or taken back at it, and has not had its word yet."""
    entries: list[Entry] = []
    for where in (_UNCONFIRMED, _UNRETURNED):
        rows = connection.execute(f"{_ROW} WHERE {where} ORDER BY number LIMIT ?", (limit,))
        entries += [entry for entry in map(_entry, rows) if entry is not None]
    return sorted(entries, key=lambda entry: entry.number)[:limit]


def waiting_since(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many of these there are, and when the oldest was recorded; 0: there is none."""
    counts = [
        connection.execute(f"SELECT count(*), min(at) FROM redemptions WHERE {where}").fetchone()
        for where in (_UNCONFIRMED, _UNRETURNED)
    ]
    return sum(count for count, _ in counts), min((oldest for _, oldest in counts if oldest is not None), default=0)


def concerned(connection: sqlite3.Connection, request: str, code: str, number: int) -> Entry | None:
    """The redemption or reversal that a verdict is about."""
    where = " WHERE request = ? AND code = ? AND number = ? AND number > 0 LIMIT 1"
    return _entry(connection.execute(_ROW + where, (request, code, number)).fetchone())


def settled(connection: sqlite3.Connection, entry: Entry) -> tuple[bool, Conflict | None]:
    """Whether the cloud has said something about it, and what it did not agree with."""
    (place,) = connection.execute("SELECT settled FROM redemptions WHERE place = ?", (entry.place,)).fetchone()
    row = connection.execute(f"SELECT {_CONFLICT} FROM conflicts WHERE place = ?", (entry.place,)).fetchone()
    return bool(place), Conflict(entry, *row) if row else None


def conflicts(connection: sqlite3.Connection, limit: int, *, unseen: bool = False) -> list[Conflict]:
    """What the cloud did not agree with, the newest first."""
    where = " WHERE seen_at = 0" if unseen else ""
    sql = f"SELECT place, {_CONFLICT} FROM conflicts{where} ORDER BY place DESC LIMIT ?"
    found = []
    for place, *rest in connection.execute(sql, (limit,)).fetchall():
        entry = _entry(connection.execute(_ROW + " WHERE place = ?", (place,)).fetchone())
        if entry is not None:
            found.append(Conflict(entry, *rest))
    return found


def unseen_conflicts(connection: sqlite3.Connection) -> int:
    """How many nobody has looked at."""
    found: int = connection.execute("SELECT count(*) FROM conflicts WHERE seen_at = 0").fetchone()[0]
    return found


def see(connection: sqlite3.Connection, number: int, who: str, at: int) -> bool:
    """Somebody has looked at it; False: it is no conflict, or was looked at before."""
    sql = "UPDATE conflicts SET seen_at = ?, seen_by = ? WHERE number = ? AND seen_at = 0"
    return connection.execute(sql, (at, who, number)).rowcount > 0


def _closed(row: tuple[object, ...]) -> ClosedShift:
    closed = ClosedShift(*row)  # type: ignore[arg-type]  # as the table's columns are
    return closed._replace(is_out=bool(closed.is_out))


def _entry(row: tuple[object, ...] | None) -> Entry | None:
    if row is None:
        return None
    entry = Entry(*row)  # type: ignore[arg-type]  # as the table's columns are
    return entry._replace(offline=bool(entry.offline))  # SQLite has no truth of its own
