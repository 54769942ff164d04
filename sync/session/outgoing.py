"""What goes out besides rows: signs of life, replies, reports, questions.

Owns: `Outgoing` and the short queue of them. Never: keeps what has a place on the disk: a reply's step is a job record,
a report and a sign of life are made anew.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from typing import NamedTuple

QUEUE_MESSAGES = 256  # replies to a burst of commands; the broker's own window for us is smaller
QUEUE_BYTES = 2 << 20
NEVER = float("inf")


class Kind(StrEnum):
    """Of two of the first two kinds only the newer one is worth sending."""

    STATE = "state"
    REPORTED = "reported"
    REPLY = "reply"
    ASK = "ask"


_NEWEST_ONLY = (Kind.STATE, Kind.REPORTED)


class Outgoing(NamedTuple):
    """A message. `expires_at`: seconds, monotonic; not sent afterwards."""

    kind: Kind
    topic: str
    payload: bytes
    expires_at: float = NEVER
    retain: bool = False
    response_topic: str = ""
    correlation: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of it that are ours."""
        names = len(self.topic.encode()) + len(self.response_topic.encode())
        return len(self.payload) + names + len(self.correlation)


class OutgoingQueue:
    """First in, first out; signs of life go first. When it is full, the oldest is dropped and counted."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Outgoing, *, again: bool = False) -> None:
        """`again`: it was out when the connection was lost, and goes before the others."""
        if message.kind in _NEWEST_ONLY:
            older = [waiting for waiting in self._waiting if waiting.kind is message.kind]
            if again and older:
                return
            for waiting in older:
                self._drop(waiting)
        first = again or message.kind is Kind.STATE
        self._waiting.appendleft(message) if first else self._waiting.append(message)
        self._bytes += len(message.payload)
        while len(self._waiting) > QUEUE_MESSAGES or (self._bytes > QUEUE_BYTES and len(self._waiting) > 1):
            self._drop(self._waiting[0] if self._waiting[0] is not message else self._waiting[1])
            self.counters["dropped"] += 1

    def next(self, now: float) -> Outgoing | None:
        """The next one that still means something; it stays until `taken`."""
        while self._waiting and self._waiting[0].expires_at <= now:
            self._drop(self._waiting[0])
            self.counters["expired"] += 1
        return self._waiting[0] if self._waiting else None

    def taken(self) -> None:
        """The one that `next` gave is on its way."""
        self._drop(self._waiting[0])

    def _drop(self, message: Outgoing) -> None:
        self._waiting.remove(message)
        self._bytes -= len(message.payload)
