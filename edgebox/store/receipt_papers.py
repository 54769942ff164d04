"""The papers of receipts: redacted lines as a row beside the receipt's, for the page and for teaching.

Owns: the table `receipt_papers`: how a row is packed, read, and thinned. Never: in the journal, and never sent: what a
paper says stays in this box. Never redacts (edgebox/receipt/keeping.py does, before a paper gets here).

A row is written in its receipt's transaction and packed on the writer's thread, where nobody's paper waits. A paper of
40 lines is 1.5 KB of JSON and 0.7 KB packed. What a salvage can't read is gone: the receipt itself is kept twice.

How many bytes there are is estimated from some of the oldest and newest rows: adding up all of them would read 70 MB of
a card for 100,000 papers.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence

from edgebox.errors import StoreError
from edgebox.store.events import Stream
from edgebox.store.places import EPOCH_MAX, span, unpack

PAPER_BYTES = 1 << 17  # of one, before it is packed: 3,000 lines, above which nothing is read as a receipt
LEVEL = 6  # zlib's own; 9 takes twice as long for 1 % less
STEP_ROWS = 256  # thinned in one transaction: some 250 KB, as much as a step of retention
SAMPLE_ROWS = 32  # oldest and newest, whose sizes stand for all
ROW_BYTES = 24  # of a row besides its body: key, lengths, the line's name
READ_MAX = 200  # papers of one question: 5 ms of a card that is not cached


def enter(connection: sqlite3.Connection, place: int, line: str, paper: bytes) -> None:
    """Keeps a paper beside its receipt's row."""
    connection.execute(
        "INSERT OR REPLACE INTO receipt_papers VALUES (?, ?, ?)", (place, line, zlib.compress(paper, LEVEL))
    )


def unpacked(body: bytes) -> bytes:
    """A row's body as it was given. StoreError `damaged`: its bits have turned, or it would grow without end."""
    opening = zlib.decompressobj()
    try:
        found = opening.decompress(body, PAPER_BYTES + 1)
    except zlib.error as fault:
        raise StoreError("a paper's bits have turned", reason="damaged") from fault
    if not opening.eof or len(found) > PAPER_BYTES:
        raise StoreError("a paper's bits have turned", reason="damaged")
    return found


def find(connection: sqlite3.Connection, place: int) -> bytes | None:
    """A receipt's packed paper."""
    row = connection.execute("SELECT body FROM receipt_papers WHERE place = ?", (place,)).fetchone()
    return row[0] if row else None


def newest(connection: sqlite3.Connection, limit: int, line: str = "", before: int = 0) -> list[tuple[int, bytes]]:
    """Places and packed papers, newest first; of one line, if it is named; `before`: older than that place."""
    top = before or span(Stream.RECEIPTS, EPOCH_MAX)[1]
    rows: list[tuple[int, bytes]] = connection.execute(
        "SELECT place, body FROM receipt_papers WHERE place < ?1 AND (?2 = '' OR line = ?2)"
        " ORDER BY place DESC LIMIT ?3",
        (top, line, min(limit, READ_MAX)),
    ).fetchall()
    return rows


def estimate(connection: sqlite3.Connection) -> int:
    """Bytes that all papers take, about."""
    count = sum(last - first + 1 for first, last in _extents(connection))
    sizes: Sequence[tuple[int]] = connection.execute(
        "SELECT length(body) FROM (SELECT body FROM receipt_papers ORDER BY place LIMIT ?1)"
        " UNION ALL SELECT length(body) FROM (SELECT body FROM receipt_papers ORDER BY place DESC LIMIT ?1)",
        (SAMPLE_ROWS,),
    ).fetchall()
    return count * (ROW_BYTES + sum(size for (size,) in sizes) // len(sizes)) if sizes else 0


def thin(connection: sqlite3.Connection, before_ms: int, most_bytes: int) -> int:
    """Removes the first that are older than `before_ms` (of trusted times, see retention.py) or too many; how many."""
    row = connection.execute("SELECT min(place) FROM receipt_papers").fetchone()
    if row[0] is None:
        return 0
    through = _too_many(connection) if estimate(connection) > most_bytes else _old(connection, before_ms)
    return connection.execute("DELETE FROM receipt_papers WHERE place <= ?", (through,)).rowcount if through else 0


def _too_many(connection: sqlite3.Connection) -> int:
    asked = "SELECT max(place) FROM (SELECT place FROM receipt_papers ORDER BY place LIMIT ?)"
    found: int = connection.execute(asked, (STEP_ROWS,)).fetchone()[0]
    return found


def _old(connection: sqlite3.Connection, before_ms: int) -> int:
    """The place through which the first papers are old; 0: none. A time that was not trusted says nothing."""
    through = 0
    rows = connection.execute(
        "SELECT p.place, j.at_ms, j.trusted FROM receipt_papers p LEFT JOIN journal j ON j.place = p.place"
        " ORDER BY p.place LIMIT ?",
        (STEP_ROWS,),
    )
    for place, at_ms, is_trusted in rows:
        if is_trusted and at_ms >= before_ms:
            break
        through = place if is_trusted else through
    return through


def _extents(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """First and last place in each epoch."""
    place = 0
    while True:
        first = connection.execute("SELECT min(place) FROM receipt_papers WHERE place > ?", (place,)).fetchone()[0]
        if first is None:
            return
        end = span(Stream.RECEIPTS, unpack(first)[1])[1]
        yield first, connection.execute("SELECT max(place) FROM receipt_papers WHERE place <= ?", (end,)).fetchone()[0]
        place = end
