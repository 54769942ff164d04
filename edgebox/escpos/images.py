"""How large a printed picture is, read off its command's head.

Owns: `ImageMemory`, which remembers what GS ( L, GS 8 L and GS * store until it is printed, and the sizes of every
picture command. Never: touches the dots themselves (edgebox/paper does). Sizes are dots at 203 dpi.
Source: Epson "ESC/POS Command Reference": GS v 0, ESC *, GS ( L functions 112, 113 and 50, GS *, GS /, GS Q 0.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.escpos.parser import Command


class Size(NamedTuple):
    """Width and height as printed; 0 where the stream doesn't say."""

    width: int = 0
    height: int = 0


UNKNOWN = Size()
# ESC * m -> (dots a column has, printed width of a dot, printed height of a dot).
BIT_IMAGE = {0: (8, 2, 3), 1: (8, 1, 3), 32: (24, 2, 1), 33: (24, 1, 1)}


def scale_of(m: int) -> tuple[int, int]:
    """GS v 0, GS / and FS p: bit 0 doubles the width, bit 1 the height; m may be an ASCII digit."""
    return 2 if m & 1 else 1, 2 if m & 2 else 1


class ImageMemory:
    """Sizes of the pictures stored in the printer's volatile memory."""

    __slots__ = ("_downloaded", "_graphic")

    def __init__(self) -> None:
        self._graphic = UNKNOWN  # GS ( L functions 112 and 113, printed by 50
        self._downloaded = UNKNOWN  # GS *

    def store(self, command: Command) -> None:
        """A command that stores a picture (others do nothing)."""
        raw = command.raw
        if raw[:2] == b"\x1d*":
            self._downloaded = Size(raw[2] * 8, raw[3] * 8)
            return
        head = graphics_head(raw)
        if head is None or head[1] not in (112, 113):
            return
        at = head[0]  # a bx by c xL xH yL yH from here
        bx, by = raw[at + 1], raw[at + 2]
        width = raw[at + 4] | raw[at + 5] << 8
        data = command.total - at - 8
        across = -(-width // 8)
        height = data // across if head[1] == 112 and across else raw[at + 6] * (head[1] == 113)
        self._graphic = Size(width * max(bx & 3, 1), height * max(by & 3, 1))

    def printed(self, command: Command) -> Size:
        """The size of what this command prints."""
        raw, prefix = command.raw, command.spec.prefix
        if prefix == b"\x1dv":
            across, down = scale_of(raw[3])
            return Size((raw[4] | raw[5] << 8) * 8 * across, (raw[6] | raw[7] << 8) * down)
        if prefix == b"\x1b*":
            rows, across, down = BIT_IMAGE.get(raw[2], (24, 1, 1))
            return Size((raw[3] | raw[4] << 8) * across, rows * down)
        if prefix == b"\x1d/":
            across, down = scale_of(raw[2])
            return Size(self._downloaded.width * across, self._downloaded.height * down)
        if prefix == b"\x1dQ":
            return Size(raw[4] | raw[5] << 8, (raw[6] | raw[7] << 8) * 8)
        if graphics_head(raw) is not None:
            size, self._graphic = self._graphic, UNKNOWN  # printing empties the memory
            return size
        return UNKNOWN


def fills_graphics(raw: bytes) -> bool:
    """GS ( L functions 112 and 113: dots for function 50 to print (the command table calls all of them ink)."""
    head = graphics_head(raw)
    return head is not None and head[1] in (112, 113)


def graphics_head(raw: bytes) -> tuple[int, int] | None:
    """Of GS ( L and GS 8 L: where the parameters begin, and the function. None for other commands."""
    if raw[:3] == b"\x1d(L" and len(raw) >= 7:
        return 7, raw[6]
    if raw[:3] == b"\x1d8L" and len(raw) >= 9:
        return 9, raw[8]
    return None
