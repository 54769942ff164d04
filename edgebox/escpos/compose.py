"""Blocks → the bytes of a slip's body, for one printer.

Owns: the bytes of blocks, their height on paper and time on the wire, and the budgets for these. Never: a cut,
`ESC @`, `ESC t`, `DLE`; never restores a mode (edgebox/line/insertion.py wraps the body: it starts in standard mode at
the start of a line, all attributes off, and the line puts the till's modes back). A body ends at the start of a line
with an empty print buffer.

A QR code is printed the cheapest way there is: by the printer itself (`GS ( k`: 0.2 KB on the wire), as a picture
(`GS v 0`: 3-13 KB), in strips (`ESC *`). What doesn't fit the budgets is tried with smaller modules and with the text
above instead of beside it before it is given up: a slip too long for the wire must not make a queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgebox.errors import SlipError
from edgebox.escpos import qr
from edgebox.escpos.blocks import Align, Block, Feed, Qr, QrBeside, Rule, Text, TextRaster
from edgebox.escpos.commands import REAL_TIME
from edgebox.escpos.lettering import has_word_wider_than, lettering, wrap
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.raster import STRIP_DOTS, Raster, beside, esc_star, from_rows, gs_v_0

FINE_DOTS = 5  # a module, if there is any way to have that much: below it older phones need several tries
ASIDE_DOTS = 8  # a picture moved aside by a whole byte has its old bytes again
FLUSH = b"\x1bJ\x00"  # ESC J 0 behind a native symbol: a printer that waits for a feed prints it now
BESIDE_LEFT_DOTS = 4  # a little air between symbol's quiet zone and text


class Press(NamedTuple):
    """What a slip is printed with. `symbol_ok`, `code_page` and `bytes_per_s` as in line.frames End and Hello.

    `code_page`: the `ESC t` in force, -1 unknown. `bytes_per_s` 0: the wire is not the limit.
    """

    printer: PrinterProfile
    symbol_ok: bool = True
    code_page: int = -1
    bytes_per_s: int = 0
    matrix: qr.MatrixSource | None = None
    text_raster: TextRaster | None = None


class Budget(NamedTuple):
    """The most that a slip may take, and the fewest dots a module; 0: no limit of that kind."""

    mm: float = 0
    bytes: int = 0
    wire_ms: int = 0
    module_dots: int = 0


UNLIMITED = Budget()


class Body(NamedTuple):
    """A slip's body. `symbols`: how its QR codes are printed, `native`, `gs_v_0` or `esc_star`, "" without one."""

    raw: bytes
    height_mm: float
    wire_ms: float
    symbols: str = ""
    module_dots: int = 0


def compose(blocks: Sequence[Block], press: Press, budget: Budget = UNLIMITED) -> Body:
    """The body for `blocks`, within `budget`.

    SlipError reasons: `printer` (nothing may be put into its stream), `script` (characters it lacks), `no_qr` (no way
    to print one), `qr_data` (too much for a code), `no_picture`, `too_wide`, `too_long` (mm), `too_many_bytes`,
    `too_slow` (wire), `too_fine` (dots a module), `real_time` (dots that would act as a command wherever they stand).
    """
    if not press.printer.insert or press.printer.dialect != "epson":  # we speak Epson's commands only
        raise SlipError(f"nothing is put into the stream of {press.printer.name}", reason="printer")
    matrices: dict[tuple[str, str], Sequence[int]] = {}
    refused: SlipError | None = None
    for dots, is_beside in _attempts(blocks, press):
        if dots and dots < budget.module_dots:
            refused = refused or SlipError(f"less than {budget.module_dots} dots a module", reason="too_fine")
            continue
        try:
            body = _Sheet(press, dots, is_beside, matrices).body(blocks)
            _check(body, budget)
        except SlipError as fault:
            if fault.reason not in _WORTH_ANOTHER_TRY:
                raise
            refused = fault
        else:
            return body
    assert refused is not None, "there is at least one attempt"
    raise refused


_WORTH_ANOTHER_TRY = frozenset({"too_wide", "too_long", "too_many_bytes", "too_slow", "no_letters_beside", "real_time"})


def symbols_of(press: Press) -> str:
    """How this press prints a QR code: `native`, `gs_v_0`, `esc_star`, or "" if it can't."""
    if press.printer.qr_native and press.symbol_ok:
        return "native"
    return press.printer.raster if press.matrix and press.printer.raster != "none" else ""


def _attempts(blocks: Sequence[Block], press: Press) -> list[tuple[int, bool]]:
    """Module sizes and whether text goes beside the code, the best first."""
    wanted = max((block.module_dots for block in blocks if isinstance(block, Qr | QrBeside)), default=0)
    if not wanted:
        return [(0, False)]
    has_letters = press.text_raster is not None or press.printer.raster == "esc_star"
    may_be_beside = has_letters and symbols_of(press) != "native" and any(isinstance(b, QrBeside) for b in blocks)
    sides = (True, False) if may_be_beside else (False,)
    sizes = range(max(wanted, qr.MIN_DOTS), qr.MIN_DOTS - 1, -1)
    attempts = [(dots, side) for side in sides for dots in sizes]
    return sorted(attempts, key=lambda attempt: attempt[0] < FINE_DOTS)


def _check(body: Body, budget: Budget) -> None:
    if budget.mm and body.height_mm > budget.mm:
        raise SlipError(f"{body.height_mm:.1f} mm of paper, {budget.mm:g} allowed", reason="too_long")
    if budget.bytes and len(body.raw) > budget.bytes:
        raise SlipError(f"{len(body.raw)} bytes, {budget.bytes} allowed", reason="too_many_bytes")
    if budget.wire_ms and body.wire_ms > budget.wire_ms:
        raise SlipError(f"{body.wire_ms:.0f} ms on the wire, {budget.wire_ms} allowed", reason="too_slow")


def _moved_aside(rows: Sequence[int], width: int, most: int) -> bytes:
    """`GS v 0` of the picture, moved by a few dots where its bytes hold a real-time command.

    Modules of a code never do; thin strokes of letters do in 4 (ESC *: 12) of 1000 lines of Chinese (measured). A
    printer acts on it, so the line refuses such a body.
    """
    left = width - max(rows, default=0).bit_length()  # white columns: the picture may go so far to the left
    widths = (width, *range(width - 1, width - min(left, ASIDE_DOTS), -1), *range(width + 1, width + ASIDE_DOTS))
    for moved in widths:
        raw = gs_v_0(from_rows(rows, moved)) if moved <= max(width, most) else b""
        if raw and not REAL_TIME.search(raw):
            return raw
    raise SlipError("a picture whose dots are a real-time command", reason="real_time")


def _moved_down(rows: Sequence[int], width: int) -> list[bytes]:
    """The same for `ESC *`, whose bytes are dots below one another."""
    for down in range(ASIDE_DOTS):
        strips = esc_star([0] * down + list(rows), width)
        if not REAL_TIME.search(b"\n".join(strips)):
            return strips
    raise SlipError("a picture whose dots are a real-time command", reason="real_time")


class _Sheet:
    """One attempt: bytes so far, dots of paper so far, and the modes that we have set."""

    __slots__ = (
        "_align", "_bold", "_dots", "_matrices", "_module_dots", "_must_be_white", "_out", "_press", "_side", "_size",
        "_symbols", "_white",
    )  # fmt: skip

    def __init__(
        self, press: Press, module_dots: int, side: bool, matrices: dict[tuple[str, str], Sequence[int]]
    ) -> None:
        self._press = press
        self._module_dots = module_dots
        self._side = side
        self._matrices = matrices
        self._out: list[bytes] = []
        self._dots = 0
        self._align, self._bold, self._size = Align.LEFT, False, 0  # as the line guarantees them
        self._symbols = ""
        self._white = 0  # dots of white below the last ink; at the start we don't know of any
        self._must_be_white = 0  # dots that must stay white below it: a symbol's quiet zone

    def body(self, blocks: Sequence[Block]) -> Body:
        for block in blocks:
            self._block(block)
        raw = b"".join(self._out)
        speed = self._press.bytes_per_s
        return Body(
            raw,
            self._dots / self._press.printer.dots_per_mm,
            len(raw) * 1000 / speed if speed else 0.0,
            self._symbols,
            self._module_dots if self._symbols else 0,
        )

    def _block(self, block: Block) -> None:
        match block:
            case Text():
                self._text(block)
            case Qr():
                self._qr(block.data, block.module_dots, block.level)
                if block.caption:
                    self._text(block.caption)
            case QrBeside():
                self._qr_beside(block)
            case Rule():
                self._text(Text(block.char * self._press.printer.columns))
            case Feed():
                self._feed_lines(block.lines)
            case Raster():
                self._picture(block.rows(), block.width)

    # --- Modes ---------------------------------------------------------------------------------------------------

    def _modes(self, align: Align, bold: bool = False, size: int = 0) -> None:
        if align != self._align:  # only at the start of a line, where we always are here
            self._out.append(b"\x1ba" + bytes((align,)))
            self._align = align
        if bold != self._bold:
            self._out.append(b"\x1bE" + bytes((bold,)))
            self._bold = bold
        if size != self._size:
            self._out.append(b"\x1d!" + bytes((size,)))
            self._size = size

    # --- Text ----------------------------------------------------------------------------------------------------

    def _text(self, text: Text) -> None:
        width = self._press.printer.columns // text.width
        for line in wrap(text.text, width):
            letters = lettering(line, self._press.printer, self._press.code_page)
            if letters is None:
                self._text_without_letters(text)
                return
            self._keep_white()
            self._modes(text.align, text.bold, (text.width - 1) << 4 | (text.height - 1))
            self._out += (letters.raw, b"\n")
            height = self._press.printer.char_height * text.height
            self._inked(height, max(0, self._press.printer.line_spacing - height))

    def _text_without_letters(self, text: Text) -> None:
        """The printer lacks the script: as dots if there is a way, else the plain wording."""
        draw = self._press.text_raster
        if draw is not None and self._press.printer.raster != "none":
            dots = self._press.printer.char_height * text.height
            for line in wrap(text.text, self._press.printer.columns // max(text.width, text.height)):
                drawn = draw(line, width_dots=self._press.printer.dots, height_dots=dots, bold=text.bold)
                self._picture(drawn.rows(), drawn.width, text.align)
        elif text.plain is None:
            raise SlipError(
                f"{self._press.printer.name} can't print {text.text!r}",
                reason="script",
                hint="set cjk in the printer's profile, or give the text a plain wording",
            )
        elif text.plain:
            self._text(text._replace(text=text.plain, plain=None))

    def _feed_lines(self, lines: int) -> None:
        while lines > 0:
            step = min(lines, 255)
            self._out.append(b"\x1bd" + bytes((step,)))
            self._white_fed(step * self._press.printer.line_spacing)
            lines -= step

    def _feed_dots(self, dots: int) -> None:
        """`ESC J` counts in motion units, which are finer than dots on some models."""
        if dots > 0:
            units = min(255, round(dots * self._press.printer.motion_y / self._press.printer.dpi))
            self._out.append(b"\x1bJ" + bytes((units,)))
            self._white_fed(dots)

    def _white_fed(self, dots: int) -> None:
        self._dots += dots
        self._white += dots

    def _keep_white(self, above: int = 0) -> None:
        """Before ink: feed what the quiet zone of the symbol before it, or its own (`above`), still lacks."""
        self._feed_dots(max(self._must_be_white, above) - self._white)

    def _inked(self, dots: int, white: int = 0, must_be_white: int = 0) -> None:
        """`dots` of paper have ink on them now, and `white` below them went through the printer with it."""
        self._dots += dots + white
        self._white, self._must_be_white = white, must_be_white

    # --- Dots ----------------------------------------------------------------------------------------------------

    def _picture(self, rows: Sequence[int], width: int, align: Align = Align.LEFT, quiet: int = 0) -> None:
        """`quiet`: dots above and below that must be white."""
        printer = self._press.printer
        if width > printer.dots + 7:  # a Raster is padded to whole bytes: up to 7 white dots may hang over
            raise SlipError(f"{width} dots wide, the paper has {printer.dots}", reason="too_wide")
        self._keep_white(quiet)
        self._modes(align)
        if printer.raster == "gs_v_0":
            self._out.append(_moved_aside(rows, width, printer.dots))
            self._inked(len(rows), 0, quiet)
        elif printer.raster == "esc_star":
            self._strips(_moved_down(rows, width), {}, quiet)
        else:
            raise SlipError(f"{printer.name} prints no pictures", reason="no_picture")

    def _strips(self, strips: Sequence[bytes], letters: dict[int, bytes], quiet: int = 0) -> None:
        """`ESC *` strips with `letters` behind some of them.

        `ESC 3 24`: a printer whose unit is finer than a dot feeds by the height of what stands in the line anyway
        (Epson, ESC 3), so 24 never leaves a white stripe between strips.
        """
        self._out.append(b"\x1b3\x18")
        for number, strip in enumerate(strips):
            self._out += (strip, letters.get(number, b""), b"\n")
        self._out.append(b"\x1b2")
        self._inked(len(strips) * STRIP_DOTS, 0, quiet)

    # --- QR codes ------------------------------------------------------------------------------------------------

    def _qr(self, data: str, most_dots: int, level: str) -> None:
        """In the middle, with its quiet zone: above and below by feed, left and right by the paper."""
        dots = max(qr.MIN_DOTS, min(most_dots, self._module_dots))
        self._symbols = symbols_of(self._press)
        quiet = qr.QUIET * dots
        if self._symbols == "native":
            modules = qr.modules(data, level)
            self._fits(modules, dots)
            self._keep_white(quiet)
            self._modes(Align.CENTER)
            self._out += (qr.native(data, dots, level), FLUSH)
            self._inked(modules * dots, 0, quiet)
        else:
            matrix = self._matrix(data, level)
            self._fits(len(matrix), dots)
            self._picture(qr.rows(matrix, dots, 0), len(matrix) * dots, Align.CENTER, quiet)

    def _fits(self, modules: int, dots: int) -> None:
        width = (modules + 2 * qr.QUIET) * dots
        if width > self._press.printer.dots:
            raise SlipError(
                f"a QR code of {modules} modules needs {width} dots at {dots} a module, "
                f"the paper has {self._press.printer.dots}",
                reason="too_wide",
                hint="shorten its text",
            )

    def _matrix(self, data: str, level: str) -> Sequence[int]:
        if not self._symbols or self._press.matrix is None:
            raise SlipError(f"{self._press.printer.name} has no way to print a QR code", reason="no_qr")
        key = (data, level)
        if key not in self._matrices:
            self._matrices[key] = self._press.matrix(data, level)
        return self._matrices[key]

    def _qr_beside(self, block: QrBeside) -> None:
        self._symbols = symbols_of(self._press)
        if not self._side:
            for text in block.above or block.lines:
                self._text(text)
            self._qr(block.data, block.module_dots, block.level)
            return
        dots = max(qr.MIN_DOTS, min(block.module_dots, self._module_dots))
        matrix = self._matrix(block.data, block.level)
        self._fits(len(matrix), dots)
        rows = qr.rows(matrix, dots)
        if self._symbols == "esc_star" and self._strips_beside(block, rows):
            return
        self._picture_beside(block, rows)

    def _strips_beside(self, block: QrBeside, rows: Sequence[int]) -> bool:
        """Each strip of the code may be followed by a line of the printer's own letters. False: it lacks some."""
        printer = self._press.printer
        lines = [line for _, line in self._lines_beside(block, printer.dots - len(rows))]
        letters = [lettering(line, printer, self._press.code_page) for line in lines]
        strips = esc_star(rows, len(rows))
        if len(lines) > len(strips):
            raise SlipError(f"{len(lines)} lines don't fit beside the QR code", reason="too_long")
        top = (len(strips) - len(lines)) // 2
        known = {top + number: found.raw for number, found in enumerate(letters) if found is not None}
        if len(known) < len(lines):
            return False
        self._keep_white()
        self._modes(Align.LEFT)
        self._strips(strips, known)
        return True

    def _picture_beside(self, block: QrBeside, rows: Sequence[int]) -> None:
        draw, printer = self._press.text_raster, self._press.printer
        if draw is None:
            raise SlipError("no letters to put beside the QR code", reason="no_letters_beside")
        width = printer.dots - len(rows) - BESIDE_LEFT_DOTS
        drawn = [
            draw(line, width_dots=width, height_dots=printer.char_height, bold=text.bold)
            for text, line in self._lines_beside(block, width)
        ]
        if len(drawn) * printer.line_spacing > len(rows):
            raise SlipError(f"{len(drawn)} lines don't fit beside the QR code", reason="too_long")
        left = [row << BESIDE_LEFT_DOTS for row in rows]
        picture = beside(left, len(rows) + BESIDE_LEFT_DOTS, drawn, printer.line_spacing)
        self._picture(picture.rows(), picture.width)

    def _lines_beside(self, block: QrBeside, dots: int) -> list[tuple[Text, str]]:
        """The block's lines, wrapped to what `dots` beside the code can hold."""
        width = dots * self._press.printer.columns // self._press.printer.dots
        if any(has_word_wider_than(width, text.text) for text in block.lines):
            raise SlipError(f"{width} columns beside the QR code are too few", reason="too_wide")
        return [(text, line) for text in block.lines for line in wrap(text.text, width)]
