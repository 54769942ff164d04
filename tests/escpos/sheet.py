"""A printer of paper for tests: prints a slip's body in dots, strictly, with nothing shared with the code under test.

It knows only what a body may contain (the contract in edgebox/line/insertion.py) and fails on anything else, on ink
beside the paper, and on a body that doesn't end at the start of a line. Letters are black boxes: a symbol whose quiet
zone they enter won't be decoded. The matrix of a native symbol is computed by qrcode with its own choice of mask.
"""

import struct
from dataclasses import dataclass, field

import qrcode
import zxingcpp
from PIL import Image

from edgebox.escpos.profile import PrinterProfile

ONE_ARGUMENT = (b"\x1ba", b"\x1bE", b"\x1b!", b"\x1d!", b"\x1b3", b"\x1bJ", b"\x1bd")
_SHADES = bytes([255, 0]) + bytes(254)  # a dot is black
LEVELS = {48: 1, 49: 0, 50: 3, 51: 2}


@dataclass
class Sheet:
    """Paper of `printer`, `rows` of dots from the top."""

    printer: PrinterProfile
    rows: list[bytearray] = field(default_factory=list)
    top: int = 0  # where the next line will stand
    line: list[tuple[int, list[int]]] = field(default_factory=list)  # width, rows: what is in the print buffer
    modes: dict[bytes, int] = field(default_factory=dict)
    symbol: dict[int, bytes] = field(default_factory=dict)
    native_symbols: int = 0

    @property
    def height_mm(self) -> float:
        return self.top / self.printer.dots_per_mm

    def image(self) -> Image.Image:
        """The paper with white margins, as a phone would see it."""
        margin = 40
        width = self.printer.dots + 2 * margin
        side, ends = b"\xff" * margin, b"\xff" * width * margin
        rows = [side + bytes(row).translate(_SHADES) + side for row in self.rows]
        return Image.frombytes("L", (width, len(rows) + 2 * margin), ends + b"".join(rows) + ends)

    def codes(self) -> list[str]:
        return [found.text for found in zxingcpp.read_barcodes(self.image())]

    # --- Printing ---

    def mark(self, left: int, top: int, width: int, rows: list[int]) -> None:
        for y, bits in enumerate(rows, top):
            while len(self.rows) <= y:
                self.rows.append(bytearray(self.printer.dots))
            dots = f"{bits:0{width}b}".encode()
            assert b"1" not in dots[max(0, self.printer.dots - left) :], "ink beside the paper"
            for x, dot in enumerate(dots[: self.printer.dots - left], left):
                if dot == 49:
                    self.rows[y][x] = 1

    def left(self, width: int) -> int:
        room = max(0, self.printer.dots - width)
        return (0, room // 2, room)[self.modes.get(b"\x1ba", 0)]

    def end_line(self) -> None:
        units = self.modes.get(b"\x1b3")
        spacing = self.printer.line_spacing if units is None else units * self.printer.dpi // self.printer.motion_y
        height = max((len(rows) for _, rows in self.line), default=0)
        width = sum(width for width, _ in self.line)
        assert width <= self.printer.dots, "the line is wider than the paper"
        at = self.left(width)
        for piece, rows in self.line:
            self.mark(at, self.top, piece, rows)
            at += piece
        self.line = []
        self.top += max(spacing, height)

    def print_symbol(self) -> None:
        code = qrcode.QRCode(error_correction=LEVELS[self.symbol[69][0]], border=0)
        code.add_data(self.symbol[80].decode("utf-8"), optimize=0)
        dots = self.symbol[67][0]
        assert self.symbol[65] == b"2\x00", "model 2"
        bits = ["".join(("01"[dark]) * dots for dark in row) for row in code.get_matrix()]
        rows = [int(row, 2) for row in bits for _ in range(dots)]
        self.mark(self.left(len(rows)), self.top, len(rows), rows)
        self.top += len(rows)
        self.native_symbols += 1


def print_body(body: bytes, printer: PrinterProfile) -> Sheet:
    """The sheet that `body` makes, from the start of a line in neutral modes."""
    sheet, at = Sheet(printer), 0
    while at < len(body):
        at = _command(sheet, body, at) if body[at] < 32 else _letters(sheet, body, at)
    assert not sheet.line, "the body leaves something in the print buffer"
    return sheet


def _letters(sheet: Sheet, body: bytes, at: int) -> int:
    end = at
    while end < len(body) and body[end] >= 32:
        end += 1
    size = sheet.modes.get(b"\x1d!", 0)
    height, cell = sheet.printer.char_height * (size % 16 + 1), 12 * (size // 16 + 1)
    width = (end - at) * cell
    sheet.line.append((width, [(1 << width) - 1] * height))
    return end


def _command(sheet: Sheet, body: bytes, at: int) -> int:
    if body[at] == 10:
        sheet.end_line()
        return at + 1
    two = body[at : at + 2]
    if two in (b"\x1c&", b"\x1c.", b"\x1b2"):
        if two == b"\x1b2":
            sheet.modes.pop(b"\x1b3", None)
        return at + 2
    if two in ONE_ARGUMENT:
        return _one_argument(sheet, two, body[at + 2], at + 3)
    if body[at : at + 3] == b"\x1dv0":
        assert not sheet.line
        width, height = struct.unpack_from("<HH", body, at + 4)
        start, end = at + 8, at + 8 + width * height
        data = [body[row : row + width] for row in range(start, end, width)]
        sheet.mark(sheet.left(width * 8), sheet.top, width * 8, [int.from_bytes(row, "big") for row in data])
        sheet.top += height
        return end
    if body[at : at + 3] == b"\x1b*\x21":
        return _strip(sheet, body, at)
    assert body[at : at + 3] == b"\x1d(k", f"a body may not hold {body[at : at + 4]!r}"
    size = struct.unpack_from("<H", body, at + 3)[0]
    function, value = body[at + 6], body[at + 7 : at + 5 + size]
    assert body[at + 5] == 49
    sheet.symbol[function] = value[1:] if function == 80 else value
    if function == 81:
        assert not sheet.line
        sheet.print_symbol()
    return at + 5 + size


def _one_argument(sheet: Sheet, two: bytes, value: int, end: int) -> int:
    if two == b"\x1bJ":
        assert not sheet.line
        sheet.top += round(value * sheet.printer.dpi / sheet.printer.motion_y)
    elif two == b"\x1bd":
        for _ in range(value):
            sheet.end_line()
    else:
        assert two != b"\x1ba" or not sheet.line, "ESC a is ignored within a line"
        sheet.modes[two] = value
    return end


def _strip(sheet: Sheet, body: bytes, at: int) -> int:
    width = struct.unpack_from("<H", body, at + 3)[0]
    data = body[at + 5 : at + 5 + 3 * width]
    columns = [f"{int.from_bytes(data[x : x + 3], 'big'):024b}" for x in range(0, 3 * width, 3)]
    sheet.line.append((width, [int("".join(bits), 2) for bits in zip(*columns, strict=True)]))
    return at + 5 + 3 * width
