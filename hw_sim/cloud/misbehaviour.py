"""A cloud that misbehaves on request: refuses, delays, duplicates, reorders, disappears. Decided by a seed.

Owns: what becomes of each message on its way in, and of each ack on its way out. Pure: messages and a clock value in,
messages that are due out. Never: the ledger's business. Whatever goes wrong here, an ack says only what is committed.
`DISAPPEAR` is carried out by the cloud itself, which hangs up: then the broker says "no subscriber" (0x10).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

HELD_MAX = 100_000  # messages delayed at once; then the oldest goes on at once
REORDER_MS = 50  # messages of so long a time change places


class Mode(StrEnum):
    """What goes wrong."""

    NOTHING = "nothing"
    REFUSE = "refuse"  # batches are not taken and not acknowledged
    DELAY = "delay"  # everything comes late
    DUPLICATE = "duplicate"  # everything comes twice
    REORDER = "reorder"  # things change places
    DISAPPEAR = "disappear"  # the cloud hangs up


class Trouble(NamedTuple):
    """A mode, how often it strikes (0 to 1), and how long things are late."""

    mode: Mode = Mode.NOTHING
    share: float = 1.0
    delay_ms: int = 200


class Way(Generic[T]):
    """The way of one kind of message. `dropped`, `doubled`, `late`: what was done to them."""

    def __init__(self, trouble: Trouble, seed: int) -> None:
        self.trouble = trouble
        self.dropped = self.doubled = self.late = 0
        self._random = random.Random(seed)
        self._waiting: list[tuple[float, int, T]] = []
        self._count = 0

    def put(self, item: T, now_ms: float) -> None:
        """A message sets out."""
        mode, share, delay_ms = self.trouble
        strikes = mode is not Mode.NOTHING and self._random.random() < share
        if strikes and mode is Mode.REFUSE:
            self.dropped += 1
            return
        due = now_ms
        if strikes and mode is Mode.DELAY:
            due += delay_ms
        elif strikes and mode is Mode.REORDER:
            due += self._random.random() * REORDER_MS
        self.late += due > now_ms
        self._push(item, due)
        if strikes and mode is Mode.DUPLICATE:
            self.doubled += 1
            self._push(item, due)

    def due(self, now_ms: float) -> Iterator[T]:
        """What arrives by now."""
        while self._waiting and (self._waiting[0][0] <= now_ms or len(self._waiting) > HELD_MAX):
            yield heapq.heappop(self._waiting)[2]

    def next_due_ms(self) -> float | None:
        """When the next one arrives."""
        return self._waiting[0][0] if self._waiting else None

    def _push(self, item: T, due: float) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, item))
