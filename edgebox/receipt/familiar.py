"""Lines that one till prints again and again: its own header and footer, and no customer's words.

Owns: `FamiliarLines`, told every document of one wire in order. Never: keeps a text: only hashes of shapes (every
number is the same number), and they end with the connection.

A line is familiar once it stood on MANY documents, and on a quarter of the last ones: kitchen tickets and receipts may
come in turns. No customer is on every fourth receipt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MANY = 5  # documents: three in a row may be one customer's, who pays, returns and pays again
SHARE = 4  # of the documents remembered, one in so many
WINDOW = 64  # documents; then all counts are halved, and what is not printed any more is forgotten
SHAPES_MAX = 1024  # of one wire; a receipt has some dozens of lines
_numbers = re.compile(r"\d+").sub


class FamiliarLines:
    """Of one wire."""

    __slots__ = ("_counts", "_documents")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._documents = 0

    def knows(self, shape: int) -> bool:
        """A line of this shape is the till's own."""
        count = self._counts.get(shape, 0)
        return count >= MANY and count * SHARE >= self._documents

    def ended(self, shapes: Iterable[int]) -> None:
        """A document with lines of these shapes is over."""
        self._documents += 1
        for shape in set(shapes):
            if shape in self._counts or len(self._counts) < SHAPES_MAX:
                self._counts[shape] = self._counts.get(shape, 0) + 1
        if self._documents >= WINDOW or len(self._counts) >= SHAPES_MAX:
            self._documents //= 2
            halves = {shape: count // 2 for shape, count in self._counts.items()}
            self._counts = {shape: count for shape, count in halves.items() if count}


def shape_of(text: str) -> int:
    """Of a normalised line."""
    return hash(_numbers("0", " ".join(text.split())))
