"""Draws a stream of ESC/POS as the paper it would be.

Owns: `PaperPrinter`, which is told events in sequence and knows where the paper stands, and `draw` / `render_png` for a
whole stream. Never: on the path of a receipt; it is for people who look (previews, the simulated printer, tests).

Shape: the mechanism (escpos/mechanism.py) knows the order of things; here each thing becomes dots on a canvas, and an
`InkItem` with the rows it really burnt, so that a cut through it can be seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

from PIL import Image

from edgebox.escpos.encodings import Decoder
from edgebox.escpos.mechanism import Mechanism
from edgebox.escpos.page import Page, Place
from edgebox.escpos.parser import Command, Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import Node, dots_y
from edgebox.escpos.symbols import BarCode, Symbology
from edgebox.escpos.typeset import Kind, Piece, justified, place
from edgebox.paper.canvas import HEIGHT_MAX, Canvas, Note, show
from edgebox.paper.dots import PictureMemory
from edgebox.paper.fonts import missing
from edgebox.paper.rows import break_rows, set_row
from edgebox.paper.symbols import bar_image, labelled_box, symbol_image

ITEMS_MAX = 20_000  # ink items, cuts and notes kept: HEIGHT_MAX holds about 2,300 lines
_TAIL = 60  # dots of paper shown below the last ink when nothing cuts it
_FEED_AND_CUT = (65, 66)  # GS V m: feeds to the cutter and n units, then cuts
_CUT_LATER = (97, 98)  # GS V m: marks a place n units on; cuts when it has come to the cutter
_UPRIGHT, _UP, _OVER, _DOWN = range(4)  # directions of ESC T


class InkItem(NamedTuple):
    """Something that left a mark. `top`, `bottom`: its first row and the one behind its last, in dots fed since
    power-on; `kind`: text, picture, symbol or bar code; `text`: what it says, or holds."""

    top: int
    bottom: int
    kind: str
    text: str


class CutMark(NamedTuple):
    """A cut. `at_dots`: the paper position that stood under the cutter (head position less head-to-cutter);
    `offset`: of the command in the stream."""

    at_dots: int
    offset: int


class PaperPrinter(Mechanism):
    """A printer's mechanism with paper: feed it events, look at ink, cuts and picture."""

    collects: ClassVar[frozenset[bytes]] = frozenset(
        {b"\x1dk", b"\x1b*", b"\x1dv", b"\x1d(L", b"\x1d8L", b"\x1d*", b"\x1dQ", b"\x1cq"}
    )

    def __init__(self, profile: PrinterProfile, *, start: int = 0, decoder: Decoder | None = None) -> None:
        super().__init__(profile, start=start, decoder=decoder)
        self.ink: list[InkItem] = []
        self.cuts: list[CutMark] = []
        self.dropped = 0  # ink items, cuts and notes beyond ITEMS_MAX
        self._canvas = Canvas(profile.dots)
        self._notes: list[Note] = []
        self._pictures = PictureMemory()
        self._to_cutter = round(profile.head_to_cutter_mm * profile.dots_per_mm)

    @property
    def position(self) -> int:
        """Dots of paper that have passed the head since the start."""
        return self.top

    def image(self) -> Image.Image:
        """The paper so far: RGB, 8 dots a millimetre, with edges, cuts and margin notes."""
        notes = [Note(0, sentence) for sentence in missing()] + self._notes
        cuts = [cut.at_dots for cut in self.cuts]
        last = max((item.bottom for item in self.ink), default=0)
        end = max(cuts, default=-self._to_cutter)
        if last > end or not cuts:
            end = max(last + _TAIL, self.top if not cuts else end)
        if end > HEIGHT_MAX:
            notes.append(Note(HEIGHT_MAX, f"cut short here: {end - HEIGHT_MAX} dots more"))
        return show(self._canvas, cuts, notes, -self._to_cutter, end)

    # -- what the press prints

    def lay_run(self, body: bytes, start: int, node: Node, lines: int) -> None:
        """Each line as a row of its own."""
        top, more = self.top, 0
        for n, raw in enumerate(body.split(b"\n")):
            self.top = top + n * node.feed + more
            if raw.strip(b"\r\0"):
                more += self._print_pieces([Piece(Kind.TEXT, raw, node.setting, start)], node.feed)
        self.top = top + more

    def lay_row(self, pieces: list[Piece], end: int) -> int:
        """The line's rows: more than one where it is wider than the print area."""
        return self._print_pieces(pieces, max(self._node.spacing, *(piece.setting.ink_height for piece in pieces)))

    def lay_page(self, page: Page, end: int) -> None:
        """Text and pictures at their places."""
        for placement in page.placements:
            for letters in break_rows(place([placement.piece], self._decoder), wrap=False):
                row = set_row(letters)
                if row is not None:
                    self._burn_on_page(row.image, placement.place, "text", row.text)
        for spot, (image, kind, text) in page.pictures:
            self._burn_on_page(image, spot, kind, text)

    def lay_picture(self, command: Command, raw: bytes, start: int) -> None:
        """The picture, or a box where the printer would have it in its memory."""
        image = self._pictures.printed(command, raw)
        if image is None:
            image = labelled_box(f"{command.name}: picture in the printer's memory", min(300, self.profile.dots))
        self._put(image, "picture", command.name)

    def lay_stripe(self, command: Command, raw: bytes, start: int) -> None:
        """Dots in the open line, as many as the paper is wide."""
        shown = raw[: 5 + 6 * self.profile.dots]
        width = int.from_bytes(raw[3:5], "little") * (2 if raw[2] in (0, 32) else 1)
        self._pieces.append(Piece(Kind.DOTS, shown, self._node.setting, start, width))

    def lay_symbol(self, symbology: Symbology, start: int) -> None:
        """QR as it is, others as a box; a printer without symbols prints none."""
        if not self.profile.qr_native:
            self._note("symbol on a printer without symbols")
            return
        self._put(symbol_image(symbology, self._node.setting.area), "symbol", symbology.text)

    def lay_bar_code(self, code: BarCode, start: int, end: int) -> None:
        """Bars and letters."""
        self._put(bar_image(code, self._node.setting, self._node.setting.area), "bar code", code.text)

    def lay_mark(self, kind: str, command: Command, start: int) -> None:
        """A cut where the cutter stands; notes for the rest."""
        if kind == "cut":
            self._cut(command, start)
        else:
            self._note(kind)

    def store(self, command: Command, raw: bytes) -> None:
        """Into the printer's picture memory."""
        self._pictures.store(command, raw)

    def show(self, text: str) -> None:
        """Beside the paper."""
        shown = "".join(char if char.isprintable() else " " for char in text).strip()
        if shown:
            self._note(f"display: {shown}")

    # -- inside

    def _print_pieces(self, pieces: list[Piece], feed: int) -> int:
        """Burns a line at `self.top`; returns the dots that its second and further rows take."""
        rows = break_rows(place(pieces, self._decoder))
        for n, letters in enumerate(rows):
            row = set_row(letters)
            if row is not None:
                self._burn(row.image, row.left, self.top + n * feed, "text", row.text)
        return feed * (len(rows) - 1)

    def _put(self, image: Image.Image, kind: str, text: str) -> None:
        """Prints at once, justified, and feeds its height; on a page, takes its place there."""
        if self._page is not None:
            self._page.pictures.append((self._page.place, (image, kind, text)))
        else:
            setting = self._node.setting
            self._burn(image, setting.margin + justified(setting, image.width), self.top, kind, text)
        self._move_on(image.height)

    def _burn(self, image: Image.Image, left: int, top: int, kind: str, text: str) -> None:
        inked = self._canvas.burn(image, left, top)
        if inked is not None and self._has_room(self.ink):
            self.ink.append(InkItem(*inked, kind, text))

    def _burn_on_page(self, image: Image.Image, spot: Place, kind: str, text: str) -> None:
        x, y, width, height = spot.area
        if spot.direction == _UP:
            image = image.transpose(Image.Transpose.ROTATE_90)
            left, top = x + spot.y, y + height - spot.x - image.height
        elif spot.direction == _OVER:
            image = image.transpose(Image.Transpose.ROTATE_180)
            left, top = x + width - spot.x - image.width, y + height - spot.y - image.height
        elif spot.direction == _DOWN:
            image = image.transpose(Image.Transpose.ROTATE_270)
            left, top = x + width - spot.y - image.width, y + spot.x
        else:
            left, top = x + spot.x, y + spot.y
        self._burn(image, left, self.top + top, kind, text)

    def _cut(self, command: Command, start: int) -> None:
        raw = command.raw
        m = raw[2] if raw[:2] == b"\x1dV" else 0
        later = dots_y(raw[3], self._node.setting, self.profile) if len(raw) > 3 else 0
        if m in _FEED_AND_CUT or self.profile.cut_feeds:
            self.top += self._to_cutter + later
        at = self.top if m in _CUT_LATER else self.top - self._to_cutter
        if self._has_room(self.cuts):
            self.cuts.append(CutMark(at + (later if m in _CUT_LATER else 0), start))

    def _note(self, text: str) -> None:
        if self._has_room(self._notes):
            self._notes.append(Note(self.top, text))

    def _has_room(self, kept: list[InkItem] | list[CutMark] | list[Note]) -> bool:
        if len(kept) < ITEMS_MAX:
            return True
        self.dropped += 1
        return False


def draw(stream: bytes, profile: PrinterProfile) -> Image.Image:
    """The paper that `stream` makes on this printer."""
    parser, printer = Parser(), PaperPrinter(profile)
    printer.feed(parser.feed(stream))
    printer.feed(parser.finish())
    printer.finish()
    return printer.image()


def render_png(stream: bytes, profile: PrinterProfile, path: Path) -> None:
    """Writes `draw(stream, profile)` to `path` as PNG."""
    draw(stream, profile).save(path, "PNG")
