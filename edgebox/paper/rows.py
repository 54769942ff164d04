"""One printed row as dots.

Owns: how the letters of one paper line become an image: wrapped at the print area, standing on one base line, bold,
underlined, reversed, enlarged, turned. Never: knows where on the paper the row will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from edgebox.escpos.style import FONT_B_HEIGHT, KANJI_DOTS, Setting
from edgebox.escpos.typeset import Placed, advance, is_wide, justified
from edgebox.paper.dots import scaled, stripe
from edgebox.paper.fonts import glyph


class Letter(NamedTuple):
    """One sign at its place, or (without `char`) the dots of an ESC *."""

    x: int
    width: int
    char: str
    paired: bool
    setting: Setting
    dots: bytes = b""


class Row(NamedTuple):
    """A row ready to be burnt. `left`: dots from the printable edge."""

    image: Image.Image
    left: int
    text: str


def break_rows(layers: Sequence[Sequence[Placed]], *, wrap: bool = True) -> list[list[Letter]]:
    """The letters of a line, in as many rows as the print area needs; a CR prints over the first row."""
    rows: list[list[Letter]] = [[]]
    for layer in layers:
        at, shift = 0, 0
        for placed in layer:
            x = placed.left
            for char in placed.text or ("",):
                width = advance(char, placed.paired, placed.setting) if char else placed.right - placed.left
                if wrap and char and x - shift and x - shift + width > placed.setting.area:
                    at, shift = at + 1, x
                    if at == len(rows):
                        rows.append([])
                rows[at].append(Letter(x - shift, width, char, placed.paired, placed.setting, placed.dots))
                x += width
    return rows


def set_row(letters: Sequence[Letter]) -> Row | None:
    """The row as dots; None where nothing of it is inked."""
    cells = [(letter, _cell(letter)) for letter in letters]
    if not cells:
        return None
    height = max(image.height for _, image in cells)
    width = max(letter.x + image.width for letter, image in cells)
    first = letters[0].setting
    row = Image.new("L", (max(width, 1), height), 0)
    for letter, image in cells:
        row.paste(255, (letter.x, height - image.height), image)
    left = first.margin + justified(first, width)
    if first.style.upside_down:
        row = row.transpose(Image.Transpose.ROTATE_180)
        left = first.margin + max(first.area - width, 0) - justified(first, width)
    if row.getbbox() is None:
        return None
    return Row(row, left, "".join(letter.char for letter in letters).strip())


def _cell(letter: Letter) -> Image.Image:
    if not letter.char:
        return stripe(letter.dots)
    setting, style = letter.setting, letter.setting.style
    wide = is_wide(letter.char, letter.paired)
    if wide:
        across, down, line = style.kanji_width, style.kanji_height, max(style.kanji_underline, style.underline)
        width, height = 2 * setting.cell, KANJI_DOTS
    else:
        across, down, line = style.width, style.height, style.underline
        width, height = (setting.cell, setting.char_height) if style.font == "A" else (setting.cell_b, FONT_B_HEIGHT)
    image = scaled(glyph(letter.char, width, height, style.bold, wide), across, down)
    if style.italic:
        image = _slanted(image)
    if style.rotate:
        image = image.transpose(Image.Transpose.ROTATE_270)
    full = Image.new("L", (max(letter.width, 1), image.height), 0)
    full.paste(image, (setting.kanji_left * across if wide else 0, 0))
    if line and not style.rotate and not style.reverse:
        full.paste(255, (0, full.height - line, full.width, full.height))
    return full.point(lambda value: 255 - value) if style.reverse else full


def _slanted(image: Image.Image) -> Image.Image:
    """Leaning to the right, about its middle."""
    lean = 0.2
    shift = -lean * image.height / 2
    return image.transform(image.size, Image.Transform.AFFINE, (1, lean, shift, 0, 1, 0))
