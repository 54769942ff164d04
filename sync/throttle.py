"""How much of a broker's sending a box reads in a second, so that a flood holds up no receipt.

Owns: the bucket that each packet is paid from. Never: reads a clock or a socket: `now` (seconds, monotonic) is handed
in. What is not read waits in the broker's own memory: TCP tells it to.

PUBACKs for what we sent are free: there are never more of them than the window. All else is the broker's choice: acks
(a cloud sends a few a second), commands (a few a day), and whatever somebody who owns the broker makes up.
"""

from __future__ import annotations

PER_S = 200.0  # of the dearest, a command with a bad signature (0.4 ms), they take a tenth of one core
BURST = 400.0  # acks that had piled up while the box was away
FLOOD_S = 60.0  # after the last wait it is worth a word in the health for so long: a sign of life or two
BYTES_EACH = 8192  # what is longer counts as several: reading JSON takes 2 ns a byte, so this much is a small message


class Throttle:
    """`paid`: packets so far. `waits`: how often the bucket was empty."""

    def __init__(self, per_s: float = PER_S, burst: float = BURST) -> None:
        self.paid = 0
        self.waits = 0
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at: float | None = None
        self._waited_at: float | None = None

    def pay(self, size: int) -> None:
        """A packet of so many bytes was read."""
        self.paid += 1
        self._left -= 1 + size // BYTES_EACH

    def wait_s(self, now: float) -> float:
        """How long to read nothing."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left >= 0:
            return 0.0
        self.waits += 1
        self._waited_at = now
        return -self._left / self._per_s

    def is_flooded(self, now: float) -> bool:
        """It was empty not long ago."""
        return self._waited_at is not None and now - self._waited_at < FLOOD_S
