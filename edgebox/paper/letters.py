"""Letters as a picture, for slips in a script that the printer hasn't got: the composer's `text_raster` hook.

Owns: a line of text → Raster, remembered. Never: loads Pillow before it is first asked: most printers never need it.
Each character takes the cell that a printer would give it: as wide as high, ASCII half of that.
"""

from __future__ import annotations

from functools import lru_cache

from edgebox.errors import SlipError
from edgebox.escpos.lettering import columns
from edgebox.escpos.raster import Raster

REMEMBERED = 256  # lines: a slip's words are the same all day but for its numbers


@lru_cache(maxsize=REMEMBERED)
def text_raster(text: str, *, width_dots: int, height_dots: int, bold: bool) -> Raster:
    """`text` in letters `height_dots` high. SlipError `too_wide`: it doesn't fit `width_dots`; `script`: no font."""
    from PIL import Image

    from edgebox.paper.fonts import glyph, missing

    if not text.isascii() and missing():  # a box in place of a letter must not get onto a customer's paper
        raise SlipError(f"{text!r} can't be drawn: {'; '.join(missing())}", reason="script")
    half = height_dots // 2
    width = columns(text) * half
    if width > width_dots:
        raise SlipError(f"{text!r} is {width} dots wide, {width_dots} are free", reason="too_wide")
    line = Image.new("L", (-(-width // 8) * 8, height_dots), 0)
    left = 0
    for char in text:
        cell = half * columns(char)
        line.paste(glyph(char, cell, height_dots, bold, cell > half), (left, 0))
        left += cell
    return Raster(line.width // 8, height_dots, line.convert("1").tobytes())
