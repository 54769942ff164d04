"""Paper as a strip of dots, and the picture of it: sheets, cut edges, notes in the margin.

Owns: `Canvas` (the burnt dots; grows as paper is fed, to HEIGHT_MAX) and how it is shown. Never: decides what is
inked or where it is cut. Dots are counted from where the print head stood at power-on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from edgebox.paper.fonts import note_font

HEIGHT_MAX = 40_000  # dots, 5 m: beyond it a picture is of no use
_BAND = 2048  # dots of strip made at a time
_EDGE = 40  # dots of paper beside the printable area (80 mm paper: 4 mm, 58 mm paper: 5 mm)
_MARGIN = 24  # around the sheets
_GAP = 46  # between two sheets
_NOTES = 230  # width of the notes' column
_NOTE_SIZE, _NOTE_LINE, _NOTE_LETTERS = 15, 20, 26
_DESK, _PAPER, _SHADE, _INK, _GREY = (226, 228, 230), (253, 252, 248), (205, 206, 206), (28, 27, 32), (120, 122, 126)
_TOOTH = 8  # of a torn edge


class Note(NamedTuple):
    """A remark beside the paper at `at` dots."""

    at: int
    text: str


class Canvas:
    """The strip of paper under the head."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.beyond = 0  # dots of ink that would lie below HEIGHT_MAX
        self._bands: list[Image.Image] = []

    def burn(self, image: Image.Image, left: int, top: int) -> tuple[int, int] | None:
        """Burns the dots of `image` (255). Returns the dots from the first to behind the last inked row."""
        box = image.getbbox()
        if box is None:
            return None
        first, last = top + box[1], top + box[3]
        if last > HEIGHT_MAX:
            self.beyond = max(self.beyond, last - HEIGHT_MAX)
        for n in range(max(first, 0) // _BAND, (min(last, HEIGHT_MAX) - 1) // _BAND + 1):
            while len(self._bands) <= n:
                self._bands.append(Image.new("L", (self.width, _BAND), 0))
            self._bands[n].paste(255, (left, top - n * _BAND), image)
        return first, last

    def strip(self, top: int, bottom: int) -> Image.Image:
        """The dots from `top` to `bottom` (which may lie where nothing was burnt)."""
        image = Image.new("L", (self.width, max(bottom - top, 1)), 0)
        for n in range(max(top, 0) // _BAND, min(max(bottom, 1) // _BAND + 1, len(self._bands))):
            image.paste(self._bands[n], (0, n * _BAND - top))
        return image


class _Sheet(NamedTuple):
    top: int
    bottom: int
    cut_above: bool
    cut_below: bool


def show(canvas: Canvas, cuts: Sequence[int], notes: Sequence[Note], top: int, bottom: int) -> Image.Image:
    """The paper from `top` to `bottom`, cut at `cuts`, on a desk."""
    sheets = _sheets(cuts, top, min(bottom, HEIGHT_MAX))
    paper = canvas.width + 2 * _EDGE
    width = paper + 2 * _MARGIN + (_NOTES if notes else 0)
    gaps = sum(sheet.cut_below for sheet in sheets)
    height = sum(sheet.bottom - sheet.top for sheet in sheets) + _GAP * gaps + 2 * _MARGIN
    image = Image.new("RGB", (width, height), _DESK)
    y, free = _MARGIN, 0
    for sheet in sheets:
        _draw_sheet(image, canvas, sheet, y)
        for note in notes:
            if sheet.top <= note.at < sheet.bottom or (sheet is sheets[-1] and note.at >= sheet.bottom):
                beside = y + min(note.at, sheet.bottom) - sheet.top
                free = _draw_note(image, paper + _MARGIN + 12, max(beside, free), note)
        y += sheet.bottom - sheet.top + _GAP
        if sheet.cut_below:
            _draw_scissors(image, y - _GAP // 2, paper)
    return image


def _sheets(cuts: Sequence[int], top: int, bottom: int) -> list[_Sheet]:
    edges = sorted({cut for cut in cuts if top < cut <= bottom})
    sheets, above = [], top
    for cut in edges:
        sheets.append(_Sheet(above, cut, above != top, True))
        above = cut
    if bottom > above or not sheets:
        sheets.append(_Sheet(above, max(bottom, above + 1), bool(edges), False))
    return sheets


def _draw_sheet(image: Image.Image, canvas: Canvas, sheet: _Sheet, y: int) -> None:
    height = sheet.bottom - sheet.top
    left, right = _MARGIN, _MARGIN + canvas.width + 2 * _EDGE
    draw = ImageDraw.Draw(image)
    draw.rectangle((left + 3, y + 3, right + 2, y + height + 2), fill=_SHADE)
    draw.rectangle((left, y, right - 1, y + height - 1), fill=_PAPER, outline=(236, 235, 230))
    strip = canvas.strip(sheet.top, sheet.bottom)
    image.paste(_INK, (left + _EDGE, y), strip)
    if not sheet.cut_above:
        _tear(draw, left, right, y, -1)
    if not sheet.cut_below:
        _tear(draw, left, right, y + height, 1)


def _tear(draw: ImageDraw.ImageDraw, left: int, right: int, y: int, way: int) -> None:
    """A toothed edge: the desk shows between the teeth. Only outside of the sheet, so that no ink is hidden."""
    for x in range(left, right, _TOOTH):
        tooth = ((x, y), (min(x + _TOOTH, right), y), (min(x + _TOOTH // 2, right), y + way * _TOOTH // 2))
        draw.polygon(tooth, fill=_PAPER)


def _draw_scissors(image: Image.Image, y: int, paper: int) -> None:
    draw = ImageDraw.Draw(image)
    for x in range(_MARGIN + 34, _MARGIN + paper, 16):
        draw.line((x, y, x + 8, y), fill=_GREY, width=2)
    draw.ellipse((_MARGIN, y - 10, _MARGIN + 9, y - 2), outline=_GREY, width=2)
    draw.ellipse((_MARGIN, y + 2, _MARGIN + 9, y + 10), outline=_GREY, width=2)
    draw.line((_MARGIN + 8, y - 5, _MARGIN + 28, y + 4), fill=_GREY, width=2)
    draw.line((_MARGIN + 8, y + 5, _MARGIN + 28, y - 4), fill=_GREY, width=2)


def _draw_note(image: Image.Image, x: int, y: int, note: Note) -> int:
    """Returns where the next note may begin."""
    draw = ImageDraw.Draw(image)
    lines = [note.text[n : n + _NOTE_LETTERS] for n in range(0, len(note.text), _NOTE_LETTERS)][:4]
    for line in lines:
        draw.text((x, y), line, _GREY, font=note_font(_NOTE_SIZE))
        y += _NOTE_LINE
    return y
