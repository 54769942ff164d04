"""The way of what was recorded: into the cloud, and whether all of it is there, once.

Owns: the demo's stopwatch between the box's record and the cloud's commit, and the comparison of the two ledgers.
Never: prints, or talks to a person.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebox.store.events import Stream
from edgebox.store.peek import bodies, peek
from edgebox.store.places import EPOCH_BITS, SEQ_BITS, SEQ_MAX
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Box
from sync.contract import Row

COMPARED = (Stream.RECEIPTS, Stream.CLAIMS)
REMEMBERED_MAX = 10_000  # arrivals that nobody has asked for
ACKS_S = 5.0  # the box writes acks down several times a second
SYNC_S = 20.0  # a receipt is there within milliseconds; behind an outage after the box's wait to connect again


class _Document(msgspec.Struct):
    session: str = ""
    document: int = 0


class Balance(NamedTuple):
    """Box against cloud: rows recorded; not in the cloud; there twice; that came twice and were thrown away; and how
    many the box still keeps to be sent, because it hasn't heard that the cloud has them."""

    recorded: int
    lost: int
    doubled: int
    thrown_away: int
    waiting: int


class Arrivals:
    """When each document reached the cloud. Both sides read one machine's uptime."""

    def __init__(self, cloud: Cloud) -> None:
        self._came: dict[tuple[str, str, int], float] = {}
        self._changed = threading.Condition()
        self._decode = msgspec.json.Decoder(_Document).decode
        cloud.consumer.on_row = self._arrived

    def _arrived(self, _box: Box, stream: str, row: Row) -> None:
        """Called behind the cloud's commit."""
        if stream not in COMPARED:
            return
        now_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6
        event = self._decode(row.event)
        with self._changed:
            self._came[stream, event.session, event.document] = max(0.0, now_ms - row.mono_ms)
            if len(self._came) > REMEMBERED_MAX:
                del self._came[next(iter(self._came))]
            self._changed.notify_all()

    def wait(self, stream: Stream, session: str, document: int, timeout_s: float = SYNC_S) -> float | None:
        """Milliseconds between record and the cloud's commit; None: it did not come in time."""
        key = (stream.value, session, document)
        with self._changed:
            self._changed.wait_for(lambda: key in self._came, timeout_s)
            return self._came.get(key)


def compare(data: Path, cloud: Cloud, box: str) -> Balance:
    """Every receipt and claim that the box has on disk, against what the cloud has."""
    recorded = lost = doubled = 0
    for stream in COMPARED:
        here, there = Counter(bodies(data, stream)), Counter(cloud.ledger.events(box, stream))
        recorded += here.total()
        lost += (here - there).total()
        doubled += (there - here).total()
    return Balance(recorded, lost, doubled, cloud.consumer.duplicates, _settled(data))


def _settled(data: Path) -> int:
    """Rows that the box has no ack for, once that doesn't sink any more: it writes acks down in groups."""
    until = time.monotonic() + ACKS_S
    while (waiting := _waiting(data)) and time.monotonic() < until:
        time.sleep(0.02)
    return waiting


def _waiting(data: Path) -> int:
    """Rows of all streams behind the box's high-water of acks."""
    with closing(peek(data)) as connection:
        waiting: int = connection.execute(
            "SELECT count(*) FROM journal LEFT JOIN heads ON stream = place >> ? AND epoch = place >> ? & ?"
            " WHERE place & ? > coalesce(acknowledged, 0)",
            (EPOCH_BITS + SEQ_BITS, SEQ_BITS, (1 << EPOCH_BITS) - 1, SEQ_MAX),
        ).fetchone()[0]
    return waiting
