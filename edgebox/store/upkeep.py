"""What the writer does when nobody waits: the log into the file, and how much was written to the card today.

Owns: when a checkpoint is due, the meter, and the day's total (SD cards die of what is written to them). Never: during
a record, and never guesses: the kernel counts for each thread what it gave to write() (`wchar`) and to the block layer
(`write_bytes`) [proc(5)]; all writing to the database is done by one thread, so its figures are the database's, log and
checkpoints and all. The file system's own journal is not in them. On a RAM disk `write_bytes` stays 0, as it should.

The log is copied once 4 MB have been written. Pages that every receipt changes are copied once for a hundred receipts
then; later would save little more and make a start after a power cut slower.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edgebox.store.database import PAGE_BYTES

FILE = Path("/proc/thread-self/io")
COUNTER = "written_bytes"
CHECKPOINT_BYTES = 1000 * PAGE_BYTES  # SQLite's own default: 1000 pages [sqlite.org/wal.html]
COMMITS = 256  # when nobody ever stops: looked at after so many, some 3000 pages
Note = Callable[[sqlite3.Connection, int], None]


class Written(NamedTuple):
    """By one thread since it began, in bytes: given to write(), and on to the card."""

    given: int = 0
    to_card: int = 0


class Upkeep:
    """Of one database; used on its thread alone."""

    def __init__(self) -> None:
        self._at_checkpoint = Written()
        self._noted = 0  # bytes to the card that are in the counters
        self._looked_at = 0  # commits by then

    def is_due(self, commits: int) -> bool:
        """A busy writer has to look after its log, too."""
        return commits - self._looked_at >= COMMITS

    def tidy(self, connection: sqlite3.Connection, commits: int, *, last: bool, write: Callable[[Note], None]) -> None:
        """Copies a long log into the file; then, and at last, adds up. `write` runs a note in a transaction."""
        self._looked_at = commits
        now = written()
        is_long = now.given - self._at_checkpoint.given >= CHECKPOINT_BYTES
        if is_long:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            now = self._at_checkpoint = written()
        if last or (is_long and now.to_card > self._noted):
            write(lambda connection, at_ms: _add(connection, at_ms, now.to_card - self._noted))
            self._noted = now.to_card


def written() -> Written:
    """The calling thread's figures; zeros where the kernel keeps none (CONFIG_TASK_IO_ACCOUNTING)."""
    try:
        lines = FILE.read_text("ascii").splitlines()
    except OSError:
        return Written()
    figures = dict(line.split(": ") for line in lines)
    return Written(int(figures["wchar"]), int(figures["write_bytes"]))


def day_of(at_ms: int) -> str:
    """The day in UTC, as 2026-11-18: a counter's day, not one of the shop's books."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _add(connection: sqlite3.Connection, at_ms: int, written_bytes: int) -> None:
    connection.execute(
        """INSERT INTO counters VALUES (?, ?, ?)
        ON CONFLICT (day, name) DO UPDATE SET value = value + excluded.value""",
        (day_of(at_ms), COUNTER, written_bytes),
    )
