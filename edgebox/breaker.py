"""Stops asking an engine that doesn't answer: a line's, a scanner's.

Owns: the count of misses and when to try again. Never: the wire, or a frame. Three misses in a row open it: from then
on nothing waits for the engine (fifteen cuts in one job must not cost fifteen deadlines, nor three coupons three waits)
until it answers a ping. Pure, standard library only.
"""

from __future__ import annotations

MISSES = 3  # design §3
PING_S = 1.0  # while open, ask this often


class Breaker:
    """Closed: the engine is asked. Open: it isn't."""

    def __init__(self) -> None:
        self.is_open = False
        self.ping_at: float | None = None  # when the next ping is due; None: none is
        self._misses = 0
        self._nonce = 0

    def hit(self) -> None:
        """An answer came in time."""
        self._misses = 0

    def miss(self, now: float) -> bool:
        """None came; True when that opened the breaker."""
        self._misses += 1
        if self._misses < MISSES or self.is_open:
            return False
        self.is_open = True
        self.ping_at = now
        return True

    def reset(self) -> None:
        """A new connection, or a sign of life: give it a chance."""
        self.is_open = False
        self.ping_at = None
        self._misses = 0

    def ping(self, now: float) -> int:
        """The nonce of the ping to send now; 0: none is due."""
        if self.ping_at is None or now < self.ping_at:
            return 0
        self._nonce += 1
        self.ping_at = now + PING_S
        return self._nonce

    def pong(self, nonce: int) -> None:
        """The engine is there again; an answer to an older ping proves nothing about now."""
        if nonce == self._nonce:
            self.reset()
