"""What a simulated printer does with each event of the stream: lines, pictures, symbols, cuts, and what it ignores.

Owns: the print buffer, page mode, macros, stored symbols, and which command acts where. Never: time, the receive
buffer or replies (printer.py); drawing (edgebox.paper does; this model must stay fast enough for fuzzing).
Written apart from edgebox.escpos.state on purpose: it is the referee of what that shadow believes.

Rules with their sources (Epson "ESC/POS Command Reference" unless said otherwise):
- cuts, ESC a, GS L, GS W, ESC L act only at the beginning of a line: nothing in the print buffer, spaces included,
  and no print position set (HT, ESC $, ESC \\);
- pictures and symbols print only with an empty print buffer;
- ESC @ throws the print buffer away, and the stored symbol with it;
- with ESC = 2 the printer ignores everything but ESC = (and real-time commands);
- GS V 65/66 feed to the cutter and n motion units more; 97/98 set a place that is cut when it gets there; 103/104
  feed, cut and come back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from edgebox.escpos.commands import Effect
from edgebox.escpos.parser import Command, Data, Event, raw_of
from edgebox.escpos.profile import PrinterProfile
from hw_sim.ink import Style, Ticket, qr_modules
from hw_sim.modes import Modes
from hw_sim.page import Page
from hw_sim.paper_path import PaperPath

_STORED_IMAGE_DOTS = 100  # height of a picture stored in the printer, which the stream does not tell
_SYMBOL_DOTS = 120  # height of 2D symbols other than QR: not computed
_MACRO_BYTES = 2048  # Epson: a macro holds 2048 bytes
_PAYLOAD_BYTES = 7098  # longest symbol data (7089 digits in a QR) and its header; of pictures only the head matters
_DISPLAY_BYTES = 1 << 20  # how much of the customer display's text is kept
_AT_LINE_START = frozenset({"ESC a", "GS L", "GS W"})


class Mechanism:
    """Feed it events with `handle`; read `paper`, `refused`, `discarded`, `display`. Lists keep their last `keep`."""

    def __init__(self, profile: PrinterProfile, *, keep: int = 10_000) -> None:
        self.profile = profile
        self.paper = PaperPath(profile, keep)
        self.processed_bytes = 0
        self.ignored_cuts = 0
        self.refused: deque[str] = deque(maxlen=keep)
        self.discarded: deque[str] = deque(maxlen=keep)
        self.display = bytearray()
        self.orders: list[Command] = []  # queries, drawer kicks, GS a, ESC @: for whoever owns time and replies
        self._now = 0.0
        self._printer_on = True
        self._display_on = False
        self._long: Command | None = None  # a command whose payload is coming
        self._payload = bytearray()
        self._long_marks = False  # its payload has a dot in it
        self._macro: list[Event] | None = None  # being defined
        self._stored_macro: list[Event] = []
        self._replaying = False
        self._page: Page | None = None  # page mode
        self._width = 0  # of the print buffer, in dots
        self._height = 0
        self._reset()

    def handle(self, event: Event, now: float = 0.0) -> None:
        """Does what one event says. `now` (s) only dates tickets."""
        self._now = now
        raw = raw_of(event)
        if not self._replaying:
            self.processed_bytes += len(raw)
        if isinstance(event, Command) and event.effect is Effect.SELECT:
            self._select(raw[2])
            return
        if self._display_on and not (isinstance(event, Command) and event.effect is Effect.REALTIME):
            self.display += raw
            del self.display[:-_DISPLAY_BYTES]
        if not self._printer_on:
            return
        if self._macro is not None:
            self._store_macro(event)
        if isinstance(event, bytes):
            self._text(event)
        elif isinstance(event, Data):
            self._take_payload(event)
        elif event.total > len(event.raw):
            self._long, self._long_marks = event, False
            self._payload.clear()
        else:
            self._act(event, raw)

    def tear(self, now: float) -> None:
        """A customer tears the paper off."""
        self.paper.tear(now, self.processed_bytes)

    def clear(self) -> None:
        """A buffer clear: the print buffer and an unfinished command are gone."""
        self._discard()
        self._long, self._page, self._macro = None, None, None

    def power_cycle(self) -> None:
        """Off and on: the print buffer and every mode are gone; the paper stays where it is."""
        self.clear()
        self._stored_macro = []
        self._printer_on, self._display_on = True, False
        self._reset()

    @property
    def line_empty(self) -> bool:
        """At the beginning of a line, as the manual means it."""
        return not self._pieces and not self._placed

    @property
    def unprinted(self) -> str:
        """Text in the print buffer."""
        return "".join(raw.decode(codec, "replace") for raw, codec, _ in self._pieces if raw)

    @property
    def open_ticket(self) -> Ticket:
        """What is printed and not cut off."""
        return self.paper.open_ticket(self._now, self.processed_bytes)

    def _reset(self) -> None:
        self.modes = Modes(self.profile)
        self._empty_line()
        self._page = None
        self._macro = None
        self._graphics_dots = 0
        self._image_dots = _STORED_IMAGE_DOTS
        self._symbol: dict[int, bytes] = {}  # cn -> data stored by fn 80
        self._symbol_sizes: dict[tuple[int, int], int] = {}  # (cn, fn) -> parameter

    # -- text and lines

    def _text(self, run: bytes) -> None:
        if b"\0" in run:
            run = run.replace(b"\0", b"")
        if b"\r" in run:  # ignored by serial and USB models unless a switch makes it a line feed
            run = run.replace(b"\r", b"")
        if self._page is not None:
            self._page.set_text(run, self.modes)
            return
        lines = run.split(b"\n")
        last = len(lines) - 1
        for number, line in enumerate(lines):
            if line:
                self._put(line)
            if number != last:
                self._print_line(self.modes.spacing)

    def _put(self, line: bytes) -> None:
        """Characters into the print buffer; a full line prints itself."""
        wide, high = self.modes.cell
        if self._pieces and self._pieces[-1][1:] == (self.modes.codec, self.modes.style):
            before = self._pieces.pop()[0]  # a character's bytes may come one by one
            self._width -= len(before) * wide
            line = before + line
        if b"\t" in line:
            self._placed = True
            line = line.expandtabs(8)  # tab stops at power-on: every 8 characters
        width = self.profile.dots
        while line and self._width + len(line) * wide > width and (self._width or wide <= width):
            fits = whole_characters(line, (width - self._width) // wide, self.modes.codec)
            self._put_piece(line[:fits], wide, high)
            self._print_line(self.modes.spacing)
            line = line[fits:]
        self._put_piece(line, wide, high)

    def _put_piece(self, piece: bytes, wide: int, high: int) -> None:
        if not piece:
            return
        self._pieces.append((piece, self.modes.codec, self.modes.style))
        self._width += len(piece) * wide
        self._height = max(self._height, high)
        if piece.strip() or self.modes.shows_spaces:
            self._has_mark = True

    def _print_line(self, feed: int) -> None:
        """Prints the buffer, if it has something, and moves on by `feed` dots (at least by what was printed)."""
        if self._has_mark:
            text = self.unprinted
            styles = {style for _, _, style in self._pieces}
            parts = tuple((raw.decode(codec, "replace") if raw else "", style) for raw, codec, style in self._pieces)
            style: Style = parts[0][1] if len(styles) == 1 else parts
            self.paper.mark("dots" if self._has_dots and not text.strip() else "text", text, self._height, style)
        height = self._height
        self._empty_line()
        self._move(max(feed, height))

    def _empty_line(self) -> None:
        self._pieces: list[tuple[bytes, str, Style]] = []  # bytes, their codec, the modes in force
        self._has_mark = self._has_dots = self._placed = False
        self._width = self._height = 0

    def _discard(self) -> None:
        if self._has_mark:
            self.discarded.append(self.unprinted)
        self._empty_line()

    def _move(self, dots: int) -> None:
        self.paper.move(dots)
        if self.paper.preset_reached():
            self.paper.cut(self._now, self.processed_bytes)

    def _picture(self, kind: str, text: str, height: int, *, marks: bool = True) -> None:
        """Prints something of its own height at once."""
        if self._page is not None:
            self._page.set_picture(f"<{kind}:{text}>", height)
        elif not self.line_empty:
            self.refused.append(f"{kind} {text!r} with data in the print buffer")
        else:
            if marks and height:
                self.paper.mark(kind, text, height, self.modes.style)
            self._move(height)

    # -- commands

    def _take_payload(self, data: Data) -> None:
        if self._long is None:
            return  # blocks of FS q and ESC &: definitions, nothing printed
        self._long_marks = self._long_marks or bool(data.raw.strip(b"\0"))
        if len(self._payload) < _PAYLOAD_BYTES:
            self._payload += data.raw
        if data.last:
            command, self._long = self._long, None
            self._act(command, command.raw + bytes(self._payload))

    def _act(self, command: Command, raw: bytes) -> None:
        """`raw`: the command with as much of its payload as matters."""
        action = _ACTIONS.get(command.effect)
        if action is not None:
            action(self, command, raw)

    def _mode(self, command: Command, raw: bytes) -> None:
        if command.name == "GS ( k":
            self._define(command, raw)
        elif command.name in _AT_LINE_START and not self.line_empty:
            self.refused.append(f"{command.name} in the middle of a line")
        elif self._page is not None and command.name in ("GS $", "GS \\"):
            n = int.from_bytes(raw[2:4], "little", signed=command.name == "GS \\")
            self._page.move(round(n * self.modes.unit), absolute=command.name == "GS $")
        else:
            self.modes.apply(command.name, raw[len(command.spec.prefix) :])
            if command.name == "GS a":
                self.orders.append(command)

    def _position(self, command: Command, raw: bytes) -> None:
        self._placed = True

    def _feed(self, command: Command, raw: bytes) -> None:
        name, n = command.name, raw[-1]
        lines, units = n * self.modes.spacing, round(n * self.modes.unit)
        if self._page is not None:
            self._page.move(lines if name == "ESC d" else units)
        elif name in ("ESC d", "ESC J"):
            self._print_line(lines if name == "ESC d" else units)
        elif name in ("ESC K", "ESC e", "ESC j"):
            self._print_line(0)
            self._move(-min(lines if name == "ESC e" else units, self.paper.to_cutter))
        else:
            self._print_line(self.modes.spacing if name == "VT" else 0)

    def _ink(self, command: Command, raw: bytes) -> None:
        """Everything that prints at once: its height by the command's own fields."""
        name = command.name
        if name in ("GS v 0", "GS Q"):
            height = (raw[6] + (raw[7] << 8)) << (raw[3] >> 1 & 1)
            marks = self._long_marks if command.total > len(command.raw) else bool(raw[8:].strip(b"\0"))
            self._picture("raster", f"{raw[4] + (raw[5] << 8)}x{height}", height, marks=marks)
        elif name in ("GS ( L", "GS 8 L"):
            self._graphics(raw[5:] if name == "GS ( L" else raw[7:])
        elif name == "GS k":
            text = raw[4:] if raw[2] >= 65 else raw[3:-1]
            caption = self.profile.char_height if self.modes.caption else 0
            self._picture("barcode", text.decode("latin-1"), self.modes.barcode_dots + caption)
        elif name == "GS ( k":
            self._print_symbol(raw[5], self._symbol.get(raw[5], b""))
        elif name == "GS ^":
            self._run_macro(raw[2])
        elif name == "ESC FF":
            self._print_page()
        else:
            self._picture("image", name, self._image_dots if name == "GS /" else _STORED_IMAGE_DOTS)

    def _graphics(self, args: bytes) -> None:
        """GS ( L / GS 8 L from m on: fn 112 stores a raster picture, fn 2 and 50 print it."""
        fn = args[1] if len(args) > 1 else 0
        if fn in (112, 113) and len(args) >= 10:
            self._graphics_dots = (args[8] + (args[9] << 8)) * max(args[4], 1)
        elif fn in (2, 50):
            self._picture("raster", f"graphics x{self._graphics_dots}", self._graphics_dots)
            self._graphics_dots = 0
        else:
            self._picture("image", f"graphics {fn}", _STORED_IMAGE_DOTS)

    def _print_symbol(self, cn: int, data: bytes) -> None:
        if not self.profile.qr_native:
            self.refused.append("symbol on a printer without symbols")
        elif not data:
            self.refused.append("symbol without stored data")
        elif cn == 49:
            size, level = self._symbol_sizes.get((49, 67), 3), self._symbol_sizes.get((49, 69), 48)
            self._picture("qr", f"{data.decode('latin-1')} size {size}", qr_modules(len(data), level) * size)
        else:
            self._picture("symbol", data.decode("latin-1"), _SYMBOL_DOTS)

    def _define(self, command: Command, raw: bytes) -> None:
        """Symbol data (fn 80) and parameters, and the size of GS *; other definitions leave nothing to model."""
        if command.name == "GS ( k" and len(raw) >= 8:
            if raw[6] == 80:
                self._symbol[raw[5]] = raw[8:]
            else:
                self._symbol_sizes[raw[5], raw[6]] = raw[7]
        elif command.name == "GS *":
            self._image_dots = raw[3] * 8

    def _buffer(self, command: Command, raw: bytes) -> None:
        """ESC * puts dots into the line, GS c a counter."""
        dots = raw[5:] if command.name == "ESC *" else b"1"
        self._pieces.append((b"", "dots", self.modes.style))
        self._has_dots = True
        self._has_mark = self._has_mark or bool(dots.strip(b"\0"))
        self._height = max(self._height, self.profile.char_height)

    def _cut(self, command: Command, raw: bytes) -> None:
        m = raw[2] if command.name == "GS V" else 0
        if self._page is not None or not self.line_empty:
            self.ignored_cuts += 1
            return
        to_cutter = self.paper.to_cutter
        if m in (97, 98):
            self.paper.preset_cut(round(raw[3] * self.modes.unit))
            self._move(0)
            return
        if m in (65, 66, 103, 104):
            self._move(to_cutter + round(raw[3] * self.modes.unit))
        elif m not in (0, 1, 48, 49):
            return
        elif self.profile.cut_feeds:
            self._move(to_cutter)
        if self.profile.cutter:
            self.paper.cut(self._now, self.processed_bytes)
        if m in (103, 104):
            self._move(-to_cutter)

    # -- modes that keep things back

    def _select(self, n: int) -> None:  # ESC = n: bit 0 the printer, bit 1 the display
        self._printer_on = bool(n & 1) or not n & 3
        self._display_on = bool(n & 2)

    def _init(self, command: Command, raw: bytes) -> None:
        self._discard()
        self._reset()
        self.orders.append(command)

    def _page_on(self, command: Command, raw: bytes) -> None:
        if not self.line_empty:
            self.refused.append("ESC L in the middle of a line")
        elif self._page is None:
            self._page = Page()

    def _page_off(self, command: Command, raw: bytes) -> None:
        if self._page is not None and self._page.lost:
            self.discarded.append(self._page.lost)
        self._page = None

    def _form_feed(self, command: Command, raw: bytes) -> None:
        if self._page is None:
            self._print_line(0)
        else:
            self._print_page()
            self._page = None

    def _print_page(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            text, ink_dots = page.print(self.modes.page_dots)
            if ink_dots:
                self.paper.mark("page", text, ink_dots, self.modes.style)
            self._move(self.modes.page_dots)
            self._page = page

    def _cancel(self, command: Command, raw: bytes) -> None:
        if command.name == "CAN" and self._page is not None:
            self._page = Page()

    def _macro_edge(self, command: Command, raw: bytes) -> None:
        if self._macro is None:
            self._macro = []
        else:
            self._stored_macro, self._macro = self._macro, None

    def _store_macro(self, event: Event) -> None:
        assert self._macro is not None
        edge = isinstance(event, Command) and event.effect is Effect.MACRO
        if not edge and sum(len(raw_of(e)) for e in self._macro) + len(raw_of(event)) <= _MACRO_BYTES:
            self._macro.append(event)

    def _run_macro(self, times: int) -> None:
        if self._replaying:
            return
        self._replaying = True
        for event in self._stored_macro * times:
            self.handle(event, self._now)
        self._replaying = False

    def _order(self, command: Command, raw: bytes) -> None:
        self.orders.append(command)


def whole_characters(line: bytes, fits: int, codec: str) -> int:
    """How many bytes of `line`, `fits` at most, are whole characters."""
    for size in range(fits, max(fits - 4, 0), -1):
        try:
            line[:size].decode(codec)
        except UnicodeDecodeError:
            continue
        return size
    return fits


_ACTIONS: dict[Effect, Callable[[Mechanism, Command, bytes], None]] = {
    Effect.MODE: Mechanism._mode,
    Effect.POSITION: Mechanism._position,
    Effect.FEED: Mechanism._feed,
    Effect.INK: Mechanism._ink,
    Effect.BUFFER: Mechanism._buffer,
    Effect.CUT: Mechanism._cut,
    Effect.DRAWER: Mechanism._order,
    Effect.QUERY: Mechanism._order,
    Effect.CLEAR: Mechanism._cancel,
    Effect.INIT: Mechanism._init,
    Effect.PAGE_ON: Mechanism._page_on,
    Effect.PAGE_OFF: Mechanism._page_off,
    Effect.PAGE_PRINT: Mechanism._form_feed,
    Effect.DEFINE: Mechanism._define,
    Effect.MACRO: Mechanism._macro_edge,
}
