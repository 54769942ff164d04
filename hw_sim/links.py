"""Bad cables: what happens to bytes on their way, decided by a seed and a clock that is handed in.

Owns: `Link`, one direction of a wire. Never: sleeps, opens a socket, reorders or alters bytes. The same seed and the
same calls give the same misfortune, so a failing scenario can be run again.
"""

from __future__ import annotations

import random
from collections import deque
from enum import Enum

_STALL_EVERY = 40  # bytes between two stalls, on average: several in every receipt
_STALL_S = 0.2  # longer than the line's time limits for an answer (150 ms), so that they are tried
_DELAY_S = 0.05  # a slow shop network


class Fault(Enum):
    """What ails the wire."""

    PERFECT = "perfect"
    ONE_BYTE = "one byte at a time"
    STALLING = "stalls between bytes"
    LOSSY = "drops the connection"
    DELAYED = "late, in order"
    UNPLUGGED = "nothing arrives"


class Link:
    """`push` bytes in, `pull` what has arrived by `now` (s), as the chunks in which it arrives.

    A LOSSY link breaks after `breaks_after` bytes (by default some tens to some hundreds): what was on its way is gone,
    `broken` is set until `mend`. UNPLUGGED is broken from the start.
    """

    def __init__(self, fault: Fault = Fault.PERFECT, *, seed: int = 0, breaks_after: int | None = None) -> None:
        self.fault = fault
        self.broken = fault is Fault.UNPLUGGED
        self.lost_bytes = 0
        self._chance = random.Random(seed)
        self._left = breaks_after if breaks_after is not None else self._chance.randrange(30, 600)
        self._way: deque[tuple[float, bytes]] = deque()  # (arrives at, chunk)
        self._last_at = 0.0

    def push(self, data: bytes, now: float) -> None:
        """The sender writes."""
        if self.fault is Fault.LOSSY and not self.broken:
            data = self._until_it_breaks(data)
        if self.broken:
            self.lost_bytes += len(data)
            return
        for chunk, after in self._chunks(data):
            self._last_at = max(self._last_at, now) + after
            self._way.append((self._last_at, chunk))

    def pull(self, now: float) -> list[bytes]:
        """What the receiver can read by now."""
        out = []
        while self._way and self._way[0][0] <= now:
            out.append(self._way.popleft()[1])
        return out

    @property
    def next_at(self) -> float | None:
        """When the next chunk arrives; None: nothing is on its way."""
        return self._way[0][0] if self._way else None

    def mend(self, now: float) -> None:
        """Plugged in again, or connected again. A LOSSY link will break again."""
        self.broken = False
        self._left = self._chance.randrange(30, 600)
        self._last_at = max(self._last_at, now)

    def cut(self) -> None:
        """Somebody pulls the plug: what was on its way is gone."""
        self.broken = True
        self.lost_bytes += sum(len(chunk) for _, chunk in self._way)
        self._way.clear()

    def _until_it_breaks(self, data: bytes) -> bytes:
        """The part that gets through; the rest is counted as lost."""
        self._left -= len(data)
        if self._left > 0:
            return data
        through = data[: len(data) + self._left]
        self.lost_bytes += len(data) - len(through)
        self._way.append((self._last_at, through))
        self.broken = True
        return b""

    def _chunks(self, data: bytes) -> list[tuple[bytes, float]]:
        """(chunk, seconds after the one before)."""
        if not data:
            return []
        if self.fault is Fault.ONE_BYTE:
            return [(data[at : at + 1], 0.0) for at in range(len(data))]
        if self.fault is Fault.DELAYED:
            return [(data, _DELAY_S * self._chance.random())]
        if self.fault is not Fault.STALLING:
            return [(data, 0.0)]
        out, at, wait = [], 0, 0.0
        while at < len(data):
            size = self._chance.randrange(1, 2 * _STALL_EVERY)
            out.append((data[at : at + size], wait))
            at, wait = at + size, _STALL_S * (0.5 + self._chance.random())
        return out
