"""Bytes on their way to the printer, and the places where something urgent may jump in.

Owns: the order of what is still to be written. Never: writes (the daemon does). Real-time commands overtake here too
when the printer is busy, but only at the boundary of a command, and never into one that has partly gone out.
"""

from __future__ import annotations

from collections import deque


class Outbox:
    """A queue of segments. Each says whether the stream stands at a command's boundary behind it."""

    __slots__ = ("_segments", "inside", "pushed", "size")

    def __init__(self) -> None:
        # Bytes, at a boundary behind them, urgent, and the document whose slip they are (-1: no slip).
        self._segments: deque[tuple[bytes, bool, bool, int]] = deque()
        self.inside = False  # what has been written stops inside a command
        self.size = 0  # bytes waiting
        self.pushed = 0  # bytes that ever came

    def push(self, raw: bytes, boundary: bool = True, slip_of: int = -1) -> None:
        """Behind everything else. A real-time command, also a part of one, keeps its place before later ones."""
        if raw:
            self._segments.append((raw, boundary, raw[:1] == b"\x10", slip_of))
            self.size += len(raw)
            self.pushed += len(raw)

    def push_rest(self, raw: bytes, boundary: bool) -> None:
        """The rest of bytes that were written in part without passing here: nothing may jump in before it."""
        self.inside = True
        self.push(raw, boundary)

    def push_urgent(self, raw: bytes) -> None:
        """As far forward as a boundary allows, behind what was urgent before it."""
        if not raw:
            return
        self.size += len(raw)
        self.pushed += len(raw)
        segments = self._segments
        behind = max((at for at, segment in enumerate(segments, 1) if segment[2]), default=0)
        at, inside = 0, self.inside
        for _, boundary, _, _ in segments:
            if not inside and at >= behind:
                break
            inside = not boundary
            at += 1
        segments.insert(at, (raw, True, True, -1))

    def peek(self) -> bytes:
        """What to write next: all of it, joined, when it is not much."""
        segments = self._segments
        if len(segments) == 1:
            return segments[0][0]
        return b"".join(raw for raw, _, _, _ in segments)

    def taken(self, count: int) -> None:
        """The printer's end took `count` bytes of `peek()`."""
        self.size -= count
        segments = self._segments
        while count and segments:
            raw, boundary, urgent, slip_of = segments[0]
            if count < len(raw):
                segments[0] = (raw[count:], boundary, urgent, slip_of)
                self.inside = True
                return
            count -= len(raw)
            segments.popleft()
            self.inside = not boundary

    @property
    def slips(self) -> list[int]:
        """Documents whose slip the printer's end has not taken, or not whole."""
        return sorted({slip_of for _, _, _, slip_of in self._segments if slip_of >= 0})

    def clear(self) -> int:
        """The printer is gone: forget all; how many bytes that was."""
        lost = self.size
        self._segments.clear()
        self.inside = False
        self.size = 0
        return lost
