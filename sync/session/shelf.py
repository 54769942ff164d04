"""Messages made of one read, until there is room for them.

Owns: that short queue. Never: more than one read of the disk, and nothing that is no longer what should be sent: when
the lane's version has gone up (a refusal, a range that the cloud misses), all of it is let go and read anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from sync.session.lane import Lane, Piece


class Ready(NamedTuple):
    """Rows to be published now; then tell `Session.sent`."""

    piece: Piece
    payload: bytes


class Shelf:
    """Of one lane at a time."""

    def __init__(self) -> None:
        self._ready: deque[Ready] = deque()
        self._lane: Lane | None = None
        self._version = 0

    def put(self, lane: Lane, made: Iterable[Ready]) -> None:
        """What stood here is let go."""
        self._ready, self._lane, self._version = deque(made), lane, lane.version

    def first(self) -> tuple[Lane, Ready] | None:
        """The next one and its lane; None: nothing, or nothing that still holds."""
        if self._lane is None or not self._ready or self._lane.version != self._version:
            self.clear()
            return None
        return self._lane, self._ready[0]

    def sent(self, piece: Piece) -> None:
        """It is on its way."""
        if self._ready and self._ready[0].piece is piece:
            self._ready.popleft()

    def clear(self) -> None:
        """Lets go of all."""
        self._ready.clear()
        self._lane = None
