"""Stops asking an engine that doesn't answer.

Owns: the count of misses and when to try again. Never: the wire. Three misses in a row open it: from then on nothing
is held at all (fifteen cuts in one job must not cost fifteen deadlines) until the engine answers a ping.
"""

from __future__ import annotations

from edgebox.line.frames import Ping

MISSES = 3  # design §3
PING_S = 1.0  # while open, ask this often


class Breaker:
    """Closed: the engine is asked. Open: it isn't."""

    def __init__(self) -> None:
        self.open = False
        self._misses = 0
        self._nonce = 0
        self.ping_at = -1.0  # when the next ping is due; -1: none

    def hit(self) -> None:
        """An answer came in time."""
        self._misses = 0

    def miss(self, now: float) -> bool:
        """None came; True when that opened the breaker."""
        self._misses += 1
        if self._misses < MISSES or self.open:
            return False
        self.open = True
        self.ping_at = now
        return True

    def reset(self) -> None:
        """A new connection: give it a chance."""
        self.open = False
        self._misses = 0
        self.ping_at = -1.0

    def ping(self, now: float) -> Ping | None:
        """The ping to send, when one is due."""
        if not self.open or now < self.ping_at:
            return None
        self._nonce += 1
        self.ping_at = now + PING_S
        return Ping(self._nonce)

    def pong(self, nonce: int) -> None:
        """The engine is there again; an answer to an older ping proves nothing about now."""
        if nonce == self._nonce:
            self.reset()
