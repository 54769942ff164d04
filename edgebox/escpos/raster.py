"""Dots: a picture as the printer takes it, and the two commands that print one.

Owns: `Raster`, its bytes as `GS v 0` and as rows of `ESC *`, and placing one picture beside others. Never: draws
letters (a hook of the engine does, with Pillow) or decides where a picture goes (compose.py does).
A row of dots is an int while we work on it: shifting and or-ing 600 bits at once is what makes this fast in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

STRIP_DOTS = 24  # ESC * m = 33: 24 dots high, three bytes a column (Epson, "ESC *")
ROWS_MAX = 2303  # GS v 0: the lowest limit for yL yH in Epson's table of models


class Raster(NamedTuple):
    """Black is 1, most significant bit leftmost; `data` is `height` rows of `width_bytes`."""

    width_bytes: int
    height: int
    data: bytes

    @property
    def width(self) -> int:
        """Width in dots, padding to a whole byte included."""
        return self.width_bytes * 8

    def rows(self) -> list[int]:
        """Each row as an int of `width` bits."""
        step = self.width_bytes
        return [int.from_bytes(self.data[at : at + step], "big") for at in range(0, step * self.height, step)]


def from_rows(rows: Sequence[int], width: int) -> Raster:
    """Rows of `width` bits as a Raster, padded with white on the right to whole bytes."""
    width_bytes = (width + 7) // 8
    pad = width_bytes * 8 - width
    return Raster(width_bytes, len(rows), b"".join([(row << pad).to_bytes(width_bytes, "big") for row in rows]))


def beside(left: Sequence[int], left_width: int, lines: Sequence[Raster], line_dots: int) -> Raster:
    """`left` (rows of `left_width` bits) with `lines` under one another to its right, centred in its height.

    The lines stand `line_dots` apart, top to top, and must fit: `len(lines) * line_dots <= len(left)`.
    """
    right_width = max((line.width for line in lines), default=0)
    rows = [row << right_width for row in left]
    top = (len(left) - len(lines) * line_dots) // 2
    for number, line in enumerate(lines):
        shift = right_width - line.width
        for at, row in enumerate(line.rows(), top + number * line_dots):
            rows[at] |= row << shift
    return from_rows(rows, left_width + right_width)


def gs_v_0(picture: Raster) -> bytes:
    """`GS v 0`: prints at once; the printer is at the start of a line afterwards."""
    out: list[bytes] = []
    for top in range(0, picture.height, ROWS_MAX):
        height = min(ROWS_MAX, picture.height - top)
        head = b"\x1dv0\x00" + picture.width_bytes.to_bytes(2, "little") + height.to_bytes(2, "little")
        out += (head, picture.data[top * picture.width_bytes : (top + height) * picture.width_bytes])
    return b"".join(out)


def esc_star(rows: Sequence[int], width: int) -> list[bytes]:
    """Strips of 24 rows as `ESC *` m = 33 commands, without line ends: the caller prints each strip with LF.

    Columns repeat (a module is several dots wide), so each distinct column is turned to bytes only once.
    """
    head = b"\x1b*\x21" + width.to_bytes(2, "little")
    known: dict[str, bytes] = {}
    strips = []
    for top in range(0, len(rows), STRIP_DOTS):
        texts = [f"{row:0{width}b}" for row in rows[top : top + STRIP_DOTS]]
        texts += ["0" * width] * (STRIP_DOTS - len(texts))
        columns = ["".join(column) for column in zip(*texts, strict=True)]
        for column in set(columns) - known.keys():
            known[column] = int(column, 2).to_bytes(3, "big")
        strips.append(head + b"".join([known[column] for column in columns]))
    return strips
