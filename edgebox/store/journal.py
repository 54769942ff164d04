"""The journal: what is sent, each row with its number, and how far the cloud has it.

Owns: the numbers (one more for each row of a stream and epoch, no gap, none twice), reading in order, and the cloud's
acknowledgements. A row whose sum is wrong is never given out: the page's tables have its event once more, or else it
is told as lost. Never: begins or ends a transaction, and never removes a row; who removes rows notes in `heads` how
far, or in `lost` which (edgebox/store/retention.py), because the next number is behind all of these.

All of it runs on the writer's thread, on its one connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from edgebox.errors import StoreError
from edgebox.store.database import Epoch
from edgebox.store.events import Stream
from edgebox.store.places import (
    DAMAGED,
    EPOCH_MAX,
    NUMBER_OF,
    SEQ_MAX,
    STREAMS,
    Backlog,
    JournalRow,
    pack,
    span,
    sum_of,
    unpack,
)
from edgebox.store.rebuild import again

DAMAGED_MAX = 1000  # damaged rows that are told one by one
_INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)"
_ROWS = """SELECT place, boot, mono_ms, at_ms, trusted, crc, body, boots.id FROM journal LEFT JOIN boots USING (boot)
    WHERE place > ? AND place <= ? ORDER BY place LIMIT ?"""


class Stamp(NamedTuple):
    """When a row is written: its `boot` (number in table boots), uptime, wall time, and whether that is right."""

    boot: int
    mono_ms: int
    at_ms: int
    trusted: bool


class Journal:
    """The journal of one open database."""

    def __init__(self, connection: sqlite3.Connection, epoch: Epoch) -> None:
        self._connection = connection
        self.epoch = epoch
        # The places of the newest rows, as committed and as in the open transaction.
        self._ends = {stream: pack(stream, epoch.ordinal, self.end(stream, epoch.ordinal)) for stream in STREAMS}
        self._staged = dict(self._ends)
        self.damaged: dict[int, str] = {}  # places of rows whose sum is wrong, and words for a person

    # -- writing

    def append(self, stream: Stream, bodies: Sequence[bytes], stamp: Stamp) -> int:
        """Adds rows in order; returns the place of the first. Counts only once `keep` is called."""
        first = self._staged[stream] + 1
        if len(bodies) == 1:
            body = bodies[0]
            self._connection.execute(_INSERT, (first, *stamp, sum_of(first, *stamp, body), body))
        else:
            rows = [(place, *stamp, sum_of(place, *stamp, body), body) for place, body in enumerate(bodies, first)]
            self._connection.executemany(_INSERT, rows)
        self._staged[stream] = first + len(bodies) - 1
        return first

    def next_place(self, stream: Stream) -> int:
        """Where the stream's next row will stand."""
        return self._staged[stream] + 1

    def number(self, stream: Stream) -> int:
        """The newest row's number, in the open transaction."""
        return self._staged[stream] & SEQ_MAX

    def keep(self) -> dict[Stream, int]:
        """The transaction is committed; the last numbers given."""
        self._ends = dict(self._staged)
        return {stream: place & SEQ_MAX for stream, place in self._ends.items()}

    def undo(self) -> None:
        """It is not."""
        self._staged = dict(self._ends)

    # -- how far

    def end(self, stream: Stream, ordinal: int) -> int:
        """The highest number given in that stream and epoch, also if its row was removed."""
        low, high = span(stream, ordinal)
        row = self._connection.execute(
            """SELECT max(
                coalesce((SELECT max(place) FROM journal WHERE place BETWEEN ?1 AND ?2), ?1),
                coalesce((SELECT last FROM lost WHERE first BETWEEN ?1 AND ?2 ORDER BY first DESC LIMIT 1), ?1)) - ?1,
                coalesce((SELECT max(acknowledged, removed) FROM heads WHERE stream = ?3 AND epoch = ?4), 0)""",
            (low, high, NUMBER_OF[stream], ordinal),
        ).fetchone()
        number: int = max(row)
        return number

    def acknowledged(self, stream: Stream, ordinal: int) -> int:
        """How far the cloud has it."""
        row = self._connection.execute(
            "SELECT acknowledged FROM heads WHERE stream = ? AND epoch = ?", (NUMBER_OF[stream], ordinal)
        ).fetchone()
        return row[0] if row else 0

    def acknowledge(self, stream: Stream, epoch: str, through: int) -> int:
        """The cloud has rows up to `through`. Returns how many are new to it; an old or repeated word says 0.

        StoreError `ack`: beyond what there is; `epoch`: there is no such epoch.
        """
        ordinal = self.ordinal(epoch)
        end, before = self.end(stream, ordinal), self.acknowledged(stream, ordinal)
        if not 0 <= through <= end:
            raise StoreError(f"{stream} {epoch}: {through} acknowledged, {end} recorded", reason="ack")
        if through <= before:
            return 0
        self._connection.execute(
            """INSERT INTO heads (stream, epoch, acknowledged) VALUES (?, ?, ?)
            ON CONFLICT (stream, epoch) DO UPDATE SET acknowledged = excluded.acknowledged""",
            (NUMBER_OF[stream], ordinal, through),
        )
        return through - before

    def high_water(self) -> dict[Stream, tuple[str, int]]:
        """For each stream the oldest epoch that the cloud hasn't got all of (else this one), and how far it has it."""
        return {stream: self._high_water(stream) for stream in STREAMS}

    def _high_water(self, stream: Stream) -> tuple[str, int]:
        for epoch in self.epochs():
            through = self.acknowledged(stream, epoch.ordinal)
            if through < self.end(stream, epoch.ordinal) or epoch.ordinal == self.epoch.ordinal:
                return epoch.name, through
        raise AssertionError("this epoch is one of them")

    def backlog(self) -> dict[Stream, Backlog]:
        """What waits for the cloud, of all epochs; given-up rows that it hasn't heard of are counted, too."""
        return {stream: self._backlog(stream) for stream in STREAMS}

    def _backlog(self, stream: Stream) -> Backlog:
        rows, oldest_ms = 0, 0
        for epoch in self.epochs():
            through = self.acknowledged(stream, epoch.ordinal)
            waiting = self.end(stream, epoch.ordinal) - through
            rows += waiting
            if waiting and not oldest_ms:
                oldest_ms = self._first_ms(stream, epoch.ordinal, through)
        return Backlog(rows, oldest_ms)

    def _first_ms(self, stream: Stream, ordinal: int, through: int) -> int:
        row = self._connection.execute(
            "SELECT at_ms FROM journal WHERE place > ? AND place <= ? ORDER BY place LIMIT 1",
            (pack(stream, ordinal, through), span(stream, ordinal)[1]),
        ).fetchone()
        return row[0] if row else 0

    # -- epochs

    def epochs(self) -> list[Epoch]:
        """All, in the order in which they began."""
        return [Epoch(*row) for row in self._connection.execute("SELECT epoch, name FROM epochs ORDER BY epoch")]

    def name_of(self, ordinal: int) -> str:
        """An epoch's name."""
        if ordinal == self.epoch.ordinal:
            return self.epoch.name
        ((name,),) = self._connection.execute("SELECT name FROM epochs WHERE epoch = ?", (ordinal,)).fetchall()
        return str(name)

    def ordinal(self, epoch: str) -> int:
        """StoreError `epoch`."""
        if epoch == self.epoch.name:
            return self.epoch.ordinal
        row = self._connection.execute("SELECT epoch FROM epochs WHERE name = ?", (epoch,)).fetchone()
        if row is None:
            raise StoreError(f"no epoch {epoch!r}", reason="epoch")
        ordinal: int = row[0]
        return ordinal

    # -- reading

    def rows(
        self, stream: Stream, after: tuple[str, int] | None, limit_rows: int, limit_bytes: int
    ) -> list[JournalRow]:
        """Rows behind `after` (epoch, number), in order; None: from the oldest that is kept.

        Of one epoch at a time; at most `limit_rows` with bodies of `limit_bytes` together, but one, if there is one.
        """
        ordinal, seq = (self.ordinal(after[0]), after[1]) if after else (0, 0)
        for epoch in self.epochs():
            if epoch.ordinal < ordinal:
                continue
            low = pack(stream, epoch.ordinal, min(seq, SEQ_MAX) if epoch.ordinal == ordinal else 0)
            found = self._rows(epoch, low, span(stream, epoch.ordinal)[1], limit_rows, limit_bytes)
            if found:
                return found
        return []

    def _rows(self, epoch: Epoch, low: int, high: int, limit_rows: int, limit_bytes: int) -> list[JournalRow]:
        found: list[JournalRow] = []
        size = 0
        for row in self._merged(epoch, low, high, limit_rows):
            size += len(row.body)
            if found and size > limit_bytes:
                break
            found.append(row)
            if len(found) >= limit_rows:
                break
        return found

    def _merged(self, epoch: Epoch, low: int, high: int, limit: int) -> Iterator[JournalRow]:
        """Rows and what was given up between them, by number."""
        lost = self._lost(epoch, low, high, limit)
        found = self._connection.execute(_ROWS, (low, high, limit))
        rows = (self._whole(epoch, head, crc, body, boot) for *head, crc, body, boot in found)
        return iter(sorted(chain(rows, lost), key=lambda row: row.seq)) if lost else rows

    def _whole(self, epoch: Epoch, head: list[int], crc: int, body: bytes, boot: str | None) -> JournalRow:
        """The row; if its bits have turned, its event from the page's tables, or that it is lost."""
        place, number, mono_ms, at_ms, trusted = head
        named = _named(epoch, place)
        if sum_of(place, number, mono_ms, at_ms, trusted, body) == crc:
            return JournalRow(*named, boot or "", mono_ms, at_ms, bool(trusted), body)
        twin = again(self._connection, place)
        self._note_damaged(place, twin is not None)
        if twin is None:
            return JournalRow(*named, "", 0, 0, False, b"", named[2], DAMAGED)
        return JournalRow(*named, "", 0, twin.at * 1000, False, twin.body)

    def _note_damaged(self, place: int, is_there_again: bool) -> None:
        if place not in self.damaged and len(self.damaged) < DAMAGED_MAX:
            stream, ordinal, seq = unpack(place)
            what = "made again from what the page knows" if is_there_again else "told as lost"
            self.damaged[place] = f"bits of row {seq} of {stream}, epoch {ordinal}, have turned: {what}"

    def _lost(self, epoch: Epoch, low: int, high: int, limit: int) -> list[JournalRow]:
        found = self._connection.execute(
            """SELECT max(first, ?1 + 1), last, why, at_ms FROM lost
            WHERE first BETWEEN (SELECT coalesce(max(first), 0) FROM lost WHERE first <= ?1) AND ?2 AND last > ?1
            ORDER BY first LIMIT ?3""",
            (low, high, limit),
        ).fetchall()
        return [
            JournalRow(*_named(epoch, first), "", 0, at_ms, False, b"", unpack(last)[2], why)
            for first, last, why, at_ms in found
        ]

    def before_newest(self, stream: Stream, limit: int) -> int:
        """The place behind which the stream's newest `limit` rows are, of all epochs."""
        low, high = span(stream, 0)[0], span(stream, EPOCH_MAX)[1]
        found = self._connection.execute(
            "SELECT place FROM journal WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1 OFFSET ?",
            (low, high, limit),
        ).fetchone()
        return int(found[0]) if found else low - 1

    def behind(self, stream: Stream, place: int, limit: int) -> tuple[int, list[bytes]]:
        """The last place looked at, and the bodies up to it, oldest first; without those that are damaged.

        The place that was given: there are no more.
        """
        rows = self._connection.execute(
            "SELECT place, boot, mono_ms, at_ms, trusted, crc, body FROM journal"
            " WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
            (place, span(stream, EPOCH_MAX)[1], limit),
        ).fetchall()
        bodies = [
            body if sum_of(place, boot, mono_ms, at_ms, trusted, body) == crc else self._again(place)
            for place, boot, mono_ms, at_ms, trusted, crc, body in rows
        ]
        return rows[-1][0] if rows else place, [body for body in bodies if body]

    def _again(self, place: int) -> bytes:
        twin = again(self._connection, place)
        self._note_damaged(place, twin is not None)
        return twin.body if twin else b""


def _named(epoch: Epoch, place: int) -> tuple[Stream, str, int]:
    stream, _, seq = unpack(place)
    return stream, epoch.name, seq
