"""Events in, lines of paper out: what a customer would read, and where each line stands in the stream.

Owns: `Line`, `Span`, `Picture`, `Symbol`, `Mark` and `Paper`, which lays a stream out as a printer would. Never: pixels
(edgebox/paper draws), nor any judgement of what a line means (receipt/reader).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edgebox.escpos.parser import Event
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import Style


class Span(NamedTuple):
    """Letters of one look, side by side. `column`: where they start, in font-A characters from the printable edge."""

    text: str
    column: int
    style: Style


class Line(NamedTuple):
    """One printed line that has something to read.

    `start`: offset in the stream of its first byte; `end`: offset after the byte that printed it; `top`: dots fed since
    the start of the stream.
    """

    text: str
    start: int
    end: int
    top: int
    spans: tuple[Span, ...]


class Picture(NamedTuple):
    """Printed dots. `kind`: the command's name in the manual; width and height in dots, 0 where it doesn't say."""

    kind: str
    width: int
    height: int
    start: int
    end: int
    top: int


class Symbol(NamedTuple):
    """A bar code or two-dimensional symbol. `kind`: qr, pdf417, code128, ean13 …; `text`: what it holds."""

    kind: str
    text: str
    start: int
    end: int
    top: int


class Mark(NamedTuple):
    """What happened to the paper's surroundings. `kind`: cut, drawer or sound."""

    kind: str
    start: int
    end: int
    top: int


Item = Picture | Symbol | Mark


class Paper:
    """Incremental: `feed` parser events, then take what is complete."""

    def __init__(self, profile: PrinterProfile) -> None:
        self.profile = profile
        self.dropped_lines = 0  # beyond the bound of 20,000 lines not taken

    def feed(self, events: Iterable[Event]) -> None:
        """Lays out the events; they follow each other without a gap from offset 0."""
        raise NotImplementedError

    def finish(self) -> None:
        """The stream has ended: what stands in the print buffer counts as printed (tills without a last LF)."""
        raise NotImplementedError

    def lines(self) -> list[Line]:
        """The lines completed and not taken."""
        raise NotImplementedError

    def take_lines(self) -> list[Line]:
        """As `lines`, and forgets them."""
        raise NotImplementedError

    def take_items(self) -> list[Item]:
        """Pictures, symbols and marks completed since the last call, in stream order; forgets them."""
        raise NotImplementedError

    def take_display(self) -> str:
        """Text sent to the customer display (ESC = 2) since the last call."""
        raise NotImplementedError
