"""Picture commands as dots.

Owns: the layouts in which ESC/POS sends dots (rows or columns, 8 or 24 high) and the printer's picture memories.
Never: places a picture. Images are mode L, 255 where a dot is burnt, and end where their data ends.
Source: Epson "ESC/POS Command Reference".
"""

from __future__ import annotations

from PIL import Image

from edgebox.escpos.images import BIT_IMAGE, graphics_head, scale_of
from edgebox.escpos.parser import Command

_IMAGES_MAX = 256  # stored pictures kept: FS q has at most 255


def _word(raw: bytes, at: int) -> int:
    return raw[at] | raw[at + 1] << 8


def rows(data: bytes, width: int, height: int) -> Image.Image:
    """Dots row by row, the left one in the highest bit."""
    across = -(-width // 8)
    height = min(height, -(-len(data) // across)) if across else 0  # sizes are claims: 65535 x 65535 in 20 bytes
    if not height:
        return Image.new("L", (1, 1), 0)
    image = Image.frombytes("1", (across * 8, height), data[: across * height].ljust(across * height, b"\0"))
    return image.convert("L").crop((0, 0, width, height))


def columns(data: bytes, width: int, height: int) -> Image.Image:
    """Dots column by column, the upper one in the highest bit; `height` a multiple of 8."""
    if not width or not height:
        return Image.new("L", (1, 1), 0)
    return rows(data, height, width).transpose(Image.Transpose.TRANSPOSE)


def scaled(image: Image.Image, across: int, down: int) -> Image.Image:
    """Each dot printed as several."""
    if (across, down) == (1, 1):
        return image
    return image.resize((image.width * across, image.height * down), Image.Resampling.NEAREST)


def stripe(raw: bytes) -> Image.Image:
    """ESC *."""
    high, across, down = BIT_IMAGE.get(raw[2], (48 if raw[2] in (71, 72, 73) else 24, 1, 1))
    return scaled(columns(raw[5:], _word(raw, 3), high), across, down)


class PictureMemory:
    """What GS ( L, GS 8 L, GS * and FS q have stored."""

    def __init__(self) -> None:
        self._graphic: Image.Image | None = None
        self._downloaded: Image.Image | None = None
        self._numbered: list[Image.Image] = []  # FS q: 1, 2, 3 …
        self._keyed: dict[bytes, Image.Image] = {}  # GS ( L functions 67 and 83: two-letter keys

    def store(self, command: Command, raw: bytes) -> None:
        """Keeps the picture of a storing command; others do nothing."""
        prefix = command.spec.prefix
        if prefix == b"\x1d*":
            self._downloaded = columns(raw[4:], raw[2] * 8, raw[3] * 8)
        elif prefix == b"\x1cq":
            self._numbered = _numbered(raw)
        elif (head := graphics_head(raw)) is not None:
            self._store_graphic(raw, *head)

    def printed(self, command: Command, raw: bytes) -> Image.Image | None:
        """The picture that this command prints; None where the stream hasn't told what it is."""
        prefix = command.spec.prefix
        if prefix == b"\x1dv":
            return scaled(rows(raw[8:], _word(raw, 4) * 8, _word(raw, 6)), *scale_of(raw[3]))
        if prefix == b"\x1dQ":
            return columns(raw[8:], _word(raw, 4), _word(raw, 6) * 8)
        if prefix == b"\x1d/":
            return scaled(self._downloaded, *scale_of(raw[2])) if self._downloaded else None
        if prefix == b"\x1cp":
            known = 0 < raw[2] <= len(self._numbered)
            return scaled(self._numbered[raw[2] - 1], *scale_of(raw[3])) if known else None
        head = graphics_head(raw)
        return self._printed_graphic(raw, *head) if head is not None else None

    def _store_graphic(self, raw: bytes, at: int, function: int) -> None:
        if function in (112, 113) and len(raw) >= at + 8:  # a bx by c xL xH yL yH d…
            image = (rows if function == 112 else columns)(raw[at + 8 :], _word(raw, at + 4), _word(raw, at + 6))
            self._graphic = scaled(image, max(raw[at + 1] & 3, 1), max(raw[at + 2] & 3, 1))
        elif function in (67, 83) and len(raw) >= at + 9 and len(self._keyed) < _IMAGES_MAX:
            # a kc1 kc2 b xL xH yL yH c d…: the first colour is the one that is drawn
            self._keyed[raw[at + 1 : at + 3]] = rows(raw[at + 9 :], _word(raw, at + 4), _word(raw, at + 6))

    def _printed_graphic(self, raw: bytes, at: int, function: int) -> Image.Image | None:
        if function in (2, 50):
            image, self._graphic = self._graphic, None  # printing empties the memory
            return image
        keyed = self._keyed.get(raw[at : at + 2]) if function in (69, 85) else None  # kc1 kc2 x y
        return scaled(keyed, max(raw[at + 2] & 3, 1), max(raw[at + 3] & 3, 1)) if keyed and len(raw) > at + 3 else None


def _numbered(raw: bytes) -> list[Image.Image]:
    """FS q n [xL xH yL yH d…]: x and y count bytes."""
    images: list[Image.Image] = []
    at = 3
    while at + 4 <= len(raw) and len(images) < raw[2]:
        width, height = _word(raw, at) * 8, _word(raw, at + 2) * 8
        size = width * height // 8
        images.append(columns(raw[at + 4 : at + 4 + size], width, height))
        at += 4 + size
    return images
