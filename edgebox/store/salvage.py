"""From a broken database to a whole one: every row that can be read, and the numbers of those that can't.

Owns: what counts as a readable row, which of two versions is the newer, and which numbers were given up. Never: changes
the broken file, or moves files (rescue.py does).

A row of the journal is believed if its sum is right, and its event can be decoded and belongs to its stream.
Rows of the other tables if their values fit the columns; what is missing there is made anew from the journal. A number
that some trace shows was given (a later number, a table, an index, a mark), and whose row is gone, goes into `lost`:
the consumer is told instead of left to wait, and the shop is told how many.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

import msgspec

from edgebox.store.events import (
    STREAM_OF,
    ClaimRecord,
    Event,
    HealthRecord,
    JobRecord,
    OfferRecord,
    ReceiptRecord,
    Stream,
    VisitRecord,
)
from edgebox.store.ledger import enter
from edgebox.store.pages import PageFile, Record, Value
from edgebox.store.places import DAMAGED, EPOCH_MAX, STREAMS, pack, span, sum_of, unpack
from edgebox.store.rebuild import rebuilt

UNKNOWN_BOOT = 0  # the table counts from 1
BATCH_ROWS = 500
JUMP_MAX = 1 << 24  # numbers between neighbours of one stream; a 2 GB database hasn't so many rows: a broken number
_TYPES: Mapping[str, tuple[type, ...]] = {"INTEGER": (int,), "TEXT": (str,), "BLOB": (bytes,), "REAL": (int, float)}
_HIGHEST = {  # of two versions the higher numbers
    "heads": ("acknowledged", "removed"),
    "comebacks": ("spent_at",),  # a coupon that was used stays used
}
_TABLE_OF = {  # claims before the receipts that point at them
    Stream.CLAIMS: "claims",
    Stream.RECEIPTS: "receipts",
    Stream.REDEMPTIONS: "redemptions",
    Stream.JOBS: "jobs",
    Stream.AUDIT: "audit",
    Stream.SCANS: "scans",
    Stream.HEALTH: "health",
    Stream.VISITS: "visits",
}
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class _Newest(NamedTuple):
    """A table that holds the newest state alone: by which fields, and where the state that it has comes from."""

    key: tuple[str, ...]
    question: str


_NEWEST: Mapping[type, _Newest] = {
    ClaimRecord: _Newest(("claim",), "SELECT place FROM claims WHERE claim = ?"),
    JobRecord: _Newest(("job",), "SELECT place FROM jobs WHERE job = ?"),
    HealthRecord: _Newest(("part",), "SELECT place FROM health WHERE part = ?"),
    VisitRecord: _Newest(("tag", "at", "zone"), "SELECT place FROM visits WHERE tag = ? AND at = ? AND zone = ?"),
}


class Column(NamedTuple):
    """One column as the new database has it. `key`: its place in the primary key, from 1; 0: not part of it.

    `default`: what rows have that were written before there was such a column; they stand on their page without it.
    """

    name: str
    kind: str
    required: bool
    key: int
    default: Value = None

    @property
    def may_be_missing(self) -> bool:
        """A row may end before it."""
        return not self.key and (self.default is not None or not self.required)


class Table(NamedTuple):
    """A table of the new database. `columns`: in stored order; `rowid`: which of them is the rowid, or -1."""

    name: str
    columns: tuple[Column, ...]
    rowid: int
    is_index: bool

    def shaped(self, record: Record) -> tuple[Value, ...] | None:
        """The record as a row of this table, None if it doesn't fit."""
        missing = self.columns[len(record.values) :]
        is_long = len(record.values) > len(self.columns)
        if self.is_index != (record.rowid is None) or is_long or not all(one.may_be_missing for one in missing):
            return None
        values = [*record.values, *(one.default for one in missing)]
        if self.rowid >= 0:
            values[self.rowid] = record.rowid
        for value, column in zip(values, self.columns, strict=True):
            if value is None and not column.required:
                continue
            if not isinstance(value, _TYPES[column.kind]):
                return None
        return tuple(values)

    @property
    def insertion(self) -> str:
        """INSERT that keeps the newer of two versions."""
        names = [column.name for column in self.columns]
        text = f"INTO {self.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        keys = [column.name for column in sorted(self.columns, key=lambda column: column.key) if column.key]
        rest = [name for name in names if name not in keys]
        update = ", ".join(f"{name} = excluded.{name}" for name in rest)
        if self.name in _HIGHEST:
            update = ", ".join(f"{name} = max({name}, excluded.{name})" for name in _HIGHEST[self.name])
        elif "place" not in rest:
            return f"INSERT OR IGNORE {text}"
        newer = "" if self.name in _HIGHEST else f" WHERE excluded.place > {self.name}.place"
        return f"INSERT {text} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {update}{newer}"


class Salvaged(NamedTuple):
    """What came of it. `rows`: of the journal, `rebuilt` of them from other tables; `others`: rows of these; `lost`:
    numbers given up, by stream; `rejected`: records that looked like rows and could not be believed; `damaged`: pages
    and cells beyond reading."""

    rows: int
    rebuilt: int
    others: int
    lost: dict[Stream, int]
    rejected: int
    damaged: int


class Salvage:
    """One salvage, from `old` into `new`, which has its tables and no rows."""

    def __init__(self, old: PageFile, new: sqlite3.Connection) -> None:
        self._old = old
        self._new = new
        self._tables = {table.name: table for table in _tables(new)}
        self._counts: Counter[str] = Counter()
        self._rejected = 0
        self._highest: dict[tuple[Stream, int], int] = {}  # traces of numbers that were given
        self._waiting: dict[str, list[tuple[Value, ...]]] = {name: [] for name in self._tables}

    def run(self, marks: Iterable[int], names: Mapping[int, str], at_ms: int) -> Salvaged:
        """Copies everything. `marks`: packed places that are known to have been given; `names`: of epochs."""
        self._new.execute("BEGIN")
        for _page, records in groupby(self._old.records(), key=lambda record: record.page):
            self._take_page(list(records))
        for table in self._tables:
            self._flush(table)
        for place in marks:
            self._trace(place)
        self._name_epochs(names, at_ms)
        self._fill_in()
        rebuilt_rows = self._rebuild()
        self._name_boots()
        lost = self._give_up(at_ms)
        self._new.execute("COMMIT")
        journal = self._new.execute("SELECT count(*) FROM journal").fetchone()[0]
        others = sum(count for name, count in self._counts.items() if name != "journal")
        return Salvaged(journal, rebuilt_rows, others, lost, self._rejected, self._old.damaged)

    # -- records

    def _take_page(self, records: list[Record]) -> None:
        """A page belongs to one table, or to an index."""
        name = self._name_of(records)
        if name == "journal":
            for record in records:
                self._take_journal(record)
        for record in records:
            if name is None:
                self._take_trace(record)
            elif name != "journal":
                self._take(name, record)

    def _name_of(self, records: list[Record]) -> str | None:
        """The table: by its tree, or, where no tree leads to the page, by its form. None: an index, or nothing."""
        root = records[0].root
        if root:
            known = self._old.tables.get(root)
            return known if known in self._tables else None
        for record in records:  # the first may be broken
            fitting = [table for table in self._tables.values() if table.shaped(record) is not None]
            whole = [table.name for table in fitting if len(table.columns) == len(record.values)]
            if fitting:
                names = whole or [table.name for table in fitting]
                return names[0] if len(names) == 1 else None
        return None

    def _take_journal(self, record: Record) -> None:
        row = self._tables["journal"].shaped(record)
        place = record.rowid or 0
        if row is None or not _is_place(place) or not _is_whole(row) or not _is_event(row[-1], unpack(place)[0]):
            self._rejected += 1
            return
        self._trace(place)
        self._put("journal", row)

    def _take(self, name: str, record: Record) -> None:
        row = self._tables[name].shaped(record)
        if row is None:
            self._rejected += 1
            return
        for column, value in zip(self._tables[name].columns, row, strict=True):
            if column.name in ("place", "claim_place", "begun", "last") and isinstance(value, int) and value:
                if not _is_place(value):
                    self._rejected += 1
                    return
                self._trace(value)
        self._put(name, row)

    def _take_trace(self, record: Record) -> None:
        """An index says of a row that it was there, even if the row itself is gone."""
        last = record.values[-1] if record.values else None
        if record.rowid is None and record.root and isinstance(last, int) and _is_place(last):
            self._trace(last)

    def _trace(self, place: int) -> None:
        stream, ordinal, seq = unpack(place)
        have = self._highest.get((stream, ordinal), 0)
        if seq - have < JUMP_MAX:
            self._highest[stream, ordinal] = max(have, seq)

    def _put(self, name: str, row: tuple[Value, ...]) -> None:
        waiting = self._waiting[name]
        waiting.append(row)
        if len(waiting) >= BATCH_ROWS:
            self._flush(name)

    def _flush(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        insertion = self._tables[name].insertion
        for row in rows:
            try:
                self._counts[name] += max(0, self._new.execute(insertion, row).rowcount)
            except sqlite3.IntegrityError:  # a second row of one document, a value out of bounds
                self._rejected += 1

    # -- names

    def _name_epochs(self, names: Mapping[int, str], at_ms: int) -> None:
        """Each epoch has its name. One that nobody remembers gets a new one: its rows may come to the cloud twice."""
        have = {row[0] for row in self._new.execute("SELECT epoch FROM epochs")}
        for ordinal in sorted({ordinal for _stream, ordinal in self._highest} - have):
            name = names.get(ordinal) or f"{ordinal:04d}-{secrets.token_hex(4)}"
            self._new.execute("INSERT INTO epochs VALUES (?, ?, ?, ?)", (ordinal, name, at_ms, DAMAGED))

    def _name_boots(self) -> None:
        """Rows whose run of the machine is no longer known keep its number."""
        self._new.execute(
            "INSERT INTO boots SELECT DISTINCT boot, 'unknown-' || boot FROM journal"
            " WHERE boot NOT IN (SELECT boot FROM boots)"
        )

    # -- what the journal knows of the other tables

    def _fill_in(self) -> None:
        """Rows of the page's tables that are gone, from their events."""
        for stream, table in _TABLE_OF.items():
            low, high = span(stream, 0)[0], span(stream, EPOCH_MAX)[1]
            missing = self._new.execute(
                f"SELECT place, body FROM journal WHERE place BETWEEN ? AND ?"
                f" AND place NOT IN (SELECT place FROM {table}) ORDER BY place",
                (low, high),
            )
            for place, body in missing:
                event = _decoder.decode(body)
                if isinstance(event, OfferRecord):
                    self._enter_offer(event, place, body)
                else:
                    self._enter(event, place, body)

    def _enter(self, event: Event, place: int, body: bytes) -> None:
        claim_place = 0
        newest = _NEWEST.get(type(event))
        if newest is not None:
            key = tuple(getattr(event, name) for name in newest.key)
            if (self._new.execute(newest.question, key).fetchone() or (0,))[0] >= place:
                return
        if isinstance(event, ReceiptRecord) and event.claim:
            asked = "SELECT place FROM claims WHERE claim = ? AND session = ? AND document = ?"
            found = self._new.execute(asked, (event.claim, event.session, event.document)).fetchone()
            claim_place = found[0] if found else 0
        try:
            enter(self._new, event, place, body, claim_place)
        except sqlite3.IntegrityError:
            self._rejected += 1

    def _enter_offer(self, event: OfferRecord, place: int, body: bytes) -> None:
        """A coupon whose row is gone may have been used; what can't be known counts as used."""
        before = self._new.execute("SELECT count(*) FROM comebacks").fetchone()
        enter(self._new, event, place, body)
        if self._new.execute("SELECT count(*) FROM comebacks").fetchone() != before:
            self._new.execute("UPDATE comebacks SET spent_at = ? WHERE serial = ?", (event.at, event.ref))

    def _rebuild(self) -> int:
        """Rows of the journal that are gone, from the page's tables."""
        rows = [((row.place, UNKNOWN_BOOT, 0, row.at * 1000, 0), row.body) for row in rebuilt(self._new)]
        summed = [(*head, sum_of(*head, body), body) for head, body in rows]
        self._new.executemany("INSERT OR IGNORE INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", summed)
        return len(rows)

    # -- what is gone

    def _give_up(self, at_ms: int) -> dict[Stream, int]:
        """Notes each number that was given and has no row, and was not removed because the cloud has it."""
        lost: Counter[Stream] = Counter()
        for (stream, ordinal), highest in sorted(self._highest.items()):
            for first, last in list(self._gaps(stream, ordinal, highest)):
                row = (pack(stream, ordinal, first), pack(stream, ordinal, last), DAMAGED, at_ms)
                self._new.execute("INSERT OR REPLACE INTO lost VALUES (?, ?, ?, ?)", row)
                lost[stream] += last - first + 1
        return dict(lost)

    def _gaps(self, stream: Stream, ordinal: int, highest: int) -> Iterator[tuple[int, int]]:
        number = STREAMS.index(stream)
        heads = "SELECT removed, acknowledged FROM heads WHERE stream = ? AND epoch = ?"
        removed, acknowledged = self._new.execute(heads, (number, ordinal)).fetchone() or (0, 0)
        have = self._new.execute(
            "SELECT place, place FROM journal WHERE place BETWEEN ? AND ?"
            " UNION ALL SELECT first, last FROM lost WHERE first BETWEEN ? AND ? ORDER BY 1",
            (*span(stream, ordinal), *span(stream, ordinal)),
        )
        following = removed + 1
        for first, last in have:
            start = unpack(first)[2]
            if start > following:
                yield following, start - 1
            following = max(following, unpack(last)[2] + 1)
        highest = max(highest, acknowledged)
        if highest >= following:
            yield following, highest


def _tables(database: sqlite3.Connection) -> Iterator[Table]:
    """What the new database's tables look like on their pages."""
    listed = database.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND substr(name, 1, 1) <> '_'"
        " AND substr(name, 1, 7) <> 'sqlite_'"
    ).fetchall()
    for table, without_rowid in listed:
        found = database.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [
            Column(name, kind, bool(required or key), key, _value(database, default))
            for _, name, kind, required, default, key in found
        ]
        if without_rowid:  # the key stands first [fileformat2.html, section 2.4]
            columns = sorted(columns, key=lambda column: column.key or len(columns))
        keys = [column for column in columns if column.key]
        is_rowid = not without_rowid and len(keys) == 1 and keys[0].kind == "INTEGER"
        yield Table(table, tuple(columns), columns.index(keys[0]) if is_rowid else -1, bool(without_rowid))


def _value(database: sqlite3.Connection, text: str | None) -> Value:
    """A default as SQL spells it."""
    found: Value = database.execute(f"SELECT {text}").fetchone()[0] if text is not None else None
    return found


def _split(place: int) -> tuple[int, int, int]:
    """Stream's number, ordinal, number, of any integer."""
    return place >> 56, place >> 40 & 0xFFFF, place & ((1 << 40) - 1)


def _is_place(place: int) -> bool:
    stream, ordinal, seq = _split(place)
    return 0 <= stream < len(STREAMS) and 1 <= ordinal <= EPOCH_MAX and seq >= 1


def _is_whole(row: tuple[Value, ...]) -> bool:
    *head, crc, body = row
    return sum_of(*head, body) == crc  # type: ignore[arg-type, call-arg]  # as the table says


def _is_event(body: Value, stream: Stream) -> bool:
    try:
        return isinstance(body, bytes) and STREAM_OF[type(_decoder.decode(body))] is stream
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
