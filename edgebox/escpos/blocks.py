"""What a slip is made of: text, QR codes, rules, blank lines and pictures.

Owns: the blocks, and what is asked of the hook that draws letters. Never: a byte for a printer (compose.py).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Protocol

from edgebox.escpos.raster import Raster

NOMINAL_DOTS = 6  # a module where there is room: 0.75 mm at 203 dpi; below 5 older phones need several tries


class Align(IntEnum):
    """`ESC a n`."""

    LEFT = 0
    CENTER = 1
    RIGHT = 2


class Text(NamedTuple):
    """A line of text, wrapped if it is too long. `width`, `height`: 1 or 2 times (`GS !`).

    `plain`: what to print if the printer lacks the script ("": nothing; None: then the slip is an error).
    """

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    width: int = 1
    height: int = 1
    plain: str | None = None


class Qr(NamedTuple):
    """A QR code in the middle of the paper, with a line of text below. `module_dots` is the most it may use."""

    data: str
    module_dots: int = NOMINAL_DOTS
    level: str = "M"
    caption: Text | None = None


class QrBeside(NamedTuple):
    """A QR code with `lines` to its right where dots are sent anyway, else below `above`: the compact form."""

    data: str
    lines: tuple[Text, ...]
    above: tuple[Text, ...] = ()  # () means `lines`
    module_dots: int = NOMINAL_DOTS
    level: str = "M"


class Rule(NamedTuple):
    """A line across the paper."""

    char: str = "-"


class Feed(NamedTuple):
    """Blank lines."""

    lines: int = 1


Block = Text | Qr | QrBeside | Rule | Feed | Raster


class TextRaster(Protocol):
    """Draws one line of text as dots, cropped to its width and at most `width_dots` wide.

    Given by the engine (Pillow), and should remember what it drew. Raises SlipError `too_wide`.
    """

    def __call__(self, text: str, *, width_dots: int, height_dots: int, bold: bool) -> Raster: ...
