"""Bar codes and QR codes as dots, with the letters under the bars.

Owns: the modules of QR (by the qrcode library) and how large a symbol prints. Never: reads commands. A symbol that
can't be drawn truly (PDF417, Aztec …, data that doesn't fit) becomes a box that says what it would be.
"""

from __future__ import annotations

import textwrap
from functools import lru_cache

import qrcode
from PIL import Image, ImageDraw
from qrcode.constants import ERROR_CORRECT_H, ERROR_CORRECT_L, ERROR_CORRECT_M, ERROR_CORRECT_Q
from qrcode.exceptions import DataOverflowError
from qrcode.util import QRData

from edgebox.escpos.bars import check_digit, modules
from edgebox.escpos.style import Setting
from edgebox.escpos.symbols import BarCode, Symbology
from edgebox.paper.dots import scaled
from edgebox.paper.fonts import glyph, note_font

_LEVELS = {48: ERROR_CORRECT_L, 49: ERROR_CORRECT_M, 50: ERROR_CORRECT_Q, 51: ERROR_CORRECT_H}
_MODULE = 3  # dots: GS ( k's module at power-on
_MODULE_MAX = 16
_BOX_LETTERS = 26  # a line in a labelled box
_BOX_LINES = 8
_NOTE = 14  # dots


@lru_cache(maxsize=64)
def _qr_modules(data: bytes, level: int) -> Image.Image | None:
    """One dot a module, no quiet zone; None where the data is too long."""
    code = qrcode.QRCode(error_correction=level, border=0)
    # Mode 4: bytes as they are, so that the size is the one a printer makes of them.
    code.add_data(QRData(data, mode=4), optimize=0)
    try:
        matrix = code.get_matrix()
    except (DataOverflowError, ValueError):
        return None
    side = len(matrix)
    image = Image.new("L", (side, side), 0)
    image.putdata([255 if dark else 0 for row in matrix for dark in row])
    return image


def symbol_image(symbology: Symbology, width_max: int) -> Image.Image:
    """A symbol as dots (mode L, 255 burnt)."""
    if symbology.kind == "qr":
        image = _qr_modules(symbology.data, _LEVELS.get(symbology.level, ERROR_CORRECT_L))
        module = min(symbology.module or _MODULE, _MODULE_MAX)
        if image is not None and image.width * module <= width_max:
            return scaled(image, module, module)
    return labelled_box(f"{symbology.kind}: {symbology.text}", min(width_max, 300))


def bar_image(code: BarCode, setting: Setting, width_max: int) -> Image.Image:
    """A bar code as dots, its letters above or below as GS H says."""
    bars = modules(code)
    if bars is None or len(bars) * setting.bar_width > width_max:
        return labelled_box(f"{code.kind}: {code.text}", min(width_max, 300))
    strip = Image.new("L", (len(bars), 1), 0)
    strip.putdata([255 if bar == "1" else 0 for bar in bars])
    image = scaled(strip, setting.bar_width, setting.bar_height)
    if not setting.hri:
        return image
    letters = _letters(_readable(code), setting)
    width = max(image.width, letters.width)
    above = letters.height if setting.hri & 1 else 0
    out = Image.new("L", (width, above + image.height + (letters.height if setting.hri & 2 else 0)), 0)
    out.paste(image, ((width - image.width) // 2, above))
    for bit, top in ((1, 0), (2, above + image.height)):
        if setting.hri & bit:
            out.paste(letters, ((width - letters.width) // 2, top))
    return out


def _readable(code: BarCode) -> str:
    """What stands under the bars: with the check digit that the printer adds."""
    length = {"ean13": 13, "ean8": 8, "upc-a": 12}.get(code.kind)
    if length and len(code.text) == length - 1:
        return code.text + check_digit(code.text)
    return "".join(char if char.isprintable() else " " for char in code.text)


def _letters(text: str, setting: Setting) -> Image.Image:
    width, height = (setting.cell, setting.char_height) if setting.hri_font == 0 else (setting.cell_b, 17)
    image = Image.new("L", (max(len(text), 1) * width, height + 2), 0)
    for n, char in enumerate(text):
        image.paste(glyph(char, width, height, False, False), (n * width, 2))
    return image


def labelled_box(label: str, width: int) -> Image.Image:
    """A frame that says what stands here."""
    printable = "".join(char if char.isprintable() else "·" for char in label)
    text = "\n".join(textwrap.wrap(printable, max(width // 9, 8))[:_BOX_LINES])
    height = (_NOTE + 6) * (text.count("\n") + 1) + 20
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, height - 1), outline=255, width=2)
    draw.multiline_text((10, 8), text, 255, font=note_font(_NOTE), spacing=4)
    return image
