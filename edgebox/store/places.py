"""Where a row stands in the journal: stream, epoch and number; also packed into the one integer that SQLite sorts by.

Owns: `Place`, `JournalRow`, `Backlog`, the packing, and the sum over a row. Never: meets a database.

Packed: 7 bits of stream, 16 of epoch, 40 of number. As the table's rowid it needs no second index, rows of one stream
lie side by side in order, and new ones go to the end. A WITHOUT ROWID table keyed by the three columns leaves its pages
half empty, because SQLite packs only a rowid table's pages when rows come in order (measured: 56 % full against 85 %).

SQLite keeps no sums over its pages: bits that turn on the card, and leave JSON that can be read, would be sent as true.
So each row carries a CRC-32 of itself and its place (zlib's; it finds every burst of up to 32 bits).
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from edgebox.store.events import Stream

SEQ_BITS = 40  # a million rows a second for twelve days, or a thousand for 34 years
EPOCH_BITS = 16  # an epoch's ordinal has four digits
SEQ_MAX = (1 << SEQ_BITS) - 1
EPOCH_MAX = 9999
DAMAGED = "damaged"  # why a row is told as lost that was broken on the card
STREAMS = tuple(Stream)  # numbered in this order, for ever: a new one goes to the end
NUMBER_OF: dict[Stream, int] = {stream: number for number, stream in enumerate(STREAMS)}
_HEAD = struct.Struct("<5q").pack  # place, boot, mono_ms, at_ms, trusted: SQLite's integers have 64 bits


class Place(NamedTuple):
    """The name of a row for ever; with the box's, it is what a consumer removes duplicates by."""

    stream: Stream
    epoch: str
    seq: int


class JournalRow(NamedTuple):
    """A row as it goes out. `lost`: why rows `seq`…`lost_to` were given up; then there is no body."""

    stream: Stream
    epoch: str
    seq: int
    boot: str
    mono_ms: int
    at_ms: int
    trusted: bool
    body: bytes
    lost_to: int = 0
    lost: str = ""


class Backlog(NamedTuple):
    """What the cloud has not acknowledged. `oldest_ms`: when the first of it was recorded, 0 for nothing."""

    rows: int
    oldest_ms: int


class Extent(NamedTuple):
    """One stream in one epoch: the cloud has rows 1 to `acknowledged`, and the last one is `end`."""

    stream: Stream
    epoch: str
    acknowledged: int
    end: int


def sum_of(place: int, boot: int, mono_ms: int, at_ms: int, trusted: int, body: bytes) -> int:
    """What stands in the row's column `crc`: a number of 32 bits."""
    return zlib.crc32(body, zlib.crc32(_HEAD(place, boot, mono_ms, at_ms, trusted)))


def pack(stream: Stream, ordinal: int, seq: int) -> int:
    """The rowid."""
    return NUMBER_OF[stream] << (EPOCH_BITS + SEQ_BITS) | ordinal << SEQ_BITS | seq


def unpack(place: int) -> tuple[Stream, int, int]:
    """Stream, the epoch's ordinal and the number."""
    stream, rest = divmod(place, 1 << (EPOCH_BITS + SEQ_BITS))
    ordinal, seq = divmod(rest, 1 << SEQ_BITS)
    return STREAMS[stream], ordinal, seq


def span(stream: Stream, ordinal: int) -> tuple[int, int]:
    """The first and the last rowid that a stream may have in an epoch."""
    return pack(stream, ordinal, 0), pack(stream, ordinal, SEQ_MAX)
