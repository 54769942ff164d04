"""The printer's mechanism: what a stream of events does to print buffer, page, device and paper feed.

Owns: `Mechanism`, the order of things: when a line is complete, what a mode command changes and when it is too late for
that, what prints at once, what ESC @ throws away. Never: decides what becomes of what it prints. That ends in one of
the `lay_…` methods: paper.py lays lines of text, edgebox/paper draws dots.

Bounds: LINE_MAX bytes and PIECES_MAX pieces in one line (more ends it, as a full print buffer does), PAYLOAD_MAX bytes
of one command's payload.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from edgebox.escpos.commands import Effect, Stage
from edgebox.escpos.encodings import Charset, Decoder
from edgebox.escpos.images import fills_graphics
from edgebox.escpos.page import Page, signed
from edgebox.escpos.parser import Command, Data, Event
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import AT_LINE_START, Node, Settings, dots_x, dots_y
from edgebox.escpos.symbols import BarCode, Symbology, SymbolStore, bar_code
from edgebox.escpos.typeset import Kind, Piece

LINE_MAX = 4096  # bytes of one line; printers print theirs when the line is full (about 100)
PIECES_MAX = 512  # of one line: more than a command and a letter in turn need
PAYLOAD_MAX = 2 << 20  # a picture of 576 dots and 29,000 rows (3.6 m)

DOTS_HEIGHT = 24  # an ESC * is 24 dots high in all its common modes
_GS_K, _GS_PAREN_K = b"\x1dk", b"\x1d(k"
_IN_PAGE = frozenset({b"\x1bW", b"\x1bT", b"\x1d$", b"\x1d\\"})  # positions that only page mode has
_NOT_DRAWN = frozenset({b"\x1d^", b"\x1d(", b"\x1c(E", b"\x1dC"})  # macros, test prints, counters: nothing is known
_NO_DATA = b"\r\t\0"  # leave nothing in the print buffer; spaces do, and are black in reverse printing
_MARKS = {Effect.DRAWER: "drawer", Effect.SOUND: "sound"}


class Mechanism(ABC):
    """Takes parser events; tells its heirs what to put on the paper."""

    # Long commands whose payload is wanted; the others' payload is passed over.
    collects: ClassVar[frozenset[bytes]] = frozenset({_GS_K})

    def __init__(self, profile: PrinterProfile, *, start: int = 0, decoder: Decoder | None = None) -> None:
        """`start`: offset of the first byte; `decoder`: of this till's papers before, which knows its script."""
        self.profile = profile
        self.offset = start  # of the next byte
        self.top = 0  # dots fed so far
        self._settings = Settings(profile)
        self._node = self._settings.start
        self._decoder = decoder or Decoder(profile)
        self._pieces: list[Piece] = []  # the open line
        self._open_bytes = 0
        self._selected = True  # ESC =: the printer is addressed
        self._page: Page | None = None
        self._symbols = SymbolStore()
        self._long: tuple[Command, int, bytearray] | None = None  # a command whose payload is coming, and its start

    # -- what an heir does with it

    @abstractmethod
    def lay_run(self, body: bytes, start: int, node: Node, lines: int) -> None:
        """Whole lines of one setting, LF between them, from `self.top` on."""

    @abstractmethod
    def lay_row(self, pieces: list[Piece], end: int) -> int:
        """One line of pieces at `self.top`. Returns dots that it takes beyond one line's feed."""

    @abstractmethod
    def lay_page(self, page: Page, end: int) -> None:
        """A page, its upper edge at `self.top`."""

    @abstractmethod
    def lay_picture(self, command: Command, raw: bytes, start: int) -> None:
        """A picture to print at once. `raw`: the whole command where it is collected, or else its head."""

    @abstractmethod
    def lay_stripe(self, command: Command, raw: bytes, start: int) -> None:
        """An ESC *: dots for the open line."""

    @abstractmethod
    def lay_symbol(self, symbology: Symbology, start: int) -> None:
        """A two-dimensional symbol, up to `self.offset`."""

    @abstractmethod
    def lay_bar_code(self, code: BarCode, start: int, end: int) -> None:
        """A bar code."""

    @abstractmethod
    def lay_mark(self, kind: str, command: Command, start: int) -> None:
        """A cut that is obeyed, a drawer kick or a sound."""

    @abstractmethod
    def store(self, command: Command, raw: bytes) -> None:
        """A picture to keep. `raw`: see lay_picture."""

    @abstractmethod
    def show(self, text: str) -> None:
        """Text for the customer display."""

    # -- in

    def feed(self, events: Iterable[Event]) -> None:
        """Prints the events; they follow each other without a gap."""
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
            self._print_page()
            self._page = None
        self._break_line()

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
            self._whole_lines(run[first:last], start + first)
        if last + 1 < len(run):
            self._add(run[last + 1 :], start + last + 1)

    def _whole_lines(self, body: bytes, start: int) -> None:
        node = self._node
        if node.feed == node.spacing:
            lines = body.count(b"\n") + 1
            self.lay_run(body, start, node, lines)
            self.top += lines * node.feed
            return
        for raw in body.split(b"\n"):  # letters taller than the line spacing: blank lines are lower than others
            if raw.strip(_NO_DATA):
                self.lay_run(raw, start, node, 1)
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
        spacing = self._node.spacing
        if not pieces:
            self.top += spacing if feed is None else feed
            return
        inked = self._holds_data(pieces)
        height = 0  # a line of dots is burnt while the paper moves: it feeds no less than its height
        if inked:
            self.top += self.lay_row(pieces, end)
            height = max(map(height_of, pieces))
        if feed is None or feed >= 0:
            self.top += max(height, spacing if feed is None else feed)
        else:
            self.top += height + feed

    def _text_elsewhere(self, run: bytes, start: int) -> None:
        """Text for the customer display, or for the page."""
        if not self._selected:
            self.show(self._decoder.one(run, Charset()))
        elif self._page is not None:
            self._page.text(run, start, self._node.setting)

    # -- commands

    def _command(self, command: Command) -> None:
        start = self.offset
        self.offset += len(command.raw)
        long = command.total > len(command.raw) or isinstance(command.spec.length, Stage)
        if long:
            self._long = (command, start, bytearray(command.raw))
        effect = command.effect
        if not self._selected:
            if effect == Effect.SELECT:
                self._selected = bool(command.args[0] & 1)
        elif effect in (Effect.MODE, Effect.UNKNOWN):
            self._mode(command)
        elif effect == Effect.INIT:
            self._initialise()
        elif effect == Effect.POSITION:
            self._position(command, start)
        elif effect == Effect.FEED:
            self._feed(command)
        elif effect in (Effect.INK, Effect.BUFFER, Effect.DEFINE):
            if not long or command.spec.prefix not in self.collects:
                self._perform(command, command.raw, start)
        else:
            self._other(command, start)

    def _mode(self, command: Command) -> None:
        node = None if self._pieces else self._node.at_start.get(command.raw)
        if node is not None:
            self._node = node
            return
        prefix = command.spec.prefix
        if prefix == b"\x1bE" and command.raw[2:].isalpha():  # Star, Vox: no parameter, the letter is text
            self._node = self._settings.emphasised(self._node)
            self._text(command.raw[2:], self.offset - 1)
        elif self._page is not None and prefix in _IN_PAGE:
            self._page.move(command, self._node.setting)
        elif prefix == _GS_PAREN_K:
            self._symbols.command(command)
        elif prefix not in AT_LINE_START or not self.is_open:
            self._node = self._settings.after(self._node, command)

    def _position(self, command: Command, start: int) -> None:
        setting, prefix, args = self._node.setting, command.spec.prefix, command.args
        if self._page is not None:
            self._page.move(command, setting)
        elif prefix == b"\x1dT":  # to the line's beginning: erases (n = 0) or prints (n = 1) what stands there
            if self.is_open and args[0] & 1:
                self._end_line(self.offset)
            else:
                self._pieces, self._open_bytes = [], 0
        elif len(self._pieces) < PIECES_MAX:
            absolute = prefix == b"\x1b$"
            units = args[0] | args[1] << 8 if absolute else signed(args)
            kind = Kind.ABSOLUTE if absolute else Kind.RELATIVE
            self._pieces.append(Piece(kind, b"", setting, start, dots_x(units, setting, self.profile)))

    def _feed(self, command: Command) -> None:
        """ESC J, ESC d, VT and the reverse feeds: print the open line, then move the paper."""
        node, letter = self._node, command.raw[1:2]
        n = command.args[0] if command.args else 1
        dots = n * node.spacing if letter in (b"d", b"e", b"") else dots_y(n, node.setting, self.profile)
        if self._page is not None:
            self._page.feed(-dots if letter in (b"e", b"K", b"j") else dots)
            return
        self._end_line(self.offset, -dots if letter in (b"e", b"K", b"j") else dots)
        self.top = max(self.top, 0)

    def _perform(self, command: Command, raw: bytes, start: int) -> None:
        """What prints or is stored, when all of it that is wanted has come."""
        prefix, effect = command.spec.prefix, command.effect
        if prefix == _GS_PAREN_K:
            symbology = self._symbols.command(command)
            if symbology is not None:
                self._break_line()
                self.lay_symbol(symbology, start)
        elif effect == Effect.DEFINE or fills_graphics(raw):
            self.store(command, raw)
        elif effect == Effect.BUFFER:
            if len(self._pieces) < PIECES_MAX and prefix == b"\x1b*":
                self.lay_stripe(command, raw, start)
        elif prefix == b"\x1b\x0c":
            if self._page is not None:
                self._print_page()
        elif prefix == _GS_K:
            self._break_line()
            self._print_bar_code(bar_code(raw), start, start + command.total)
        elif prefix not in _NOT_DRAWN:
            self._break_line()
            self.lay_picture(command, raw, start)

    def _print_bar_code(self, code: BarCode, start: int, end: int) -> None:
        if code.kind in ("qr", "pdf417"):  # Bematech's GS k
            self.lay_symbol(Symbology(code.kind, code.data), start)
        else:
            self.lay_bar_code(code, start, end)

    def _payload(self, data: Data) -> None:
        """Data of the long command before it."""
        self.offset += len(data.raw)
        if self._long is None:
            return
        command, start, collected = self._long
        prefix = command.spec.prefix
        if data.last:
            self._long = None
        if not self._selected:
            return
        if prefix == _GS_PAREN_K:
            self._symbols.add(data)
        elif prefix in self.collects:
            collected += data.raw[: max(PAYLOAD_MAX - len(collected), 0)]
            if data.last:
                self._perform(command, bytes(collected), start)

    def _other(self, command: Command, start: int) -> None:
        effect = command.effect
        if effect == Effect.CUT:
            if not self.is_open and self._page is None:  # in the middle of a line printers ignore it
                self._pieces, self._open_bytes = [], 0
                self.lay_mark("cut", command, start)
        elif effect in _MARKS or (effect == Effect.REALTIME and command.raw[:3] == b"\x10\x14\x01"):
            self.lay_mark(_MARKS.get(effect, "drawer"), command, start)
        elif effect == Effect.SELECT:
            self._selected = bool(command.args[0] & 1)
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
                self._print_page()
                self._page = None
            else:
                self._break_line()
        elif effect == Effect.CLEAR and self._page is not None:
            self._page.clear()

    @property
    def is_open(self) -> bool:
        """The print buffer holds something to print."""
        return self._holds_data(self._pieces)

    @staticmethod
    def _holds_data(pieces: list[Piece]) -> bool:
        return any(piece.kind == Kind.DOTS or piece.raw.strip(_NO_DATA) for piece in pieces)

    def _break_line(self) -> None:
        """What prints at once prints the open line first."""
        if self.is_open:
            self._end_line(self.offset)
        else:
            self._pieces, self._open_bytes = [], 0

    def _move_on(self, dots: int) -> None:
        if self._page is not None:
            self._page.feed(dots)
        else:
            self.top += dots

    def _print_page(self) -> None:
        page = self._page
        assert page is not None
        self.lay_page(page, self.offset)
        self.top += page.height


def height_of(piece: Piece) -> int:
    """Dots from the upper to the lower edge of what a piece prints."""
    return DOTS_HEIGHT if piece.kind == Kind.DOTS else piece.setting.ink_height
