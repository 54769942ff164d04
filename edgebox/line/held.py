"""What waits behind the last ink, for as long as it may.

Owns: the held bytes in their order, how many, since when. Never: decides when they go.
"""

from __future__ import annotations


class Held:
    """Bytes of the till that have not gone on. `since`: monotonic seconds, -1 while nothing waits."""

    __slots__ = ("_pieces", "since", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0
        self.since = -1.0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, raw: bytes, now: float) -> None:
        """One more piece."""
        self._pieces.append(raw)
        self.size += len(raw)
        self.start(now)

    def start(self, now: float) -> None:
        """Something waits from now on (also an incomplete command, which the parser keeps)."""
        if self.since < 0:
            self.since = now

    def take(self) -> bytes:
        """All of it, and nothing waits any more."""
        raw = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        self.since = -1.0
        return raw
