"""Wrong codes that were typed: after a few of them, typing is locked for a while.

Owns: the count and when it is over. Never: the clock, which is handed in and only goes forward (time.monotonic).

A typed code has 30 secret bits. Whoever tries six in ten minutes, for a year, has tried 315,000 of a billion for each
serial: one chance in 3,000, and every try is recorded. A scanned code has 96 bits or a signature, and is not counted.
A restart forgets the count; a restart takes longer than a few tries do.
"""

from __future__ import annotations

from collections import deque


class Lockout:
    """`tries`: wrong codes within `window_s` that lock it for as long."""

    def __init__(self, tries: int, window_s: float) -> None:
        self._wrong: deque[float] = deque(maxlen=tries)
        self._window_s = window_s
        self.locked_times = 0  # since the start

    def is_locked(self, now_s: float) -> bool:
        """The last so many were all wrong, and the first of them not long ago enough."""
        return self.left_s(now_s) > 0

    def left_s(self, now_s: float) -> float:
        """How long it is still locked; 0: it isn't."""
        is_full = len(self._wrong) == self._wrong.maxlen
        return max(0.0, self._wrong[-1] + self._window_s - now_s) if is_full else 0.0

    def wrong(self, now_s: float) -> None:
        """Another one."""
        while self._wrong and now_s - self._wrong[0] >= self._window_s:
            self._wrong.popleft()
        was_locked = self.is_locked(now_s)
        self._wrong.append(now_s)
        self.locked_times += self.is_locked(now_s) and not was_locked

    def right(self) -> None:
        """A genuine code: whoever types knows what they have in hand."""
        self._wrong.clear()
