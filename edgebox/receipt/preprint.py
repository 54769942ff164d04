"""Does this till print the next receipt's header before the cut?

Owns: the watch over several documents of one till. Never: changes anything; it only says what to set. Some tills feed,
print the shop's name for the next customer, and then cut: the cutter sits above the head, so that saves paper. A slip
put right before such a cut would go to the next customer; `header_preprint` in `[[line]]` tells the line.

Sign: behind a wide gap, the same last lines on several documents in a row, with which none of them begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from edgebox.escpos.lines import Line

SAME = 3  # documents in a row: two could be chance
GAP_DOTS = 75  # about two and a half blank lines: a footer stands closer to its receipt than that
TAIL_MAX = 8  # lines of a header; real ones have two to five


class Outline:
    """The first and last lines of one document, as they come."""

    __slots__ = ("_tail", "first")

    def __init__(self) -> None:
        self.first = ""
        self._tail: deque[Line] = deque(maxlen=TAIL_MAX + 1)

    def add(self, lines: Iterable[Line]) -> None:
        """More lines of the document."""
        for line in lines:
            if not self.first:
                self.first = line.text.strip()
            self._tail.append(line)

    def behind_gap(self) -> tuple[str, ...]:
        """The lines behind the last wide gap; none where there is no such gap."""
        found: list[str] = []
        below = None
        for line in reversed(self._tail):
            if below is not None and below - line.top >= GAP_DOTS:
                return tuple(reversed(found))
            found.append(line.text.strip())
            below = line.top
        return ()


class PreprintWatch:
    """Documents of one till, one after the other."""

    def __init__(self) -> None:
        self._block: tuple[str, ...] = ()
        self._count = 0

    def ended(self, outline: Outline) -> str:
        """The header's first line once the till is found out, else empty. Said once for each header."""
        block = outline.behind_gap()
        if not block or outline.first in block or len(block) > TAIL_MAX:
            self._block, self._count = (), 0
            return ""
        self._count = self._count + 1 if block == self._block else 1
        self._block = block
        return block[0] if self._count == SAME else ""
