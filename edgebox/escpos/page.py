"""Page mode: pieces of text put anywhere on a page, until FF prints it from top to bottom.

Owns: `Page`, the print area, direction and position between ESC L and FF, and the order in which the finished page
reads. Never: prints or decodes. Positions are dots; Directions are those of ESC T:
in 1 and 3 x runs along the paper and y across it, so such rows are ordered among themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from edgebox.escpos.parser import Command
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import Setting, dots_x, dots_y
from edgebox.escpos.typeset import Kind, Piece

ROWS_MAX = 2000  # placed pieces of one page: more than a page's letters
PIECE_MAX = 4096  # bytes that one piece grows to: no row has so many letters
SAME_ROW = 12  # dots: half a letter; pieces whose tops differ less read as one line
PAGE_HEIGHT = 1662  # dots of the print area until ESC W sets one (TM-T88: 207.8 mm)


class Place(NamedTuple):
    """A place on the page: a print area (x, y, width, height), a direction, and x and y in it as it reads."""

    area: tuple[int, int, int, int]
    direction: int
    x: int
    y: int


class Placement(NamedTuple):
    """Text at its place on the page. `left` and `top` order it among text of the same direction."""

    direction: int
    top: int
    left: int
    piece: Piece
    place: Place


class Page:
    """One page under construction."""

    def __init__(self, profile: PrinterProfile, start: int) -> None:
        self.start = start  # offset in the stream of ESC L
        self.placements: list[Placement] = []
        self.pictures: list[tuple[Place, Any]] = []  # Any: what the heir of the press prints there
        self.direction = 0
        self.area = (0, 0, profile.dots, PAGE_HEIGHT)  # x, y, width, height
        self.x = self.y = 0  # in the area, in the direction of reading
        self._bottom = 0
        self._area_set = False
        self._profile = profile

    @property
    def height(self) -> int:
        """Dots that FF feeds: the area as set by ESC W, or what stands on the page."""
        return self.area[1] + self.area[3] if self._area_set else self._bottom

    @property
    def place(self) -> Place:
        """Where the next thing goes."""
        return Place(self.area, self.direction, self.x, self.y)

    def text(self, raw: bytes, start: int, setting: Setting) -> None:
        """Text with its line ends; each part is placed where the position is."""
        for n, part in enumerate(raw.split(b"\n")):
            if n:
                self._new_line(setting)
            if part.strip(b"\0"):
                self._place(part.replace(b"\0", b""), start, setting)
            start += len(part) + 1

    def move(self, command: Command, setting: Setting) -> None:
        """ESC W, ESC T, ESC $, ESC \\, GS $ and GS \\."""
        prefix, args = command.spec.prefix, command.args
        if prefix == b"\x1bW":
            self._set_area(args, setting)
        elif prefix == b"\x1bT":
            self.direction = args[0] & 3
            self.x = self.y = 0
        elif prefix == b"\x1b$":
            self.x = dots_x(args[0] | args[1] << 8, setting, self._profile)
        elif prefix == b"\x1b\\":
            self.x = max(self.x + dots_x(signed(args), setting, self._profile), 0)
        elif prefix == b"\x1d$":
            self.y = dots_y(args[0] | args[1] << 8, setting, self._profile)
        elif prefix == b"\x1d\\":
            self.y = max(self.y + dots_y(signed(args), setting, self._profile), 0)

    def feed(self, dots: int) -> None:
        """ESC J and ESC d move the position down and to the left."""
        self.x, self.y = 0, max(self.y + dots, 0)

    def clear(self) -> None:
        """CAN: the page is empty again."""
        self.placements.clear()
        self.pictures.clear()
        self.x = self.y = 0

    def rows(self) -> list[tuple[int, list[Piece]]]:
        """What stands on the page as lines in reading order: (top, pieces with their moves)."""
        rows: list[tuple[int, list[Piece]]] = []
        row_key = (-1, 0)
        for direction, top, left, piece, _ in sorted(self.placements, key=lambda one: one[:3]):
            if not rows or direction != row_key[0] or top - row_key[1] >= SAME_ROW:
                rows.append((top, []))
                row_key = (direction, top)
            pieces = rows[-1][1]
            pieces.append(Piece(Kind.ABSOLUTE, b"", piece.setting, piece.start, left))
            pieces.append(piece)
        return [(top, _by_place(pieces)) for top, pieces in rows]

    # -- inside

    def _set_area(self, args: bytes, setting: Setting) -> None:
        x, y, width, height = (args[n] | args[n + 1] << 8 for n in (0, 2, 4, 6))
        profile = self._profile
        self.area = (
            dots_x(x, setting, profile),
            dots_y(y, setting, profile),
            max(dots_x(width, setting, profile), 1),
            max(dots_y(height, setting, profile), 1),
        )
        self._area_set = True
        self.x = self.y = 0

    def _new_line(self, setting: Setting) -> None:
        self.x = 0
        self.y += max(setting.line_spacing, setting.ink_height)

    def _place(self, raw: bytes, start: int, setting: Setting) -> None:
        plain = setting._replace(style=setting.style._replace(justify=0), margin=0)  # neither holds in page mode
        origin_x, origin_y = self.area[:2] if self.direction in (0, 2) else self.area[1::-1]
        top, left = origin_y + self.y, origin_x + self.x
        if self.placements and self._goes_on(self.placements[-1], top, left, plain):
            last = self.placements[-1]
            self.placements[-1] = last._replace(piece=last.piece._replace(raw=last.piece.raw + raw))
        elif len(self.placements) < ROWS_MAX:
            piece = Piece(Kind.TEXT, raw, plain, start)
            self.placements.append(Placement(self.direction, top, left, piece, self.place))
        else:
            return
        self.x += len(raw) * setting.letter  # two-byte characters are twice as wide
        self._bottom = max(self._bottom, origin_y + self.y + max(setting.line_spacing, setting.ink_height))

    def _goes_on(self, last: Placement, top: int, left: int, setting: Setting) -> bool:
        """The text continues the last piece: a chunk's end between the bytes of one letter must not part them."""
        if (last.direction, last.top, last.piece.setting) != (self.direction, top, setting):
            return False
        if len(last.piece.raw) >= PIECE_MAX:
            return False
        return last.left + len(last.piece.raw) * setting.letter == left and last.place.area == self.area


def _by_place(pieces: list[Piece]) -> list[Piece]:
    pairs = sorted(zip(pieces[::2], pieces[1::2], strict=True), key=lambda pair: pair[0].value)
    return [piece for pair in pairs for piece in pair]


def signed(args: bytes) -> int:
    """A relative move: two bytes, low first, in two's complement."""
    return int.from_bytes(args[:2], "little", signed=True)
