"""Events in, lines of paper out: what a customer would read, and where each line stands in the stream.

Owns: `Picture`, `Symbol`, `Mark` and `Paper`, which keeps what the press prints until somebody takes it. Never: pixels
(edgebox/paper draws), nor any judgement of what a line means (receipt/reader). A line is what stands between two line
ends: it is not wrapped at the printer's width, because a wrong width in a profile would cut amounts in two.

Bounds: ITEMS_MAX items and DISPLAY_MAX characters not taken; what is beyond is counted. Lines: see lines.py.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.escpos.encodings import Decoder
from edgebox.escpos.images import ImageMemory
from edgebox.escpos.lines import Line, Lines
from edgebox.escpos.mechanism import Mechanism
from edgebox.escpos.page import Page
from edgebox.escpos.parser import Command
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import Node
from edgebox.escpos.symbols import BarCode, Symbology
from edgebox.escpos.typeset import Kind, Piece, Span

__all__ = ["Item", "Line", "Mark", "Paper", "Picture", "Span", "Symbol"]

ITEMS_MAX = 4096  # pictures, symbols and marks not taken
DISPLAY_MAX = 4096  # characters for the customer display not taken
SYMBOL_MODULE, SYMBOL_MODULES = 3, 25  # for `top` after a symbol: GS ( k's module at power-on, and QR version 2


class Picture(NamedTuple):
    """Printed dots. `kind`: the command's name in the manual; width and height in dots, 0 where it doesn't say."""

    kind: str
    width: int
    height: int
    start: int
    end: int
    top: int


class Symbol(NamedTuple):
    """A bar code or two-dimensional symbol. `kind`: see symbols.py; `text`: what it holds."""

    kind: str
    text: str
    start: int
    end: int
    top: int


class Mark(NamedTuple):
    """What happened around the paper. `kind`: cut, drawer or sound."""

    kind: str
    start: int
    end: int
    top: int


Item = Picture | Symbol | Mark


class Paper(Mechanism):
    """Incremental: `feed` parser events, then take what is complete."""

    def __init__(self, profile: PrinterProfile, *, start: int = 0, decoder: Decoder | None = None) -> None:
        super().__init__(profile, start=start, decoder=decoder)
        self.dropped_items = 0
        self.dropped_display = 0  # characters
        self._lines = Lines(self._decoder)
        self._items: list[Item] = []
        self._display: list[str] = []
        self._display_size = 0
        self._images = ImageMemory()

    @property
    def dropped_lines(self) -> int:
        """Lines lost because nobody took the ones before."""
        return self._lines.dropped

    def lines(self) -> list[Line]:
        """The lines completed and not taken."""
        return self._lines.read()

    def take_lines(self) -> list[Line]:
        """As `lines`, and forgets them."""
        return self._lines.take()

    def take_raw_lines(self) -> list[bytes]:
        """The completed lines' bytes, undecoded; forgets them."""
        return self._lines.take_raw()

    def take_items(self) -> list[Item]:
        """Pictures, symbols and marks since the last call, in stream order; forgets them."""
        items, self._items = self._items, []
        return items

    def take_display(self) -> str:
        """Text for the customer display (ESC = 2) since the last call."""
        shown = "".join(self._display)
        self._display, self._display_size = [], 0
        return shown

    # -- what the press prints

    def lay_run(self, body: bytes, start: int, node: Node, lines: int) -> None:
        """Keeps the lines for a reader."""
        self._lines.add_run(body, start, self.top, node, lines)

    def lay_row(self, pieces: list[Piece], end: int) -> int:
        """Keeps the line for a reader."""
        if any(piece.raw.strip() for piece in pieces):
            self._lines.add_row(pieces, end, self.top)
        return 0

    def lay_page(self, page: Page, end: int) -> None:
        """Keeps the page's lines for a reader."""
        for top, pieces in page.rows():
            self._lines.add_row(pieces, end, self.top + top)

    def lay_picture(self, command: Command, raw: bytes, start: int) -> None:
        """Notes size and place."""
        width, height = self._images.printed(command)
        self._put_item(Picture(command.name, width, height, start, start + command.total, self.top))
        self._move_on(height)

    def lay_stripe(self, command: Command, raw: bytes, start: int) -> None:
        """ESC *: joins the stripe above it to one picture."""
        width, height = self._images.printed(command)
        self._pieces.append(Piece(Kind.DOTS, b"", self._node.setting, start, width))
        end, last = start + command.total, self._items[-1] if self._items else None
        alike = isinstance(last, Picture) and (last.kind, last.width) == (command.name, width)
        if isinstance(last, Picture) and alike and last.top < self.top <= last.top + last.height:
            self._items[-1] = last._replace(height=self.top - last.top + height, end=end)
            return
        self._put_item(Picture(command.name, width, height, start, end, self.top))

    def lay_symbol(self, symbology: Symbology, start: int) -> None:
        """Keeps what it holds; its height is a guess."""
        self._put_item(Symbol(symbology.kind, symbology.text, start, self.offset, self.top))
        self._move_on((symbology.module or SYMBOL_MODULE) * (SYMBOL_MODULES + len(symbology.data) // 4))

    def lay_bar_code(self, code: BarCode, start: int, end: int) -> None:
        """Keeps what it holds."""
        setting = self._node.setting
        self._put_item(Symbol(code.kind, code.text, start, end, self.top))
        self._move_on(setting.bar_height + setting.char_height * (setting.hri > 0))

    def lay_mark(self, kind: str, command: Command, start: int) -> None:
        """Notes it."""
        self._put_item(Mark(kind, start, self.offset, self.top))

    def store(self, command: Command, raw: bytes) -> None:
        """Remembers the picture's size."""
        self._images.store(command)

    def show(self, text: str) -> None:
        """Keeps it for `take_display`."""
        room = DISPLAY_MAX - self._display_size
        self.dropped_display += max(len(text) - room, 0)
        if room > 0:
            self._display.append(text[:room])
            self._display_size += len(text[:room])

    def _put_item(self, item: Item) -> None:
        if len(self._items) < ITEMS_MAX:
            self._items.append(item)
        else:
            self.dropped_items += 1
