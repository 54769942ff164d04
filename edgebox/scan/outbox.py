"""Codes on their way to the till.

Owns: their order, what has been taken of them, and how long each may wait. Never: the port. A code that waits too long
is given up, aloud: typed a minute later it would stand on another customer's bill. While the till takes bytes nothing
waits: a keyboard at full speed types 50 characters a second, and a long code must not end in its middle. One that was
begun when the till's end broke is given up too: nobody knows how much of it arrived, and the rest alone would be
another code.
"""

from __future__ import annotations

from collections import deque

PEEK_BYTES = 4096


class Outbox:
    """In the order of `push`. `ends`: with these bytes the code is complete."""

    def __init__(self) -> None:
        self.size = 0  # bytes waiting
        self.given_up = 0  # codes forgotten for their age: a port may be in the middle of one
        self._pieces: deque[tuple[bytes, bool, float]] = deque()  # bytes, ends, since
        self._moved_at = float("-inf")  # when the till took something last
        self._begun = False  # what was taken stops inside a code
        self._skipping = False  # the rest of a code that was given up is still to come

    def __repr__(self) -> str:
        """Without the codes: one may be a payment's."""
        return f"Outbox({self.size} bytes)"

    def push(self, raw: bytes, ends: bool, now: float) -> None:
        """Behind everything else. Nothing at all may end a code, too: all of it came before."""
        if self._skipping:
            self._skipping = not ends
        elif raw:
            self._pieces.append((raw, ends, now))
            self.size += len(raw)
        elif ends and self._pieces:
            last, _, since = self._pieces.pop()
            self._pieces.append((last, True, since))
        elif ends:
            self._begun = False

    def peek(self) -> bytes:
        """What to write next."""
        if len(self._pieces) == 1:
            return self._pieces[0][0]
        found, size = [], 0
        for raw, _, _ in self._pieces:
            found.append(raw)
            size += len(raw)
            if size >= PEEK_BYTES:
                break
        return b"".join(found)

    def taken(self, count: int, now: float) -> None:
        """The till's end took `count` bytes of `peek()`."""
        self.size -= count
        self._moved_at = now
        while count and self._pieces:
            raw, ends, since = self._pieces.popleft()
            if count < len(raw):
                self._pieces.appendleft((raw[count:], ends, since))
                self._begun = True
                return
            count -= len(raw)
            self._begun = not ends

    def begin(self) -> None:
        """The till's end took a part of the next byte."""
        self._begun = self._begun or bool(self._pieces)

    @property
    def oldest(self) -> float | None:
        """Since when the first one waits for the till, and not for those before it."""
        return max(self._pieces[0][2], self._moved_at) if self._pieces else None

    def give_up_begun(self) -> int:
        """Forgets the rest of a code that was begun; how many codes that was (0 or 1)."""
        if not self._begun:
            return 0
        self._begun = False
        self._forget_one()
        return 1

    def give_up_older(self, than: float) -> int:
        """Forgets codes that wait since before `than`, a begun one among them; how many."""
        count = 0
        while self._pieces and max(self._pieces[0][2], self._moved_at) < than:
            self._begun = False
            self._forget_one()
            count += 1
        self.given_up += count
        return count

    def _forget_one(self) -> None:
        ended = False
        while self._pieces and not ended:
            raw, ended, _ = self._pieces.popleft()
            self.size -= len(raw)
        self._skipping = not ended
