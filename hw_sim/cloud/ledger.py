"""What the cloud has: every row of every box once, by (box, epoch, stream, seq), in SQLite.

Owns: the database's file and its one connection, rows, lost ranges, high-waters, alarms. Never: says to a box that it
has a row before that row is committed (`commit` ends before anybody sends an ack), and never replaces a row: a second
one of the same number with other content is an alarm, for then two boxes have one name, or one was cloned.

Threads: the consumer's, the page's and the caller's share the connection behind one lock; SQLite is quicker than they.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hw_sim.cloud.counted import Counted
from sync.contract import Ack, Batch, Row

ALARMS_MAX = 1000  # kept; older ones are counted only

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    box TEXT, epoch TEXT, stream TEXT, seq INTEGER, boot TEXT, mono_ms INTEGER, at_ms INTEGER, trusted INTEGER,
    event BLOB, came_ms INTEGER, PRIMARY KEY (box, epoch, stream, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost (
    box TEXT, epoch TEXT, stream TEXT, first INTEGER, last INTEGER, why TEXT,
    PRIMARY KEY (box, epoch, stream, first)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    box TEXT, epoch TEXT, stream TEXT, through INTEGER, duplicates INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (box, epoch, stream)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
    id INTEGER PRIMARY KEY, at INTEGER, box TEXT, kind TEXT, words TEXT) STRICT;
"""

Key = tuple[str, str, str]  # box, epoch, stream


class Taken(NamedTuple):
    """What a batch brought: its rows that were new, how many were known, whether all could be taken."""

    new: tuple[Row, ...]
    duplicates: int
    whole: bool = True


class Mark(NamedTuple):
    """How far one stream has come."""

    box: str
    epoch: str
    stream: str
    through: int
    highest: int
    missing: tuple[tuple[int, int], ...]
    duplicates: int


class Alarm(NamedTuple):
    """Something that a person should look at."""

    at: int
    box: str
    kind: str
    words: str


class Ledger:
    """The open database."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self.lock = threading.RLock()
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(_SCHEMA)
        path.chmod(0o600)
        self._counted: dict[Key, Counted] = {}
        self._within = False

    def close(self) -> None:
        """Lets go of the file."""
        with self.lock:
            self.db.close()

    @contextmanager
    def commit(self) -> Iterator[sqlite3.Connection]:
        """All that happens inside is on disk when it ends, or none of it. One in another joins the outer."""
        with self.lock:
            if self._within:
                yield self.db
                return
            self.db.execute("BEGIN IMMEDIATE")
            self._within = True
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                self._counted.clear()  # they may be ahead of the disk now
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
            finally:
                self._within = False

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    # -- rows

    def take(self, batch: Batch, came_ms: int) -> Taken:
        """Writes the rows that are new. Inside `commit`."""
        key = (batch.box, batch.epoch, batch.stream)
        counted = self._numbers(key)
        new, known, whole = [], 0, True
        for row in batch.rows:
            if row.seq in counted and max(row.seq, row.to) in counted:
                if self._was_lost(key, row):
                    new.append(row)
                else:
                    known += 1
            elif counted.add(row.seq, max(row.seq, row.to)):
                new.append(row)
            else:
                whole = False
        self._write(key, [row for row in new if not row.lost], came_ms)
        for row in new:
            if row.lost:
                values = (*key, row.seq, max(row.seq, row.to), row.lost)
                self.db.execute("INSERT OR IGNORE INTO lost VALUES (?, ?, ?, ?, ?, ?)", values)
        self.db.execute(
            "INSERT INTO marks VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET through = excluded.through, duplicates = duplicates + excluded.duplicates",
            (*key, counted.through, known),
        )
        return Taken(tuple(new), known, whole)

    def _write(self, key: Key, rows: list[Row], came_ms: int) -> None:
        self.db.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (*key, row.seq, row.boot, row.mono_ms, row.at_ms, int(row.trusted), bytes(row.event), came_ms)
                for row in rows
            ],
        )

    def _was_lost(self, key: Key, row: Row) -> bool:
        """A number that came before: True if only as given up. With other content than before it is an alarm."""
        if row.lost:
            return False
        sql = "SELECT event FROM rows WHERE box = ? AND epoch = ? AND stream = ? AND seq = ?"
        found = self.db.execute(sql, (*key, row.seq)).fetchone()
        if found is not None and found[0] != bytes(row.event):
            self.alarm(key[0], "conflict", f"{key[2]} {key[1]} {row.seq} came twice with different content")
        return found is None

    def _numbers(self, key: Key) -> Counted:
        if key not in self._counted:
            found = self.ask("SELECT through FROM marks WHERE box = ? AND epoch = ? AND stream = ?", *key)
            counted = Counted(found[0][0] if found else 0)
            where = "box = ? AND epoch = ? AND stream = ?"
            through = counted.through
            for (seq,) in self.ask(f"SELECT seq FROM rows WHERE {where} AND seq > ? ORDER BY seq", *key, through):
                counted.add(seq, seq)
            for first, last in self.ask(f"SELECT first, last FROM lost WHERE {where} AND last > ?", *key, through):
                counted.add(first, last)
            self._counted[key] = counted
        return self._counted[key]

    # -- what is said about them

    def ack(self, key: Key, *, with_missing: bool = False) -> Ack:
        """How far the stream has come; with the gaps behind, if they are to be sent again."""
        with self.lock:
            counted = self._numbers(key)
            newest, missing = counted.gaps() if with_missing else (0, ())
            return Ack(stream=key[2], epoch=key[1], through=counted.through, newest=newest, missing=missing)

    def has_gap(self, key: Key) -> bool:
        """Something is missing below the highest number."""
        with self.lock:
            return not self._numbers(key).is_whole

    def marks(self, box: str = "") -> list[Mark]:
        """All streams, or those of one box, in order of box, epoch and stream."""
        with self.lock:
            found = self.ask(
                "SELECT box, epoch, stream, duplicates FROM marks WHERE ? IN ('', box) ORDER BY 1, 2, 3", box
            )
            out = []
            for name, epoch, stream, duplicates in found:
                now = self._numbers((name, epoch, stream))
                out.append(Mark(name, epoch, stream, now.through, now.highest, now.missing(), duplicates))
            return out

    def events(self, box: str, stream: str) -> list[bytes]:
        """The events of one stream, in order."""
        where = "box = ? AND stream = ? ORDER BY epoch, seq"
        return [event for (event,) in self.ask(f"SELECT event FROM rows WHERE {where}", box, stream)]

    def lost(self, box: str) -> int:
        """How many numbers the box has given up."""
        found: int = self.ask("SELECT coalesce(sum(last - first + 1), 0) FROM lost WHERE box = ?", box)[0][0]
        return found

    # -- alarms

    def alarm(self, box: str, kind: str, words: str) -> None:
        """Notes something for a person; the same once."""
        with self.commit() as db:
            if self.ask("SELECT 1 FROM alarms WHERE box = ? AND kind = ? AND words = ?", box, kind, words):
                return
            db.execute("INSERT INTO alarms VALUES (NULL, ?, ?, ?, ?)", (int(time.time()), box, kind, words))
            db.execute("DELETE FROM alarms WHERE id <= (SELECT max(id) FROM alarms) - ?", (ALARMS_MAX,))

    def alarms(self, kind: str = "") -> list[Alarm]:
        """What was noted, oldest first; all, or one kind."""
        return [Alarm(*row) for row in self.ask("SELECT at, box, kind, words FROM alarms WHERE ? IN ('', kind)", kind)]
