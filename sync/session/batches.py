"""Journal rows → the JSON of a Batch (sync/contract.py), put together from parts that are JSON already.

Owns: that form, and how many rows fit in one message. Never: decodes an event: its bytes go out as they were stored.

A test decodes what this makes with the contract's own types. Joining bytes takes a tenth of what encoding would: a box
that comes back after weeks has a million rows to send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from sync.contract import VERSION

PLAIN_BYTES = 96  # of a row's other fields, at most, besides `boot`, `lost` and the event


class JournalRow(Protocol):
    """What the store hands out: edgebox/store/store.py."""

    @property
    def epoch(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def boot(self) -> str: ...
    @property
    def mono_ms(self) -> int: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def trusted(self) -> bool: ...
    @property
    def body(self) -> bytes: ...
    @property
    def lost_to(self) -> int: ...
    @property
    def lost(self) -> str: ...


class Part(NamedTuple):
    """One message: rows `first` through `last`, as JSON. `rows`: how many entries it has."""

    first: int
    last: int
    rows: int
    payload: bytes


class BatchWriter:
    """Makes the batches of one box."""

    def __init__(self, box: str) -> None:
        self._box = _text(box)
        self._boot = ("", b'""')  # rows of one boot come together

    def parts(
        self, stream: str, rows: Sequence[JournalRow], span: tuple[int, int], *, rows_max: int, bytes_max: int
    ) -> Iterator[Part]:
        """`rows`, which are all that the store has of `span`, as messages of up to `rows_max` rows and `bytes_max`.

        Rows are of one epoch. Numbers of the span that the store hasn't got go out as lost, so that the cloud does not
        wait for them for ever. A row that is larger than `bytes_max` makes a message by itself.
        """
        if not rows:
            return
        head = b'{"v":%d,"box":%b,"epoch":%b,"stream":%b,"rows":[' % (
            *(VERSION, self._box, _text(rows[0].epoch), _text(stream)),
        )
        entries: list[bytes] = []
        size, first, due = 0, span[0], span[0]
        for row in rows:
            entry = self._row(row)
            if row.seq > due:
                entry = _missing(due, row.seq - 1) + b"," + entry
            if entries and (len(entries) >= rows_max or size + len(entry) + len(head) + 2 > bytes_max):
                yield Part(first, due - 1, len(entries), head + b",".join(entries) + b"]}")
                entries, size, first = [], 0, due
            entries.append(entry)
            size += len(entry) + 1
            due = max(row.seq, row.lost_to) + 1
        yield Part(first, due - 1, len(entries), head + b",".join(entries) + b"]}")

    def gone(self, stream: str, epoch: str, span: tuple[int, int]) -> Part:
        """A message that says that the store has nothing of `span`."""
        head = b'{"v":%d,"box":%b,"epoch":%b,"stream":%b,"rows":[' % (VERSION, self._box, _text(epoch), _text(stream))
        return Part(*span, 1, head + _missing(*span) + b"]}")

    def _row(self, row: JournalRow) -> bytes:
        if row.lost:
            return b'{"seq":%d,"to":%d,"lost":%b}' % (row.seq, max(row.seq, row.lost_to), _text(row.lost))
        if row.boot != self._boot[0]:
            self._boot = (row.boot, _text(row.boot))
        return b'{"seq":%d,"boot":%b,"mono_ms":%d,"at_ms":%d,"trusted":%b,"event":%b}' % (
            *(row.seq, self._boot[1], row.mono_ms, row.at_ms),
            *(b"true" if row.trusted else b"false", row.body or b"null"),
        )


def _missing(first: int, last: int) -> bytes:
    return b'{"seq":%d,"to":%d,"lost":"missing"}' % (first, last)


def _text(text: str) -> bytes:
    return msgspec.json.encode(text)
