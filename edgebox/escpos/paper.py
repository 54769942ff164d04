"""Events in, lines of paper out: what a customer would read, and where each line stands in the stream.

Owns: `Picture`, `Symbol`, `Mark` and `Paper`, which takes a stream as a printer would: print buffer, line feeds, page
mode, the customer display, what prints at once. Never: pixels (edgebox/paper draws), nor any judgement of what a line
means (receipt/reader). A line is what stands between two line ends: it is not wrapped at the printer's width, because
a wrong width in a profile would cut amounts in two.

Bounds: LINE_MAX bytes and PIECES_MAX pieces in one line (more ends it, as a full print buffer does), ITEMS_MAX items
not taken (more are counted in `dropped_items`); lines not taken: lines.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edgebox.escpos.commands import Effect
from edgebox.escpos.encodings import Charset, Decoder
from edgebox.escpos.images import ImageMemory
from edgebox.escpos.lines import Line, Lines
from edgebox.escpos.page import Page, signed
from edgebox.escpos.parser import Command, Data, Event
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import AT_LINE_START, Settings, dots_x, dots_y
from edgebox.escpos.symbols import Symbology, SymbolStore, bar_code
from edgebox.escpos.typeset import Kind, Piece, Span

__all__ = ["Item", "Line", "Mark", "Paper", "Picture", "Span", "Symbol"]

ITEMS_MAX = 4096  # pictures, symbols and marks not taken
LINE_MAX = 4096  # bytes of one line; printers print theirs when the line is full (about 100)
PIECES_MAX = 512  # of one line: more than a command and a letter in turn need
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


_MARKS = {Effect.DRAWER: "drawer", Effect.SOUND: "sound"}


class Paper:
    """Incremental: `feed` parser events, then take what is complete."""

    def __init__(self, profile: PrinterProfile, *, start: int = 0) -> None:
        self.profile = profile
        self.dropped_items = 0
        self.offset = start  # of the next byte
        self.top = 0  # dots fed so far
        self._settings = Settings(profile)
        self._node = self._settings.start
        self._decoder = Decoder(profile)
        self._pieces: list[Piece] = []  # the open line
        self._open_bytes = 0
        self._lines = Lines(self._decoder)
        self._items: list[Item] = []
        self._display: list[str] = []
        self._display_size = 0
        self._selected = True  # ESC =: the printer is addressed
        self._page: Page | None = None
        self._symbols = SymbolStore()
        self._images = ImageMemory()
        self._long: tuple[Command, int, bytearray] | None = None  # a command whose payload is coming, and its start

    @property
    def dropped_lines(self) -> int:
        """Lines lost because nobody took the ones before."""
        return self._lines.dropped

    # -- in

    def feed(self, events: Iterable[Event]) -> None:
        """Lays out the events; they follow each other without a gap."""
        for event in events:
            if type(event) is bytes:
                start = self.offset
                self.offset = start + len(event)
                if self._page is None and self._selected:
                    self._text(event, start)
                else:
                    self._text_elsewhere(event, start)
            elif type(event) is Command:
                node = self._node.moves.get(event.raw) if self._selected else None
                if node is not None:
                    self._node = node
                    self.offset += event.total
                else:
                    self._command(event)
            elif isinstance(event, Data):
                self._payload(event)

    def finish(self) -> None:
        """The stream has ended: what stands in the print buffer counts as printed (tills without a last LF)."""
        if self._page is not None:
            self._print_page(self.offset)
            self._page = None
        self._end_line(self.offset)

    # -- out

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

    # -- text

    def _text(self, run: bytes, start: int) -> None:
        """A run of text in standard mode: whole lines are put by, the rest opens the next line."""
        last = run.rfind(b"\n")
        if last < 0:
            self._add(run, start)
            return
        first = 0
        if self._pieces:
            first = run.find(b"\n") + 1
            if first > 1:
                self._add(run[: first - 1], start)
            self._end_line(start + first)
        if first <= last:
            self._put_by(run[first:last], start + first)
        if last + 1 < len(run):
            self._add(run[last + 1 :], start + last + 1)

    def _put_by(self, body: bytes, start: int) -> None:
        node = self._node
        lines = body.count(b"\n") + 1
        if node.feed == node.spacing:
            self._lines.add_run(body, start, self.top, node, lines)
            self.top += lines * node.feed
            return
        for raw in body.split(b"\n"):  # letters taller than the line spacing: blank lines are lower than others
            if raw.strip():
                self._lines.add_run(raw, start, self.top, node, 1)
                self.top += node.feed
            else:
                self.top += node.spacing
            start += len(raw) + 1

    def _add(self, raw: bytes, start: int) -> None:
        """Text without LF for the open line."""
        if self._open_bytes + len(raw) > LINE_MAX or len(self._pieces) >= PIECES_MAX:
            self._end_line(start)
        raw = raw[:LINE_MAX] if len(raw) > LINE_MAX else raw
        pieces, setting = self._pieces, self._node.setting
        if pieces and pieces[-1].setting is setting and pieces[-1].kind == Kind.TEXT:
            pieces[-1] = pieces[-1]._replace(raw=pieces[-1].raw + raw)  # a character may lie across two runs
        else:
            pieces.append(Piece(Kind.TEXT, raw, setting, start))
        self._open_bytes += len(raw)

    def _end_line(self, end: int, feed: int | None = None) -> None:
        """Prints the open line. `feed`: dots the paper moves, where that isn't one line."""
        pieces, self._pieces = self._pieces, []
        self._open_bytes = 0
        node = self._node
        if not pieces:
            self.top += node.spacing if feed is None else feed
            return
        inked = any(piece.raw.strip() for piece in pieces)
        if inked:
            self._lines.add_row(pieces, end, self.top)
        if feed is None:
            feed = max(node.spacing, max(p.setting.ink_height for p in pieces) if inked else 0)
        self.top += feed

    def _text_elsewhere(self, run: bytes, start: int) -> None:
        """Text for the customer display, or for the page."""
        if not self._selected:
            if self._display_size < DISPLAY_MAX:
                shown = self._decoder.one(run[:DISPLAY_MAX], Charset())
                self._display.append(shown)
                self._display_size += len(shown)
        elif self._page is not None:
            self._page.text(run, start, self._node.setting)

    # -- commands

    def _command(self, command: Command) -> None:
        start = self.offset
        self.offset += len(command.raw)
        if command.total > len(command.raw):
            self._long = (command, start, bytearray(command.raw))
        effect = command.effect
        if not self._selected:
            if effect == Effect.SELECT:
                self._selected = bool(command.args[0] & 1)
            return
        if effect == Effect.MODE:
            self._mode(command)
        elif effect == Effect.INIT:
            self._initialise()
        elif effect == Effect.POSITION:
            self._position(command, start)
        elif effect == Effect.FEED:
            self._feed(command, start)
        elif effect in (Effect.INK, Effect.BUFFER):
            self._ink(command, start)
        else:
            self._other(command, start)

    def _mode(self, command: Command) -> None:
        node = None if self._pieces else self._node.at_start.get(command.raw)
        if node is not None:
            self._node = node
            return
        prefix = command.spec.prefix
        if self._page is not None and prefix in (b"\x1bW", b"\x1bT", b"\x1d$", b"\x1d\\"):
            self._page.move(command, self._node.setting)
        elif prefix == b"\x1d(k":
            self._symbols.command(command)
        elif prefix not in AT_LINE_START or not self._is_open():
            self._node = self._settings.after(self._node, command)

    def _position(self, command: Command, start: int) -> None:
        setting, prefix, args = self._node.setting, command.spec.prefix, command.args
        if self._page is not None:
            self._page.move(command, setting)
        elif prefix == b"\x1dT":  # to the line's beginning: erases (n = 0) or prints (n = 1) what stands there
            if self._is_open() and args[0] & 1:
                self._end_line(self.offset)
            else:
                self._pieces, self._open_bytes = [], 0
        elif len(self._pieces) < PIECES_MAX:
            absolute = prefix == b"\x1b$"
            units = args[0] | args[1] << 8 if absolute else signed(args)
            kind = Kind.ABSOLUTE if absolute else Kind.RELATIVE
            self._pieces.append(Piece(kind, b"", setting, start, dots_x(units, setting, self.profile)))

    def _feed(self, command: Command, start: int) -> None:
        """ESC J, ESC d, VT and the reverse feeds: print the open line, then move the paper."""
        node, letter = self._node, command.raw[1:2]
        n = command.args[0] if command.args else 1
        dots = n * node.spacing if letter in (b"d", b"e", b"") else dots_y(n, node.setting, self.profile)
        if self._page is not None:
            self._page.feed(-dots if letter in (b"e", b"K", b"j") else dots)
            return
        self._end_line(self.offset, -dots if letter in (b"e", b"K", b"j") else dots)
        self.top = max(self.top, 0)

    def _ink(self, command: Command, start: int) -> None:
        prefix = command.spec.prefix
        if prefix == b"\x1b\x0c":
            if self._page is not None:
                self._print_page(self.offset)
        elif prefix == b"\x1d(k":
            if (symbology := self._symbols.command(command)) is not None:
                self._print_symbol(symbology, start)
        elif prefix == b"\x1dk":
            if command.total == len(command.raw):
                self._print_bar_code(command.raw, start)
        elif command.effect == Effect.BUFFER:
            self._stripe(command, start)
        elif prefix != b"\x1d^" and command.spec.prefix not in (b"\x1d(", b"\x1c(E"):
            width, height = self._images.printed(command)
            self._break_line()
            self._put_item(Picture(command.name, width, height, start, start + command.total, self.top))
            self._move_on(height)

    def _stripe(self, command: Command, start: int) -> None:
        """ESC *: joins the stripe above it to one picture."""
        width, height = self._images.printed(command)
        if len(self._pieces) < PIECES_MAX:
            self._pieces.append(Piece(Kind.DOTS, b"", self._node.setting, start, width))
        end, last = start + command.total, self._items[-1] if self._items else None
        alike = isinstance(last, Picture) and (last.kind, last.width) == (command.name, width)
        if isinstance(last, Picture) and alike and last.top < self.top <= last.top + last.height:
            self._items[-1] = last._replace(height=self.top - last.top + height, end=end)
            return
        self._put_item(Picture(command.name, width, height, start, end, self.top))

    def _print_symbol(self, symbology: Symbology, start: int) -> None:
        self._break_line()
        self._put_item(Symbol(symbology.kind, symbology.text, start, self.offset, self.top))
        self._move_on((symbology.module or SYMBOL_MODULE) * (SYMBOL_MODULES + len(symbology.data) // 4))

    def _print_bar_code(self, raw: bytes, start: int) -> None:
        code, setting = bar_code(raw), self._node.setting
        self._break_line()
        self._put_item(Symbol(code.kind, code.text, start, start + len(raw), self.top))
        self._move_on(setting.bar_height + setting.char_height * (setting.hri > 0))

    def _payload(self, data: Data) -> None:
        """Data of the long command before it."""
        self.offset += len(data.raw)
        if self._long is None:
            return
        command, start, collected = self._long
        prefix = command.spec.prefix
        if prefix == b"\x1d(k" and self._selected:
            self._symbols.add(data)
        elif prefix == b"\x1dk" and self._selected:
            collected += data.raw  # at most 255 bytes
            if data.last:
                self._print_bar_code(bytes(collected), start)
        if data.last:
            self._long = None

    def _other(self, command: Command, start: int) -> None:
        effect, prefix = command.effect, command.spec.prefix
        if effect == Effect.CUT:
            if not self._is_open() and self._page is None:  # in the middle of a line printers ignore it
                self._put_item(Mark("cut", start, self.offset, self.top))
        elif effect in _MARKS or (effect == Effect.REALTIME and command.raw[:3] == b"\x10\x14\x01"):
            self._put_item(Mark(_MARKS.get(effect, "drawer"), start, self.offset, self.top))
        elif effect == Effect.SELECT:
            self._selected = bool(command.args[0] & 1)
        elif effect == Effect.DEFINE:
            if prefix == b"\x1d(k":
                self._symbols.command(command)
            else:
                self._images.store(command)
        else:
            self._page_mode(effect)

    def _initialise(self) -> None:
        """ESC @: what stands in the print buffer is lost."""
        if self._pieces:
            self._pieces, self._open_bytes = [], 0
        self._node = self._settings.start
        self._page = None
        self._symbols.close()

    def _page_mode(self, effect: Effect) -> None:
        if effect == Effect.PAGE_ON:
            self._break_line()
            self._page = self._page or Page(self.profile, self.offset)
        elif effect == Effect.PAGE_OFF:
            self._page = None
        elif effect == Effect.PAGE_PRINT:
            if self._page is not None:
                self._print_page(self.offset)
                self._page = None
            else:
                self._break_line()
        elif effect == Effect.CLEAR and self._page is not None:
            self._page.clear()

    # -- paper

    def _is_open(self) -> bool:
        """Whether the print buffer holds something to print."""
        return any(piece.raw.strip(b"\r\t\0") or piece.kind == Kind.DOTS for piece in self._pieces)

    def _break_line(self) -> None:
        """What prints at once prints the open line first."""
        if self._is_open():
            self._end_line(self.offset)
        else:
            self._pieces, self._open_bytes = [], 0

    def _move_on(self, dots: int) -> None:
        if self._page is not None:
            self._page.feed(dots)
        else:
            self.top += dots

    def _print_page(self, end: int) -> None:
        page = self._page
        assert page is not None
        for top, pieces in page.rows():
            self._lines.add_row(pieces, end, self.top + top)
        self.top += page.height

    def _put_item(self, item: Item) -> None:
        if len(self._items) < ITEMS_MAX:
            self._items.append(item)
        else:
            self.dropped_items += 1
