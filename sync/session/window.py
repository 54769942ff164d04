"""The window: how many messages may be out, which goes next, and what is lost with a connection.

Owns: the order (signs of life and replies, fresh rows, backlog), the room for each, the crash loop of a message that
kills its connection. Never: touches a socket, a store or a clock: `now` is seconds, monotonic.

paho keeps its own queue and ignores what the broker is ready to receive. Here nothing is handed out that the broker has
no room for; whatever is not out is on the disk and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sync.contract import MESSAGE_BYTES, Ack
from sync.session.batches import BatchWriter, JournalRow, Part
from sync.session.lane import Gap, Lane, Patience, Piece
from sync.session.outgoing import NEVER, Outgoing, OutgoingQueue
from sync.session.shelf import Ready, Shelf
from sync.session.verdicts import BLAME, NO_SUBSCRIBERS, REFUSED, words

BACKLOG_BATCHES = 4  # out at once, in bytes: a fresh receipt waits for no more than these on a slow line
ROWS_MAX = 4096  # in one message; rows of 30 bytes would make more
MESSAGE_HEAD_BYTES = 512  # MQTT's own part of a packet: topic, properties
PACKET_HEAD_BYTES = 40  # besides topics and correlation data: lengths, packet id, expiry (MQTT 5, 3.3)
STRIKES = 3  # connections lost with the same rows first in line: it is not the line
KEPT_FREE = 8  # one in so many slots is for what comes in fresh
ANSWER_S = 300.0  # without one answer, with messages out: a batch of 128 KB takes so long at 3.5 kbit/s
AHEAD = 4  # windows of messages that are read from the disk at once, and wait for their turn


class Limits(NamedTuple):
    """`window`: messages out at once; `batch_bytes` and `batch_rows`: of one message."""

    window: int = 64
    batch_bytes: int = 128 << 10
    batch_rows: int = ROWS_MAX


class Grant(NamedTuple):
    """What the broker grants a connection (CONNACK): messages that it takes at once, and the largest packet."""

    receive_maximum: int = 65_535
    packet_bytes: int = 1 << 28


class Read(NamedTuple):
    """Rows that the session wants next, to be handed to `cut`. `bytes_max`: of one message."""

    stream: str
    gap: Gap
    rows_max: int
    bytes_max: int
    fresh: bool
    connection: int


class Session:
    """What is out and what goes next. `streams`: in order of importance."""

    def __init__(
        self,
        box: str,
        streams: Sequence[str],
        limits: Limits,
        *,
        by_broker: bool = False,
        jitter: Callable[[int], float],
        patience: Patience | None = None,
    ) -> None:
        self.lanes = {
            name: Lane(name, by_broker=by_broker, rows_max=limits.batch_rows, jitter=jitter, patience=patience)
            for name in streams
        }
        self.queue = OutgoingQueue()
        self.counters: Counter[str] = Counter()
        self.refused: dict[str, str] = {}  # stream or kind → the last refusal, in words, until one is taken
        self.is_connected = False
        self._limits = limits
        self._by_broker = by_broker
        self._writer = BatchWriter(box)
        self._grant = Grant()
        self._connection = 0
        self._out: dict[int, Outgoing] = {}  # besides rows
        self._pieces: dict[int, Piece] = {}  # in the order in which they went out
        self._backlog_out = (0, 0)  # messages and bytes of them that are backlog
        self._fresh, self._behind = Shelf(), Shelf()
        self._proven = False  # this connection has carried a message both ways
        self._answered_at: float | None = None  # or when there was nothing to answer
        self._suspect: Piece | None = None
        self._strikes = 0
        self._solo = False

    # -- the connection

    def connected(self, grant: Grant) -> None:
        """The broker has let us in."""
        self.is_connected = True
        self._grant = grant
        self._connection += 1
        self._proven = False
        self._answered_at = None
        for lane in self.lanes.values():
            lane.connected()

    def disconnected(self, reason: int, now: float) -> None:
        """The connection is gone; `reason` as a DISCONNECT gave it, 0 without one. All that was out goes again."""
        self.is_connected = False
        oldest = next(iter(self._pieces.values()), None)
        for message in reversed(self._out.values()):
            self.queue.put(message, again=True)
        self._out.clear()
        self._pieces.clear()
        self._fresh.clear()
        self._behind.clear()
        self._backlog_out = (0, 0)
        for lane in self.lanes.values():
            lane.disconnected()
        if oldest is not None:
            self._blame(oldest, reason, now)

    def _blame(self, piece: Piece, reason: int, now: float) -> None:
        """A message that ends its connection each time must not stop all others for ever."""
        if self._suspect is None or (piece.stream, piece.epoch, piece.first) != self._suspect[:3]:
            self._strikes = 0
        self._suspect = piece
        self._strikes += STRIKES if reason in BLAME else 1
        if self._strikes < STRIKES:
            return
        self._strikes = 0
        if piece.rows > 1 or (self._solo and self._proven):
            self.lanes[piece.stream].suspect(piece, now, certain=True)
            self.refused[piece.stream] = words(reason) if reason else "the connection ends with it each time"
            self.counters["connections lost to a message"] += 1
        self._solo = True

    # -- what goes next

    @property
    def out_count(self) -> int:
        """Messages out."""
        return len(self._out) + len(self._pieces)

    @property
    def window(self) -> int:
        """Messages that may be out."""
        return max(1, min(self._limits.window, self._grant.receive_maximum))

    def next(self, now: float) -> Outgoing | Ready | Read | None:
        """What to send (then tell `sent` or `sent_other`) or to read (then `cut`); None: wait."""
        free = self.window - self.out_count
        if not self.is_connected or free < 1:
            return None
        while message := self.queue.next(now):
            if not self.is_too_large(message):
                return message
            self.queue.taken()
            self.counters[f"too large {message.kind}"] += 1
            self.refused[message.kind] = f"larger than the broker's {self._grant.packet_bytes} bytes"
        if self._solo and self._pieces:
            return None
        return self._next_fresh(free, now) or self._next_backlog(free, now)

    def _next_fresh(self, free: int, now: float) -> Ready | Read | None:
        if found := self._fresh.first():
            lane, ready = found
            return None if lane.is_held(now) else ready
        for lane in self.lanes.values():
            if gap := lane.fresh(now):
                return self._read(lane, gap, free, fresh=True)
        return None

    def _next_backlog(self, free: int, now: float) -> Ready | Read | None:
        messages, size = self._backlog_out
        if messages and (free <= self.window // KEPT_FREE or size >= BACKLOG_BATCHES * self._bytes_max):
            return None
        if found := self._behind.first():
            lane, ready = found
            return None if lane.is_held(now) else ready
        for lane in self.lanes.values():
            if gap := lane.backlog(now):
                return self._read(lane, gap, AHEAD * self.window, fresh=False)
        return None

    def is_too_large(self, message: Outgoing) -> bool:
        """The broker would hang up at it."""
        return message.size + PACKET_HEAD_BYTES > self._grant.packet_bytes

    def is_stuck(self, now: float) -> bool:
        """The broker takes messages and answers none."""
        return self._answered_at is not None and now - self._answered_at >= ANSWER_S

    @property
    def _packet_bytes(self) -> int:
        """Of a message with rows: what the broker takes, and the contract allows."""
        return min(self._grant.packet_bytes, MESSAGE_BYTES + MESSAGE_HEAD_BYTES)

    @property
    def _bytes_max(self) -> int:
        return max(1, min(self._limits.batch_bytes, self._packet_bytes - MESSAGE_HEAD_BYTES))

    def _read(self, lane: Lane, gap: Gap, messages: int, *, fresh: bool) -> Read:
        messages = 1 if self._solo else min(messages, lane.messages_max)
        rows = min(gap.last - gap.first + 1, gap.rows_max * messages, ROWS_MAX)
        return Read(lane.stream, gap, rows, self._bytes_max, fresh, self._connection)

    def wait_s(self, now: float) -> float:
        """How long until a stream that is held may be tried; infinite when none is."""
        return min((lane.held_until - now for lane in self.lanes.values() if lane.held_until > now), default=NEVER)

    def cut(self, read: Read, rows: Sequence[JournalRow], now: float) -> None:
        """Makes messages of `rows`; `next` gives them out. What was read for an earlier connection is let go."""
        lane, gap = self.lanes[read.stream], read.gap
        if not self.is_connected or read.connection != self._connection or not lane.has(gap.epoch):
            return
        made: list[Ready] = []
        for part in self._parts(read, rows):
            piece = Piece(
                *(read.stream, gap.epoch, part.first, part.last, part.rows, len(part.payload)), read.fresh, gap.asked
            )
            if piece.size + MESSAGE_HEAD_BYTES > self._packet_bytes:
                self._too_large(lane, piece, now)
                break
            made.append(Ready(piece, part.payload))
        (self._fresh if read.fresh else self._behind).put(lane, made)

    def _parts(self, read: Read, rows: Sequence[JournalRow]) -> Iterator[Part]:
        gap = read.gap
        here = [row for row in rows if row.epoch == gap.epoch and row.seq <= gap.last]
        if not here:
            return iter([self._writer.gone(read.stream, gap.epoch, (gap.first, gap.last))])
        span = (gap.first, gap.last)
        return self._writer.parts(read.stream, here, span, rows_max=gap.rows_max, bytes_max=read.bytes_max)

    def _too_large(self, lane: Lane, piece: Piece, now: float) -> None:
        """One row that is larger than the largest message."""
        whose = "the broker's " if self._grant.packet_bytes == self._packet_bytes else ""
        self.refused[piece.stream] = f"row {piece.first} is larger than {whose}{self._packet_bytes} bytes"
        lane.counters["refused"] += 1
        lane.suspect(piece, now, certain=True)

    def sent(self, token: int, piece: Piece) -> None:
        """A message with rows is on its way; `token` comes back with its answer."""
        self.lanes[piece.stream].sent(token, piece)
        self._pieces[token] = piece
        (self._fresh if piece.fresh else self._behind).sent(piece)
        self._count_backlog(piece, 1)

    def _count_backlog(self, piece: Piece, sign: int) -> None:
        if not piece.fresh:
            messages, size = self._backlog_out
            self._backlog_out = (messages + sign, size + sign * piece.size)

    def sent_other(self, token: int, message: Outgoing) -> None:
        """The one that `next` gave is on its way."""
        self.queue.taken()
        self._out[token] = message

    # -- answers

    def puback(self, token: int, reason: int, now: float) -> None:
        """The broker's answer to a message. One that we know nothing of is counted."""
        if token in self._out or token in self._pieces:
            self._answered_at = now
        if message := self._out.pop(token, None):
            self._note(message.kind, reason)
            self._proven = True
            return
        piece = self._pieces.pop(token, None)
        if piece is None:
            self.counters["puback_unknown"] += 1
            return
        lane = self.lanes[piece.stream]
        self._count_backlog(piece, -1)
        if self._suspect and piece.stream == self._suspect.stream and piece.first <= self._suspect.last:
            self._suspect, self._strikes = None, 0
        self._solo = self._solo and self._suspect is not None
        self._proven = True
        lane.puback(token, reason, now)
        self._note(lane.stream, reason)

    def _note(self, name: str, reason: int) -> None:
        if reason >= REFUSED:
            self.counters[f"refused {name}"] += 1
        if reason >= REFUSED or (reason == NO_SUBSCRIBERS and name in self.lanes):
            self.refused[name] = words(reason)
        elif name in self.refused and not (name in self.lanes and self.lanes[name].quarantined):
            del self.refused[name]

    def ack(self, ack: Ack, now: float) -> int:
        """Through which row of `ack.stream` the store is to be marked; 0: none."""
        lane = self.lanes.get(ack.stream)
        if lane is None:
            self.counters["ack_stream"] += 1
            return 0
        if self._by_broker:
            self.counters["ack_not_wanted"] += 1
            return 0
        return lane.ack(ack, now)

    def tick(self, now: float) -> None:
        """To be called about once a second."""
        if not self.out_count or self._answered_at is None:
            self._answered_at = now
        for lane in self.lanes.values():
            lane.tick(now)
