"""Stops asking an engine that doesn't answer.

Owns: the count of misses, and when to try again. Never: codes. Three misses in a row open it: from then on everything
goes to the till at once, until the engine answers a ping; a cashier must not wait three times for each coupon.
"""

from __future__ import annotations

from edgebox.scan.frames import Ping

MISSES = 3  # design §3, as for the line
PING_S = 1.0  # while open, ask this often


class Breaker:
    """Closed: the engine is asked. Open: it isn't."""

    def __init__(self) -> None:
        self.is_open = False
        self.ping_at: float | None = None  # when the next ping is due
        self._misses = 0
        self._nonce = 0

    def hit(self) -> None:
        """A verdict came in time."""
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

    def ping(self, now: float) -> Ping | None:
        """The ping to send, when one is due."""
        if self.ping_at is None or now < self.ping_at:
            return None
        self._nonce += 1
        self.ping_at = now + PING_S
        return Ping(self._nonce)

    def pong(self, nonce: int) -> None:
        """The engine is there again; an answer to an older ping proves nothing about now."""
        if nonce == self._nonce:
            self.reset()
