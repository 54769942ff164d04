"""How the next letter will look, and where it will stand."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """The look of letters. Sizes are multiples (1-8); `font` is A, B or C; `justify` 0 left, 1 centre, 2 right."""

    bold: bool = False
    width: int = 1
    height: int = 1
    underline: int = 0  # dots thick: 0, 1 or 2
    reverse: bool = False
    font: str = "A"
    justify: int = 0
    upside_down: bool = False
    rotate: bool = False
    italic: bool = False
